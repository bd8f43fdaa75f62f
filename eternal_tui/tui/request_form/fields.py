"""SettingsFields and SubmitBar, which are under the prompt, and the row and hint that all fields share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, cast

import msgspec
from rich.cells import cell_len
from textual import events, on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.message import Message
from textual.reactive import reactive
from textual.widget import Widget
from textual.widgets import Static

from eternal_tui.api.curl import is_curl_command
from eternal_tui.api.models import MAX_DURATION_SECONDS, MIN_DURATION_SECONDS, MediaType, Quality
from eternal_tui.core.formatting import format_cost
from eternal_tui.core.sanitize import SafeText, sanitize
from eternal_tui.drafts.draft import Draft
from eternal_tui.drafts.expansion import MAX_COUNT
from eternal_tui.tui.input.keymap import bindings
from eternal_tui.tui.request_form.messages import CurlPasted, FieldEdited
from eternal_tui.tui.widgets.choice import Choice, FieldControl, Stepper


class RefusesCurl:
    """Mixed into text inputs: a pasted curl command, which may carry a key, is posted instead of taken."""

    def on_paste(self, event: events.Paste) -> None:
        # Textual also calls the handler of the base class, unless the default is prevented.
        if is_curl_command(event.text):
            event.prevent_default()
            event.stop()
            assert isinstance(self, Widget)
            self.post_message(CurlPasted(event.text))


class FieldRow(Horizontal):
    """A dim label left of a control; a bar on the left marks the one with the focus."""

    DEFAULT_CSS = """
    FieldRow { height: auto; border-left: blank; }
    FieldRow .label { width: 10; height: 1; color: $text-muted; }
    FieldRow:focus-within { border-left: outer $accent; }
    FieldRow:focus-within .label { color: $text-accent; }
    """

    def __init__(self, label: str, control: Widget) -> None:
        super().__init__(id=f"{control.id}-row")
        self._label = label
        self._control = control

    def compose(self) -> ComposeResult:
        yield Static(self._label, markup=False, classes="label")
        yield self._control


ONE_PROMPT, PROMPT_PER_LINE = "one", "one per line"
_DURATION_OPTIONS = [str(second) for second in range(MIN_DURATION_SECONDS, MAX_DURATION_SECONDS + 1)]


class SettingsFields(Vertical):
    """Single-row fields. Those that do not apply to the type are hidden and keep their values."""

    DEFAULT_CSS = """
    SettingsFields { height: auto; }
    """

    def __init__(self) -> None:
        super().__init__(id="settings")
        start = Draft()
        self._prompt_mode = Choice((ONE_PROMPT, PROMPT_PER_LINE), ONE_PROMPT, radio=True, id="lines")

        def choice(options: Sequence[str], value: str, id: str, *, radio: bool = True) -> Choice:  # noqa: A002
            return Choice(options, value, radio=radio, multiple=True, id=id)

        self._media_type = choice(("image", "video"), start.type, "type")
        self._duration = choice(_DURATION_OPTIONS, str(start.duration), "seconds", radio=False)
        self._audio = choice(("on", "off"), "on", "sound")
        self._quality = choice(("low", "high"), start.quality, "quality")
        self._repeat_count = Stepper(start.count, minimum=1, maximum=MAX_COUNT, id="times")

    def compose(self) -> ComposeResult:
        yield FieldRow("Prompts", self._prompt_mode)
        yield FieldRow("Type", self._media_type)
        yield FieldRow("Duration", self._duration)
        yield FieldRow("Audio", self._audio)
        yield FieldRow("Quality", self._quality)
        yield FieldRow("Count", self._repeat_count)

    def apply_to(self, draft: Draft) -> Draft:
        """Return `draft` with what these fields hold."""
        return msgspec.structs.replace(
            draft,
            one_per_line=self._prompt_mode.value == PROMPT_PER_LINE,
            type=cast("MediaType", self._media_type.value),
            duration=int(self._duration.value),
            audio=self._audio.value == "on",
            quality=cast("Quality", self._quality.value),
            count=self._repeat_count.value,
            extra_durations=tuple(map(int, self._duration.extra_values)),
            extra_qualities=cast("tuple[Quality, ...]", self._quality.extra_values),
            both_audio=bool(self._audio.extra_values),
            both_types=bool(self._media_type.extra_values),
        )

    def set_draft(self, draft: Draft) -> None:
        """Show what `draft` holds for these fields; posts nothing."""
        self._prompt_mode.set_value(PROMPT_PER_LINE if draft.one_per_line else ONE_PROMPT)
        self._media_type.set_value(draft.type, ("image", "video") if draft.both_types else ())
        self._duration.set_value(str(draft.duration), map(str, draft.extra_durations))
        self._audio.set_value("on" if draft.audio else "off", ("on", "off") if draft.both_audio else ())
        self._quality.set_value(draft.quality, draft.extra_qualities)
        self._repeat_count.set_value(draft.count)

    def show_applicable(self, draft: Draft, *, has_multiple_lines: bool) -> None:
        """Show the fields that apply to the draft's types, and the choice about lines where there are several."""
        has_video, has_image = "video" in draft.types, "image" in draft.types
        for row, applies in (
            ("#seconds-row", has_video),
            ("#sound-row", has_video),
            ("#quality-row", has_image),
            ("#lines-row", has_multiple_lines or draft.one_per_line),
        ):
            self.query_one(row).display = applies

    def show_total(self, total: int) -> None:
        """Show the number of requests next to the count."""
        self._repeat_count.note = f"= {total} requests" if total > 1 else ""

    def focus_count(self) -> None:
        """Go to the number of repetitions."""
        self._repeat_count.focus()

    @on(FieldControl.Changed)
    def _field_changed(self) -> None:
        self.post_message(FieldEdited())


