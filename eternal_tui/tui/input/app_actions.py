"""The one registry of what can be done: its name, its default key, where it works, and what it does in words.

Bindings, the footer, help, the palette and the keymap of config.toml are all made from this list. Keys that are
Enter, Tab or Backspace in disguise (ctrl+m, ctrl+j, ctrl+i, ctrl+h) are never used, and Esc never quits.
"""

from __future__ import annotations

from textual.binding import Binding

from eternal_tui.tui.input.actions import Action, Where
from eternal_tui.tui.input.control_actions import CONTROLS

ACTIONS: tuple[Action, ...] = (
    Action("app.new", "ctrl+n", "screen.new_request", "New", "Write a new request", "anywhere", True),
    Action("app.submit", "ctrl+s", "screen.submit", "Send", "Send the request in the form", "anywhere", True),
    Action("app.palette", "ctrl+p", "app.command_palette", "Palette", "Find any action, job or character", "anywhere"),
    Action("app.help", "f1", "screen.help", "Help", "Show the keys of what has focus", "anywhere"),
    Action("app.jump", "ctrl+o", "screen.jump", "Jump", "Jump to any control by a letter", "anywhere"),
    Action("app.characters", "f2", "screen.characters", "Characters", "Browse the characters", "anywhere"),
    Action("app.suspend", "ctrl+z", "app.suspend_process", "Suspend", "Back to the shell; fg returns", "anywhere"),
    Action("app.quit", "ctrl+q", "screen.leave", "Quit", "Leave; running jobs go on at the service", "anywhere"),
    # ctrl+b is tmux's own key and the other half of ctrl+f; so the characters have none with ctrl.
    Action("jobs.new", "n", "screen.new_request", "New", "Write a new request", "jobs"),
    Action("jobs.palette", "colon", "app.command_palette", "Palette", "Find any action, job or character", "jobs"),
    Action("jobs.characters", "C", "screen.characters", "Characters", "Browse the characters", "jobs"),
    Action("jobs.help", "question_mark", "screen.help", "Help", "Show the keys of what has focus", "jobs", True),
    Action("pane.form", "1", "screen.pane(1)", "Request", "Go to the request form", "jobs"),
    Action("pane.jobs", "2", "screen.pane(2)", "Jobs", "Go to the list of jobs", "jobs"),
    Action("pane.detail", "3", "screen.pane(3)", "Detail", "Go to the detail of the job", "jobs"),
    Action("pane.zoom", "z", "screen.zoom", "Zoom", "Give this pane the whole screen, and back", "jobs"),
    Action("pane.grow", "greater_than_sign", "screen.split(1)", "More list", "Give the list more of the room", "jobs"),
    Action(
        "pane.shrink", "less_than_sign", "screen.split(-1)", "Less list", "Give the detail more of the room", "jobs"
    ),
    Action(
        "app.statistics", "I", "screen.statistics", "Statistics", "Spending, durations and success, as plots", "jobs"
    ),
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
    Action("jobs.gallery", "v", "screen.gallery", "Gallery", "Show the jobs as thumbnails, or as lines", "jobs"),
    Action("jobs.play", "p", "screen.play", "Play", "Play the clip here, or pause it", "jobs"),
    Action("jobs.scrub_back", "left_square_bracket", "screen.scrub(-1)", "Scrub back", "Go back in the clip", "jobs"),
    Action("jobs.scrub", "right_square_bracket", "screen.scrub(1)", "Scrub on", "Go on in the clip", "jobs"),
    Action("jobs.star", "asterisk", "screen.job('star')", "Star", "Star the job, or take its star away", "jobs"),
    Action("jobs.note", "N", "screen.job('note')", "Note", "Write a note or tags for the job", "jobs"),
    Action("jobs.delete", "d", "screen.job('delete')", "Delete", "Remove from the history; u brings back", "jobs"),
    Action("jobs.undo", "u", "screen.undo", "Undo", "Bring the last deleted jobs back", "jobs"),
    Action("jobs.retry_failed", "T", "screen.retry_failed", "Retry failed", "Run all that failed again", "jobs"),
    Action("jobs.quit", "q", "screen.leave", "Quit", "Leave; running jobs go on at the service", "jobs", True),
)


EVERY: tuple[Action, ...] = (*ACTIONS, *CONTROLS)
"""All of them; `ACTIONS` are those of the workbench itself, which the palette offers."""


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
            priority=action.priority or where == "anywhere",
        )
        for action in EVERY
        if action.where == where
    ]
