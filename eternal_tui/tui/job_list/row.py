"""Lines of the list, one for a job or batch, with what a running job still needs; its title; why nothing is listed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from rich.cells import cell_len

from eternal_tui.core.formatting import format_amount, format_remaining, format_short_duration
from eternal_tui.core.sanitize import SafeText, format_safe, sanitize
from eternal_tui.jobs.batch import summarize
from eternal_tui.jobs.filter import JobFilter
from eternal_tui.jobs.formatting import cost_label
from eternal_tui.jobs.model import FileState, Job, JobState, Verdict
from eternal_tui.tui.job_list.index import NEWEST_FIRST, JobIndex
from eternal_tui.tui.widgets.cells import Line, Part, fit
from eternal_tui.tui.widgets.jobs import LIVE_STATES, run_seconds, state_glyph, state_labels

PLAIN_STATUS_TEXTS = frozenset({"", "pending", "running"})
"""Statuses of a live job that mean "running"; any other is shown."""

MAX_TEXT_CHARS = 300
"""Characters of outside text that are laid out: more than any line holds."""

MAX_NAME_COLUMNS = 14
_CHILD_INDENT = 2
_MIN_REASON_COLUMNS = 12
_MIN_COLUMNS_WITH_COST = 63
"""Cells from the prompt on, below which a reason has no cost behind it."""
_BAR_COLUMNS = 3
_FILE_REMEDIES = {FileState.EXPIRED: "t refresh", FileState.MISSING: "t download"}
_TYPE_LABELS = {"image": "image", "video": "video", "character": "char"}


class Columns(NamedTuple):
    """Widths of a line's columns in cells; 0 leaves a column out.

    The prompt gets what the others leave. `size` is the file's or the progress bar's, `last` the cost, the percentage
    or the time left.
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
        """Where the prompt starts: behind cursor, mark, a blank, the state's sign, and the columns before it."""
        return 5 + self.indent + sum(part + 1 for part in (self.state, self.type, self.name) if part)

    @property
    def right(self) -> int:
        """Cells of the columns behind the prompt, with the gaps between them."""
        return max(0, sum(part + 2 for part in (self.clock, self.size, self.last) if part) - 2)


# (from this width on: state, type, name at most, clock, size, last)
_COLUMN_WIDTHS = (
    (100, (11, 5, MAX_NAME_COLUMNS, 5, 9, 6)),
    (84, (8, 5, 10, 5, 0, 6)),
    (64, (8, 5, 8, 0, 0, 6)),
    (34, (8, 0, 0, 0, 0, 6)),
    (0, (8, 0, 0, 0, 0, 0)),
)


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
    job: Job, now: float, columns: Columns, *, remaining_seconds: float | None = None, clock_step: float = 1.0
) -> Line:
    """Return the line of a job.

    `now` is in seconds since the epoch, `remaining_seconds` the estimated seconds to the end, `clock_step` the
    seconds by which running clocks advance.
    """
    long, short, role = state_labels(job)
    live = job.state in LIVE_STATES
    if job.dismissed or job.retried_by is not None or (live and not job.watched):
        role = "dim"
    prompt, clock, cost = _prompt_text(job), _clock_text(job, now, clock_step), _cost_text(job)
    percent = max(0, min(100, job.progress))
    reason, reason_role = _reason_and_role(job)
    if live and job.waiting_reason:
        reason = f"{percent} % {reason}"
    if reason:
        has_room = columns.width - columns.text_x >= _MIN_COLUMNS_WITH_COST
        right = _reason_parts(columns, Part(reason, reason_role), cost if has_room else "", prompt)
    elif live:
        shown = f"{percent} %" if job.state is not JobState.SUBMITTING else ""
        bar = [Part(f"{shown:>5} ", "text"), *_bar_parts(percent)]
        right = _column_parts(columns, clock, bar, format_remaining(remaining_seconds) if columns.size else shown)
    else:
        info = job.file_info
        size = f"{info.width}×{info.height}" if info and info.width else ""
        right = _column_parts(columns, clock, [Part(fit(size, columns.size, align_right=True), "dim")], cost)
    state = Part(f"{state_glyph(job)} {fit(long if columns.state >= len(long) else short, columns.state)}", role)
    return _line(columns, state, _TYPE_LABELS[job.request.type], _name(job), prompt, right)


def _line(columns: Columns, state: Part, kind: str, name: str, prompt: str, right: Sequence[Part]) -> Line:
    """Return a line from the sign of its state on."""
    room = columns.width - columns.text_x
    if right:
        right = [*right, Part(" ")]
        room -= sum(cell_len(part.text) for part in right) + 2
    middle = (Part(f"{kind:{columns.type}} ", "dim"), Part(f"{fit(name, columns.name)} ", "name"))
    return (
        Part(f"{' ' * columns.indent}{state.text} ", state.role),
        *(part for part, width in zip(middle, (columns.type, columns.name), strict=True) if width),
        Part(f"{fit(prompt, room)}  " if right else fit(prompt, room), "text"),
        *right,
    )


