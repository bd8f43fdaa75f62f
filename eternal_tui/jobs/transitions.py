"""What an answer or an error makes of a job: pure decisions, one snapshot in, one snapshot out."""

from __future__ import annotations

from typing import Any

import msgspec

from eternal_tui.api.errors import ApiError, KeyRefused, NoCredits, NotSent, Unreachable, Unsendable
from eternal_tui.api.models import CreateAnswer, PollAnswer, SubmitAnswer
from eternal_tui.core.sanitize import Untrusted
from eternal_tui.jobs.model import FileState, Job, JobState, advance, with_event

MOST_EVENTS = 40
"""Timeline lines kept a job: a job that wavers for hours keeps its beginning and its latest turns."""


_UNDOUBTED: dict[str, Any] = {"error": Untrusted(""), "finished_at": None, "verdict": None, "verdict_reason": ""}
"""What an answer takes back where another instance had given the submit up as unconfirmed meanwhile."""


def accepted(job: Job, answer: SubmitAnswer, now: float, cost: float | None) -> Job:
    """Return the job as the service took it: it has an id and is polled from now on."""
    taken = advance(
        job,
        JobState.RUNNING,
        request_id=answer.request_id,
        word=answer.word,
        progress=max(job.progress, answer.progress or 0),
        submitted_at=now,
        credits_after=answer.credits_remaining,
        cost=cost,
        trouble=Untrusted(""),
        **_UNDOUBTED,
    )
    return _noted(taken, now, f"accepted{_late(job)}", answer.request_id)


def _late(job: Job) -> str:
    return " late" if job.state is JobState.UNCONFIRMED else ""


def created(job: Job, answer: CreateAnswer, now: float, cost: float | None) -> Job:
    """Return the creation as the service took it: ended, with the new character's ID or the id of its request."""
    made = advance(
        job,
        JobState.SUCCEEDED,
        request=msgspec.structs.replace(job.request, character=answer.character_id or ""),
        request_id=answer.request_id,
        progress=100,
        credits_after=answer.credits_remaining,
        cost=cost,
        trouble=Untrusted(""),
        **_UNDOUBTED | {"finished_at": now},
    )
    late = _late(job)
    if answer.character_id:
        return _noted(made, now, f"created{late}", f"character {answer.character_id}")
    return _noted(made, now, f"taken{late}, the list will have it when it is made", answer.request_id or "")


def rejected(job: Job, error: ApiError, now: float) -> Job:
    """Return the job as refused or never sent: ended, and nothing charged."""
    what = "never sent" if isinstance(error, NotSent) else "refused"
    reason = error.account
    gone = advance(
        job,
        JobState.REJECTED,
        verdict=None,
        verdict_reason="",
        error=Untrusted(reason),
        cause=_cause(error),
        finished_at=now,
        cost=0.0,
        trouble=Untrusted(""),
    )
    return _noted(gone, now, what, reason)


class PastCap(NotSent):
    """Kept back because the spend cap of the day would be passed."""


def _cause(error: ApiError) -> str:
    if isinstance(error, PastCap):
        return "cap"
    if isinstance(error, KeyRefused):
        return "key"
    if isinstance(error, NoCredits):
        return "credits"
    if isinstance(error, Unreachable | Unsendable):
        return "unreachable"
    return "stopped" if isinstance(error, NotSent) else "refused"


def unconfirmed(job: Job, reason: str, now: float, estimate: float | None) -> Job:
    """Return the job as sent without a known answer: it may be charged, and is never sent again by itself."""
    unclear = advance(
        job,
        JobState.UNCONFIRMED,
        error=Untrusted(reason),
        finished_at=now,
        cost=estimate,
        trouble=Untrusted(""),
    )
    return _noted(unclear, now, "answer lost, may be charged", reason)


def looked(job: Job, answer: PollAnswer, now: float, *, overdue: bool, age: float | None = None) -> Job:
    """Return the job after one look at it; `overdue` says that its watch deadline has passed.

    `age` is kept as the last one at which the job was seen running: between it and the end lies what it took.
    """
    seen = advance(
        job,
        job.state,
        word=answer.word,
        progress=max(job.progress, answer.progress or 0),
        effect_type=answer.effect_type or job.effect_type,
        trouble=answer.error if answer.outcome == "alive" else Untrusted(""),
        polls=job.polls + 1,
        seen_running=age if age is not None and answer.outcome == "alive" else job.seen_running,
    )
    if answer.outcome == "succeeded":
        return _succeeded(seen, answer, now)
    if answer.outcome == "failed":
        return _failed(seen, answer, now)
    if overdue and seen.state is JobState.RUNNING:
        return _noted(advance(seen, JobState.STALLED), now, "past its deadline, watched more slowly")
    if not overdue and seen.state is JobState.STALLED:
        return _noted(advance(seen, JobState.RUNNING), now, "within its deadline after all")
    if seen.word != job.word and job.polls:
        return _noted(seen, now, "now says", seen.word)
    return seen


def _succeeded(job: Job, answer: PollAnswer, now: float) -> Job:
    done = advance(
        job,
        JobState.SUCCEEDED,
        progress=100,
        result_url=answer.result_url,
        encrypted=answer.encrypted,
        file_state=FileState.PENDING,
        finished_at=now,
    )
    return _noted(done, now, "finished", answer.word)


def _failed(job: Job, answer: PollAnswer, now: float) -> Job:
    reason = answer.error or Untrusted("The service gave no reason.")
    return _noted(advance(job, JobState.FAILED, error=reason, finished_at=now), now, "failed", reason)


UNWRITTEN = "Not on disk yet"


def kept_back(job: Job, reason: str) -> Job:
    """Return the job with the trouble that the disk refused what is known of it."""
    note = f" Note the request id {job.request_id}." if job.request_id else ""
    return msgspec.structs.replace(job, trouble=Untrusted(f"{UNWRITTEN}: {reason}{note}"))


def written(job: Job) -> Job:
    """Return the job without that trouble, now that the disk took it."""
    return msgspec.structs.replace(job, trouble=Untrusted("")) if job.trouble.startswith(UNWRITTEN) else job


def lost(job: Job, now: float) -> Job:
    """Return the job as one whose id the service no longer knows; the id is kept."""
    gone = advance(
        job,
        JobState.LOST,
        error=Untrusted("The service no longer knows this request id. It was charged; it can be asked about again."),
        finished_at=now,
        trouble=Untrusted(""),
    )
    return _noted(gone, now, "no longer known to the service", job.request_id or "")


def troubled(job: Job, reason: str) -> Job:
    """Return the job, still waiting, with why."""
    return advance(job, job.state, trouble=Untrusted(reason), polls=job.polls + 1)


def _noted(job: Job, now: float, what: str, detail: str = "") -> Job:
    noted = with_event(job, now, what, detail)
    if len(noted.timeline) <= MOST_EVENTS:
        return noted
    half = MOST_EVENTS // 2
    return advance(noted, noted.state, timeline=(*noted.timeline[:half], *noted.timeline[-half:]))
