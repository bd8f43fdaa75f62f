"""Validation and prices of requests: pure functions over a parsed body."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Literal

import msgspec
from starlette.exceptions import HTTPException

from eternal_tui.sandbox.characters import ADULT_AGE, Character

DEFAULT_DURATION_SECONDS = 4
IMAGE_PRICE = Decimal("0.04")
VIDEO_PRICE_PER_SECOND = Decimal("0.05")
CHARACTER_PRICE = Decimal("1.00")
ALLOWED_FIELDS = frozenset({"images", "prompt", "type", "duration", "audio", "quality"})

_FIELDS_OF_OTHER_TYPE: dict[str, tuple[str, ...]] = {"image": ("duration", "audio"), "video": ("quality",)}

RequestType = Literal["image", "video"]
FindCharacter = Callable[[str], Character | None]


class ParsedRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One accepted request, its defaults filled in."""

    character: str
    prompt: str
    kind: RequestType
    duration: int = DEFAULT_DURATION_SECONDS
    audio: bool = True
    quality: Literal["low", "high"] = "low"


def _bad_request(reason: str) -> HTTPException:
    return HTTPException(400, reason)


def _require_object(body: object) -> dict[str, object]:
    if not isinstance(body, dict):
        raise _bad_request("The body must be a JSON object.")
    return body


def _parse_character(images: object, find: FindCharacter) -> str:
    if not isinstance(images, list):
        raise _bad_request("images must be an array holding one character ID as a string.")
    if len(images) != 1:
        raise _bad_request(f"images must hold exactly one character ID, not {len(images)}.")
    identity = images[0]
    if not isinstance(identity, str):
        raise _bad_request("images: the character ID must be a string.")
    if identity.startswith("data:"):
        raise _bad_request("images: data: URIs and base64 are not supported in v2; give a character ID.")
    if "://" in identity or identity.startswith("//"):
        raise _bad_request("images: URLs are not supported in v2; give a character ID.")
    if not identity.isascii() or not identity.isdigit() or len(identity) > 18:
        raise _bad_request("images: only character IDs are accepted in v2, not base64 or other text.")
    character = find(identity)
    if character is None:
        raise _bad_request(f"images: there is no character with the ID {identity}.")
    if character.age < ADULT_AGE:
        raise _bad_request(f"images: character {identity} is not available for generation.")
    return identity


def parse_prompt(prompt: object) -> str:
    """The prompt as sent; raises HTTPException when it is no text or blank."""
    if not isinstance(prompt, str):
        raise _bad_request("prompt must be a string.")
    if not prompt.isascii() and any("\ud800" <= each <= "\udfff" for each in prompt):
        raise _bad_request("prompt must be valid Unicode.")
    if not prompt.strip():
        raise _bad_request("prompt must not be blank.")
    return prompt


def _parse_duration(fields: dict[str, object]) -> int:
    duration = fields.get("duration", DEFAULT_DURATION_SECONDS)
    if isinstance(duration, bool) or not isinstance(duration, int):
        raise _bad_request("duration must be an integer.")
    if not 1 <= duration <= 5:
        raise _bad_request("duration must be from 1 to 5 seconds.")
    return duration


def _parse_audio(fields: dict[str, object]) -> bool:
    audio = fields.get("audio", True)
    if not isinstance(audio, bool):
        raise _bad_request("audio must be true or false.")
    return audio


def _parse_quality(fields: dict[str, object]) -> Literal["low", "high"]:
    quality = fields.get("quality", "low")
    if quality not in ("low", "high"):
        raise _bad_request('quality must be "low" or "high".')
    return "high" if quality == "high" else "low"


def parse_generate(body: object, find: FindCharacter, *, strict: bool = False) -> ParsedRequest:
    """Return the request a body asks for; raises HTTPException (400) with the first rule it breaks.

    Fields that apply to the other type only are ignored, as the service's page has it; `strict` refuses them.
    """
    fields = _require_object(body)
    if unknown := sorted(set(fields) - ALLOWED_FIELDS):
        raise _bad_request(f"Unknown field: {', '.join(unknown)}.")
    for name in ("images", "prompt", "type"):
        if name not in fields:
            raise _bad_request(f"{name} is required.")
    character = _parse_character(fields["images"], find)
    prompt = parse_prompt(fields["prompt"])
    kind = fields["type"]
    if not isinstance(kind, str) or kind not in _FIELDS_OF_OTHER_TYPE:
        raise _bad_request('type must be "image" or "video".')
    if strict and (foreign := [name for name in _FIELDS_OF_OTHER_TYPE[kind] if name in fields]):
        raise _bad_request(f"{foreign[0]} applies to type {'video' if kind == 'image' else 'image'} only.")
    if kind == "image":
        return ParsedRequest(character=character, prompt=prompt, kind="image", quality=_parse_quality(fields))
    return ParsedRequest(
        character=character, prompt=prompt, kind="video", duration=_parse_duration(fields), audio=_parse_audio(fields)
    )


def parse_create(body: object) -> str:
    """The prompt of a new character; raises HTTPException (400) for anything but ``{"prompt": text}``."""
    fields = _require_object(body)
    if unknown := sorted(set(fields) - {"prompt"}):
        raise _bad_request(f"Unknown field: {', '.join(unknown)}.")
    if "prompt" not in fields:
        raise _bad_request("prompt is required.")
    return parse_prompt(fields["prompt"])


def price(request: ParsedRequest) -> Decimal:
    """Return the credits a request costs; an image of high quality costs twice a low one, audio is free."""
    if request.kind == "video":
        return VIDEO_PRICE_PER_SECOND * request.duration
    return IMAGE_PRICE * (2 if request.quality == "high" else 1)
