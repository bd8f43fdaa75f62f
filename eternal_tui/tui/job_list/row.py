"""One job as one line: pure functions from a snapshot, the time and a width to cells."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache

import msgspec
from rich.cells import cell_len

from eternal_tui.core.formatting import format_amount, format_remaining, format_short_duration
from eternal_tui.core.sanitize import sanitize
from eternal_tui.jobs.batch import BatchSummary, summarize
from eternal_tui.jobs.formatting import cost_label
from eternal_tui.jobs.model import FileState, Job, JobState, Verdict
from eternal_tui.tui.widgets.cells import Line, Span, fit, layout_spans
from eternal_tui.tui.widgets.jobs import LIVE_STATES, run_seconds, state_glyph, state_labels

PLAIN_STATUS_TEXTS = frozenset({"", "pending", "running"})
"""Statuses of a live job that mean "running"; any other is shown."""

MAX_TEXT_CHARS = 300
"""Characters of outside text that are laid out: more than any line holds."""

MAX_NAME_COLUMNS = 14
_GLYPH_COLUMN = 3
"""Cells before the state's sign: cursor, mark, and a blank that keeps the mark apart."""
_CHILD_INDENT = 2
_MIN_REASON_COLUMNS = 12
_MIN_COLUMNS_WITH_COST = 30
_FILE_REMEDIES = {FileState.EXPIRED: "t refresh", FileState.MISSING: "t download"}
_TYPE_LABELS = {"image": "image", "video": "video", "character": "char"}


class Columns(msgspec.Struct, frozen=True):
    """Widths of a line's columns in cells; 0 leaves a column out.

    `text`, the prompt, is the only one that grows with the line. `size` is the file's or the progress bar's, `last`
    the cost, the percentage or the time left.
    """

    width: int
    state: int
    type: int
    name: int
    clock: int
    size: int
    last: int
    indent: int = 0

    @property
    def text_x(self) -> int:
        """Where the prompt starts."""
        left = sum(part + 1 for part in (self.state, self.type, self.name) if part)
        return _GLYPH_COLUMN + 2 + self.indent + left

    @property
    def right(self) -> int:
        """Cells of the columns behind the prompt, without the gap before and the margin after them."""
        parts = [part for part in (self.clock, self.size, self.last) if part]
        return sum(parts) + 2 * (len(parts) - 1) if parts else 0

    @property
    def text(self) -> int:
        """Cells of the prompt and of the reason behind it."""
        return max(0, self.width - self.text_x - (self.right + 3 if self.right else 0))


# (from this width on: state, type, name at most, clock, size, last)
_COLUMN_WIDTHS = (
    (100, (11, 5, MAX_NAME_COLUMNS, 5, 9, 6)),
    (84, (8, 5, 10, 5, 0, 6)),
    (64, (8, 5, 8, 0, 0, 6)),
    (34, (8, 0, 0, 0, 0, 6)),
    (0, (8, 0, 0, 0, 0, 0)),
)


@lru_cache(maxsize=64)
def columns_for(width: int, name_width: int = MAX_NAME_COLUMNS, *, child: bool = False) -> Columns:
    """Return the columns of a line `width` cells wide whose longest name has `name_width` cells.

    `child` is whether it is the line of a job below that of its batch.
    """
    state, kind, name, clock, size, last = next(parts for least, parts in _COLUMN_WIDTHS if width >= least)
    return Columns(width, state, kind, min(name, name_width), clock, size, last, _CHILD_INDENT if child else 0)


def has_clock(job: Job) -> bool:
    """Tell whether the job's line changes by the passing of time alone."""
    return job.state in LIVE_STATES and job.watched


def elapsed(job: Job, now: float, clock_step: float) -> float:
    """Return the seconds a job has been under way at `now`, in whole steps: its line is another when they are."""
    begun = job.submitted_at if job.submitted_at is not None else job.created_at
    return (now - begun) // clock_step * clock_step


