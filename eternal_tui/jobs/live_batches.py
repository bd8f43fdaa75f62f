"""Which batches still go on, counted change by change, so that the end of one can be told once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from eternal_tui.jobs.model import Job, JobState


class LiveBatches:
    """Counts the jobs of each batch that something will still happen to, and knows which are being sent.

    A stalled job, or one that nobody watches, holds back nothing: it may go on for hours.
    """

    def __init__(self) -> None:
        self._live: Counter[str] = Counter()
        self._sending: Counter[str] = Counter()

    def replaced(self, old: Job | None, new: Job | None) -> None:
        """Count `new` instead of `old`."""
        for job, sign in ((old, -1), (new, +1)):
            if job is not None and job.batch and _goes_on(job):
                self._live[job.batch] += sign
                if not self._live[job.batch]:
                    del self._live[job.batch]

    @contextmanager
    def sending(self, batch: str) -> Iterator[None]:
        """Count the batch as going on while its requests are sent: the first may end before the last is known."""
        self._sending[batch] += 1
        try:
            yield
        finally:
            self._sending[batch] -= 1

    def goes_on(self, batch: str) -> bool:
        """Tell whether more jobs of this batch will end soon."""
        return bool(batch) and (self._live[batch] > 0 or self._sending[batch] > 0)


def _goes_on(job: Job) -> bool:
    return job.state is JobState.SUBMITTING or job.wants_file or (job.state is JobState.RUNNING and job.watched)
