"""Old jobs kept small in memory: what only a look at one of them needs stays on disk until somebody looks."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

from eternal_tui.jobs.model import Job, JobState, MediaFacts

MOST_KNOWN = 4096
"""Different values remembered to be shared; names, hosts and sizes are few, and what is not gains nothing."""

T = TypeVar("T")

_SETTLED = frozenset({JobState.FAILED, JobState.REJECTED})


def is_settled(job: Job) -> bool:
    """Tell whether nothing but a person's marks will change on this job, and nobody waits for it."""
    return job.delivered or job.state in _SETTLED


def is_compact(job: Job) -> bool:
    """Tell whether the record on disk may hold more than this snapshot; every whole job has a timeline."""
    return is_settled(job) and not job.timeline


class Compactor:
    """Makes compact jobs that share what is equal in many: 0.7 KB each instead of 2.5."""

    def __init__(self) -> None:
        self._known: dict[Any, Any] = {}

    def compact(self, job: Job) -> Job:
        """Return the job without timeline, link, readings and file size if it is settled, else as it is."""
        if not is_settled(job):
            return job
        facts = job.facts
        return msgspec.structs.replace(
            job,
            request=msgspec.structs.replace(job.request, character=self._shared(job.request.character)),
            name=self._shared(job.name),
            word=self._shared(job.word),
            error=self._shared(job.error),
            effect_type=self._shared(job.effect_type),
            owner=self._shared(job.owner),
            service=self._shared(job.service),
            batch=self._shared(job.batch),
            cost=self._shared(job.cost),
            facts=None if facts is None else self._shared(_without_bytes(facts)),
            timeline=(),
            result_url=None,
            credits_before=None,
            credits_after=None,
            seen_running=None,
        )

    def _shared(self, value: T) -> T:
        known: T | None = self._known.get(value)
        if known is not None:
            return known
        if len(self._known) < MOST_KNOWN:
            self._known[value] = value
        return value


def _without_bytes(facts: MediaFacts) -> MediaFacts:
    return msgspec.structs.replace(facts, bytes=0)
