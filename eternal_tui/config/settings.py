"""Settings with their bounds and meaning: the one list from which files, variables and flags are read."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta

from eternal_tui.core.network import is_loopback

OFFICIAL_HOST = "open.eternalai.org"
API_KEY_URL = "https://eternalai.org/api"
"""EternalAI's page for API keys."""

GraphicsMode = Literal[
    "auto", "kitty", "sixel", "iterm2", "symbols", "symbols:quadrants", "symbols:sextants", "symbols:octants", "blocks",
    "off",
]  # fmt: skip
MAX_CREDITS = 1e9
"""Upper bound of limits in credits: a million times a usual balance."""

NonNegativeCredits = Annotated[float, Meta(ge=0, le=MAX_CREDITS)]


class SettingsError(ValueError):
    """Invalid settings; each of `errors` names the source, the value and what is allowed."""

    def __init__(self, *errors: str) -> None:
        more = len(errors) - 1
        rest = f" {more} more: see `eternal-tui config --check`." if more else ""
        super().__init__(f"{errors[0]}{rest}")
        self.errors = errors


class NotifySettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Notifications of jobs that ended."""

    bell: Annotated[bool, Meta(description="Ring the terminal bell when a job ends unseen.")] = True
    desktop: Annotated[bool, Meta(description="Send a desktop notification (OSC 9) when a job ends unseen.")] = True
    title: Annotated[bool, Meta(description="Show the number of running jobs in the terminal title.")] = True
    quiet_hours: Annotated[
        str, Meta(description='Local time without bell and desktop notifications, such as "22:00-07:00".')
    ] = ""


SidecarFormat = Literal["", "json", "xmp"]
Command = list[str]


class HookSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Commands that run when jobs end: a list of command and arguments, without a shell."""

    on_finished: Annotated[
        Command, Meta(description='When a result is saved, such as ["notify-send", "{name}", "{file}"].')
    ] = []
    on_failed: Annotated[Command, Meta(description="When a job ends without a result.")] = []
    on_batch: Annotated[Command, Meta(description="When the last job of a batch has ended.")] = []
    timeout_seconds: Annotated[float, Meta(gt=0, le=3_600, description="Seconds after which a command is stopped.")] = (
        60.0
    )
    max_running: Annotated[int, Meta(ge=1, le=16, description="Max commands at once.")] = 2


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All settings, validated. `config_path` and `sources` are where they came from."""

    base_url: Annotated[str, Meta(description="Base URL of the API: https, or http on this machine.")] = (
        f"https://{OFFICIAL_HOST}"
    )
    key_header: Annotated[
        Literal["x-api-key", "api-key", "Authorization"],
        Meta(description="The header that carries the API key; Authorization sends it as a Bearer token."),
    ] = "x-api-key"
    allow_http_links: Annotated[
        bool, Meta(description="Follow a result's link that is plain http although the service is https.")
    ] = False
    api_key_command: Annotated[
        str, Meta(description="Command whose first line of output is the API key; run without a shell.")
    ] = ""
    data_dir: Annotated[Path, Meta(description="Folder of history, results and logs.")] = msgspec.field(
        default_factory=Path
    )
    images: Annotated[GraphicsMode, Meta(description="How images are drawn in the terminal.")] = "auto"
    theme: Annotated[str, Meta(max_length=64, description="Colour theme; empty: the default.")] = ""
    workers: Annotated[int, Meta(ge=1, le=16, description="Max concurrent polls.")] = 4
    requests_per_second: Annotated[
        float, Meta(gt=0, le=100, description="Max requests per second to the API, all jobs together.")
    ] = 10.0
    max_running: Annotated[
        int, Meta(ge=0, le=1_000, description="Jobs running at once, over all processes; more are queued. 0: no limit.")
    ] = 0
    queue_round_robin: Annotated[
        bool, Meta(description="Send queued requests of different batches in turn instead of batch by batch.")
    ] = False
    stall_after_minutes: Annotated[
        float,
        Meta(gt=0, le=10_080, description="Minutes after which a job counts as stalled and is polled less often."),
    ] = 30.0
    resume_stagger_seconds: Annotated[
        float, Meta(ge=0, le=60, description="Seconds between the first polls of unfinished jobs after a start.")
    ] = 0.25
    daily_cap: Annotated[NonNegativeCredits | None, Meta(description="Daily spending limit in credits.")] = None
    confirm_above: Annotated[
        NonNegativeCredits | None, Meta(description="Ask before sending what costs more credits than this.")
    ] = None
    confirm_count: Annotated[
        int, Meta(ge=1, le=1_000, description="Ask before one submit sends more requests than this.")
    ] = 1
    fps: Annotated[int, Meta(ge=1, le=30, description="Frames per second of video playback; at most 4 over SSH.")] = 24
    media_bytes_per_second: Annotated[
        Annotated[int, Meta(ge=1_000, le=1_000_000_000)] | None,
        Meta(description="Max bytes/s written to the terminal for video playback; unset: no limit, 200 kB/s over SSH."),
    ] = None
    max_image_megabytes: Annotated[float, Meta(gt=0, le=10_000, description="Larger images are not downloaded.")] = 64.0
    max_clip_megabytes: Annotated[float, Meta(gt=0, le=10_000, description="Larger videos are not downloaded.")] = 512.0
    save_template: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=120,
            description='File name offered by "save as": {date} {time} {character} {type} {id}, without a suffix.',
        ),
    ] = "{date}-{character}-{type}-{id}"
    auto_save_to: Annotated[
        str,
        Meta(
            max_length=1_000,
            description="Also copy each result to this folder or path template: {id} {character} {name} {prompt:40} "
            "{date} {time} {type} {n} {ext}.",
        ),
    ] = ""
    sidecar: Annotated[
        SidecarFormat, Meta(description="Write the request beside each copy: json or xmp; empty: no.")
    ] = ""
    embed: Annotated[
        bool, Meta(description="Write the request into each copy, where the format has a place for it.")
    ] = False
    hooks: Annotated[HookSettings, Meta(description="Commands that run when jobs end.")] = HookSettings()
    notify: Annotated[NotifySettings, Meta(description="Notifications.")] = NotifySettings()
    keys: Annotated[dict[str, str], Meta(description='Keys by the id of an action, such as "jobs.again" = "R".')] = {}
    views: Annotated[
        dict[str, str],
        Meta(description='Named filters of the list, in the palette: "winter" = "tag:winter state:done".'),
    ] = {}
    config_path: Path = msgspec.field(default_factory=Path)
    sources: dict[str, str] = {}

    @property
    def host(self) -> str:
        """The host of the service, as in the base URL."""
        return urlsplit(self.base_url).hostname or ""

    @property
    def is_remote(self) -> bool:
        """Whether the service is somewhere else than on this machine."""
        return not is_loopback(self.host)

    @property
    def is_official(self) -> bool:
        """Whether the service is EternalAI's own host, over https."""
        parts = urlsplit(self.base_url)
        return parts.scheme == "https" and parts.netloc in (OFFICIAL_HOST, f"{OFFICIAL_HOST}:443")
