"""One job as one line: pure functions from a snapshot, the time and a width to cells."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache

import msgspec
from rich.cells import cell_len

from eternal_tui.core.sanitize import sanitize
from eternal_tui.jobs.batch import BatchSummary, summarize
from eternal_tui.jobs.formatting import state_label
from eternal_tui.jobs.model import FileState, Job, JobState, Verdict
from eternal_tui.tui.terminal.glyphs import UNICODE, Glyphs
from eternal_tui.tui.widgets.cells import Line, Span, fit, layout_spans

PLAIN_STATUS_TEXTS = frozenset({"", "pending", "running"})
"""Words of a live job that say no more than "running" does; any other is shown as it came."""

LIVE_STATES = frozenset({JobState.SUBMITTING, JobState.RUNNING, JobState.STALLED})

MAX_TEXT_CHARS = 300
"""Characters of outside text looked at for a line: more than any line holds."""
_MIN_REASON_COLUMNS = 12
_MIN_COLUMNS_WITH_COST = 30
_TYPE_LABELS = {"image": "image", "video": "video", "character": "char"}
_STATE_ROLES = {
    "queued": "live", "submitting": "live", "running": "live", "fetching": "live", "saved": "ok", "created": "ok",
    "failed": "bad", "rejected": "bad", "unsent": "bad", "broken": "bad",
}  # fmt: skip
_GLYPH_ALIASES = {"created": "saved", "unsent": "rejected", "missing": "broken", "queued": "submitting"}
_SHORT_LABELS = {"submitting": "sending", "unconfirmed": "charged?"}


class Columns(msgspec.Struct, frozen=True):
    """Widths of a line's columns in cells; 0 leaves a column out. `text` takes what the others leave."""

    width: int
    state: int
    type: int
    name: int
    clock: int
    percent: int
    bar: int
    note: int

    @property
    def text_x(self) -> int:
        """Where the prompt starts: behind gutter, sign, state word, type and name."""
        return 4 + sum(part + 1 for part in (self.state, self.type, self.name) if part)

    @property
    def right(self) -> int:
        """Cells of the right part, gaps and the margin included."""
        parts = [part for part in (self.clock, self.percent, self.bar, self.note) if part]
        return sum(parts) + 2 * len(parts) + (1 if parts else 0)

    @property
    def text(self) -> int:
        """Cells of the prompt."""
        return max(0, self.width - self.text_x - self.right)


# (from this width on: word, type, name, clock, percent, bar, note). What tells most about a job goes last.
_COLUMN_WIDTHS = (
    (150, (11, 5, 14, 5, 5, 16, 16)),
    (112, (11, 5, 12, 5, 5, 12, 16)),
    (94, (11, 5, 9, 5, 5, 8, 16)),
    (74, (11, 5, 8, 5, 5, 10, 0)),
    (58, (11, 5, 0, 5, 5, 6, 0)),
    (46, (8, 0, 0, 0, 5, 6, 0)),
    (34, (8, 0, 0, 0, 5, 0, 0)),
    (0, (8, 0, 0, 0, 0, 0, 0)),
)


@lru_cache(maxsize=64)
def columns_for(width: int) -> Columns:
    """Return the columns of a line `width` cells wide."""
    return Columns(width, *next(parts for least, parts in _COLUMN_WIDTHS if width >= least))


def state_labels(job: Job) -> tuple[str, str, str]:
    """Return the word for the job's state, one of at most eight cells, and its role."""
    label = state_label(job)
    return label, _SHORT_LABELS.get(label, label), _STATE_ROLES.get(label, "warn")


def state_glyph(job: Job, glyphs: Glyphs) -> str:
    """Return the sign of the job's state, one cell wide."""
    if job.state in LIVE_STATES and not job.watched:
        return glyphs.unwatched
    label = state_label(job)
    return str(getattr(glyphs, _GLYPH_ALIASES.get(label, label)))


def has_clock(job: Job) -> bool:
    """Tell whether the job's line changes by the passing of time alone."""
    return job.state in LIVE_STATES and job.watched


def elapsed(job: Job, now: float, clock_step: float) -> float:
    """Return the seconds a job has been under way at `now`, in whole steps: its line is another when they are."""
    begun = job.submitted_at if job.submitted_at is not None else job.created_at
    return (now - begun) // clock_step * clock_step


def format_short_duration(seconds: float) -> str:
    """Return a length of time in at most five cells: 0:41, 12:05, from an hour on 1h02, from 100 hours on days."""
    whole = int(max(0.0, min(seconds, 1e12)))
    if whole < 3_600:
        return f"{whole // 60}:{whole % 60:02d}"
    if whole < 360_000:
        return f"{whole // 3_600}h{whole // 60 % 60:02d}"
    return f"{min(whole // 86_400, 9_999)}d"


