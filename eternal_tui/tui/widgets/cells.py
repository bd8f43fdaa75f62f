"""Lines of text in roles, cut to a number of terminal columns, and which columns two of them differ in."""

from __future__ import annotations

from typing import NamedTuple

from rich.cells import cell_len, set_cell_size


class Part(NamedTuple):
    """A stretch of a line in one role, from which its style follows."""

    text: str
    role: str = ""


Line = tuple[Part, ...]


def fit(text: str, width: int, *, align_right: bool = False) -> str:
    """Return `text` in exactly `width` columns: padded, or cut with an ellipsis.

    `align_right` aligns it to the right.
    """
    if width <= 0:
        return ""
    length = cell_len(text)
    if length > width:
        return set_cell_size(text, width - 1) + "…" if width > 1 else set_cell_size(text, width)
    padding = " " * (width - length)
    return padding + text if align_right else text + padding


def changed_spans(old: Line, new: Line) -> list[tuple[int, int]]:
    """Return the columns, as (start, end) in order, in which two lines of one width look different."""
    spans = []
    start = 0
    for before, after in zip(old, new, strict=False):
        end = start + cell_len(after.text)
        if before != after:
            if start + cell_len(before.text) != end:
                break
            left = right = 0
            if before.role == after.role and (before.text + after.text).isascii():
                left = _common_length(before.text, after.text)
                right = _common_length(before.text[::-1], after.text[::-1])
            spans.append((start + left, end - right))
        start = end
    else:
        if len(old) == len(new):
            return spans
    return [(0, sum(cell_len(part.text) for part in new))]


def _common_length(one: str, other: str) -> int:
    return next((place for place, pair in enumerate(zip(one, other, strict=True)) if pair[0] != pair[1]), len(one))
