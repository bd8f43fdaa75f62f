"""A batch as one line, at every width."""

from __future__ import annotations

from typing import Any

import pytest

from eternal_tui.core.sanitize import UntrustedText
from eternal_tui.jobs.model import FileState, Job, JobState
from eternal_tui.tui.job_list.row import batch_line, columns_for
from eternal_tui.tui.terminal.glyphs import ASCII, UNICODE
from tests.tui.jobs import charged, make_job


def make_batch() -> list[Job]:
    """Return twenty jobs: twelve done, one failed, one unclear, six half way."""
    done = {"state": JobState.SUCCEEDED, "file_state": FileState.SAVED}
    kinds: list[dict[str, Any]] = [*[done] * 12, {"state": JobState.FAILED}, {"state": JobState.UNCONFIRMED}]
    kinds += [{"state": JobState.RUNNING, "progress": 50}] * 6
    return [make_job(20 - number, batch="b", **{**charged(0.02), **fields}) for number, fields in enumerate(kinds)]


def line_text(width: int, jobs: list[Job] | None = None, *, opened: bool = False, ascii_only: bool = False) -> str:
    glyphs = ASCII if ascii_only else UNICODE
    return "".join(
        cell.text for cell in batch_line(jobs or make_batch(), columns_for(width), opened=opened, glyphs=glyphs)
    )


def test_it_says_how_far_the_batch_is_and_what_it_costs() -> None:
    line = line_text(120)
    assert "▸ 20 jobs" in line
    assert "12/20 done · 1 unconfirmed · 1 failed" in line
    assert "~0.28" in line_text(120, make_batch()[:14])
    assert line_text(120, make_batch()[:2]).endswith("−0.04 ")
    queued = [make_job(number, batch="b", state=JobState.QUEUED) for number in (2, 1)]
    assert "0/2 done · 2 queued" in line_text(120, queued)
    assert "85 %" in line
    assert "▾ 20 jobs" in line_text(120, opened=True)


@pytest.mark.parametrize("width", [20, 34, 46, 60, 80, 100, 140, 200])
def test_it_fills_every_width_and_the_count_is_never_lost(width: int) -> None:
    """What waits for a person comes before what is over.

    Seen to fail with the prompt before the figures: at 60 columns the count was cut off; and with what failed before
    what is to be decided, which 80 columns then had no room for.
    """
    for opened in (False, True):
        line = batch_line(make_batch(), columns_for(width), opened=opened)
        assert sum(cell.width for cell in line) == width
        assert all(len(cell.text) == cell.width for cell in line)
    if width >= 34:
        assert "12/20 d" in line_text(width)
    if width >= 80:
        assert "The person" in line_text(width)
        assert "1 unconfirmed" in line_text(width)


def test_several_characters_and_types_are_said_as_such() -> None:
    jobs = [make_job(2, name=UntrustedText("Elara"), kind="video"), make_job(1)]
    line = line_text(120, jobs)
    assert "mixed" in line
    assert "2 chars" in line


def test_outside_text_reaches_no_screen_raw_and_ascii_stays_ascii() -> None:
    jobs = [make_job(1, prompt="\x1b]52;c;x\x07 \u202e caf\u00e9", name=UntrustedText("\x1b[31mred"))]
    assert not any(sign in line_text(120, jobs) for sign in "\x1b\x07\u202e")
    assert line_text(120, jobs, ascii_only=True).isascii()
