"""`stats`: spending by day, durations and success by type, from the history alone."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from eternal_tui.cli.context import CommandError, Context
from eternal_tui.cli.exit_codes import ExitCode
from eternal_tui.core.sanitize import SafeText, format_safe

if TYPE_CHECKING:
    from eternal_tui.jobs.billing.statistics import Statistics

EPILOG = """\
examples:
  eternal-tui stats
  eternal-tui stats --days 7
  eternal-tui stats --json          one JSON object: jobs, spent, days and kinds; durations in seconds

Costs are estimates derived from your balance.
"""

MAX_DAYS = 3_660


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `stats`."""
    parser.add_argument("--days", metavar="N", type=int, default=30, help="number of days listed (default: 30)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(context: Context) -> int:
    """Print the figures."""
    from eternal_tui.cli.references import iter_jobs
    from eternal_tui.jobs.billing.statistics import compute_statistics

    given, streams = context.arguments, context.output
    if not 1 <= given.days <= MAX_DAYS:
        raise CommandError(ExitCode.USAGE, format_safe("--days is a whole number from 1 to {most}.", most=MAX_DAYS))
    with context.open_history() as history:
        figures = compute_statistics(iter_jobs(history), time.time(), days=given.days)
    if given.json:
        import msgspec

        streams.print_json(msgspec.to_builtins(figures))
        return ExitCode.SUCCESS
    if not figures.jobs:
        streams.info(SafeText("No jobs yet. See `eternal-tui generate --help`."))
    for line in _statistics_lines(figures):
        streams.print_line(line)
    return ExitCode.SUCCESS


def _statistics_lines(stats: Statistics) -> Iterator[SafeText]:
    from eternal_tui.jobs.formatting import pluralize

    for day in stats.days:
        if day.sent:
            yield format_safe(
                "{date}  {spent} credits  {sent} sent  {done} done  {failed} failed",
                date=day.date,
                spent=f"{day.spent:>9.2f}",
                sent=f"{day.sent:>5}",
                done=f"{day.succeeded:>5}",
                failed=f"{day.failed:>4}",
            )
    for kind in stats.kinds:
        success = "-" if kind.success is None else f"{kind.success * 100:.0f}%"
        half, most = ("-" if each is None else f"{each:.0f} s" for each in (kind.median, kind.slowest_tenth))
        yield format_safe(
            "{type}: {jobs}, {success} ok, p50 {half}, p90 {most}, ~{spent} credits",
            type=kind.type,
            jobs=pluralize(kind.jobs, "job"),
            success=success,
            half=half,
            most=most,
            spent=f"{kind.spent:.2f}",
        )
    yield format_safe("total: ~{spent} credits", spent=f"{stats.spent:.2f}")
