"""A job as the flat JSON object that commands and hooks print; its field names are a promise to scripts."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import msgspec

from eternal_tui.jobs.billing.charges import is_cost_measured
from eternal_tui.jobs.files import file_name
from eternal_tui.jobs.model import Job, JobState

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


def job_to_json(job: Job, results_dir: Path) -> dict[str, Any]:
    """Return the fields of `JobJson`, in their order."""
    request, facts = job.request, job.file_info
    charge, certainty = _charge(job)
    fields: dict[str, Any] = {
        "id": job.id,
        "request_id": job.request_id,
        "state": str(job.state),
        "type": request.type,
        "character": request.character,
        "name": job.name or None,
        "prompt": request.prompt,
        "duration": request.duration,
        "audio": request.audio,
        "quality": request.quality,
        "word": job.status_text or None,
        "progress": job.progress,
        "file": absolute_result_path(job, results_dir),
        "file_state": None if job.file_state is None else str(job.file_state),
        "error": job.error or _download_error(job) or None,
        "trouble": job.waiting_reason or None,
        "created_at": format_utc(job.created_at),
        "finished_at": format_utc(job.finished_at),
        "credits_remaining": job.credits_after,
        "cost": job.cost,
        "verdict": None if job.verdict is None else str(job.verdict),
        "retry_of": job.retry_of,
        "retried_by": job.retried_by,
        "encrypted": job.encrypted,
        **{name: (getattr(facts, name) or None) if facts else None for name in _FACT_NAMES},
        "sound": facts.has_sound if facts and facts.seconds else None,
        "tags": list(job.tags),
        "note": job.note or None,
        "star": job.starred,
        "rating": job.rating,
        "batch": job.batch or None,
        "index": job.batch_index,
        "template": job.template or None,
        "service": job.service or None,
        "account": job.account or None,
        "cause": job.cause or None,
        "polls": job.polls,
        "submitted_at": format_utc(job.submitted_at),
        "charge": charge,
        "charge_certainty": certainty,
        "verdict_reason": job.verdict_reason or None,
        "file_note": (facts.note or None) if facts else None,
    }
    return fields


_FACT_NAMES = ("width", "height", "bytes", "seconds", "codec")


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
