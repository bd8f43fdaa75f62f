"""The state shared by both ports of a sandbox."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from eternal_tui.sandbox.characters import Character, CharacterCatalog
from eternal_tui.sandbox.faults import FaultPlace, FaultPlan
from eternal_tui.sandbox.jobs import seeded_rng
from eternal_tui.sandbox.render import MediaRenderer
from eternal_tui.sandbox.settings import SandboxSettings
from eternal_tui.sandbox.signing import LinkSigner
from eternal_tui.sandbox.simulator import JobSimulator, SandboxJob
from eternal_tui.sandbox.state_file import StateFile
from eternal_tui.sandbox.validation import CHARACTER_PRICE, HTTPError, ParsedRequest, price


@dataclass(slots=True)
class RecordedRequest:
    """One request as it arrived; ``port`` is "api" or "cdn", ``received_at`` seconds of the sandbox's clock."""

    port: str
    method: str
    path: str
    query: str
    headers: dict[str, str]
    received_at: float
    body: bytes = b""
    status: int | None = None


@dataclass(slots=True)
class SandboxState:
    """Jobs, credits, characters, armed faults and the requests received.

    `delayed_responses` counts answers kept back on purpose.
    """

    settings: SandboxSettings
    simulator: JobSimulator
    faults: FaultPlan
    signer: LinkSigner
    renderer: MediaRenderer
    credits: Decimal
    characters: CharacterCatalog = field(default_factory=CharacterCatalog)
    requests: list[RecordedRequest] = field(default_factory=list)
    leaks: list[RecordedRequest] = field(default_factory=list)
    charged: list[str] = field(default_factory=list)
    created: list[str] = field(default_factory=list)
    closing: asyncio.Event = field(default_factory=asyncio.Event)
    activity: asyncio.Event = field(default_factory=asyncio.Event)
    api_url: str = ""
    cdn_url: str = ""
    state_file: StateFile | None = None
    repeated_links: dict[str, str] = field(default_factory=dict)
    delayed_responses: int = 0

    @classmethod
    def create(cls, settings: SandboxSettings) -> SandboxState:
        """A service as new; with a seed, ids, durations and chances repeat."""
        rng = seeded_rng(os.urandom(16).hex() if settings.seed is None else settings.seed)
        state = cls(
            settings=settings,
            simulator=JobSimulator(settings, rng),
            faults=FaultPlan(settings.faults, seeded_rng(rng.random())),
            signer=LinkSigner(rng),
            renderer=MediaRenderer(settings),
            credits=Decimal(str(settings.credits)).quantize(Decimal("0.01")),
        )
        if settings.sample_jobs:
            state.simulator.add_samples()
        if settings.state_file is not None:
            state.state_file = StateFile(settings.state_file)
            if (kept := state.state_file.load()) is not None:
                state.credits, jobs, characters = kept
                state.simulator.jobs = {job.request_id: job for job in jobs}
                for character in characters:
                    state.characters.add(character)
        return state

    def notify_activity(self) -> None:
        """Wake whoever waits for a request to arrive or to be answered."""
        self.activity.set()
        self.activity = asyncio.Event()

    def check_key(self, headers: Mapping[str, str], *, required: bool) -> None:
        """Raise HTTPError (401) for a wrong key, one in the other kind's header, or a missing one if `required`."""
        key = self.settings.key
        bearer = headers.get("authorization", "")
        newer = headers.get("api-key") or (bearer[7:] if bearer.lower().startswith("bearer ") else None)
        given = headers.get("x-api-key") or newer
        if given is None and not required:
            return
        if given is None:
            raise HTTPError(401, "An API key is required: send x-api-key.")
        if given.startswith("sk_") and newer is None:
            raise HTTPError(401, "Keys that begin with sk_ go into Authorization: Bearer or api-key, not x-api-key.")
        if given != key:
            raise HTTPError(401, "Invalid API key.")

    def spend(self, amount: Decimal) -> None:
        """Take credits; raises HTTPError (402) when there are too few, and then takes none."""
        if amount > self.credits:
            raise HTTPError(402, f"Not enough credits: this costs {amount}, {self.credits} are left.")
        self.credits -= amount

    def accept(self, request: ParsedRequest) -> SandboxJob:
        """Charge for a request and queue it."""
        self.spend(price(request))
        job = self.simulator.create(request, self.faults.next_faults(FaultPlace.JOB))
        self.charged.append(job.request_id)
        self._save()
        return job

    def create_character(self, prompt: str) -> Character:
        """Charge for a new character and add it to the list."""
        self.spend(CHARACTER_PRICE)
        character = self.characters.create(prompt)
        self.created.append(str(character.id))
        self._save()
        return character

    def _save(self) -> None:
        if self.state_file is None:
            return
        try:
            self.state_file.save(self.credits, tuple(self.simulator.jobs.values()), self.characters.created)
        except OSError as problem:
            # Charged and queued all the same, and served until the end of this run. Reported once.
            self.state_file = None
            sys.stderr.write(f"sandbox: jobs are no longer remembered: {problem.strerror or repr(problem)}.\n")

    def result_url(self, job: SandboxJob, *, lifetime_seconds: float) -> str:
        """A freshly signed link to the job's file, or the one that is to be handed over again."""
        if job.request_id in self.repeated_links:
            return self.repeated_links.pop(job.request_id)
        path = self.signer.path_of(job)
        return f"{self.cdn_url}{path}?{self.signer.sign(path, self.simulator.now() + lifetime_seconds)}"

    async def delay(self, seconds: float) -> None:
        """Wait in real time, cut short when the sandbox stops."""
        self.delayed_responses += 1
        self.notify_activity()
        try:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.closing.wait(), seconds)
        finally:
            self.delayed_responses -= 1
