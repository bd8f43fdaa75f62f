"""Help: the keys of what has focus, then those that work everywhere, found by typing; and how money is treated."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, NamedTuple

from textual import events, on
from textual.app import App
from textual.binding import ActiveBinding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.dom import DOMNode
from textual.message import Message
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Input, Static

from eternal_tui.core.sanitize import SafeText, format_safe
from eternal_tui.tui.input.actions import bindings
from eternal_tui.tui.input.keymap import key_label
from eternal_tui.tui.widgets.dialog import Dialog
from eternal_tui.tui.widgets.search_dialog import SearchInput

BILLING_NOTES: tuple[SafeText, ...] = (
    SafeText("The form sends as many requests as it shows. Only HTTP 429 (rate limit) is retried automatically."),
    SafeText("A request whose answer was lost is unconfirmed: it may be charged, and you decide with t."),
    SafeText("Watching, fetching a file again, restarting and reading the history cost nothing."),
    SafeText("To stop watching or to delete a job does not stop it at the service; it stays charged."),
    SafeText("Prices are learned from your credits, so they say about; daily_cap and confirm_above bound them."),
)

_SCOPE_HEADINGS = {
    "form": SafeText("In the request"),
    "jobs": SafeText("In the list of jobs"),
    "detail": SafeText("In the detail"),
}
_BUILTIN_ACTION_TITLES = {
    "app.focus_next": "Next control",
    "app.focus_previous": "Control before",
    "screen.copy_text": "Copy selection",
}
_SHORT_KEY_NAMES = {"pagedown": "pgdn", "pageup": "pgup", "delete": "del"}

KEY_WIDTH = 15
"""Cells of the keys: `V shift+space` and two more."""

TITLE_WIDTH = 14
"""Cells of the titles: the longest in the registry and two more."""


NARROW_WIDTH = 48
"""Cells below which what a key does stands under its title instead of beside it: the help of a 60-column terminal."""


class HelpRow(NamedTuple):
    """One thing to do: its keys as people write them, its title, and what it does where that is known."""

    keys: str
    title: str
    description: str


class HelpSection(NamedTuple):
    """Rows under a heading."""

    title: SafeText
    rows: Sequence[HelpRow]


def help_sections(screen: Screen[Any]) -> list[HelpSection]:
    """Return what the keys of this screen do right now, what is nearest to the focus first."""
    here: dict[str, list[ActiveBinding]] = {}
    everywhere: dict[str, list[ActiveBinding]] = {}
    writing: dict[str, list[ActiveBinding]] = {}
    for active in screen.active_bindings.values():
        if active.binding.description and not active.binding.system:
            into = _section_for(active, here, everywhere, writing)
            into.setdefault(active.binding.action, []).append(active)
    found = [
        HelpSection(_focus_heading(screen.focused), _help_rows(here)),
        HelpSection(SafeText("Everywhere"), _help_rows(everywhere)),
        HelpSection(SafeText("While writing"), _help_rows(writing)),
    ]
    return [section for section in found if section.rows]


def _section_for(
    active: ActiveBinding, here: _BindingsByAction, everywhere: _BindingsByAction, writing: _BindingsByAction
) -> _BindingsByAction:
    if isinstance(active.node, App):
        return everywhere
    if isinstance(active.node, Screen) and (active.binding.priority or active.binding.action in _BUILTIN_ACTION_TITLES):
        return everywhere
    # Keys without a name are those of a text field as such; ours all have one.
    return here if active.binding.id or active.binding.tooltip else writing


def _focus_heading(focused: Widget | None) -> SafeText:
    nodes: Iterable[DOMNode] = focused.ancestors_with_self if focused is not None else ()
    return next((_SCOPE_HEADINGS[node.id] for node in nodes if node.id in _SCOPE_HEADINGS), SafeText("Here"))


def _help_rows(bindings_by_action: _BindingsByAction) -> list[HelpRow]:
    # What the footer names is wanted most; moving about is known.
    wanted = sorted(bindings_by_action.values(), key=lambda actives: not actives[0].binding.show)
    return [
        HelpRow(
            _keys_text(actives),
            _BUILTIN_ACTION_TITLES.get(actives[0].binding.action, actives[0].binding.description),
            actives[0].tooltip,
        )
        for actives in wanted
    ]


def _keys_text(active_bindings: Iterable[ActiveBinding]) -> str:
    words = {key_label(each.binding.key) for each in active_bindings}
    # The letter before the word: j down, g home.
    return " ".join(sorted((_SHORT_KEY_NAMES.get(word, word) for word in words), key=lambda word: (len(word), word)))


def filter_sections(sections: Iterable[HelpSection], text: str) -> list[HelpSection]:
    """Return only the rows that hold every word of `text`."""
    words = text.casefold().split()
    kept = [
        HelpSection(title, [row for row in rows if all(word in " ".join(row).casefold() for word in words)])
        for title, rows in sections
    ]
    return [section for section in kept if section.rows]


def render_sections(sections: Sequence[HelpSection], width: int) -> Content:
    """Return the sections as styled text of that many cells a line."""
    lines: list[Content] = []
    for title, rows in sections:
        lines += [Content(""), Content.styled(title, "$text-accent")]
        for row in rows:
            lines += _render_row(row, width)
    return Content("\n").join(lines[1:])


def _render_row(row: HelpRow, width: int) -> Iterable[Content]:
    keys = Content.styled(format_safe("{keys}", keys=row.keys), "$accent")
    title = format_safe("{title}", title=row.title)
    does = format_safe("{does}", does=row.description)
    if width < NARROW_WIDTH:
        yield from (keys + Content(f"  {title}")).wrap(width)
        yield from _hanging_indent(Content(""), does, 2, width, "$text-muted") if does else ()
        return
    if keys.cell_length >= KEY_WIDTH:
        yield keys
        keys = Content("")
    head = keys.pad_right(KEY_WIDTH - keys.cell_length)
    if does and len(title) < TITLE_WIDTH:
        yield from _hanging_indent(
            head + Content(f"{title:<{TITLE_WIDTH}}"), does, KEY_WIDTH + TITLE_WIDTH, width, "$text-muted"
        )
    else:
        yield from _hanging_indent(head, title, KEY_WIDTH, width, "$foreground")


def _hanging_indent(head: Content, text: SafeText, indent: int, width: int, style: str) -> Iterable[Content]:
    """Yield the text in lines of `width` cells behind `head`, going on under its own beginning."""
    for line in Content(text).wrap(width - indent):
        yield head.pad_right(indent - head.cell_length) + line.rstrip().stylize(style)
        head = Content("")


class _HelpScroll(VerticalScroll):
    """The part that scrolls, which tells when it has got its width: the screen has its own before."""

    class Sized(Message):
        """It is as wide as it will be."""

    def on_resize(self, _event: events.Resize) -> None:
        """Tell the screen."""
        self.post_message(self.Sized())


class HelpScreen(Dialog[None]):
    """Shows what it was made of; nothing is done from here. Typing narrows it, Esc goes back."""

    KEYS_HINT = SafeText("type to search · up and down scroll · esc back")
    DEFAULT_CSS = """
    HelpScreen {
        & > #dialog { width: 90; height: 94%; }
        & VerticalScroll { height: 1fr; scrollbar-size-vertical: 1; margin-bottom: 1; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("help")]

    def __init__(self, sections: Sequence[HelpSection]) -> None:
        super().__init__(SafeText("Help"))
        self._sections = sections
        self.search_input = SearchInput(placeholder="search", compact=True, id="help-line")
        self._text = Static(markup=False)
        self._scroll = _HelpScroll(self._text, can_focus=False)
        self._rendered_for: tuple[str, int] | None = None

    @classmethod
    def for_screen(cls, screen: Screen[Any]) -> HelpScreen:
        """Return the help for this screen as it stands."""
        return cls(help_sections(screen))

    def body(self) -> Iterable[Widget]:
        """Show the line to search in over the keys."""
        return (self.search_input, self._scroll)

    def on_mount(self) -> None:
        """Go to the line."""
        self.search_input.focus()

    @on(_HelpScroll.Sized)
    def _scroll_sized(self) -> None:
        self._redraw()

    @on(Input.Changed)
    def _input_changed(self, event: Input.Changed) -> None:
        event.stop()
        self._redraw()
        self._scroll.scroll_home(animate=False)

    def action_scroll(self, rows: int) -> None:
        """Scroll the keys."""
        self._scroll.scroll_relative(y=rows, animate=False)

    def _redraw(self) -> None:
        # Two cells for the scrollbar and the gap before it, whether it is there or not.
        width = self._scroll.size.width - 2
        text = self.search_input.value.strip()
        if width <= 0 or (text, width) == self._rendered_for:
            return
        self._rendered_for = (text, width)
        found = filter_sections(self._sections, text)
        content = render_sections(found, width)
        if not text:
            content = Content("\n").join([content, Content(""), *_render_billing_notes(width)])
        elif not found:
            content = Content.styled("No key does that here.", "$text-muted")
        self._text.update(content)


def _render_billing_notes(width: int) -> Iterable[Content]:
    yield Content.styled("Your credits", "$text-accent")
    for sentence in BILLING_NOTES:
        yield from Content.styled(sentence, "$text-muted").wrap(width)


_BindingsByAction = dict[str, list[ActiveBinding]]
