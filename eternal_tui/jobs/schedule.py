"""When the service may be asked next: one due-time schedule, one request budget, one shared pause."""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterator


class Schedule:
    """Due times by job id. Setting a time again replaces the earlier one; times are monotonic seconds."""

    def __init__(self) -> None:
        self._due: dict[int, float] = {}
        self._heap: list[tuple[float, int]] = []

    def __len__(self) -> int:
        return len(self._due)

    def __contains__(self, job_id: int) -> bool:
        return job_id in self._due

    def __iter__(self) -> Iterator[int]:
        return iter(self._due)

    def set(self, job_id: int, due: float) -> None:
        """Ask about the job at `due`."""
        self._due[job_id] = due
        heapq.heappush(self._heap, (due, job_id))

    def remove(self, job_id: int) -> None:
        """Ask no more about the job."""
        self._due.pop(job_id, None)

    def due(self, job_id: int) -> float | None:
        """Return when the job is next asked about."""
        return self._due.get(job_id)

    def next_due(self) -> float:
        """Return the earliest due time, infinity when nothing is scheduled."""
        while self._heap:
            due, job_id = self._heap[0]
            if self._due.get(job_id) == due:
                return due
            heapq.heappop(self._heap)
        return math.inf

    def take(self, now: float) -> int | None:
        """Remove and return the job that is most overdue, or None when none is due."""
        if self.next_due() > now:
            return None
        _, job_id = heapq.heappop(self._heap)
        del self._due[job_id]
        return job_id


class Budget:
    """A token bucket over all requests of this process: `rate` a second, at most `burst` at once."""

    def __init__(self, rate: float, burst: int) -> None:
        self._rate = rate
        self._burst = float(burst)
        self._tokens = float(burst)
        self._at: float | None = None

    def wait(self, now: float) -> float:
        """Return the seconds until a request may be made; 0 when one may be made now."""
        self._refill(now)
        return max(0.0, (1.0 - self._tokens) / self._rate)

    def spend(self, now: float) -> None:
        """Count one request as made."""
        self._refill(now)
        self._tokens -= 1.0

    def _refill(self, now: float) -> None:
        if self._at is not None:
            self._tokens = min(self._burst, self._tokens + max(0.0, now - self._at) * self._rate)
        self._at = now


class Pause:
    """The pause all polling of one host shares, with the reason people are shown.

    What the service asked for is kept to the end. What was only concluded from failures ends with the first answer:
    an answer to a request that was under way when the service asked for quiet must not end the quiet.
    """

    def __init__(self) -> None:
        self._asked = -math.inf
        self._asked_reason = ""
        self._failing = -math.inf
        self._failing_reason = ""
        self._failures = 0

    @property
    def reason(self) -> str:
        """Why polling waits, or last waited."""
        return self._asked_reason if self._asked >= self._failing else self._failing_reason

    def hold(self, now: float, seconds: float, reason: str) -> None:
        """Ask nothing for `seconds`; a longer pause already under way stays."""
        if now + seconds >= self._asked:
            self._asked, self._asked_reason = now + seconds, reason

    def failed(self, now: float, reason: str) -> None:
        """Count a failure to reach the host and wait longer after each: 1, 2, 4 … at most 30 seconds.

        Answers to requests that were under way when the pause began count as the same failure.
        """
        if now >= self._failing:
            self._failures += 1
            self._failing = now + min(30.0, 2.0 ** min(self._failures - 1, 5))
        self._failing_reason = reason

    def worked(self) -> None:
        """Note that the host answers again: nothing waits for its return any more."""
        self._failures = 0
        self._failing = -math.inf

    def lift(self) -> None:
        """End every pause, as when a person has given another key."""
        self.worked()
        self._asked = -math.inf

    def wait(self, now: float) -> float:
        """Return the seconds until polling may go on."""
        return max(0.0, max(self._asked, self._failing) - now)
