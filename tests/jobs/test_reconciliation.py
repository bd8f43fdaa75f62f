"""Verdicts on unconfirmed jobs, over generated sequences of events on an account.

Balances cannot distinguish: (1) a top-up of about a charge's size in the window of the loss; (2) another client's
charge of about that size there; (3) a price that fell by half in the next submit; (4) another client in every reading
that a price was learned from; (5) an earlier lost request that was charged, failed unseen, and was refunded there;
(6) a refund in the reading that a price was learned from. In (2) and (6) "probably charged" may be wrong, in the
others "probably not charged".
"""

from __future__ import annotations

import asyncio
import tempfile
from contextlib import AsyncExitStack
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from eternal_tui.api.models import GenerateRequest
from eternal_tui.jobs.model import Job, JobState, Verdict
from eternal_tui.sandbox.faults import Fault, FaultPlace
from eternal_tui.sandbox.server import Sandbox
from eternal_tui.sandbox.settings import SandboxSettings
from tests.history.faults import UnsyncedFileSystem
from tests.jobs.bench import IMAGE_REQUEST, VIDEO_REQUEST, Bench, run_engine
from tests.jobs.clock import FakeClock, run_ready_tasks

HIGH_QUALITY_REQUEST = GenerateRequest(character="6870", prompt="In the snow", type="image", quality="high")
REQUESTS = {"image": IMAGE_REQUEST, "high": HIGH_QUALITY_REQUEST, "video": VIDEO_REQUEST}

kinds = st.sampled_from(sorted(REQUESTS))
submits = st.tuples(
    st.sampled_from(["ok", "ok", "lost charged", "lost free", "no credits said", "garbage", "beside a lost one"]), kinds
)
restarts = st.tuples(st.just("restart"), st.just(""))
cent_amounts = st.integers(1, 60).map(str)
outside_charges = st.tuples(st.sampled_from(["top-up", "other client"]), cent_amounts)

FAULTS = {"lost charged": Fault.LOST_ANSWER, "lost free": Fault.DROP_BEFORE, "no credits said": Fault.NO_CREDITS}
FAULTS |= {"garbage": Fault.GARBAGE_JSON, "beside a lost one": Fault.LOST_ANSWER}


class ReconciliationScenario:
    """Plays a sequence on a real engine and sandbox, and notes the truth about every unconfirmed job."""

    def __init__(self, folder: Path, sandbox: Sandbox, clock: FakeClock) -> None:
        self.folder = folder
        self.sandbox = sandbox
        self.clock = clock
        self.charged: dict[int, bool] = {}
        self.topped_up: set[int] = set()
        self.stack = AsyncExitStack()
        self.bench: Bench

    async def open(self) -> None:
        engine = run_engine(self.folder, self.sandbox, clock=self.clock, fs=UnsyncedFileSystem())
        self.bench = await self.stack.enter_async_context(engine)

    async def run(self, events: list[tuple[str, str]]) -> dict[int, Job]:
        """Play the events and return the unconfirmed jobs as they then stand."""
        for what, kind in events:
            await self.run_event(what, kind)
            await run_ready_tasks()
        await self.bench.advance_until(self.is_idle)
        jobs = {job.id: job for job in self.bench.engine.store.newest_first() if job.state is JobState.UNCONFIRMED}
        await self.stack.aclose()
        return jobs

    async def run_event(self, what: str, kind: str) -> None:
        amount = Decimal(kind) / 100 if kind.isdigit() else Decimal(0)
        if what == "restart":
            await self.stack.aclose()
            await self.open()
        elif what == "top-up":
            self.sandbox.state.credits += amount
            self.topped_up |= {job_id for job_id in self.charged if not self.has_verdict(job_id)} | {0}
        elif what == "other client":
            self.sandbox.state.credits -= amount
        else:
            if what in FAULTS:
                self.sandbox.inject(FAULTS[what], times=1, on=None if what == "no credits said" else FaultPlace.POST)
            count = 2 if what == "beside a lost one" else 1
            jobs = await asyncio.gather(*(self.bench.engine.submit(REQUESTS[kind]) for _ in range(count)))
            for job in jobs:
                if job.state is JobState.UNCONFIRMED:
                    self.charged[job.id] = what != "lost free"
                    if 0 in self.topped_up:
                        self.topped_up.add(job.id)
            if what == "ok":
                self.topped_up.discard(0)

    def is_idle(self) -> bool:
        """Whether every job has ended, and with it whatever a verdict may wait for."""
        engine = self.bench.engine
        return all(job.is_ended for job in engine.store.newest_first()) and not engine.context.background.is_busy

    def has_verdict(self, job_id: int) -> bool:
        job = self.bench.engine.store.get(job_id)
        return job is not None and job.verdict is not None


def _run_scenario(events: list[tuple[str, str]]) -> tuple[ReconciliationScenario, dict[int, Job]]:
    async def play() -> tuple[ReconciliationScenario, dict[int, Job]]:
        clock = FakeClock()
        with tempfile.TemporaryDirectory() as folder:
            async with Sandbox(SandboxSettings(seed=7, clock=clock.time)) as sandbox:
                account = ReconciliationScenario(Path(folder), sandbox, clock)
                await account.open()
                return account, await account.run(events)

    return asyncio.run(play())


