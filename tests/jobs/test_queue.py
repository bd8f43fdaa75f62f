"""The queue: held and released, in order, within its limits, never sent twice, and never unasked after a restart."""

from __future__ import annotations

import asyncio
import random
import re
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from eternal_tui.jobs.errors import DailyCapExceeded, InvalidJobState
from eternal_tui.jobs.model import Job, JobState
from eternal_tui.jobs.ports import JobPolicy
from eternal_tui.jobs.submit.queue import seconds_to_finish
from eternal_tui.jobs.submit.submitter import SubmitDetails
from eternal_tui.sandbox.faults import Fault, FaultPlace
from eternal_tui.sandbox.server import Sandbox
from tests.history.faults import UnsyncedFileSystem
from tests.jobs.bench import IMAGE_REQUEST, VIDEO_REQUEST, Bench, Engines, unhurried
from tests.jobs.clock import FakeClock

LIMITED = unhurried(max_running=2)


class CountingFileSystem(UnsyncedFileSystem):
    """Counts what is written and waited for."""

    def __init__(self) -> None:
        self.syncs = self.bytes = 0

    def write(self, fd: int, data: bytes | memoryview, offset: int) -> int:
        self.bytes += len(data)
        return super().write(fd, data, offset)

    def sync(self, fd: int) -> None:  # noqa: ARG002
        self.syncs += 1


async def _queue(bench: Bench, count: int, batch: str = "") -> list[Job]:
    details = [SubmitDetails(batch=batch)] * count
    submit = bench.engine.submitter.submit
    return await submit([IMAGE_REQUEST] * count, details, confirmed=True, only_queue=True)


async def test_held_entries_are_sent_in_order_once_released(bench: Bench, sandbox: Sandbox, clock: FakeClock) -> None:
    queue = bench.engine.queue
    queue.hold("by hand")
    jobs = [await bench.engine.submit(IMAGE_REQUEST) for _ in range(4)]
    assert {job.state for job in jobs} == {JobState.QUEUED}
    await clock.advance(60)
    assert sandbox.posts == []
    await queue.move([jobs[3].id], 0)
    await queue.move([jobs[1].id], 3)
    await bench.engine.delete([jobs[2].id])
    assert bench.engine.store[jobs[2].id].cause == "cancelled"
    await bench.engine.undo_delete()
    assert [job.id for job in queue.entries()] == [jobs[number].id for number in (3, 0, 2, 1)]
    with pytest.raises(InvalidJobState):
        await queue.move([99], 0)
    assert (queue.summary().count, queue.summary().held, queue.summary().reason) == (4, 4, "by hand")
    sent: list[int] = []
    bench.engine.events.submitted.connect(lambda job: sent.append(job.id))
    assert await bench.engine.release_queue() == 4
    await bench.advance_until(lambda: len(sandbox.posts) == 4 and not queue.entries())
    assert sent == [jobs[number].id for number in (3, 0, 2, 1)]


async def test_the_limit_holds_across_processes(engines: Engines, sandbox: Sandbox) -> None:
    """Two engines queue four requests each."""
    async with engines(policy=LIMITED) as one, engines(policy=LIMITED, compact=False) as two:
        running = {JobState.RUNNING, JobState.SUBMITTING}
        counts: list[int] = []
        one.engine.store.subscribe(
            lambda _: counts.append(sum(job.state in running for job in one.engine.store.newest_first()))
        )
        await _queue(one, 4)
        await one.engine.release_queue()
        await _queue(two, 4)
        await two.engine.sync.sync()
        await two.engine.release_queue()
        await one.advance_until(
            lambda: sum(job.is_delivered for job in one.engine.store.newest_first()) == 8, limit_seconds=20_000
        )
        assert len(sandbox.posts) == 8
        assert max(counts) == 2


async def test_nothing_is_sent_by_itself_after_a_restart(
    engines: Engines, tmp_path: Path, sandbox: Sandbox, clock: FakeClock
) -> None:
    async with engines() as bench:
        bench.engine.queue.hold()
        await _queue(bench, 3)
        bench.engine.queue.release()
        bench.engine.queue.hold()
    (tmp_path / "data" / "queue.json").unlink()
    async with engines() as bench:
        await clock.advance(120)
        assert sandbox.posts == []
        assert bench.engine.queue.summary().held == 3
        (entry, *_) = bench.engine.queue.entries()
        await bench.engine.delete([entry.id])
        await bench.engine.undo_delete()
        await clock.advance(60)
        assert (sandbox.posts, bench.engine.queue.summary().held) == ([], 3)
        # A request sent now does not wait behind them.
        assert (await bench.engine.submit(VIDEO_REQUEST)).state is JobState.RUNNING
        await bench.engine.release_queue()
        await bench.advance_until(lambda: len(sandbox.posts) == 4)
        await clock.advance(60)
        assert len(sandbox.posts) == 4


