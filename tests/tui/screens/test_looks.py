"""How the small screens look on 80×24."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import keyring
import keyring.backends.fail
import pytest
from textual.app import App
from textual.pilot import Pilot
from textual.screen import Screen

from eternal_tui.core.sanitize import Shown, Untrusted
from eternal_tui.jobs.model import FileState, JobState
from eternal_tui.services import Workbench
from eternal_tui.tui.screens.api_key import KeyScreen
from eternal_tui.tui.screens.copy import CopyMenu
from eternal_tui.tui.screens.help import HelpScreen, Row, Section
from eternal_tui.tui.screens.note import NoteScreen
from eternal_tui.tui.screens.save_as import SaveAs
from eternal_tui.tui.widgets.dialog import Confirm
from tests.tui.jobs import a_job
from tests.tui.screens.stage import ENVIRON, Stage, actions_of, around, bench_in, settle


class SnapCompare(Protocol):
    def __call__(self, app: App[None], *, terminal_size: tuple[int, int], run_before: object = None) -> bool: ...


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Workbench]:
    """Open a bench whose paths are the same in every run: relative, from a folder of its own."""
    before = keyring.get_keyring()
    keyring.set_keyring(keyring.backends.fail.Keyring())  # type: ignore[no-untyped-call]
    monkeypatch.chdir(tmp_path)
    opened = bench_in(Path(), ENVIRON)
    yield opened
    keyring.set_keyring(before)


def shot(compare: SnapCompare, bench: Workbench, screen: Screen[Any], size: tuple[int, int] = (80, 24)) -> bool:
    async def before(pilot: Pilot[None]) -> None:
        await settle(pilot)
        await bench.close()

    return compare(Stage(screen), terminal_size=size, run_before=before)


def test_the_copy_menu(snap_compare: SnapCompare, bench: Workbench) -> None:
    job = a_job(
        12,
        prompt="The person waves and smiles\nat the harbour, in morning light",
        state=JobState.SUCCEEDED,
        result_url=Untrusted("https://cdn.example/r/8f3a2b.jpg?sig=1"),
        request_id="req-8f3a2b",
    )
    assert shot(snap_compare, bench, CopyMenu(job, bench, around([])))


def test_the_confirmation(snap_compare: SnapCompare, bench: Workbench) -> None:
    asked = Confirm(
        Shown("This costs about 0.60 credits; submits above 0.50 want a confirmation. Nothing was sent."),
        title=Shown("This costs credits"),
        yes=Shown("send 3 requests"),
        no=Shown("do not send"),
    )
    assert shot(snap_compare, bench, asked)


def test_the_key_screen(snap_compare: SnapCompare, bench: Workbench) -> None:
    assert shot(snap_compare, bench, KeyScreen(bench))


def test_the_key_screen_on_60_columns(snap_compare: SnapCompare, bench: Workbench) -> None:
    assert shot(snap_compare, bench, KeyScreen(bench), (60, 20))


def test_save_as(snap_compare: SnapCompare, bench: Workbench) -> None:
    bench.desk.results.mkdir(parents=True, exist_ok=True)
    job = a_job(12, state=JobState.SUCCEEDED, file="12.jpg", file_state=FileState.SAVED)
    screen = SaveAs([job], actions_of(bench), "{character}-{id}", home=Path("/home/me"), here=Path("/home/me/pictures"))
    assert shot(snap_compare, bench, screen)


def test_a_note(snap_compare: SnapCompare, bench: Workbench) -> None:
    job = a_job(12, note=Untrusted("The light is right."), tags=("harbour", "best"))
    assert shot(snap_compare, bench, NoteScreen(job))


HELP = [
    Section(
        Shown("In the list of jobs"),
        [
            Row("enter", "Open", "Open the job's result"),
            Row("r", "Again", "Run the job again exactly as it was"),
            Row("j down", "Down", "Go to the next job"),
            Row("V shift+space", "Mark range", "Mark every job from the last mark to this one"),
            Row("ctrl+shift+pgdn", "Far", "Keys too long for their column stand on a line of their own"),
        ],
    ),
    Section(
        Shown("Everywhere"), [Row("^q", "Quit", "Leave; running jobs go on at the service"), Row("tab", "Next", "")]
    ),
]


def test_help(snap_compare: SnapCompare, bench: Workbench) -> None:
    assert shot(snap_compare, bench, HelpScreen(HELP))


def test_help_on_50_columns(snap_compare: SnapCompare, bench: Workbench) -> None:
    assert shot(snap_compare, bench, HelpScreen(HELP), (50, 20))
