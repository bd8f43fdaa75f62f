"""A job in words, and as the flat JSON object that commands and hooks print."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import msgspec

from eternal_tui.core.formatting import format_amount, format_bytes
from eternal_tui.core.sanitize import SafeText, format_safe, join_safe, sanitize
from eternal_tui.jobs.billing.charges import is_cost_measured
from eternal_tui.jobs.files import file_name
from eternal_tui.jobs.model import FileInfo, FileState, Job, JobState, Verdict

UNSENT_CAUSES = frozenset({"unreachable", "stopped", "cap", "cancelled"})
"""Causes of a rejection before anything was sent; every other is the API's."""


def pluralize(count: int, noun: str) -> SafeText:
    """Return how many there are of a regular noun: 1 job, 3 jobs."""
    return format_safe("{number} {noun}{s}", number=count, noun=noun, s="" if count == 1 else "s")


def state_label(job: Job) -> str:
    """Return the state in one word, in the app and on the command line; the filter `state:` takes it too."""
    if job.state is JobState.SUCCEEDED:
        if job.is_creation:
            return "created"
        return "fetching" if job.file_state is FileState.PENDING else str(job.file_state or FileState.SAVED)
    if job.state is JobState.REJECTED and job.cause in UNSENT_CAUSES:
        return "unsent"
    return str(job.state)


_UNSETTLED_STATES = frozenset({JobState.QUEUED, JobState.SUBMITTING, JobState.UNCONFIRMED})


def cost_label(job: Job) -> SafeText:
    """Return the job's cost in credits: 0.20 as measured by the balance, ~0.20 as estimated; "" where there is none."""
    if not job.cost or job.state is JobState.REJECTED or job.verdict is Verdict.NOT_CHARGED:
        return SafeText("")
    is_certain = job.state not in _UNSETTLED_STATES and is_cost_measured(job)
    return sanitize(format_amount(job.cost, is_exact=is_certain))


def character_label(job: Job) -> SafeText:
    """Return the job's character by name and id."""
    if not job.name:
        return sanitize(job.request.character) if job.request.character else SafeText("not known yet")
    return format_safe("{name} {id}", name=sanitize(job.name, limit=60), id=job.request.character)


def request_label(job: Job) -> SafeText:
    """Return type and settings of the request in words."""
    request = job.request
    if job.is_creation:
        return SafeText("new character")
    if request.type == "image":
        return (
            format_safe("image, {quality} quality", quality=request.quality) if request.quality else SafeText("image")
        )
    parts = [SafeText("video")]
    if request.duration is not None:
        parts.append(format_safe("{n} s", n=request.duration))
    if request.audio is not None:
        parts.append(SafeText("with sound") if request.audio else SafeText("no sound"))
    return join_safe(", ", *parts)


def file_label(file_info: FileInfo) -> SafeText:
    """Return what a verified file is: pixels, length, codec, sound, bytes."""
    parts: list[SafeText] = []
    if file_info.width:
        parts.append(format_safe("{w}×{h}", w=file_info.width, h=file_info.height))
    if file_info.seconds:
        parts.append(format_safe("{s} s", s=f"{file_info.seconds:.1f}"))
    if file_info.codec:
        parts.append(sanitize(file_info.codec, limit=20))
    if file_info.seconds:
        parts.append(SafeText("sound") if file_info.has_sound else SafeText("silent"))
    if file_info.bytes:
        parts.append(format_bytes(file_info.bytes))
    return join_safe(" · ", *parts)


ChargeCertainty = Literal["none", "measured", "estimated", "unconfirmed", "unknown"]


