"""What the service accepts and what it costs: pure functions over a parsed body."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Literal

import msgspec

from eternal_tui.sandbox.characters import ADULT_AGE, Character

PROMPT_LIMIT = 4000
DEFAULT_DURATION = 4
IMAGE_PRICE = Decimal("0.04")
VIDEO_PRICE_PER_SECOND = Decimal("0.05")
CHARACTER_PRICE = Decimal("1.00")
FIELDS = frozenset({"images", "prompt", "type", "duration", "audio", "quality"})

Kind = Literal["image", "video"]
FindCharacter = Callable[[str], Character | None]


class Refusal(Exception):
    """A request the service turns down, with its HTTP status and the reason in words."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """One accepted request, its defaults filled in."""

    character: str
    prompt: str
    kind: Kind
    duration: int = DEFAULT_DURATION
    audio: bool = True
    quality: Literal["low", "high"] = "low"


def _bad(reason: str) -> Refusal:
    return Refusal(400, reason)


def _object(body: object) -> dict[str, object]:
    if not isinstance(body, dict):
        raise _bad("The body must be a JSON object.")
    return body


def _character(images: object, find: FindCharacter) -> str:
    if not isinstance(images, list):
        raise _bad("images must be an array holding one character ID as a string.")
    if len(images) != 1:
        raise _bad(f"images must hold exactly one character ID, not {len(images)}.")
    identity = images[0]
    if not isinstance(identity, str):
        raise _bad("images: the character ID must be a string.")
    if "://" in identity or identity.startswith(("data:", "//")):
        raise _bad("images: URLs are not supported in v2; give a character ID.")
    if not identity.isascii() or not identity.isdigit() or len(identity) > 18:
        raise _bad("images: only character IDs are accepted in v2, not base64 or other text.")
    character = find(identity)
    if character is None:
        raise _bad(f"images: there is no character with the ID {identity}.")
    if character.age < ADULT_AGE:
        raise _bad(f"images: character {identity} is not available for generation.")
    return identity


def check_prompt(prompt: object) -> str:
    """The prompt as sent; raises Refusal when it is no text, blank, or longer than 4,000 characters."""
    if not isinstance(prompt, str):
        raise _bad("prompt must be a string.")
    if not prompt.strip():
        raise _bad("prompt must not be blank.")
    if len(prompt) > PROMPT_LIMIT:
        raise _bad(f"prompt must not be longer than {PROMPT_LIMIT} characters.")
    return prompt


def _video(fields: dict[str, object], character: str, prompt: str) -> Order:
    if "quality" in fields:
        raise _bad("quality applies to type image only.")
    duration = fields.get("duration", DEFAULT_DURATION)
    if isinstance(duration, bool) or not isinstance(duration, int):
        raise _bad("duration must be an integer.")
    if not 1 <= duration <= 5:
        raise _bad("duration must be from 1 to 5 seconds.")
    audio = fields.get("audio", True)
    if not isinstance(audio, bool):
        raise _bad("audio must be true or false.")
    return Order(character=character, prompt=prompt, kind="video", duration=duration, audio=audio)


def _image(fields: dict[str, object], character: str, prompt: str) -> Order:
    for name in ("duration", "audio"):
        if name in fields:
            raise _bad(f"{name} applies to type video only.")
    quality = fields.get("quality", "low")
    if quality == "low":
        return Order(character=character, prompt=prompt, kind="image", quality="low")
    if quality == "high":
        return Order(character=character, prompt=prompt, kind="image", quality="high")
    raise _bad('quality must be "low" or "high".')


def check_generate(body: object, find: FindCharacter) -> Order:
    """The order a body asks for; raises Refusal (400) with the first rule it breaks."""
    fields = _object(body)
    if unknown := sorted(set(fields) - FIELDS):
        raise _bad(f"Unknown field: {', '.join(unknown)}.")
    for name in ("images", "prompt", "type"):
        if name not in fields:
            raise _bad(f"{name} is required.")
    character = _character(fields["images"], find)
    prompt = check_prompt(fields["prompt"])
    if fields["type"] == "image":
        return _image(fields, character, prompt)
    if fields["type"] == "video":
        return _video(fields, character, prompt)
    raise _bad('type must be "image" or "video".')


def check_create(body: object) -> str:
    """The prompt of a new character; raises Refusal (400) for anything but ``{"prompt": text}``."""
    fields = _object(body)
    if unknown := sorted(set(fields) - {"prompt"}):
        raise _bad(f"Unknown field: {', '.join(unknown)}.")
    if "prompt" not in fields:
        raise _bad("prompt is required.")
    return check_prompt(fields["prompt"])


def price(order: Order) -> Decimal:
    """Credits an order costs; a picture of high quality costs exactly twice a low one, sound is free."""
    if order.kind == "video":
        return VIDEO_PRICE_PER_SECOND * order.duration
    return IMAGE_PRICE * (2 if order.quality == "high" else 1)
