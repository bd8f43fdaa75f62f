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

from eternal_tui.core.sanitize import Shown, say
from eternal_tui.tui.input.actions import bindings
from eternal_tui.tui.input.keymap import key_words
from eternal_tui.tui.widgets.dialog import Dialog
from eternal_tui.tui.widgets.footer import Hint
from eternal_tui.tui.widgets.search_dialog import SearchLine

MONEY: tuple[Shown, ...] = (
    Shown("One key press sends at most one paid request, and none is ever sent again by itself."),
    Shown("A request whose answer was lost is unconfirmed: it may be charged, and you decide with t."),
    Shown("Watching, fetching a file again, restarting and reading the history cost nothing."),
    Shown("To stop watching or to delete a job does not stop it at the service; it stays charged."),
    Shown("Prices are learned from your credits, so they say about; daily_cap and confirm_above bound them."),
)

_PLACES = {"form": Shown("In the request"), "jobs": Shown("In the list of jobs"), "detail": Shown("In the detail")}
_PLAIN = {
    "app.focus_next": "Next control",
    "app.focus_previous": "Control before",
    "screen.copy_text": "Copy selection",
}
_WORDS = {"pagedown": "pgdn", "pageup": "pgup", "delete": "del"}

KEY_WIDTH = 15
"""Cells of the keys: `V shift+space` and two more."""

TITLE_WIDTH = 14
"""Cells of the titles: the longest in the registry and two more."""


NARROW = 48
"""Cells below which what a key does stands under its title instead of beside it: the help of a 60-column terminal."""


class Row(NamedTuple):
    """One thing to do: its keys as people write them, its title, and what it does where that is known."""

    keys: str
    title: str
    does: str


class Section(NamedTuple):
    """Rows under a heading."""

    title: Shown
    rows: Sequence[Row]


def sections_of(screen: Screen[Any]) -> list[Section]:
    """Return what the keys of this screen do right now, what is nearest to the focus first."""
    here: dict[str, list[ActiveBinding]] = {}
    everywhere: dict[str, list[ActiveBinding]] = {}
    writing: dict[str, list[ActiveBinding]] = {}
    for active in screen.active_bindings.values():
        if active.binding.description and not active.binding.system:
            into = _kind(active, here, everywhere, writing)
            into.setdefault(active.binding.action, []).append(active)
    found = [
        Section(_place(screen.focused), _rows(here)),
        Section(Shown("Everywhere"), _rows(everywhere)),
        Section(Shown("While writing"), _rows(writing)),
    ]
    return [section for section in found if section.rows]


def _kind(active: ActiveBinding, here: _Found, everywhere: _Found, writing: _Found) -> _Found:
    if isinstance(active.node, App):
        return everywhere
    if isinstance(active.node, Screen) and (active.binding.priority or active.binding.action in _PLAIN):
        return everywhere
    # Keys without a name are those of a text field as such; ours all have one.
    return here if active.binding.id or active.binding.tooltip else writing


def _place(focused: Widget | None) -> Shown:
    nodes: Iterable[DOMNode] = focused.ancestors_with_self if focused is not None else ()
    return next((_PLACES[node.id] for node in nodes if node.id in _PLACES), Shown("Here"))


def _rows(found: _Found) -> list[Row]:
    # What the footer names is wanted most; moving about is known.
    wanted = sorted(found.values(), key=lambda actives: not actives[0].binding.show)
    return [
        Row(_keys(actives), _PLAIN.get(actives[0].binding.action, actives[0].binding.description), actives[0].tooltip)
        for actives in wanted
    ]


def _keys(actives: Iterable[ActiveBinding]) -> str:
    words = {key_words(each.binding.key) for each in actives}
    # The letter before the word: j down, g home.
    return " ".join(sorted((_WORDS.get(word, word) for word in words), key=lambda word: (len(word), word)))


def matching(sections: Iterable[Section], text: str) -> list[Section]:
    """Return only the rows that hold every word of `text`."""
    words = text.casefold().split()
    kept = [
        Section(title, [row for row in rows if all(word in " ".join(row).casefold() for word in words)])
        for title, rows in sections
    ]
    return [section for section in kept if section.rows]


def laid_out(sections: Sequence[Section], width: int) -> Content:
    """Return the sections as styled text of that many cells a line."""
    lines: list[Content] = []
    for title, rows in sections:
        lines += [Content(""), Content.styled(title, "$text-accent")]
        for row in rows:
            lines += _row(row, width)
    return Content("\n").join(lines[1:])