class JobJson(msgspec.Struct, kw_only=True):
    """One job. Times are ISO 8601 in UTC, durations seconds, sizes pixels and bytes, amounts credits.

    `charge_certainty`: `none` where nothing was sent, `measured` by the balance, `estimated` from earlier prices,
    `unconfirmed` where the response was lost, `unknown` where no price is known. Result URLs are left out: they grant
    access.
    """

    id: int
    request_id: str | None
    state: str
    type: str
    character: str
    name: str | None
    prompt: str
    duration: int | None
    audio: bool | None
    quality: str | None
    word: str | None
    progress: int
    file: str | None
    file_state: str | None
    error: str | None
    trouble: str | None
    created_at: str | None
    finished_at: str | None
    credits_remaining: float | None
    cost: float | None
    verdict: str | None
    retry_of: int | None
    retried_by: int | None
    encrypted: bool
    width: int | None
    height: int | None
    bytes: int | None
    seconds: float | None
    codec: str | None
    sound: bool | None
    tags: list[str]
    note: str | None
    star: bool
    rating: int
    batch: str | None
    index: int | None
    template: str | None
    service: str | None
    account: str | None
    cause: str | None
    polls: int
    submitted_at: str | None
    charge: float | None
    charge_certainty: ChargeCertainty
    verdict_reason: str | None
    file_note: str | None


JSON_FIELDS = JobJson.__struct_fields__


_RENAMED_FIELDS = {
    "word": "status_text",
    "trouble": "waiting_reason",
    "credits_remaining": "credits_after",
    "star": "starred",
    "index": "batch_index",
}
_REQUEST_FIELDS = ("type", "character", "prompt", "duration", "audio", "quality")
_FILE_FIELDS = ("width", "height", "bytes", "seconds", "codec", "note")


def job_to_json(job: Job, results_dir: Path) -> dict[str, Any]:
    """Return the fields of `JobJson`, in their order."""
    request, facts = job.request, job.file_info or FileInfo()
    fields = {name: getattr(job, _RENAMED_FIELDS.get(name, name), None) for name in JSON_FIELDS}
    # An empty text means that there is none.
    fields = {name: None if value == "" else value for name, value in fields.items()}
    fields |= {name: getattr(request, name) for name in _REQUEST_FIELDS}
    width, height, size, seconds, codec, note = (getattr(facts, name) or None for name in _FILE_FIELDS)
    charge, certainty = _charge(job)
    return fields | {
        "state": str(job.state),
        "file": absolute_result_path(job, results_dir),
        "file_state": None if job.file_state is None else str(job.file_state),
        "error": job.error or _download_error(job) or None,
        "created_at": format_utc(job.created_at),
        "finished_at": format_utc(job.finished_at),
        "verdict": None if job.verdict is None else str(job.verdict),
        "width": width,
        "height": height,
        "bytes": size,
        "seconds": seconds,
        "codec": codec,
        "sound": facts.has_sound if seconds else None,
        "tags": list(job.tags),
        "submitted_at": format_utc(job.submitted_at),
        "charge": charge,
        "charge_certainty": certainty,
        "file_note": note,
    }


def _charge(job: Job) -> tuple[float | None, ChargeCertainty]:
    if job.state in (JobState.REJECTED, JobState.QUEUED):
        return 0.0, "none"
    if job.state in (JobState.UNCONFIRMED, JobState.SUBMITTING):
        return job.cost, "unconfirmed"
    if job.cost is None:
        return None, "unknown"
    return job.cost, "measured" if is_cost_measured(job) else "estimated"


def _download_error(job: Job) -> str:
    """Return why a job that succeeded has no file."""
    return job.waiting_reason if job.state is JobState.SUCCEEDED and not job.is_delivered else ""


def absolute_result_path(job: Job, results_dir: Path) -> str | None:
    """Return the absolute path of the saved result, or None."""
    name = file_name(job)
    return None if name is None else str((results_dir / name).absolute())


def format_utc(timestamp: float | None) -> str | None:
    """Return seconds since the epoch as ISO 8601 in UTC, to the millisecond."""
    if timestamp is None:
        return None
    try:
        moment = datetime.fromtimestamp(timestamp, UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
