"""A whole batch as one line: how many are done, how far the rest is, and about what it costs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from eternal_tui.core.sanitize import shown
from eternal_tui.jobs.batch import BatchFigures, figures
from eternal_tui.jobs.model import Job
from eternal_tui.tui.job_list.row import TEXT_LIMIT, Columns, bar, columns, gutter
from eternal_tui.tui.terminal.glyphs import UNICODE, Glyphs
from eternal_tui.tui.widgets.cells import Cell, Line, fit, lay


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