def job_line(
    job: Job,
    now: float,
    columns: Columns,
    *,
    remaining_seconds: float | None = None,
    cursor: bool = False,
    marked: bool = False,
    clock_step: float = 1.0,
) -> Line:
    """Return the job as cells that fill exactly `columns.width` columns.

    `now` is in seconds since the epoch, `remaining_seconds` the estimated seconds to the end, `clock_step` the
    seconds by which running clocks advance.
    """
    long, short, role = state_labels(job)
    settled = job.dismissed or job.retried_by is not None or (job.state in LIVE_STATES and not job.watched)
    name = sanitize(job.name or job.request.character, limit=MAX_TEXT_CHARS)
    prompt = _prompt_text(job)
    reason, reason_role = _reason_and_role(job)
    live = job.state in LIVE_STATES
    if live and job.waiting_reason:
        reason = f"{_progress_percent(job)} % {reason}"
    cost = _cost_text(job)
    if reason and columns.right:
        with_cost = cost and columns.text + columns.right >= 2 * _MIN_COLUMNS_WITH_COST
        right = _reason_spans(columns, reason, reason_role, cost if with_cost else "", prompt)
    elif live:
        right = _progress_spans(job, _clock_text(job, now, clock_step), columns, remaining_seconds)
    else:
        info = job.file_info
        size = f"{info.width}×{info.height}" if info and info.width else ""
        right = _column_spans(columns, (_clock_text(job, now, clock_step), size, cost))
    spans = [
        *gutter_spans(cursor=cursor, marked=marked),
        *_left_spans(
            columns,
            state_glyph(job),
            long if columns.state >= len(long) else short,
            "dim" if settled else role,
            (_TYPE_LABELS[job.request.type], name),
        ),
        *_text_and_right(columns, prompt, right),
    ]
    return layout_spans(columns.width, iter(spans))


def gutter_spans(*, cursor: bool, marked: bool) -> Iterator[Span]:
    """Yield the cells before a line: whether it is under the cursor, and marked."""
    yield Span(0, 1, "▌" if cursor else " ", "cursor")
    yield Span(1, 1, "●" if marked else " ", "mark")


def _left_spans(columns: Columns, sign: str, word: str, role: str, type_and_name: tuple[str, str]) -> Iterator[Span]:
    x = _GLYPH_COLUMN + columns.indent
    yield Span(x, 2 + columns.state, f"{sign} {fit(word, columns.state)}", role)
    x += columns.state + 3
    for text, width, its_role in zip(type_and_name, (columns.type, columns.name), ("dim", "name"), strict=True):
        if width:
            yield Span(x, width, fit(text, width), its_role)
            x += width + 1


def _text_and_right(columns: Columns, text: str, right: Sequence[Span]) -> Iterator[Span]:
    """Yield the prompt up to the columns behind it, and those."""
    end = right[0].x - 2 if right else columns.width
    width = max(0, end - columns.text_x)
    yield Span(columns.text_x, width, fit(text, width), "text")
    yield from right


def _prompt_text(job: Job) -> str:
    star = "★ " if job.starred else ""
    word = ""
    if job.state in LIVE_STATES and job.status_text[:24].strip().lower() not in PLAIN_STATUS_TEXTS:
        word = f"“{sanitize(job.status_text, limit=24)}” "
    return star + word + sanitize(job.request.prompt.strip(), limit=MAX_TEXT_CHARS)


def _column_spans(columns: Columns, texts: tuple[str, str, str]) -> list[Span]:
    """Return the columns behind the prompt with these texts, aligned to the right."""
    spans = []
    x = columns.width - 1 - columns.right
    for text, width in zip(texts, (columns.clock, columns.size, columns.last), strict=True):
        if width:
            spans.append(Span(x, width, fit(text, width, align_right=True), "dim"))
            x += width + 2
    return spans


def _reason_spans(columns: Columns, reason: str, role: str, tail: str, prompt: str, share: float = 0.5) -> list[Span]:
    """Return why a job waits or ended, and the cost.

    They get this share of what prompt and columns have together, or what the prompt leaves of it.
    """
    room = columns.width - 1 - columns.text_x
    tail_width = len(tail) + 2 if tail else 0
    most = max(_MIN_REASON_COLUMNS, int(room * share), room - 2 - cell_len(prompt))
    width = min(max(columns.right, cell_len(reason) + tail_width), most) - tail_width
    separator = " · "
    while cell_len(reason) > width and separator in reason:
        reason = reason.rpartition(separator)[0]
    x = columns.width - 1 - width - tail_width
    spans = [Span(x, width, fit(reason, width), role)]
    return [*spans, Span(columns.width - 1 - len(tail), len(tail), tail, "dim")] if tail else spans


def _progress_spans(job: Job, clock: str, columns: Columns, remaining_seconds: float | None) -> list[Span]:
    percent = _progress_percent(job)
    shown = f"{percent} %" if job.state is not JobState.SUBMITTING else ""
    if not columns.size:
        return _column_spans(columns, (clock, "", shown))
    bar_width = columns.size - len("100 % ")
    spans = _column_spans(columns, (clock, "", format_remaining(remaining_seconds)))
    x = spans[1].x
    spans[1:2] = [
        Span(x, 6, fit(shown, 5, align_right=True) + " ", "text"),
        *bar_spans(percent, x + 6, bar_width),
    ]
    return spans


