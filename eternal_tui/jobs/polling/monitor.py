"""Watching running jobs: each look, what it means, and when to look again."""

from __future__ import annotations

import random
from collections.abc import Callable

import msgspec

from eternal_tui.api.errors import ApiError, KeyRefused, NotKnown, NotSent, ServerTrouble, TooMany
from eternal_tui.api.models import PollAnswer
from eternal_tui.core.clock import Clock
from eternal_tui.core.sanitize import Untrusted
from eternal_tui.jobs.errors import NoSuchJob
from eternal_tui.jobs.model import POLLED, Job, JobState, advance
from eternal_tui.jobs.polling import interval
from eternal_tui.jobs.polling.interval import Durations, Kind, Sighting
from eternal_tui.jobs.polling.scheduler import Poller
from eternal_tui.jobs.ports import Service
from eternal_tui.jobs.store import Roster
from eternal_tui.jobs.transitions import looked, lost, troubled

UNKNOWN_PATIENCE = 60.0
"""Seconds over which a 404 is asked again before the job counts as lost: a store may lag behind its front."""

KEY_PAUSE = 60.0
"""Seconds without polls after a refused key: only a person can mend that."""

BUSY_PAUSE = 5.0
"""Seconds all polling waits after a 429 that names no time: the slow end of the service's own guidance."""

LEAST_PAUSE = 1.0
"""Seconds all polling waits at least after a 429, also after one that says "0" or names a time gone by."""

JITTER = 0.15
"""Seconds by which a look may come late, so that jobs fired together do not stay together: never a share of the
wait, which would undo what the cadence has worked out."""

SIGHTINGS_KEPT = 64

ATTENTION = {"awaited": 4.0, "selected": 4.0, "visible": 2.0, "else": 1.0}
"""How many requests a second of lateness is worth, by whether a person is looking at the job."""

LONGEST = {"awaited": 2.0, "selected": 3.0, "visible": 5.0}
"""Seconds between two looks at most while a person or a script waits: the service's own guidance is 2 to 5."""

LOOKS_IN_VIEW = 2.0
"""Looks a second that all jobs in view share before any is due: nobody follows twenty bars at once, and the selected
one keeps its own pace. Lateness of each is worth less then, too. Up to ten in view are looked at as if alone; a
look costs some 5 ms of the processor (`tests/benchmarks/`)."""


def kind_of(job: Job) -> Kind:
    """Return what a job's duration depends on."""
    request = job.request
    return Kind(type=request.type, quality=request.quality, duration=request.duration)