def _name(job: Job) -> str:
    return sanitize(job.name or job.request.character, limit=MAX_TEXT_CHARS)


def _prompt_text(job: Job) -> str:
    star = "★ " if job.starred else ""
    word = ""
    if job.state in LIVE_STATES and job.status_text[:24].strip().lower() not in PLAIN_STATUS_TEXTS:
        word = f"“{sanitize(job.status_text, limit=24)}” "
    return star + word + sanitize(job.request.prompt.strip(), limit=MAX_TEXT_CHARS)


def _column_parts(columns: Columns, clock: str, size: Sequence[Part], last: str) -> list[Part]:
    """Return the columns behind the prompt, their texts aligned to the right."""
    parts = []
    if columns.clock:
        parts.append(Part(f"{fit(clock, columns.clock, align_right=True)}  ", "dim"))
    if columns.size:
        parts += [*size, Part("  ")]
    if columns.last:
        parts.append(Part(fit(last, columns.last, align_right=True), "dim"))
    return parts


def _reason_parts(columns: Columns, reason: Part, tail: str, prompt: str, share: float = 0.5) -> list[Part]:
    """Return why a job waits or ended, and the cost.

    They get this share of what prompt and columns have together, or what the prompt leaves of it.
    """
    if not columns.right:
        return []
    text = reason.text
    room = columns.width - 1 - columns.text_x
    tail_width = len(tail) + 2 if tail else 0
    most = max(_MIN_REASON_COLUMNS, int(room * share), room - 2 - cell_len(prompt))
    width = min(max(columns.right, cell_len(text) + tail_width), most) - tail_width
    while cell_len(text) > width and " · " in text:
        text = text.rpartition(" · ")[0]
    return [Part(fit(text, width), reason.role), *([Part(f"  {tail}", "dim")] if tail else ())]


def _bar_parts(percent: int) -> list[Part]:
    """Return the cells of a bar: full, half or empty."""
    halves = percent * _BAR_COLUMNS * 2 // 100
    full, half = divmod(halves, 2)
    cells = "━" * full + "╸" * half
    return [Part(each, "bar") for each in cells] + [Part("╌", "track")] * (_BAR_COLUMNS - len(cells))


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
    # The state's label already includes the file.
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


def batch_line(jobs: Sequence[Job], columns: Columns, *, opened: bool) -> Line:
    """Return the line of a batch; the newest of its jobs comes first."""
    summary = summarize(jobs)
    roles = (
        (summary.in_progress, "live"), (summary.unconfirmed or summary.lost, "warn"), (summary.failed, "bad"), (1, "ok")
    )  # fmt: skip
    role = next(role for count, role in roles if count)
    types = {job.request.type for job in jobs}
    kind = _TYPE_LABELS[jobs[0].request.type] if len(types) == 1 else "mixed"
    names = {job.name or job.request.character for job in jobs}
    name = _name(jobs[0])
    if len(names) > 1:
        name = f"{len(names)} {'chars' if columns.name >= len(f'{len(names)} chars') else 'ch.'}"
    is_exact = not any(cost_label(job).startswith("~") for job in jobs)
    tail = f"{'−' if is_exact else '~'}{format_amount(summary.cost)}" if summary.cost else ""
    if summary.in_progress:
        tail = f"{summary.percent} %"
    prompt = sanitize(jobs[0].request.prompt.strip(), limit=MAX_TEXT_CHARS)
    counts = (
        (summary.unconfirmed, "unconfirmed"), (summary.lost, "lost"), (summary.failed, "failed"),
        (summary.rejected, "rejected"), (summary.without_file, "without file"), (summary.queued, "queued"),
    )  # fmt: skip
    words = [f"{summary.done}/{summary.job_count} done", *(f"{count} {word}" for count, word in counts if count)]
    right = _reason_parts(columns, Part(" · ".join(words), role), tail if columns.type else "", prompt, 0.65)
    state = Part(f"{'▾' if opened else '▸'} {fit(f'{summary.job_count} jobs', columns.state)}", role)
    return _line(columns, state, kind, name, prompt, right)


FACET_LABELS = {"attention": "needs attention"}
EMPTY_HISTORY_TEXT = SafeText("No jobs yet. Press n to create one.")


