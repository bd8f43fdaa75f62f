"""The ledger against generated accounts: its sums are compared with what the service really charged.

Steps are those of up to eight processes on one history: intents, charges and responses in any order, lost responses,
kills, deletions, failures with and without a refund, top-ups, price changes, two accounts, restarts. Prices are drawn
so that no sum of them is another by chance, which no reader of balances could tell apart.
"""

from __future__ import annotations

import asyncio
import random
import shutil
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest

from eternal_tui.api.models import GenerateRequest
from eternal_tui.core.clock import StopSignal
from eternal_tui.history.history import History
from eternal_tui.history.lock import InstanceLock
from eternal_tui.jobs.billing import billing as billing_module
from eternal_tui.jobs.billing.billing import Billing
from eternal_tui.jobs.billing.charges import price_key
from eternal_tui.jobs.billing.ledger import read_ledger
from eternal_tui.jobs.context import JobContext, Ports, build_context
from eternal_tui.jobs.errors import DailyCapExceeded
from eternal_tui.jobs.model import Job, JobState, Verdict
from eternal_tui.jobs.ports import JobPolicy
from eternal_tui.jobs.submit.submitter import write_intent
from tests.history.faults import UnsyncedFileSystem
from tests.jobs.clock import FakeClock

STEPS_PER_RUN = 60
REQUESTS = (
    GenerateRequest(character="1", prompt="Sea", type="image"),
    GenerateRequest(character="2", prompt="Sea", type="image", quality="high"),
    GenerateRequest(character="2", prompt="Sea", type="video", duration=3),
)
CAP = Decimal(30)


class Key(msgspec.Struct):
    """A service that only has a key."""

    account: str


@dataclass
class ServerAccount:
    """The truth about one account; `charged` holds the price each request was charged, by job."""

    balance: Decimal
    prices: dict[Any, Decimal]
    charged: dict[int, Decimal] = field(default_factory=dict)
    refunded: Decimal = Decimal(0)

    @property
    def gross(self) -> Decimal:
        return sum(self.charged.values(), Decimal(0))


@dataclass
class InFlight:
    job: Job
    reading: Decimal | None = None


class Process:
    """One process: its own open history and ledger."""

    def __init__(self, folder: Path, clock: FakeClock, account: str, policy: JobPolicy) -> None:
        self.account = account
        self.registry = InstanceLock.acquire(folder, clock.time)
        self.history = History.open(folder, fs=UnsyncedFileSystem())
        ports: Any = Ports(self.history, self.registry, Key(account), None, clock, random.Random(1), "service")  # type: ignore[arg-type]
        self.context: JobContext = build_context(ports, policy, folder / "results")
        self.billing = Billing(self.context)
        self.in_flight: list[InFlight] = []

    async def open(self) -> None:
        self.context.store.load(self.history.recent(200))
        await self.billing.load()

    async def sync(self) -> None:
        store = self.context.store
        store.apply_changes(await store.call_history(self.history.read_changes))
        await self.billing.flush()

    async def kill(self) -> None:
        """End without a word to the history: others see that its lock is free."""
        self.registry.release()
        await self.context.background.wait()
        await self.context.store.call_history(partial(self.history.close, compact=False))
        self.context.store.close()


