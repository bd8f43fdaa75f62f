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

from eternal_tui.api.curl import CurlError, looks_like_curl, parse_curl, to_json
from eternal_tui.api.models import Character, GenerateRequest, InvalidRequest, problems
from eternal_tui.characters.resolver import CharacterLookup, Chosen, label
from eternal_tui.core.sanitize import Shown, Untrusted, shown
from eternal_tui.drafts.draft import Draft
from eternal_tui.drafts.editor import NoEditor
from eternal_tui.drafts.matrix import MAX_REQUESTS, Matrix, expand, one_a_line
from eternal_tui.drafts.stores import Preset, Presets
from eternal_tui.tui.input.actions import bindings
from eternal_tui.tui.request_form.character_field import CharacterField
from eternal_tui.tui.request_form.character_picker import CharacterPicker
from eternal_tui.tui.request_form.fields import Hint, SettingsFields
from eternal_tui.tui.request_form.prompt import PromptField
from eternal_tui.tui.request_form.submit_bar import SubmitLine
from eternal_tui.tui.terminal.glyphs import UNICODE, Glyphs


class Preview(Widget):
    """A block of wrapped text; where it is too long for the room, its middle is left out, never its ends."""

    DEFAULT_CSS = """
    Preview { height: 3; width: 1fr; color: $text-muted; }
    """

    def __init__(self, *, id: str) -> None:  # noqa: A002
        super().__init__(id=id)
        self._text = ""

    def show(self, text: str) -> None:
        """Draw `text`; costs a repaint of these few cells and no layout."""
        if text != self._text:
            self._text = text
            self.refresh()

    def render(self) -> Content:
        """Draw as much as there is room for."""
        width, height = self.content_size
        # Cut first and gated after: the gate looks at every character.
        rows = [shown(row) for row in _fitted(self._text, max(1, width), max(1, height))]
        # Set at the bottom, so that the price below it does not stand apart.
        return Content("\n" * (height - len(rows)) + "\n".join(rows))


