"""The rule of retries: every exception of httpx, every status, every form of Retry-After."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from email.utils import formatdate

import httpx
import msgspec
import pytest

from eternal_tui.jobs.model import Job, JobState
from eternal_tui.sandbox.faults import Fault, FaultPlace
from eternal_tui.sandbox.server import Sandbox
from tests.api.raw_server import RawServer
from tests.jobs.bench import IMAGE_REQUEST, Bench, Engines
from tests.jobs.clock import run_ready_tasks
from tests.jobs.quiet import wait_idle

UNSENT_EXCEPTIONS = {
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
    httpx.InvalidURL,
}
"""The kinds that are only raised before a byte of a request is written: three tries, then rejected."""


def _exception_tree(root: type[Exception]) -> Iterator[type[Exception]]:
    yield root
    for kind in root.__subclasses__():
        yield from _exception_tree(kind)


ALL_EXCEPTION_TYPES = sorted(
    {
        kind
        for root in (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL, httpx.CookieConflict)
        for kind in _exception_tree(root)
    }
    | {OSError, RuntimeError, ValueError},
    key=lambda kind: kind.__name__,
)


def _make_exception(kind: type[Exception], request: httpx.Request) -> Exception:
    if kind is httpx.HTTPStatusError:
        return httpx.HTTPStatusError("said no", request=request, response=httpx.Response(500, request=request))
    for arguments in ((), ("broken",)):
        try:
            return kind(*arguments)
        except TypeError:
            continue
    raise AssertionError(f"{kind} cannot be made")


class RaisingTransport(httpx.AsyncBaseTransport):
    """Fails each request with one kind of exception, and counts them."""

    def __init__(self) -> None:
        self.exception_type: type[Exception] = httpx.HTTPError
        self.request_count = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.request_count += 1
        raise _make_exception(self.exception_type, request)


async def _wait_for_outcome(bench: Bench, sending: asyncio.Task[Job]) -> Job:
    await bench.advance_until(sending.done, step_seconds=0.5)
    return await sending


async def test_every_exception_of_httpx_is_sent_again_only_if_it_never_left(engines: Engines) -> None:
    assert len(ALL_EXCEPTION_TYPES) >= 28
    transport = RaisingTransport()
    async with engines() as bench:
        bench.client._clients = (httpx.AsyncClient(transport=transport), httpx.AsyncClient())
        table = {}
        for kind in ALL_EXCEPTION_TYPES:
            transport.exception_type, transport.request_count = kind, 0
            job = await _wait_for_outcome(bench, asyncio.create_task(bench.engine.submit(IMAGE_REQUEST)))
            table[kind] = (str(job.state), transport.request_count, job.cost)
        expected = {
            kind: ("rejected", 3, 0.0) if kind in UNSENT_EXCEPTIONS else ("unconfirmed", 1, None)
            for kind in ALL_EXCEPTION_TYPES
        }
        assert table == expected
        assert bench.engine.billing.totals().unconfirmed == len(ALL_EXCEPTION_TYPES) - len(UNSENT_EXCEPTIONS)


def _http_response(status: int, body: bytes) -> bytes:
    head = f"HTTP/1.1 {status} Whatever\r\ncontent-type: application/json\r\n"
    if status >= 200 and status not in (204, 304):
        return f"{head}content-length: {len(body)}\r\n\r\n".encode() + body
    return f"{head}\r\n".encode()


@pytest.mark.parametrize(
    ("body", "statuses"),
    [
        (b'{"request_id": "r-1", "status": "pending"}', range(100, 600)),
        (b"{}", range(200, 300)),
        (b"<html>", range(200, 300)),
    ],
)
async def test_every_status_is_one_post_and_one_outcome(engines: Engines, body: bytes, statuses: range) -> None:
    """100 to 599 but for 429: 4xx is rejected; 2xx with an id is running; all else is one unconfirmed job."""
    status = 0

    async with (
        RawServer(lambda _: _http_response(status, body), close=True) as server,
        engines(base_url=server.url) as bench,
    ):
        # Only POSTs are counted.
        bench.engine.monitor.scheduler.poll_in = lambda *_: None  # type: ignore[method-assign]
        for status in statuses:
            if status == 429:
                continue
            before = len(server.requests)
            job = await bench.engine.submit(IMAGE_REQUEST)
            taken = 200 <= status <= 299 and status != 204 and b"r-1" in body
            wanted = "running" if taken else "rejected" if 400 <= status <= 499 else "unconfirmed"
            assert (status, str(job.state), len(server.requests) - before) == (status, wanted, 1)
            assert job.cost in ((0.0,) if wanted == "rejected" else (None,))


NOW = 1_800_000_000.0
RETRY_AFTER_FORMS = {
    "7": 7.0,
    "2.5": 2.5,
    "0": 1.0,
    "000120": 120.0,
    formatdate(NOW + 20, usegmt=True): 20.0,
    formatdate(NOW - 500, usegmt=True): 1.0,
    "": 2.0,
    "NaN": 2.0,
    "inf": 2.0,
    "-5": 2.0,
    "soon": 2.0,
    "1e3": 2.0,
}
"""What a 429 may say, and the seconds a submit then waits: what it named, or its own first wait."""


@pytest.fixture
def answer_429(sandbox: Sandbox) -> Callable[..., None]:
    """Let the service refuse with this Retry-After."""

    def answer(said: str, *, times: int | None = None, on: FaultPlace = FaultPlace.POST) -> None:
        sandbox.state.settings = msgspec.structs.replace(sandbox.state.settings, retry_after=said, slow_seconds=0.2)
        sandbox.inject(Fault.RATE_LIMITED, times=times, on=on)

    return answer


@pytest.mark.parametrize(("said", "wait"), RETRY_AFTER_FORMS.items())
async def test_a_submit_waits_as_long_as_a_429_says(
    bench: Bench, sandbox: Sandbox, answer_429: Callable[..., None], said: str, wait: float
) -> None:
    answer_429(said, times=1)
    sending = asyncio.create_task(bench.engine.submit(IMAGE_REQUEST))
    await sandbox.wait_until(lambda: len(sandbox.posts) == 1 and sandbox.posts[0].status == 429)
    await bench.wait_until_published(lambda: any(job.waiting_reason for job in bench.engine.store.newest_first()))
    assert not sending.done()
    await run_ready_tasks()
    await bench.clock.advance(wait - 0.01)
    assert len(sandbox.posts) == 1
    await bench.clock.advance(0.02)
    await sandbox.wait_until(lambda: len(sandbox.posts) == 2)
    assert (await _wait_for_outcome(bench, sending)).state is JobState.RUNNING


@pytest.mark.parametrize("said", ["999999999", "1" * 60, formatdate(NOW + 10**7, usegmt=True)])
async def test_a_huge_wait_is_no_hang_and_no_charge(
    bench: Bench, sandbox: Sandbox, answer_429: Callable[..., None], said: str
) -> None:
    answer_429(said)
    job = await bench.engine.submit(IMAGE_REQUEST)
    assert (job.state, len(sandbox.posts), sandbox.charged) == (JobState.QUEUED, 1, [])


@pytest.mark.parametrize("said", ["0", formatdate(NOW - 500, usegmt=True), "0.001", ""])
async def test_a_busy_service_gets_no_storm_of_posts(
    bench: Bench, sandbox: Sandbox, answer_429: Callable[..., None], said: str
) -> None:
    answer_429(said)
    job = await _wait_for_outcome(bench, asyncio.create_task(bench.engine.submit(IMAGE_REQUEST)))
    assert job.state is JobState.QUEUED
    assert bench.engine.billing.totals().spent_today == 0.0
    assert len(sandbox.posts) <= 18


async def test_one_429_on_a_poll_pauses_every_poll(
    bench: Bench, sandbox: Sandbox, answer_429: Callable[..., None]
) -> None:
    """Though three others, under way with it, are answered after it."""
    sandbox.inject(Fault.STUCK, times=None)
    for _ in range(12):
        await bench.engine.submit(IMAGE_REQUEST)
    before = len(sandbox.polls())
    answer_429("30", times=1, on=FaultPlace.POLL)
    sandbox.inject(Fault.SLOW, times=3, on=FaultPlace.POLL)
    for job in bench.engine.store.newest_first():
        await bench.engine.watch_now(job.id)
    await sandbox.wait_until(lambda: len(sandbox.polls()) >= before + 4)
    await sandbox.wait_until(lambda: all(call.status is not None for call in sandbox.polls()))
    await bench.advance_until(lambda: not bench.engine.monitor.scheduler.start_times, step_seconds=0.0)
    assert len(sandbox.polls()) == before + 4
    assert "30 s" in bench.engine.monitor.pause_reason
    for _ in range(29):
        await bench.clock.advance(1.0)
        await wait_idle()
    assert len(sandbox.polls()) == before + 4
    await bench.clock.advance(1.5)
    await sandbox.wait_until(lambda: len(sandbox.polls()) > before + 4)


@pytest.mark.parametrize("said", ["0", formatdate(NOW - 500, usegmt=True), ""])
async def test_polls_answered_429_for_ever_are_few(
    bench: Bench, sandbox: Sandbox, answer_429: Callable[..., None], said: str
) -> None:
    for _ in range(4):
        await bench.engine.submit(IMAGE_REQUEST)
    answer_429(said, on=FaultPlace.POLL)
    for _ in range(120):
        await bench.clock.advance(0.5)
        await wait_idle()
    assert 2 <= len(sandbox.polls()) <= 70
