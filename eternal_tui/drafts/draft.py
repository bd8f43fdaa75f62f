"""The request form as data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from eternal_tui.api.models import MAX_DURATION_SECONDS, MIN_DURATION_SECONDS, GenerateRequest, MediaType, Quality
from eternal_tui.drafts.expansion import MAX_COUNT, escape_prompt, expand_prompts, insert_snippets, split_lines

MAX_PROMPT_CHARS = 20_000
"""Characters of a prompt: several times the longest that users write."""

_MEDIA_TYPES: tuple[MediaType, ...] = ("image", "video")

T = TypeVar("T")


_DISK_NAMES = {
    "count": "times",
    "one_per_line": "by_line",
    "extra_durations": "more_durations",
    "extra_qualities": "more_qualities",
    "both_audio": "both_sounds",
}
"""Fields under the names that `draft.json` and `presets.json` have had since their first version."""


class Draft(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename=_DISK_NAMES):
    """The content of the form, including fields that the chosen type hides.

    `character` is as typed: an ID, a name, or several separated by commas. `prompt` may be a template; with
    `one_per_line` each line is a prompt. Durations are in seconds; 4 is that of the API's example. `extra_durations`,
    `extra_qualities`, `both_audio` and `both_types` are the values of a setting besides its first one.
    """

    character: str = ""
    prompt: str = ""
    type: MediaType = "image"
    duration: int = 4
    audio: bool = True
    quality: Quality = "low"
    count: int = 1
    one_per_line: bool = False
    extra_durations: tuple[int, ...] = ()
    extra_qualities: tuple[Quality, ...] = ()
    both_audio: bool = False
    both_types: bool = False

    def prompts(self, snippets: Mapping[str, str]) -> list[tuple[str, str]]:
        """Return each prompt to send and its template, "" where the prompt is the text as typed.

        Raises TemplateError or TooManyRequests.
        """
        texts = split_lines(self.prompt) if self.one_per_line else (self.prompt,)
        return [
            (prompt, text if prompt != text else "")
            for text in texts
            for prompt in expand_prompts(insert_snippets(text, snippets))
        ]

    @property
    def types(self) -> tuple[MediaType, ...]:
        """The types to send, the selected one first."""
        return _unique(self.type, *_MEDIA_TYPES) if self.both_types else (self.type,)

    def requests(self, character_id: str, prompt: str) -> tuple[GenerateRequest, ...]:
        """Return one request for each combination of the chosen values that apply to a type, the first ones first."""
        seconds = _unique(self.duration, *self.extra_durations)
        sounds = (self.audio, not self.audio) if self.both_audio else (self.audio,)
        variants: dict[MediaType, list[dict[str, Any]]] = {
            "image": [{"quality": each} for each in _unique(self.quality, *self.extra_qualities)],
            "video": [{"duration": each, "audio": audio} for each in seconds for audio in sounds],
        }
        return tuple(
            GenerateRequest(character=character_id, prompt=prompt, type=kind, **settings)
            for kind in self.types
            for settings in variants[kind]
        )

    def with_request(self, request: GenerateRequest) -> Draft:
        """Return the draft filled from a request; settings that the request lacks keep their values."""
        given = {
            name: value for name in ("duration", "audio", "quality") if (value := getattr(request, name)) is not None
        }
        return msgspec.structs.replace(
            self,
            character=request.character,
            prompt=escape_prompt(request.prompt),
            type=request.type,
            one_per_line=False,
            extra_durations=(),
            extra_qualities=(),
            both_audio=False,
            both_types=False,
            **given,
        )

    def clamped(self) -> Draft:
        """Return the draft with its fields clamped to their bounds, for one read from a file."""
        return msgspec.structs.replace(
            self,
            prompt=self.prompt[:MAX_PROMPT_CHARS],
            duration=_clamp_duration(self.duration),
            extra_durations=_unique(*map(_clamp_duration, self.extra_durations)),
            count=min(max(self.count, 1), MAX_COUNT),
        )


def _unique(*values: T) -> tuple[T, ...]:
    return tuple(dict.fromkeys(values))


def _clamp_duration(seconds: int) -> int:
    return min(max(seconds, MIN_DURATION_SECONDS), MAX_DURATION_SECONDS)


DEMO_DRAFT = Draft(character="Astrid · 6870", prompt="In a yellow raincoat at the harbour, early morning")
"""The form at the first start of the demo."""
