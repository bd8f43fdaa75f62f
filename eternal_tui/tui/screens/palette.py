"""The palette: every action of the registry, every job, character and preset, found by typing."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from textual import on
from textual.app import SystemCommand
from textual.command import CommandPalette, Hit, Hits, Provider
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Input
from textual.worker import WorkerCancelled, WorkerFailed

from eternal_tui.config import Settings
from eternal_tui.core.sanitize import Shown, say, shown
from eternal_tui.jobs.model import Job
from eternal_tui.tui import themes
from eternal_tui.tui.config_watch import keymap
from eternal_tui.tui.input.actions import ACTIONS, CONTROLS, Action
from eternal_tui.tui.input.keymap import key_words

if TYPE_CHECKING:
    from eternal_tui.characters.catalog import CharacterBook
    from eternal_tui.drafts.draft import Draft
    from eternal_tui.drafts.stores import Preset
    from eternal_tui.tui.screens.main import WorkbenchScreen

MOST_JOBS = 20
MOST_CHARACTERS = 20
MOST_PRESETS = 20
"""What the palette offers of each kind: what one looks through before typing another word."""

_TWICE = frozenset({"app.palette", "jobs.palette", "jobs.new", "jobs.characters", "jobs.help", "jobs.quit"})
"""Second keys of what is offered already, and the palette itself."""

SLICE = 500
"""Jobs looked at between two turns of the event loop: about a millisecond."""

SEARCHED_WITHIN = 1.0
"""Seconds Enter waits for what is still searched: far longer than a search takes."""

EXACT, NAMED, MENTIONED = 1_000.0, 0.9, 0.1
"""Scores: a job's own number before everything, names among the actions, prompts after them."""


def commands(
    screen: Screen[object], settings: Settings, choose_theme: Callable[[str], None]
) -> Iterable[SystemCommand]:
    """Yield what can be done on this screen, with its key, and the themes."""
    keys = keymap(settings)
    for action in ACTIONS:
        if action.id not in _TWICE:
            yield _command(action, keys, screen.run_action)
    yield from _of_the_panes(screen, keys)
    for each in themes.THEMES:
        yield SystemCommand(
            f"Theme {each.name}", "Change the colours, now and at the next start", partial(choose_theme, each.name)
        )


def _of_the_panes(screen: Screen[object], keys: Mapping[str, str]) -> Iterable[SystemCommand]:
    """Yield what the list and the form can do, wherever the focus is."""
    from eternal_tui.tui.screens.main import WorkbenchScreen

    if not isinstance(screen, WorkbenchScreen):
        return
    for action in CONTROLS:
        if action.where == "list":
            yield _command(action, keys, screen.job_pane.jobs.run_action)
        elif action.where == "form" and screen.form_pane.form is not None:
            yield _command(action, keys, screen.form_pane.form.run_action)


def _command(action: Action, keys: Mapping[str, str], run: Callable[[str], Any]) -> SystemCommand:
    key = key_words(keys.get(action.id, action.keys))
    return SystemCommand(f"{action.title}  ({key})", action.does, partial(run, action.run))


class Palette(CommandPalette):
    """Textual's palette, in which Enter is for what was typed: its own takes what an earlier letter had found."""

    @on(Input.Submitted)
    async def _entered(self, event: Input.Submitted) -> None:
        event.stop()
        event.prevent_default()
        searches = [each for each in self.workers if each.group == self._GATHER_COMMANDS_GROUP and each.node is self]
        with contextlib.suppress(TimeoutError, WorkerCancelled, WorkerFailed):
            async with asyncio.timeout(SEARCHED_WITHIN):
                await self.workers.wait_for_complete(searches)
        self._select_or_command()


class Found(NamedTuple):
    """Something the palette goes to: how well it fits, its words, the dim words after them, and what choosing does."""

    score: float
    title: Shown
    rest: Shown
    go: Callable[[], Any]


