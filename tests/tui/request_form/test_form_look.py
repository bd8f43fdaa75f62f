"""How the form looks, and what it costs to import."""

from __future__ import annotations

import subprocess
import sys
from typing import Protocol

from textual.app import App
from textual.pilot import Pilot

from eternal_tui.drafts.draft import Draft
from tests.tui.request_form.form_app import FormApp
from tests.tui.screens.stage import wait_idle

VIDEO_DRAFT = Draft(character="Astrid · 6870", prompt="The person waves and smiles", type="video", count=2)


class SnapCompare(Protocol):
    def __call__(self, app: App[None], *, terminal_size: tuple[int, int], run_before: object = None) -> bool: ...


def _load_and_press(draft: Draft, *keys: str, price: float | None = None) -> object:
    async def before(pilot: Pilot[None]) -> None:
        app = pilot.app
        assert isinstance(app, FormApp)
        # The focus that the form takes at its start selects what its line holds: it comes first, or after the text.
        await wait_idle(pilot)
        app.form.load(draft)
        app.form.set_estimate(price)
        await pilot.press(*keys)
        await wait_idle(pilot)

    return before


def test_a_pane_of_36_columns(snap_compare: SnapCompare) -> None:
    assert snap_compare(FormApp(), terminal_size=(36, 36), run_before=_load_and_press(VIDEO_DRAFT, "tab", price=0.2))


def test_an_empty_pane(snap_compare: SnapCompare) -> None:
    assert snap_compare(FormApp(), terminal_size=(36, 36), run_before=_load_and_press(Draft()))


def test_a_drawer_on_a_small_screen(snap_compare: SnapCompare) -> None:
    before = _load_and_press(VIDEO_DRAFT, "tab", "tab", price=0.2)
    assert snap_compare(FormApp(drawer=True), terminal_size=(80, 24), run_before=before)


def test_a_drawer_full_of_sentences(snap_compare: SnapCompare) -> None:
    before = _load_and_press(Draft(character="me.png/", type="video"), "ctrl+s")
    assert snap_compare(FormApp(drawer=True), terminal_size=(80, 24), run_before=before)


def test_the_character_picker(snap_compare: SnapCompare) -> None:
    before = _load_and_press(Draft(), "down", "space")
    assert snap_compare(FormApp(drawer=True), terminal_size=(80, 24), run_before=before)


def test_importing_the_form_loads_no_network_and_no_codec() -> None:
    probe = (
        "import sys, eternal_tui.tui.request_form.form;"
        "print([name for name in ('httpx', 'PIL', 'av', 'tinydb', 'keyring', 'starlette') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"