def _row(row: Row, width: int) -> Iterable[Content]:
    keys = Content.styled(say("{keys}", keys=row.keys), "$accent")
    title = say("{title}", title=row.title)
    does = say("{does}", does=row.does)
    if width < NARROW:
        yield from (keys + Content(f"  {title}")).wrap(width)
        yield from _hung(Content(""), does, 2, width, "$text-muted") if does else ()
        return
    if keys.cell_length >= KEY_WIDTH:
        yield keys
        keys = Content("")
    head = keys.pad_right(KEY_WIDTH - keys.cell_length)
    if does and len(title) < TITLE_WIDTH:
        yield from _hung(head + Content(f"{title:<{TITLE_WIDTH}}"), does, KEY_WIDTH + TITLE_WIDTH, width, "$text-muted")
    else:
        yield from _hung(head, title, KEY_WIDTH, width, "$foreground")


def _hung(head: Content, text: Shown, indent: int, width: int, style: str) -> Iterable[Content]:
    """Yield the text in lines of `width` cells behind `head`, going on under its own beginning."""
    for line in Content(text).wrap(width - indent):
        yield head.pad_right(indent - head.cell_length) + line.rstrip().stylize(style)
        head = Content("")


class _Keys(VerticalScroll):
    """The part that scrolls, which tells when it has got its width: the screen has its own before."""

    class Sized(Message):
        """It is as wide as it will be."""

    def on_resize(self, _event: events.Resize) -> None:
        """Tell the screen."""
        self.post_message(self.Sized())


class HelpScreen(Dialog[None]):
    """Shows what it was made of; nothing is done from here. Typing narrows it, Esc goes back."""

    KEYS_WORD = Shown("type to search · up and down scroll · esc back")
    DEFAULT_CSS = """
    HelpScreen {
        & > #dialog { width: 90; height: 94%; }
        & VerticalScroll { height: 1fr; scrollbar-size-vertical: 1; margin-bottom: 1; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("help")]

    def __init__(self, sections: Sequence[Section]) -> None:
        super().__init__(Shown("Help"))
        self._sections = sections
        self.line = SearchLine(placeholder="search", compact=True, id="help-line")
        self._text = Static(markup=False)
        self._scroll = _Keys(self._text, can_focus=False)
        self._drawn: tuple[str, int] | None = None

    @classmethod
    def of(cls, screen: Screen[Any]) -> HelpScreen:
        """Return the help for this screen as it stands."""
        return cls(sections_of(screen))

    def body(self) -> Iterable[Widget]:
        """Show the line to search in over the keys."""
        return (self.line, self._scroll)

    def on_mount(self) -> None:
        """Go to the line."""
        self.line.focus()

    @on(_Keys.Sized)
    def _sized(self) -> None:
        self._redraw()

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        self._redraw()
        self._scroll.scroll_home(animate=False)

    def action_scroll(self, rows: int) -> None:
        """Scroll the keys."""
        self._scroll.scroll_relative(y=rows, animate=False)

    def _redraw(self) -> None:
        # Two cells for the scrollbar and the gap before it, whether it is there or not.
        width = self._scroll.size.width - 2
        text = self.line.value.strip()
        if width <= 0 or (text, width) == self._drawn:
            return
        self._drawn = (text, width)
        found = matching(self._sections, text)
        content = laid_out(found, width)
        if not text:
            content = Content("\n").join([content, Content(""), *_money(width)])
        elif not found:
            content = Content.styled("No key does that here.", "$text-muted")
        self._text.update(content)


def _money(width: int) -> Iterable[Content]:
    yield Content.styled("Your credits", "$text-accent")
    for sentence in MONEY:
        yield from Content.styled(sentence, "$text-muted").wrap(width)


_Found = dict[str, list[ActiveBinding]]


class KeyHelp:
    """Mixed into a screen whose keys are in the registry: shows those that work where the focus is."""

    HELP_HINT: ClassVar[Hint] = Hint("?", "help", "screen.help")

    def action_help(self) -> None:
        """Show the keys of what has focus."""
        assert isinstance(self, Screen)
        screen: Screen[Any] = self
        screen.app.push_screen(HelpScreen.of(screen))
