"""`jobs` and `stats`: what the history holds and what it cost."""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from eternal_tui.cli.context import Command, Context
from eternal_tui.cli.errors import ExitCode, UsageError
from eternal_tui.cli.parser import add_flag, add_option, whole_number
from eternal_tui.cli.references import iter_jobs
from eternal_tui.core.formatting import Template, format_amount, format_datetime, format_duration, parse_template
from eternal_tui.core.sanitize import SafeText, format_safe, join_safe, sanitize
from eternal_tui.jobs.formatting import state_label
from eternal_tui.jobs.job_json import JSON_FIELDS, job_to_json

if TYPE_CHECKING:
    from eternal_tui.history.history import History
    from eternal_tui.jobs.billing.ledger import Spending
    from eternal_tui.jobs.billing.statistics import GroupStats, Money, Statistics, Totals
    from eternal_tui.jobs.model import Job


JOBS_EPILOG = """\
examples:
  eternal-tui jobs 'state:failed type:video since:2d tag:winter'
  eternal-tui jobs --state unfinished --limit 10
  eternal-tui jobs --sort cost --reverse --json
  eternal-tui jobs --format '{id} {state} {file}'
  eternal-tui jobs 'batch:3f2a91c0' --format '{index}\\t{prompt:40}\\t{file}'
  eternal-tui jobs --totals                        spent today and in total, credits left, counts, as one JSON object

Filters are those of the app: words, "phrases", -not, and state: type: character: since: until: tag: star: rating:
batch: template: account:. Several values with commas: type:image,video. --sort and --format take the keys of --json
(see `eternal-tui schema jobs`); \\t and \\n are tab and newline.

Each line of --json also has spent_today and spent_in_all: what all jobs of the history cost, the same on each line.

states: queued submitting running stalled succeeded failed rejected unsent unconfirmed lost; fetching saved created
expired broken missing for what became of one that succeeded; also done, unfinished and attention.
"""

MIN_FULL_TABLE_COLUMNS = 80
"""Columns from which a table shows when a job was made."""


def _add_jobs_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("filter", nargs="*", metavar="FILTER", help="only jobs that match, as in the app's list")
    add_option(parser, "--state S", "only jobs in this state; several with commas")
    add_option(parser, "--search TEXT", "a filter, as FILTER")
    add_option(parser, "--limit N", "the first N only", type=whole_number(1))
    add_option(parser, "--sort KEY", "sort by a key of --json, ascending (default: newest first)")
    add_flag(parser, "--reverse", "reverse the order")
    add_option(parser, "--format TEMPLATE", "print a line per job, such as '{id} {state} {file}'")
    add_flag(parser, "--json", "print one JSON object per job")
    add_flag(parser, "--totals", "print only the totals, as one JSON object")


def _jobs(context: Context) -> int:
    given, output = context.arguments, context.output
    if given.sort is not None and given.sort not in JSON_FIELDS:
        raise UsageError(f"Cannot sort by {given.sort}. Keys: {', '.join(JSON_FIELDS)}.")
    template = _parse_format(given.format)
    is_wanted = _build_filter([*given.filter, given.search or ""], given.state)
    with context.open_history() as history:
        counter = JobCounter(history)
        jobs = []
        for job in iter_jobs(history):
            counter.add(job)
            if not given.totals and is_wanted(job):
                jobs.append(job)
    if given.sort is not None:
        jobs.sort(key=lambda job: _sort_key(job_to_json(job, context.results_dir)[given.sort]))
    if given.reverse:
        jobs.reverse()
    jobs = jobs[: given.limit]
    if given.totals:
        output.print_json(_totals_to_json(counter))
    else:
        _print_jobs(context, jobs, counter, template)
    return ExitCode.SUCCESS


def _print_jobs(context: Context, jobs: Sequence[Job], counter: JobCounter, template: Template | None) -> None:
    output = context.output
    if template is not None:
        for job in jobs:
            values = {name: _format_value(value) for name, value in job_to_json(job, context.results_dir).items()}
            for line in template.render(values, lambda _field, value: sanitize(value)).split("\n"):
                output.print_line(join_safe("\t", *map(sanitize, line.split("\t"))))
    elif context.arguments.json:
        totals = counter.totals()
        spent = {"spent_today": totals.spent_today, "spent_in_all": totals.spent_total}
        for job in jobs:
            output.print_json(job_to_json(job, context.results_dir) | spent)
    else:
        _print_table(context, jobs, counter)


def _parse_format(text: str | None) -> Template | None:
    if text is None:
        return None
    if not text.isprintable():
        raise UsageError("--format contains control characters; write \\t and \\n.")
    try:
        return parse_template(text.replace("\\t", "\t").replace("\\n", "\n"), JSON_FIELDS)
    except ValueError as error:
        raise UsageError(f"--format: {error}") from None


