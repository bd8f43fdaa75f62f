"""Creating a character: the person's prompt in the question, and the service's refusal in its own words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from eternal_tui.core.sanitize import sanitize
from eternal_tui.services import Services
from eternal_tui.tui.screens.characters import CreateCharacter
from eternal_tui.tui.widgets.dialog import ConfirmDialog
from tests.security.drawn import WideScreenApp, capture_rows, unsafe_bytes
from tests.security.hostile import pack_payloads
from tests.security.programs import fixed_service
from tests.security.test_small_screens import SAMPLE_STEP, WIDE_SIZE, strip_layout
from tests.tui.screens.stage import open_services, wait_until

MAX_MESSAGE_CHARS = 200
"""Characters of a refusal that are kept of what a service says."""


async def capture_frames(pilot: Pilot[Any], bench: Services, words: str) -> list[list[str]]:
    """Return the bytes of the question and of the refusal."""
    screen = CreateCharacter(bench)
    await pilot.app.push_screen(screen)
    screen._create(words)
    await wait_until(pilot, lambda: isinstance(pilot.app.screen, ConfirmDialog))
    question = await capture_rows(pilot)
    pilot.app.screen.dismiss(True)
    await pilot.app.workers.wait_for_complete()
    refusal = await capture_rows(pilot)
    await pilot.app.pop_screen()
    return [question, refusal]


@pytest.mark.parametrize("share", [SAMPLE_STEP, pytest.param(1, marks=pytest.mark.long)])
async def test_the_creation_screen_is_that_of_the_neutralised_twin(tmp_path: Path, share: int) -> None:
    app = WideScreenApp()
    app.every_frame = share == 1
    with fixed_service() as (url, service):
        async with open_services(tmp_path, base_url=url) as bench, app.run_test(size=WIDE_SIZE) as pilot:
            for text in pack_payloads(MAX_MESSAGE_CHARS)[::share]:
                # What the service says is laid out anew: space that is lost there would leave signs on the twin. And a
                # prompt with NUL or half a surrogate pair is refused.
                words = " ".join(text.replace("\x00", "").encode("utf-8", "replace").decode().split())
                taken = []
                for given in (words, sanitize(words)):
                    service.message = given
                    taken.append(await capture_frames(pilot, bench, given))
                assert taken[0] == taken[1]
                for frame in taken[0]:
                    assert strip_layout(sanitize(words)) in strip_layout("".join(frame)), frame
    assert unsafe_bytes(app) == []
