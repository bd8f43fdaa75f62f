"""Hostile words on every screen: the bytes of each frame are those of the twin whose words were sanitized first."""

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
from eternal_tui.config.settings import Settings
from eternal_tui.core.sanitize import UntrustedText, sanitize
from eternal_tui.jobs.model import Job
from eternal_tui.tui.detail import render_detail
from eternal_tui.tui.notifications import Notifier
from eternal_tui.tui.screens.main import MainScreen
from tests.drawn import screen_strips
from tests.payloads import make_markup_strings
from tests.security.drawn import RecordingEternalApp, capture_rows, find_click_targets, press_keys, unsafe_bytes
from tests.security.hostile import (
    MAX_PIECE_CHARS,
    find_unsafe_lines,
    hostile_job,
    make_payloads,
    pack_payloads,
    payload_pieces,
    sanitized_twin,
)
from tests.security.in_the_app import (
    STYLE_PATTERN,
    Size,
    Walk,
    capture_frames,
    hostile_character,
    hostile_data,
    run_app,
    sanitized_character,
)

TALL_SIZE, LONG_SIZE, WIDE_SIZE = (110, 200), (110, 75), (420, 16)


async def walk_all_jobs(pilot: Pilot[None], take: Callable[[], Awaitable[None]]) -> None:
    """From the newest job to the oldest, the detail of one on each page; the same as tiles, and jump mode over them."""
    await press_keys(pilot, "G", "g")
    await take()
    await page_to_end(pilot, take)
    await press_keys(pilot, "g", "z", "v")
    await take()
    await page_to_end(pilot, take)
    await press_keys(pilot, "ctrl+o")
    await take()


async def page_to_end(pilot: Pilot[None], take: Callable[[], Awaitable[None]]) -> None:
    screen = pilot.app.screen
    assert isinstance(screen, MainScreen)
    before: int | None = 0
    while screen.job_pane.job_list.current_id != before:
        before = screen.job_pane.job_list.current_id
        await press_keys(pilot, "pagedown")
        await take()


GROUP_SIZE = 20
"""Jobs, characters and presets that the palette offers of each kind."""


SAMPLE_STEP = 10
"""One group in so many is looked for."""


