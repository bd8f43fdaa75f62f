"""Polls that are refused or cannot be read: one job's trouble stays its own, and every wait ends."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from eternal_tui.jobs.model import FileState, JobState
from eternal_tui.media.limits import DownloadLimits
from tests.api.raw_server import RawServer, http_response
from tests.jobs.bench import IMAGE_REQUEST, Bench, Engines
from tests.jobs.clock import FakeClock
from tests.tui.results import write_image

ALIVE = (200, b'{"status": "processing", "progress": 5}')
FAILED = (200, b'{"status": "failed", "error": "no"}')


LIMITS = DownloadLimits(slow_window_seconds=0.1)


class Service:
    """Takes every submit, with ids r-1, r-2 ..., and answers polls by id from `answers`."""

    def __init__(self) -> None:
        self.answers: dict[str, tuple[int, bytes]] = {}
        self.polls: list[str] = []
        self.image = b""
        self.submit_fields: dict[str, object] = {}
        self.url = ""
        self._submits = 0

    def respond(self, request: bytes) -> bytes | AsyncIterator[bytes]:
        if request.startswith(b"POST"):
            self._submits += 1
            response = {"request_id": f"r-{self._submits}", "status": "pending"} | self.submit_fields
            status, body = 200, json.dumps(response).encode()
        elif b"/slow" in request.split(b" ")[1]:
            return _begin_and_wait()
        elif b"/fast" in request.split(b" ")[1]:
            status, body = 200, self.image
        else:
            request_id = request.split(b" ")[1].rpartition(b"/")[2].decode()
            self.polls.append(request_id)
            status, body = self.answers.get(request_id, ALIVE)
        return http_response(status, body, {"Content-Type": "application/json"})


async def _begin_and_wait() -> AsyncIterator[bytes]:
    yield b"HTTP/1.1 200 OK\r\ncontent-type: image/jpeg\r\ncontent-length: 1000000\r\n\r\n\xff\xd8"
    await asyncio.Event().wait()


@asynccontextmanager
async def _run(engines: Engines, submits: int) -> AsyncIterator[tuple[Bench, Service]]:
    service = Service()
    async with RawServer(service.respond) as server, engines(base_url=server.url, limits=LIMITS) as bench:
        service.url = server.url
        for _ in range(submits):
            await bench.engine.submit(IMAGE_REQUEST)
        yield bench, service


@pytest.mark.parametrize("status", [401, 403])
async def test_key_rejected_for_one_job_loses_that_job_only(engines: Engines, status: int) -> None:
    async with _run(engines, 3) as (bench, service):
        service.answers["r-2"] = (status, b"{}")
        refused = asyncio.ensure_future(bench.engine.wait_until_done(2))
        await bench.advance_until(lambda: "r-2" in service.polls)
        count = len(service.polls)
        await bench.advance_until(lambda: {"r-1", "r-3"} <= set(service.polls[count:]), limit_seconds=50)
        assert not bench.engine.monitor.is_key_rejected
        await bench.advance_until(refused.done, limit_seconds=200)
        assert refused.result().state is JobState.LOST
        assert str(status) in refused.result().error or "key" in refused.result().error
        assert {job.state for job in bench.engine.store.newest_first()} == {JobState.RUNNING, JobState.LOST}


@pytest.mark.parametrize("count", [1, 5])
async def test_key_rejected_for_all_jobs_pauses_polls(engines: Engines, clock: FakeClock, count: int) -> None:
    async with _run(engines, count) as (bench, service):
        service.answers = {f"r-{number}": (401, b"{}") for number in range(1, count + 1)}
        monitor = bench.engine.monitor
        await bench.advance_until(lambda: monitor.is_key_rejected, limit_seconds=120)
        assert len(service.polls) >= min(count, 3) + 1
        assert "key" in monitor.pause_reason
        made = len(service.polls)
        await bench.clock.advance(50)
        await bench.advance_until(lambda: len(service.polls) > made, limit_seconds=30)
        await bench.advance_until(lambda: monitor.pause_reason != "", limit_seconds=0.0)
        assert len(service.polls) == made + 1
        service.answers.clear()
        await bench.advance_until(lambda: not monitor.is_key_rejected, limit_seconds=120)
        made = len(service.polls)
        await bench.advance_until(lambda: len(set(service.polls[made:])) == count, limit_seconds=60)
        assert {job.state for job in bench.engine.store.newest_first()} == {JobState.RUNNING}


@pytest.mark.parametrize(
    ("answer", "state", "reason"),
    [
        ((404, b"{}"), JobState.LOST, "404"),
        ((400, b'{"error": "bad id"}'), JobState.LOST, "bad id"),
        ((422, b'{"detail": "no such field"}'), JobState.LOST, "no such field"),
        ((200, b""), JobState.STALLED, ""),
        ((200, b"<html>maintenance</html>"), JobState.STALLED, ""),
        ((200, b"[]"), JobState.STALLED, ""),
        ((302, b""), JobState.STALLED, ""),
        ((500, b'{"error": "later"}'), JobState.STALLED, "later"),
    ],
    ids=lambda value: str(value[:2]) if isinstance(value, tuple) else None,
)
async def test_wait_until_done_ends_with_any_poll_response(
    engines: Engines, answer: tuple[int, bytes], state: JobState, reason: str
) -> None:
    async with _run(engines, 1) as (bench, service):
        service.answers["r-1"] = answer
        waiting = asyncio.ensure_future(bench.engine.wait_until_done(1))
        await bench.advance_until(waiting.done, step_seconds=5, limit_seconds=2_500)
        job = waiting.result()
        assert (job.state, reason in (job.error or job.waiting_reason)) == (state, True)
        service.answers["r-1"] = FAILED
        if state is JobState.LOST:
            await bench.engine.watch_now(1)
        await bench.wait_for_state(1, "failed")


@pytest.mark.parametrize(
    ("body", "state", "error"),
    [
        ({"status": "success", "result_url": ""}, "missing", "no usable link"),
        ({"status": "success", "result_url": "ftp://cdn.example/a.png"}, "missing", "no usable link"),
        ({"status": "completed", "progress": 100}, "missing", "no usable link"),
        ({"status": "cancelled"}, "failed", "cancelled"),
        ({"status": "moderated", "progress": 7}, "failed", "moderated"),
    ],
    ids=str,
)
async def test_end_without_link_or_reason_counts_after_a_minute(
    engines: Engines, clock: FakeClock, body: dict[str, object], state: str, error: str
) -> None:
    async with _run(engines, 1) as (bench, service):
        service.answers["r-1"] = (200, json.dumps(body).encode())
        waiting = asyncio.ensure_future(bench.engine.wait_until_done(1))
        await bench.advance_until(lambda: len(service.polls) >= 2)
        assert json.loads((await bench.engine.load_raw_responses(1))["last_answer"]) == body
        assert bench.engine.store[1].state is JobState.RUNNING
        started = clock.monotonic()
        await bench.advance_until(waiting.done, limit_seconds=120)
        assert clock.monotonic() - started > 40
        assert len(service.polls) <= 8
        job = waiting.result()
        assert state in (str(job.state), str(job.file_state))
        assert error in job.error


async def test_slow_downloads_do_not_delay_others(engines: Engines, tmp_path: Path) -> None:
    """Six bodies that stop after two bytes, and one of full speed behind them."""
    async with _run(engines, 7) as (bench, service):
        service.image = write_image(tmp_path / "a.jpg").read_bytes()
        for number in range(1, 8):
            body = {"status": "success", "result_url": f"{service.url}/{'slow' if number < 7 else 'fast'}.jpg"}
            service.answers[f"r-{number}"] = (200, json.dumps(body).encode())
            await bench.engine.watch_now(number)
            await bench.advance_until(lambda number=number: bench.engine.store[number].state is JobState.SUCCEEDED)  # type: ignore[misc]
        await bench.wait_until_published(lambda: bench.engine.store[7].file_state is FileState.SAVED)
        assert all(bench.engine.store[number].needs_download for number in range(1, 7))


async def test_second_id_is_polled_before_a_job_is_lost(engines: Engines) -> None:
    """The inner id comes first."""
    async with _run(engines, 0) as (bench, service):
        service.submit_fields = {"data": {"request_id": "inner"}}
        service.answers = {"inner": (404, b"{}"), "r-1": FAILED}
        job = await bench.engine.submit(IMAGE_REQUEST)
        assert job.request_id == "inner"
        ended = await bench.wait_for_state(job.id, "failed")
        assert ended.request_id == "r-1"