def _format_value(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else " ".join(map(str, value)) if isinstance(value, list) else str(value)


def _sort_key(value: Any) -> tuple[bool, Any]:
    """Order values of one key: those without one come last."""
    is_empty = value in (None, [])
    return is_empty, "" if is_empty else value.casefold() if isinstance(value, str) else value


def _build_filter(texts: Sequence[str], states: str | None) -> Callable[[Job], bool]:
    from eternal_tui.jobs.filter import FilterError, compile_filter

    if states is not None:
        texts = [*texts, f"state:{''.join(states.split())}"]
    try:
        return compile_filter(*texts, now=time.time())
    except FilterError as error:
        raise UsageError(str(error)) from None


class JobCounter:
    """Counts jobs in passing: totals, jobs by state, and from the charges what was spent."""

    def __init__(self, history: History) -> None:
        from eternal_tui.history.lock import InstanceLock
        from eternal_tui.jobs.billing.ledger import read_ledger
        from eternal_tui.jobs.billing.statistics import RunningTotals

        self.state_counts: Counter[str] = Counter()
        self.ledger = read_ledger(history, InstanceLock.observer(history.folder).is_alive)
        self._credits: float | None = None
        self._unbilled: list[Job] = []
        self._running_totals = RunningTotals(time.time, list)

    def add(self, job: Job) -> None:
        """Count one job."""
        self._running_totals.apply_change(None, job)
        self.state_counts[str(job.state)] += 1
        if self._credits is None:
            self._credits = job.credits_after
        if job.id not in self.ledger.charges:
            self._unbilled.append(job)

    def spending(self, since: float = 0.0) -> Spending:
        """Return what was spent since a time, over all accounts."""
        from eternal_tui.jobs.billing.ledger import add_unbilled_jobs

        add_unbilled_jobs(self.ledger, self._unbilled)
        self._unbilled.clear()
        return self.ledger.spending(charge for charge in self.ledger.charges_of() if charge.sent_at >= since)

    def totals(self) -> Totals:
        """Return the figures of all counted jobs."""
        from msgspec.structs import replace

        from eternal_tui.jobs.billing.statistics import day_bounds

        today, everything = self.spending(day_bounds(time.time())[0]), self.spending()
        balance = self.ledger.newest_balance
        return replace(
            self._running_totals.totals(),
            credits=self._credits if balance is None else float(balance),
            spent_today=float(today.spent),
            spent_total=float(everything.spent),
            unexplained_today=float(today.unexplained),
            unconfirmed_today=float(today.unconfirmed),
            is_spent_exact=everything.is_exact,
        )


def _totals_to_json(counter: JobCounter) -> dict[str, Any]:
    totals = counter.totals()
    return {
        "spent_today": totals.spent_today,
        "spent_in_all": totals.spent_total,
        "unexplained_today": totals.unexplained_today,
        "unconfirmed_today": totals.unconfirmed_today,
        "is_exact": totals.is_spent_exact,
        "credits_remaining": totals.credits,
        "jobs": counter.state_counts.total(),
        "running": totals.running,
        "waiting": totals.waiting,
        "unconfirmed": totals.unconfirmed,
        "done_today": totals.done_today,
        "failed_today": totals.failed_today,
        "states": dict(counter.state_counts),
    }


def _print_table(context: Context, jobs: Sequence[Job], counter: JobCounter) -> None:
    output = context.output
    if jobs and output.width is not None:
        output.print_line(_table_row(("id", "state", "type", "created", "name", "prompt"), output.width))
    for job in jobs:
        output.print_line(_table_row(_table_cells(job), output.width), state=state_label(job))
    if not counter.state_counts:
        output.info(sanitize("No jobs yet. See `eternal-tui generate --help`."))
    elif not jobs:
        output.info(sanitize("No job matches."))
    totals, spent = counter.totals(), counter.spending()
    about = "" if totals.is_spent_exact else "~"
    parts = [f"{about}{format_amount(totals.spent_today)} today", f"{about}{format_amount(totals.spent_total)} total"]
    parts += [f"{spent.unknown_count} of unknown cost"] if spent.unknown_count else []
    parts += [f"~{format_amount(spent.unconfirmed)} unconfirmed"] if spent.unconfirmed else []
    parts += [f"{format_amount(spent.unexplained)} unexplained"] if spent.unexplained else []
    parts += [] if totals.credits is None else [f"{format_amount(totals.credits)} credits left"]
    output.print_line(sanitize(" · ".join(parts)))


def _table_cells(job: Job) -> tuple[str, ...]:
    request = job.request
    word = state_label(job)
    if word == "running" and job.progress:
        word = f"{job.progress}%"
    made = format_datetime(job.created_at, "%Y-%m-%d %H:%M")
    return str(job.id), word, request.type, made, job.name or request.character, request.prompt


def _table_row(cells: tuple[str, ...], columns: int | None) -> SafeText:
    """Return one line of the table, for a terminal of so many columns; a narrow one goes without the time."""
    from eternal_tui.core.text_width import pad_to_width, truncate_to_width

    narrow = columns is not None and columns < MIN_FULL_TABLE_COLUMNS
    widths = (6, 11, 5, 0 if narrow else 16, 10 if narrow else 14)
    kept = [pad_to_width(sanitize(cell), width) for cell, width in zip(cells, widths, strict=False) if width]
    line = join_safe("  ", *kept, sanitize(cells[-1]))
    return line if columns is None else truncate_to_width(line, columns)


STATS_EPILOG = """\
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


def _add_stats_arguments(parser: argparse.ArgumentParser) -> None:
    add_option(parser, "--days N", "number of days listed (default: 30)", type=whole_number(1, MAX_DAYS), default=30)
    add_option(parser, "--account ID", "only this account; its first digits are enough", default="")
    add_flag(parser, "--json", "print one JSON object")


def _stats(context: Context) -> int:
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


COMMANDS = {
    "jobs": Command(JOBS_EPILOG, _add_jobs_arguments, _jobs),
    "stats": Command(STATS_EPILOG, _add_stats_arguments, _stats),
}
