"""The fields under the prompt: the type, what that type needs, and how many times."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import msgspec
from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Static

from eternal_tui.api.models import MAX_SECONDS, MIN_SECONDS, MediaType, Quality
from eternal_tui.core.sanitize import shown
from eternal_tui.drafts.draft import Draft
from eternal_tui.drafts.matrix import MAX_TIMES
from eternal_tui.tui.terminal.glyphs import UNICODE, Glyphs
from eternal_tui.tui.widgets.choice import Choice, Stepper


class FieldRow(Horizontal):
    """A dim label beside a control; a bar on the left marks the one that has the focus."""

    DEFAULT_CSS = """
    FieldRow { height: auto; border-left: blank; }
    FieldRow .label { width: 10; height: 1; color: $text-muted; }
    FieldRow:focus-within { border-left: outer $accent; }
    FieldRow:focus-within .label { color: $text-accent; }
    """

    def __init__(self, label: str, control: Widget, *, id: str) -> None:  # noqa: A002
        super().__init__(id=id)
        self._label = label
        self._control = control

    def compose(self) -> ComposeResult:
        """Put the label before the control."""
        yield Static(self._label, markup=False, classes="label")
        yield self._control


_SECONDS = [str(second) for second in range(MIN_SECONDS, MAX_SECONDS + 1)]


class SettingsFields(Vertical):
    """Small single-row fields, of which only those that apply are on screen; the others keep their values."""

    DEFAULT_CSS = """
    SettingsFields { height: auto; }
    """

    @dataclass
    class Edited(Message):
        """One of the fields changed."""

    def __init__(self, *, glyphs: Glyphs = UNICODE, id: str) -> None:  # noqa: A002
        super().__init__(id=id)
        start = Draft()
        self._lines = Choice((("one", "one"), ("each", "by line")), "one", radio=True, glyphs=glyphs, id="lines")
        self._type = Choice(
            (("image", "picture"), ("video", "clip")), start.type, radio=True, several=True, glyphs=glyphs, id="type"
        )
        self._seconds = Choice(
            [(each, each) for each in _SECONDS], str(start.duration), several=True, glyphs=glyphs, id="seconds"
        )
        self._sound = Choice((("on", "on"), ("off", "off")), "on", radio=True, several=True, glyphs=glyphs, id="sound")
        self._quality = Choice(
            (("low", "low"), ("high", "high")), start.quality, radio=True, several=True, glyphs=glyphs, id="quality"
        )
        self._times = Stepper(start.times, least=1, most=MAX_TIMES, glyphs=glyphs, id="times")

    def compose(self) -> ComposeResult:
        """Lay the fields out, one a row."""
        yield FieldRow("Prompts", self._lines, id="lines-row")
        yield FieldRow("Type", self._type, id="type-row")
        yield FieldRow("Seconds", self._seconds, id="seconds-row")
        yield FieldRow("Sound", self._sound, id="sound-row")
        yield FieldRow("Quality", self._quality, id="quality-row")
        yield FieldRow("Times", self._times, id="times-row")

    def onto(self, draft: Draft) -> Draft:
        """Return `draft` with what these fields hold."""
        return msgspec.structs.replace(
            draft,
            by_line=self._lines.value == "each",
            type=cast("MediaType", self._type.value),
            duration=int(self._seconds.value),
            audio=self._sound.value == "on",
            quality=cast("Quality", self._quality.value),
            times=self._times.value,
            more_durations=tuple(map(int, self._seconds.more)),
            more_qualities=cast("tuple[Quality, ...]", self._quality.more),
            both_sounds=bool(self._sound.more),
            both_types=bool(self._type.more),
        )

    def show(self, draft: Draft) -> None:
        """Show what `draft` holds for these fields; posts nothing."""
        self._lines.show("each" if draft.by_line else "one")
        self._type.show(draft.type, ("image", "video") if draft.both_types else ())
        self._seconds.show(str(draft.duration), map(str, draft.more_durations))
        self._sound.show("on" if draft.audio else "off", ("on", "off") if draft.both_sounds else ())
        self._quality.show(draft.quality, draft.more_qualities)
        self._times.show(draft.times)

    def apply(self, draft: Draft, *, several_lines: bool) -> None:
        """Put on screen what applies to the draft's types, and the choice about lines where there are several."""
        clip, picture = "video" in draft.types, "image" in draft.types
        for row, applies in (
            ("#seconds-row", clip),
            ("#sound-row", clip),
            ("#quality-row", picture),
            ("#lines-row", several_lines or draft.by_line),
        ):
            self.query_one(row).display = applies

    def focus_times(self) -> None:
        """Go to the number of repetitions."""
        self._times.focus()

    @on(Choice.Picked)
    @on(Stepper.Stepped)
    def _edited(self, event: Message) -> None:
        event.stop()
        self.post_message(self.Edited())


class Hint(Static):
    """One quiet line, or a problem of up to four. `keep_row` holds the row while there is nothing to say."""

    DEFAULT_CSS = """
    Hint { height: auto; max-height: 4; width: 1fr; color: $text-muted; display: none; }
    Hint.-keep-row { display: block; min-height: 1; }
    Hint.-problem { display: block; color: $text-error; }
    """

    def __init__(self, *, keep_row: bool = False, id: str) -> None:  # noqa: A002
        super().__init__("", id=id, markup=False)
        self.set_class(keep_row, "-keep-row")
        self._said: tuple[str, str] = ("", "")

    def say(self, fact: str, problem: str = "") -> None:
        """Show the problem, or the fact where there is none."""
        if (fact, problem) == self._said:
            return
        self._said = (fact, problem)
        self.set_class(bool(problem), "-problem")
        self.styles.text_wrap = "wrap" if problem else "nowrap"
        self.styles.text_overflow = "ellipsis"
        self.update(Content(f"! {shown(problem)}" if problem else shown(fact)))
