"""Which of the registry's keys the footer of the workbench names, by where the focus is: the most wanted first."""

from __future__ import annotations

from collections.abc import Mapping

from eternal_tui.tui.input.actions import Where
from eternal_tui.tui.input.app_actions import EVERY
from eternal_tui.tui.input.keymap import key_words, keys_of
from eternal_tui.tui.widgets.footer import Hint

_NAMED: dict[Where, tuple[str, ...]] = {
    "list": (
        "jobs.new", "list.open", "jobs.again", "jobs.edit", "jobs.copy", "jobs.help", "jobs.quit", "list.filter",
        "jobs.outside", "jobs.gallery", "app.palette",
    ),
    "gallery": (
        "jobs.new", "gallery.open", "jobs.again", "jobs.edit", "jobs.copy", "jobs.help", "jobs.quit", "gallery.filter",
        "jobs.outside", "jobs.gallery", "app.palette",
    ),
    "filter": ("filter.done", "filter.clear", "app.help"),
    "detail": ("jobs.new", "jobs.again", "jobs.edit", "jobs.copy", "jobs.outside", "jobs.help", "jobs.quit"),
    "form": ("app.submit", "form.back", "app.help", "form.editor", "form.history", "form.presets", "app.palette"),
}  # fmt: skip
_OF_A_JOB = frozenset({
    "list.open", "gallery.open", "jobs.again", "jobs.edit", "jobs.copy", "jobs.outside", "jobs.gallery", "list.filter",
    "gallery.filter",
})  # fmt: skip
"""What does nothing where there is no job."""

_SHORT = {"form.editor": "editor", "filter.done": "to the list", "jobs.outside": "open outside"}
_BACK = Hint("esc", "jobs", "screen.pane(2)")
"""Esc is nobody's to give away: it is no entry of the registry."""

_BY_ID = {action.id: action for action in EVERY}


def hints_for(place: Where, keymap: Mapping[str, str], *, job: bool) -> list[Hint]:
    """Return what the footer says while the focus is at `place`; without a `job` only what works without one."""
    return [
        _BACK if name == "form.back" else _hint(name, keymap)
        for name in _NAMED.get(place, ())
        if job or name not in _OF_A_JOB
    ]


def _hint(name: str, keymap: Mapping[str, str]) -> Hint:
    action = _BY_ID[name]
    return Hint(key_words(keys_of(action, keymap)), _SHORT.get(name, action.title.lower()), action.run)
