"""`jobs` and `stats`: what the history holds and what it cost."""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from eternal_tui.cli.context import Command, Context
from eternal_tui.cli.errors import ExitCode, UsageError
from eternal_tui.cli.formatting import format_value, table_row
from eternal_tui.cli.parser import add_flag, add_option, whole_number
from eternal_tui.cli.references import iter_jobs
from eternal_tui.core.formatting import Template, format_amount, format_datetime, format_duration, parse_template
from eternal_tui.core.sanitize import SafeText, join_safe, sanitize
from eternal_tui.jobs.formatting import JSON_FIELDS, job_to_json, state_label

if TYPE_CHECKING:
    from eternal_tui.cli.output import Output
    from eternal_tui.jobs.billing.ledger import Ledger
    from eternal_tui.jobs.billing.statistics import Money, Statistics
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


def _read(context: Context) -> tuple[list[Job], Ledger]:
    """Return all jobs, newest first, and what was spent on them."""
    from eternal_tui.history.lock import InstanceLock
    from eternal_tui.jobs.billing.ledger import add_unbilled_jobs, read_ledger

    with context.open_history() as history:
        ledger = read_ledger(history, InstanceLock.observer(history.folder).is_alive)
        jobs = list(iter_jobs(history))
    add_unbilled_jobs(ledger, jobs)
    return jobs, ledger


def _jobs(context: Context) -> int:
    given, output = context.arguments, context.output
    if given.sort is not None and given.sort not in JSON_FIELDS:
        raise UsageError(f"Cannot sort by {given.sort}. Keys: {', '.join(JSON_FIELDS)}.")
    template = _parse_format(given.format)
    is_wanted = _build_filter([*given.filter, given.search or ""], given.state)
    every, ledger = _read(context)
    if given.totals:
        output.print_json(_totals(every, ledger))
        return ExitCode.SUCCESS
    jobs = [job for job in every if is_wanted(job)]
    if given.sort is not None:
        jobs.sort(key=lambda job: _sort_key(job_to_json(job, context.results_dir)[given.sort]))
    if given.reverse:
        jobs.reverse()
    jobs = jobs[: given.limit]
    if template is not None:
        _print_formatted(context, jobs, template)
    elif given.json:
        totals = _totals(every, ledger)
        spent = {name: totals[name] for name in ("spent_today", "spent_in_all")}
        for job in jobs:
            output.print_json(job_to_json(job, context.results_dir) | spent)
    else:
        _print_table(output, jobs)
        if not jobs:
            empty = "No job matches." if every else "No jobs yet. See `eternal-tui generate --help`."
            output.info(sanitize(empty))
        output.print_line(_totals_line(every, ledger))
    return ExitCode.SUCCESS


def _print_formatted(context: Context, jobs: Sequence[Job], template: Template) -> None:
    for job in jobs:
        values = {name: format_value(value) for name, value in job_to_json(job, context.results_dir).items()}
        for line in template.render(values, lambda _field, value: sanitize(value)).split("\n"):
            context.output.print_line(join_safe("\t", *map(sanitize, line.split("\t"))))


def _parse_format(text: str | None) -> Template | None:
    if text is None:
        return None
    if not text.isprintable():
        raise UsageError("--format contains control characters; write \\t and \\n.")
    try:
        return parse_template(text.replace("\\t", "\t").replace("\\n", "\n"), JSON_FIELDS)
    except ValueError as error:
        raise UsageError(f"--format: {error}") from None


def _sort_key(value: Any) -> tuple[bool, Any]:
    """Sort by one key; jobs without a value come last."""
    is_empty = value in (None, [])
    return is_empty, "" if is_empty else value.casefold() if isinstance(value, str) else value


def _build_filter(texts: Sequence[str], states: str | None) -> Callable[[Job], bool]:
    from eternal_tui.jobs.filter import compile_filter

    if states is not None:
        texts = [*texts, f"state:{''.join(states.split())}"]
    return compile_filter(*texts, now=time.time())


def _totals(jobs: Sequence[Job], ledger: Ledger) -> dict[str, Any]:
    """Return the figures of `--totals`, over all accounts."""
    from eternal_tui.jobs.billing.statistics import RunningTotals, day_bounds

    counts = RunningTotals(time.time, lambda: jobs)
    for job in jobs:
        counts.apply_change(None, job)
    totals, day_start = counts.totals(), day_bounds(time.time())[0]
    everything = ledger.spending(ledger.charges_of())
    today = ledger.spending(charge for charge in ledger.charges_of() if charge.sent_at >= day_start)
    balance = next((job.credits_after for job in jobs if job.credits_after is not None), None)
    return {
        "spent_today": float(today.spent),
        "spent_in_all": float(everything.spent),
        "unexplained_today": float(today.unexplained),
        "unconfirmed_today": float(today.unconfirmed),
        "is_exact": everything.is_exact,
        "credits_remaining": balance if ledger.newest_balance is None else float(ledger.newest_balance),
        "jobs": len(jobs),
        "running": totals.running,
        "waiting": totals.waiting,
        "unconfirmed": totals.unconfirmed,
        "done_today": totals.done_today,
        "failed_today": totals.failed_today,
        "states": dict(Counter(str(job.state) for job in jobs)),
    }


