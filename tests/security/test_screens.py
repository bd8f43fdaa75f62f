"""Hostile words on every screen: the bytes of each frame are those of the twin whose words were neutralised first."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from textual.events import Paste
from textual.pilot import Pilot
from textual.widgets import Input

from eternal_tui.api.models import Character
from eternal_tui.config import Settings
from eternal_tui.core.sanitize import Untrusted, say, shown
from eternal_tui.jobs.model import Job
from eternal_tui.tui.detail.text import describe
from eternal_tui.tui.notifications import Announcer, sentence, summary
from eternal_tui.tui.screens.main import WorkbenchScreen
from eternal_tui.tui.screens.viewer import Viewer
from eternal_tui.tui.terminal.escape_codes import notification, title
from tests.payloads import markup_strings
from tests.security.drawn import RecordedApp, clickable, press, still, unsafe_bytes
from tests.security.hostile import LONGEST, job_of, packs, payloads, pieces, twin_of, unsafe
from tests.security.in_the_app import STYLE, Size, Walk, cast, frames, gated, person, running

TALL, LONG, SMALL, WIDE = (110, 200), (110, 75), (100, 30), (420, 16)


async def through_all_jobs(pilot: Pilot[None], take: Callable[[], Awaitable[None]]) -> None:
    """From the newest job to the oldest, the detail of one on each page; the same as tiles, and jump mode over them."""
    await press(pilot, "G", "g")
    await take()
    await to_the_end(pilot, take)
    await press(pilot, "g", "z", "v")
    await take()
    await to_the_end(pilot, take)
    await press(pilot, "ctrl+o")
    await take()


async def to_the_end(pilot: Pilot[None], take: Callable[[], Awaitable[None]]) -> None:
    screen = pilot.app.screen
    assert isinstance(screen, WorkbenchScreen)
    before: int | None = 0
    while screen.job_pane.jobs.current != before:
        before = screen.job_pane.jobs.current
        await press(pilot, "pagedown")
        await take()


async def through_the_screens(pilot: Pilot[None], take: Callable[[], Awaitable[None]]) -> None:
    """Over one job: the viewer, copying, its note, saving; help, a filter, the palette, and four jobs side by side."""
    for opening in ("enter", "y", "N", "s"):
        await press(pilot, opening)
        await take()
        await press(pilot, "escape")
    await press(pilot, "f1")
    await take()
    await press(pilot, "escape", *"/a", "enter")
    await take()
    await press(pilot, "escape", "escape", "ctrl+p", *"job ")
    await take()
    await press(pilot, "escape", "escape", "space", "j", "space", "j", "space", "j", "space", "c")
    assert isinstance(pilot.app.screen, Viewer)
    await take()


GROUP = 20
"""Jobs, characters and presets that the palette offers of each kind."""


def through_the_palette(share: int) -> Walk:
    """Return a walk that finds one group in `share`: its jobs, characters and presets at once."""

    async def walk(pilot: Pilot[None], take: Callable[[], Awaitable[None]]) -> None:
        await press(pilot, "ctrl+p")
        palette = pilot.app.screen
        for group in range(0, 1_000 // GROUP, share):
            palette.query_one(Input).value = f"g{group}z"
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
    taken = await compared(tmp_path, jobs, people, through_the_palette(share), LONG, every_frame=share == 1)
    assert len(taken) == 50 // share
    for group, frame in zip(range(0, 50, share), taken, strict=True):
        seen = " ".join(STYLE.sub("", frame).split())
        assert seen.count(f"g{group}z") >= 2 * GROUP + 1, seen


async def compared(
    folder: Path, jobs: list[Job], people: list[Character], walk: Walk, size: Size, *, every_frame: bool
) -> list[str]:
    """Return the frames of a walk, once they were found to be those of the twin, and all between them calm."""
    taken, written = await frames(folder / "a", jobs, walk, people, size, every_frame=every_frame)
    twins = [twin_of(job) for job in jobs], walk, [gated(one) for one in people], size
    expected, _ = await frames(folder / "b", *twins, every_frame=every_frame)
    assert [at for at, (one, other) in enumerate(zip(taken, expected, strict=True)) if one != other] == []
    assert unsafe_bytes(written) == []
    return taken


@pytest.mark.parametrize(
    ("walk", "count", "every_frame"),
    [
        (through_all_jobs, 250, False),
        (through_the_screens, 60, False),
        pytest.param(through_all_jobs, 1_000, True, marks=pytest.mark.long),
        pytest.param(through_the_screens, 60, True, marks=pytest.mark.long),
    ],
)
async def test_every_screen_is_that_of_the_neutralised_twin(
    tmp_path: Path, walk: Walk, count: int, every_frame: bool
) -> None:
    """As many payloads, each in every field of a job; the small screens have a test of their own beside this.

    In a long run the frames that the app draws on its way are looked through too. Seen to fail with the prompt of a
    row, and with that of a job in the palette, left ungated.
    """
    jobs, people = cast(count)
    size = TALL if walk is through_all_jobs else SMALL
    taken = await compared(tmp_path, jobs, people, walk, size, every_frame=every_frame)
    assert len(set(taken)) > 7
    seen = " ".join(STYLE.sub("", "".join(taken)).split())
    if walk is through_all_jobs:
        # Once as a row and once as a tile.
        flat = [" ".join(shown(job.request.prompt).split())[:8].strip() for job in jobs]
        assert [each for each in flat if seen.count(each) < 2] == []


@pytest.mark.parametrize("share", [10, pytest.param(1, marks=pytest.mark.long)])
async def test_what_is_pasted_into_any_line_is_shown_as_signs(tmp_path: Path, share: int) -> None:
    """Into the filter and the palette: drawn as if the signs themselves had been pasted.

    Seen to fail in the filter and in the palette, lines of Textual's own, which showed pasted ESC and C1 raw.
    """
    async with running(tmp_path, [job_of("x")], [], WIDE, every_frame=share == 1) as pilot:
        app = pilot.app
        assert isinstance(app, RecordedApp)
        for keys, longest in ((("z", "/"), 380), (("escape", "ctrl+p"), 60)):
            await press(pilot, *keys)
            for packed in packs(longest)[:: share * 380 // longest]:
                # A line ends where a line break is pasted.
                text = re.sub("[\r\n]", "", packed)
                taken = []
                for pasted in (text, shown(text)):
                    app.post_message(Paste(pasted))
                    # What the words lead to is told when a search has ended, by the clock.
                    taken.append([row for row in await still(pilot) if "|" in row])
                    line = app.focused
                    assert isinstance(line, Input)
                    assert line.value == shown(text)
                    line.value = ""
                    await still(pilot)
                assert taken[0] == taken[1] != []
    assert unsafe_bytes(app) == []


def announced(jobs: list[Job], environ: dict[str, str]) -> list[str]:
    """Return what an announcer writes to a terminal nobody looks at, and its toast, of each of these jobs."""
    written: list[str] = []
    announcer = Announcer(
        Settings(),
        environ,
        toast=lambda text, severity: written.append(f"{severity}: {text}"),
        write=written.append,
        focused=lambda: False,
        goes_on=lambda _: False,
    )
    for job in jobs:
        announcer._ended = [job]
        announcer._tell()
    return written


@pytest.mark.parametrize("environ", [{}, {"TMUX": "x"}, {"TERM": "screen"}], ids=str)
def test_what_is_announced_of_a_job_is_said_of_its_twin(environ: dict[str, str]) -> None:
    """A thousand jobs: toast, OSC 9 and 777 in whatever envelope, bell. Seen to fail with the reason as it came."""
    jobs = [job_of(words, number) for number, words in enumerate(pieces())]
    told, expected = announced(jobs, environ), announced([twin_of(job) for job in jobs], environ)
    assert told == expected
    assert len(told) == 3_000


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


@pytest.mark.parametrize("share", [5, pytest.param(1, marks=pytest.mark.long)])
async def test_markup_is_shown_as_it_is_written(tmp_path: Path, share: int) -> None:
    """Five hundred texts of tags, links and actions: literally on the screen, with nothing behind them to click.

    In list and detail, and in the palette as names of jobs and characters, of which an ordinary run finds one group of
    twenty in five. Seen to fail with the words of the detail given to the widget as a string, whose markup it read; and
    with the palette's title made of markup.
    """
    words = [each.replace("\n", " ").replace("\x1b", "") for each in markup_strings()]
    named = [f"g{number // GROUP}z|{each}" for number, each in enumerate(words)]
    jobs = [
        job_of(each[:LONGEST], number, name=Untrusted(name))
        for number, (each, name) in enumerate(zip(words, named, strict=True))
    ]
    seen = ""
    behind: list[object] = []
    async with running(tmp_path, jobs, [person(name) for name in named], TALL, every_frame=False) as pilot:
        before: int | None = 0
        while pilot.app.screen.job_pane.jobs.current != before:  # type: ignore[attr-defined]
            before = pilot.app.screen.job_pane.jobs.current  # type: ignore[attr-defined]
            await still(pilot)
            seen += strips(pilot)
            behind += clickable(pilot)
            await press(pilot, "pagedown")
        assert before == 1
        await press(pilot, "ctrl+p")
        for group in range(0, len(words) // GROUP, share):
            pilot.app.screen.query_one(Input).value = f"g{group}z"
            await still(pilot)
            found = "".join(strips(pilot).split())
            behind += clickable(pilot)
            of_it = ["".join(each.split())[:30] for each in named[group * GROUP :][:GROUP]]
            assert [each for each in of_it if found.count(each) < 2] == []
    assert behind == []
    flat = [" ".join(job.request.prompt.split())[:10].strip() for job in jobs]
    assert len(words) == 500
    assert [each for each in flat if each not in seen] == []


def strips(pilot: Pilot[None]) -> str:
    """Return the words on the screen, line by line."""
    lines = (strip.text for strip in pilot.app.screen._compositor.render_strips())
    return "".join(re.sub(r"[\s│]+", " ", line) + "\n" for line in lines)
