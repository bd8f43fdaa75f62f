"""The form as data: everything in it, also what the chosen type hides, so that nothing typed is ever lost."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from eternal_tui.api.models import MAX_DURATION_SECONDS, MIN_DURATION_SECONDS, GenerateRequest, MediaType, Quality
from eternal_tui.drafts.matrix import MAX_COUNT, RequestMatrix, RequestSettings, expand

MAX_PROMPT_CHARS = 20_000
"""Characters of a prompt the form takes: several times the longest that people write."""

_MEDIA_TYPES: tuple[MediaType, ...] = ("image", "video")

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
        return _unique(self.type, *_MEDIA_TYPES) if self.both_types else (self.type,)

    @property
    def settings(self) -> RequestSettings:
        """What applies to the first type, and nothing else; the first of several combinations."""
        return self.all_settings[0]

    @property
    def all_settings(self) -> tuple[RequestSettings, ...]:
        """Every combination of what was chosen, for each type what applies to it."""
        return tuple(
            each for kind in self.types for each in (self._image_settings if kind == "image" else self._video_settings)
        )

    @property
    def _image_settings(self) -> tuple[RequestSettings, ...]:
        return tuple(
            RequestSettings(type="image", quality=each) for each in _unique(self.quality, *self.more_qualities)
        )

    @property
    def _video_settings(self) -> tuple[RequestSettings, ...]:
        sounds = (self.audio, not self.audio) if self.both_sounds else (self.audio,)
        return tuple(
            RequestSettings(type="video", duration=seconds, audio=audio)
            for seconds in _unique(self.duration, *self.more_durations)
            for audio in sounds
        )

    def requests(self, character_id: str, prompt: str) -> tuple[GenerateRequest, ...]:
        """Return what would be sent to one character with one prompt: a request for each combination of settings."""
        return tuple(expand(RequestMatrix(characters=(character_id,), prompts=(prompt,), settings=self.all_settings)))

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

    def clamped(self) -> Draft:
        """Return the draft with numbers brought back into their bounds, for one that comes from a file."""
        return msgspec.structs.replace(
            self,
            prompt=self.prompt[:MAX_PROMPT_CHARS],
            duration=_clamp_duration(self.duration),
            more_durations=_unique(*map(_clamp_duration, self.more_durations)),
            times=min(max(self.times, 1), MAX_COUNT),
        )


def _unique(*values: T) -> tuple[T, ...]:
    return tuple(dict.fromkeys(values))


def _clamp_duration(seconds: int) -> int:
    return min(max(seconds, MIN_DURATION_SECONDS), MAX_DURATION_SECONDS)
