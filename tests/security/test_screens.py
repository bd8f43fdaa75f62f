"""Hostile words on every screen: the bytes of each frame are those of the twin whose words were neutralised first."""

from __future__ import annotations

import asyncio
import json
import re
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest
from textual.events import Paste
from textual.pilot import Pilot
from textual.widgets import Input

from eternal_tui.api.answers import Character
from eternal_tui.history.history import History
from eternal_tui.jobs.drafts.draft import Draft
from eternal_tui.jobs.drafts.presets import Preset, Presets, PresetStore
from eternal_tui.jobs.job import Job, to_record
from eternal_tui.tui.announcer import sentence, summary
from eternal_tui.tui.detail_text import describe
from eternal_tui.tui.graphics.off import NoGraphics
from eternal_tui.tui.terminal_words import notification, title
from eternal_tui.tui.workbench_screen import WorkbenchScreen
from eternal_tui.untrusted import Untrusted, say, shown
from tests.payloads import markup_strings
from tests.security.drawn import RecordedApp, still, unsafe_bytes
from tests.security.hostile import LONGEST, job_of, packs, payloads, pieces, twin_of, unsafe
from tests.tui.screens.stage import ENVIRON, KEYED, bench_in

TALL, SMALL = (110, 200), (100, 30)

_QUOTED = re.compile(r"│ Request\s+│")
_ESCAPED = re.compile("curl command|Python, httpx|JSON body")
_STYLE = re.compile(r"\x1b\[[0-9;:?]*[A-Za-z]")


class Standing:
    """A clock on which no second passes, so that two runs draw the same; only a hand on the keys takes its time."""

    def __init__(self) -> None:
        self.looks = 1e9

    def time(self) -> float:
        return 1_700_009_999.0

    def hand(self) -> float:
        self.looks += 1.0
        return self.looks


Walk = Callable[[Pilot[None], Callable[[], Awaitable[None]]], Awaitable[None]]


@asynccontextmanager
async def running(folder: Path, jobs: list[Job], characters: list[Character]) -> AsyncIterator[Pilot[None]]:
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
    async with app.run_test(size=TALL if len(jobs) > 60 else SMALL, notifications=False) as pilot:
        while not bench.desk.loaded:
            await pilot.pause()
        await app.workers.wait_for_complete()
        assert isinstance(app.screen, WorkbenchScreen)
        app.screen._at_rest._monotonic = clock.hand
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
        text = _STYLE.sub("", line)
        # What was sent is quoted as JSON, whose own escapes the twin has no need of.
        quoting = (quoting or _QUOTED.match(text) is not None) and not text.startswith("╰")
        lines.append("" if quoting or _ESCAPED.search(text) else line)
    return "\n".join(lines)


async def frames(
    folder: Path, jobs: list[Job], walk: Walk, characters: list[Character]
) -> tuple[list[str], RecordedApp]:
    taken: list[str] = []
    async with running(folder, jobs, characters) as pilot:

        async def take() -> None:
            taken.append(await frame(pilot))

        await walk(pilot, take)
        app = pilot.app
        assert isinstance(app, RecordedApp)
    return taken, app


def person(words: str) -> Character:
    given = {name: Untrusted(words) for name in ("name", "username", "description", "gender", "category")}
    return Character(id=str(zlib.crc32(words.encode())), age=30, **given)


def gated(one: Character) -> Character:
    words = Untrusted(shown(one.name))
    return msgspec.structs.replace(one, name=words, username=words, description=words, gender=words, category=words)


async def through_the_list(pilot: Pilot[None], take: Callable[[], Awaitable[None]]) -> None:
    """From the newest job to the oldest, the detail of one on each page."""
    await pilot.press("G", "g")
    await take()
    await to_the_end(pilot, take)


async def through_the_gallery(pilot: Pilot[None], take: Callable[[], Awaitable[None]]) -> None:
    """The same as tiles, and jump mode over them."""
    await pilot.press("v")
    await to_the_end(pilot, take)
    await pilot.press("ctrl+o")
    await take()


