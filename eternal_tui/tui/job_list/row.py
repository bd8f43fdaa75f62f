"""One job as one line: pure functions from a snapshot, the time and a width to cells."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache

import msgspec
from rich.cells import cell_len

from eternal_tui.core.sanitize import shown
from eternal_tui.jobs.batch import BatchFigures, figures
from eternal_tui.jobs.model import FileState, Job, JobState, Verdict
from eternal_tui.tui.terminal.glyphs import UNICODE, Glyphs
from eternal_tui.tui.widgets.cells import Cell, Line, fit, lay

PLAIN_WORDS = frozenset({"", "pending", "running"})
"""Words of a live job that say no more than "running" does; any other is shown as it came."""

LIVE = frozenset({JobState.SUBMITTING, JobState.RUNNING, JobState.STALLED})

TEXT_LIMIT = 300
"""Characters of outside text looked at for a line: more than any line holds."""
_ROOM_FOR_WORDS = 12
_ROOM_FOR_COST = 30
_FILE_WORDS = {
    None: ("saved", "saved", "ok"),
    FileState.PENDING: ("fetching", "fetching", "live"),
    FileState.SAVED: ("saved", "saved", "ok"),
    FileState.EXPIRED: ("expired", "expired", "warn"),
    FileState.BROKEN: ("broken", "broken", "bad"),
}
_CREATED = ("created", "created", "ok")
_KINDS = {"image": "pic", "video": "clip", "character": "char"}
_STATE_WORDS = {
    JobState.SUBMITTING: ("submitting", "sending", "live"),
    JobState.REJECTED: ("rejected", "rejected", "bad"),
    JobState.UNCONFIRMED: ("unconfirmed", "charged?", "warn"),
    JobState.RUNNING: ("running", "running", "live"),
    JobState.STALLED: ("stalled", "stalled", "warn"),
    JobState.LOST: ("lost", "lost", "warn"),
    JobState.FAILED: ("failed", "failed", "bad"),
}


class Columns(msgspec.Struct, frozen=True):
    """Widths of a line's columns in cells; 0 leaves a column out. `text` takes what the others leave."""

    width: int
    word: int
    kind: int
    name: int
    clock: int
    percent: int
    bar: int
    note: int

    @property
    def text_x(self) -> int:
        """Where the prompt starts: behind gutter, sign, state word, type and name."""
        return 4 + sum(part + 1 for part in (self.word, self.kind, self.name) if part)

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
_TIERS = (
    (150, (11, 4, 14, 5, 5, 16, 16)),
    (112, (11, 4, 12, 5, 5, 12, 16)),
    (94, (11, 4, 9, 5, 5, 8, 16)),
    (74, (11, 4, 8, 5, 5, 10, 0)),
    (58, (11, 4, 0, 5, 5, 6, 0)),
    (46, (8, 0, 0, 0, 5, 6, 0)),
    (34, (8, 0, 0, 0, 5, 0, 0)),
    (0, (8, 0, 0, 0, 0, 0, 0)),
)


@lru_cache(maxsize=64)
def columns(width: int) -> Columns:
    """Return the columns of a line `width` cells wide."""
    return Columns(width, *next(parts for least, parts in _TIERS if width >= least))


def state_words(job: Job) -> tuple[str, str, str]:
    """Return the word a person reads for the job's state, one of at most eight cells, and its role."""
    if job.state is JobState.SUCCEEDED:
        return _CREATED if job.is_creation else _FILE_WORDS[job.file_state]
    return _STATE_WORDS[job.state]


def sign(job: Job, glyphs: Glyphs) -> str:
    """Return the sign of the job's state, one cell wide."""
    if job.state in LIVE and not job.watched:
        return glyphs.unwatched
    if job.state is JobState.SUCCEEDED:
        return str(getattr(glyphs, _FILE_WORDS[job.file_state][0]))
    return str(getattr(glyphs, job.state))


def ticks(job: Job) -> bool:
    """Tell whether the job's line changes by the passing of time alone."""
    return job.state in LIVE and job.watched


def elapsed(job: Job, now: float, step: float) -> float:
    """Return the seconds a job has been under way at `now`, in whole steps: its line is another when they are."""
    begun = job.submitted_at if job.submitted_at is not None else job.created_at
    return (now - begun) // step * step


