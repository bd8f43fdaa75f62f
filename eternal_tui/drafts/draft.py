"""The form as data: everything in it, also what the chosen type hides, so that nothing typed is ever lost."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from eternal_tui.api.models import MAX_SECONDS, MIN_SECONDS, GenerateRequest, MediaType, Quality
from eternal_tui.drafts.matrix import MAX_TIMES, Matrix, Settings, expand

PROMPT_LIMIT = 20_000
"""Characters of a prompt the form takes: several times the longest that people write."""

_TYPES: tuple[MediaType, ...] = ("image", "video")

T = TypeVar("T")


class Draft(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A form half filled in.

    `character` is as typed: an ID, a name, or several with commas between. `by_line` means that each line of the
    prompt is one of its own. The duration of 4 s is that of the service's own example. What is chosen beside the
    first value of a setting, to be sent with it as well, stands in `more_durations`, `more_qualities`, `both_sounds`,
    and `both_types`: each character and prompt as a picture and as a clip.
    """

    character: str = ""
    prompt: str = ""
    type: MediaType = "image"
    duration: int = 4
    audio: bool = True
    quality: Quality = "low"
    times: int = 1
    by_line: bool = False
    more_durations: tuple[int, ...] = ()
    more_qualities: tuple[Quality, ...] = ()
    both_sounds: bool = False
    both_types: bool = False

    @property
    def types(self) -> tuple[MediaType, ...]:
        """The types that are sent, the one chosen last first."""
        return _unique(self.type, *_TYPES) if self.both_types else (self.type,)

    @property
    def settings(self) -> Settings:
        """What applies to the first type, and nothing else; the first of several combinations."""
        return self.every_settings[0]

    @property
    def every_settings(self) -> tuple[Settings, ...]:
        """Every combination of what was chosen, for each type what applies to it."""
        return tuple(each for kind in self.types for each in (self._stills if kind == "image" else self._clips))

    @property
    def _stills(self) -> tuple[Settings, ...]:
        return tuple(Settings(type="image", quality=each) for each in _unique(self.quality, *self.more_qualities))

    @property
    def _clips(self) -> tuple[Settings, ...]:
        sounds = (self.audio, not self.audio) if self.both_sounds else (self.audio,)
        return tuple(
            Settings(type="video", duration=seconds, audio=audio)
            for seconds in _unique(self.duration, *self.more_durations)
            for audio in sounds
        )

    def requests(self, character_id: str, prompt: str) -> tuple[GenerateRequest, ...]:
        """Return what would be sent to one character with one prompt: a request for each combination of settings."""
        return tuple(expand(Matrix(characters=(character_id,), prompts=(prompt,), settings=self.every_settings)))

    def with_request(self, request: GenerateRequest) -> Draft:
        """Return the draft refilled from a request; settings the request does not say keep their value here."""
        said = {
            name: value for name in ("duration", "audio", "quality") if (value := getattr(request, name)) is not None
        }
        return msgspec.structs.replace(
            self,
            character=request.character,
            prompt=request.prompt,
            type=request.type,
            by_line=False,
            more_durations=(),
            more_qualities=(),
            both_sounds=False,
            both_types=False,
            **said,
        )

    def sound(self) -> Draft:
        """Return the draft with numbers brought back into their bounds, for one that comes from a file."""
        return msgspec.structs.replace(
            self,
            prompt=self.prompt[:PROMPT_LIMIT],
            duration=_possible(self.duration),
            more_durations=_unique(*map(_possible, self.more_durations)),
            times=min(max(self.times, 1), MAX_TIMES),
        )


def _unique(*values: T) -> tuple[T, ...]:
    return tuple(dict.fromkeys(values))


def _possible(seconds: int) -> int:
    return min(max(seconds, MIN_SECONDS), MAX_SECONDS)