def _totals_line(jobs: Sequence[Job], ledger: Ledger) -> SafeText:
    totals, spent = _totals(jobs, ledger), ledger.spending(ledger.charges_of())
    about = "" if spent.is_exact else "~"
    parts = [f"{about}{format_amount(totals['spent_today'])} today", f"{about}{format_amount(spent.spent)} total"]
    parts += [f"{spent.unknown_count} of unknown cost"] if spent.unknown_count else []
    parts += [f"~{format_amount(spent.unconfirmed)} unconfirmed"] if spent.unconfirmed else []
    parts += [f"{format_amount(spent.unexplained)} unexplained"] if spent.unexplained else []
    balance = totals["credits_remaining"]
    parts += [] if balance is None else [f"{format_amount(balance)} credits left"]
    return sanitize(" · ".join(parts))


def _print_table(output: Output, jobs: Sequence[Job]) -> None:
    if jobs and output.width is not None:
        output.print_line(_table_row(("id", "state", "type", "created", "name", "prompt"), output.width))
    for job in jobs:
        output.print_line(_table_row(_table_cells(job), output.width), state=state_label(job))


def _table_cells(job: Job) -> tuple[str, ...]:
    request = job.request
    word = state_label(job)
    if word == "running" and job.progress:
        word = f"{job.progress}%"
    made = format_datetime(job.created_at, "%Y-%m-%d %H:%M")
    return str(job.id), word, request.type, made, job.name or request.character, request.prompt


def _table_row(cells: tuple[str, ...], columns: int | None) -> SafeText:
    narrow = columns is not None and columns < MIN_FULL_TABLE_COLUMNS
    return table_row(cells, (6, 11, 5, 0 if narrow else 16, 10 if narrow else 14), columns)


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
    from eternal_tui.jobs.billing.statistics import compute_statistics

    given, output = context.arguments, context.output
    jobs, ledger = _read(context)
    known = sorted({account.name for account in ledger.accounts() if account.name})
    # As it is printed: behind the name of the service.
    wanted = given.account.rpartition(" ")[2]
    if wanted and not any(name.startswith(wanted) for name in known):
        names = ", ".join(known) or "none"
        raise UsageError(f"Unknown account {given.account}. Accounts: {names}.")
    figures = compute_statistics(jobs, time.time(), ledger, days=given.days, account=wanted)
    if given.json:
        import msgspec

        output.print_json(msgspec.to_builtins(figures))
        return ExitCode.SUCCESS
    if not figures.jobs and not figures.spent:
        output.info(SafeText("No jobs yet. See `eternal-tui generate --help`."))
    for line in _statistics_lines(figures):
        output.print_line(sanitize(line))
    return ExitCode.SUCCESS


def _statistics_lines(stats: Statistics) -> Iterator[str]:
    from eternal_tui.jobs.formatting import pluralize

    for day in stats.days:
        if day.sent or day.spent or day.rejected or day.unsent:
            counts = f"{day.sent:>5} sent  {day.succeeded:>5} done  {day.failed:>4} failed"
            counts += f"  {day.rejected:>4} rejected" if day.rejected else ""
            counts += f"  {day.unsent:>4} unsent" if day.unsent else ""
            yield f"{day.date}  {_money_columns(day)}  {counts}"
    for title, groups in (("account", stats.accounts), ("character", stats.characters), ("tag", stats.tags)):
        # The most expensive first; a single unnamed row is left out.
        for group in groups[:MAX_GROUPS] if any(group.name for group in groups) else ():
            name = sanitize(group.name or "-", limit=24)
            yield f"{title:<9} {name:<24}  {_money_columns(group)}  {group.requests:>5} requests"
    for kind in stats.kinds:
        success = "-" if kind.success is None else f"{kind.success * 100:.0f}%"
        half, most = ("-" if each is None else format_duration(each) for each in (kind.median, kind.slowest_tenth))
        jobs, spent = pluralize(kind.jobs, "job"), _money_columns(kind).strip()
        yield f"{kind.type}: {jobs}, {success} ok, p50 {half}, p90 {most}, {spent}"
    yield f"total: {_money_columns(stats).strip()}"


def _money_columns(money: Money) -> str:
    about = "" if money.is_exact else "~"
    text = f"{about}{format_amount(money.spent)}".rjust(10) + " credits"
    text += f"  ~{format_amount(money.unconfirmed)} unconfirmed" if money.unconfirmed else ""
    return text + (f"  {format_amount(money.unexplained)} unexplained" if money.unexplained else "")


COMMANDS = {
    "jobs": Command(JOBS_EPILOG, _add_jobs_arguments, _jobs),
    "stats": Command(STATS_EPILOG, _add_stats_arguments, _stats),
}