def _fitted(text: str, width: int, height: int) -> list[str]:
    # Wide characters may leave a cell empty at the end of a row, hence the second look.
    if cell_len(text) <= width * height and len(rows := chop_cells(text, width)) <= height:
        return rows
    # The tail holds the settings, which is where a mistake costs money: it gets the last row and a half.
    room = width * height - height - 3
    tail = _end(text, min(room // 2, width + width // 2))
    head = set_cell_size(text[:room], max(0, room - cell_len(tail))).rstrip()
    return chop_cells(f"{head} … {tail}", width)[:height]


def _end(text: str, cells: int) -> str:
    start = max(0, len(text) - cells)
    while cell_len(text[start:]) > cells:
        start += 1
    return text[start:]


TALL = 28
"""Rows from which on the preview may take more than three of them."""

_CHARACTER, _PROMPT = "character", "prompt"


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
    class Submitted(Message):
        """The form is to be sent: `requests` holds everything, repetitions and all, `names` the characters' names.

        `request`, `character_name` and `count` speak of the first request and how often it is in there.
        """

        requests: tuple[GenerateRequest, ...]
        names: tuple[Untrusted, ...]

        @property
        def request(self) -> GenerateRequest:
            """The first request."""
            return self.requests[0]

        @property
        def character_name(self) -> Untrusted:
            """The listed name of the first request's character, as the service gave it."""
            return self.names[0]

        @property
        def count(self) -> int:
            """How many times the first request is sent."""
            return self.requests.count(self.requests[0])

    @dataclass
    class Changed(Message):
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
    class CharactersWanted(Message):
        """The list of characters is needed; the owner answers with `set_characters`, now or later."""

    @dataclass
    class HistoryWanted(Message):
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
        self._character = CharacterField(id="character")
        self._prompt = PromptField(id="prompt-field")
        self._settings = SettingsFields(glyphs=glyphs, id="settings")
        self._batch_hint = Hint(id="batch-hint")
        self._preview = Preview(id="preview")
        self._submit_line = SubmitLine(id="submit")
        self._characters: tuple[Character, ...] = ()
        self._picker: CharacterPicker | None = None
        self._presets = Presets()
        self._price: float | None = None
        self._touched: set[str] = set()
        self._told: Draft | None = None
        self._notice = ""

    def compose(self) -> ComposeResult:
        """Lay the fields out."""
        yield self._character
        yield self._prompt
        yield self._settings
        with Vertical(id="foot"):
            yield self._preview
            yield self._batch_hint
            yield self._submit_line

    def on_resize(self, _event: events.Resize) -> None:
        """Give the preview more rows where there are many."""
        self._fit()

    def _fit(self) -> None:
        self.set_class(self.size.height >= TALL, "-tall")

    def on_mount(self) -> None:
        """Show what applies, once every field is there."""
        self.call_after_refresh(self._renew)
        # A form mounted into a pane that has its size already is not always told of its own.
        self.call_after_refresh(self._fit)

    @property
    def draft(self) -> Draft:
        """Everything in the form, also what the chosen type hides."""
        return self._settings.onto(Draft(character=self._character.text, prompt=self._prompt.text))

    @property
    def request(self) -> GenerateRequest:
        """The first request as it would be sent now, whether or not it may be."""
        return self.requests[0]

    @property
    def requests(self) -> tuple[GenerateRequest, ...]:
        """The first request in every combination of settings: what differs in price."""
        draft = self.draft
        prompts = _prompts(draft)
        return draft.requests(self._character.chosen[0].id, prompts[0] if prompts else draft.prompt)

    def load(self, draft: Draft) -> None:
        """Show a draft in place of what the form holds; nothing counts as touched any more."""
        draft = draft.sound()
        self._touched.clear()
        self._character.show(draft.character)
        self._settings.show(draft)
        self._prompt.show(draft.prompt)
        self._renew()

    def fill(self, request: GenerateRequest) -> None:
        """Show a request, as from a pasted curl or an older job; what it does not say keeps its value."""
        self.load(self.draft.with_request(request))

    def fill_from_curl(self, text: str) -> str:
        """Show the request in a curl command; return "" or, with the form left as it was, why it cannot be read."""
        try:
            self.fill(parse_curl(text))
        except (CurlError, InvalidRequest) as error:
            return str(error)
        return ""

    def set_characters(self, characters: Sequence[Character], refusal: Callable[[str], str] = lambda _id: "") -> None:
        """Take the listed characters, and a say on IDs that must not be submitted."""
        lookup = CharacterLookup(characters, refusal)
        self._characters = lookup.offered
        self._character.give(lookup)
        if self._picker is not None:
            self._picker.give(self._characters)
        self._renew()

    def set_estimate(self, price: float | None) -> None:
        """Take the price of one such request in credits, the mean where they differ, None where it is not known yet."""
        self._price = price
        self._tell_price()

    def wait(self, words: Shown) -> None:
        """Say what is waited for before the request is sent; "" ends it."""
        self._submit_line.wait(words)

    def set_presets(self, presets: Presets) -> None:
        """Take the presets there are; an empty form starts from the default one."""
        self._presets = presets
        default = presets.named(presets.default)
        if default is not None and self.draft == Draft():
            self.load(default.draft)

    def focus_first(self) -> None:
        """Put the cursor into the first field."""
        self._character.focus_line()

    def submit(self) -> bool:
        """Post Submitted; or, with something wrong, say what, go to the first such field and post nothing."""
        self._touched = {_CHARACTER, _PROMPT}
        self._renew()
        draft, chosen = self.draft, self._character.chosen
        if any(each.problem for each in chosen):
            self._character.focus_line()
            return False
        if self._prompt_problem():
            self._prompt.focus_area()
            return False
        matrix = _matrix(draft, chosen)
        if len(matrix) > MAX_REQUESTS:
            self._settings.focus_times()
            return False
        names = {each.id: each.name for each in chosen}
        requests = tuple(expand(matrix))
        self.post_message(self.Submitted(requests, tuple(names[each.character] for each in requests)))
        return True

    def show_history(self, prompts: Sequence[str]) -> None:
        """Open the search over earlier prompts, newest first."""
        from eternal_tui.tui.request_form.prompt_history import PromptHistory

        def use(prompt: str | None) -> None:
            if prompt is not None:
                self._prompt.show(prompt)
                self._prompt.focus_area()

        self.app.push_screen(PromptHistory(prompts), use)

    def action_history(self) -> None:
        """Ask for the earlier prompts."""
        self.post_message(self.HistoryWanted())

    def action_presets(self) -> None:
        """Open the presets."""
        from eternal_tui.tui.request_form.presets import PresetScreen

        def use(preset: Preset | None) -> None:
            if preset is not None:
                self.load(preset.over(self.draft))

        self.app.push_screen(PresetScreen(self._presets, self.draft, self._keep_presets), use)

    def action_editor(self) -> None:
        """Write the prompt in the person's own editor."""
        self.run_worker(self._edit_prompt(), group="editor", exclusive=True)

    async def _edit_prompt(self) -> None:
        from eternal_tui.tui.request_form.external_editor import edit_prompt

        try:
            text = await edit_prompt(self.app, self._prompt.text, self._environ)
        except NoEditor as error:
            self._notice = str(error)
        except SuspendNotSupported:
            self._notice = "This terminal cannot be lent to an editor."
        except OSError as error:
            self._notice = f"The editor could not be used: {error.strerror}. The prompt is as it was."
        else:
            if looks_like_curl(text):
                self._notice = self.fill_from_curl(text)
            else:
                self._prompt.show(text)
        self._prompt.focus_area()
        self._renew()

    def _keep_presets(self, presets: Presets) -> None:
        self._presets = presets
        self.post_message(self.PresetsChanged(presets))

    @on(CharacterField.PickWanted)
    def _pick(self, event: CharacterField.PickWanted) -> None:
        event.stop()
        self.post_message(self.CharactersWanted())
        self._picker = CharacterPicker(self._characters, event.text)
        self.app.push_screen(self._picker, self._picked)

    def _picked(self, characters: tuple[Character, ...] | None) -> None:
        self._picker = None
        if characters:
            self._character.show(", ".join(label(each) for each in characters))
            self._renew()
            self._prompt.focus_area()

    @on(CharacterField.Edited)
    @on(PromptField.Edited)
    @on(SettingsFields.Edited)
    def _edited(self, event: Message) -> None:
        event.stop()
        if self.draft != self._told:
            self._notice = ""
        self._renew()

    @on(CharacterField.Entered)
    def _entered_character(self, event: CharacterField.Entered) -> None:
        event.stop()
        if not self._characters:
            self.post_message(self.CharactersWanted())

    @on(CharacterField.Left)
    def _left_character(self, event: CharacterField.Left) -> None:
        event.stop()
        self._touch(_CHARACTER, bool(self._character.text))

    @on(PromptField.Left)
    def _left_prompt(self, event: PromptField.Left) -> None:
        event.stop()
        self._touch(_PROMPT, bool(self._prompt.text))

    @on(CharacterField.CurlPasted)
    @on(PromptField.CurlPasted)
    def _pasted_curl(self, event: CharacterField.CurlPasted | PromptField.CurlPasted) -> None:
        event.stop()
        self._notice = self.fill_from_curl(event.text)
        self._renew()

    @on(SubmitLine.Pressed)
    def _pressed(self, event: SubmitLine.Pressed) -> None:
        event.stop()
        self.submit()

    def _touch(self, field: str, written: bool) -> None:
        # Walking through an empty form is not a mistake yet; leaving something wrong in a field is.
        if written:
            self._touched.add(field)
        self._renew()

    def _renew(self) -> None:
        """Bring everything that follows from the fields into line with them."""
        if not self._submit_line.is_mounted:
            return
        draft = self.draft
        self._settings.apply(draft, several_lines=len(one_a_line(draft.prompt)) > 1)
        self._character.complain(_CHARACTER in self._touched)
        problem = self._prompt_problem() if _PROMPT in self._touched else ""
        self._prompt.complain(problem or self._notice)
        size = len(_matrix(draft, self._character.chosen))
        self._batch_hint.say(
            "", f"{size} requests: one submit sends {MAX_REQUESTS} at most." if size > MAX_REQUESTS else ""
        )
        requests = self.requests
        self._preview.show(to_json(requests[0]))
        self._tell_price()
        if draft != self._told:
            self._told = draft
            self.post_message(self.Changed(requests))
            self.post_message(self.DraftChanged(draft))

    def _prompt_problem(self) -> str:
        return problems(self.request).get("prompt", "")

    def _tell_price(self) -> None:
        self._submit_line.show(max(1, len(_matrix(self.draft, self._character.chosen))), self._price)


def _prompts(draft: Draft) -> tuple[str, ...]:
    return one_a_line(draft.prompt) if draft.by_line else (draft.prompt,)


def _matrix(draft: Draft, chosen: Sequence[Chosen]) -> Matrix:
    characters = tuple(dict.fromkeys(each.id for each in chosen))
    return Matrix(characters=characters, prompts=_prompts(draft), settings=draft.every_settings, times=draft.times)
