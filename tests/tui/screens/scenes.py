"""The small screens, each with texts in all of its fields: plain ones for the looks, hostile ones for the safety."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
from textual.screen import Screen

from eternal_tui.api.models import Character
from eternal_tui.core.sanitize import SafeText, UntrustedText, sanitize
from eternal_tui.drafts.draft import Draft
from eternal_tui.drafts.stores import Preset, Presets
from eternal_tui.jobs.batch import group_jobs
from eternal_tui.jobs.billing.ledger import Ledger
from eternal_tui.jobs.billing.statistics import compute_statistics
from eternal_tui.jobs.model import FileState, JobState, Verdict
from eternal_tui.services import Services
from eternal_tui.tui.request_form.dialogs import CharacterPicker, PresetContents, PresetScreen, PromptHistory
from eternal_tui.tui.screens.api_key import ApiKeyScreen
from eternal_tui.tui.screens.characters import CharactersScreen, CreateCharacter
from eternal_tui.tui.screens.help import HelpRow, HelpScreen, HelpSection
from eternal_tui.tui.screens.job_commands import JobCommands
from eternal_tui.tui.screens.job_dialogs import CopyMenu, NoteScreen, SaveAs
from eternal_tui.tui.screens.statistics import StatisticsScreen
from eternal_tui.tui.screens.viewer import Viewer
from eternal_tui.tui.widgets.dialog import ConfirmDialog
from tests.security.hostile import hostile_job
from tests.tui.screens.stage import ENVIRON, job_commands, terminal_context

SAVED_FIELDS: dict[str, Any] = {"state": JobState.SUCCEEDED, "file_state": FileState.SAVED, "file": "0000001.jpg"}
UNCONFIRMED_FIELDS: dict[str, Any] = {"state": JobState.UNCONFIRMED, "verdict": Verdict.CHARGED}


class QuestionRecorder:
    """Answers no and keeps the question."""

    question: ConfirmDialog | None = None

    def notify_user(self, text: SafeText, severity: str = "information") -> None:
        raise AssertionError((text, severity))

    async def ask_confirmation(self, question: ConfirmDialog) -> bool:
        self.question = question
        return False

    async def check_characters(self, requests: object) -> bool:  # noqa: ARG002
        return True


async def note_screen(words: Sequence[str], bench: Services) -> Screen[Any]:
    return NoteScreen(hostile_job(words[0]))


async def key_screen(words: Sequence[str], bench: Services) -> Screen[Any]:
    bench.client.key_error = words[0]
    bench.settings = msgspec.structs.replace(bench.settings, config_path=Path("/home") / words[0] / "config.toml")
    return ApiKeyScreen(bench)


async def confirm_dialog(words: Sequence[str], bench: Services) -> Screen[Any]:
    recorder = QuestionRecorder()
    await JobCommands(bench.jobs, recorder, ENVIRON).retry(hostile_job(words[0], **UNCONFIRMED_FIELDS))
    assert recorder.question is not None
    return recorder.question


async def copy_menu(words: Sequence[str], bench: Services) -> Screen[Any]:
    return CopyMenu(hostile_job(words[0], state=JobState.SUCCEEDED, file=None), bench, terminal_context([]))


async def save_as_screen(words: Sequence[str], bench: Services) -> Screen[Any]:
    bench.settings = msgspec.structs.replace(bench.settings, save_template="{character}")
    return SaveAs([hostile_job(words[0], **SAVED_FIELDS)], bench)


async def viewer_screen(words: Sequence[str], bench: Services) -> Screen[Any]:
    job = hostile_job(words[0], state=JobState.FAILED, name=UntrustedText("Astrid"))
    return Viewer([job], bench, terminal_context([]), job_commands(bench), [job.id])


async def comparison_screen(words: Sequence[str], bench: Services) -> Screen[Any]:
    jobs = [hostile_job(each, number, state=JobState.FAILED) for number, each in enumerate(words)]
    return Viewer(jobs, bench, terminal_context([]), job_commands(bench))


async def history_screen(words: Sequence[str], bench: Services) -> Screen[Any]:
    return PromptHistory(words)


async def preset_screen(words: Sequence[str], bench: Services) -> Screen[Any]:
    items = tuple(Preset(name=UntrustedText(each), draft=Draft(prompt=each, character=each)) for each in words)
    return PresetScreen(PresetContents(Presets(items=items), {}, Draft(), ""), lambda _: None)


def hostile_characters(words: Sequence[str]) -> list[Character]:
    names = ("name", "username", "gender", "category", "avatar_url")
    # A story keeps its lines, as the prompt in the detail does; its twin would have signs for them.
    return [
        Character(
            id=each,
            age=30,
            description=UntrustedText(re.sub("[\r\n⏎]", "", each)),
            **dict.fromkeys(names, each),  # type: ignore[arg-type]
        )
        for each in words
    ]


async def picker_screen(words: Sequence[str], bench: Services) -> Screen[Any]:
    return CharacterPicker(hostile_characters(words))


async def characters_screen(words: Sequence[str], bench: Services) -> Screen[Any]:
    bench.characters.replace_all(hostile_characters(words), bench.clock.time())
    return CharactersScreen(bench, terminal_context([]))


async def help_screen(words: Sequence[str], bench: Services) -> Screen[Any]:
    return HelpScreen([HelpSection(SafeText("Here"), [HelpRow(each, each, each) for each in words])])


async def statistics_screen(words: Sequence[str], bench: Services) -> Screen[Any]:
    jobs = [hostile_job(each) for each in words]
    figures = compute_statistics(jobs, 1_700_000_100.0, Ledger())
    return StatisticsScreen(figures, group_jobs(jobs, figures))


async def create_screen(words: Sequence[str], bench: Services) -> Screen[Any]:
    screen = CreateCharacter(bench)
    screen.set_footer_text(sanitize(words[0]), is_error=True)
    return screen


SCREENS: dict[str, Callable[[Sequence[str], Services], Awaitable[Screen[Any]]]] = {
    "note": note_screen,
    "api key": key_screen,
    "question": confirm_dialog,
    "copy": copy_menu,
    "save as": save_as_screen,
    "viewer": viewer_screen,
    "compare": comparison_screen,
    "prompts": history_screen,
    "presets": preset_screen,
    "picker": picker_screen,
    "characters": characters_screen,
    "create": create_screen,
    "help": help_screen,
    "statistics": statistics_screen,
}
