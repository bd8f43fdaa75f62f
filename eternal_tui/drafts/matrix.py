"""RequestMatrix: expands characters, prompts, settings and a count into single requests."""

from __future__ import annotations

from itertools import product

import msgspec

from eternal_tui.api.models import GenerateRequest, MediaType, Quality

MAX_COUNT = 20


MAX_REQUESTS = 100
"""The most one submit may send: a slip of the hand in a matrix must not empty an account."""


class RequestSettings(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a request says beside its character and prompt; fields that do not apply to the type stay None."""

    type: MediaType
    duration: int | None = None
    audio: bool | None = None
    quality: Quality | None = None


class RequestMatrix(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be combined with what: each combination is sent `count` times."""

    characters: tuple[str, ...]
    prompts: tuple[str, ...]
    settings: tuple[RequestSettings, ...]
    count: int = 1

    def __len__(self) -> int:
        return len(self.characters) * len(self.prompts) * len(self.settings) * self.count


class TooManyRequests(ValueError):
    """A matrix of more than MAX_REQUESTS, or a count outside 1–MAX_COUNT. Nothing was sent."""


def expand(matrix: RequestMatrix) -> list[GenerateRequest]:
    """Return every request of the matrix, repetitions side by side, in the order it was written.

    Raises TooManyRequests before anything is built.
    """
    if not 1 <= matrix.count <= MAX_COUNT:
        raise TooManyRequests(f"Each request can be sent 1 to {MAX_COUNT} times.")
    if len(matrix) > MAX_REQUESTS:
        raise TooManyRequests(f"That makes {len(matrix)} requests; one submit sends {MAX_REQUESTS} at most.")
    combinations = product(matrix.characters, matrix.prompts, matrix.settings, range(matrix.count))
    return [
        GenerateRequest(character=character, prompt=prompt, **msgspec.structs.asdict(settings))
        for character, prompt, settings, _ in combinations
    ]


def split_lines(text: str) -> tuple[str, ...]:
    """Return the prompts of a text that holds one on each line; blank lines are none."""
    return tuple(line.strip() for line in text.splitlines() if line.strip())
