"""State changes of jobs as pure functions: a job and a response or an error in, the new job out; their log lines."""

from __future__ import annotations

import logging
from typing import Any

import msgspec

from eternal_tui.api.errors import ApiError, InsufficientCredits, KeyRejected, RequestNotSent, Unreachable, Unsendable
from eternal_tui.api.models import CreateCharacterResponse, PollResponse, SubmitResponse
from eternal_tui.core.sanitize import UntrustedText
from eternal_tui.jobs.model import FileState, Job, JobState, with_event, with_state

_log = logging.getLogger(__name__)

_CLEARED_DOUBT: dict[str, Any] = {
    "error": UntrustedText(""),
    "finished_at": None,
    "verdict": None,
    "verdict_reason": "",
}
"""Fields that a late response resets where another instance had marked the submit unconfirmed."""


def _change(job: Job, state: JobState, now: float, summary: str, detail: str = "", **changes: Any) -> Job:
    """Return the job in `state` with one more event; unless `changes` says so, it waits for nothing."""
    return with_event(with_state(job, state, **{"waiting_reason": UntrustedText(""), **changes}), now, summary, detail)


def _end(job: Job, state: JobState, now: float, summary: str, reason: str, **changes: Any) -> Job:
    """Return the job as ended, without a result, for that reason."""
    ended = max(now, job.created_at)
    return _change(
        job, state, now, summary, reason, **{"error": UntrustedText(reason), "finished_at": ended, **changes}
    )


def mark_accepted(job: Job, response: SubmitResponse, now: float, cost: float | None) -> Job:
    """Return the job as accepted: it has a request id and is polled."""
    return _change(
        job,
        JobState.RUNNING,
        now,
        f"accepted{_late_suffix(job)}",
        response.request_id,
        request_id=response.request_id,
        other_request_id=response.other_request_id,
        status_text=response.status_text,
        progress=max(job.progress, response.progress or 0),
        submitted_at=now,
        credits_after=response.credits_remaining,
        cost=cost,
        **_CLEARED_DOUBT,
    )


def _late_suffix(job: Job) -> str:
    return " late" if job.state is JobState.UNCONFIRMED else ""


def mark_created(job: Job, response: CreateCharacterResponse, now: float, cost: float | None) -> Job:
    """Return the creation as accepted: ended, with the new character's ID or the request id."""
    summary, detail = f"created{_late_suffix(job)}", f"character {response.character_id}"
    if not response.character_id:
        summary = f"taken{_late_suffix(job)}, the list will have it when it is made"
        detail = response.request_id or ""
    return _change(
        job,
        JobState.SUCCEEDED,
        now,
        summary,
        detail,
        request=msgspec.structs.replace(job.request, character=response.character_id or ""),
        request_id=response.request_id,
        progress=100,
        credits_after=response.credits_remaining,
        cost=cost,
        **_CLEARED_DOUBT | {"finished_at": now},
    )


def mark_cancelled(job: Job, now: float) -> Job:
    """Return a queued job as cancelled: never sent, not charged."""
    error = UntrustedText("Cancelled before sending.")
    return _end(job, JobState.REJECTED, now, "cancelled before sending", "", error=error, cause="cancelled", cost=0.0)


def mark_requeued(job: Job, error: ApiError, reason: str, now: float) -> Job:
    """Return a job that was certainly not accepted as queued again."""
    cause, waiting = "key" if isinstance(error, KeyRejected) else "", UntrustedText(reason)
    return _change(
        job, JobState.QUEUED, now, "queued again", reason, waiting_reason=waiting, cause=cause, credits_before=None
    )


def mark_rejected(job: Job, error: ApiError, now: float) -> Job:
    """Return the job as rejected or never sent: ended, not charged."""
    what, cause = "never sent" if isinstance(error, RequestNotSent) else "refused", _rejection_cause(error)
    return _end(
        job, JobState.REJECTED, now, what, error.full_message, verdict=None, verdict_reason="", cause=cause, cost=0.0
    )


def _rejection_cause(error: ApiError) -> str:
    if isinstance(error, KeyRejected):
        return "key"
    if isinstance(error, InsufficientCredits):
        return "credits"
    if isinstance(error, Unreachable | Unsendable):
        return "unreachable"
    return "stopped" if isinstance(error, RequestNotSent) else "refused"


def mark_unconfirmed(job: Job, reason: str, now: float, estimate: float | None) -> Job:
    """Return the job as sent without a response: it may have been charged, and is not retried automatically."""
    return _end(job, JobState.UNCONFIRMED, now, "answer lost, may be charged", reason, cost=estimate)


