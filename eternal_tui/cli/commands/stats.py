"""`stats`: spending by day, account, character, type and tag, and durations and success by type."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from eternal_tui.cli.context import Context
from eternal_tui.cli.errors import ExitCode, UsageError
from eternal_tui.cli.parser import add_flag, add_option, whole_number
from eternal_tui.core.formatting import format_amount, format_duration
from eternal_tui.core.sanitize import SafeText, format_safe, join_safe, sanitize

if TYPE_CHECKING:
    from eternal_tui.jobs.billing.statistics import GroupStats, Money, Statistics

EPILOG = """\
examples:
  eternal-tui stats
  eternal-tui stats --days 7
  eternal-tui stats --account 3f9a
  eternal-tui stats --json          one JSON object: jobs, spent, days, kinds, accounts, characters, tags

Deleted jobs count as well. The API publishes no prices: `~` marks estimates, for which no balance was read. Spending
may be unexplained (the balance fell by more than the requests cost) or unconfirmed (the response was lost). An account
is shown as a fingerprint of its API key.
"""

MAX_DAYS = 3_660
MAX_GROUPS = 10
"""Rows of each table of groups; --json has all."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `stats`."""
    add_option(parser, "--days N", "number of days listed (default: 30)", type=whole_number(1, MAX_DAYS), default=30)
    add_option(parser, "--account ID", "only this account; its first digits are enough", default="")
    add_flag(parser, "--json", "print one JSON object")


def run(context: Context) -> int:
    """Print the figures."""
    from eternal_tui.cli.references import iter_jobs
    from eternal_tui.history.lock import InstanceLock
    from eternal_tui.jobs.billing.ledger import add_unbilled_jobs, read_ledger
    from eternal_tui.jobs.billing.statistics import compute_statistics

    given, streams = context.arguments, context.output
    with context.open_history() as history:
        ledger = read_ledger(history, InstanceLock.observer(history.folder).is_alive)
        jobs = list(iter_jobs(history))
    add_unbilled_jobs(ledger, jobs)
    known = sorted({account.name for account in ledger.accounts() if account.name})
    # As it is printed: behind the name of the service.
    wanted = given.account.rpartition(" ")[2]
    if wanted and not any(name.startswith(wanted) for name in known):
        names = ", ".join(known) or "none"
        raise UsageError(f"Unknown account {given.account}. Accounts: {names}.")
    figures = compute_statistics(jobs, time.time(), days=given.days, ledger=ledger, account=wanted)
    if given.json:
        import msgspec

        streams.print_json(msgspec.to_builtins(figures))
        return ExitCode.SUCCESS
    if not figures.jobs and not figures.spent:
        streams.info(SafeText("No jobs yet. See `eternal-tui generate --help`."))
    for line in _statistics_lines(figures):
        streams.print_line(line)
    return ExitCode.SUCCESS


def _statistics_lines(stats: Statistics) -> Iterator[SafeText]:
    from eternal_tui.jobs.formatting import pluralize

    for day in stats.days:
        if day.sent or day.spent or day.rejected or day.unsent:
            more = ((day.rejected, "rejected"), (day.unsent, "unsent"))
            yield format_safe(
                "{date}  {spent}  {sent} sent  {done} done  {failed} failed{more}",
                date=day.date,
                spent=_money_columns(day),
                sent=f"{day.sent:>5}",
                done=f"{day.succeeded:>5}",
                failed=f"{day.failed:>4}",
                more="".join(f"  {count:>4} {word}" for count, word in more if count),
            )
    for title, groups in (("account", stats.accounts), ("character", stats.characters), ("tag", stats.tags)):
        yield from _group_lines(title, groups)
    for kind in stats.kinds:
        success = "-" if kind.success is None else f"{kind.success * 100:.0f}%"
        half, most = ("-" if each is None else format_duration(each) for each in (kind.median, kind.slowest_tenth))
        yield format_safe(
            "{type}: {jobs}, {success} ok, p50 {half}, p90 {most}, {spent}",
            type=kind.type,
            jobs=pluralize(kind.jobs, "job"),
            success=success,
            half=half,
            most=most,
            spent=_money_columns(kind).strip(),
        )
    yield format_safe("total: {spent}", spent=_money_columns(stats).strip())


def _group_lines(title: str, groups: Sequence[GroupStats]) -> Iterator[SafeText]:
    """Yield a row for each group, the dearest first; none where there is only one without a name."""
    if not any(group.name for group in groups):
        return
    for group in groups[:MAX_GROUPS]:
        name = sanitize(group.name or "-", limit=24)
        yield format_safe(
            "{title} {name}  {spent}  {count} requests",
            title=sanitize(f"{title:<9}"),
            name=sanitize(f"{name:<24}"),
            spent=_money_columns(group),
            count=f"{group.requests:>5}",
        )


def _money_columns(money: Money) -> SafeText:
    about = "" if money.is_exact else "~"
    parts = [format_safe("{sum} credits", sum=f"{about}{format_amount(money.spent)}".rjust(10))]
    if money.unconfirmed:
        parts.append(format_safe("~{sum} unconfirmed", sum=format_amount(money.unconfirmed)))
    if money.unexplained:
        parts.append(format_safe("{sum} unexplained", sum=format_amount(money.unexplained)))
    return join_safe("  ", *parts)