def clock(seconds: float) -> str:
    """Return a length of time in at most five cells: 0:41, 12:05, from an hour on 1h02, from 100 hours on days."""
    whole = int(max(0.0, min(seconds, 1e12)))
    if whole < 3_600:
        return f"{whole // 60}:{whole % 60:02d}"
    if whole < 360_000:
        return f"{whole // 3_600}h{whole // 60 % 60:02d}"
    return f"{min(whole // 86_400, 9_999)}d"


def about(seconds: float | None) -> str:
    """Return an estimate of the time left, in steps coarse enough for an estimate; empty when there is none."""
    if seconds is None:
        return ""
    if seconds < 3:
        return "any moment"
    step = 5 if seconds < 60 else 15 if seconds < 600 else 60
    return f"about {clock(-(-seconds // step) * step)} left"


def job_line(
    job: Job,
    now: float,
    width: int,
    *,
    glyphs: Glyphs = UNICODE,
    left: float | None = None,
    cursor: bool = False,
    marked: bool = False,
    step: float = 1.0,
    retry_key: str = "t",
) -> Line:
    """Return the job as cells that fill exactly `width` columns.

    `now` is in seconds since the epoch, `left` the estimated seconds to the end, `step` the seconds by which running
    clocks advance.
    """
    parts = columns(width)
    return lay(
        width,
        (
            cell
            for group in (
                gutter(glyphs, cursor=cursor, marked=marked),
                _left(job, parts, glyphs),
                _right(job, now, parts, glyphs, left, step, retry_key),
            )
            for cell in group
        ),
    )


def gutter(glyphs: Glyphs, *, cursor: bool, marked: bool) -> Iterator[Cell]:
    """Yield the cells before a line: whether it is under the cursor, and marked."""
    yield Cell(0, 1, glyphs.cursor if cursor else " ", "cursor")
    yield Cell(1, 1, glyphs.mark if marked else " ", "mark")


def _left(job: Job, parts: Columns, glyphs: Glyphs) -> Iterator[Cell]:
    long, short, role = state_words(job)
    settled = job.dismissed or job.retried_by is not None or (job.state in LIVE and not job.watched)
    word = fit(long if parts.word >= len(long) else short, parts.word, ellipsis=glyphs.ellipsis)
    yield Cell(2, 2 + parts.word, f"{sign(job, glyphs)} {word}", "dim" if settled else role)
    x = 5 + parts.word
    if parts.kind:
        yield Cell(x, parts.kind, fit(_KINDS[job.request.type], parts.kind), "dim")
        x += parts.kind + 1
    if parts.name:
        name = glyphs.text(shown(job.name or job.request.character, limit=TEXT_LIMIT))
        yield Cell(x, parts.name, fit(name, parts.name, ellipsis=glyphs.ellipsis), "name")
    yield Cell(parts.text_x, parts.text, fit(_text(job, glyphs), parts.text, ellipsis=glyphs.ellipsis), "text")


def _text(job: Job, glyphs: Glyphs) -> str:
    star = f"{glyphs.star} " if job.starred else ""
    word = ""
    if job.state in LIVE and job.word[:24].strip().lower() not in PLAIN_WORDS:
        word = f"{glyphs.quotes[0]}{shown(job.word, limit=24)}{glyphs.quotes[1]} "
    return star + glyphs.text(word + shown(job.request.prompt.strip(), limit=TEXT_LIMIT))


def _right(
    job: Job, now: float, parts: Columns, glyphs: Glyphs, left: float | None, step: float, retry_key: str
) -> Iterator[Cell]:
    x = parts.text_x + parts.text + 2
    reason, role = _reason(job, glyphs, retry_key)
    live = job.state in LIVE or job.wants_file
    if reason and not live and not parts.note and parts.clock:
        # Too narrow for both: why it ended is worth more than how long it took.
        yield from _explained(job, x, parts, glyphs, reason, role)
        return
    if job.trouble and live and not parts.note and parts.clock:
        yield from _explained(job, x, parts, glyphs, f"{_percent(job)} % {reason}", role)
        return
    if parts.clock:
        yield Cell(
            x, parts.clock, fit(_clock(job, now, step), parts.clock, right=True, ellipsis=glyphs.ellipsis), "dim"
        )
        x += parts.clock + 2
    if live:
        yield from _progress(job, x, parts, glyphs, reason or about(left), role)
    elif reason:
        yield from _explained(job, x, parts, glyphs, reason, role)
    else:
        yield from _facts(job, x, parts, glyphs)


