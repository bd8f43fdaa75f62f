"""One job in the words and fields that the command line prints; scripts depend on the field names."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from eternal_tui.core.sanitize import SafeText, format_safe, join_safe, sanitize
from eternal_tui.jobs.files import file_name
from eternal_tui.jobs.formatting import state_label
from eternal_tui.jobs.model import Job, JobState


def job_to_json(job: Job, results_dir: Path) -> dict[str, Any]:
    """Return the job as one flat JSON object; the signed link to its result is left out, it is as good as a key."""
    request = job.request
    return {
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
        "word": job.word or None,
        "progress": job.progress,
        "file": absolute_result_path(job, results_dir),
        "file_state": None if job.file_state is None else str(job.file_state),
        "error": job.error or _download_error(job) or None,
        "trouble": job.trouble or None,
        "created_at": format_utc(job.created_at),
        "finished_at": format_utc(job.finished_at),
        "credits_remaining": job.credits_after,
        "cost": job.cost,
        "verdict": None if job.verdict is None else str(job.verdict),
        "retry_of": job.retry_of,
        "retried_by": job.retried_by,
        "encrypted": job.encrypted,
    }


def _download_error(job: Job) -> str:
    """Return why there is no file of a job that succeeded: what else waits is no error."""
    return job.trouble if job.state is JobState.SUCCEEDED and not job.is_delivered else ""


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


def format_local_time(timestamp: float) -> str:
    """Return seconds since the epoch as local date and time; `?` for what is no time."""
    try:
        return datetime.fromtimestamp(timestamp).astimezone().strftime("%Y-%m-%d %H:%M:%S")
    except (ValueError, OverflowError, OSError):
        return "?"


def format_job_line(job: Job, results_dir: Path) -> SafeText:
    """Return a job's news in one line: number, state, and its request id, file or reason."""
    tail = absolute_result_path(job, results_dir) or (job.error if job.is_ended else "") or job.request_id or ""
    if not job.is_ended and job.progress:
        tail = f"{tail} · {job.progress} %"
    line = format_safe("job {id} · {word}", id=job.id, word=state_label(job))
    return join_safe(" · ", line, sanitize(tail)) if tail else line


def job_error_message(job: Job) -> SafeText | None:
    """Return what a person must know about a job that gave no result, None where nothing went wrong."""
    fields = {"id": job.id, "error": job.error or job.trouble}
    match job.state:
        case JobState.REJECTED:
            return format_safe("Job {id} was not taken: {error}", **fields)
        case JobState.UNCONFIRMED:
            return format_safe("Job {id} is unconfirmed: {error} It is not sent again by itself.", **fields)
        case JobState.FAILED:
            return format_safe("Job {id} failed: {error}", **fields)
        case JobState.LOST:
            return format_safe("Job {id} is lost: {error} `eternal-tui watch {id}` asks, free of charge.", **fields)
        case JobState.SUCCEEDED if not job.is_delivered:
            return format_safe(
                "Job {id} succeeded, but its file is not here: {error} `eternal-tui watch {id}` tries again.", **fields
            )
        case _:
            return None


def describe_unfinished(jobs: Sequence[Job]) -> SafeText:
    """Return what becomes of jobs that nobody waits for any more, and how to come back to them; "" for none."""
    running = [str(job.id) for job in jobs if not job.is_ended]
    finished = [str(job.id) for job in jobs if job.needs_download]
    facts = [
        *([format_safe("The service goes on with job {ids}", ids=", ".join(running))] if running else ()),
        *([format_safe("The file of job {ids} is still to be fetched", ids=", ".join(finished))] if finished else ()),
    ]
    if not facts:
        return SafeText("")
    return format_safe(
        "{facts}; `eternal-tui watch {numbers}` follows.",
        facts=join_safe(". ", *facts),
        numbers=" ".join(running + finished),
    )
