"""HelpScreen: the keys of the focused control, then those that work everywhere, with search."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

from textual import events, on
from textual.app import App
from textual.binding import ActiveBinding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.dom import DOMNode
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Input, Static, TextArea

from eternal_tui.core.sanitize import SafeText, format_safe
from eternal_tui.tui.config_watch import effective_keymap
from eternal_tui.tui.input.actions import ACTIONS_BY_ID, SHARED_KEYS
from eternal_tui.tui.input.keymap import bindings, effective_keys, key_label
from eternal_tui.tui.widgets.dialog import Dialog
from eternal_tui.tui.widgets.search_dialog import SearchInput

BILLING_NOTES: tuple[SafeText, ...] = (
    SafeText("The form sends as many requests as it shows. Only HTTP 429 (rate limit) is retried automatically."),
    SafeText("If the response to a request is lost, it is unconfirmed: it may have been charged. t: retry or dismiss."),
    SafeText("Polling, downloading again, restarting and reading the history are free."),
    SafeText("Deleting or unwatching a job does not cancel it or refund it."),
    SafeText("Prices are estimates. Set daily_cap and confirm_above to limit spending."),
)

_SCOPE_HEADINGS = {
    "form": SafeText("In the request"),
    "jobs": SafeText("In the list of jobs"),
    "detail": SafeText("In the detail"),
}
_BUILTIN_ACTION_TITLES = {
    "app.focus_next": "Next control",
    "app.focus_previous": "Previous control",
    "screen.copy_text": "Copy selection",
}
_SHORT_KEY_NAMES = {"pagedown": "pgdn", "pageup": "pgup", "delete": "del"}

KEY_WIDTH = 15
"""Cells of the keys: `V shift+space` and two more."""

TITLE_WIDTH = 14
"""Cells of the titles: the longest in the registry and two more."""


NARROW_WIDTH = 60
"""Cells below which a description is under its title, not next to it."""


class HelpRow(NamedTuple):
    """The keys of an action, its title and its description."""

    keys: str
    title: str
    description: str


class HelpSection(NamedTuple):
    """Rows under a heading."""

    title: SafeText
    rows: Sequence[HelpRow]


def help_sections(screen: Screen[Any]) -> list[HelpSection]:
    """Return the keys active on the screen, those nearest to the focus first."""
    actions: dict[str, dict[str, list[ActiveBinding]]] = {"here": {}, "everywhere": {}, "editing": {}}
    for active in screen.active_bindings.values():
        if active.binding.description and not active.binding.system:
            actions[_section_name(active)].setdefault(active.binding.action, []).append(active)
    if not isinstance(screen.focused, Input | TextArea):
        actions["editing"].clear()
    found = [
        HelpSection(_focus_heading(screen.focused), _help_rows(actions["here"])),
        HelpSection(SafeText("Everywhere"), _help_rows(actions["everywhere"])),
        HelpSection(SafeText("Text editing"), _help_rows(actions["editing"])),
        HelpSection(SafeText("The same wherever no text is typed"), _shared_rows(screen.app)),
    ]
    return [section for section in found if section.rows]


def _shared_rows(app: App[Any]) -> list[HelpRow]:
    from eternal_tui.tui.app import EternalApp

    keymap = effective_keymap(app.services.settings) if isinstance(app, EternalApp) else {}
    return [
        HelpRow(" ".join(key_label(effective_keys(ACTIONS_BY_ID[name], keymap)) for name in names), meaning, "")
        for names, meaning in SHARED_KEYS
    ]


def _section_name(active: ActiveBinding) -> str:
    on_screen = isinstance(active.node, Screen)
    if isinstance(active.node, App) or (
        on_screen and (active.binding.priority or active.binding.action in _BUILTIN_ACTION_TITLES)
    ):
        return "everywhere"
    # Bindings without an ID or tooltip are Textual's own for text fields.
    return "here" if active.binding.id or active.binding.tooltip else "editing"


def _focus_heading(focused: Widget | None) -> SafeText:
    nodes: Iterable[DOMNode] = focused.ancestors_with_self if focused is not None else ()
    return next((_SCOPE_HEADINGS[node.id] for node in nodes if node.id in _SCOPE_HEADINGS), SafeText("Here"))


def _help_rows(bindings_by_action: Mapping[str, list[ActiveBinding]]) -> list[HelpRow]:
    # Keys of the footer come first, movement last.
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
    """Return the rows that contain every word of `text`."""
    words = text.casefold().split()
    found = [
        HelpSection(title, [row for row in rows if all(word in " ".join(row).casefold() for word in words)])
        for title, rows in sections
    ]
    return [section for section in found if section.rows]


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
    description = format_safe("{text}", text=row.description)
    if width < NARROW_WIDTH:
        yield from (keys + Content(f"  {title}")).wrap(width)
        yield from _hanging_indent(Content(""), description, 2, width, "$text-muted") if description else ()
        return
    if keys.cell_length >= KEY_WIDTH:
        yield keys
        keys = Content("")
    head = keys.pad_right(KEY_WIDTH - keys.cell_length)
    if description and len(title) < TITLE_WIDTH:
        yield from _hanging_indent(
            head + Content(f"{title:<{TITLE_WIDTH}}"), description, KEY_WIDTH + TITLE_WIDTH, width, "$text-muted"
        )
    else:
        yield from _hanging_indent(head, title, KEY_WIDTH, width, "$foreground")


def _hanging_indent(head: Content, text: SafeText, indent: int, width: int, style: str) -> Iterable[Content]:
    """Yield the text after `head` in lines of `width` cells, later lines indented."""
    for line in Content(text).wrap(width - indent):
        yield head.pad_right(indent - head.cell_length) + line.rstrip().stylize(style)
        head = Content("")


class HelpScreen(Dialog[None]):
    """Lists keys; typing narrows the list."""

    KEYS_HINT = SafeText("type to search · up/down: scroll · esc: back")
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
        self._scroll = VerticalScroll(self._text, can_focus=False)

    def body(self) -> Iterable[Widget]:
        return (self.search_input, self._scroll)

    def on_mount(self) -> None:
        self.search_input.focus()

    def on_resize(self, _event: events.Resize) -> None:
        # The list gets its width after the screen.
        self.call_after_refresh(self._redraw)

    @on(Input.Changed)
    def _input_changed(self) -> None:
        self._redraw()
        self._scroll.scroll_home(animate=False)

    def action_scroll(self, rows: int) -> None:
        self._scroll.scroll_relative(y=rows, animate=False)

    def _redraw(self) -> None:
        # Two cells for the scrollbar and the gap before it, whether it is there or not.
        width = self._scroll.size.width - 2
        text = self.search_input.value.strip()
        if width <= 0:
            return
        found = filter_sections(self._sections, text)
        content = render_sections(found, width)
        if not text:
            content = Content("\n").join([content, Content(""), *_render_billing_notes(width)])
        elif not found:
            content = Content.styled("No matching keys.", "$text-muted")
        self._text.update(content)


def _render_billing_notes(width: int) -> Iterable[Content]:
    yield Content.styled("Your credits", "$text-accent")
    for sentence in BILLING_NOTES:
        yield from Content.styled(sentence, "$text-muted").wrap(width)