class FieldHint(Static):
    """One dim line, or an error of up to four. `reserve_row` keeps the row while it is empty."""

    DEFAULT_CSS = """
    FieldHint { height: auto; max-height: 4; width: 1fr; color: $text-muted; display: none; }
    FieldHint.-keep-row { display: block; min-height: 1; }
    FieldHint.-problem { display: block; color: $text-error; }
    """

    def __init__(self, *, reserve_row: bool = False, id: str) -> None:  # noqa: A002
        super().__init__("", id=id, markup=False)
        self.set_class(reserve_row, "-keep-row")
        self._last_text: tuple[str, str] = ("", "")

    def set_text(self, fact: str, error: str = "") -> None:
        """Show the error, or the fact where there is none."""
        if (fact, error) == self._last_text:
            return
        self._last_text = (fact, error)
        self.set_class(bool(error), "-problem")
        self.styles.text_wrap = "wrap" if error else "nowrap"
        self.styles.text_overflow = "ellipsis"
        self.update(Content(f"! {sanitize(error)}" if error else sanitize(fact)))


_SEND_HINT = "^s send"
_STOP_HINT = "esc stops"


class SubmitBar(Widget, can_focus=True):
    """Shows how many requests there are and their price; enter or a click on its right end submits."""

    DEFAULT_CSS = """
    SubmitBar { height: 1; width: 1fr; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("submit")]

    class Pressed(Message):
        """The form is to be sent."""

    request_count: reactive[int] = reactive(1)
    price: reactive[float | None] = reactive(None)
    """Credits of one request, None where they are unknown."""
    waiting_text: reactive[SafeText] = reactive(SafeText(""))
    """Text about the check that must finish before the form is sent; "" for none."""

    def render(self) -> Content:
        width = self.content_size.width
        several = f"{self.request_count} requests · " if self.request_count > 1 else ""
        cost = format_cost(None if self.price is None else self.price * self.request_count)
        text = self.waiting_text or f"{several}{cost}"
        key = _STOP_HINT if self.waiting_text else _SEND_HINT
        if cell_len(text) + len(key) + 1 > width:
            text = text.replace(" requests", "×").replace(" credits", " cr")
        space = " " * max(1, width - cell_len(text) - len(key))
        style = "bold reverse $text-accent" if self.has_focus else "$text-accent"
        return Content.assemble((text, "$text-muted"), space, (key, style))

    def on_click(self, event: events.Click) -> None:
        if event.x >= self.content_size.width - len(_SEND_HINT):
            self.post_message(self.Pressed())

    def action_press(self) -> None:
        self.post_message(self.Pressed())