@pytest.mark.parametrize("fault", [Fault.RATE_LIMITED, Fault.ECHO_KEY, None])
async def test_a_refusal_of_all_keeps_every_entry(
    bench: Bench, sandbox: Sandbox, clock: FakeClock, fault: Fault | None
) -> None:
    """A 429 pauses the queue, 402 and 401 hold it and say so."""
    before = sandbox.state.credits
    if fault is None:
        sandbox.state.credits = Decimal(0)
    else:
        sandbox.inject(fault, times=None, on=FaultPlace.POST)
    await _queue(bench, 3)
    await bench.engine.release_queue()
    await sandbox.wait_until(lambda: len(sandbox.posts) >= 1)
    await bench.advance_until(lambda: any(job.waiting_reason for job in bench.engine.queue.entries()), step_seconds=0.1)
    await clock.advance(20)
    unsent = {JobState.QUEUED, JobState.SUBMITTING}
    assert [job.state in unsent for job in bench.engine.store.newest_first()] == [True] * 3
    assert bench.engine.queue.state.held is (fault is not Fault.RATE_LIMITED)
    assert sum("held" in notice for notice in bench.engine.notices) == (fault is not Fault.RATE_LIMITED)
    assert len(sandbox.posts) <= 6
    sandbox.heal()
    sandbox.state.credits = before
    await bench.engine.release_queue()
    await bench.advance_until(lambda: not bench.engine.queue.entries())
    assert len(sandbox.charged) == 3
    assert {job.state for job in bench.engine.store.newest_first()} & {JobState.REJECTED} == set()


async def test_queued_requests_count_against_the_cap(engines: Engines, sandbox: Sandbox) -> None:
    """Also for a request that is sent at once, and those of other processes."""
    policy = unhurried(daily_cap=0.2)
    async with engines(policy=policy) as bench:
        for _ in range(2):
            await bench.engine.submit(IMAGE_REQUEST)
        await _queue(bench, 2)
        with pytest.raises(DailyCapExceeded):
            await _queue(bench, 2)
        assert len(bench.engine.queue.entries()) == 2
        await bench.engine.submit(IMAGE_REQUEST)
        async with engines(policy=policy, compact=False) as other:
            with pytest.raises(DailyCapExceeded, match=r"0\.08 are queued"):
                await other.engine.submit(IMAGE_REQUEST)
        await bench.engine.release_queue()
        await bench.advance_until(lambda: not bench.engine.queue.entries())
        assert len(sandbox.charged) == 5


async def test_a_batch_keeps_to_the_rate_and_to_a_hold(engines: Engines, sandbox: Sandbox, clock: FakeClock) -> None:
    """Thirty requests at 10 a second, held after 20."""
    async with engines(policy=JobPolicy()) as bench:
        began = clock.monotonic()
        sending = asyncio.ensure_future(bench.engine.submit_many([IMAGE_REQUEST] * 30, confirmed=True))
        await bench.advance_until(lambda: len(sandbox.charged) >= 20, step_seconds=0.02)
        assert clock.monotonic() - began >= 1.8
        bench.engine.queue.hold()
        await bench.advance_until(sending.done)
        assert len(sandbox.charged) <= 21
        assert bench.engine.queue.summary().held == 30 - len(sandbox.charged)


async def test_closing_does_not_wait_for_the_rate_limit(engines: Engines, sandbox: Sandbox) -> None:
    async with asyncio.timeout(30):
        async with engines(policy=JobPolicy(requests_per_second=0.1)) as bench:
            sending = asyncio.ensure_future(bench.engine.submit_many([IMAGE_REQUEST] * 2, confirmed=True))
            await bench.advance_until(lambda: len(sandbox.charged) == 1, step_seconds=0.02)
            await bench.clock.advance(2.0)
        assert [str(job.state) for job in await sending] == ["running", "queued"]


async def test_moves_follow_a_list_and_write_little(engines: Engines) -> None:
    rng = random.Random(5)
    async with engines() as bench:
        queue, written = bench.engine.queue, list[int]()
        ids = [job.id for job in await _queue(bench, 12)]
        bench.engine.store.subscribe(lambda changed: written.append(len(changed)))
        for step in range(240):
            begin, count = (11, 1) if step < 120 else (rng.randrange(12), rng.randrange(1, 8))
            block = ids[begin : begin + count]
            rest = [job_id for job_id in ids if job_id not in block]
            place = 1 if step < 120 else rng.randrange(12)
            written.clear()
            await queue.move(block, place)
            ids = [*rest[:place], *block, *rest[place:]]
            assert [job.id for job in queue.entries()] == ids
            if step >= 120 and written and max(written) < 12:
                assert max(written) <= min(len(block), abs(begin - min(place, len(rest))))


