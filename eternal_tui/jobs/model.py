"""Job: one paid generation from request to file, its states and their transitions.

Transitions are pure functions: a job and a response or an error in, the new job out.
"""

from __future__ import annotations

import logging
from enum import StrEnum
from typing import Any

import msgspec

from eternal_tui.api.errors import ApiError, InsufficientCredits, KeyRejected, RequestNotSent, Unreachable, Unsendable
from eternal_tui.api.models import CreateCharacterResponse, GenerateRequest, PollResponse, SubmitResponse
from eternal_tui.core.sanitize import UntrustedText

_log = logging.getLogger(__name__)


class JobState(StrEnum):
    """State of a job. The words are shown and printed by `--json`; scripts depend on them."""

    QUEUED = "queued"
    SUBMITTING = "submitting"
    REJECTED = "rejected"
    UNCONFIRMED = "unconfirmed"
    RUNNING = "running"
    STALLED = "stalled"
    LOST = "lost"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


class FileState(StrEnum):
    """State of a succeeded job's file. `missing`: gone or changed on disk, or the API gave no usable link."""

    PENDING = "pending"
    SAVED = "saved"
    EXPIRED = "expired"
    BROKEN = "broken"
    MISSING = "missing"


class Verdict(StrEnum):
    """The verdict of the balance on an unconfirmed job."""

    UNKNOWN = "can't tell"
    CHARGED = "probably charged"
    NOT_CHARGED = "probably not charged"


_TRANSITIONS: dict[JobState, frozenset[JobState]] = {
    JobState.QUEUED: frozenset({JobState.SUBMITTING, JobState.REJECTED}),
    JobState.SUBMITTING: frozenset({JobState.RUNNING, JobState.REJECTED, JobState.UNCONFIRMED, JobState.QUEUED}),
    # Only by undoing a cancellation.
    JobState.REJECTED: frozenset({JobState.QUEUED}),
    # Only by the response itself, where another instance took the submit for interrupted.
    JobState.UNCONFIRMED: frozenset({JobState.RUNNING, JobState.REJECTED}),
    JobState.RUNNING: frozenset({JobState.SUCCEEDED, JobState.FAILED, JobState.STALLED, JobState.LOST}),
    JobState.STALLED: frozenset({JobState.RUNNING, JobState.SUCCEEDED, JobState.FAILED, JobState.LOST}),
    JobState.LOST: frozenset({JobState.RUNNING, JobState.SUCCEEDED}),
    JobState.SUCCEEDED: frozenset(),
    # Only by a link given by the user whose file was verified.
    JobState.FAILED: frozenset({JobState.SUCCEEDED}),
}

POLLED_STATES = frozenset({JobState.RUNNING, JobState.STALLED})
"""States in which the job is polled."""

UNFINISHED_STATES = POLLED_STATES | {JobState.QUEUED, JobState.SUBMITTING}
ENDED_STATES = frozenset(JobState) - UNFINISHED_STATES


class IllegalTransition(Exception):
    """A change between states that is not allowed: a bug of the program, never of the service."""

    def __init__(self, old: JobState, new: JobState) -> None:
        super().__init__(f"A job cannot go from {old} to {new}.")