def apply_poll(
    job: Job,
    response: PollResponse,
    now: float,
    *,
    is_overdue: bool,
    age: float | None = None,
    observed_seconds: float | None = None,
) -> Job:
    """Return the job after a poll; `is_overdue` says that its watch deadline has passed.

    `age` becomes the last age at which the job was seen running. `observed_seconds` is the time from submit to end
    where this poll found the end, 0 where the job was not observed closely enough.
    """
    alive = response.outcome == "alive"
    seen = with_state(
        job,
        job.state,
        status_text=response.status_text,
        progress=max(job.progress, response.progress or 0),
        effect_type=response.effect_type or job.effect_type,
        waiting_reason=response.error if alive else UntrustedText(""),
        polls=job.polls + 1,
        last_running_age=age if age is not None and alive else job.last_running_age,
        observed_seconds=job.observed_seconds if alive else observed_seconds,
    )
    if response.outcome == "succeeded":
        return _mark_succeeded(seen, response, now)
    if response.outcome == "failed":
        reason, ended = response.error or "The service gave no reason.", max(now, job.submitted_at or job.created_at)
        return _end(seen, JobState.FAILED, now, "failed", reason, finished_at=ended)
    if is_overdue and seen.state is JobState.RUNNING:
        return with_event(with_state(seen, JobState.STALLED), now, "stalled, polling less often")
    if not is_overdue and seen.state is JobState.STALLED:
        return with_event(with_state(seen, JobState.RUNNING), now, "no longer stalled")
    if seen.status_text != job.status_text and job.polls:
        return with_event(seen, now, "now says", seen.status_text)
    return seen


NO_LINK_MESSAGE = "The API reports success but gives no usable link. It can be polled again; that is free."


def _mark_succeeded(job: Job, response: PollResponse, now: float) -> Job:
    has_link = response.result_url is not None
    return _change(
        job,
        JobState.SUCCEEDED,
        now,
        "finished" if has_link else "finished without a usable link",
        response.unusable_link or response.status_text,
        progress=100,
        result_url=response.result_url,
        encrypted=response.encrypted,
        file_state=FileState.PENDING if has_link else FileState.MISSING,
        error=UntrustedText("" if has_link else NO_LINK_MESSAGE),
        finished_at=max(now, job.submitted_at or job.created_at),
    )


UNSAVED_PREFIX = "Not on disk yet"


def mark_unsaved(job: Job, reason: str) -> Job:
    """Return the job with the reason why it is not written to disk."""
    note = f" Note the request id {job.request_id}." if job.request_id else ""
    return msgspec.structs.replace(job, waiting_reason=UntrustedText(f"{UNSAVED_PREFIX}: {reason}{note}"))


def clear_unsaved(job: Job) -> Job:
    """Return the job without that reason, once it is written."""
    return (
        msgspec.structs.replace(job, waiting_reason=UntrustedText(""))
        if job.waiting_reason.startswith(UNSAVED_PREFIX)
        else job
    )


def use_other_id(job: Job, now: float) -> Job:
    """Return the job with the second id of its submit's response as the one that is polled."""
    summary, other = "unknown id, polling the other one of the response", job.other_request_id
    return _change(job, job.state, now, summary, other or "", request_id=other, other_request_id=None)


def mark_lost(job: Job, now: float, reason: str = "") -> Job:
    """Return the job as lost: the API does not know its request id, or refuses it. The id is kept."""
    error = UntrustedText(f"{reason or 'Unknown request id (HTTP 404).'} Already charged.")
    return _end(job, JobState.LOST, now, "lost", reason or job.request_id or "", error=error)


def mark_waiting(job: Job, reason: str, now: float, *, is_stalled: bool = False) -> Job:
    """Return the waiting job with the reason; `is_stalled` says that it has waited for too long."""
    waiting = with_state(job, job.state, waiting_reason=UntrustedText(reason), polls=job.polls + 1)
    if is_stalled and job.state is JobState.RUNNING:
        return with_event(with_state(waiting, JobState.STALLED), now, "stalled, polling less often", reason)
    return waiting


_WARNING_STATES = frozenset({JobState.REJECTED, JobState.UNCONFIRMED, JobState.STALLED, JobState.LOST, JobState.FAILED})
_WARNING_FILE_STATES = frozenset({FileState.EXPIRED, FileState.BROKEN})


def log_state_change(old: Job | None, new: Job | None, *, owner: str) -> None:
    """Log where a job of the instance `owner` changed its state, its file's state or why it waits.

    Never its prompt or a link.
    """
    if old is None or new is None or new.owner != owner:
        return
    if (old.state, old.file_state, old.waiting_reason) == (new.state, new.file_state, new.waiting_reason):
        return
    facts = {
        "job": new.id,
        "was": str(old.state),
        "state": str(new.state),
        "file": str(new.file_state or ""),
        "cause": new.cause,
        "request_id": new.request_id,
        "reason": new.error if new.is_ended else new.waiting_reason,
    }
    grave = bool(new.waiting_reason) or new.state in _WARNING_STATES or new.file_state in _WARNING_FILE_STATES
    level = logging.WARNING if grave else logging.INFO
    _log.log(level, "job", extra={name: fact for name, fact in facts.items() if fact})
