"""A job as the flat JSON object that commands and hooks print; its field names are a promise to scripts."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import msgspec

from eternal_tui.jobs.billing.charges import is_cost_measured
from eternal_tui.jobs.files import file_name
from eternal_tui.jobs.model import FileInfo, Job, JobState

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