async def to_the_end(pilot: Pilot[None], take: Callable[[], Awaitable[None]]) -> None:
    screen = pilot.app.screen
    assert isinstance(screen, WorkbenchScreen)
    before: int | None = 0
    while screen.job_pane.jobs.current != before:
        before = screen.job_pane.jobs.current
        await pilot.press("pagedown")
        await take()


async def through_the_screens(pilot: Pilot[None], take: Callable[[], Awaitable[None]]) -> None:
    for opening in ("enter", "y", "N", "s"):
        await pilot.press(opening)
        await take()
        await pilot.press("escape")
        await still(pilot)
    await pilot.press("f1")
    await take()
    await pilot.press("escape", "slash", "a", "enter")
    await take()
    await pilot.press("escape", "escape", "ctrl+p", *"job ")
    await take()
    await pilot.press("escape")


GROUP = 20
"""Jobs, characters and presets that the palette offers of each kind."""


def through_the_palette(share: int) -> Walk:
    """Return a walk that finds one group in `share`: its jobs, characters and presets at once."""

    async def walk(pilot: Pilot[None], take: Callable[[], Awaitable[None]]) -> None:
        await pilot.press("ctrl+p")
        palette = pilot.app.screen
        for group in range(0, 1_000 // GROUP, share):
            palette.query_one(Input).value = f"g{group}z"
            await pilot._wait_for_screen()
            while any(not each.is_finished for each in pilot.app.workers if each.node is palette):
                await pilot.pause()
            await take()

    return walk


@pytest.mark.parametrize("share", [10, pytest.param(1, marks=pytest.mark.long)])
async def test_the_palette_is_that_of_the_neutralised_twin(tmp_path: Path, share: int) -> None:
    """A thousand payloads as the names of jobs, prompts, characters with their stories, and presets.

    One group in ten in an ordinary run. Seen to fail with the title put there ungated.
    """
    words = [each.encode("utf-8", "replace").decode() for each in pieces()]
    named = [f"g{number // GROUP}z|{each}" for number, each in enumerate(words)]
    jobs = [
        job_of(each, number, name=Untrusted(name)) for number, (each, name) in enumerate(zip(words, named, strict=True))
    ]
    people = [person(name) for name in named]
    walk = through_the_palette(share)
    taken, written = await frames(tmp_path / "a", jobs, walk, people)
    expected, _ = await frames(tmp_path / "b", [twin_of(job) for job in jobs], walk, [gated(one) for one in people])
    assert len(taken) == 50 // share
    assert [at for at, (one, other) in enumerate(zip(taken, expected, strict=True)) if one != other] == []
    for group, frame in zip(range(0, 50, share), taken, strict=True):
        seen = " ".join(_STYLE.sub("", frame).split())
        assert seen.count(f"g{group}z") >= 2 * GROUP + 1, seen
    assert unsafe_bytes(written) == []


async def through_the_form(pilot: Pilot[None], take: Callable[[], Awaitable[None]]) -> None:
    """The form takes in words cleaned, where a screen shows signs for them: its frames are calm, but no twin's."""
    for _ in range(3):
        await pilot.press("2", "down", "e")
        await take()
        await pilot.press("ctrl+r", "down", "enter")
        await take()
        await pilot.press("ctrl+t", "down", "enter")
        await take()


@pytest.mark.parametrize(
    ("walk", "count"),
    [
        (through_the_list, 1_000),
        (through_the_gallery, 250),
        pytest.param(through_the_gallery, 1_000, marks=pytest.mark.long),
        (through_the_screens, 60),
    ],
)
async def test_every_screen_is_that_of_the_neutralised_twin(tmp_path: Path, walk: Walk, count: int) -> None:
    """As many payloads, each in every field of a job; the small screens have a test of their own beside this.

    Seen to fail with the prompt of a row, and with that of a job in the palette, left ungated.
    """
    jobs, people = cast(count)
    taken, written = await frames(tmp_path / "a", jobs, walk, people)
    expected, _ = await frames(tmp_path / "b", [twin_of(job) for job in jobs], walk, [gated(one) for one in people])
    assert len(taken) > 4
    assert [at for at, (one, other) in enumerate(zip(taken, expected, strict=True)) if one != other] == []
    assert unsafe_bytes(written) == []


async def test_the_form_is_calm(tmp_path: Path) -> None:
    """Seen to fail with a preset's name written into its row as it stood in the file."""
    jobs, people = cast(60)
    taken, written = await frames(tmp_path, jobs, through_the_form, people)
    assert len(set(taken)) > 3
    assert unsafe_bytes(written) == []


async def test_what_is_pasted_into_any_line_is_shown_as_signs(tmp_path: Path) -> None:
    """Seen to fail in the filter and in the palette, lines of Textual's own, which showed pasted ESC and C1 raw."""
    texts = packs(380)
    async with running(tmp_path, [job_of("x", 1)], []) as pilot:
        app = pilot.app
        assert isinstance(app, RecordedApp)
        for keys in (("slash",), ("escape", "ctrl+p"), ("escape", "ctrl+n")):
            await pilot.press(*keys)
            for text in texts[::4]:
                app.post_message(Paste(text))
                await still(pilot)
    assert unsafe_bytes(app) == []


def test_titles_notifications_and_toasts_hold_one_line_of_calm_words() -> None:
    """Seen to fail with the error put into OSC 9 as the service worded it: it closed the sequence and began its own."""
    for number, words in enumerate(payloads(1_200)):
        job = job_of(words, number)
        told, _ = summary([job, job_of(words, number + 1)])
        for text in (sentence(job), told):
            assert unsafe(text) == []
            assert "\n" not in text
            for environ in ({}, {"TMUX": "x"}):
                wrapped = notification(text, environ)
                assert wrapped.count("\x07") == 2
                assert unsafe(re.sub("\x1bPtmux;|\x1b|\\\\|\x07", "", wrapped)) == []
        assert re.fullmatch("\x1b\\]2;[^\x00-\x1f\x7f-\x9f]*\x07", title(say("{words}", words=words)))


def test_the_detail_of_a_job_is_calm_whatever_it_holds() -> None:
    """Seen to fail with the request quoted as JSON without the gate: JSON leaves C1 and direction signs alone."""
    for number, words in enumerate(payloads(1_200)):
        answers = {"submit_answer": words, "last_answer": json.dumps({words[:99]: [words[:99]]}, ensure_ascii=False)}
        content = describe(job_of(words[:300], number), answers, width=60)
        assert unsafe(content.plain) == []
        assert not [span.style for span in content.spans if "@" in str(span.style) or "link" in str(span.style)]


def cast(count: int) -> tuple[list[Job], list[Character]]:
    """Return hostile jobs and hostile people."""
    words = pieces()
    # Half a surrogate pair is no text that a file can hold: the history's own test has them.
    chosen = [each.encode("utf-8", "replace").decode() for each in words[:: len(words) // count]]
    return [job_of(each, number) for number, each in enumerate(chosen)], [person(each) for each in chosen[:50]]


async def test_markup_is_shown_as_it_is_written(tmp_path: Path) -> None:
    """Five hundred texts of tags, links and actions: literally on the screen, with nothing behind them to click.

    Seen to fail with the words of the detail given to the widget as a string, whose markup it read.
    """
    words = [each.replace("\n", " ").replace("\x1b", "") for each in markup_strings()]
    jobs = [job_of(each[:LONGEST], number) for number, each in enumerate(words)]
    seen = ""
    behind: list[object] = []
    async with running(tmp_path, jobs, []) as pilot:
        for _ in range(14):
            await still(pilot)
            for strip in pilot.app.screen._compositor.render_strips():
                seen += re.sub(r"[\s│]+", " ", strip.text) + "\n"
                behind += [part.style.meta for part in strip if part.style and "@click" in str(part.style.meta)]
                behind += [part.style.link for part in strip if part.style and part.style.link]
            await pilot.press("pagedown")
        assert isinstance(pilot.app.screen, WorkbenchScreen)
        assert pilot.app.screen.job_pane.jobs.current == 1
    assert behind == []
    flat = [" ".join(job.request.prompt.split())[:10].strip() for job in jobs]
    assert len(words) == 500
    assert [each for each in flat if each not in seen] == []
