"""The request form: builds one request, or several, and says when they are to be sent."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.cells import cell_len, chop_cells, set_cell_size
from textual import events, on
from textual.app import ComposeResult, SuspendNotSupported
from textual.binding import BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.widget import Widget

from eternal_tui.api.curl import CurlError, is_curl_command, parse_curl, to_json
from eternal_tui.api.models import Character, GenerateRequest, InvalidRequest, validation_errors
from eternal_tui.characters.resolver import CharacterResolver, ResolvedCharacter, format_label
from eternal_tui.core.sanitize import SafeText, UntrustedText, sanitize
from eternal_tui.drafts.draft import Draft
from eternal_tui.drafts.editor import EditorNotFound
from eternal_tui.drafts.matrix import MAX_REQUESTS, RequestMatrix, expand, split_lines
from eternal_tui.drafts.stores import Preset, Presets
from eternal_tui.tui.input.actions import bindings
from eternal_tui.tui.request_form.character_field import CharacterField
from eternal_tui.tui.request_form.character_picker import CharacterPicker
from eternal_tui.tui.request_form.fields import FieldHint, SettingsFields
from eternal_tui.tui.request_form.prompt import PromptField
from eternal_tui.tui.request_form.submit_bar import SubmitBar
from eternal_tui.tui.terminal.glyphs import UNICODE, Glyphs


class Preview(Widget):
    """A block of wrapped text; where it is too long for the room, its middle is left out, never its ends."""

    DEFAULT_CSS = """
    Preview { height: 3; width: 1fr; color: $text-muted; }
    """

    def __init__(self, *, id: str) -> None:  # noqa: A002
        super().__init__(id=id)
        self._text = ""

    def set_text(self, text: str) -> None:
        """Draw `text`; costs a repaint of these few cells and no layout."""
        if text != self._text:
            self._text = text
            self.refresh()

    def render(self) -> Content:
        """Draw as much as there is room for."""
        width, height = self.content_size
        # Cut first and gated after: the gate looks at every character.
        rows = [sanitize(row) for row in _fit_rows(self._text, max(1, width), max(1, height))]
        # Set at the bottom, so that the price below it does not stand apart.
        return Content("\n" * (height - len(rows)) + "\n".join(rows))


def _fit_rows(text: str, width: int, height: int) -> list[str]:
    # Wide characters may leave a cell empty at the end of a row, hence the second look.
    if cell_len(text) <= width * height and len(rows := chop_cells(text, width)) <= height:
        return rows
    # The tail holds the settings, which is where a mistake costs money: it gets the last row and a half.
    room = width * height - height - 3
    tail = _tail(text, min(room // 2, width + width // 2))
    head = set_cell_size(text[:room], max(0, room - cell_len(tail))).rstrip()
    return chop_cells(f"{head} … {tail}", width)[:height]


def _tail(text: str, columns: int) -> str:
    start = max(0, len(text) - columns)
    while cell_len(text[start:]) > columns:
        start += 1
    return text[start:]


MIN_TALL_ROWS = 28
"""Rows from which on the preview may take more than three of them."""

_CHARACTER_FIELD, _PROMPT_FIELD = "character", "prompt"


class RequestForm(Vertical):
    """The fields of a request, in the order character, prompt, type, then what the type needs.

    It is given data (`set_characters`, `set_estimate`, `set_presets`, `load`) and posts messages; it sends nothing
    itself. `environ` is what an editor gets: it must not hold the key.
    """

    DEFAULT_CSS = """
    RequestForm {
        height: 1fr; width: 1fr;
        & #foot { height: auto; padding-left: 1; }
        &.-tall #preview { height: 6; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("form")]

    @dataclass
    class SubmitRequested(Message):
        """The form is to be sent.

        `requests` holds everything, repetitions and all, `character_names` the characters' names.

        `request`, `character_name` and `count` speak of the first request and how often it is in there.
        """

        requests: tuple[GenerateRequest, ...]
        character_names: tuple[UntrustedText, ...]

        @property
        def request(self) -> GenerateRequest:
            """The first request."""
            return self.requests[0]

        @property
        def character_name(self) -> UntrustedText:
            """The listed name of the first request's character, as the service gave it."""
            return self.character_names[0]

        @property
        def count(self) -> int:
            """How many times the first request is sent."""
            return self.requests.count(self.requests[0])

    @dataclass
    class RequestsChanged(Message):
        """What would be sent changed: one request of each combination of settings; `set_estimate` is the answer."""

        requests: tuple[GenerateRequest, ...]

        @property
        def request(self) -> GenerateRequest:
            """The first of them."""
            return self.requests[0]

    @dataclass
    class DraftChanged(Message):
        """Anything in the form changed; the owner keeps the draft."""

        draft: Draft

    @dataclass
    class PresetsChanged(Message):
        """Presets were saved, deleted or made the default; the owner writes them down."""

        presets: Presets

    @dataclass
    class CharactersRequested(Message):
        """The list of characters is needed; the owner answers with `set_characters`, now or later."""

    @dataclass
    class PromptHistoryRequested(Message):
        """Earlier prompts are needed; the owner answers with `show_history`."""

    def __init__(
        self,
        *,
        environ: Mapping[str, str] | None = None,
        glyphs: Glyphs = UNICODE,
        id: str | None = None,  # noqa: A002
        classes: str | None = None,
    ) -> None:
        super().__init__(id=id, classes=classes)
        self._environ = environ or {}
        self._character_field = CharacterField(id="character")
        self._prompt_field = PromptField(id="prompt-field")
        self._settings_fields = SettingsFields(glyphs=glyphs, id="settings")
        self._batch_hint = FieldHint(id="batch-hint")
        self._preview = Preview(id="preview")
        self._submit_bar = SubmitBar(id="submit")
        self._characters: tuple[Character, ...] = ()
        self._picker: CharacterPicker | None = None
        self._presets = Presets()
        self._price: float | None = None
        self._touched_fields: set[str] = set()
        self._last_draft: Draft | None = None
        self._notice = ""

    def compose(self) -> ComposeResult:
        """Lay the fields out."""
        yield self._character_field
        yield self._prompt_field
        yield self._settings_fields
        with Vertical(id="foot"):
            yield self._preview
            yield self._batch_hint
            yield self._submit_bar

    def on_resize(self, _event: events.Resize) -> None:
        """Give the preview more rows where there are many."""
        self._update_tall_class()

    def _update_tall_class(self) -> None:
        self.set_class(self.size.height >= MIN_TALL_ROWS, "-tall")

    def on_mount(self) -> None:
        """Show what applies, once every field is there."""
        self.call_after_refresh(self._refresh_fields)
        # A form mounted into a pane that has its size already is not always told of its own.
        self.call_after_refresh(self._update_tall_class)

    @property
    def draft(self) -> Draft:
        """Everything in the form, also what the chosen type hides."""
        return self._settings_fields.apply_to(
            Draft(character=self._character_field.text, prompt=self._prompt_field.text)
        )

    @property
    def request(self) -> GenerateRequest:
        """The first request as it would be sent now, whether or not it may be."""
        return self.requests[0]

    @property
    def requests(self) -> tuple[GenerateRequest, ...]:
        """The first request in every combination of settings: what differs in price."""
        draft = self.draft
        prompts = _split_prompts(draft)
        return draft.requests(self._character_field.resolved[0].id, prompts[0] if prompts else draft.prompt)

    def load(self, draft: Draft) -> None:
        """Show a draft in place of what the form holds; nothing counts as touched any more."""
        draft = draft.clamped()
        self._touched_fields.clear()
        self._character_field.set_text(draft.character)
        self._settings_fields.set_draft(draft)
        self._prompt_field.set_text(draft.prompt)
        self._refresh_fields()

    def load_request(self, request: GenerateRequest) -> None:
        """Show a request, as from a pasted curl or an older job; what it does not say keeps its value."""
        self.load(self.draft.with_request(request))

    def load_curl(self, text: str) -> str:
        """Show the request in a curl command; return "" or, with the form left as it was, why it cannot be read."""
        try:
            self.load_request(parse_curl(text))
        except (CurlError, InvalidRequest) as error:
            return str(error)
        return ""

    def set_characters(
        self, characters: Sequence[Character], rejection_reason: Callable[[str], str] = lambda _id: ""
    ) -> None:
        """Take the listed characters, and a say on IDs that must not be submitted."""
        lookup = CharacterResolver(characters, rejection_reason)
        self._characters = lookup.allowed
        self._character_field.set_resolver(lookup)
        if self._picker is not None:
            self._picker.set_characters(self._characters)
        self._refresh_fields()

    def set_estimate(self, price: float | None) -> None:
        """Take the price of one such request in credits, the mean where they differ, None where it is not known yet."""
        self._price = price
        self._update_price()

    def set_waiting_text(self, text: SafeText) -> None:
        """Say what is waited for before the request is sent; "" ends it."""
        self._submit_bar.set_waiting_text(text)

    def set_presets(self, presets: Presets) -> None:
        """Take the presets there are; an empty form starts from the default one."""
        self._presets = presets
        default = presets.get(presets.default)
        if default is not None and self.draft == Draft():
            self.load(default.draft)

    def focus_first(self) -> None:
        """Put the cursor into the first field."""
        self._character_field.focus_input()

    def submit(self) -> bool:
        """Post Submitted; or, with something wrong, say what, go to the first such field and post nothing."""
        self._touched_fields = {_CHARACTER_FIELD, _PROMPT_FIELD}
        self._refresh_fields()
        draft, chosen = self.draft, self._character_field.resolved
        if any(each.problem for each in chosen):
            self._character_field.focus_input()
            return False
        if self._prompt_error():
            self._prompt_field.focus_input()
            return False
        matrix = _build_matrix(draft, chosen)
        if len(matrix) > MAX_REQUESTS:
            self._settings_fields.focus_count()
            return False
        names = {each.id: each.name for each in chosen}
        requests = tuple(expand(matrix))
        self.post_message(self.SubmitRequested(requests, tuple(names[each.character] for each in requests)))
        return True

    def show_history(self, prompts: Sequence[str]) -> None:
        """Open the search over earlier prompts, newest first."""
        from eternal_tui.tui.request_form.prompt_history import PromptHistory

        def use(prompt: str | None) -> None:
            if prompt is not None:
                self._prompt_field.set_text(prompt)
                self._prompt_field.focus_input()

        self.app.push_screen(PromptHistory(prompts), use)

    def action_history(self) -> None:
        """Ask for the earlier prompts."""
        self.post_message(self.PromptHistoryRequested())

    def action_presets(self) -> None:
        """Open the presets."""
        from eternal_tui.tui.request_form.presets import PresetScreen

        def use(preset: Preset | None) -> None:
            if preset is not None:
                self.load(preset.merged_into(self.draft))

        self.app.push_screen(PresetScreen(self._presets, self.draft, self._save_presets), use)

    def action_editor(self) -> None:
        """Write the prompt in the person's own editor."""
        self.run_worker(self._edit_prompt(), group="editor", exclusive=True)

    async def _edit_prompt(self) -> None:
        from eternal_tui.tui.request_form.external_editor import edit_prompt

        try:
            text = await edit_prompt(self.app, self._prompt_field.text, self._environ)
        except EditorNotFound as error:
            self._notice = str(error)
        except SuspendNotSupported:
            self._notice = "This terminal cannot be lent to an editor."
        except OSError as error:
            self._notice = f"The editor could not be used: {error.strerror}. The prompt is as it was."
        else:
            if is_curl_command(text):
                self._notice = self.load_curl(text)
            else:
                self._prompt_field.set_text(text)
        self._prompt_field.focus_input()
        self._refresh_fields()

    def _save_presets(self, presets: Presets) -> None:
        self._presets = presets
        self.post_message(self.PresetsChanged(presets))

    @on(CharacterField.PickerRequested)
    def _picker_requested(self, event: CharacterField.PickerRequested) -> None:
        event.stop()
        self.post_message(self.CharactersRequested())
        self._picker = CharacterPicker(self._characters, event.text)
        self.app.push_screen(self._picker, self._characters_picked)

    def _characters_picked(self, characters: tuple[Character, ...] | None) -> None:
        self._picker = None
        if characters:
            self._character_field.set_text(", ".join(format_label(each) for each in characters))
            self._refresh_fields()
            self._prompt_field.focus_input()

    @on(CharacterField.Edited)
    @on(PromptField.Edited)
    @on(SettingsFields.Edited)
    def _field_changed(self, event: Message) -> None:
        event.stop()
        if self.draft != self._last_draft:
            self._notice = ""
        self._refresh_fields()

    @on(CharacterField.Focused)
    def _character_focused(self, event: CharacterField.Focused) -> None:
        event.stop()
        if not self._characters:
            self.post_message(self.CharactersRequested())

    @on(CharacterField.Blurred)
    def _character_blurred(self, event: CharacterField.Blurred) -> None:
        event.stop()
        self._mark_touched(_CHARACTER_FIELD, bool(self._character_field.text))

    @on(PromptField.Blurred)
    def _prompt_blurred(self, event: PromptField.Blurred) -> None:
        event.stop()
        self._mark_touched(_PROMPT_FIELD, bool(self._prompt_field.text))

    @on(CharacterField.CurlPasted)
    @on(PromptField.CurlPasted)
    def _curl_pasted(self, event: CharacterField.CurlPasted | PromptField.CurlPasted) -> None:
        event.stop()
        self._notice = self.load_curl(event.text)
        self._refresh_fields()

    @on(SubmitBar.Pressed)
    def _submit_pressed(self, event: SubmitBar.Pressed) -> None:
        event.stop()
        self.submit()

    def _mark_touched(self, field: str, has_text: bool) -> None:
        # Walking through an empty form is not a mistake yet; leaving something wrong in a field is.
        if has_text:
            self._touched_fields.add(field)
        self._refresh_fields()

    def _refresh_fields(self) -> None:
        """Bring everything that follows from the fields into line with them."""
        if not self._submit_bar.is_mounted:
            return
        draft = self.draft
        self._settings_fields.show_applicable(draft, has_multiple_lines=len(split_lines(draft.prompt)) > 1)
        self._character_field.set_errors_visible(_CHARACTER_FIELD in self._touched_fields)
        problem = self._prompt_error() if _PROMPT_FIELD in self._touched_fields else ""
        self._prompt_field.show_error(problem or self._notice)
        size = len(_build_matrix(draft, self._character_field.resolved))
        self._batch_hint.set_text(
            "", f"{size} requests: one submit sends {MAX_REQUESTS} at most." if size > MAX_REQUESTS else ""
        )
        requests = self.requests
        self._preview.set_text(to_json(requests[0]))
        self._update_price()
        if draft != self._last_draft:
            self._last_draft = draft
            self.post_message(self.RequestsChanged(requests))
            self.post_message(self.DraftChanged(draft))

    def _prompt_error(self) -> str:
        return validation_errors(self.request).get("prompt", "")

    def _update_price(self) -> None:
        self._submit_bar.set_estimate(
            max(1, len(_build_matrix(self.draft, self._character_field.resolved))), self._price
        )


def _split_prompts(draft: Draft) -> tuple[str, ...]:
    return split_lines(draft.prompt) if draft.by_line else (draft.prompt,)


def _build_matrix(draft: Draft, resolved: Sequence[ResolvedCharacter]) -> RequestMatrix:
    characters = tuple(dict.fromkeys(each.id for each in resolved))
    return RequestMatrix(
        characters=characters, prompts=_split_prompts(draft), settings=draft.all_settings, count=draft.times
    )