def format_remaining(seconds: float | None) -> str:
    """Return an estimate of the time left, in steps coarse enough for an estimate; empty when there is none."""
    if seconds is None:
        return ""
    if seconds < 3:
        return "any moment"
    step = 5 if seconds < 60 else 15 if seconds < 600 else 60
    return f"about {format_short_duration(-(-seconds // step) * step)} left"


def job_line(
    job: Job,
    now: float,
    width: int,
    *,
    glyphs: Glyphs = UNICODE,
    remaining_seconds: float | None = None,
    cursor: bool = False,
    marked: bool = False,
    clock_step: float = 1.0,
    retry_key: str = "t",
) -> Line:
    """Return the job as cells that fill exactly `width` columns.

    `now` is in seconds since the epoch, `remaining_seconds` the estimated seconds to the end, `clock_step` the
    seconds by which running clocks advance.
    """
    parts = columns_for(width)
    return layout_spans(
        width,
        (
            cell
            for group in (
                gutter_spans(glyphs, cursor=cursor, marked=marked),
                _left_spans(job, parts, glyphs),
                _right_spans(job, now, parts, glyphs, remaining_seconds, clock_step, retry_key),
            )
            for cell in group
        ),
    )


def gutter_spans(glyphs: Glyphs, *, cursor: bool, marked: bool) -> Iterator[Span]:
    """Yield the cells before a line: whether it is under the cursor, and marked."""
    yield Span(0, 1, glyphs.cursor if cursor else " ", "cursor")
    yield Span(1, 1, glyphs.mark if marked else " ", "mark")


def _left_spans(job: Job, layout: Columns, glyphs: Glyphs) -> Iterator[Span]:
    long, short, role = state_labels(job)
    settled = job.dismissed or job.retried_by is not None or (job.state in LIVE_STATES and not job.watched)
    word = fit(long if layout.state >= len(long) else short, layout.state, ellipsis=glyphs.ellipsis)
    yield Span(2, 2 + layout.state, f"{state_glyph(job, glyphs)} {word}", "dim" if settled else role)
    x = 5 + layout.state
    if layout.type:
        yield Span(x, layout.type, fit(_TYPE_LABELS[job.request.type], layout.type), "dim")
        x += layout.type + 1
    if layout.name:
        name = glyphs.to_drawable(sanitize(job.name or job.request.character, limit=MAX_TEXT_CHARS))
        yield Span(x, layout.name, fit(name, layout.name, ellipsis=glyphs.ellipsis), "name")
    yield Span(
        layout.text_x, layout.text, fit(_prompt_text(job, glyphs), layout.text, ellipsis=glyphs.ellipsis), "text"
    )


def _prompt_text(job: Job, glyphs: Glyphs) -> str:
    star = f"{glyphs.star} " if job.starred else ""
    word = ""
    if job.state in LIVE_STATES and job.word[:24].strip().lower() not in PLAIN_STATUS_TEXTS:
        word = f"{glyphs.quotes[0]}{sanitize(job.word, limit=24)}{glyphs.quotes[1]} "
    return star + glyphs.to_drawable(word + sanitize(job.request.prompt.strip(), limit=MAX_TEXT_CHARS))


def _right_spans(
    job: Job,
    now: float,
    layout: Columns,
    glyphs: Glyphs,
    remaining_seconds: float | None,
    clock_step: float,
    retry_key: str,
) -> Iterator[Span]:
    x = layout.text_x + layout.text + 2
    reason, role = _reason_and_role(job, glyphs, retry_key)
    live = job.state in LIVE_STATES or job.needs_download
    if reason and not live and not layout.note and layout.clock:
        # Too narrow for both: why it ended is worth more than how long it took.
        yield from _reason_spans(job, x, layout, glyphs, reason, role)
        return
    if job.trouble and live and not layout.note and layout.clock:
        yield from _reason_spans(job, x, layout, glyphs, f"{_progress_percent(job)} % {reason}", role)
        return
    if layout.clock:
        yield Span(
            x,
            layout.clock,
            fit(_clock_text(job, now, clock_step), layout.clock, align_right=True, ellipsis=glyphs.ellipsis),
            "dim",
        )
        x += layout.clock + 2
    if live:
        yield from _progress_spans(job, x, layout, glyphs, reason or format_remaining(remaining_seconds), role)
    elif reason:
        yield from _reason_spans(job, x, layout, glyphs, reason, role)
    else:
        yield from _result_spans(job, x, layout, glyphs)


