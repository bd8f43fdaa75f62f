"""Requests and responses as plain data. Strings in responses are untrusted until gated."""

from __future__ import annotations

import re
from typing import Any, Literal

import msgspec

from eternal_tui.core.sanitize import UntrustedText

Outcome = Literal["alive", "succeeded", "failed"]

Ending = Literal["", "success", "end"]

MAX_RAW_CHARS = 8_000
"""Longest saved response in characters: a documented one has 500, a long signed link 2,000 more."""


class SubmitResponse(msgspec.Struct, frozen=True, kw_only=True):
    """The response to an accepted POST: the id to poll, and the remaining credits, where given."""

    request_id: str
    other_request_id: str | None = None
    """A second id in the same response: polled where the first turns out to be unknown."""
    status_text: UntrustedText = UntrustedText("")
    progress: int | None = None
    credits_remaining: float | None = None
    raw: UntrustedText = UntrustedText("")
    """The body as it came, cut to `MAX_RAW_CHARS` characters, for the detail pane."""


class PollResponse(msgspec.Struct, frozen=True, kw_only=True):
    """The response to one poll.

    `status_text` is the API's status as it came, `progress` whole percent or None, `outcome` the meaning of status and
    URL together. `ending` is set for a job that is formally alive: "success" came without a usable link
    (`unusable_link` is its value, if any); "end" is an English word for an end, without a reason.
    """

    outcome: Outcome
    ending: Ending = ""
    status_text: UntrustedText = UntrustedText("")
    progress: int | None = None
    result_url: UntrustedText | None = None
    unusable_link: UntrustedText = UntrustedText("")
    effect_type: UntrustedText = UntrustedText("")
    encrypted: bool = False
    error: UntrustedText = UntrustedText("")
    credits_remaining: float | None = None
    raw: UntrustedText = UntrustedText("")


class Character(msgspec.Struct, frozen=True, kw_only=True):
    """One AI-made character of the service's public list; `age` in years, None where none was given or none is legible.

    `is_age_readable` is False where the list gives an age in a form that names no number.
    """

    id: str
    name: UntrustedText
    username: UntrustedText = UntrustedText("")
    description: UntrustedText = UntrustedText("")
    avatar_url: UntrustedText = UntrustedText("")
    age: int | None = None
    is_age_readable: bool = True
    gender: UntrustedText = UntrustedText("")
    status: UntrustedText = UntrustedText("")
    category: UntrustedText = UntrustedText("")

    @property
    def is_adult(self) -> bool:
        """Return whether the character may be submitted: not under 18, and no unreadable age."""
        return self.is_age_readable and (self.age is None or self.age >= 18)

    @property
    def is_allowed(self) -> bool:
        """Return whether the character is offered: an adult, and approved by the API."""
        return self.is_adult and self.status.casefold() in ("", "approved")


class CharacterPage(msgspec.Struct, frozen=True, kw_only=True):
    """One page of the public list: its characters, and how many rows it had before unreadable ones were left out."""

    characters: tuple[Character, ...]
    row_count: int