def _progress_percent(job: Job) -> int:
    return max(0, min(100, job.progress))


def bar_spans(percent: int, x: int, width: int) -> Iterator[Span]:
    """Yield a bar `width` columns wide at column `x`."""
    halves = percent * width * 2 // 100
    full = "━" * (halves // 2) + ("╸" if halves % 2 else "")
    # Both parts are always there, if need be with no width, so that lines of one job compare cell by cell.
    yield Span(x, len(full), full, "bar")
    yield Span(x + len(full), width - len(full), "╌" * (width - len(full)), "track")


def _clock_text(job: Job, now: float, clock_step: float) -> str:
    if job.state in LIVE_STATES:
        return format_short_duration(elapsed(job, now, clock_step)) if job.watched else ""
    seconds = run_seconds(job)
    return format_short_duration(seconds) if seconds is not None else ""


def _cost_text(job: Job) -> str:
    cost = cost_label(job)
    return cost if cost.startswith("~") or not cost else f"−{cost}"


def _reason_and_role(job: Job) -> tuple[str, str]:
    if job.state is JobState.UNCONFIRMED:
        return _unconfirmed_reason(job)
    if job.state is JobState.LOST:
        return "unknown to the API", "warn"
    if job.waiting_reason and (job.state in LIVE_STATES or job.needs_download):
        return sanitize(job.waiting_reason, limit=MAX_TEXT_CHARS), "warn"
    if job.state in LIVE_STATES:
        if not job.watched:
            return "not watched", "dim"
        return "overdue" if job.state is JobState.STALLED else "", "dim"
    # The state's word already says what happened to the file.
    if job.file_state in _FILE_REMEDIES:
        return _FILE_REMEDIES[job.file_state], "dim"
    return sanitize(job.error, limit=MAX_TEXT_CHARS), "dim"


def _unconfirmed_reason(job: Job) -> tuple[str, str]:
    if job.retried_by is not None:
        return "sent again", "dim"
    if job.dismissed:
        return "dismissed", "dim"
    verdict = job.verdict or Verdict.UNKNOWN
    word = "may be charged" if verdict is Verdict.UNKNOWN else str(verdict)
    return f"{word} · t retry", "warn"


def batch_line(
    jobs: Sequence[Job],
    columns: Columns,
    *,
    opened: bool,
    cursor: bool = False,
    marked: bool = False,
) -> Line:
    """Return the batch as cells that fill exactly `columns.width` columns; the newest of its jobs comes first."""
    summary = summarize(jobs)
    roles = (
        (summary.in_progress, "live"), (summary.unconfirmed or summary.lost, "warn"), (summary.failed, "bad"), (1, "ok")
    )  # fmt: skip
    role = next(role for count, role in roles if count)
    types = {job.request.type for job in jobs}
    kind = _TYPE_LABELS[jobs[0].request.type] if len(types) == 1 else "mixed"
    names = _batch_character_names(jobs, columns.name)
    is_exact = not any(cost_label(job).startswith("~") for job in jobs)
    cost = f"{'−' if is_exact else '~'}{format_amount(summary.cost)}" if summary.cost else ""
    tail = f"{summary.percent} %" if summary.in_progress else cost
    prompt = sanitize(jobs[0].request.prompt.strip(), limit=MAX_TEXT_CHARS)
    right = []
    if columns.right:
        words = batch_summary_text(summary)
        right = _reason_spans(columns, words, role, tail if columns.type else "", prompt, 0.65)
    sign = "▾" if opened else "▸"
    spans = [
        *gutter_spans(cursor=cursor, marked=marked),
        *_left_spans(columns, sign, f"{summary.job_count} jobs", role, (kind, names)),
        *_text_and_right(columns, prompt, right),
    ]
    return layout_spans(columns.width, iter(spans))


def batch_summary_text(summary: BatchSummary) -> str:
    """Return how the batch stands, what matters most first."""
    counts = (
        (summary.unconfirmed, "unconfirmed"), (summary.lost, "lost"), (summary.failed, "failed"),
        (summary.rejected, "rejected"), (summary.without_file, "without file"), (summary.queued, "queued"),
    )  # fmt: skip
    words = [*(f"{count} {word}" for count, word in counts if count)]
    return " · ".join([f"{summary.done}/{summary.job_count} done", *words])


def _batch_character_names(jobs: Sequence[Job], width: int) -> str:
    names = dict.fromkeys(job.name or job.request.character for job in jobs)
    if len(names) > 1:
        count = f"{len(names)} chars"
        return count if len(count) <= width else f"{len(names)} ch."
    return sanitize(next(iter(names)), limit=MAX_TEXT_CHARS)
