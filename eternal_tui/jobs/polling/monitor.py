"""JobMonitor polls running jobs, records the responses and schedules the next poll."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import msgspec

from eternal_tui.api.errors import (
    ApiError,
    InvalidResponse,
    KeyRejected,
    NotFound,
    RateLimited,
    RequestNotSent,
    RequestRejected,
    ServerError,
)
from eternal_tui.api.models import PollResponse
from eternal_tui.core.sanitize import UntrustedText
from eternal_tui.estimation import interval
from eternal_tui.estimation.durations import DurationEstimator, JobKind
from eternal_tui.estimation.progress import Observation
from eternal_tui.jobs.billing.billing import Billing
from eternal_tui.jobs.context import JobContext
from eternal_tui.jobs.errors import JobNotFound
from eternal_tui.jobs.model import POLLED_STATES, Job, JobState, apply_poll, mark_lost, mark_waiting, use_other_id
from eternal_tui.jobs.polling.scheduler import PollScheduler
from eternal_tui.jobs.ports import Record

REFUSED_GRACE_SECONDS = 60.0
"""Seconds over which a poll answered with 404 or another 4xx is repeated before the job counts as lost: a replica may
lag."""

MIN_REFUSALS = 3
"""Least number of refused polls before a job counts as lost."""

MAX_UNOBSERVED_SECONDS = 15.0
"""Seconds without a poll up to which the duration of a job taken over from another process is known."""

MAX_POLL_GAP_SECONDS = 120.0
"""Seconds between the last two polls up to which the duration of an ended job is known."""

UNREADABLE_GRACE_SECONDS = 180.0
"""Seconds of responses that cannot be read before the job counts as stalled and is polled slowly."""

ENDING_GRACE_SECONDS = 60.0
"""Seconds over which a success without a usable link, or an end status without a reason, is polled again before it
counts."""

MIN_ENDINGS = 3
"""Least number of such responses in a row."""

KEY_REJECTED_PAUSE_SECONDS = 60.0
"""Seconds without polls once the API key is known to be rejected."""

KEY_DOUBT_JOBS = 3
"""Jobs rejected in a row that put the key in doubt; all of them where fewer are polled."""

PROBE_DELAY_SECONDS = 1.0
"""Seconds before the poll that decides whether a key in doubt is rejected."""

DEFAULT_RATE_LIMIT_PAUSE_SECONDS = 5.0
"""Seconds without polls after a 429 without Retry-After: the upper end of the service's guidance."""

MIN_RATE_LIMIT_PAUSE_SECONDS = 1.0
"""Least seconds without polls after a 429, also with a Retry-After of 0 or in the past."""

MAX_JITTER_SECONDS = 0.15
"""Seconds of random delay, which spreads jobs submitted together. Not proportional to the wait: that would undo the
computed interval."""

MAX_OBSERVATIONS = 64

AWAITED, SELECTED, VISIBLE = (4.0, 2.0), (4.0, 3.0), (2.0, 5.0)
"""Requests that one second of lateness is worth, and most seconds between two polls, while a script waits for the job,
and while it is selected or visible; the service's guidance is 2 to 5 seconds."""

VISIBLE_POLLS_PER_SECOND = 2.0
"""Forced polls per second shared by all visible jobs: up to ten are polled as if alone, more share the weight of
lateness, too. The selected job keeps its own pace. A poll takes about 5 ms of CPU (`tests/benchmarks/`)."""


def job_kind(job: Job) -> JobKind:
    """Return what a job's duration depends on."""
    request = job.request
    return JobKind(type=request.type, quality=request.quality, duration=request.duration)


@dataclass
class _PollState:
    """The polls of one job so far; times are monotonic.

    `has_gap` is whether another process may have missed its end. `ending` is an end that is polled again: its name,
    since when, and how many responses said so.
    """

    started_at: float
    observations: list[Observation]
    has_gap: bool
    is_key_rejected: bool = False
    refused_since: float | None = None
    unreadable_since: float | None = None
    ending: tuple[str, float, int] | None = None
    failure_count: int = 0

    def count_failure(self) -> float:
        """Count a failed poll; return the seconds until the next one."""
        self.failure_count += 1
        return interval.backoff_seconds(self.failure_count)

    def reset_failures(self) -> None:
        """Forget failed polls, after a response."""
        self.failure_count = 0
        self.refused_since = self.unreadable_since = None


