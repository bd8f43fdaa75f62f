"""The footer: the few keys that matter where the focus is, drawn on one line and only when they change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

from rich.cells import cell_len
from textual import events
from textual.content import Content
from textual.screen import Screen
from textual.widget import Widget

from eternal_tui.tui.input.actions import ACTIONS_BY_ID, Scope
from eternal_tui.tui.input.keymap import effective_keys, key_label


class KeyHint(NamedTuple):
    """One key of the footer and what it does; `textual_action` is the action it stands for."""

    key: str
    title: str
    textual_action: str


class FooterLine(Widget):
    """Draws hints, dropping the last where the line is too short. A click presses the key."""

    DEFAULT_CSS = """
    FooterLine { height: 1; dock: bottom; background: transparent; text-wrap: nowrap; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._hints: Sequence[KeyHint] = ()

    def set_hints(self, hints: Sequence[KeyHint]) -> None:
        """Show these hints."""
        if hints != self._hints:
            self._hints = hints
            self.refresh()

    def _positions(self) -> list[tuple[int, int, KeyHint]]:
        """Return start, end and hint of those that fit."""
        placed: list[tuple[int, int, KeyHint]] = []
        end = -1
        for hint in self._hints:
            start = end + 2
            end = start + cell_len(f"{hint.key} {hint.title}")
            if end > self.size.width:
                break
            placed.append((start, end, hint))
        return placed

    def render(self) -> Content:
        texts = [((hint.key, "$accent"), (f" {hint.title}  ", "$text-muted")) for _, _, hint in self._positions()]
        return Content.assemble(" ", *(part for pair in texts for part in pair))

    async def on_click(self, event: events.Click) -> None:
        """Run the action of the clicked hint where the focus is."""
        for start, end, hint in self._positions():
            if start <= event.x < end and hint.textual_action:
                await (self.screen.focused or self.screen).run_action(hint.textual_action)


_FOOTER_ACTION_IDS: dict[Scope, tuple[str, ...]] = {
    "list": (
        "jobs.new", "list.open", "jobs.again", "jobs.edit", "jobs.copy", "jobs.help", "jobs.quit", "list.filter",
        "jobs.outside", "jobs.gallery", "app.palette",
    ),
    "gallery": (
        "jobs.new", "gallery.open", "jobs.star", "gallery.reject", "jobs.help", "jobs.quit", "jobs.gallery",
        "gallery.filter", "jobs.again", "jobs.edit", "jobs.copy", "jobs.outside", "app.palette",
    ),
    "filter": ("filter.done", "filter.clear", "app.help"),
    "detail": ("jobs.new", "jobs.again", "jobs.edit", "jobs.copy", "jobs.outside", "jobs.help", "jobs.quit"),
    "form": ("app.submit", "form.back", "app.help", "form.editor", "form.history", "form.presets", "app.palette"),
}  # fmt: skip
_MATCH_ACTION_IDS = ("list.next_match", "list.previous_match")
_JOB_ACTION_IDS = frozenset({
    "list.open", "gallery.open", "jobs.star", "gallery.reject", "jobs.again", "jobs.edit", "jobs.copy", "jobs.outside",
    "jobs.gallery", "list.filter", "gallery.filter",
})  # fmt: skip
"""Actions that need a job."""

_SHORT_TITLES = {"form.editor": "editor", "filter.done": "to the list", "jobs.outside": "open outside"}
_BACK_HINT = KeyHint("esc", "jobs", "screen.pane(2)")
"""Esc cannot be remapped, so it is no entry of the registry."""


def footer_keys(scope: Scope, keymap: Mapping[str, str], *, has_job: bool, is_searching: bool = False) -> list[KeyHint]:
    """Return the hints for a focus in `scope`; without a job only those that need none."""
    names = _FOOTER_ACTION_IDS.get(scope, ())
    if is_searching and scope in ("list", "gallery"):
        # n moves through the matches then.
        names = (*_MATCH_ACTION_IDS, f"{scope}.clear", *names[1:])
    return [
        _BACK_HINT if name == "form.back" else key_hint(name, keymap)
        for name in names
        if has_job or name not in _JOB_ACTION_IDS
    ]


_TOUR_TITLES = {
    "app.submit": "send the example",
    "list.open": "open a result",
    "jobs.play": "play a video",
    "jobs.gallery": "thumbnails",
    "jobs.help": "all keys",
}
TOUR_ACTION_IDS = tuple(_TOUR_TITLES)
"""Steps of the demo's tour; each is left out once its action was run."""


def tour_hint(action_ids: Sequence[str], keymap: Mapping[str, str]) -> KeyHint:
    """Return the next step of the tour."""
    hint = key_hint(action_ids[0], keymap)
    place = f"{len(TOUR_ACTION_IDS) - len(action_ids) + 1}/{len(TOUR_ACTION_IDS)}"
    return KeyHint(f"Tour {place}: {hint.key}", f"{_TOUR_TITLES[action_ids[0]]}  │", hint.textual_action)


def without_action(action_ids: Sequence[str], textual_action: str) -> list[str]:
    """Return the steps of the tour less the one whose action this is."""
    return [each for each in action_ids if ACTIONS_BY_ID[each].textual_action != textual_action]


def key_hint(action_id: str, keymap: Mapping[str, str]) -> KeyHint:
    """Return the hint of an action with its effective key."""
    action = ACTIONS_BY_ID[action_id]
    return KeyHint(
        key_label(effective_keys(action, keymap)),
        _SHORT_TITLES.get(action_id, action.title.lower()),
        action.textual_action,
    )


class HelpMixin:
    """Mixed into a screen whose keys are in the registry: shows those that work where the focus is."""

    HELP_HINT: ClassVar[KeyHint] = KeyHint("?", "help", "screen.help")

    def action_help(self) -> None:
        """Show the keys of what has focus."""
        # The help screen brings the search dialog and its input, which no start needs.
        from eternal_tui.tui.screens.help import HelpScreen, help_sections

        assert isinstance(self, Screen)
        screen: Screen[Any] = self
        screen.app.push_screen(HelpScreen(help_sections(screen)))
