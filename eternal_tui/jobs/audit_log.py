"""Log lines about jobs: one per change of state, with states and ids, never a prompt or a link."""

from __future__ import annotations

import logging

from eternal_tui.jobs.model import FileState, Job, JobState

_log = logging.getLogger(__name__)

_WARNING_STATES = frozenset({JobState.REJECTED, JobState.UNCONFIRMED, JobState.STALLED, JobState.LOST, JobState.FAILED})
_WARNING_FILE_STATES = frozenset({FileState.EXPIRED, FileState.BROKEN})


def log_state_change(old: Job | None, new: Job | None, *, owner: str) -> None:
    """Write a line where a job of the instance `owner` changed its state, its file's state or why it waits."""
    if old is None or new is None or new.owner != owner:
        return
    if (old.state, old.file_state, old.waiting_reason) == (new.state, new.file_state, new.waiting_reason):
        return
    reason = new.error if new.is_ended else new.waiting_reason
    facts = {
        "job": new.id,
        "was": str(old.state),
        "state": str(new.state),
        "file": None if new.file_state is None else str(new.file_state),
        "cause": new.cause,
        "request_id": new.request_id,
        "reason": reason,
    }
    grave = bool(new.waiting_reason) or new.state in _WARNING_STATES or new.file_state in _WARNING_FILE_STATES
    _log.log(
        logging.WARNING if grave else logging.INFO, "job", extra={name: fact for name, fact in facts.items() if fact}
    )