def _explained(job: Job, x: int, parts: Columns, glyphs: Glyphs, reason: str, role: str) -> Iterator[Cell]:
    room = parts.width - x - 1
    if room < _ROOM_FOR_WORDS:
        return
    cost = _cost(job, glyphs) if room >= _ROOM_FOR_COST else ""
    space = room - len(cost) - 2 if cost else room
    if cell_len(reason) > space:
        reason = reason.partition(f" {glyphs.dot} ")[0]
    yield Cell(x, space, fit(reason, space, ellipsis=glyphs.ellipsis), role)
    yield Cell(x + room - len(cost), len(cost), cost, "dim")


def _progress(job: Job, x: int, parts: Columns, glyphs: Glyphs, note: str, role: str) -> Iterator[Cell]:
    percent = _percent(job)
    if parts.percent:
        sent = job.state is not JobState.SUBMITTING
        yield Cell(x, parts.percent, fit(f"{percent} %" if sent else "", parts.percent, right=True), "text")
        x += parts.percent + 2
    if job.trouble and parts.bar:
        room = parts.width - x - 1
        yield Cell(x, room, fit(note, room, ellipsis=glyphs.ellipsis), role)
    elif parts.bar:
        yield from bar(percent, x, parts.bar, glyphs)
        x += parts.bar + 2
        yield Cell(x, parts.note, fit(note, parts.note, ellipsis=glyphs.ellipsis), role)


def _percent(job: Job) -> int:
    return 100 if job.state is JobState.SUCCEEDED else max(0, min(100, job.progress))


