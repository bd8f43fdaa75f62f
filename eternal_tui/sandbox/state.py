"""The state that both ports of a sandbox share."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from eternal_tui.sandbox.characters import Cast
from eternal_tui.sandbox.faults import FaultPlan, Place
from eternal_tui.sandbox.jobs import seeded
from eternal_tui.sandbox.render import Studio
from eternal_tui.sandbox.settings import SandboxSettings
from eternal_tui.sandbox.signing import LinkSigner
from eternal_tui.sandbox.simulator import JobEngine, SandboxJob
from eternal_tui.sandbox.state_file import Memory
from eternal_tui.sandbox.validation import Order, Refusal, price


@dataclass(slots=True)
class Call:
    """One request as it arrived; ``port`` is "api" or "cdn", ``at`` seconds of the sandbox's clock."""

    port: str
    method: str
    path: str
    query: str
    headers: dict[str, str]
    at: float
    body: bytes = b""
    status: int | None = None


@dataclass(slots=True)
class Service:
    """Jobs, money, cast, armed faults and the record of what was asked; `held` counts answers kept back on purpose."""

    settings: SandboxSettings
    engine: JobEngine
    faults: FaultPlan
    signer: LinkSigner
    studio: Studio
    credits: Decimal
    cast: Cast = field(default_factory=Cast)
    calls: list[Call] = field(default_factory=list)
    leaks: list[Call] = field(default_factory=list)
    charged: list[str] = field(default_factory=list)
    created: list[str] = field(default_factory=list)
    closing: asyncio.Event = field(default_factory=asyncio.Event)
    news: asyncio.Event = field(default_factory=asyncio.Event)
    api_url: str = ""
    cdn_url: str = ""
    memory: Memory | None = None
    same_links: dict[str, str] = field(default_factory=dict)
    held: int = 0

    @classmethod
    def create(cls, settings: SandboxSettings) -> Service:
        """A service as new; with a seed, ids, durations and chances repeat."""
        rng = seeded(os.urandom(16).hex() if settings.seed is None else settings.seed)
        service = cls(
            settings=settings,
            engine=JobEngine(settings, rng),
            faults=FaultPlan(settings.faults, seeded(rng.random())),
            signer=LinkSigner(rng),
            studio=Studio(settings),
            credits=Decimal(str(settings.credits)).quantize(Decimal("0.01")),
        )
        if settings.state is not None:
            service.memory = Memory(settings.state)
            if (kept := service.memory.recall()) is not None:
                service.credits, jobs = kept
                service.engine.jobs.update((job.request_id, job) for job in jobs)
        return service

    def note(self) -> None:
        """Wake whoever waits for a request to arrive or to be answered."""
        self.news.set()
        self.news = asyncio.Event()

    def check_key(self, headers: Mapping[str, str], *, required: bool) -> None:
        """Raise Refusal (401) for a wrong key, or for none where one is required."""
        given = headers.get("x-api-key")
        bearer = headers.get("authorization", "")
        if given is None and bearer.lower().startswith("bearer "):
            given = bearer[7:]
        if given is None and not required:
            return
        if given != self.settings.key:
            raise Refusal(401, "Invalid API key." if given else "An API key is required: send x-api-key.")

    def spend(self, amount: Decimal) -> None:
        """Take credits; raises Refusal (402) when there are too few, and then takes none."""
        if amount > self.credits:
            raise Refusal(402, f"Not enough credits: this costs {amount}, {self.credits} are left.")
        self.credits -= amount

    def accept(self, order: Order) -> SandboxJob:
        """Charge for an order and queue it."""
        self.spend(price(order))
        job = self.engine.create(order, self.faults.take_all(Place.JOB))
        self.charged.append(job.request_id)
        self._remember()
        return job

    def _remember(self) -> None:
        if self.memory is None:
            return
        try:
            self.memory.keep(self.credits, tuple(self.engine.jobs.values()))
        except OSError as problem:
            # Charged and queued all the same: it is served until the end of this run. Told once.
            self.memory = None
            sys.stderr.write(f"sandbox: jobs are no longer remembered: {problem.strerror or repr(problem)}.\n")

    def result_url(self, job: SandboxJob, *, life: float) -> str:
        """A freshly signed link to the job's file, or the one that is to be handed over again."""
        if job.request_id in self.same_links:
            return self.same_links.pop(job.request_id)
        path = self.signer.path_of(job)
        return f"{self.cdn_url}{path}?{self.signer.sign(path, self.engine.now() + life)}"

    async def pause(self, seconds: float) -> None:
        """Wait in real time, cut short when the sandbox stops."""
        self.held += 1
        self.note()
        try:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.closing.wait(), seconds)
        finally:
            self.held -= 1
