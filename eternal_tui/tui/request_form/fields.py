"""The fields under the prompt: the type, what that type needs, and how many times."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import msgspec
from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.message import Message

from eternal_tui.api.models import MAX_SECONDS, MIN_SECONDS, MediaType, Quality
from eternal_tui.drafts.draft import Draft
from eternal_tui.drafts.matrix import MAX_TIMES
from eternal_tui.tui.request_form.field_row import FieldRow
from eternal_tui.tui.terminal.glyphs import UNICODE, Glyphs
from eternal_tui.tui.widgets.choice import Choice
from eternal_tui.tui.widgets.stepper import Stepper

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
