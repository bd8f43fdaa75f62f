"""Lines made of cells: text cut to a number of terminal columns, and which columns two lines differ in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec
from rich.cells import cell_len, set_cell_size

MERGE_GAP_COLUMNS = 2
"""Columns between two changes that are repainted rather than skipped: moving the cursor costs more than they do."""


class Span(msgspec.Struct, frozen=True, gc=False):
    """A stretch of one line in one role; `text` is exactly `width` columns wide and starts at column `x`."""

    x: int
    width: int
    text: str
    role: str = ""


Line = tuple[Span, ...]


def fit(text: str, width: int, *, ellipsis: str = "…", align_right: bool = False) -> str:
    """Return `text` in exactly `width` columns: padded, or cut with an ellipsis.

    `align_right` aligns it to the right.
    """
    if width <= 0:
        return ""
    length = cell_len(text)
    if length > width:
        return set_cell_size(text, width - 1) + ellipsis if width > 1 else set_cell_size(text, width)
    padding = " " * (width - length)
    return padding + text if align_right else text + padding


def layout_spans(width: int, spans: Iterator[Span]) -> Line:
    """Return cells in ascending order as a line of exactly `width` columns, blanks between them filled in."""
    line: list[Span] = []
    end = 0
    for cell in spans:
        if cell.x + cell.width > width and cell.x >= width:
            continue
        if cell.x > end:
            line.append(Span(end, cell.x - end, " " * (cell.x - end)))
        room = width - cell.x
        line.append(cell if cell.width <= room else Span(cell.x, room, set_cell_size(cell.text, room), cell.role))
        end = line[-1].x + line[-1].width
    if end < width:
        line.append(Span(end, width - end, " " * (width - end)))
    return tuple(line)


def changed_spans(old: Sequence[Span], new: Sequence[Span]) -> list[tuple[int, int]]:
    """Return the columns, as (start, end) pairs in order, in which two lines of one width look different."""
    if len(old) != len(new):
        return [(0, max(line[-1].x + line[-1].width for line in (old, new) if line))]
    spans: list[tuple[int, int]] = []
    for before, after in zip(old, new, strict=True):
        if before == after:
            continue
        start, end = _changed_columns(before, after)
        if start >= end:
            continue
        if spans and start <= spans[-1][1] + MERGE_GAP_COLUMNS:
            spans[-1] = (min(spans[-1][0], start), max(spans[-1][1], end))
        else:
            spans.append((start, end))
    return spans


def _changed_columns(before: Span, after: Span) -> tuple[int, int]:
    start, end = min(before.x, after.x), max(before.x + before.width, after.x + after.width)
    if before.role != after.role or len(before.text) != before.width or len(after.text) != after.width:
        return start, end
    if before.x == after.x:
        start += _common_prefix_length(before.text, after.text)
    if before.x + before.width == after.x + after.width:
        end -= _common_prefix_length(before.text[::-1], after.text[::-1])
    return start, end


def _common_prefix_length(one: str, other: str) -> int:
    count = 0
    for left, right in zip(one, other, strict=False):
        if left != right:
            break
        count += 1
    return count
