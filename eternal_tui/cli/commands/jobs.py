"""`jobs`: what the history holds, newest first."""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from eternal_tui.cli.context import CommandError, Context
from eternal_tui.cli.exit_codes import ExitCode
from eternal_tui.core.sanitize import SafeText, join_safe, sanitize

if TYPE_CHECKING:
    from eternal_tui.jobs.billing.totals import Totals
    from eternal_tui.jobs.model import Job

EPILOG = """\
examples:
  eternal-tui jobs --state unfinished
  eternal-tui jobs --state failed,lost --json
  eternal-tui jobs 'state:failed type:video since:2d tag:winter'
  eternal-tui jobs --search "rain coat" --limit 10
  eternal-tui jobs --json --limit 1 | jq .spent_today
  eternal-tui jobs --totals                        spent today and in all, credits left, counts, as one JSON object

Each line of --json also says spent_today and spent_in_all: about what every job of the history cost, not this one
alone, and the same on each line. Where no job matches there is no line; --totals always prints its object.

Filters are those of the app: words, "phrases", -not, and state: type: character: since: until: tag: star: rating:
batch: template: account:. Several values with commas: type:image,video.

states: submitting running stalled succeeded failed rejected unsent unconfirmed lost; fetching saved created expired
broken for what became of one that succeeded; also done, unfinished and attention.
"""

MIN_FULL_TABLE_COLUMNS = 80
"""Columns from which a table shows when a job was made."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `jobs`."""
    parser.add_argument("filter", nargs="*", metavar="FILTER", help="only jobs that match, as in the app's list")
    parser.add_argument("--state", metavar="S", help="only jobs in this state; several with commas")
    parser.add_argument("--search", metavar="TEXT", help="a filter, as FILTER")
    parser.add_argument("--limit", metavar="N", type=int, help="the newest N only")
    parser.add_argument("--json", action="store_true", help="print one JSON object a line, with what is spent in it")
    parser.add_argument("--totals", action="store_true", help="print only the totals, as one JSON object")


def run(context: Context) -> int:
    """Print the jobs asked for."""
    from eternal_tui.cli.references import iter_jobs
    from eternal_tui.jobs.job_json import job_to_json

    given, streams = context.arguments, context.output
    if given.limit is not None and given.limit < 1:
        raise CommandError(ExitCode.USAGE, "--limit is a whole number from 1 on.")
    wanted = _build_filter([*given.filter, given.search or ""], given.state)
    with context.open_history() as history:
        if given.totals:
            streams.print_json(_totals_to_json(JobCounter().add_all(iter_jobs(history))))
        elif given.json:
            totals = JobCounter().add_all(iter_jobs(history)).totals()
            spent = {"spent_today": totals.spent_today, "spent_in_all": totals.spent_total}
            for job in _take_first(filter(wanted, iter_jobs(history)), given.limit):
                streams.print_json(job_to_json(job, context.results_dir) | spent)
        else:
            _print_table(context, iter_jobs(history), wanted, given.limit)
    return ExitCode.SUCCESS


def _build_filter(texts: Sequence[str], states: str | None) -> Callable[[Job], bool]:
    from eternal_tui.jobs.filter import FilterError, compile_filter

    if states is not None:
        texts = [*texts, f"state:{''.join(states.split())}"]
    try:
        return compile_filter(*texts, now=time.time())
    except FilterError as error:
        raise CommandError(ExitCode.USAGE, sanitize(str(error))) from None


def _take_first(jobs: Iterator[Job], limit: int | None) -> Iterator[Job]:
    from itertools import islice

    return jobs if limit is None else islice(jobs, limit)


class JobCounter:
    """Counts jobs in passing: totals, jobs by state, and the newest reading of the credits counter."""

    def __init__(self) -> None:
        from eternal_tui.jobs.billing.totals import RunningTotals
        from eternal_tui.jobs.model import Verdict

        self._not_charged = Verdict.NOT_CHARGED
        self.state_counts: Counter[str] = Counter()
        self.credits: float | None = None
        self.unknown_cost_count = 0
        self._running_totals = RunningTotals(time.time, list)

    def add(self, job: Job) -> None:
        """Count one job."""
        self._running_totals.apply_change(None, job)
        self.state_counts[str(job.state)] += 1
        if self.credits is None:
            self.credits = job.credits_after
        self.unknown_cost_count += job.cost is None and job.verdict is not self._not_charged

    def add_all(self, jobs: Iterator[Job]) -> JobCounter:
        """Count these jobs and return the counter itself."""
        for job in jobs:
            self.add(job)
        return self

    def totals(self) -> Totals:
        """Return the figures of all counted jobs."""
        return self._running_totals.totals(self.credits)


def _totals_to_json(counter: JobCounter) -> dict[str, Any]:
    totals = counter.totals()
    return {
        "spent_today": totals.spent_today,
        "spent_in_all": totals.spent_total,
        "credits_remaining": totals.credits,
        "jobs": counter.state_counts.total(),
        "running": totals.running,
        "waiting": totals.waiting,
        "unconfirmed": totals.unconfirmed,
        "done_today": totals.done_today,
        "failed_today": totals.failed_today,
        "states": dict(counter.state_counts),
    }


def _print_table(context: Context, jobs: Iterator[Job], is_wanted: Callable[[Job], bool], limit: int | None) -> None:
    streams = context.output
    count = JobCounter()
    printed = 0
    for job in jobs:
        count.add(job)
        if is_wanted(job) and (limit is None or printed < limit):
            if not printed and streams.width is not None:
                streams.print_line(_table_row(("id", "state", "type", "made", "who", "prompt"), streams.width))
            streams.print_line(_table_row(_table_cells(job), streams.width))
            printed += 1
    if not count.state_counts:
        streams.info(sanitize("No jobs yet. `eternal-tui generate --help` says how to make one."))
    elif not printed:
        streams.info(sanitize("No job matches."))
    totals = count.totals()
    left = "" if totals.credits is None else f" · {totals.credits:.2f} credits left"
    unknown = f" · {count.unknown_cost_count} of unknown cost" if count.unknown_cost_count else ""
    streams.print_line(
        sanitize(f"about {totals.spent_today:.2f} spent today · {totals.spent_total:.2f} in all{unknown}{left}")
    )


def _table_cells(job: Job) -> tuple[str, ...]:
    from eternal_tui.cli.formatting import format_local_time
    from eternal_tui.jobs.formatting import state_label

    request = job.request
    word = state_label(job)
    if word == "running" and job.progress:
        word = f"{job.progress} %"
    made = format_local_time(job.created_at)[:16]
    return str(job.id), word, request.type, made, job.name or request.character, request.prompt


def _table_row(cells: tuple[str, ...], columns: int | None) -> SafeText:
    """Return one line of the table, for a terminal of so many columns; a narrow one goes without the time."""
    from eternal_tui.core.text_width import pad_to_width, truncate_to_width

    narrow = columns is not None and columns < MIN_FULL_TABLE_COLUMNS
    widths = (6, 11, 5, 0 if narrow else 16, 10 if narrow else 14)
    kept = [pad_to_width(sanitize(cell), width) for cell, width in zip(cells, widths, strict=False) if width]
    line = join_safe("  ", *kept, sanitize(cells[-1]))
    return line if columns is None else truncate_to_width(line, columns)
