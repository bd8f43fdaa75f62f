"""The form as data: everything in it, also what the chosen type hides, so that nothing typed is ever lost."""

from __future__ import annotations

import msgspec

from eternal_tui.api.request import GenerateRequest, MediaType, Quality
from eternal_tui.jobs.batch import MAX_TIMES, Settings

PROMPT_LIMIT = 20_000
"""Characters of a prompt the form takes: several times the longest that people write."""


class Draft(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A form half filled in.

    `character` is as typed: an ID, a name, or several with commas between. `by_line` means that each line of the
    prompt is one of its own. The duration of 4 s is that of the service's own example.
    """

    character: str = ""
    prompt: str = ""
    type: MediaType = "image"
    duration: int = 4
    audio: bool = True
    quality: Quality = "low"
    times: int = 1
    by_line: bool = False

    @property
    def settings(self) -> Settings:
        """What applies to the chosen type, and nothing else."""
        if self.type == "video":
            return Settings(type="video", duration=self.duration, audio=self.audio)
        return Settings(type="image", quality=self.quality)

    def request(self, character_id: str) -> GenerateRequest:
        """Return the request as it would be sent to one character with the whole prompt."""
        return GenerateRequest(character=character_id, prompt=self.prompt, **msgspec.structs.asdict(self.settings))

    def with_request(self, request: GenerateRequest) -> Draft:
        """Return the draft refilled from a request; settings the request does not say keep their value here."""
        said = {
            name: value for name in ("duration", "audio", "quality") if (value := getattr(request, name)) is not None
        }
        return msgspec.structs.replace(
            self, character=request.character, prompt=request.prompt, type=request.type, by_line=False, **said
        )

    def sound(self) -> Draft:
        """Return the draft with numbers brought back into their bounds, for one that comes from a file."""
        return msgspec.structs.replace(
            self,
            prompt=self.prompt[:PROMPT_LIMIT],
            duration=min(max(self.duration, 1), 5),
            times=min(max(self.times, 1), MAX_TIMES),
        )
