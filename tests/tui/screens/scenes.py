"""The small screens, each with texts in all of its fields: plain ones for the looks, hostile ones for the safety."""

from __future__ import annotations

import re
from collections.abc import Sequence
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
from eternal_tui.tui.request_form.dialogs import CharacterPicker, PresetScreen, PromptHistory
from eternal_tui.tui.screens.api_key import ApiKeyScreen
from eternal_tui.tui.screens.characters import CharactersScreen, CreateCharacter
from eternal_tui.tui.screens.help import HelpRow, HelpScreen, HelpSection
from eternal_tui.tui.screens.job_commands import JobCommands
from eternal_tui.tui.screens.job_dialogs import CopyMenu, NoteScreen, SaveAs
from eternal_tui.tui.screens.statistics import StatisticsScreen
from eternal_tui.tui.screens.viewer import Viewer
from tests.security.hostile import hostile_job
from tests.tui.screens.stage import ENVIRON, FakeScreen, job_commands, terminal_context

SAVED_FIELDS: dict[str, Any] = {"state": JobState.SUCCEEDED, "file_state": FileState.SAVED, "file": "0000001.jpg"}
UNCONFIRMED_FIELDS: dict[str, Any] = {"state": JobState.UNCONFIRMED, "verdict": Verdict.CHARGED}


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


SCREEN_NAMES = (
    "note", "api key", "question", "copy", "save as", "viewer", "compare", "prompts", "presets", "picker", "characters",
    "create", "help", "statistics",
)  # fmt: skip


async def make_screen(name: str, words: Sequence[str], bench: Services) -> Screen[Any]:  # noqa: C901, PLR0912
    """Return the screen with `words` in all of its fields."""
    match name:
        case "note":
            return NoteScreen(hostile_job(words[0]))
        case "api key":
            bench.client.key_error = words[0]
            path = Path("/home") / words[0] / "config.toml"
            bench.settings = msgspec.structs.replace(bench.settings, config_path=path)
            return ApiKeyScreen(bench)
        case "question":
            screen = FakeScreen()
            await JobCommands(bench.jobs, screen, ENVIRON).retry(hostile_job(words[0], **UNCONFIRMED_FIELDS))
            return screen.dialogs[0]
        case "copy":
            return CopyMenu(hostile_job(words[0], state=JobState.SUCCEEDED, file=None), bench, terminal_context())
        case "save as":
            bench.settings = msgspec.structs.replace(bench.settings, save_template="{character}")
            return SaveAs([hostile_job(words[0], **SAVED_FIELDS)], bench)
        case "viewer":
            job = hostile_job(words[0], state=JobState.FAILED, name=UntrustedText("Astrid"))
            return Viewer([job], bench, terminal_context(), job_commands(bench), [job.id])
        case "compare":
            jobs = [hostile_job(each, number, state=JobState.FAILED) for number, each in enumerate(words)]
            return Viewer(jobs, bench, terminal_context(), job_commands(bench))
        case "prompts":
            return PromptHistory(words)
        case "presets":
            items = tuple(Preset(name=UntrustedText(each), draft=Draft(prompt=each, character=each)) for each in words)
            return PresetScreen(Presets(items=items), {}, Draft(), "", on_change=lambda _: None)
        case "picker":
            return CharacterPicker(hostile_characters(words))
        case "characters":
            bench.characters.replace_all(hostile_characters(words), bench.clock.time())
            return CharactersScreen(bench, terminal_context())
        case "create":
            create = CreateCharacter(bench)
            create.set_footer_text(sanitize(words[0]), is_error=True)
            return create
        case "help":
            return HelpScreen([HelpSection(SafeText("Here"), [HelpRow(each, each, each) for each in words])])
        case _:
            jobs = [hostile_job(each) for each in words]
            figures = compute_statistics(jobs, 1_700_000_100.0, Ledger())
            return StatisticsScreen(figures, group_jobs(jobs, figures))
