"""The request form: builds one request or several and posts when they are to be sent."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

import msgspec
from textual import events, on
from textual.app import ComposeResult, SuspendNotSupported
from textual.binding import BindingType
from textual.containers import Vertical
from textual.widget import Widget

from eternal_tui.api.curl import CurlError, is_curl_command, parse_curl
from eternal_tui.api.models import Character, GenerateRequest, InvalidRequest, validation_errors
from eternal_tui.characters.resolver import CharacterResolver, ResolvedCharacter, format_label
from eternal_tui.core.sanitize import SafeText, UntrustedText
from eternal_tui.drafts.draft import Draft
from eternal_tui.drafts.editor import EditorNotFound, prompt_path, read_prompt
from eternal_tui.drafts.expansion import MAX_REQUESTS, TemplateError, TooManyRequests, escape_prompt, split_lines
from eternal_tui.drafts.stores import Preset, Presets
from eternal_tui.tui.graphics.base import NO_FACES, FaceSource
from eternal_tui.tui.input.keymap import bindings
from eternal_tui.tui.request_form.character_field import CharacterField
from eternal_tui.tui.request_form.dialogs import CharacterPicker
from eternal_tui.tui.request_form.fields import FieldHint, SettingsFields, SubmitBar
from eternal_tui.tui.request_form.messages import (
    CharactersRequested,
    CurlPasted,
    DraftChanged,
    DraftReplaced,
    FieldEdited,
    PresetsChanged,
    PromptHistoryRequested,
    RequestsChanged,
    SubmitRequested,
)
from eternal_tui.tui.request_form.preview import Preview
from eternal_tui.tui.request_form.prompt import PromptArea, PromptField

MIN_TALL_ROWS = 26
"""Rows from which the prompt has a fixed share of the height and the preview the rest."""


class SubmitPlan(NamedTuple):
    """`priced` has one request of each combination of settings; `requests` is empty where they are too many."""

    priced: tuple[GenerateRequest, ...]
    requests: tuple[GenerateRequest, ...]
    names: tuple[UntrustedText, ...]
    templates: tuple[str, ...]
    request_count: int
    prompt_error: str = ""
    size_error: str = ""


def make_plan(draft: Draft, resolved: Sequence[ResolvedCharacter], snippets: Mapping[str, str]) -> SubmitPlan:
    """Return the plan for a draft whose character field resolves to `resolved`."""
    names = {each.id: each.name for each in resolved}
    prompt_error = size_error = ""
    try:
        prompts = draft.prompts(snippets) or [("", "")]
    except TooManyRequests as error:
        prompts, size_error = [(draft.prompt, "")], str(error)
    except TemplateError as error:
        prompts, prompt_error = [(draft.prompt, "")], str(error)
    priced = draft.requests(resolved[0].id, prompts[0][0])
    blank = next((text for text, _ in prompts if not text.strip()), prompts[0][0])
    prompt_error = prompt_error or validation_errors(draft.requests(resolved[0].id, blank)[0]).get("prompt", "")
    count = len(names) * len(prompts) * len(priced) * draft.count
    if count > MAX_REQUESTS:
        size_error = f"{count} requests: one submit sends {MAX_REQUESTS} at most."
    if size_error:
        return SubmitPlan(priced, (), (), (), count, prompt_error, size_error)
    planned = [
        (request, name, template)
        for character, name in names.items()
        for prompt, template in prompts
        for request in draft.requests(character, prompt)
        for _ in range(draft.count)
    ]
    requests, request_names, templates = zip(*planned, strict=True)
    return SubmitPlan(priced, requests, request_names, templates, count, prompt_error)


class RequestForm(Vertical):
    """The fields of a request, in the order character, prompt, type, then what the type needs.

    It is given data (`set_characters`, `set_estimate`, `set_presets`, `load`), posts the messages of
    `request_form.messages` and sends nothing itself. `environ` is passed to an editor; it must not contain the key.
    """

    DEFAULT_CSS = """
    RequestForm {
        height: 1fr; width: 1fr;
        & #foot { height: auto; padding-left: 1; }
        &.-tall PromptField { height: 25%; min-height: 7; max-height: 10; }
        &.-batch #preview { height: 1fr; min-height: 3; }
        &.-tall #preview { height: 1fr; margin-top: 1; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("form")]

    def __init__(
        self,
        *,
        environ: Mapping[str, str] | None = None,
        faces: FaceSource = NO_FACES,
    ) -> None:
        super().__init__()
        self._environ = environ or {}
        self._faces = faces
        self._character_field = CharacterField()
        self._prompt_field = PromptField()
        self._settings_fields = SettingsFields()
        self._batch_hint = FieldHint(id="batch-hint")
        self._preview = Preview()
        self._submit_bar = SubmitBar(id="submit")
        self._picker: CharacterPicker | None = None
        self._presets = Presets()
        self._snippets: Mapping[str, str] = {}
        self._touched_fields: set[Widget] = set()
        self._last_draft: Draft | None = None
        self._last_plan: tuple[tuple[Any, ...], SubmitPlan] | None = None
        self._replaced_draft: Draft | None = None
        self._notice = ""

    def compose(self) -> ComposeResult:
        yield self._character_field
        yield self._prompt_field
        yield self._settings_fields
        with Vertical(id="foot"):
            yield self._batch_hint
            yield self._submit_bar
        yield self._preview

    def on_resize(self, _event: events.Resize) -> None:
        self._share_height()

    def _share_height(self) -> None:
        """Give prompt and preview their shares: in a low form a batch gets a row for each request, if there is room."""
        is_tall = self.size.height >= MIN_TALL_ROWS
        count = len(self._last_plan[1].requests) if self._last_plan else 0
        self.set_class(is_tall, "-tall")
        self.set_class(count > 1, "-batch")
        self._preview.styles.max_height = None if is_tall else max(3, count)

    def on_mount(self) -> None:
        self.call_after_refresh(self._refresh_fields)
        # A form mounted into a pane that has its size already does not always get a resize event.
        self.call_after_refresh(self._share_height)

    @property
    def draft(self) -> Draft:
        """Everything in the form, also what the chosen type hides."""
        return self._settings_fields.apply_to(
            Draft(character=self._character_field.text, prompt=self._prompt_field.text)
        )

    @property
    def requests(self) -> tuple[GenerateRequest, ...]:
        """One request of each combination of settings: what differs in price."""
        return self._plan().priced

    def _plan(self) -> SubmitPlan:
        """Return the plan of the form, made once for each of its states."""
        state = (self.draft, self._character_field.resolved, self._snippets)
        if self._last_plan is None or self._last_plan[0] != state:
            self._last_plan = (state, make_plan(*state))
        return self._last_plan[1]

    def load(self, draft: Draft, origin: str = "", *, is_replaceable: bool = False) -> None:
        """Show a draft in place of the form's content, which ctrl+g brings back.

        The label of the prompt shows `origin` until the prompt is edited; with `is_replaceable` typing replaces it.
        """
        self._keep_replaced(self.draft, draft)
        draft = draft.clamped()
        self._touched_fields.clear()
        self._notice = ""
        self._character_field.set_text(draft.character)
        self._settings_fields.set_draft(draft)
        self._prompt_field.set_text(draft.prompt)
        self._prompt_field.set_origin(origin, is_replaceable=is_replaceable)
        self._prompt_field.set_restorable(self._replaced_draft.prompt if self._replaced_draft else "")
        self._refresh_fields()

    def _keep_replaced(self, old: Draft, new: Draft) -> None:
        if old.prompt.strip() and old.prompt != new.prompt:
            self._replaced_draft = old
            self.post_message(DraftReplaced(old))

    def set_replaced_draft(self, draft: Draft | None) -> None:
        """Set what ctrl+g brings back."""
        self._replaced_draft = draft
        self._prompt_field.set_restorable(draft.prompt if draft else "")

    def start_new(self) -> None:
        """Empty the prompt, or start from the default preset; what that leaves open stays."""
        draft = msgspec.structs.replace(self.draft, prompt="", one_per_line=False)
        default = self._presets.get(self._presets.default)
        self.load(default.merged_into(draft) if default else draft)

    def action_clear(self) -> None:
        """Empty the whole form, or fill it from the default preset."""
        default = self._presets.get(self._presets.default)
        self.load(default.draft if default else Draft())
        self.focus_first()

    def action_restore(self) -> None:
        """Exchange the form's content for the draft it replaced last."""
        if self._replaced_draft is None:
            self._notice = "No earlier draft to restore."
            self._refresh_fields()
            return
        self.load(self._replaced_draft, "restored draft", is_replaceable=True)
        self._prompt_field.focus_input()

    def load_request(self, request: GenerateRequest, origin: str = "", template: str = "") -> None:
        """Show a request, as from a pasted curl or an older job; settings it does not have keep their value.

        `template` is shown instead of the prompt it made.
        """
        draft = self.draft.with_request(request)
        self.load(msgspec.structs.replace(draft, prompt=template or draft.prompt), origin)

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
        """Set the listed characters, and a function that returns why an ID must not be sent."""
        lookup = CharacterResolver(characters, rejection_reason)
        self._character_field.set_resolver(lookup)
        if self._picker is not None:
            self._picker.set_characters(lookup.allowed)
        self._refresh_fields()

    def set_estimate(self, price: float | None) -> None:
        """Set the mean price of a request in credits, None where it is unknown."""
        self._submit_bar.price = price

    def set_waiting_text(self, text: SafeText) -> None:
        """Show what has to finish before the request is sent; "" ends it."""
        self._submit_bar.waiting_text = text

    def set_presets(self, presets: Presets) -> None:
        """Set the presets; an empty form starts from the default one."""
        self._presets = presets
        default = presets.get(presets.default)
        if default is not None and self.draft == Draft():
            self.load(default.draft)

    def set_snippets(self, snippets: Mapping[str, str]) -> None:
        self._snippets = snippets
        self._prompt_field.set_snippets(snippets)

    def focus_first(self) -> None:
        """Focus the character field, or the prompt where the character is known."""
        if self._character_field.is_resolved:
            self._prompt_field.focus_input()
        else:
            self._character_field.focus_input()

    def submit(self) -> bool:
        """Post SubmitRequested; with something wrong, show it, focus the first such field and post nothing."""
        self._touched_fields = {self._character_field, self._prompt_field}
        self._refresh_fields()
        plan = self._plan()
        if any(each.problem for each in self._character_field.resolved):
            self._character_field.focus_input()
        elif plan.prompt_error:
            self._prompt_field.focus_input()
        elif not plan.requests:
            self._settings_fields.focus_count()
        else:
            self.post_message(SubmitRequested(plan.requests, plan.names, plan.templates))
            return True
        return False

    def mark_sent(self, requests: Sequence[GenerateRequest]) -> None:
        """Let typing replace the prompt, unless it was edited since `requests` were submitted."""
        if self._plan().requests == requests:
            self._prompt_field.set_origin("sending", is_replaceable=True)

    def confirm_sent(self, *, sent: bool) -> None:
        """Name the prompt as sent, or let typing continue it where it was not sent after all."""
        if sent:
            self._prompt_field.confirm_sent()
        else:
            self._prompt_field.set_origin("", is_replaceable=False)

    def show_history(self, prompts: Sequence[str]) -> None:
        """Open the search over earlier prompts, newest first."""
        from eternal_tui.tui.request_form.dialogs import PromptHistory

        def use(prompt: str | None) -> None:
            if prompt is not None:
                self._replace_prompt(escape_prompt(prompt), "earlier prompt")

        self.app.push_screen(PromptHistory(prompts), use)

    def action_history(self) -> None:
        self.post_message(PromptHistoryRequested())

    def _replace_prompt(self, prompt: str, origin: str = "", **settings: Any) -> None:
        self.load(msgspec.structs.replace(self.draft, prompt=prompt, **settings), origin)
        self._prompt_field.focus_input()

    def action_presets(self) -> None:
        from eternal_tui.tui.request_form.dialogs import PresetScreen

        def use(chosen: Preset | str | None) -> None:
            if isinstance(chosen, Preset):
                self.load(chosen.merged_into(self.draft), f"preset {chosen.name}")
            elif chosen is not None:
                self._prompt_field.insert(chosen)
                self._prompt_field.focus_input()

        snippet = self._prompt_field.selected_text or self._prompt_field.text
        screen = PresetScreen(self._presets, self._snippets, self.draft, snippet, on_change=self._save_presets)
        self.app.push_screen(screen, use)

    def action_editor(self) -> None:
        """Edit the prompt in the user's editor; where the prompt is the path of a file, read the prompts in it."""
        self.run_worker(self._edit_prompt(), group="editor", exclusive=True)

    async def _edit_prompt(self) -> None:
        from eternal_tui.tui.request_form.external_editor import edit_prompt

        prompt, notice = self._prompt_field.text, ""
        path = prompt_path(prompt)
        try:
            text = read_prompt(path) if path else ""
            if path is None:
                text, notice = await edit_prompt(self.app, prompt, self._environ)
        except EditorNotFound as error:
            notice = str(error)
        except SuspendNotSupported:
            notice = "This terminal cannot be suspended for an editor."
        except OSError as error:
            notice = f"Could not edit the prompt: {error.strerror}. The prompt is unchanged."
        else:
            if is_curl_command(text):
                notice = self.load_curl(text)
            elif text != prompt:
                # Several lines that were not there before are several prompts; the Prompts field can make them one.
                is_list = len(split_lines(text)) > 1 and (path is not None or len(split_lines(prompt)) < 2)
                draft = self.draft
                self._replace_prompt(text, path.name if path else "", one_per_line=is_list or draft.one_per_line)
        self._prompt_field.focus_input()
        self._notice = notice
        self._refresh_fields()

    def _save_presets(self, changed: PresetsChanged) -> None:
        if changed.presets is not None:
            self._presets = changed.presets
        if changed.snippets is not None:
            self.set_snippets(changed.snippets)
        self.post_message(changed)

    @on(CharacterField.PickerRequested)
    def _picker_requested(self, event: CharacterField.PickerRequested) -> None:
        self.post_message(CharactersRequested())
        self._picker = CharacterPicker(self._character_field.listed, event.text, self._faces)
        self.app.push_screen(self._picker, self._characters_picked)

    def _characters_picked(self, characters: tuple[Character, ...] | None) -> None:
        self._picker = None
        if characters:
            self._character_field.set_text(", ".join(format_label(each) for each in characters))
            self._refresh_fields()
            self._prompt_field.focus_input()

    @on(FieldEdited)
    def _field_edited(self, event: FieldEdited) -> None:
        if self.draft != self._last_draft:
            self._notice = ""
        if event.is_prompt:
            # The field being edited may be unfinished; it is validated when it loses the focus.
            self._touched_fields.discard(self._prompt_field)
        self._refresh_fields()

    @on(PromptArea.TypedOver)
    def _prompt_typed_over(self) -> None:
        if self._last_draft is not None:
            self._keep_replaced(self._last_draft, self.draft)

    @on(events.DescendantBlur)
    def _field_blurred(self, event: events.DescendantBlur) -> None:
        # Walking through an empty form is no mistake yet; leaving something wrong in a field is.
        for field, text in (
            (self._character_field, self._character_field.text),
            (self._prompt_field, self.draft.prompt),
        ):
            if text and field in event.widget.ancestors:
                self._touched_fields.add(field)
        self._refresh_fields()

    @on(CurlPasted)
    def _curl_pasted(self, event: CurlPasted) -> None:
        self._notice = self.load_curl(event.text)
        self._refresh_fields()

    @on(SubmitBar.Pressed)
    def _submit_pressed(self) -> None:
        self.submit()

    def _refresh_fields(self) -> None:
        """Update what follows from the fields."""
        if not self._submit_bar.is_mounted:
            return
        draft, plan = self.draft, self._plan()
        self._settings_fields.show_applicable(draft, has_multiple_lines=len(split_lines(draft.prompt)) > 1)
        self._settings_fields.show_total(plan.request_count)
        self._character_field.set_errors_visible(self._character_field in self._touched_fields)
        error = plan.prompt_error if self._prompt_field in self._touched_fields else ""
        self._prompt_field.show_error(error or self._notice)
        self._batch_hint.set_text("", plan.size_error)
        self._share_height()
        self._preview.set_requests(plan.requests if len(plan.requests) > 1 else plan.priced[:1], plan.names)
        self._submit_bar.request_count = max(1, plan.request_count)
        if draft != self._last_draft:
            self._last_draft = draft
            self.post_message(RequestsChanged(plan.priced))
            self.post_message(DraftChanged(draft))