class Watcher:
    """Looks at jobs, records what it saw, and schedules the next look. Never touches a job it does not own."""

    def __init__(
        self,
        roster: Roster,
        service: Service,
        clock: Clock,
        chance: random.Random,
        durations: Durations,
        *,
        workers: int,
        requests_per_second: float,
        stall_after: float,
        owns: Callable[[Job], bool],
        on_finished: Callable[[Job], None],
        moment: Callable[[], int],
        on_reading: Callable[[float, int], None],
    ) -> None:
        self.poller = Poller(self.look, clock, workers=workers, requests_per_second=requests_per_second)
        self.durations = durations
        self.key_refused = False
        self._roster = roster
        self._service = service
        self._clock = clock
        self._chance = chance
        self._stall_after = stall_after
        self._owns = owns
        self._on_finished = on_finished
        self._moment = moment
        self._on_reading = on_reading
        self._sightings: dict[int, list[Sighting]] = {}
        self._watched_since: dict[int, float] = {}
        self._unknown_since: dict[int, float] = {}
        self._failures: dict[int, int] = {}
        self._visible: frozenset[int] = frozenset()
        self._selected: int | None = None
        self._awaited: set[int] = set()

    def watch(self, job: Job, *, after: float | None = None) -> None:
        """Begin to look at the job, at `after` seconds from now or when its cadence says."""
        if job.id not in self._watched_since:
            # The wall clock is asked once; from here on only the monotonic one counts, which no one can set.
            age = max(0.0, self._clock.time() - (job.submitted_at or job.created_at))
            self._watched_since[job.id] = self._clock.monotonic() - age
            # When an earlier run saw the recorded progress is not known: dated now, it would mislead.
            self._sightings[job.id] = [] if job.polls else [Sighting(at=0.0, progress=job.progress)]
        self.poller.set(job.id, self._wait(job) if after is None else after)

    def forget(self, job_id: int) -> None:
        """Stop looking at the job and drop what was learned while watching it."""
        self.poller.remove(job_id)
        self._awaited.discard(job_id)
        for table in (self._sightings, self._watched_since, self._unknown_since, self._failures):
            table.pop(job_id, None)

    def attend(self, visible: frozenset[int], selected: int | None) -> None:
        """Note which jobs a person is looking at."""
        came = visible - self._visible
        if selected is not None and selected != self._selected:
            came |= {selected}
        self._visible, self._selected = visible, selected
        for job_id in came:
            self._hasten(job_id)

    @property
    def attended(self) -> frozenset[int]:
        """The jobs that a person is looking at."""
        return self._visible if self._selected is None else self._visible | {self._selected}

    def awaited(self, job_id: int) -> None:
        """Note that somebody waits for the job's end: it is looked at like a visible one until then."""
        self._awaited.add(job_id)
        self._hasten(job_id)

    def not_awaited(self, job_id: int) -> None:
        """Note that nobody waits for the job any more."""
        self._awaited.discard(job_id)

    def age(self, job: Job) -> float:
        """Return how long the job has been under way, in seconds."""
        since = self._watched_since.get(job.id)
        if since is None:
            return max(0.0, self._clock.time() - (job.submitted_at or job.created_at))
        return self._clock.monotonic() - since

    def about_left(self, job: Job) -> float | None:
        """Return about how many seconds the job still needs, or None."""
        if job.state is not JobState.RUNNING:
            return None
        sightings = self._sightings.get(job.id, ())
        return interval.about_left(age=self.age(job), sightings=sightings, model=self.durations.model(kind_of(job)))

    async def look(self, job_id: int) -> None:
        """Ask the service once about the job and act on what it says."""
        job = self._roster.get(job_id)
        if job is None or job.request_id is None or not self.wanted(job):
            self.forget(job_id)
            return
        try:
            await self._look(job, job.request_id)
        except NoSuchJob:
            self.forget(job_id)

    async def _look(self, job: Job, request_id: str) -> None:
        try:
            answer = await self._ask(request_id)
        except NotKnown:
            await self._not_known(job)
        except ApiError as error:
            self._trouble(job, error)
        else:
            await self._saw(job, answer)

    async def ask_again(self, request_id: str) -> PollAnswer:
        """Ask about a finished job once more, when no pause holds; raises ApiError."""
        while (wait := self.poller.pause.wait(self._clock.monotonic())) > 0:
            await self._clock.sleep(wait)
        return await self._ask(request_id)

    def hold(self, seconds: float) -> None:
        """Ask about nothing for a while, as the service wished."""
        seconds = max(seconds, LEAST_PAUSE)
        reason = f"The service asked to slow down; everything waits {seconds:.0f} s."
        self.poller.pause.hold(self._clock.monotonic(), seconds, reason)

    def follow(self, job: Job) -> None:
        """Take up or let go of a job that another instance changed."""
        if not self.wanted(job):
            self.forget(job.id)
        elif job.id not in self.poller.schedule and not self.poller.looking(job.id):
            self.watch(job)

    def wanted(self, job: Job) -> bool:
        """Tell whether this instance is the one to ask about the job."""
        return job.state in POLLED and job.watched and self._owns(job)

    async def _ask(self, request_id: str) -> PollAnswer:
        """Ask once; what the answer means for every other question is noted here."""
        pause, began = self.poller.pause, self._moment()
        try:
            answer = await self._service.poll(request_id)
        except TooMany as error:
            self.hold(error.retry_after if error.retry_after is not None else BUSY_PAUSE)
            raise
        except KeyRefused as error:
            self.key_refused = True
            pause.hold(self._clock.monotonic(), KEY_PAUSE, error.account)
            raise
        except NotSent as error:
            pause.failed(self._clock.monotonic(), error.account)
            raise
        pause.worked()
        self.key_refused = False
        if answer.credits_remaining is not None:
            self._on_reading(answer.credits_remaining, began)
        return answer

    async def _saw(self, job: Job, answer: PollAnswer) -> None:
        self._unknown_since.pop(job.id, None)
        self._failures.pop(job.id, None)
        age = self.age(job)
        overdue = age > self._stall_after
        now = self._clock.time()
        sightings = self._sightings.setdefault(job.id, [])
        sightings.append(Sighting(at=age, progress=answer.progress))
        del sightings[:-SIGHTINGS_KEPT]
        before = self._roster.get(job.id)
        if before is None or before.state not in POLLED:
            return
        after = looked(before, answer, now, overdue=overdue)
        if after.state is before.state:
            current = self._touch(job.id, lambda held: looked(held, answer, now, overdue=overdue, age=age))
            self._again(current)
            return
        raw = {"last_answer": answer.raw} if answer.raw else None
        current = await self._roster.settle(job.id, lambda held: looked(held, answer, now, overdue=overdue), extra=raw)
        if current.state in POLLED:
            self._again(current)
            return
        if current.state is JobState.SUCCEEDED:
            self.durations.learn_job(kind_of(current), sightings, age)
        self.forget(job.id)
        self._on_finished(current)

    async def _not_known(self, job: Job) -> None:
        now = self._clock.monotonic()
        since = self._unknown_since.setdefault(job.id, now)
        if now - since < UNKNOWN_PATIENCE:
            self._waits(job.id, "The service does not know this id yet; asking again.", self._backoff(job.id))
            return
        held = self._roster.get(job.id)
        if held is None or held.state not in POLLED:
            return
        ended = await self._roster.settle(job.id, lambda held: lost(held, self._clock.time()))
        self.forget(job.id)
        self._on_finished(ended)

    def _trouble(self, job: Job, error: ApiError) -> None:
        wait = self._backoff(job.id)
        if isinstance(error, TooMany):
            wait = max(wait, self.poller.pause.wait(self._clock.monotonic()))
        elif isinstance(error, KeyRefused):
            wait = KEY_PAUSE
        elif isinstance(error, ServerTrouble) and error.retry_after:
            wait = max(wait, error.retry_after)
        self._waits(job.id, error.account, wait)

    def _waits(self, job_id: int, reason: str, seconds: float) -> None:
        if job_id in self._roster:
            self._again(self._touch(job_id, lambda held: troubled(held, reason)), seconds)

    def _touch(self, job_id: int, edit: Callable[[Job], Job]) -> Job:
        """Note what a look brought; that a thing is not on disk yet outweighs any other trouble."""
        if self._roster.recorded(job_id):
            return self._roster.touch(job_id, edit)
        return self._roster.touch(job_id, lambda held: msgspec.structs.replace(edit(held), trouble=held.trouble))

    def _again(self, job: Job, seconds: float | None = None) -> None:
        """Look again, unless the job was let go of while this look was under way."""
        if self.wanted(job):
            self.poller.set(job.id, self._wait(job) if seconds is None else self._jittered(seconds))
        else:
            self.forget(job.id)

    def _backoff(self, job_id: int) -> float:
        return interval.backoff(self._failed(job_id))

    def _failed(self, job_id: int) -> int:
        count = self._failures.get(job_id, 0) + 1
        self._failures[job_id] = count
        return count

    def _wait(self, job: Job) -> float:
        age = self.age(job)
        if job.state is JobState.STALLED:
            return self._jittered(interval.stalled_wait(age))
        weight, longest = self._pace(job.id)
        wait = interval.next_poll(
            age=age,
            sightings=self._sightings.get(job.id, ()),
            model=self.durations.model(kind_of(job)),
            weight=weight,
            longest=longest,
        )
        return self._jittered(wait)

    def _attention(self, job_id: int) -> str:
        if job_id in self._awaited:
            return "awaited"
        if job_id == self._selected:
            return "selected"
        return "visible" if job_id in self._visible else "else"

    def _pace(self, job_id: int) -> tuple[float, float]:
        """Return what a second of lateness is worth and the longest wait; many in view share the attention."""
        attention = self._attention(job_id)
        weight, longest = ATTENTION[attention], LONGEST.get(attention, interval.MAX_WAIT)
        if attention != "visible":
            return weight, longest
        in_view = sum(each in self._watched_since for each in self._visible)
        share = min(1.0, longest * LOOKS_IN_VIEW / max(in_view, 1))
        return 1 + (weight - 1) * share, min(longest / share, interval.MAX_WAIT)

    def _hasten(self, job_id: int) -> None:
        """Bring the next look nearer where the job has just come to somebody's attention."""
        due, longest = self.poller.schedule.due(job_id), self._pace(job_id)[1]
        if due is not None and due - self._clock.monotonic() > longest:
            self.poller.set(job_id, longest)

    def _jittered(self, seconds: float) -> float:
        return seconds + JITTER * self._chance.random()

    def revive(self, job: Job) -> Job:
        """Return a lost job as running again, to be asked about once more."""
        return advance(job, JobState.RUNNING, error=Untrusted(""), finished_at=None)
