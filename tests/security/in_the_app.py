"""The whole app over a history of a stranger's words, frame by frame, beside the app over their neutralised twins."""

from __future__ import annotations

import asyncio
import re
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
from textual.pilot import Pilot

from eternal_tui.api.models import Character
from eternal_tui.core.sanitize import Untrusted, shown
from eternal_tui.drafts.draft import Draft
from eternal_tui.drafts.stores import Preset, Presets, PresetStore
from eternal_tui.history.history import History
from eternal_tui.jobs.model import Job, to_record
from eternal_tui.tui.graphics.base import NoGraphics
from eternal_tui.tui.refresh import on_the_loop
from eternal_tui.tui.screens.main import WorkbenchScreen
from tests.security.drawn import RecordedApp, still
from tests.security.hostile import job_of, pieces
from tests.tui.screens.stage import ENVIRON, KEYED, bench_in, until

_QUOTED = re.compile(r"│ Request\s+│")
_ESCAPED = re.compile("curl command|Python, httpx|JSON body")
STYLE = re.compile(r"\x1b\[[0-9;:?]*[A-Za-z]")

Size = tuple[int, int]
Walk = Callable[[Pilot[None], Callable[[], Awaitable[None]]], Awaitable[None]]


class Standing:
    """A clock on which no second passes, so that two runs draw the same; only a hand on the keys takes its time."""

    def __init__(self) -> None:
        self.looks = 1e9

    def time(self) -> float:
        return 1_700_009_999.0

    def hand(self) -> float:
        self.looks += 1.0
        return self.looks


@asynccontextmanager
async def running(
    folder: Path, jobs: list[Job], characters: list[Character], size: Size, *, every_frame: bool = True
) -> AsyncIterator[Pilot[None]]:
    """Run the app over these jobs, characters, and presets named after the first of the jobs.

    `every_frame` has it draw at each of its own moments too, not only where it is looked at.
    """
    history = History.open(folder / "data")
    history.add_many([to_record(job) for job in jobs])
    history.close(fold=True)
    bench = bench_in(folder, KEYED)
    PresetStore(folder / "data").save(
        Presets(items=tuple(Preset(name=job.name, draft=Draft(prompt=job.name)) for job in jobs[:20]))
    )
    clock = Standing()
    bench.clock.time = clock.time  # type: ignore[method-assign]
    bench.book.fetched_at = clock.time()
    bench.book._take(characters, clock.time())
    app = RecordedApp(bench, NoGraphics(), "", ENVIRON)
    app.every_frame = every_frame
    async with app.run_test(size=size, notifications=False) as pilot:
        await until(pilot, lambda: bench.desk.loaded)
        await app.workers.wait_for_complete()
        assert isinstance(app.screen, WorkbenchScreen)
        app.screen._at_rest._monotonic = clock.hand
        app.screen._at_rest._schedule = lambda _, act: on_the_loop(0.0, act)
        # The beat that draws what was loaded: it would come before the first frame of one run, and after it in another.
        drawn = asyncio.Event()
        app.screen.tick.add(lambda _ids, _now: drawn.set())
        app.screen.tick.changed()
        await drawn.wait()
        yield pilot


async def frame(pilot: Pilot[None]) -> str:
    """Return the whole screen as the driver would be given it, once it stands still."""
    lines, quoting = [], False
    for line in await still(pilot):
        text = STYLE.sub("", line)
        # What was sent is quoted as JSON, whose own escapes the twin has no need of.
        quoting = (quoting or _QUOTED.match(text) is not None) and not text.startswith("╰")
        lines.append("" if quoting or _ESCAPED.search(text) else line)
    return "\n".join(lines)


async def frames(
    folder: Path, jobs: list[Job], walk: Walk, characters: list[Character], size: Size, *, every_frame: bool = False
) -> tuple[list[str], RecordedApp]:
    """Return the frames that a walk takes, and the app with all it was given to write."""
    taken: list[str] = []
    async with running(folder, jobs, characters, size, every_frame=every_frame) as pilot:

        async def take() -> None:
            taken.append(await frame(pilot))

        await walk(pilot, take)
        app = pilot.app
        assert isinstance(app, RecordedApp)
    return taken, app


def person(words: str) -> Character:
    """Return somebody whose every word is these."""
    given = {name: Untrusted(words) for name in ("name", "username", "description", "gender", "category")}
    return Character(id=str(zlib.crc32(words.encode())), age=30, **given)


def gated(one: Character) -> Character:
    """Return the same person with every word already gated."""
    words = Untrusted(shown(one.name))
    return msgspec.structs.replace(one, name=words, username=words, description=words, gender=words, category=words)


def cast(count: int) -> tuple[list[Job], list[Character]]:
    """Return hostile jobs and hostile people."""
    words = pieces()
    # Half a surrogate pair is no text that a file can hold: the history's own test has them.
    chosen = [each.encode("utf-8", "replace").decode() for each in words[:: len(words) // count]]
    return [job_of(each, number) for number, each in enumerate(chosen)], [person(each) for each in chosen[:50]]