class TimelineEvent(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One event of a job: when (seconds since the epoch), what happened, and untrusted details."""

    at: float
    summary: str
    detail: UntrustedText = UntrustedText("")


class FileInfo(msgspec.Struct, frozen=True, omit_defaults=True, gc=False, rename={"has_sound": "sound"}):
    """The verified file: bytes, pixels as displayed, seconds of a video, and its codec.

    `note` says in a sentence that it is not what was requested, or why it is kept unopened.
    """

    bytes: int = 0
    width: int = 0
    height: int = 0
    seconds: float = 0.0
    codec: str = ""
    has_sound: bool = False
    note: str = ""


_RECORD_NAMES = {
    "status_text": "word",
    "waiting_reason": "trouble",
    "file_info": "facts",
    "last_running_age": "seen_running",
    "observed_seconds": "took",
}
"""Fields under the names that records on disk have had since their first version."""


class Job(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False, rename=_RECORD_NAMES):
    """An immutable snapshot of one job: an image, a video, or a character to create.

    Times are seconds since the epoch, amounts are the service's credits.

    `status_text` and `progress` come from the service; progress never decreases. `cause` is why a rejected job was not
    accepted: "key", "credits", "unreachable", "stopped", "cap" or "refused". `file` is a name inside the results
    folder. `owner` is the instance that polls and downloads it, `service` the host it runs at. `waiting_reason` is why
    a live job is waiting, `error` why an ended one has no result. `credits_before` and `credits_after` bracket the
    submit; `last_running_age` is the age in seconds at the last poll that found the job running, `observed_seconds`
    the time from submit to end, 0 where the end was not observed closely. `rating` is 1 to 5, -1 for rejected, 0 for
    none. `template` is the prompt before its alternatives were chosen. `account` is the fingerprint of the API key.
    """

    id: int
    request: GenerateRequest
    state: JobState = JobState.SUBMITTING
    created_at: float
    name: UntrustedText = UntrustedText("")
    request_id: str | None = None
    other_request_id: str | None = None
    status_text: UntrustedText = UntrustedText("")
    progress: int = 0
    waiting_reason: UntrustedText = UntrustedText("")
    error: UntrustedText = UntrustedText("")
    cause: str = ""
    submitted_at: float | None = None
    finished_at: float | None = None
    credits_before: float | None = None
    credits_after: float | None = None
    cost: float | None = None
    verdict: Verdict | None = None
    verdict_reason: str = ""
    result_url: UntrustedText | None = None
    effect_type: UntrustedText = UntrustedText("")
    encrypted: bool = False
    file: str | None = None
    file_state: FileState | None = None
    file_info: FileInfo | None = None
    owner: str = ""
    service: str = ""
    watched: bool = True
    dismissed: bool = False
    retry_of: int | None = None
    retried_by: int | None = None
    batch: str = ""
    batch_index: int | None = None
    hooks: tuple[str, ...] = ()
    polls: int = 0
    last_running_age: float | None = None
    observed_seconds: float | None = None
    tags: tuple[str, ...] = ()
    starred: bool = False
    rating: int = 0
    template: str = ""
    account: str = ""
    note: UntrustedText = UntrustedText("")
    queue_order: float | None = None
    timeline: tuple[TimelineEvent, ...] = ()

    @property
    def is_ended(self) -> bool:
        """Whether this job will not change by itself any more."""
        return self.state in ENDED_STATES

    @property
    def run_seconds(self) -> float | None:
        """Seconds from submit to end, None where the end was not observed closely enough to tell."""
        if self.observed_seconds is not None:
            return self.observed_seconds or None
        if self.finished_at is None or self.submitted_at is None or self.finished_at < self.submitted_at:
            return None
        return self.finished_at - self.submitted_at

    @property
    def queue_position(self) -> tuple[float, int]:
        """Sort key of queued jobs."""
        return (float(self.id) if self.queue_order is None else self.queue_order, self.id)

    @property
    def is_creation(self) -> bool:
        """Whether this creates a character: it has no file and ends with the response to its submit."""
        return self.request.type == "character"

    @property
    def is_delivered(self) -> bool:
        """Whether the file is saved, or the character creation was accepted."""
        return self.state is JobState.SUCCEEDED and (self.file_state is FileState.SAVED or self.is_creation)

    @property
    def needs_download(self) -> bool:
        """Whether the result is known but not yet saved here."""
        return self.state is JobState.SUCCEEDED and self.file_state is FileState.PENDING


def with_state(job: Job, state: JobState, **changes: Any) -> Job:
    """Return `job` in `state` with `changes`; raises IllegalTransition."""
    if state is not job.state and state not in _TRANSITIONS[job.state] and not _is_creation_end(job, state):
        raise IllegalTransition(job.state, state)
    return msgspec.structs.replace(job, state=state, **changes)


def _is_creation_end(job: Job, state: JobState) -> bool:
    """Return whether this is the end of a creation, which has no running state."""
    unanswered = job.state in (JobState.SUBMITTING, JobState.UNCONFIRMED)
    return state is JobState.SUCCEEDED and unanswered and job.is_creation


MAX_TIMELINE_EVENTS = 40


def with_event(job: Job, at: float, summary: str, detail: str = "") -> Job:
    """Return `job` with one more line in its timeline, of which the first and the latest lines are kept."""
    events = (*job.timeline, TimelineEvent(at, summary, UntrustedText(detail)))
    if len(events) > MAX_TIMELINE_EVENTS:
        events = (*events[: MAX_TIMELINE_EVENTS // 2], *events[-MAX_TIMELINE_EVENTS // 2 :])
    return msgspec.structs.replace(job, timeline=events)


def to_record(job: Job) -> dict[str, Any]:
    """Return the job as a JSON object for the history; its id is the key there, so it is left out."""
    record: dict[str, Any] = msgspec.to_builtins(job)
    del record["id"]
    record.setdefault("state", str(job.state))
    return record


def from_record(job_id: int, record: dict[str, Any]) -> Job:
    """Return the job that a history record holds; raises msgspec.ValidationError where it is not one."""
    return msgspec.convert({**record, "id": job_id}, Job)


MAX_TAG_CHARS = 40
"""Characters of one tag: as many as the detail shows."""

MAX_TAGS = 20


def parse_tags(text: str) -> tuple[str, ...]:
    """Return the words of `text` as tags: in order, each once whatever its case, without commas and number signs."""
    tags: dict[str, str] = {}
    for word in text.replace(",", " ").split():
        if tag := word.lstrip("#")[:MAX_TAG_CHARS]:
            tags.setdefault(tag.casefold(), tag)
    return tuple(tags.values())[:MAX_TAGS]


_CLEARED_DOUBT: dict[str, Any] = {
    "error": UntrustedText(""),
    "finished_at": None,
    "verdict": None,
    "verdict_reason": "",
}
"""Fields that a late response resets where another instance had marked the submit unconfirmed."""


def _change(job: Job, state: JobState, now: float, summary: str, detail: str = "", **changes: Any) -> Job:
    """Return the job in `state` with one more event; its waiting reason is cleared unless `changes` sets one."""
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
