"""The state shared by both ports of a sandbox: jobs, credits, signed links, and the file that keeps them."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import hashlib
import hmac
import os
import random
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path

import msgspec
from starlette.exceptions import HTTPException

from eternal_tui.sandbox.characters import Character, CharacterCatalog
from eternal_tui.sandbox.faults import Fault, FaultPlace, FaultPlan
from eternal_tui.sandbox.render import MediaRenderer
from eternal_tui.sandbox.settings import SandboxSettings, seeded_rng
from eternal_tui.sandbox.simulator import JobSimulator, ProgressShape, SandboxJob
from eternal_tui.sandbox.validation import CHARACTER_PRICE, ParsedRequest, price


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

    `delayed_responses` counts responses delayed on purpose.
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
            if (stored := state.state_file.load()) is not None:
                state.credits, jobs, characters = stored
                state.simulator.jobs = {job.request_id: job for job in jobs}
                for character in characters:
                    state.characters.add(character)
        return state

    def notify_activity(self) -> None:
        """Wake those who wait for a request to arrive or to be answered."""
        self.activity.set()
        self.activity = asyncio.Event()

    def check_key(self, headers: Mapping[str, str], *, required: bool) -> None:
        """Raise HTTPException (401) for a wrong key, one in the other kind's header, or a missing one if `required`."""
        key = self.settings.key
        bearer = headers.get("authorization", "")
        newer = headers.get("api-key") or (bearer[7:] if bearer.lower().startswith("bearer ") else None)
        given = headers.get("x-api-key") or newer
        if given is None and not required:
            return
        if given is None:
            raise HTTPException(401, "An API key is required: send x-api-key.")
        if given.startswith("sk_") and newer is None:
            raise HTTPException(401, "Keys with sk_ go into Authorization: Bearer or api-key, not x-api-key.")
        if given != key:
            raise HTTPException(401, "Invalid API key.")

    def spend(self, amount: Decimal) -> None:
        """Take credits; raises HTTPException (402) when there are too few, and then takes none."""
        if amount > self.credits:
            raise HTTPException(402, f"Not enough credits: this costs {amount}, {self.credits} are left.")
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


class LinkSigner:
    """Signs paths with a secret of its own; every signature is fresh."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._secret = rng.randbytes(32)

    def path_of(self, job: SandboxJob) -> str:
        """The path of a job's file, dated by when the job was made."""
        made = datetime.fromtimestamp(job.created_at, UTC)
        prefix, suffix = ("vid", "mp4") if job.request.kind == "video" else ("img", "jpg")
        return f"/agent_data/{made:%Y/%m/%d}/{prefix}-generated-{job.request_id}_{int(made.timestamp())}.{suffix}"

    def _signature(self, path: str, expires: str, nonce: str) -> str:
        return hmac.new(self._secret, f"{path}\n{expires}\n{nonce}".encode(), hashlib.sha256).hexdigest()

    def sign(self, path: str, expires_at: float) -> str:
        """Return the query that opens ``path`` until ``expires_at`` (seconds since the epoch)."""
        expires, nonce = str(int(expires_at)), self._rng.randbytes(6).hex()
        return f"Expires={expires}&Nonce={nonce}&Signature={self._signature(path, expires, nonce)}"

    def rejection_reason(self, path: str, query: Mapping[str, str], now: float) -> str | None:
        """Why a link does not open its file, or None when it does."""
        expires, nonce = query.get("Expires", ""), query.get("Nonce", "")
        expected = self._signature(path, expires, nonce)
        if not hmac.compare_digest(expected.encode(), query.get("Signature", "").encode()):
            return "Access denied"
        if now >= int(expires):
            return "Request has expired"
        return None


MAX_JOBS = 10_000
"""Newest jobs that are saved."""

_OPEN_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW


class _StoredJob(msgspec.Struct, frozen=True):
    request_id: str
    request: ParsedRequest = msgspec.field(name="order")
    created_at: float
    run_seconds: float = msgspec.field(name="takes")
    shape: ProgressShape
    faults: tuple[Fault, ...]


class _StoredState(msgspec.Struct, frozen=True):
    credits: str
    jobs: tuple[_StoredJob, ...]
    characters: tuple[Character, ...] = ()


class StateFile:
    """A file with credits, jobs and created characters; written whole after each paid request, read at the start.

    An unreadable file is ignored: it belongs to a demo.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def load(self) -> tuple[Decimal, list[SandboxJob], tuple[Character, ...]] | None:
        """Return credits, jobs and created characters, None where there is nothing readable."""
        try:
            stored = msgspec.json.decode(self._path.read_bytes(), type=_StoredState)
            credits_left = Decimal(stored.credits)
        except (OSError, msgspec.MsgspecError, InvalidOperation):
            return None
        jobs = [
            SandboxJob(
                request_id=each.request_id,
                request=each.request,
                created_at=each.created_at,
                run_seconds=each.run_seconds,
                shape=each.shape,
                faults=set(each.faults),
            )
            for each in stored.jobs
        ]
        return credits_left, jobs, stored.characters

    def check_writable(self) -> None:
        """Raise OSError where the file cannot be written."""
        if self._path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(self._path))
        fresh = self._temporary_path()
        os.close(os.open(fresh, _OPEN_FLAGS, 0o600))
        fresh.unlink()

    def save(self, credits_left: Decimal, all_jobs: Sequence[SandboxJob], characters: Sequence[Character]) -> None:
        """Write the state of a sandbox; raises OSError."""
        newest = all_jobs[-MAX_JOBS:]
        jobs = tuple(
            _StoredJob(
                job.request_id, job.request, job.created_at, job.run_seconds, job.shape, tuple(sorted(job.faults))
            )
            for job in newest
        )
        fresh = self._temporary_path()
        with os.fdopen(os.open(fresh, _OPEN_FLAGS, 0o600), "wb") as file:
            file.write(msgspec.json.encode(_StoredState(str(credits_left), jobs, tuple(characters))))
        fresh.replace(self._path)

    def _temporary_path(self) -> Path:
        return self._path.with_name(f".{self._path.name}.{os.getpid()}")