def _reason_spans(job: Job, x: int, layout: Columns, glyphs: Glyphs, reason: str, role: str) -> Iterator[Span]:
    room = layout.width - x - 1
    if room < _MIN_REASON_COLUMNS:
        return
    cost = _cost_text(job, glyphs) if room >= _MIN_COLUMNS_WITH_COST else ""
    space = room - len(cost) - 2 if cost else room
    if cell_len(reason) > space:
        reason = reason.partition(f" {glyphs.dot} ")[0]
    yield Span(x, space, fit(reason, space, ellipsis=glyphs.ellipsis), role)
    yield Span(x + room - len(cost), len(cost), cost, "dim")


def _progress_spans(job: Job, x: int, layout: Columns, glyphs: Glyphs, note: str, role: str) -> Iterator[Span]:
    percent = _progress_percent(job)
    if layout.percent:
        sent = job.state is not JobState.SUBMITTING
        yield Span(x, layout.percent, fit(f"{percent} %" if sent else "", layout.percent, align_right=True), "text")
        x += layout.percent + 2
    if job.trouble and layout.bar:
        room = layout.width - x - 1
        yield Span(x, room, fit(note, room, ellipsis=glyphs.ellipsis), role)
    elif layout.bar:
        yield from bar_spans(percent, x, layout.bar, glyphs)
        x += layout.bar + 2
        yield Span(x, layout.note, fit(note, layout.note, ellipsis=glyphs.ellipsis), role)


def _progress_percent(job: Job) -> int:
    return 100 if job.state is JobState.SUCCEEDED else max(0, min(100, job.progress))