class Finder(Provider):
    """Finds jobs, characters and presets of the workbench. All words typed must be in one of them."""

    async def startup(self) -> None:
        """Read the presets, and the characters behind the first letters typed."""
        from eternal_tui.drafts.stores import PresetStore
        from eternal_tui.tui.screens.main import WorkbenchScreen

        self._bench_screen = self.screen if isinstance(self.screen, WorkbenchScreen) else None
        if self._bench_screen is not None:
            bench = self._bench_screen.bench
            if bench.book.fetched_at is None:
                bench.book.open_stored()
            if not bench.book.fresh:
                self._bench_screen.run_worker(_load_book(bench.book), group="palette-characters", exclusive=True)
            # Not waited for here: a search waits for the end of this start, and the next letter cancels the search and
            # with it what it waits for. Where letters came that fast, nothing at all was found any more.
            self._presets = asyncio.create_task(asyncio.to_thread(PresetStore(bench.folder).load))

    async def search(self, query: str) -> Hits:
        """Yield what holds every word of the query."""
        words = query.casefold().split()
        screen = self._bench_screen
        if not words or screen is None:
            return
        presets = (await asyncio.shield(self._presets)).items
        for found in (*_characters(screen, words), *_found_presets(screen, presets, words)):
            yield _hit(found)
        async for found in _jobs(screen, words):
            yield _hit(found)


async def _load_book(book: CharacterBook) -> None:
    from eternal_tui.api.errors import ApiError

    # Without the service the palette offers what is stored; the form is where its absence is told.
    with contextlib.suppress(ApiError):
        await book.load()


def _hit(found: Found) -> Hit:
    title = Content(found.title)
    rest = Content.styled(f"  {found.rest}", "$text-muted") if found.rest else Content("")
    return Hit(found.score, title + rest, found.go, text=found.title)


def _holds(text: str, words: Sequence[str]) -> bool:
    folded = text.casefold()
    return all(word in folded for word in words)


async def _jobs(screen: WorkbenchScreen, words: Sequence[str]) -> AsyncIterator[Found]:
    count = 0
    for at, job in enumerate(screen.bench.desk.listing()):
        if at % SLICE == SLICE - 1:
            await asyncio.sleep(0)
        if not _holds(f"job {job.id} {job.name} {job.request.prompt}", words):
            continue
        score = EXACT if str(job.id) in words else MENTIONED - count / 1_000
        yield Found(score, _title(job), shown(job.request.prompt, limit=80), partial(_go_to, screen, job.id))
        count += 1
        if count == MOST_JOBS:
            return


def _title(job: Job) -> Shown:
    return say("Job {id} {name}", id=job.id, name=shown(job.name, limit=40))


def _go_to(screen: WorkbenchScreen, job_id: int) -> None:
    jobs = screen.job_pane.jobs
    if not jobs.go_to(job_id):
        jobs.clear_marks()
        jobs.action_clear()
        if not jobs.go_to(job_id):
            screen.tell(say("Job {id} is no longer there.", id=job_id))
    screen.job_pane.focus_jobs()


def _characters(screen: WorkbenchScreen, words: Sequence[str]) -> Iterator[Found]:
    count = 0
    for each in screen.bench.book.known:
        if _holds(f"character {each.name} {each.username} {each.id}", words):
            title = say("Character {name} {id}", name=shown(each.name, limit=60), id=each.id)
            rest = shown(each.description, limit=80)
            yield Found(NAMED, title, rest, partial(screen.use_character, each.id))
            count += 1
            if count == MOST_CHARACTERS:
                return


def _found_presets(screen: WorkbenchScreen, presets: Sequence[Preset], words: Sequence[str]) -> Iterator[Found]:
    from eternal_tui.tui.request_form.presets import summary

    fitting = (each for each in presets if _holds(f"preset {each.name}", words))
    for each, _ in zip(fitting, range(MOST_PRESETS), strict=False):
        rest = shown(summary(each.draft), limit=80)
        yield Found(NAMED, say("Preset {name}", name=each.name), rest, partial(_use_preset, screen, each))


async def _use_preset(screen: WorkbenchScreen, preset: Preset) -> None:
    form = await screen.form_pane.fill()
    await _load(screen, preset.over(form.draft))


async def _load(screen: WorkbenchScreen, draft: Draft) -> None:
    form = await screen.form_pane.fill()
    form.load(draft)
    await screen.action_new_request()