def bar(percent: int, x: int, width: int, glyphs: Glyphs) -> Iterator[Cell]:
    """Yield a bar `width` columns wide at column `x`."""
    halves = percent * width * 2 // 100
    full = glyphs.bar_full * (halves // 2) + (glyphs.bar_half if halves % 2 else "")
    # Both parts are always there, if need be with no width, so that lines of one job compare cell by cell.
    yield Cell(x, len(full), full, "bar")
    yield Cell(x + len(full), width - len(full), glyphs.bar_rest * (width - len(full)), "track")


def _facts(job: Job, x: int, parts: Columns, glyphs: Glyphs) -> Iterator[Cell]:
    if job.state is JobState.SUCCEEDED and parts.percent:
        yield Cell(x, parts.percent, fit("100 %", parts.percent, right=True), "dim")
    x += parts.percent + 2
    if parts.note:
        size = f"{job.facts.width}{glyphs.times}{job.facts.height}" if job.facts and job.facts.width else ""
        yield Cell(x, parts.bar, fit(size, parts.bar, ellipsis=glyphs.ellipsis), "dim")
        x += parts.bar + 2
        yield Cell(x, parts.note, fit(_cost(job, glyphs), parts.note, right=True, ellipsis=glyphs.ellipsis), "dim")
    elif parts.bar:
        yield Cell(x, parts.bar, fit(_cost(job, glyphs), parts.bar, right=True, ellipsis=glyphs.ellipsis), "dim")


def took(job: Job) -> float | None:
    """Return the whole seconds from the sending of a job to its end, None where one of both is missing."""
    begun = job.submitted_at if job.submitted_at is not None else job.created_at
    return (job.finished_at - begun) // 1 if job.finished_at is not None else None


def _clock(job: Job, now: float, step: float) -> str:
    if job.state in LIVE:
        return clock(elapsed(job, now, step)) if job.watched else ""
    seconds = took(job)
    return clock(seconds) if seconds is not None else ""


def _cost(job: Job, glyphs: Glyphs) -> str:
    return f"{glyphs.minus}{job.cost:.2f}" if job.cost else ""


def _reason(job: Job, glyphs: Glyphs, retry_key: str) -> tuple[str, str]:
    if job.state is JobState.UNCONFIRMED:
        return _unconfirmed(job, glyphs, retry_key)
    if job.state is JobState.LOST:
        return "the service does not know it any more", "warn"
    if job.trouble and (job.state in LIVE or job.wants_file):
        return glyphs.text(shown(job.trouble, limit=TEXT_LIMIT)), "warn"
    if job.state in LIVE:
        if not job.watched:
            return "not watched", "dim"
        return "overdue" if job.state is JobState.STALLED else "", "dim"
    if job.error:
        return glyphs.text(shown(job.error, limit=TEXT_LIMIT)), "dim"
    if job.file_state is FileState.EXPIRED:
        return "the link ended before it was saved", "dim"
    return "", "dim"


def _unconfirmed(job: Job, glyphs: Glyphs, retry_key: str) -> tuple[str, str]:
    if job.retried_by is not None:
        return "sent again", "dim"
    if job.dismissed:
        return "dismissed", "dim"
    verdict = job.verdict or Verdict.UNKNOWN
    word = "may be charged" if verdict is Verdict.UNKNOWN else str(verdict)
    return glyphs.text(f"{word} {glyphs.dot} {retry_key} retry"), "warn"


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
    parts, now = columns(width), figures(jobs)
    cells = (
        gutter(glyphs, cursor=cursor, marked=marked),
        _batch_left(jobs, now, parts, glyphs, opened),
        _batch_right(now, parts, glyphs),
    )
    return lay(width, (cell for group in cells for cell in group))


def batch_words(now: BatchFigures, glyphs: Glyphs = UNICODE, *, cost: bool = True) -> str:
    """Return how the batch stands, what matters most first; `cost` says whether about what it costs is among it."""
    counts = ((now.unclear, "to decide"), (now.failed, "failed"))
    words = [f"{now.done} of {now.jobs} done", *(f"{count} {word}" for count, word in counts if count)]
    if cost and now.cost:
        words.append(f"about {now.cost:.2f}")
    return f" {glyphs.dot} ".join(words)


def _batch_left(jobs: Sequence[Job], now: BatchFigures, parts: Columns, glyphs: Glyphs, opened: bool) -> Iterator[Cell]:
    role = "live" if now.under_way else "warn" if now.unclear else "bad" if now.failed else "ok"
    sign = glyphs.opened if opened else glyphs.folded
    yield Cell(2, 2 + parts.word, f"{sign} {fit(f'{now.jobs} jobs', parts.word, ellipsis=glyphs.ellipsis)}", role)
    x = 5 + parts.word
    if parts.kind:
        kinds = {job.request.type for job in jobs}
        word = "both" if len(kinds) > 1 else "clip" if "video" in kinds else "pic"
        yield Cell(x, parts.kind, fit(word, parts.kind), "dim")
        x += parts.kind + 1
    if parts.name:
        yield Cell(x, parts.name, fit(_names(jobs, glyphs), parts.name, ellipsis=glyphs.ellipsis), "name")
    words = batch_words(now, glyphs, cost=not parts.note)
    prompt = glyphs.text(shown(jobs[0].request.prompt.strip(), limit=TEXT_LIMIT))
    # The figures are what the line is for; the prompt takes what they leave.
    room = _room(parts)
    said = min(len(words), room)
    yield Cell(
        parts.text_x, said, fit(words, said, ellipsis=glyphs.ellipsis), role if now.failed or now.unclear else "text"
    )
    room -= said
    yield Cell(parts.text_x + said, room, fit(f"  {prompt}", room, ellipsis=glyphs.ellipsis), "dim")


def _room(parts: Columns) -> int:
    """Return the cells of the text: a batch has no clock of its own, and the column is the text's."""
    return parts.text + (parts.clock + 2 if parts.clock else 0)


def _names(jobs: Sequence[Job], glyphs: Glyphs) -> str:
    names = dict.fromkeys(job.name or job.request.character for job in jobs)
    if len(names) > 1:
        return f"{len(names)} people"
    return glyphs.text(shown(next(iter(names)), limit=TEXT_LIMIT))


def _batch_right(now: BatchFigures, parts: Columns, glyphs: Glyphs) -> Iterator[Cell]:
    x = parts.text_x + _room(parts) + 2
    if parts.percent:
        yield Cell(
            x, parts.percent, fit(f"{now.percent} %", parts.percent, right=True), "text" if now.under_way else "dim"
        )
        x += parts.percent + 2
    if parts.bar and now.under_way:
        yield from bar(now.percent, x, parts.bar, glyphs)
    if parts.note and now.cost:
        cost = fit(f"about {now.cost:.2f}", parts.note, right=True, ellipsis=glyphs.ellipsis)
        yield Cell(x + parts.bar + 2, parts.note, cost, "dim")
