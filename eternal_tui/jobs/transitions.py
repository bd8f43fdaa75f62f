"""State changes of jobs as pure functions: a job and a response or an error in, the new job out."""

from __future__ import annotations

from typing import Any

import msgspec

from eternal_tui.api.errors import ApiError, InsufficientCredits, KeyRejected, RequestNotSent, Unreachable, Unsendable
from eternal_tui.api.models import CreateCharacterResponse, PollResponse, SubmitResponse
from eternal_tui.core.sanitize import UntrustedText
from eternal_tui.jobs.model import FileState, Job, JobState, with_event, with_state

MAX_TIMELINE_EVENTS = 40
"""Events kept per job: its first and its latest ones."""


_CLEARED_DOUBT: dict[str, Any] = {
    "error": UntrustedText(""),
    "finished_at": None,
    "verdict": None,
    "verdict_reason": "",
}
"""Fields that a late response resets where another instance had marked the submit unconfirmed."""


def mark_accepted(job: Job, response: SubmitResponse, now: float, cost: float | None) -> Job:
    """Return the job as accepted: it has a request id and is polled."""
    taken = with_state(
        job,
        JobState.RUNNING,
        request_id=response.request_id,
        other_request_id=response.other_request_id,
        status_text=response.status_text,
        progress=max(job.progress, response.progress or 0),
        submitted_at=now,
        credits_after=response.credits_remaining,
        cost=cost,
        waiting_reason=UntrustedText(""),
        **_CLEARED_DOUBT,
    )
    return _append_event(taken, now, f"accepted{_late_suffix(job)}", response.request_id)


def _late_suffix(job: Job) -> str:
    return " late" if job.state is JobState.UNCONFIRMED else ""


def mark_created(job: Job, response: CreateCharacterResponse, now: float, cost: float | None) -> Job:
    """Return the creation as accepted: ended, with the new character's ID or the request id."""
    made = with_state(
        job,
        JobState.SUCCEEDED,
        request=msgspec.structs.replace(job.request, character=response.character_id or ""),
        request_id=response.request_id,
        progress=100,
        credits_after=response.credits_remaining,
        cost=cost,
        waiting_reason=UntrustedText(""),
        **_CLEARED_DOUBT | {"finished_at": now},
    )
    late = _late_suffix(job)
    if response.character_id:
        return _append_event(made, now, f"created{late}", f"character {response.character_id}")
    return _append_event(made, now, f"taken{late}, the list will have it when it is made", response.request_id or "")


def mark_cancelled(job: Job, now: float) -> Job:
    """Return a queued job as cancelled: never sent, not charged."""
    gone = with_state(
        job,
        JobState.REJECTED,
        cause="cancelled",
        error=UntrustedText("Cancelled before sending."),
        finished_at=now,
        cost=0.0,
        waiting_reason=UntrustedText(""),
    )
    return _append_event(gone, now, "cancelled before sending")


def mark_requeued(job: Job, error: ApiError, reason: str, now: float) -> Job:
    """Return a job that was certainly not accepted as queued again."""
    cause = "key" if isinstance(error, KeyRejected) else ""
    back = with_state(job, JobState.QUEUED, waiting_reason=UntrustedText(reason), cause=cause, credits_before=None)
    return _append_event(back, now, "queued again", reason)