async def test_ten_thousand_entries_are_moved_by_one_record(engines: Engines) -> None:
    """Bytes and syncs of one key, for one entry and for all but one."""
    files = CountingFileSystem()
    async with engines(fs=files) as bench:
        ids = [job.id for job in await _queue(bench, 10_000)]
        assert files.syncs < 60
        for begin, end, place in ((5_000, 5_001, 4_999), (9_000, 9_001, 0), (1, 10_000, 0), (0, 9_999, 1)):
            block = [job.id for job in bench.engine.queue.entries()[begin:end]]
            files.syncs = files.bytes = 0
            await bench.engine.queue.move(block, place)
            assert (files.syncs, files.bytes < 400) == (1, True)
        files.syncs = files.bytes = 0
        assert len(await bench.engine.queue.cancel(ids)) == 10_000
        assert files.syncs < 60


@pytest.mark.parametrize(
    ("durations", "running", "slots", "seconds"),
    [
        ({}, [50.0], 2, 0.0),
        ({45.0: 12}, [], 2, 270.0),
        ({45.0: 3}, [], 2, 90.0),
        ({45.0: 2}, [30.0, 10.0], 2, 75.0),
        ({60.0: 1, 10.0: 4}, [], 2, 60.0),
        ({20.0: 100}, [], 0, 30.0),
        ({20.0: 10_000}, [], 10_000, 1_000.0),
    ],
)
def test_the_end_is_estimated_from_durations_and_slots(
    durations: dict[float, int], running: list[float], slots: int, seconds: float
) -> None:
    found = seconds_to_finish(durations, running, slots=slots, requests_per_second=10.0)
    assert found == pytest.approx(seconds)


async def test_the_queue_says_its_size_cost_and_end(engines: Engines) -> None:
    async with engines(policy=LIMITED) as bench:
        queue = bench.engine.queue
        for _ in range(3):
            await bench.wait_for_state((await bench.engine.submit(IMAGE_REQUEST)).id, "saved")
        assert queue.summary().parts == ()
        await _queue(bench, 12)
        assert re.fullmatch(r"12 queued \(held\) · ~0\.48 · ~\d+ (s|min)", " · ".join(queue.summary().parts))
        await bench.engine.release_queue()
        await bench.advance_until(lambda: len(queue) == 10)
        assert re.fullmatch(r"10 queued · ~0\.40 · done in ~\d min", " · ".join(queue.summary().parts))


async def test_a_pause_of_the_service_is_kept_by_every_process(
    engines: Engines, sandbox: Sandbox, clock: FakeClock
) -> None:
    sandbox.state.settings = msgspec.structs.replace(sandbox.state.settings, retry_after="90")
    async with engines() as bench:
        sandbox.inject(Fault.RATE_LIMITED, times=1, on=FaultPlace.POST)
        (job,) = await bench.engine.submit_many([IMAGE_REQUEST], wait_seconds=None)
        assert (str(job.state), "Sending continues at" in job.waiting_reason) == ("queued", True)
        assert bench.engine.queue.summary().parts[0] == "1 queued (continues in 90 s)"
    async with engines() as bench:
        await bench.engine.release_queue()
        await bench.advance_until(lambda: clock.monotonic() >= 1_085)
        assert len(sandbox.posts) == 1
        await bench.advance_until(lambda: len(sandbox.charged) == 1, limit_seconds=30)


async def test_batches_take_turns_where_wanted(engines: Engines) -> None:
    policy = unhurried(queue_round_robin=True)
    async with engines(policy=policy) as bench:
        bench.engine.queue.hold()
        await _queue(bench, 3, "a")
        await _queue(bench, 3, "b")
        sent: list[str] = []
        bench.engine.events.submitted.connect(lambda job: sent.append(job.batch))
        await bench.engine.release_queue()
        await bench.advance_until(lambda: len(sent) == 6)
        assert sent == ["a", "b"] * 3


async def test_a_hold_and_a_death_elsewhere_are_published(engines: Engines) -> None:
    async with engines() as one:
        summaries: list[tuple[int, int, bool]] = []

        def note(_: frozenset[int]) -> None:
            summary = one.engine.queue.summary()
            summaries.append((summary.count, summary.held, summary.is_held))

        async with engines(compact=False) as two:
            two.engine.queue.pause(600)
            await two.engine.submit_many([IMAGE_REQUEST] * 2, confirmed=True, wait_seconds=None)
            await one.engine.sync.sync()
            one.engine.store.subscribe(note)
            two.engine.queue.hold()
            await one.advance_until(lambda: (2, 2, True) in summaries, limit_seconds=2)
            two.engine.queue.release()
            await one.advance_until(lambda: (2, 0, False) in summaries, limit_seconds=2)
        await one.advance_until(lambda: (2, 2, False) in summaries, limit_seconds=2)


async def test_a_damaged_hold_holds(bench: Bench, engines: Engines) -> None:
    """In every process, until it is released."""
    (bench.data_dir / "queue.json").write_text('{"held": tru')
    for _ in range(2):
        assert bench.engine.queue.state.reason == "queue.json could not be read."
    async with engines(compact=False) as other:
        assert (await other.engine.submit(IMAGE_REQUEST)).state is JobState.QUEUED
        await bench.engine.release_queue()
        assert not other.engine.queue.state.held
