"""The one registry of what can be done: its name, its default key, where it works, and what it does in words.

Bindings, the footer, help, the palette and the keymap of config.toml are all made from this list. Keys that are
Enter, Tab or Backspace in disguise (ctrl+m, ctrl+j, ctrl+i, ctrl+h) are never used, and Esc never quits.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Literal, NamedTuple

from textual.binding import Binding

Where = Literal["anywhere", "jobs", "viewer"]

IN_DISGUISE = {"ctrl+h": "Backspace", "ctrl+i": "Tab", "ctrl+j": "Enter", "ctrl+m": "Enter", "ctrl+[": "Esc"}
"""Keys a terminal cannot tell from another one."""


class Action(NamedTuple):
    """Something a person can do. `run` is Textual's action string, `footer` whether the footer names it."""

    id: str
    keys: str
    run: str
    title: str
    does: str
    where: Where
    footer: bool = False


ACTIONS: tuple[Action, ...] = (
    Action("app.new", "ctrl+n", "screen.new_request", "New", "Write a new request", "anywhere", True),
    Action("app.submit", "ctrl+s", "screen.submit", "Send", "Send the request in the form", "anywhere", True),
    Action("app.palette", "ctrl+p", "app.command_palette", "Palette", "Find any action, job or character", "anywhere"),
    Action("app.help", "f1", "screen.help", "Help", "Show the keys of what has focus", "anywhere"),
    Action("app.jump", "ctrl+o", "screen.jump", "Jump", "Jump to any control by a letter", "anywhere"),
    Action("app.characters", "ctrl+b", "screen.characters", "Characters", "Browse the characters", "anywhere"),
    Action("app.quit", "ctrl+q", "screen.leave", "Quit", "Leave; running jobs go on at the service", "anywhere"),
    Action("jobs.help", "question_mark", "screen.help", "Help", "Show the keys of what has focus", "jobs", True),
    Action("pane.form", "1", "screen.pane(1)", "Request", "Go to the request form", "jobs"),
    Action("pane.jobs", "2", "screen.pane(2)", "Jobs", "Go to the list of jobs", "jobs"),
    Action("pane.detail", "3", "screen.pane(3)", "Detail", "Go to the detail of the job", "jobs"),
    Action("pane.zoom", "z", "screen.zoom", "Zoom", "Give this pane the whole screen, and back", "jobs"),
    Action("jobs.again", "r", "screen.job('again')", "Again", "Run the job again exactly as it was", "jobs", True),
    Action("jobs.edit", "e", "screen.job('edit')", "Edit", "Put the job's request into the form", "jobs", True),
    Action(
        "jobs.retry", "t", "screen.job('retry')", "Retry", "Fetch the file again, or decide an unconfirmed job", "jobs"
    ),
    Action("jobs.watch", "w", "screen.job('watch')", "Watch", "Look now, or stop watching this job", "jobs"),
    Action("jobs.copy", "y", "screen.job('copy')", "Copy", "Copy path, link, prompt, id, curl or JSON", "jobs", True),
    Action(
        "jobs.outside", "o", "screen.job('outside')", "Outside", "Open the file in the system's viewer", "jobs", True
    ),
    Action("jobs.save", "s", "screen.job('save')", "Save as", "Save a copy of the file elsewhere", "jobs"),
    Action("jobs.compare", "c", "screen.job('compare')", "Compare", "Show marked results side by side", "jobs"),
    Action("jobs.star", "asterisk", "screen.job('star')", "Star", "Star the job, or take its star away", "jobs"),
    Action("jobs.note", "N", "screen.job('note')", "Note", "Write a note or tags for the job", "jobs"),
    Action("jobs.delete", "d", "screen.job('delete')", "Delete", "Remove from the history; u brings back", "jobs"),
    Action("jobs.undo", "u", "screen.undo", "Undo", "Bring the last deleted jobs back", "jobs"),
    Action("jobs.retry_failed", "T", "screen.retry_failed", "Retry failed", "Run every failed job again", "jobs"),
    Action("jobs.quit", "q", "screen.leave", "Quit", "Leave; running jobs go on at the service", "jobs", True),
)


def bindings(where: Where) -> list[Binding]:
    """Return Textual bindings for everything that works there."""
    return [
        Binding(
            action.keys,
            action.run,
            action.title,
            show=action.footer,
            id=action.id,
            tooltip=action.does,
            priority=where == "anywhere",
        )
        for action in ACTIONS
        if action.where == where
    ]


def keymap_problems(keys: Mapping[str, str], known: Iterable[str]) -> list[str]:
    """Return a sentence for each entry of a keymap that cannot be meant: unknown name, key in disguise, clash."""
    names = sorted(known)
    problems: list[str] = []
    taken: dict[tuple[str, str], str] = {}
    for name, text in keys.items():
        if name not in names:
            near = get_close_matches(name, names, n=1)
            hint = f" Did you mean {near[0]}?" if near else ""
            problems.append(f"keys: there is no action {name!r}.{hint}")
            continue
        for key in (part.strip() for part in text.split(",")):
            if not key:
                problems.append(f"keys: {name} has an empty key.")
            elif key in IN_DISGUISE:
                problems.append(f"keys: {key} for {name} is {IN_DISGUISE[key]} in disguise; choose another key.")
            elif (other := taken.setdefault((_place(name), key), name)) != name:
                problems.append(f"keys: {key} is given to both {other} and {name}.")
    return problems


def _place(name: str) -> str:
    for action in ACTIONS:
        if action.id == name:
            return action.where
    return name.partition(".")[0]
