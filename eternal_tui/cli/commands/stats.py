"""`stats`: spending day by day, durations and success by type, from the history alone."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from eternal_tui.cli.context import Invocation, Refused
from eternal_tui.cli.exit_codes import Exit
from eternal_tui.core.sanitize import Shown, say

if TYPE_CHECKING:
    from eternal_tui.jobs.billing.statistics import Statistics

EPILOG = """\
examples:
  eternal-tui stats
  eternal-tui stats --days 7
  eternal-tui stats --json          one JSON object: jobs, spent, days and kinds; durations are in seconds

Costs are learned from the credits counter, so they are about right.
"""

MOST_DAYS = 3_660


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `stats`."""
    parser.add_argument("--days", metavar="N", type=int, default=30, help="days to count one by one (30)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(invocation: Invocation) -> int:
    """Print the figures."""
    from eternal_tui.cli.context import jobs_of
    from eternal_tui.jobs.billing.statistics import statistics

    given, streams = invocation.arguments, invocation.streams
    if not 1 <= given.days <= MOST_DAYS:
        raise Refused(Exit.USAGE, say("--days is a whole number from 1 to {most}.", most=MOST_DAYS))
    with invocation.history() as history:
        figures = statistics(jobs_of(history), time.time(), days=given.days)
    if given.json:
        import msgspec

        streams.json(msgspec.to_builtins(figures))
        return Exit.DONE
    if not figures.jobs:
        streams.note(Shown("No jobs yet. `eternal-tui generate --help` says how to make one."))
    for line in _lines(figures):
        streams.line(line)
    return Exit.DONE


def _lines(figures: Statistics) -> Iterator[Shown]:
    from eternal_tui.jobs.formatting import counted

    for day in figures.days:
        if day.sent:
            yield say(
                "{date}  {spent} credits  {sent} sent  {done} done  {failed} failed",
                date=day.date,
                spent=f"{day.spent:>9.2f}",
                sent=f"{day.sent:>5}",
                done=f"{day.succeeded:>5}",
                failed=f"{day.failed:>4}",
            )
    for kind in figures.kinds:
        success = "-" if kind.success is None else f"{kind.success * 100:.0f} %"
        half, most = ("-" if each is None else f"{each:.0f} s" for each in (kind.median, kind.slowest_tenth))
        yield say(
            "{type}: {jobs}, {success} well, half within {half}, nine of ten within {most}, {spent} credits",
            type=kind.type,
            jobs=counted(kind.jobs, "job"),
            success=success,
            half=half,
            most=most,
            spent=f"{kind.spent:.2f}",
        )
    yield say("about {spent} credits in all", spent=f"{figures.spent:.2f}")
