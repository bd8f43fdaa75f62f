"""What the registry of actions is made of."""

from __future__ import annotations

from typing import Literal, NamedTuple

Where = Literal[
    "anywhere", "jobs", "list", "gallery", "filter", "detail", "viewer", "form", "line", "prompt", "choice", "stepper",
    "submit", "search", "picker", "presets", "copy", "help", "browser", "create", "confirm", "save", "note", "key",
    "statistics",
]  # fmt: skip
"""Where a key works: on the whole screen, in the panes of jobs, in one control, or on one small screen."""

ENCLOSING: dict[Where, tuple[Where, ...]] = {
    "anywhere": (),
    "list": ("jobs", "anywhere"),
    "gallery": ("jobs", "anywhere"),
    "filter": ("jobs", "anywhere"),
    "detail": ("jobs", "anywhere"),
    "jobs": ("anywhere",),
    "line": ("form", "anywhere"),
    "prompt": ("form", "anywhere"),
    "choice": ("form", "anywhere"),
    "stepper": ("form", "anywhere"),
    "submit": ("form", "anywhere"),
    "form": ("anywhere",),
    "picker": ("search",),
    "presets": ("search",),
}
"""The places whose keys also work in a place, nearest first; a small screen has only its own."""


class Action(NamedTuple):
    """Something a person can do. `run` is Textual's action string, `footer` whether the footer names it.

    One with `priority` comes before what the control with the focus makes of the key.
    """

    id: str
    keys: str
    run: str
    title: str
    does: str
    where: Where
    footer: bool = False
    priority: bool = False
