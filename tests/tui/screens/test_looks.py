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

from eternal_tui.core.sanitize import SafeText, UntrustedText
from eternal_tui.jobs.model import FileState, JobState
from eternal_tui.services import Services
from eternal_tui.tui.screens.api_key import ApiKeyScreen
from eternal_tui.tui.screens.copy import CopyMenu
from eternal_tui.tui.screens.help import HelpRow, HelpScreen, HelpSection
from eternal_tui.tui.screens.note import NoteScreen
from eternal_tui.tui.screens.save_as import SaveAs
from eternal_tui.tui.widgets.dialog import ConfirmDialog
from tests.tui.jobs import make_job
from tests.tui.screens.stage import ENVIRON, ScreenApp, job_commands, make_services, terminal_context, wait_idle


class SnapCompare(Protocol):
    def __call__(self, app: App[None], *, terminal_size: tuple[int, int], run_before: object = None) -> bool: ...


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Services]:
    """Open a bench whose paths are the same in every run: relative, from a folder of its own."""
    before = keyring.get_keyring()
    keyring.set_keyring(keyring.backends.fail.Keyring())  # type: ignore[no-untyped-call]
    monkeypatch.chdir(tmp_path)
    opened = make_services(Path(), ENVIRON)
    yield opened
    keyring.set_keyring(before)


def matches_snapshot(
    compare: SnapCompare, services: Services, screen: Screen[Any], size: tuple[int, int] = (80, 24)
) -> bool:
    async def before(pilot: Pilot[None]) -> None:
        await wait_idle(pilot)
        await services.close()

    return compare(ScreenApp(screen), terminal_size=size, run_before=before)


def test_the_copy_menu(snap_compare: SnapCompare, bench: Services) -> None:
    job = make_job(
        12,
        prompt="The person waves and smiles\nat the harbour, in morning light",
        state=JobState.SUCCEEDED,
        result_url=UntrustedText("https://cdn.example/r/8f3a2b.jpg?sig=1"),
        request_id="req-8f3a2b",
    )
    assert matches_snapshot(snap_compare, bench, CopyMenu(job, bench, terminal_context([])))


def test_the_confirmation(snap_compare: SnapCompare, bench: Services) -> None:
    asked = ConfirmDialog(
        SafeText("This costs about 0.60 credits; submits above 0.50 want a confirmation. Nothing was sent."),
        title=SafeText("This costs credits"),
        yes=SafeText("send 3 requests"),
        no=SafeText("do not send"),
    )
    assert matches_snapshot(snap_compare, bench, asked)


def test_the_key_screen(snap_compare: SnapCompare, bench: Services) -> None:
    assert matches_snapshot(snap_compare, bench, ApiKeyScreen(bench))


def test_the_key_screen_on_60_columns(snap_compare: SnapCompare, bench: Services) -> None:
    assert matches_snapshot(snap_compare, bench, ApiKeyScreen(bench), (60, 20))


def test_save_as(snap_compare: SnapCompare, bench: Services) -> None:
    bench.jobs.results_dir.mkdir(parents=True, exist_ok=True)
    job = make_job(12, state=JobState.SUCCEEDED, file="12.jpg", file_state=FileState.SAVED)
    screen = SaveAs(
        [job], job_commands(bench), "{character}-{id}", home=Path("/home/me"), cwd=Path("/home/me/pictures")
    )
    assert matches_snapshot(snap_compare, bench, screen)


def test_a_note(snap_compare: SnapCompare, bench: Services) -> None:
    job = make_job(12, note=UntrustedText("The light is right."), tags=("harbour", "best"))
    assert matches_snapshot(snap_compare, bench, NoteScreen(job))


HELP_SECTIONS = [
    HelpSection(
        SafeText("In the list of jobs"),
        [
            HelpRow("enter", "Open", "Open the job's result"),
            HelpRow("r", "Again", "Run the job again exactly as it was"),
            HelpRow("j down", "Down", "Go to the next job"),
            HelpRow("V shift+space", "Mark range", "Mark every job from the last mark to this one"),
            HelpRow("ctrl+shift+pgdn", "Far", "Keys too long for their column stand on a line of their own"),
        ],
    ),
    HelpSection(
        SafeText("Everywhere"),
        [HelpRow("^q", "Quit", "Leave; running jobs go on at the service"), HelpRow("tab", "Next", "")],
    ),
]


def test_help(snap_compare: SnapCompare, bench: Services) -> None:
    assert matches_snapshot(snap_compare, bench, HelpScreen(HELP_SECTIONS))


def test_help_on_50_columns(snap_compare: SnapCompare, bench: Services) -> None:
    assert matches_snapshot(snap_compare, bench, HelpScreen(HELP_SECTIONS), (50, 20))
