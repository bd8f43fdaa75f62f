"""Snapshots of the small screens, with plain texts in all of their fields."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import keyring
import keyring.backends.fail
import pytest
from textual.app import App
from textual.pilot import Pilot
from textual.widgets import Input

from eternal_tui.services import Services
from eternal_tui.tui.themes import register_themes
from tests.tui.screens.scenes import SCREEN_NAMES, make_screen
from tests.tui.screens.stage import ENVIRON, SnapCompare, make_services, wait_idle

TEXTS = (
    "Reading by the window, rain outside", "On a night train", "At the harbour, soft light, early in the morning",
    "Dances",
)  # fmt: skip
NARROW_SCREENS = ("api key", "compare", "characters", "help", "picker", "statistics")
WIDE_SCREENS = ("compare", "characters")
CASES = [
    *((name, (80, 24)) for name in SCREEN_NAMES),
    *((name, (60, 20)) for name in NARROW_SCREENS),
    *((name, (200, 60)) for name in WIDE_SCREENS),
]


class LooksApp(App[None]):
    def on_mount(self) -> None:
        register_themes(self)
        self.theme = "eternal-dark"


@pytest.fixture
def services(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Services]:
    """Yield services whose paths are the same in every run: relative, from a folder of its own."""
    before = keyring.get_keyring()
    keyring.set_keyring(keyring.backends.fail.Keyring())  # type: ignore[no-untyped-call]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "Downloads").mkdir()
    yield make_services(Path(), ENVIRON)
    keyring.set_keyring(before)


@pytest.mark.parametrize(("name", "size"), CASES, ids=[f"{name} {size[0]}x{size[1]}" for name, size in CASES])
def test_looks(snap_compare: SnapCompare, services: Services, name: str, size: tuple[int, int]) -> None:
    async def before(pilot: Pilot[None]) -> None:
        await pilot.app.push_screen(await make_screen(name, TEXTS, services))
        await wait_idle(pilot)
        for each in pilot.app.screen.query(Input):
            each.cursor_blink = False
        await services.close()

    assert snap_compare(LooksApp(), terminal_size=size, run_before=before)
