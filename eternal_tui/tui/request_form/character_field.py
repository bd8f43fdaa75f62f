"""Who is in the picture: an ID or a name, completed from the list, and whom it means in a line underneath."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.message import Message
from textual.suggester import Suggester
from textual.widgets import Input

from eternal_tui.api.curl import looks_like_curl
from eternal_tui.characters.resolver import CharacterLookup, Chosen, label
from eternal_tui.core.sanitize import shown
from eternal_tui.tui.input.actions import bindings
from eternal_tui.tui.request_form.fields import FieldRow, Hint

TYPED_LIMIT = 400
"""Characters kept in the field: a dozen names, or a URL long enough to be refused by its own name."""


class _Line(Input):
    """A single line whose arrows leave it, and which takes only text a terminal can be given."""

    BINDINGS: ClassVar[list[BindingType]] = [*bindings("line")]

    @dataclass
    class PickWanted(Message):
        """The list was asked for."""

    @dataclass
    class Done(Message):
        """Enter was pressed."""

    @dataclass
    class Entered(Message):
        """The cursor is in the line."""

    @dataclass
    class CurlPasted(Message):
        """A curl command was pasted."""

        text: str

    def replace(self, text: str, start: int, end: int) -> None:
        """Put gated text in place of a range; every way into the field but `value` comes through here."""
        super().replace(shown(text, limit=TYPED_LIMIT), start, end)

    def _on_paste(self, event: events.Paste) -> None:
        event.prevent_default()
        event.stop()
        if looks_like_curl(event.text):
            self.post_message(self.CurlPasted(event.text))
            return
        lines = event.text.strip().splitlines()
        if lines:
            self.replace(lines[0], *sorted(self.selection))

    def on_focus(self) -> None:
        """Say so."""
        self.post_message(self.Entered())

    def action_pick(self) -> None:
        """Ask for the list."""
        self.post_message(self.PickWanted())

    def action_done(self) -> None:
        """Say that the entry is finished."""
        self.post_message(self.Done())


class _Completion(Suggester):
    """Ends a begun name, for the right arrow to accept."""

    def __init__(self) -> None:
        super().__init__(use_cache=False, case_sensitive=True)
        self.lookup = CharacterLookup()

    async def get_suggestion(self, value: str) -> str | None:
        """Return the label of the first character whose name begins with `value`."""
        for character in self.lookup.matches(value, limit=1):
            whole = label(character)
            if whole.casefold().startswith(value.casefold()) and len(whole) > len(value):
                return value + whole[len(value) :]
        return None


class CharacterField(Vertical):
    """The character field and the line under it. It is given a lookup, and never loads one."""

    DEFAULT_CSS = """
    CharacterField { height: auto; }
    CharacterField Input, CharacterField Input:focus {
        border: none; height: 1; padding: 0; background: transparent; width: 1fr;
    }
    CharacterField Hint { padding-left: 11; }
    CharacterField Hint.-problem { padding-left: 1; }
    """

    @dataclass
    class Edited(Message):
        """The text of the field changed."""

        text: str

    @dataclass
    class Entered(Message):
        """The focus came into the field."""

    @dataclass
    class CurlPasted(Message):
        """A curl command was pasted, and kept out of the field."""

        text: str

    @dataclass
    class Left(Message):
        """The focus left the field."""

    @dataclass
    class PickWanted(Message):
        """The list of characters was asked for, to be searched for `text` first."""

        text: str

    def __init__(self, *, id: str) -> None:  # noqa: A002
        super().__init__(id=id)
        self._completion = _Completion()
        self._line = _Line(
            placeholder="ID or name",
            suggester=self._completion,
            max_length=TYPED_LIMIT,
            compact=True,
            id="character-line",
        )
        self._hint = Hint(keep_row=True, id="character-hint")
        self._lookup = CharacterLookup()
        self._resolved: tuple[str, list[Chosen]] | None = None
        self._complains = False

    def compose(self) -> ComposeResult:
        """Lay the line over its hint."""
        yield FieldRow("Character", self._line, id="character-row")
        yield self._hint

    @property
    def text(self) -> str:
        """What stands in the field."""
        return self._line.value

    @property
    def chosen(self) -> list[Chosen]:
        """Whom each entry of the field means."""
        # Asked for several times at every key, and among thousands of names a resolution takes milliseconds.
        if self._resolved is None or self._resolved[0] != self.text:
            self._resolved = (self.text, self._lookup.resolve_all(self.text))
        return self._resolved[1]

    def show(self, text: str) -> None:
        """Put `text` into the field; posts nothing."""
        with self._line.prevent(Input.Changed):
            self._line.value = shown(text, limit=TYPED_LIMIT)
        self._tell()

    def give(self, lookup: CharacterLookup) -> None:
        """Take the characters to complete from."""
        self._lookup = self._completion.lookup = lookup
        self._resolved = None
        self._settle()

    def complain(self, complains: bool) -> None:
        """Say from now on what is wrong with the entry, or keep quiet about it."""
        self._complains = complains
        self._settle()

    def focus_line(self) -> None:
        """Put the cursor into the field."""
        self._line.focus()

    @on(Input.Changed)
    def _edited(self, event: Input.Changed) -> None:
        event.stop()
        self._tell()
        self.post_message(self.Edited(self.text))

    @on(_Line.Entered)
    def _entered(self, event: _Line.Entered) -> None:
        event.stop()
        self._tell()
        self.post_message(self.Entered())

    @on(_Line.CurlPasted)
    def _pasted(self, event: _Line.CurlPasted) -> None:
        event.stop()
        self.post_message(self.CurlPasted(event.text))

    @on(Input.Blurred)
    def _left(self, event: Input.Blurred) -> None:
        event.stop()
        self._settle()
        self.post_message(self.Left())

    @on(_Line.PickWanted)
    def _pick(self, event: _Line.PickWanted) -> None:
        event.stop()
        self._open_list()

    @on(_Line.Done)
    def _done(self, event: _Line.Done) -> None:
        event.stop()
        if self._is_clear:
            self.screen.focus_next()
        else:
            self._open_list()

    @property
    def _is_clear(self) -> bool:
        return all(each.id for each in self.chosen)

    def _open_list(self) -> None:
        self.post_message(self.PickWanted("" if self._is_clear else self.text.rpartition(",")[2].strip()))

    def _settle(self) -> None:
        """Write out what a finished entry means, so that the field says the name and the ID."""
        chosen = self.chosen
        if not self._line.has_focus and all(each.character for each in chosen):
            self.show(", ".join(label(each.character) for each in chosen if each.character))
        self._tell()

    def _tell(self) -> None:
        chosen = self.chosen
        wrong = next((each.problem for each in chosen if each.problem), "")
        # A URL or a path is never the beginning of a name: it is refused as it is pasted.
        said = wrong if self._complains or "/" in self.text else ""
        self._hint.say(self._facts(chosen), said)

    def _facts(self, chosen: list[Chosen]) -> str:
        if len(chosen) > 1:
            return f"{len(chosen)} characters: one request each"
        if (character := chosen[0].character) is not None:
            facts = [label(character)] if self._line.has_focus else []
            facts += [f"{character.age} years"] if character.age is not None else []
            return " · ".join([*facts, *(shown(each) for each in (character.gender, character.description) if each)])
        if chosen[0].id:
            return "not in the list; sent as it is" if self._lookup.offered else ""
        if self.text:
            return "  ".join(label(each) for each in self._lookup.matches(self.text, limit=4))
        return "↓ opens the list" if self._line.has_focus else ""