class Model:
    """Draws steps and plays them on processes and server accounts."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder = folder
        self.draw = random.Random(seed)
        self.clock = FakeClock()
        self.is_capped = self.draw.random() < 0.5
        self.policy = JobPolicy(daily_cap=float(CAP) if self.is_capped else None)
        self.has_outside_changes = False
        self.unpriced_ids: set[int] = set()
        self.failed_at_service: set[int] = set()
        self.log: list[str] = []
        self.accounts = {name: self._new_account() for name in ("first", "second")}
        self.processes: list[Process] = []

    def _new_price(self) -> Decimal:
        return Decimal(self.draw.randrange(100_007, 4_999_999)) / 1_000_000

    def _new_account(self) -> ServerAccount:
        return ServerAccount(Decimal(10_000), {price_key(each): self._new_price() for each in REQUESTS})

    async def run(self, steps: int) -> None:
        moves: list[tuple[int, Callable[[], Awaitable[None]]]] = [
            (4, self.send), (6, self.charge), (8, self.respond), (8, self.send_alone), (2, self.finish_all),
            (1, self.lose), (2, self.lose_alone), (1, self.reject), (1, self.kill), (1, self.delete), (1, self.top_up),
            (2, self.succeed), (1, self.fail_at_service), (1, self.see_failure),
            (1, self.change_price), (2, self.sync), (2, self.start), (1, self.compact), (1, self.free_reading),
        ]  # fmt: skip
        await self.start()
        for _ in range(steps):
            (move,) = self.draw.choices([move for _, move in moves], [weight for weight, _ in moves])
            await self.clock.advance(1)
            await move()
            self.check_cap()
        for process in list(self.processes):
            await process.sync()
            await process.context.background.wait()
        self.check()
        for process in self.processes:
            await process.kill()

    def _process(self) -> Process:
        return self.draw.choice(self.processes)

    async def start(self) -> None:
        if len(self.processes) >= self.draw.choice((1, 2, 8)):
            return
        process = Process(self.folder, self.clock, self.draw.choice(list(self.accounts)), self.policy)
        await process.open()
        self.processes.append(process)

    async def send(self) -> None:
        await self._send(self._process())

    async def send_alone(self) -> None:
        """Send, charge and answer one request in one go."""
        process = self._process()
        before = len(process.in_flight)
        await self._send(process)
        if len(process.in_flight) > before:
            self._charge(process, process.in_flight[-1])
            await self._end(process, process.in_flight[-1], JobState.RUNNING, float(process.in_flight[-1].reading or 0))

    async def finish_all(self) -> None:
        """Answer everything in flight."""
        for process in self.processes:
            for each in list(process.in_flight):
                if each.reading is None:
                    self._charge(process, each)
                await self._end(process, each, JobState.RUNNING, float(each.reading or 0))

    async def _send(self, process: Process) -> None:
        intent = Job(
            id=0,
            request=self.draw.choice(REQUESTS),
            created_at=self.clock.time(),
            owner=process.registry.id,
            service="service",
        )
        await process.sync()
        try:
            job = await process.billing.record_intent(intent, write_intent, StopSignal())
        except DailyCapExceeded:
            return
        self.log.append(f"send {job.id} {process.account}")
        process.in_flight.append(InFlight(job))
        if job.cost is None:
            self.unpriced_ids.add(job.id)

    async def charge(self) -> None:
        process = self._process()
        if waiting := [each for each in process.in_flight if each.reading is None]:
            self._charge(process, self.draw.choice(waiting))

    def _charge(self, process: Process, each: InFlight) -> None:
        server = self.accounts[process.account]
        price = server.prices[price_key(each.job.request)]
        server.charged[each.job.id] = price
        server.balance -= price
        each.reading = server.balance
        self.log.append(f"charge {each.job.id} {price}")

    async def respond(self) -> None:
        process = self._process()
        answered = [each for each in process.in_flight if each.reading is not None]
        if answered:
            each = self.draw.choice(answered)
            reading = None if self.draw.random() < 0.1 else float(each.reading or 0)
            await self._end(process, each, JobState.RUNNING, reading)

    async def lose(self) -> None:
        process = self._process()
        if process.in_flight:
            await self._end(process, self.draw.choice(process.in_flight), JobState.UNCONFIRMED)

    async def lose_alone(self) -> None:
        """Lose one request, charged or not, while nothing else is in flight; then submit another."""
        await self.finish_all()
        process = self._process()
        await self._send(process)
        if process.in_flight:
            if self.draw.random() < 0.6:
                self._charge(process, process.in_flight[-1])
            await self._end(process, process.in_flight[-1], JobState.UNCONFIRMED)
            if self.draw.random() < 0.6:
                await self.fail_at_service()
            await self.send_alone()

    async def reject(self) -> None:
        process = self._process()
        waiting = [each for each in process.in_flight if each.reading is None]
        if waiting:
            await self._end(process, self.draw.choice(waiting), JobState.REJECTED)

    async def _end(self, process: Process, each: InFlight, state: JobState, reading: float | None = None) -> None:
        process.in_flight.remove(each)
        job = await process.context.store.change(
            each.job.id, lambda job: msgspec.structs.replace(job, state=state, credits_after=reading)
        )
        self.log.append(f"{state} {job.id} {reading}")
        await process.billing.record_outcome(job, reading)
        await process.context.background.wait()

    async def kill(self) -> None:
        process = self._process()
        self.log.append(f"kill {[each.job.id for each in process.in_flight]}")
        self.processes.remove(process)
        await process.kill()
        while not self.processes:
            await self.start()

    async def delete(self) -> None:
        process = self._process()
        ended = [job for job in process.context.store.newest_first() if job.state is not JobState.SUBMITTING]
        if ended:
            await process.context.store.remove(self.draw.choice(ended).id)

    def _running_jobs(self, process: Process, *, failed: bool) -> list[Job]:
        return [
            job
            for job in process.context.store.newest_first()
            if job.state is JobState.RUNNING and (job.id in self.failed_at_service) is failed
        ]

    async def succeed(self) -> None:
        process = self._process()
        for job in self._running_jobs(process, failed=False)[:3]:
            await self._finish(process, job, JobState.SUCCEEDED)

    async def fail_at_service(self) -> None:
        """Fail a job, with or without a refund; clients see it in a later step."""
        running = self._running_jobs(self._process(), failed=False)
        if not running:
            return
        job = self.draw.choice(running)
        self.failed_at_service.add(job.id)
        server = self.accounts[job.account]
        if self.draw.random() < 0.7:
            server.refunded += server.charged[job.id]
            server.balance += server.charged[job.id]
            self.has_outside_changes = True
            self.log.append(f"refund {job.id}")

    async def see_failure(self) -> None:
        process = self._process()
        if running := self._running_jobs(process, failed=True):
            await self._finish(process, self.draw.choice(running), JobState.FAILED)

    async def _finish(self, process: Process, job: Job, state: JobState) -> None:
        now = self.clock.time()
        await process.context.store.change(
            job.id, lambda job: msgspec.structs.replace(job, state=state, finished_at=now)
        )
        self.log.append(f"{state} {job.id}")
        await process.context.background.wait()

    async def top_up(self) -> None:
        name = self.draw.choice(list(self.accounts))
        self.accounts[name].balance += 1_000 + self._new_price()
        self.has_outside_changes = True
        self.log.append(f"top up {name}")

    async def change_price(self) -> None:
        server = self.accounts[self.draw.choice(list(self.accounts))]
        key = self.draw.choice(list(server.prices))
        server.prices[key] = self._new_price()
        self.log.append(f"price {key} {server.prices[key]}")

    async def sync(self) -> None:
        await self._process().sync()

    async def compact(self) -> None:
        process = self._process()
        await process.context.store.call_history(process.history.compact)

    async def free_reading(self) -> None:
        process = self._process()
        if not any(each.reading is not None for other in self.processes for each in other.in_flight):
            balance, billing = self.accounts[process.account].balance, process.billing
            billing.record_free_reading(float(balance), billing.ledger.version)
            await process.context.background.wait()

    # Invariants

    def check_cap(self) -> None:
        if not self.is_capped or self.has_outside_changes:
            return
        for server in self.accounts.values():
            two = sum(sorted(server.charged.values())[-2:], Decimal(0))
            lost = Decimal(5) * sum(1 for line in self.log if line.startswith(("kill", "unconfirmed")))
            assert server.gross <= CAP + two + lost, self.log

    def check(self) -> None:
        history = self.processes[0].history
        ledger = read_ledger(history, self.processes[0].registry.is_alive)
        for name, server in self.accounts.items():
            charges = [charge for charge in ledger.charges_of("service", name) if charge.account == name]
            spending = ledger.spending(charges)
            certain = sum((price for job, price in server.charged.items() if job in ledger.charges), Decimal(0))
            assert certain == server.gross, "every charge has its intent in the ledger"
            assert spending.low <= server.gross + Decimal("0.01"), self.log
            if spending.high is not None and not self.has_outside_changes and not self._price_was_guessed(charges):
                assert server.gross <= spending.high + Decimal("0.01"), self.log
            for charge in charges:
                # A price is what a drop leaves over: another price that rose in it, or a refund in it, makes it wrong.
                # Both can only lead to "probably charged".
                is_price_sure = charge.job not in self.unpriced_ids and not server.refunded
                if charge.verdict is Verdict.CHARGED and is_price_sure:
                    assert charge.job in server.charged, (charge.job, self.log)
                if charge.verdict is Verdict.NOT_CHARGED:
                    assert charge.job not in server.charged, (charge.job, self.log)

    def _price_was_guessed(self, charges: list[Any]) -> bool:
        """Whether a charge stands at a price learned from others: after a price change that may be too little."""
        return any(not charge.is_settled and not charge.is_free for charge in charges if charge.job)


def run_model(seed: int, steps: int = STEPS_PER_RUN) -> Model:
    memory = Path("/dev/shm")
    folder = Path(tempfile.mkdtemp(prefix="ledger-", dir=memory if memory.is_dir() else None))
    try:
        model = Model(folder, seed)
        asyncio.run(model.run(steps))
        return model
    finally:
        shutil.rmtree(folder)


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """A request that would wait its turn under the cap is refused: its turn comes only by a later step."""
    monkeypatch.setattr(billing_module, "CAP_WAIT_SECONDS", 0.0)


@pytest.mark.parametrize("seed", range(50))
def test_ledger_bounds_hold_what_the_service_took(seed: int) -> None:
    run_model(seed)


@pytest.mark.long
def test_ledger_bounds_hold_at_length() -> None:
    """50,000 steps: about 40 s."""
    for seed in range(1_000, 1_000 + 50_000 // STEPS_PER_RUN + 1):
        run_model(seed)
