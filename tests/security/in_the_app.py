"""The whole app over a hostile history, frame by frame, and over its sanitized twin."""

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
from eternal_tui.core.sanitize import UntrustedText, sanitize
from eternal_tui.drafts.draft import Draft
from eternal_tui.drafts.stores import Preset, Presets, PresetStore
from eternal_tui.history.history import History
from eternal_tui.jobs.model import Job, to_record
from eternal_tui.tui.graphics.base import NullGraphics
from eternal_tui.tui.refresh import schedule_on_loop
from eternal_tui.tui.screens.main import MainScreen
from tests.security.drawn import RecordingEternalApp, capture_rows
from tests.security.hostile import hostile_job, payload_pieces
from tests.tui.screens.stage import ENVIRON, ENVIRON_WITH_KEY, make_services, wait_until

_REQUEST_BOX_PATTERN = re.compile(r"│ Request\s+│")
_ESCAPED_ROW_PATTERN = re.compile("curl command|Python, httpx|JSON body")
STYLE_PATTERN = re.compile(r"\x1b\[[0-9;:?]*[A-Za-z]")

Size = tuple[int, int]
Walk = Callable[[Pilot[None], Callable[[], Awaitable[None]]], Awaitable[None]]


class FrozenClock:
    """A clock on which no second passes, so that two runs draw the same; only key presses take time."""

    def __init__(self) -> None:
        self.ticks = 1e9

    def time(self) -> float:
        return 1_700_009_999.0

    def monotonic(self) -> float:
        self.ticks += 1.0
        return self.ticks


@asynccontextmanager
async def run_app(folder: Path, jobs: list[Job], characters: list[Character], size: Size) -> AsyncIterator[Pilot[None]]:
    """Run the app over these jobs, characters, and presets named after the first of the jobs."""
    history = History.open(folder / "data")
    history.add_many([to_record(job) for job in jobs])
    history.close(compact=True)
    bench = make_services(folder, ENVIRON_WITH_KEY)
    PresetStore(folder / "data").save(
        Presets(items=tuple(Preset(name=job.name, draft=Draft(prompt=job.name)) for job in jobs[:20]))
    )
    clock = FrozenClock()
    bench.clock.time = clock.time  # type: ignore[method-assign]
    bench.characters.replace_all(characters, clock.time())
    app = RecordingEternalApp(bench, NullGraphics(), ENVIRON)
    async with app.run_test(size=size, notifications=False) as pilot:
        await wait_until(pilot, lambda: bench.jobs.store.is_fully_loaded)
        await app.workers.wait_for_complete()
        assert isinstance(app.screen, MainScreen)
        app.screen._detail_debouncer._monotonic = clock.monotonic
        app.screen._detail_debouncer._schedule = lambda _, act: schedule_on_loop(0.0, act)
        # The beat that draws what was loaded: it would come before the first frame of one run, and after it in another.
        drawn = asyncio.Event()
        timer = app.screen.refresh_timer
        draw = timer._draw

        def draw_and_tell(changed: frozenset[int]) -> None:
            draw(changed)
            drawn.set()

        timer._draw = draw_and_tell
        timer.mark_changed()
        await drawn.wait()
        yield pilot


async def capture_frame(pilot: Pilot[None]) -> str:
    """Return the whole screen as the driver is given it, once it is drawn."""
    lines, quoting = [], False
    for line in await capture_rows(pilot):
        text = STYLE_PATTERN.sub("", line)
        # What was sent is quoted as JSON, whose own escapes the twin has no need of.
        quoting = (quoting or _REQUEST_BOX_PATTERN.match(text) is not None) and not text.startswith("╰")
        lines.append("" if quoting or _ESCAPED_ROW_PATTERN.search(text) else line)
    return "\n".join(lines)


async def capture_frames(
    folder: Path, jobs: list[Job], walk: Walk, characters: list[Character], size: Size
) -> tuple[list[str], RecordingEternalApp]:
    """Return the frames that a walk takes, and the app with all it was given to write."""
    taken: list[str] = []
    async with run_app(folder, jobs, characters, size) as pilot:

        async def take() -> None:
            taken.append(await capture_frame(pilot))

        await walk(pilot, take)
        app = pilot.app
        assert isinstance(app, RecordingEternalApp)
    return taken, app


def hostile_character(text: str) -> Character:
    """Return a character all of whose texts are this one."""
    given = {name: UntrustedText(text) for name in ("name", "username", "description", "gender", "category")}
    return Character(id=str(zlib.crc32(text.encode())), age=30, **given)  # type: ignore[arg-type]


def sanitized_character(one: Character) -> Character:
    """Return the same character with every text sanitized."""
    words = UntrustedText(sanitize(one.name))
    return msgspec.structs.replace(one, name=words, username=words, description=words, gender=words, category=words)


def hostile_data(count: int) -> tuple[list[Job], list[Character]]:
    """Return hostile jobs and characters."""
    words = payload_pieces()
    # Half a surrogate pair is no text that a file can hold: the history's own test has them.
    chosen = [each.encode("utf-8", "replace").decode() for each in words[:: len(words) // count]]
    return [hostile_job(each, number) for number, each in enumerate(chosen)], [
        hostile_character(each) for each in chosen[:50]
    ]
