"""The palette: every action of the registry, every job, character and preset, found by typing."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any

from textual.app import SystemCommand
from textual.command import DiscoveryHit, Hit, Hits, Provider
from textual.content import Content
from textual.screen import Screen

from eternal_tui.config.settings import Settings
from eternal_tui.core.sanitize import SafeText, format_safe, sanitize
from eternal_tui.jobs.filter import parse_filter, search_text
from eternal_tui.jobs.model import Job, JobState
from eternal_tui.tui import themes
from eternal_tui.tui.config_watch import effective_keymap
from eternal_tui.tui.input.actions import CONTROL_ACTIONS, MAIN_SCREEN_ACTIONS, Action
from eternal_tui.tui.input.keymap import key_label

if TYPE_CHECKING:
    from eternal_tui.characters.catalog import CharacterCatalog
    from eternal_tui.drafts.stores import Preset
    from eternal_tui.tui.screens.main import MainScreen

MAX_HITS = 20
"""Most jobs, characters and presets each: more typing finds the others."""

_EXCLUDED_ACTION_IDS = frozenset(
    {"app.palette", "jobs.palette", "jobs.new", "jobs.characters", "jobs.help", "jobs.quit"}
)
"""Second keys of other actions, and the palette itself."""

SLICE_JOBS = 500
"""Jobs searched between two turns of the event loop: about a millisecond."""

EXACT_ID_SCORE, NAME_SCORE, PROMPT_SCORE = 1_000.0, 0.9, 0.1
"""Scores: a job's own number before everything, names among the actions, prompts after them."""


def system_commands(
    screen: Screen[object], settings: Settings, choose_theme: Callable[[str], None]
) -> Iterable[SystemCommand]:
    """Yield the actions of this screen with their keys, those that fit the selection first; then views and themes."""
    from eternal_tui.tui.screens.main import MainScreen

    main = screen if isinstance(screen, MainScreen) else None
    fitting = fitting_action_ids(main.selected_jobs()) if main is not None else ()
    found = {action.id: (action, run) for action, run in _actions(screen, main)}
    keys = effective_keymap(settings)
    for action_id in (*fitting, *(each for each in found if each not in fitting)):
        if action_id in found:
            action, run = found[action_id]
            key = key_label(keys.get(action.id, action.keys))
            yield SystemCommand(f"{action.title}  ({key})", action.description, partial(run, action.textual_action))
    if main is not None:
        for name, text in settings.views.items():
            # In the title, because Textual reads the help below it as markup.
            title = format_safe("View {name}  {text}", name=sanitize(name, limit=40), text=sanitize(text, limit=60))
            yield SystemCommand(title, "", partial(main.show_filter, text))
    for theme in themes.THEMES:
        yield SystemCommand(
            f"Theme {theme.name}", "Change the colours, now and at the next start", partial(choose_theme, theme.name)
        )


def _actions(screen: Screen[object], main: MainScreen | None) -> Iterator[tuple[Action, Callable[[str], Any]]]:
    for action in MAIN_SCREEN_ACTIONS:
        if action.id not in _EXCLUDED_ACTION_IDS:
            yield action, screen.run_action
    if main is None:
        return
    for action in CONTROL_ACTIONS:
        if action.scope == "list":
            yield action, main.job_pane.job_list.run_action
        elif action.scope == "form" and main.form_pane.form is not None:
            yield action, main.form_pane.form.run_action


def fitting_action_ids(jobs: Sequence[Job]) -> tuple[str, ...]:
    """Return the actions that fit these jobs, the likeliest first."""
    if not jobs:
        return ("app.new", "app.characters")
    if len(jobs) > 1:
        return ("jobs.compare", "jobs.save", "jobs.star", "jobs.note", "jobs.retry", "jobs.delete")
    job = jobs[0]
    if job.is_delivered:
        play = ("jobs.play",) if job.request.type == "video" else ()
        return ("list.open", *play, "jobs.save", "jobs.copy", "jobs.outside", "jobs.star", "jobs.again", "jobs.edit")
    if job.state is JobState.LOST or not job.is_ended:
        return ("jobs.watch", "jobs.copy", "jobs.edit")
    if job.state in (JobState.FAILED, JobState.REJECTED):
        return ("jobs.retry", "jobs.edit", "jobs.again", "jobs.delete")
    return ("jobs.retry", "jobs.delete")


