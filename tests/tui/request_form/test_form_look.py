"""Appearance of the form, and the cost of its import."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import pytest
from textual.pilot import Pilot

from eternal_tui.drafts.draft import Draft
from tests.tui.request_form.form_app import FormApp
from tests.tui.screens.stage import wait_idle

VIDEO_DRAFT = Draft(character="Astrid · 6870", prompt="The person waves and smiles", type="video", count=2)
SCENES: dict[str, tuple[Draft, str, bool, float | None]] = {
    "pane": (VIDEO_DRAFT, "tab", False, 0.2),
    "empty pane": (Draft(), "", False, None),
    "drawer": (VIDEO_DRAFT, "tab tab", True, 0.2),
    "full of sentences": (Draft(character="me.png/", type="video"), "ctrl+s", True, None),
    "picker": (Draft(), "down space", True, None),
}


@pytest.mark.parametrize("scene", SCENES)
def test_looks(snap_compare: Callable[..., bool], scene: str) -> None:
    draft, keys, drawer, price = SCENES[scene]
    app = FormApp(drawer=drawer)

    async def load_and_press(pilot: Pilot[None]) -> None:
        # The focus that the form takes at its start selects what its line holds: it comes first, or after the text.
        await wait_idle(pilot)
        app.form.load(draft)
        app.form.set_estimate(price)
        await pilot.press(*keys.split())
        await wait_idle(pilot)

    assert snap_compare(app, terminal_size=(80, 24) if drawer else (36, 36), run_before=load_and_press)


def test_importing_the_form_loads_no_network_and_no_codec() -> None:
    probe = (
        "import sys, eternal_tui.tui.request_form.form;"
        "print([name for name in ('httpx', 'PIL', 'av', 'tinydb', 'keyring', 'starlette') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"
