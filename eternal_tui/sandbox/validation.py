"""Validation and prices of requests: pure functions over a parsed body."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any, Literal

import msgspec
from starlette.exceptions import HTTPException

from eternal_tui.sandbox.characters import ADULT_AGE, Character

DEFAULT_DURATION_SECONDS = 4

IMAGE_PRICE = Decimal("0.04")
VIDEO_PRICE_PER_SECOND = Decimal("0.05")
CHARACTER_PRICE = Decimal("1.00")

_REQUIRED_FIELDS = ("images", "prompt", "type")
_FIELDS_BY_TYPE = {"image": ("quality",), "video": ("duration", "audio")}

FindCharacter = Callable[[str], Character | None]


class ParsedRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One accepted request, its defaults filled in."""

    character: str
    prompt: str
    kind: Literal["image", "video"]
    duration: int = DEFAULT_DURATION_SECONDS
    audio: bool = True
    quality: Literal["low", "high"] = "low"


def _require(holds: bool, reason: str) -> None:
    if not holds:
        raise HTTPException(400, reason)


def _check_fields(body: Any, required: tuple[str, ...], optional: tuple[str, ...] = ()) -> None:
    _require(isinstance(body, dict), "The body must be a JSON object.")
    unknown = sorted(set(body) - {*required, *optional})
    _require(not unknown, f"Unknown field: {', '.join(unknown)}.")
    for name in required:
        _require(name in body, f"{name} is required.")


def _parse_character(images: Any, find: FindCharacter) -> str:
    _require(isinstance(images, list), "images must be an array holding one character ID as a string.")
    _require(len(images) == 1, f"images must hold exactly one character ID, not {len(images)}.")
    identity = images[0]
    _require(isinstance(identity, str), "images: the character ID must be a string.")
    is_data, is_url = identity.startswith("data:"), "://" in identity or identity.startswith("//")
    _require(not is_data, "images: data: URIs and base64 are not supported in v2; give a character ID.")
    _require(not is_url, "images: URLs are not supported in v2; give a character ID.")
    is_number = identity.isascii() and identity.isdigit() and len(identity) <= 18
    _require(is_number, "images: only character IDs are accepted in v2, not base64 or other text.")
    character = find(identity)
    if character is None:
        raise HTTPException(400, f"images: there is no character with the ID {identity}.")
    _require(character.age >= ADULT_AGE, f"images: character {identity} is not available for generation.")
    return str(identity)


def _parse_prompt(prompt: Any) -> str:
    _require(isinstance(prompt, str), "prompt must be a string.")
    is_unicode = prompt.isascii() or not any("\ud800" <= each <= "\udfff" for each in prompt)
    _require(is_unicode, "prompt must be valid Unicode.")
    _require(bool(prompt.strip()), "prompt must not be blank.")
    return str(prompt)


def parse_generate(body: Any, find: FindCharacter, *, strict: bool = False) -> ParsedRequest:
    """Return the request a body asks for; raises HTTPException (400) with the first rule it breaks.

    Fields that apply to the other type only are ignored, as the service's page has it; `strict` refuses them.
    """
    _check_fields(body, _REQUIRED_FIELDS, ("quality", "duration", "audio"))
    character, prompt, kind = _parse_character(body["images"], find), _parse_prompt(body["prompt"]), body["type"]
    _require(kind in ("image", "video"), 'type must be "image" or "video".')
    other = "video" if kind == "image" else "image"
    for name in _FIELDS_BY_TYPE[other]:
        _require(not strict or name not in body, f"{name} applies to type {other} only.")
    if kind == "image":
        quality = body.get("quality", "low")
        _require(quality in ("low", "high"), 'quality must be "low" or "high".')
        return ParsedRequest(character=character, prompt=prompt, kind=kind, quality=quality)
    duration, audio = body.get("duration", DEFAULT_DURATION_SECONDS), body.get("audio", True)
    _require(type(duration) is int, "duration must be an integer.")
    _require(1 <= duration <= 5, "duration must be from 1 to 5 seconds.")
    _require(type(audio) is bool, "audio must be true or false.")
    return ParsedRequest(character=character, prompt=prompt, kind=kind, duration=duration, audio=audio)


def parse_create(body: Any) -> str:
    """The prompt of a new character; raises HTTPException (400) for anything but ``{"prompt": text}``."""
    _check_fields(body, ("prompt",))
    return _parse_prompt(body["prompt"])


def price(request: ParsedRequest) -> Decimal:
    """Return the credits a request costs; an image of high quality costs twice a low one, audio is free."""
    if request.kind == "video":
        return VIDEO_PRICE_PER_SECOND * request.duration
    return IMAGE_PRICE * (2 if request.quality == "high" else 1)