async def walk_palette(pilot: Pilot[None], take: Callable[[], Awaitable[None]]) -> None:
    """Find groups of jobs, characters and presets."""
    await press_keys(pilot, "ctrl+p")
    for group in range(0, 1_000 // GROUP_SIZE, SAMPLE_STEP):
        pilot.app.screen.query_one(Input).value = f"g{group}z"
        await take()


async def test_the_palette_is_that_of_the_sanitized_twin(tmp_path: Path) -> None:
    """A thousand payloads as the names of jobs, prompts, characters with their stories, and presets."""
    words = [each.encode("utf-8", "replace").decode() for each in payload_pieces()]
    named = [f"g{number // GROUP_SIZE}z|{each}" for number, each in enumerate(words)]
    jobs = [
        hostile_job(each, number, name=UntrustedText(name))
        for number, (each, name) in enumerate(zip(words, named, strict=True))
    ]
    people = [hostile_character(name) for name in named]
    taken = await capture_and_compare_twins(tmp_path, jobs, people, walk_palette, LONG_SIZE)
    for group, frame in zip(range(0, 50, SAMPLE_STEP), taken, strict=True):
        seen = " ".join(STYLE_PATTERN.sub("", frame).split())
        assert seen.count(f"g{group}z") >= 2 * GROUP_SIZE + 1, seen


async def capture_and_compare_twins(
    folder: Path, jobs: list[Job], people: list[Character], walk: Walk, size: Size
) -> list[str]:
    """Return the frames of a walk, once they equal those of the twin and no unsafe byte was written."""
    taken, written = await capture_frames(folder / "a", jobs, walk, people, size)
    twins = [sanitized_twin(job) for job in jobs], walk, [sanitized_character(one) for one in people], size
    expected, _ = await capture_frames(folder / "b", *twins)
    assert [at for at, (one, other) in enumerate(zip(taken, expected, strict=True)) if one != other] == []
    assert unsafe_bytes(written) == []
    return taken


async def test_list_tiles_and_detail_are_those_of_the_sanitized_twin(tmp_path: Path) -> None:
    """250 payloads, each in every field of a job; the small screens have a test of their own."""
    jobs, people = hostile_data(250)
    taken = await capture_and_compare_twins(tmp_path, jobs, people, walk_all_jobs, TALL_SIZE)
    assert len(set(taken)) > 7
    seen = " ".join(STYLE_PATTERN.sub("", "".join(taken)).split())
    # Once as a row and once as a tile.
    flat = [" ".join(sanitize(job.request.prompt).split())[:8].strip() for job in jobs]
    assert [each for each in flat if seen.count(each) < 2] == []


async def test_what_is_pasted_into_any_line_is_shown_as_signs(tmp_path: Path) -> None:
    """Into the filter and the palette: drawn as if the signs themselves had been pasted."""
    async with run_app(tmp_path, [hostile_job("x")], [], WIDE_SIZE) as pilot:
        app = pilot.app
        assert isinstance(app, RecordingEternalApp)
        for keys, longest in ((("z", "/"), 380), (("escape", "ctrl+p"), 60)):
            await press_keys(pilot, *keys)
            for packed in pack_payloads(longest)[:: 3_800 // longest]:
                # A line ends where a line break is pasted.
                text = re.sub("[\r\n]", "", packed)
                taken = []
                for pasted in (text, sanitize(text)):
                    app.post_message(Paste(pasted))
                    # What the words lead to is told when a search has ended, by the clock.
                    taken.append([row for row in await capture_rows(pilot) if "|" in row])
                    line = app.focused
                    assert isinstance(line, Input)
                    assert line.value == sanitize(text)
                    line.value = ""
                    await capture_rows(pilot)
                assert taken[0] == taken[1] != []
    assert unsafe_bytes(app) == []


def notification_outputs(jobs: list[Job], environ: dict[str, str]) -> list[str]:
    """Return what is written to a terminal without the focus, and the toast, of each of these jobs."""
    written: list[str] = []
    announcer = Notifier(
        Settings(),
        environ,
        show_toast=lambda text, severity: written.append(f"{severity}: {text}"),
        write=written.append,
        has_focus=lambda: False,
        is_batch_active=lambda _: False,
    )
    for job in jobs:
        announcer.notify_soon(job)
        announcer.notify_now()
    return written


@pytest.mark.parametrize("environ", [{}, {"TMUX": "x"}, {"TERM": "screen"}], ids=str)
async def test_what_is_announced_of_a_job_is_said_of_its_twin(environ: dict[str, str]) -> None:
    """A thousand jobs: toast, OSC 9 and 777 in whatever envelope, bell."""
    jobs = [hostile_job(words, number) for number, words in enumerate(payload_pieces())]
    told, expected = (
        notification_outputs(jobs, environ),
        notification_outputs([sanitized_twin(job) for job in jobs], environ),
    )
    assert told == expected
    assert len(told) == 3_000


def test_the_detail_of_a_job_is_calm_whatever_it_holds() -> None:
    for number, words in enumerate(make_payloads(1_200)):
        answers = {"submit_answer": words, "last_answer": json.dumps({words[:99]: [words[:99]]}, ensure_ascii=False)}
        content = render_detail(hostile_job(words[:300], number), answers, width=60)
        assert find_unsafe_lines(content.plain) == []
        assert not [span.style for span in content.spans if "@" in str(span.style) or "link" in str(span.style)]


async def test_markup_is_shown_as_it_is_written(tmp_path: Path) -> None:
    """Tags, links and actions in list and detail: literally, with nothing behind them to click."""
    words = [each.replace("\n", " ").replace("\x1b", "") for each in make_markup_strings()]
    jobs = [hostile_job(each[:MAX_PIECE_CHARS], number) for number, each in enumerate(words)]
    seen = ""
    async with run_app(tmp_path, jobs, [], TALL_SIZE) as pilot:
        screen = pilot.app.screen
        assert isinstance(screen, MainScreen)
        before: int | None = 0
        while screen.job_pane.job_list.current_id != before:
            before = screen.job_pane.job_list.current_id
            await capture_rows(pilot)
            seen += screen_text(pilot)
            assert find_click_targets(pilot) == []
            await press_keys(pilot, "pagedown")
        assert before == 1
    flat = [" ".join(job.request.prompt.split())[:10].strip() for job in jobs]
    assert [each for each in flat if each not in seen] == []


def screen_text(pilot: Pilot[None]) -> str:
    """Return the words on the screen, line by line."""
    lines = (strip.text for strip in screen_strips(pilot.app.screen))
    return "".join(re.sub(r"[\s│]+", " ", line) + "\n" for line in lines)