def list_title(
    job_filter: JobFilter, order: str, *, listed: int, known: int, marked: int = 0, new_above: int = 0
) -> SafeText:
    """Return the title: filter, counts of listed and marked jobs, order.

    `new_above` jobs came above those in view, and are named too.
    """
    words = [FACET_LABELS.get(job_filter.facet, job_filter.facet), sanitize(job_filter.text.strip(), limit=24)]
    if job_filter.terms:
        words = words[job_filter.facet == "all" :]
    else:
        words.pop()
    counts = [] if job_filter.is_empty else [f"{listed:,} of {known:,}"]
    parts = (
        "Jobs",
        " ".join([*words, *counts]),
        "" if order == NEWEST_FIRST.name else order,
        f"{marked:,} marked" if marked else "",
        f"{new_above:,} new above" if new_above else "",
    )
    return sanitize(" · ".join(filter(None, parts)))


def list_position(at: int | None, count: int, search: str = "") -> SafeText:
    """Return where the cursor is among the jobs found, such as 3/17; `at` is None where it is on none of them."""
    if not search.strip():
        return format_safe("{at}/{count}", at=at, count=count) if count else SafeText("")
    text = sanitize(search.strip(), limit=24)
    return format_safe("find {text} {at}/{count}", text=text, at=at or "-", count=count)


def empty_text(job_filter: JobFilter, known_count: int) -> SafeText:
    """Return why no job is listed and which key helps."""
    if not known_count:
        return EMPTY_HISTORY_TEXT
    if text := job_filter.text.strip():
        return format_safe("No job matches '{text}'. esc: clear the filter.", text=sanitize(text, limit=60))
    return format_safe(
        "No jobs under '{facet}'. f: next, esc: all.", facet=FACET_LABELS.get(job_filter.facet, job_filter.facet)
    )


ESTIMATE_LIFETIME_SECONDS = 8.0
"""Seconds after which a job of which nothing new is known is estimated again; until then its time runs down."""

MAX_ESTIMATES = 512
"""Estimates remembered: several screens of them."""


class _Estimate(NamedTuple):
    """The remaining seconds of a snapshot as estimated at a time."""

    job: Job
    at: float
    seconds: float | None


class JobLines:
    """Makes the lines of an index at `now`, in seconds since the epoch.

    `estimate_remaining` returns about how many seconds a job still needs, `clock_step` is the seconds by which
    running clocks advance: more over a slow line.
    """

    def __init__(self, index: JobIndex, estimate_remaining: Callable[[Job], float | None], clock_step: float) -> None:
        self.now = 0.0
        self._index = index
        self._estimate_remaining = estimate_remaining
        self._clock_step = clock_step
        self._estimates: dict[int, _Estimate] = {}
        self._made: dict[tuple[int, Columns, Part], Line] = {}
        self._name_columns = 1

    def set_time(self, now: float) -> None:
        """Make the lines of jobs as they are now."""
        self.now = now
        self._made.clear()

    def fit_names(self, jobs: Iterable[Job]) -> None:
        """Make the column of names as wide as the longest of these; it never shrinks, so that nothing jumps."""
        names = {job.name or job.request.character for job in jobs}
        widest = max((cell_len(sanitize(name, limit=MAX_TEXT_CHARS)) for name in names), default=0)
        self._name_columns = max(self._name_columns, min(widest, MAX_NAME_COLUMNS))

    def line_at(self, row: int, width: int, marked_ids: set[int]) -> Line:
        """Return the line of a row from the column of its mark on; the cursor's is before it."""
        ids, batch, job = self._index.ids_at(row), self._index.batch_at(row), self._index.job_at(row)
        columns = columns_for(width, self._name_columns, child=not batch and self._index.is_child(job))
        mark = Part("● " if marked_ids.issuperset(ids) else "  ", "mark")
        if batch:
            jobs = [self._index.jobs[job_id] for job_id in ids]
            return (mark, *batch_line(jobs, columns, opened=batch in self._index.open_batches))
        # A held key draws the same lines at each repeat.
        key = (job.id, columns, mark)
        line = self._made.get(key)
        if line is None:
            # Estimates cost time; narrow lines have no column for them.
            left = self._remaining_seconds(job) if has_clock(job) and columns.size else None
            made = job_line(job, self.now, columns, remaining_seconds=left, clock_step=self._clock_step)
            line = self._made[key] = (mark, *made)
        return line

    def _remaining_seconds(self, job: Job) -> float | None:
        known = self._estimates.get(job.id)
        if known is None or known.job is not job or not 0 <= self.now - known.at < ESTIMATE_LIFETIME_SECONDS:
            if len(self._estimates) >= MAX_ESTIMATES:
                self._estimates.clear()
            known = self._estimates[job.id] = _Estimate(job, self.now, self._estimate_remaining(job))
        return None if known.seconds is None else max(0.0, known.seconds - (self.now - known.at))