def _observed_seconds(state: _PollState, age: float, before: Job) -> float:
    """Return the age at which a job was found ended, 0 after too long a gap between polls."""
    gap = age - (before.last_running_age or 0.0)
    is_close = not state.has_gap and gap <= max(MAX_POLL_GAP_SECONDS, 0.5 * age)
    return round(max(age, 0.001), 3) if is_close else 0.0


class JobMonitor:
    """Polls the jobs that this instance owns."""

    def __init__(self, context: JobContext, billing: Billing) -> None:
        policy, clock = context.policy, context.ports.clock
        self.scheduler = PollScheduler(
            self.poll, clock, workers=policy.workers, requests_per_second=policy.requests_per_second
        )
        self.durations = DurationEstimator()
        self.is_key_rejected = False
        self._context = context
        self._store = context.store
        self._service = context.ports.service
        self._clock = clock
        self._billing = billing
        self._polled: dict[int, _PollState] = {}
        self._probe_id: int | None = None
        self._visible: frozenset[int] = frozenset()
        self._selected: int | None = None
        self._waited_for_ids: set[int] = set()

    def watch(self, job: Job, *, delay_seconds: float | None = None) -> None:
        """Start polling the job, first after `delay_seconds`, or after its computed interval."""
        self._state_of(job)
        self.scheduler.poll_in(job.id, self._next_wait_seconds(job) if delay_seconds is None else delay_seconds)

    def _state_of(self, job: Job) -> _PollState:
        state = self._polled.get(job.id)
        if state is None:
            # Read the wall clock once, then only the monotonic clock, which does not jump.
            age = self.age(job)
            state = self._polled[job.id] = _PollState(
                started_at=self._clock.monotonic() - age,
                # The age at which an earlier process observed the recorded progress is unknown.
                observations=[] if job.polls else [Observation(age=0.0, progress=job.progress)],
                has_gap=not 0 <= age - (job.last_running_age or 0.0) <= MAX_UNOBSERVED_SECONDS,
            )
        return state

    def forget(self, job_id: int) -> None:
        """Stop polling the job and drop its observations."""
        self.scheduler.due_times.pop(job_id, None)
        self._waited_for_ids.discard(job_id)
        self._polled.pop(job_id, None)
        if job_id == self._probe_id:
            self._probe_id = None
            self._choose_probe()

    def set_visible(self, visible: Iterable[int], selected: int | None) -> None:
        """Set which jobs are on screen and which is selected; these are polled more often."""
        visible = frozenset(visible)
        added = visible - self._visible
        if selected is not None and selected != self._selected:
            added |= {selected}
        self._visible, self._selected = visible, selected
        for job_id in added:
            self._reschedule_sooner(job_id)

    @property
    def visible_ids(self) -> frozenset[int]:
        """The jobs on screen, with the selected one."""
        return self._visible if self._selected is None else self._visible | {self._selected}

    def add_waiter(self, job_id: int) -> None:
        """Poll the job like a selected one until `remove_waiter`."""
        self._waited_for_ids.add(job_id)
        self._reschedule_sooner(job_id)

    def remove_waiter(self, job_id: int) -> None:
        """End `add_waiter`."""
        self._waited_for_ids.discard(job_id)

    @property
    def pause_reason(self) -> str:
        """The reason of the current pause of all polls, empty without one."""
        pause = self.scheduler.backoff
        return pause.reason if pause.wait_seconds(self._clock.monotonic()) > 0 else ""

    def age(self, job: Job) -> float:
        """Return the seconds since the job was submitted."""
        state = self._polled.get(job.id)
        if state is None:
            return max(0.0, self._clock.time() - (job.submitted_at or job.created_at))
        return self._clock.monotonic() - state.started_at

    def estimate_remaining(self, job: Job) -> float | None:
        """Return the estimated remaining seconds of a running job, or None."""
        if job.state is not JobState.RUNNING:
            return None
        state, model = self._polled.get(job.id), self.durations.model(job_kind(job))
        return interval.estimate_remaining(
            age=self.age(job), observations=state.observations if state else (), model=model
        )

    async def poll(self, job_id: int) -> None:
        """Poll the job once and apply the response."""
        job = self._store.get(job_id)
        if job is None or job.request_id is None or not self.should_poll(job):
            self.forget(job_id)
            return
        if self._probe_id not in (None, job_id):
            # The key is in doubt; the probe decides first.
            self.scheduler.poll_in(job_id, PROBE_DELAY_SECONDS)
            return
        try:
            await self._poll(job, job.request_id)
        except JobNotFound:
            self.forget(job_id)

    async def _poll(self, job: Job, request_id: str) -> None:
        try:
            response = await self._request_poll(request_id)
        except KeyRejected as error:
            await self._apply_key_rejected(job, error)
        except ApiError as error:
            if self._probe_id == job.id and not self.is_key_rejected:
                self._probe_id = None  # undecided; let the other polls continue
            if isinstance(error, RequestRejected) and not isinstance(error, RateLimited):
                await self._apply_refused(job, error, error.full_message)
            else:
                self._apply_error(job, error)
        else:
            await self._apply_response(job, response)

    async def poll_once(self, request_id: str) -> PollResponse:
        """Poll a finished job again, after a pause; raises ApiError, and KeyRejected while the key is rejected."""
        if self.is_key_rejected:
            raise KeyRejected(self.pause_reason)
        while (wait := self.scheduler.backoff.wait_seconds(self._clock.monotonic())) > 0:
            await self._clock.sleep(wait)
        return await self._request_poll(request_id)

    def hold(self, seconds: float) -> None:
        """Pause all polls, as the service requested."""
        seconds = max(seconds, MIN_RATE_LIMIT_PAUSE_SECONDS)
        reason = f"Rate limited; retrying in {seconds:.0f} s."
        self.scheduler.backoff.hold(self._clock.monotonic(), seconds, reason)

    def update_watch(self, job: Job) -> None:
        """Start or stop polling a job that another instance changed."""
        if not self.should_poll(job):
            self.forget(job.id)
        elif job.id not in self.scheduler.due_times and job.id not in self.scheduler.start_times:
            self.watch(job)

    def should_poll(self, job: Job) -> bool:
        """Whether this instance polls the job."""
        return job.state in POLLED_STATES and job.watched and self._context.owns(job)

    async def _request_poll(self, request_id: str) -> PollResponse:
        """Poll once; update the state shared by all polls: backoff, key, balance."""
        backoff, version = self.scheduler.backoff, self._billing.ledger.version
        try:
            response = await self._service.poll(request_id)
        except RateLimited as error:
            self.hold(error.retry_after if error.retry_after is not None else DEFAULT_RATE_LIMIT_PAUSE_SECONDS)
            raise
        except RequestNotSent as error:
            backoff.record_failure(self._clock.monotonic(), error.full_message)
            raise
        backoff.record_success()
        self.accept_key()
        if response.credits_remaining is not None:
            self._billing.record_free_reading(response.credits_remaining, version)
        return response

    async def _apply_response(self, job: Job, response: PollResponse) -> None:
        state, age = self._state_of(job), self.age(job)
        state.reset_failures()
        overdue = self._is_overdue(job)
        now = self._clock.time()
        state.observations.append(Observation(age=age, progress=response.progress))
        del state.observations[:-MAX_OBSERVATIONS]
        before = self._store.get(job.id)
        if before is None or before.state not in POLLED_STATES:
            return
        is_observed_end = not response.ending
        response, wait = self._resolve_ending(state, response)
        seconds = _observed_seconds(state, age, before)

        def edit(job: Job) -> Job:
            return apply_poll(job, response, now, is_overdue=overdue, age=age, observed_seconds=seconds)

        raw = {"last_answer": response.raw} if response.raw else None
        if edit(before).state is before.state:
            is_new = response.ending or response.status_text != before.status_text
            self._reschedule(self._record_poll(job.id, edit, extra=raw if is_new else None), wait)
            return
        current = await self._store.apply_remote(job.id, edit, extra=raw)
        if current.state in POLLED_STATES:
            self._reschedule(current)
            return
        if current.state is JobState.SUCCEEDED and is_observed_end and seconds:
            self.durations.learn_job(job_kind(current), state.observations, age)
        self.forget(job.id)
        self._context.events.finished.emit(current)

    def _resolve_ending(self, state: _PollState, response: PollResponse) -> tuple[PollResponse, float | None]:
        """Return the response as an end once that was repeated long enough, and the wait until then."""
        if response.outcome != "alive" or not response.ending:
            state.ending = None
            return response, None
        now = self._clock.monotonic()
        named, since, count = state.ending or (response.ending, now, 0)
        if named != response.ending:
            since, count = now, 0
        state.ending = (response.ending, since, count := count + 1)
        if count < MIN_ENDINGS or now - since < ENDING_GRACE_SECONDS:
            return response, interval.backoff_seconds(count + 1)
        if response.ending == "success":
            return msgspec.structs.replace(response, outcome="succeeded"), None
        reason = UntrustedText(f"The API reports “{response.status_text}” and gives no reason.")
        return msgspec.structs.replace(response, outcome="failed", error=reason), None

    def _is_overdue(self, job: Job) -> bool:
        return self.age(job) > self._context.policy.stall_after_seconds

    def accept_key(self) -> None:
        """End a doubt about the API key: rejected polls concerned single jobs."""
        for state in self._polled.values():
            state.is_key_rejected = False
        self._probe_id = None
        if self.is_key_rejected:
            self.is_key_rejected = False
            self.scheduler.backoff.reset()
            for number, job_id in enumerate(self.scheduler.due_times):
                self.scheduler.poll_in(job_id, interval.resume_delay(number))

    def doubt_key(self) -> None:
        """Let one poll decide whether the API key is rejected, for instance after a rejected submit."""
        if self._probe_id is None and not self.is_key_rejected:
            self._choose_probe()

    def _choose_probe(self) -> None:
        """Poll one job before all others, if possible one that was not rejected."""
        self._probe_id = min(self._polled, key=lambda job_id: self._polled[job_id].is_key_rejected, default=None)
        if self._probe_id is not None:
            self.scheduler.poll_in(self._probe_id, PROBE_DELAY_SECONDS)

    async def _apply_key_rejected(self, job: Job, error: KeyRejected) -> None:
        """Treat a rejected key as a problem of this job until every poll, and then one probe, was rejected."""
        self._state_of(job).is_key_rejected = True
        if self.is_key_rejected or self._probe_id == job.id:
            self._probe_id = job.id
            self.is_key_rejected = True
            self.scheduler.backoff.hold(self._clock.monotonic(), KEY_REJECTED_PAUSE_SECONDS, error.full_message)
            self._mark_waiting(job.id, error.full_message, KEY_REJECTED_PAUSE_SECONDS)
            self._store.publish([job.id])
        elif sum(state.is_key_rejected for state in self._polled.values()) >= min(KEY_DOUBT_JOBS, len(self._polled)):
            self._mark_waiting(job.id, error.full_message, self._state_of(job).count_failure())
            self._choose_probe()
        else:
            other = job.account and job.account != self._service.account
            sent_with = f"It was sent with another API key (account {job.account[:4]}). " if other else ""
            reason = f"The key works, but not for this job. {sent_with}{error.full_message}"
            await self._apply_refused(job, error, reason)

    async def _apply_refused(self, job: Job, error: RequestRejected, reason: str) -> None:
        """Poll a job again that the service does not know or refuses; after a minute it is lost."""
        now, state = self._clock.monotonic(), self._state_of(job)
        state.refused_since = now if state.refused_since is None else state.refused_since
        wait = state.count_failure()
        if now - state.refused_since < REFUSED_GRACE_SECONDS or state.failure_count < MIN_REFUSALS:
            unknown = "Unknown request id (HTTP 404) so far; polling again."
            self._mark_waiting(job.id, unknown if isinstance(error, NotFound) else reason, wait)
            return
        current = self._store.get(job.id)
        if current is None or current.state not in POLLED_STATES:
            return
        if current.other_request_id is not None:
            state.reset_failures()
            at = self._clock.time()
            self._reschedule(await self._store.apply_remote(job.id, lambda job: use_other_id(job, at)))
            return
        reason = "" if isinstance(error, NotFound) else reason
        lost = await self._store.apply_remote(job.id, lambda job: mark_lost(job, self._clock.time(), reason))
        self.forget(job.id)
        self._context.events.finished.emit(lost)

    def _apply_error(self, job: Job, error: ApiError) -> None:
        state = self._state_of(job)
        wait = state.count_failure()
        if isinstance(error, RateLimited):
            wait = max(wait, self.scheduler.backoff.wait_seconds(self._clock.monotonic()))
        elif isinstance(error, ServerError) and error.retry_after:
            wait = max(wait, error.retry_after)
        is_stalled = self._is_overdue(job)
        if isinstance(error, InvalidResponse):
            now = self._clock.monotonic()
            state.unreadable_since = now if state.unreadable_since is None else state.unreadable_since
            is_stalled |= now - state.unreadable_since >= UNREADABLE_GRACE_SECONDS
        else:
            state.unreadable_since = None
        self._mark_waiting(job.id, error.full_message, wait, is_stalled=is_stalled)

    def _mark_waiting(self, job_id: int, reason: str, seconds: float, *, is_stalled: bool = False) -> None:
        if job_id in self._store:
            now = self._clock.time()
            job = self._record_poll(job_id, lambda job: mark_waiting(job, reason, now, is_stalled=is_stalled))
            slowest = interval.stalled_wait(self.age(job)) if job.state is JobState.STALLED else 0.0
            self._reschedule(job, max(seconds, slowest))

    def _record_poll(self, job_id: int, edit: Callable[[Job], Job], *, extra: Record | None = None) -> Job:
        """Record the result of a poll; the notice of a failed write outweighs any other reason to wait."""
        if self._store.is_durable(job_id):
            return self._store.change_in_memory(job_id, edit, extra=extra)
        return self._store.change_in_memory(
            job_id, lambda job: msgspec.structs.replace(edit(job), waiting_reason=job.waiting_reason), extra=extra
        )

    def _reschedule(self, job: Job, seconds: float | None = None) -> None:
        """Schedule the next poll, unless polling of the job ended during this one."""
        if self.should_poll(job):
            self.scheduler.poll_in(
                job.id, self._next_wait_seconds(job) if seconds is None else self._with_jitter(seconds)
            )
        else:
            self.forget(job.id)

    def _next_wait_seconds(self, job: Job) -> float:
        age = self.age(job)
        if job.state is JobState.STALLED:
            return self._with_jitter(interval.stalled_wait(age))
        weight, longest = self._attention(job.id)
        wait = interval.next_poll(
            age=age,
            observations=self._state_of(job).observations,
            model=self.durations.model(job_kind(job)),
            lateness_weight=weight,
            max_wait=longest,
        )
        return self._with_jitter(wait)

    def _attention(self, job_id: int) -> tuple[float, float]:
        """Return the weight of lateness and the longest wait; many visible jobs share both."""
        if job_id in self._waited_for_ids:
            return AWAITED
        if job_id == self._selected:
            return SELECTED
        if job_id not in self._visible:
            return 1.0, interval.MAX_WAIT_SECONDS
        weight, longest = VISIBLE
        in_view = sum(each in self._polled for each in self._visible)
        share = min(1.0, longest * VISIBLE_POLLS_PER_SECOND / max(in_view, 1))
        return 1 + (weight - 1) * share, min(longest / share, interval.MAX_WAIT_SECONDS)

    def _reschedule_sooner(self, job_id: int) -> None:
        """Poll sooner when the job becomes visible, selected or waited for."""
        due, longest = self.scheduler.due_times.get(job_id), self._attention(job_id)[1]
        if due is not None and due - self._clock.monotonic() > longest:
            self.scheduler.poll_in(job_id, longest)

    def _with_jitter(self, seconds: float) -> float:
        return seconds + MAX_JITTER_SECONDS * self._context.ports.rng.random()