def bar_spans(percent: int, x: int, width: int, glyphs: Glyphs) -> Iterator[Span]:
    """Yield a bar `width` columns wide at column `x`."""
    halves = percent * width * 2 // 100
    full = glyphs.bar_full * (halves // 2) + (glyphs.bar_half if halves % 2 else "")
    # Both parts are always there, if need be with no width, so that lines of one job compare cell by cell.
    yield Span(x, len(full), full, "bar")
    yield Span(x + len(full), width - len(full), glyphs.bar_rest * (width - len(full)), "track")


def _result_spans(job: Job, x: int, layout: Columns, glyphs: Glyphs) -> Iterator[Span]:
    if job.state is JobState.SUCCEEDED and layout.percent:
        yield Span(x, layout.percent, fit("100 %", layout.percent, align_right=True), "dim")
    x += layout.percent + 2
    if layout.note:
        size = f"{job.facts.width}{glyphs.times}{job.facts.height}" if job.facts and job.facts.width else ""
        yield Span(x, layout.bar, fit(size, layout.bar, ellipsis=glyphs.ellipsis), "dim")
        x += layout.bar + 2
        yield Span(
            x, layout.note, fit(_cost_text(job, glyphs), layout.note, align_right=True, ellipsis=glyphs.ellipsis), "dim"
        )
    elif layout.bar:
        yield Span(
            x, layout.bar, fit(_cost_text(job, glyphs), layout.bar, align_right=True, ellipsis=glyphs.ellipsis), "dim"
        )


def run_seconds(job: Job) -> float | None:
    """Return the whole seconds from the sending of a job to its end, None where one of both is missing."""
    begun = job.submitted_at if job.submitted_at is not None else job.created_at
    return (job.finished_at - begun) // 1 if job.finished_at is not None else None


def _clock_text(job: Job, now: float, clock_step: float) -> str:
    if job.state in LIVE_STATES:
        return format_short_duration(elapsed(job, now, clock_step)) if job.watched else ""
    seconds = run_seconds(job)
    return format_short_duration(seconds) if seconds is not None else ""


def _cost_text(job: Job, glyphs: Glyphs) -> str:
    return f"{glyphs.minus}{job.cost:.2f}" if job.cost else ""


def _reason_and_role(job: Job, glyphs: Glyphs, retry_key: str) -> tuple[str, str]:
    if job.state is JobState.UNCONFIRMED:
        return _unconfirmed_reason(job, glyphs, retry_key)
    if job.state is JobState.LOST:
        return "the service does not know it any more", "warn"
    if job.trouble and (job.state in LIVE_STATES or job.needs_download):
        return glyphs.to_drawable(sanitize(job.trouble, limit=MAX_TEXT_CHARS)), "warn"
    if job.state in LIVE_STATES:
        if not job.watched:
            return "not watched", "dim"
        return "overdue" if job.state is JobState.STALLED else "", "dim"
    if job.error:
        return glyphs.to_drawable(sanitize(job.error, limit=MAX_TEXT_CHARS)), "dim"
    if job.file_state is FileState.EXPIRED:
        return "the link ended before it was saved", "dim"
    return "", "dim"


def _unconfirmed_reason(job: Job, glyphs: Glyphs, retry_key: str) -> tuple[str, str]:
    if job.retried_by is not None:
        return "sent again", "dim"
    if job.dismissed:
        return "dismissed", "dim"
    verdict = job.verdict or Verdict.UNKNOWN
    word = "may be charged" if verdict is Verdict.UNKNOWN else str(verdict)
    return glyphs.to_drawable(f"{word} {glyphs.dot} {retry_key} retry"), "warn"


def batch_line(
    jobs: Sequence[Job],
    width: int,
    *,
    opened: bool,
    glyphs: Glyphs = UNICODE,
    cursor: bool = False,
    marked: bool = False,
) -> Line:
    """Return the batch as cells that fill exactly `width` columns; the newest of its jobs comes first."""
    parts, now = columns_for(width), summarize(jobs)
    cells = (
        gutter_spans(glyphs, cursor=cursor, marked=marked),
        _batch_left_spans(jobs, now, parts, glyphs, opened),
        _batch_right_spans(now, parts, glyphs),
    )
    return layout_spans(width, (cell for group in cells for cell in group))


def batch_summary_text(summary: BatchSummary, glyphs: Glyphs = UNICODE, *, with_cost: bool = True) -> str:
    """Return how the batch stands, what matters most first.

    `with_cost` says whether about what it costs is among it.
    """
    counts = ((summary.needs_decision, "to decide"), (summary.failed, "failed"))
    words = [f"{summary.done} of {summary.job_count} done", *(f"{count} {word}" for count, word in counts if count)]
    if with_cost and summary.cost:
        words.append(f"about {summary.cost:.2f}")
    return f" {glyphs.dot} ".join(words)


def _batch_left_spans(
    jobs: Sequence[Job], summary: BatchSummary, layout: Columns, glyphs: Glyphs, opened: bool
) -> Iterator[Span]:
    role = "live" if summary.in_progress else "warn" if summary.needs_decision else "bad" if summary.failed else "ok"
    sign = glyphs.opened if opened else glyphs.folded
    yield Span(
        2, 2 + layout.state, f"{sign} {fit(f'{summary.job_count} jobs', layout.state, ellipsis=glyphs.ellipsis)}", role
    )
    x = 5 + layout.state
    if layout.type:
        kinds = {job.request.type for job in jobs}
        word = "both" if len(kinds) > 1 else "clip" if "video" in kinds else "pic"
        yield Span(x, layout.type, fit(word, layout.type), "dim")
        x += layout.type + 1
    if layout.name:
        yield Span(
            x, layout.name, fit(_batch_character_names(jobs, glyphs), layout.name, ellipsis=glyphs.ellipsis), "name"
        )
    words = batch_summary_text(summary, glyphs, with_cost=not layout.note)
    prompt = glyphs.to_drawable(sanitize(jobs[0].request.prompt.strip(), limit=MAX_TEXT_CHARS))
    # The figures are what the line is for; the prompt takes what they leave.
    room = _batch_text_width(layout)
    said = min(len(words), room)
    yield Span(
        layout.text_x,
        said,
        fit(words, said, ellipsis=glyphs.ellipsis),
        role if summary.failed or summary.needs_decision else "text",
    )
    room -= said
    yield Span(layout.text_x + said, room, fit(f"  {prompt}", room, ellipsis=glyphs.ellipsis), "dim")


def _batch_text_width(layout: Columns) -> int:
    """Return the cells of the text: a batch has no clock of its own, and the column is the text's."""
    return layout.text + (layout.clock + 2 if layout.clock else 0)


def _batch_character_names(jobs: Sequence[Job], glyphs: Glyphs) -> str:
    names = dict.fromkeys(job.name or job.request.character for job in jobs)
    if len(names) > 1:
        return f"{len(names)} people"
    return glyphs.to_drawable(sanitize(next(iter(names)), limit=MAX_TEXT_CHARS))


def _batch_right_spans(summary: BatchSummary, layout: Columns, glyphs: Glyphs) -> Iterator[Span]:
    x = layout.text_x + _batch_text_width(layout) + 2
    if layout.percent:
        yield Span(
            x,
            layout.percent,
            fit(f"{summary.percent} %", layout.percent, align_right=True),
            "text" if summary.in_progress else "dim",
        )
        x += layout.percent + 2
    if layout.bar and summary.in_progress:
        yield from bar_spans(summary.percent, x, layout.bar, glyphs)
    if layout.note and summary.cost:
        cost = fit(f"about {summary.cost:.2f}", layout.note, align_right=True, ellipsis=glyphs.ellipsis)
        yield Span(x + layout.bar + 2, layout.note, cost, "dim")
