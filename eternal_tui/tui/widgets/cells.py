"""Lines of text in roles, cut to a number of terminal columns, and which columns two of them differ in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from rich.cells import cell_len, set_cell_size


class Part(NamedTuple):
    """A stretch of a line in one role, from which its style follows."""

    text: str
    role: str = ""


Line = Sequence[Part]


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
    """Return the columns, as (start, end) in order, in which two lines look different.

    Lines whose parts have other widths differ in all columns.
    """
    widths = [cell_len(part.text) for part in new]
    if widths != [cell_len(part.text) for part in old]:
        return [(0, max(sum(widths), sum(cell_len(part.text) for part in old)))]
    spans = []
    start = 0
    for before, after, width in zip(old, new, widths, strict=True):
        if before != after:
            left = right = 0
            if before.role == after.role and (before.text + after.text).isascii():
                left = _common_length(before.text, after.text)
                right = _common_length(before.text[::-1], after.text[::-1])
            spans.append((start + left, start + width - right))
        start += width
    return spans


def _common_length(one: str, other: str) -> int:
    return next((place for place, pair in enumerate(zip(one, other, strict=True)) if pair[0] != pair[1]), len(one))