def mark_rejected(job: Job, error: ApiError, now: float) -> Job:
    """Return the job as rejected or never sent: ended, not charged."""
    what = "never sent" if isinstance(error, RequestNotSent) else "refused"
    reason = error.full_message
    gone = with_state(
        job,
        JobState.REJECTED,
        verdict=None,
        verdict_reason="",
        error=UntrustedText(reason),
        cause=_rejection_cause(error),
        finished_at=max(now, job.created_at),
        cost=0.0,
        waiting_reason=UntrustedText(""),
    )
    return _append_event(gone, now, what, reason)


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
    unclear = with_state(
        job,
        JobState.UNCONFIRMED,
        error=UntrustedText(reason),
        finished_at=max(now, job.created_at),
        cost=estimate,
        waiting_reason=UntrustedText(""),
    )
    return _append_event(unclear, now, "answer lost, may be charged", reason)


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
    seen = with_state(
        job,
        job.state,
        status_text=response.status_text,
        progress=max(job.progress, response.progress or 0),
        effect_type=response.effect_type or job.effect_type,
        waiting_reason=response.error if response.outcome == "alive" else UntrustedText(""),
        polls=job.polls + 1,
        last_running_age=age if age is not None and response.outcome == "alive" else job.last_running_age,
    )
    if response.outcome == "succeeded":
        return _mark_succeeded(msgspec.structs.replace(seen, observed_seconds=observed_seconds), response, now)
    if response.outcome == "failed":
        return _mark_failed(msgspec.structs.replace(seen, observed_seconds=observed_seconds), response, now)
    if is_overdue and seen.state is JobState.RUNNING:
        return _append_event(with_state(seen, JobState.STALLED), now, "stalled, polling less often")
    if not is_overdue and seen.state is JobState.STALLED:
        return _append_event(with_state(seen, JobState.RUNNING), now, "no longer stalled")
    if seen.status_text != job.status_text and job.polls:
        return _append_event(seen, now, "now says", seen.status_text)
    return seen


NO_LINK_MESSAGE = "The API reports success but gives no usable link. It can be polled again; that is free."


def _mark_succeeded(job: Job, response: PollResponse, now: float) -> Job:
    has_link = response.result_url is not None
    done = with_state(
        job,
        JobState.SUCCEEDED,
        progress=100,
        result_url=response.result_url,
        encrypted=response.encrypted,
        file_state=FileState.PENDING if has_link else FileState.MISSING,
        error=UntrustedText("") if has_link else UntrustedText(NO_LINK_MESSAGE),
        finished_at=max(now, job.submitted_at or job.created_at),
    )
    summary = "finished" if has_link else "finished without a usable link"
    return _append_event(done, now, summary, response.unusable_link or response.status_text)


def _mark_failed(job: Job, response: PollResponse, now: float) -> Job:
    reason = response.error or UntrustedText("The service gave no reason.")
    ended = max(now, job.submitted_at or job.created_at)
    return _append_event(with_state(job, JobState.FAILED, error=reason, finished_at=ended), now, "failed", reason)


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
    other = with_state(
        job, job.state, request_id=job.other_request_id, other_request_id=None, waiting_reason=UntrustedText("")
    )
    return _append_event(other, now, "unknown id, polling the other one of the response", job.other_request_id or "")


def mark_lost(job: Job, now: float, reason: str = "") -> Job:
    """Return the job as lost: the API does not know its request id, or refuses it. The id is kept."""
    gone = with_state(
        job,
        JobState.LOST,
        error=UntrustedText(f"{reason or 'Unknown request id (HTTP 404).'} Already charged."),
        finished_at=max(now, job.created_at),
        waiting_reason=UntrustedText(""),
    )
    return _append_event(gone, now, "lost", reason or job.request_id or "")


def mark_waiting(job: Job, reason: str, now: float, *, is_stalled: bool = False) -> Job:
    """Return the waiting job with the reason; `is_stalled` says that it has waited for too long."""
    waiting = with_state(job, job.state, waiting_reason=UntrustedText(reason), polls=job.polls + 1)
    if is_stalled and job.state is JobState.RUNNING:
        return _append_event(with_state(waiting, JobState.STALLED), now, "stalled, polling less often", reason)
    return waiting


def _append_event(job: Job, now: float, summary: str, detail: str = "") -> Job:
    noted = with_event(job, now, summary, detail)
    if len(noted.timeline) <= MAX_TIMELINE_EVENTS:
        return noted
    half = MAX_TIMELINE_EVENTS // 2
    return with_state(noted, noted.state, timeline=(*noted.timeline[:half], *noted.timeline[-half:]))
