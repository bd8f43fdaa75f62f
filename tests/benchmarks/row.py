"""One row of the table of figures."""

from __future__ import annotations

Row = dict[str, object]


def row(what: str, goal: str, **figures: object) -> Row:
    """Return one row of the table."""
    return {"what": what, "goal": goal, **figures}
