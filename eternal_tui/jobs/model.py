"""Job: one paid generation from request to file, its states and their transitions."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import msgspec

from eternal_tui.api.models import GenerateRequest
from eternal_tui.core.sanitize import UntrustedText


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
    """What the balance says about an unconfirmed job."""

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
        """Whether nothing more will happen to this job by itself."""
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
        """What queued jobs are sorted by."""
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
