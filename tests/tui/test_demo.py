"""Contents of a new demo: jobs in every state that a key acts on, a request to send, and a tour."""

from __future__ import annotations

import os
from pathlib import Path

from eternal_tui.drafts.draft import DEMO_DRAFT
from eternal_tui.jobs.model import JobState
from eternal_tui.sandbox.launch import launch_demo
from eternal_tui.services import Services
from eternal_tui.tui.app import EternalApp
from eternal_tui.tui.demo import seed_demo
from eternal_tui.tui.graphics.base import NullGraphics
from tests.tui.screens.stage import ENVIRON, make_settings, screen_text, wait_until


async def test_demo_has_jobs_in_every_state_and_a_request_to_send(tmp_path: Path) -> None:
    demo = launch_demo(environ=dict(os.environ), options=["--sample-jobs"])
    services = Services(make_settings(tmp_path), ENVIRON, demo=demo)
    seed_demo(services)
    store = services.jobs.store
    services.jobs.sync.load_newest()
    app = EternalApp(services, NullGraphics(), ENVIRON, has_tour=True)
    async with app.run_test(size=(140, 40)) as pilot:
        await wait_until(pilot, lambda: sum(job.is_delivered for job in store.newest_first()) == 4)
        assert [str(job.state) for job in store.newest_first()] == [
            "running", "succeeded", "succeeded", "succeeded", "succeeded", "unconfirmed",
        ]  # fmt: skip
        assert len({job.batch for job in store.newest_first()[1:4]}) == 1
        assert "Tour 1/5: ^s send the example" in screen_text(app)
        assert "Prompt · example" in screen_text(app)
        assert "629.36 credits" in screen_text(app)
        await pilot.press("ctrl+s")
        await wait_until(pilot, lambda: len(store.newest_first()) == 7)
        sent = store.newest_first()[0]
        assert (sent.request.character, sent.request.prompt) == ("6870", DEMO_DRAFT.prompt)
        assert sent.state is not JobState.REJECTED
        for key, step in (("enter", "2/5: enter"), ("p", "3/5: p"), ("v", "4/5: v"), ("question_mark", "5/5: ?")):
            await wait_until(pilot, lambda step=step: step in screen_text(app))  # type: ignore[misc]
            await pilot.press(key)
            if key in ("enter", "question_mark"):
                await pilot.press("escape")
        await wait_until(pilot, lambda: "Tour" not in screen_text(app))
        seed_demo(services)
        assert services.history.count() == 7