class CreateCharacterResponse(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to creating a character: its id, or a request id to poll, and the body as in `SubmitResponse`."""

    character_id: str | None = None
    request_id: str | None = None
    credits_remaining: float | None = None
    raw: UntrustedText = UntrustedText("")


MediaType = Literal["image", "video"]
RequestType = Literal["image", "video", "character"]
Quality = Literal["low", "high"]

MIN_DURATION_SECONDS = 1
MAX_DURATION_SECONDS = 5
"""Bounds of `duration`, from the service's page on v2 generation with advanced custom prompts."""

_CHARACTER_ID_PATTERN = r"[A-Za-z0-9_-]{1,64}"


class GenerateRequest(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One paid generation: a character, a prompt, and the settings that apply to its type.

    `duration` is in whole seconds. None leaves the field out: the service's default applies.
    Of type "character", it makes a new character from the prompt; `character` is empty until its ID is known.
    """

    character: str
    prompt: str
    type: RequestType
    duration: int | None = None
    audio: bool | None = None
    quality: Quality | None = None

    def body(self) -> dict[str, Any]:
        """Return exactly the JSON object that is sent: fields that apply to the type and differ from their default.

        `duration` is sent whenever it was chosen, as its default is not documented.
        """
        if self.type == "character":
            return {"prompt": self.prompt}
        body: dict[str, Any] = {"images": [self.character], "prompt": self.prompt, "type": self.type}
        if self.type == "video":
            if self.duration is not None:
                body["duration"] = self.duration
            if self.audio is False:
                body["audio"] = False
        elif self.quality not in (None, "low"):
            body["quality"] = self.quality
        return body


class InvalidRequest(ValueError):
    """A request that breaks a documented rule; `field_errors` maps each field to a sentence. Nothing was sent."""

    def __init__(self, field_errors: dict[str, str]) -> None:
        super().__init__(" ".join(field_errors.values()))
        self.field_errors = field_errors


def is_character_id(text: str) -> bool:
    """Tell whether `text` has the form of a character ID, which a URL, a path or an encoded image has not."""
    return re.fullmatch(_CHARACTER_ID_PATTERN, text) is not None


def normalize_character_id(text: str) -> str:
    """Return the one spelling of an ID: without space around it and zeros before it; a text that is no ID as it is.

    A service that reads IDs as numbers takes "06870" for 6870.
    """
    bare = text.strip()
    return bare.lstrip("0") or "0" if bare.isascii() and bare.isdigit() else bare


def validation_errors(request: GenerateRequest) -> dict[str, str]:
    """Return, field by field, a sentence for each documented rule the picture or clip breaks; empty: it may be sent."""
    errors = {
        "character": character_error(request.character),
        "prompt": _prompt_error(request.prompt),
        "type": "" if request.type in ("image", "video") else "type must be image or video.",
        "duration": "",
        "audio": "",
        "quality": "" if request.quality in (None, "low", "high") else "quality must be low or high.",
    }
    # Not isinstance: True is an int too, and would go out as a duration of `true`.
    if type(request.duration) is not int or not MIN_DURATION_SECONDS <= request.duration <= MAX_DURATION_SECONDS:
        bounds = f"{MIN_DURATION_SECONDS} to {MAX_DURATION_SECONDS}"
        errors["duration"] = f"duration must be a whole number of seconds from {bounds}."
    for field, kind in (("duration", "video"), ("audio", "video"), ("quality", "image")):
        if getattr(request, field) is None:
            errors[field] = ""
        elif request.type != kind:
            errors[field] = f"{field} applies to {kind}s only."
    return {field: sentence for field, sentence in errors.items() if sentence}


def validate(request: GenerateRequest) -> GenerateRequest:
    """Return the request unchanged, or raise InvalidRequest."""
    if request.type == "character":
        found = {"prompt": sentence} if (sentence := _prompt_error(request.prompt)) else {}
    else:
        found = validation_errors(request)
    if found:
        raise InvalidRequest(found)
    return request


def character_request(prompt: str) -> GenerateRequest:
    """Return the request for a new character made from `prompt`."""
    return GenerateRequest(character="", prompt=prompt, type="character")


def character_error(character: str) -> str:
    """Return why a text is no character ID, "" where it is one."""
    if not character.strip():
        return "Character is required (ID or name, e.g. 6870)."
    if is_character_id(character):
        return ""
    if "/" in character or character.lower().startswith(("http:", "https:", "data:")):
        return "Character must be an ID, e.g. 6870; URLs, paths and encoded images are not accepted."
    return "A character ID contains only letters, digits, - and _, e.g. 6870."


def _prompt_error(prompt: str) -> str:
    if not prompt.strip():
        return "Prompt is required."
    try:
        prompt.encode()
    except UnicodeEncodeError:
        return "Prompt contains invalid characters (lone surrogates). Type it again."
    if "\x00" in prompt:
        return "Prompt contains a NUL character. Remove it."
    return ""
