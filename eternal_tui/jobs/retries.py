"""Paying again for an unconfirmed job: the new intent and the link to the old one are one step on disk."""

from __future__ import annotations

import msgspec

from eternal_tui.history.journal import Change
from eternal_tui.jobs.errors import NoSuchJob, NotPossible
from eternal_tui.jobs.model import Job, JobState, from_record, to_record, with_event
from eternal_tui.jobs.ports import History


def record_retry(history: History, old_id: int, intent: Job, now: float) -> tuple[int, list[Change]]:
    """Write `intent` as the one retry of an unconfirmed job, unless another press or instance was first.

    Returns the new id, and for the roster to absorb all that happened: the news of others, the intent and the link.
    Raises NoSuchJob, NotPossible or HistoryError; nothing was written then.
    """
    with history.transaction() as transaction:
        record = transaction.get(old_id)
        if record is None:
            raise NoSuchJob(old_id)
        old = from_record(old_id, record)
        if old.state is not JobState.UNCONFIRMED:
            raise NotPossible(f"Job {old_id} is {old.state}; only an unconfirmed job is retried like this.")
        if old.retried_by is not None:
            raise NotPossible(f"Job {old_id} was retried already, as job {old.retried_by}.")
        fresh = to_record(intent)
        new_id = transaction.add(fresh)
        noted = with_event(old, now, "retried", f"job {new_id}")
        link = {"retried_by": new_id, "timeline": msgspec.to_builtins(noted.timeline)}
        transaction.update(old_id, link)
        news = [*transaction.news, Change("put", new_id, fresh), Change("patch", old_id, link)]
    return new_id, news