class WorkbenchProvider(Provider):
    """Finds actions, jobs, characters and presets. Jobs are found by the list's filter language, others by words."""

    async def discover(self) -> Hits:
        """Yield the actions in their order; Textual's own provider would sort them by name."""
        for title, help_text, run, is_discovered in self.app.get_system_commands(self.screen):
            if is_discovered:
                yield DiscoveryHit(Content(title), run, text=title, help=help_text)

    async def startup(self) -> None:
        """Read the presets, and the characters behind the first letters typed."""
        from eternal_tui.drafts.stores import PresetStore
        from eternal_tui.tui.screens.main import MainScreen

        self._main_screen = self.screen if isinstance(self.screen, MainScreen) else None
        if self._main_screen is not None:
            bench = self._main_screen.services
            bench.characters.load_stored()
            if not bench.characters.is_fresh:
                self._main_screen.run_worker(
                    _load_catalog(bench.characters), group="palette-characters", exclusive=True
                )
            # Not awaited: the next letter would cancel the search that waits for this, and nothing would be found.
            self._presets = PresetStore(bench.data_dir).load().items

    async def search(self, query: str) -> Hits:
        """Yield what matches the query."""
        words = query.casefold().split()
        if not words:
            return
        matcher = self.matcher(query)
        for title, help_text, run, _ in self.app.get_system_commands(self.screen):
            if (score := matcher.match(title)) > 0:
                yield Hit(score, matcher.highlight(title), run, help=help_text)
        screen = self._main_screen
        if screen is None:
            return
        for hit in (*_find_characters(screen, words), *_find_presets(screen, self._presets, words)):
            yield hit
        async for hit in _find_jobs(screen, query):
            yield hit


async def _load_catalog(catalog: CharacterCatalog) -> None:
    from eternal_tui.api.errors import ApiError

    # Offline the palette offers the stored list; the form shows the error.
    with contextlib.suppress(ApiError):
        await catalog.load()


def _hit(score: float, title: SafeText, detail: str, select: Callable[[], Any]) -> Hit:
    """Return a hit with dim words after its title."""
    rest = Content.styled(f"  {sanitize(detail, limit=80)}", "$text-muted") if detail else Content("")
    return Hit(score, Content(title) + rest, select, text=title)


def _contains_all(text: str, words: Sequence[str]) -> bool:
    folded = text.casefold()
    return all(word in folded for word in words)


async def _find_jobs(screen: MainScreen, query: str) -> AsyncIterator[Hit]:
    wanted, now = parse_filter(query), screen.services.clock.time()
    jobs = screen.services.jobs.store.newest_first()
    count = 0
    for start in range(0, len(jobs), SLICE_JOBS):
        part = jobs[start : start + SLICE_JOBS]
        for job in wanted.select(part, now, {job.id: f"job {job.id} {search_text(job)}" for job in part}):
            score = EXACT_ID_SCORE if str(job.id) in query.split() else PROMPT_SCORE - count / 1_000
            title = format_safe("Job {id} {name}", id=job.id, name=sanitize(job.name, limit=40))
            yield _hit(score, title, job.request.prompt, partial(_go_to_job, screen, job.id))
            count += 1
            if count == MAX_HITS:
                return
        await asyncio.sleep(0)


def _go_to_job(screen: MainScreen, job_id: int) -> None:
    jobs = screen.job_pane.job_list
    if not jobs.go_to_job(job_id):
        jobs.clear_marks()
        jobs.action_clear()
        if not jobs.go_to_job(job_id):
            screen.notify_user(format_safe("Job {id} is no longer there.", id=job_id))
    screen.job_pane.focus_jobs()


def _find_characters(screen: MainScreen, words: Sequence[str]) -> Iterator[Hit]:
    allowed = screen.services.characters.allowed
    fitting = (each for each in allowed if _contains_all(f"character {each.name} {each.username} {each.id}", words))
    for each in islice(fitting, MAX_HITS):
        title = format_safe("Character {name} {id}", name=sanitize(each.name, limit=60), id=each.id)
        yield _hit(NAME_SCORE, title, each.description, partial(screen.form_requests.use_character, each.id))


def _find_presets(screen: MainScreen, presets: Sequence[Preset], words: Sequence[str]) -> Iterator[Hit]:
    from eternal_tui.tui.request_form.dialogs import summarize_draft

    fitting = (each for each in presets if _contains_all(f"preset {each.name}", words))
    for each in islice(fitting, MAX_HITS):
        title = format_safe("Preset {name}", name=each.name)
        yield _hit(NAME_SCORE, title, summarize_draft(each.draft), partial(_use_preset, screen, each))


async def _use_preset(screen: MainScreen, preset: Preset) -> None:
    form = await screen.form_pane.mount_form()
    form.load(preset.merged_into(form.draft))
    await screen.open_form()
