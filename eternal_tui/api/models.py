"""What the service answers, as plain data. Strings here are the service's own: untrusted until gated."""

from __future__ import annotations

from typing import Literal

import msgspec

from eternal_tui.core.sanitize import Untrusted

Outcome = Literal["alive", "succeeded", "failed"]

RAW_LIMIT = 2_000
"""Characters of an answer kept as they came: four times the documented ones."""


class SubmitAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to a paid POST that was taken: the id to poll, and the credits left, where said."""

    request_id: str
    word: Untrusted = Untrusted("")
    progress: int | None = None
    credits_remaining: float | None = None
    raw: Untrusted = Untrusted("")
    """The body as it came, cut to `RAW_LIMIT` characters, for the detail pane."""


class PollAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """One look at a running request.

    `word` is the service's own status word as it came, `progress` whole percent or None where none was said,
    `outcome` what the word and the URL together mean.
    """

    outcome: Outcome
    word: Untrusted = Untrusted("")
    progress: int | None = None
    result_url: Untrusted | None = None
    effect_type: Untrusted = Untrusted("")
    encrypted: bool = False
    error: Untrusted = Untrusted("")
    credits_remaining: float | None = None
    raw: Untrusted = Untrusted("")


class Character(msgspec.Struct, frozen=True, kw_only=True):
    """One AI-made character of the service's public list; `age` in years, None where none was said."""

    id: str
    name: Untrusted
    username: Untrusted = Untrusted("")
    description: Untrusted = Untrusted("")
    avatar_url: Untrusted = Untrusted("")
    age: int | None = None
    gender: Untrusted = Untrusted("")
    status: Untrusted = Untrusted("")
    category: Untrusted = Untrusted("")

    @property
    def offered(self) -> bool:
        """Whether this client offers the character: those listed as under 18 never are."""
        return self.age is None or self.age >= 18


class CharacterPage(msgspec.Struct, frozen=True, kw_only=True):
    """One page of the public list: its characters, and how many rows it had before unreadable ones were left out."""

    characters: tuple[Character, ...]
    rows: int


class CreateAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to creating a character: its id, or a request id to poll, and the body as in `SubmitAnswer`."""

    character_id: str | None = None
    request_id: str | None = None
    credits_remaining: float | None = None
    raw: Untrusted = Untrusted("")
