"""`jobs`: what the history holds, newest first."""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from eternal_tui.cli.context import Invocation, Refused
from eternal_tui.cli.exit_codes import Exit
from eternal_tui.core.sanitize import Shown, join, say, shown

if TYPE_CHECKING:
    from eternal_tui.jobs.billing.totals import Totals
    from eternal_tui.jobs.model import Job

EPILOG = """\
examples:
  eternal-tui jobs --state unfinished
  eternal-tui jobs --state failed,lost --json
  eternal-tui jobs --search "rain coat" --limit 10
  eternal-tui jobs --json --limit 1 | jq .spent_today
  eternal-tui jobs --totals                        spent today and in all, credits left, counts, as one JSON object

Each line of --json also says spent_today and spent_in_all: about what every job of the history cost, not this one
alone, and the same on each line. Where no job matches there is no line; --totals always prints its object.

states: submitting running stalled succeeded failed rejected unconfirmed lost; also fetching saved expired broken for
the file of one that succeeded, and unfinished.
"""

ROOMY = 80
"""Columns from which a table shows when a job was made."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `jobs`."""
    parser.add_argument("--state", metavar="S", help="only jobs in this state; several with commas")
    parser.add_argument("--search", metavar="TEXT", help="only jobs whose words hold each of these")
    parser.add_argument("--limit", metavar="N", type=int, help="the newest N only")
    parser.add_argument("--json", action="store_true", help="print one JSON object a line, with what is spent in it")
    parser.add_argument("--totals", action="store_true", help="print only the totals, as one JSON object")


def run(invocation: Invocation) -> int:
    """Print the jobs asked for."""
    from eternal_tui.cli.context import jobs_of
    from eternal_tui.cli.formatting import job_fields

    given, streams = invocation.arguments, invocation.streams
    if given.limit is not None and given.limit < 1:
        raise Refused(Exit.USAGE, "--limit is a whole number from 1 on.")
    wanted = _condition(given.state, given.search)
    with invocation.history() as history:
        if given.totals:
            streams.json(_totals_fields(_Count().over(jobs_of(history))))
        elif given.json:
            totals = _Count().over(jobs_of(history)).totals()
            spent = {"spent_today": totals.spent_today, "spent_in_all": totals.spent_in_all}
            for job in _first(filter(wanted, jobs_of(history)), given.limit):
                streams.json(job_fields(job, invocation.results) | spent)
        else:
            _print_table(invocation, jobs_of(history), wanted, given.limit)
    return Exit.DONE


def _condition(states: str | None, search: str | None) -> Callable[[Job], bool]:
    from eternal_tui.cli.formatting import state_word
    from eternal_tui.jobs.model import UNFINISHED, FileState, JobState

    asked = {word.strip().lower() for word in (states or "").split(",") if word.strip()}
    known = {*map(str, JobState), *map(str, FileState), "fetching", "unfinished"}
    if unknown := sorted(asked - known):
        raise Refused(
            Exit.USAGE,
            say("There is no state {state}. States: {known}.", state=unknown[0], known=", ".join(sorted(known))),
        )
    words = (search or "").casefold().split()

    def matches(job: Job) -> bool:
        if asked and not (
            asked & {str(job.state), state_word(job), str(job.file_state or "")}
            or ("unfinished" in asked and (job.state in UNFINISHED or job.wants_file))
        ):
            return False
        return not words or all(word in _text(job) for word in words)

    return matches


def _text(job: Job) -> str:
    request = job.request
    parts = (
        request.prompt, job.name, request.character, request.type, job.request_id or "", job.error, job.note, *job.tags
    )  # fmt: skip
    return " ".join(parts).casefold()


def _first(jobs: Iterator[Job], limit: int | None) -> Iterator[Job]:
    from itertools import islice

    return jobs if limit is None else islice(jobs, limit)


class _Count:
    """Counts jobs in passing: totals, jobs by state, and the newest reading of the credits counter."""

    def __init__(self) -> None:
        from eternal_tui.jobs.billing.totals import Tally
        from eternal_tui.jobs.model import Verdict

        self._not_charged = Verdict.NOT_CHARGED
        self.states: Counter[str] = Counter()
        self.credits: float | None = None
        self.unpriced = 0
        self._tally = Tally(time.time, list)

    def add(self, job: Job) -> None:
        self._tally.replaced(None, job)
        self.states[str(job.state)] += 1
        if self.credits is None:
            self.credits = job.credits_after
        self.unpriced += job.cost is None and job.verdict is not self._not_charged

    def over(self, jobs: Iterator[Job]) -> _Count:
        for job in jobs:
            self.add(job)
        return self

    def totals(self) -> Totals:
        return self._tally.totals(self.credits)


def _totals_fields(count: _Count) -> dict[str, Any]:
    totals = count.totals()
    return {
        "spent_today": totals.spent_today,
        "spent_in_all": totals.spent_in_all,
        "credits_remaining": totals.credits,
        "jobs": count.states.total(),
        "running": totals.running,
        "waiting": totals.waiting,
        "unconfirmed": totals.unconfirmed,
        "done_today": totals.done_today,
        "failed_today": totals.failed_today,
        "states": dict(count.states),
    }


def _print_table(invocation: Invocation, jobs: Iterator[Job], wanted: Callable[[Job], bool], limit: int | None) -> None:
    streams = invocation.streams
    count = _Count()
    printed = 0
    for job in jobs:
        count.add(job)
        if wanted(job) and (limit is None or printed < limit):
            if not printed and streams.width is not None:
                streams.line(_row(("id", "state", "type", "made", "who", "prompt"), streams.width))
            streams.line(_row(_cells(job), streams.width))
            printed += 1
    if not count.states:
        streams.note(shown("No jobs yet. `eternal-tui generate --help` says how to make one."))
    elif not printed:
        streams.note(shown("No job matches."))
    totals = count.totals()
    left = "" if totals.credits is None else f" · {totals.credits:.2f} credits left"
    unknown = f" · {count.unpriced} of unknown cost" if count.unpriced else ""
    streams.line(shown(f"about {totals.spent_today:.2f} spent today · {totals.spent_in_all:.2f} in all{unknown}{left}"))


def _cells(job: Job) -> tuple[str, ...]:
    from eternal_tui.cli.formatting import local_time, state_word

    request = job.request
    word = state_word(job)
    if word == "running" and job.progress:
        word = f"{job.progress} %"
    made = local_time(job.created_at)[:16]
    return str(job.id), word, request.type, made, job.name or request.character, request.prompt


def _row(cells: tuple[str, ...], columns: int | None) -> Shown:
    """Return one line of the table, for a terminal of so many columns; a narrow one goes without the time."""
    from eternal_tui.core.text_width import cut, fit

    narrow = columns is not None and columns < ROOMY
    widths = (6, 11, 5, 0 if narrow else 16, 10 if narrow else 14)
    kept = [fit(shown(cell), width) for cell, width in zip(cells, widths, strict=False) if width]
    line = join("  ", *kept, shown(cells[-1]))
    return line if columns is None else cut(line, columns)
