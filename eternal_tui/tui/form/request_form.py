"""The request form: builds one request, or several, and says when they are to be sent."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import cast

import msgspec
from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.message import Message
from textual.widgets import Static, TextArea

from eternal_tui.api.answers import Character
from eternal_tui.api.curl import CurlError, parse_curl
from eternal_tui.api.request import GenerateRequest, InvalidRequest, MediaType, Quality, problems
from eternal_tui.api.snippets import to_json
from eternal_tui.jobs.batch import MAX_REQUESTS, MAX_TIMES, Matrix, expand, one_a_line
from eternal_tui.jobs.drafts.draft import PROMPT_LIMIT, Draft
from eternal_tui.jobs.drafts.roster import Chosen, Roster
from eternal_tui.tui.form.character_field import CharacterField
from eternal_tui.tui.form.choice import Choice
from eternal_tui.tui.form.field_row import FieldRow
from eternal_tui.tui.form.hint import Hint
from eternal_tui.tui.form.preview import Preview
from eternal_tui.tui.form.prompt_area import PromptArea
from eternal_tui.tui.form.stepper import Stepper
from eternal_tui.tui.form.submit_line import SubmitLine
from eternal_tui.untrusted import Untrusted

_PICTURE, _CLIP = ("image", "picture"), ("video", "clip")


class RequestForm(Vertical):
    """The fields of a request, in the order character, prompt, type, then what the type needs.

    It is given data (`set_characters`, `set_estimate`, `load`) and posts messages; it sends nothing itself.
    """

    DEFAULT_CSS = """
    RequestForm { height: 1fr; width: 1fr; }
    RequestForm #prompt-field { height: 1fr; min-height: 4; border-left: blank; }
    RequestForm #prompt-field:focus-within { border-left: outer $accent; }
    RequestForm #prompt-label { height: 1; width: 1fr; color: $text-muted; }
    RequestForm #prompt-field:focus-within #prompt-label { color: $text-accent; }
    RequestForm #prompt-hint { padding-left: 0; }
    RequestForm #foot { height: auto; padding-left: 1; }
    """

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
        """What would be sent changed; the owner answers with `set_estimate`."""

        request: GenerateRequest

    @dataclass
    class DraftChanged(Message):
        """Anything in the form changed; the owner keeps the draft."""

        draft: Draft

    @dataclass
    class CharactersWanted(Message):
        """The list of characters is needed; the owner answers with `set_characters`."""

    @dataclass
    class CurlRefused(Message):
        """A pasted curl command could not be read; `sentence` says why."""

        sentence: str

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id, classes=classes)
        start = Draft()
        self._character = CharacterField(id="character")
        self._prompt = PromptArea(id="prompt")
        self._type = Choice((_PICTURE, _CLIP), start.type, radio=True, id="type")
        self._seconds = Choice([(each, each) for each in "12345"], str(start.duration), id="seconds")
        self._audio = Choice((("on", "on"), ("off", "off")), "on", radio=True, id="sound")
        self._quality = Choice((("low", "low"), ("high", "high")), start.quality, radio=True, id="quality")
        self._lines = Choice((("one", "one"), ("each", "each line")), "one", radio=True, id="lines")
        self._times = Stepper(start.times, least=1, most=MAX_TIMES, id="times")
        self._prompt_hint = Hint(id="prompt-hint")
        self._batch_hint = Hint(id="batch-hint")
        self._preview = Preview(id="preview")
        self._submit = SubmitLine(id="submit")
        self._price: float | None = None
        self._touched: set[str] = set()
        self._told: Draft | None = None

    def compose(self) -> ComposeResult:
        """Lay the fields out."""
        yield self._character
        with Vertical(id="prompt-field"):
            yield Static("Prompt", id="prompt-label", markup=False)
            yield self._prompt
            yield self._prompt_hint
        yield FieldRow("Prompts", self._lines, id="lines-row")
        yield FieldRow("Type", self._type, id="type-row")
        yield FieldRow("Seconds", self._seconds, id="seconds-row")
        yield FieldRow("Sound", self._audio, id="sound-row")
        yield FieldRow("Quality", self._quality, id="quality-row")
        yield FieldRow("Times", self._times, id="times-row")
        with Vertical(id="foot"):
            yield self._preview
            yield self._batch_hint
            yield self._submit

    def on_mount(self) -> None:
        """Show what applies."""
        self._refresh_form()

    @property
    def draft(self) -> Draft:
        """Everything in the form, also what the chosen type hides."""
        return Draft(
            character=self._character.text,
            prompt=self._prompt.text,
            type=cast("MediaType", self._type.value),
            duration=int(self._seconds.value),
            audio=self._audio.value == "on",
            quality=cast("Quality", self._quality.value),
            times=self._times.value,
            by_line=self._lines.value == "each",
        )

    @property
    def request(self) -> GenerateRequest:
        """The first request as it would be sent now, whether or not it may be."""
        draft = self.draft
        chosen = self._character.chosen[0]
        prompt = self._prompts(draft)[0] if self._prompts(draft) else draft.prompt
        return msgspec.structs.replace(draft.request(chosen.id), prompt=prompt)

    def load(self, draft: Draft) -> None:
        """Show a draft in place of what the form holds; what was touched before is forgotten."""
        draft = draft.sound()
        self._touched.clear()
        self._character.complain(False)
        self._character.show(draft.character)
        self._type.show(draft.type)
        self._seconds.show(str(draft.duration))
        self._audio.show("on" if draft.audio else "off")
        self._quality.show(draft.quality)
        self._lines.show("each" if draft.by_line else "one")
        self._times.show(draft.times)
        if draft.prompt != self._prompt.text:
            self._prompt.replace_all(draft.prompt)
        self._refresh_form()

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
        self._character.give(Roster(characters, refusal))
        self._refresh_form()

    def set_estimate(self, price: float | None) -> None:
        """Take the price of one such request in credits, None where it is not known yet."""
        self._price = price
        self._tell_price()

    def focus_first(self) -> None:
        """Put the cursor into the first field."""
        self._character.focus_line()

    def submit(self) -> bool:
        """Post Submitted, or with something wrong say what, go to the first such field and post nothing."""
        draft = self.draft
        chosen = self._character.chosen
        self._touched = {"character", "prompt", "batch"}
        self._refresh_form()
        if any(each.problem for each in chosen):
            self._character.focus_line()
            return False
        if self._prompt_problem():
            self._prompt.focus()
            return False
        matrix = self._matrix(draft, chosen)
        if len(matrix) > MAX_REQUESTS:
            self._times.focus()
            return False
        names = {each.id: each.name for each in chosen}
        requests = tuple(expand(matrix))
        self.post_message(self.Submitted(requests, tuple(names[each.character] for each in requests)))
        return True

    @on(CharacterField.Edited)
    @on(TextArea.Changed)
    @on(Choice.Picked)
    @on(Stepper.Stepped)
    def _edited(self, event: Message) -> None:
        event.stop()
        self._refresh_form()

    @on(CharacterField.Left)
    def _left_character(self, event: CharacterField.Left) -> None:
        event.stop()
        self._touch("character")

    @on(PromptArea.Left)
    def _left_prompt(self, event: PromptArea.Left) -> None:
        event.stop()
        self._touch("prompt")

    @on(PromptArea.CurlPasted)
    def _pasted_curl(self, event: PromptArea.CurlPasted) -> None:
        event.stop()
        if sentence := self.fill_from_curl(event.text):
            self._prompt_hint.say("", sentence)

    @on(PromptArea.TooLong)
    def _cut(self, event: PromptArea.TooLong) -> None:
        event.stop()
        self._prompt_hint.say("", f"A prompt holds {PROMPT_LIMIT:,} characters here; the rest was left out.")

    @on(SubmitLine.Pressed)
    def _pressed(self, event: SubmitLine.Pressed) -> None:
        event.stop()
        self.submit()

    def _touch(self, field: str) -> None:
        self._touched.add(field)
        self._refresh_form()

    def _refresh_form(self) -> None:
        """Bring everything that follows from the fields into line with them."""
        if not self.is_mounted:
            return
        draft = self.draft
        self._show_what_applies(draft)
        self._character.complain("character" in self._touched)
        self._prompt_hint.say("", self._prompt_problem() if "prompt" in self._touched else "")
        too_many = len(self._matrix(draft, self._character.chosen)) > MAX_REQUESTS
        self._batch_hint.say("", f"One submit sends {MAX_REQUESTS} requests at most." if too_many else "")
        request = self.request
        self._preview.show(to_json(request))
        self._tell_price()
        if draft != self._told:
            self._told = draft
            self.post_message(self.Changed(request))
            self.post_message(self.DraftChanged(draft))

    def _show_what_applies(self, draft: Draft) -> None:
        video = draft.type == "video"
        self.query_one("#seconds-row").display = video
        self.query_one("#sound-row").display = video
        self.query_one("#quality-row").display = not video
        self.query_one("#lines-row").display = draft.by_line or len(one_a_line(draft.prompt)) > 1

    def _prompt_problem(self) -> str:
        return problems(self.request).get("prompt", "")

    def _prompts(self, draft: Draft) -> tuple[str, ...]:
        return one_a_line(draft.prompt) if draft.by_line else (draft.prompt,)

    def _matrix(self, draft: Draft, chosen: list[Chosen]) -> Matrix:
        characters = tuple(dict.fromkeys(each.id for each in chosen))
        return Matrix(
            characters=characters, prompts=self._prompts(draft), settings=(draft.settings,), times=draft.times
        )

    def _tell_price(self) -> None:
        self._submit.show(max(1, len(self._matrix(self.draft, self._character.chosen))), self._price)