@pytest.mark.parametrize("examples", [12, pytest.param(1500, marks=pytest.mark.long)])
def test_verdict_alone_on_an_account_is_right_or_unknown(examples: int) -> None:
    @settings(max_examples=examples, deadline=None)
    @given(st.lists(submits | restarts, min_size=2, max_size=12))
    @example([("ok", "image"), ("ok", "image"), ("beside a lost one", "image"), ("ok", "image")])
    @example([("ok", "image"), ("ok", "image"), ("lost charged", "image"), ("lost free", "image"), ("ok", "image")])
    @example([("ok", "video"), ("ok", "video"), ("lost charged", "image"), ("ok", "video"), ("ok", "video")])
    def check(events: list[tuple[str, str]]) -> None:
        account, jobs = _run_scenario(events)
        for job_id, job in jobs.items():
            right = Verdict.CHARGED if account.charged[job_id] else Verdict.NOT_CHARGED
            assert job.verdict in (None, Verdict.UNKNOWN, right), (events, job.verdict_reason)

    check()


UNDISTURBED_EVENTS = [("ok", "image"), ("ok", "image"), ("ok", "high"), ("ok", "video"), ("ok", "image")]


@pytest.mark.parametrize("examples", [12, pytest.param(500, marks=pytest.mark.long)])
def test_verdict_with_other_clients_is_wrong_only_after_a_top_up(examples: int) -> None:
    """Once each price was seen without other clients.

    The usual price may hold another client's spending: five such submits outvote the true one, and hide a charge.
    """

    @settings(max_examples=examples, deadline=None)
    @given(st.lists(submits | outside_charges | outside_charges, min_size=2, max_size=10))
    @example([("other client", "4"), ("ok", "image"), ("lost charged", "video"), ("ok", "image")])
    @example([*[("other client", "4"), ("ok", "image")] * 5, ("lost charged", "image"), ("ok", "image")])
    def check(events: list[tuple[str, str]]) -> None:
        account, jobs = _run_scenario([*UNDISTURBED_EVENTS, *events])
        for job_id, job in jobs.items():
            if account.charged[job_id] and job_id not in account.topped_up:
                assert job.verdict is not Verdict.NOT_CHARGED, (events, job.verdict_reason)

    check()


def test_verdict_of_a_plain_loss_has_its_numbers() -> None:
    """The verdicts are not all "can't tell"."""
    for what, verdict in (("lost charged", Verdict.CHARGED), ("lost free", Verdict.NOT_CHARGED)):
        for kind in REQUESTS:
            _, jobs = _run_scenario([*UNDISTURBED_EVENTS, (what, kind), ("ok", "image")])
            (job,) = jobs.values()
            assert job.verdict is verdict
            assert "before" in job.verdict_reason
            assert "after" in job.verdict_reason
            assert job.credits_before is not None
            assert job.credits_after is not None


@pytest.mark.parametrize("failed", [True, False])
async def test_not_charged_waits_for_jobs_that_may_be_refunded(bench: Bench, *, failed: bool) -> None:
    """The lost request was charged, and a running job's refund hides it."""
    engine, sandbox = bench.engine, bench.sandbox
    for _ in range(2):
        await bench.wait_for_state((await engine.submit(IMAGE_REQUEST)).id, "saved")
    if failed:
        sandbox.inject(Fault.FAILED, times=1)
    running = await engine.submit(IMAGE_REQUEST)
    sandbox.inject(Fault.LOST_ANSWER if failed else Fault.DROP_BEFORE, times=1, on=FaultPlace.POST)
    lost = await engine.submit(IMAGE_REQUEST)
    if failed:
        sandbox.state.credits += Decimal("0.04")
    last = await engine.submit(IMAGE_REQUEST)
    await bench.wait_until_published(lambda: bool(engine.store[lost.id].verdict_reason))
    assert engine.store[lost.id].verdict is None
    assert engine.store[running.id].state is JobState.RUNNING
    await bench.advance_until(lambda: engine.store[lost.id].verdict is not None)
    assert engine.store[running.id].state is (JobState.FAILED if failed else JobState.SUCCEEDED)
    assert engine.store[lost.id].verdict is (Verdict.UNKNOWN if failed else Verdict.NOT_CHARGED)
    assert engine.billing.ledger.charges[last.id].is_settled is not failed


async def test_refund_of_a_failed_job_may_hide_a_charge(bench: Bench) -> None:
    engine, sandbox = bench.engine, bench.sandbox
    for state in ("saved", "saved", "failed"):
        if state == "failed":
            sandbox.inject(Fault.FAILED, times=1)
        await bench.wait_for_state((await engine.submit(IMAGE_REQUEST)).id, state)
    sandbox.inject(Fault.LOST_ANSWER, times=1, on=FaultPlace.POST)
    lost = await engine.submit(IMAGE_REQUEST)
    sandbox.state.credits += Decimal("0.04")
    await engine.submit(IMAGE_REQUEST)
    await bench.advance_until(lambda: engine.store[lost.id].verdict is not None)
    assert engine.store[lost.id].verdict is Verdict.UNKNOWN
