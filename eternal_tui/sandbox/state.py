"""The state shared by both ports of a sandbox: jobs and their progress, credits, signed links, and their file."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import hashlib
import hmac
import math
import os
import random
import sys
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from pathlib import Path

import msgspec
from starlette.exceptions import HTTPException

from eternal_tui.core.files import write_atomic
from eternal_tui.sandbox.characters import Character, create_character, default_characters
from eternal_tui.sandbox.faults import Fault, FaultPlace, FaultPlan
from eternal_tui.sandbox.render import MediaRenderer
from eternal_tui.sandbox.settings import SAMPLE_JOBS, SandboxSettings, seeded_rng
from eternal_tui.sandbox.validation import CHARACTER_PRICE, ParsedRequest, price

LAST_PENDING_PROGRESS = 98
DONE_PROGRESS = 99
_COARSE_STEP_PERCENT = 20
_NOISE_STEPS = 24


class ProgressShape(StrEnum):
    """How a job's reported progress relates to the time it has run."""

    LINEAR = "linear"
    EASED = "eased"
    COARSE = "coarse"
    NOISY = "noisy"


class SandboxJob(msgspec.Struct, omit_defaults=True):
    """One accepted request; times are seconds of the sandbox's clock."""

    request_id: str
    request: ParsedRequest = msgspec.field(name="order")
    created_at: float
    run_seconds: float = msgspec.field(name="takes")
    shape: ProgressShape
    faults: set[Fault] = msgspec.field(default_factory=set)
    ended_at: float | None = None
    polls: int = 0


def progress_at(shape: ProgressShape, share: float, noise_seed: str) -> int:
    """Progress in percent after this share (0 to 1) of the job's time; never falls as the share grows."""
    share = min(max(share, 0.0), 1.0)
    percent = share * LAST_PENDING_PROGRESS
    if shape is ProgressShape.EASED:
        percent = LAST_PENDING_PROGRESS * share * share * (3 - 2 * share)
    elif shape is ProgressShape.COARSE:
        percent = percent // _COARSE_STEP_PERCENT * _COARSE_STEP_PERCENT
    elif shape is ProgressShape.NOISY:
        rng = seeded_rng(noise_seed)
        steps = [index / _NOISE_STEPS + rng.gauss(0, 0.05) for index in range(int(share * _NOISE_STEPS) + 1)]
        percent = LAST_PENDING_PROGRESS * max(0.0, *steps)
    return min(int(percent), LAST_PENDING_PROGRESS)


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


class SandboxState:
    """Jobs, credits, characters, armed faults and the requests received; with a seed, ids and durations repeat.

    `requests` holds every request in order of arrival; `charged` the request ids that were paid for, and `created`
    those of characters; `leaks` requests that carried the key to the CDN's origin. `delayed_responses` counts
    responses delayed on purpose.
    """

    def __init__(self, settings: SandboxSettings) -> None:
        self.settings = settings
        self._rng = seeded_rng(os.urandom(16).hex() if settings.seed is None else settings.seed)
        self._clock_offset_seconds = 0.0
        self.faults = FaultPlan(settings.faults, seeded_rng(self._rng.random()))
        self.signer = LinkSigner(self._rng)
        self.renderer = MediaRenderer(settings)
        self.credits = Decimal(str(settings.credits)).quantize(Decimal("0.01"))
        self.jobs: dict[str, SandboxJob] = {}
        self.characters = default_characters()
        self._default_count = len(self.characters)
        self.requests, self.leaks = list[RecordedRequest](), list[RecordedRequest]()
        self.charged, self.created = list[str](), list[str]()
        self.closing, self.activity = asyncio.Event(), asyncio.Event()
        self.api_url = self.cdn_url = ""
        self.repeated_links: dict[str, str] = {}
        self.delayed_responses = 0
        for sample in SAMPLE_JOBS if settings.sample_jobs else ():
            request = ParsedRequest(character=sample.character, prompt=sample.prompt, kind=sample.kind)
            sent_at = self.now() - sample.age_seconds
            job = SandboxJob(sample.request_id, request, sent_at, sample.run_seconds, ProgressShape.LINEAR)
            self.jobs[job.request_id] = job
        self._state_file = settings.state_file
        if self._state_file is not None:
            self._load(self._state_file)

    def now(self) -> float:
        """Seconds since the epoch as the sandbox sees them."""
        return self.settings.clock() + self._clock_offset_seconds

    def advance(self, seconds: float) -> None:
        """Let the clock of jobs and links jump ahead."""
        self._clock_offset_seconds += seconds

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
        settings, rng = self.settings, self._rng
        median = settings.video_median_seconds if request.kind == "video" else settings.image_median_seconds
        job = SandboxJob(
            request_id=str(uuid.UUID(int=rng.getrandbits(128), version=4)),
            request=request,
            created_at=self.now(),
            run_seconds=rng.lognormvariate(math.log(median), settings.duration_sigma) / settings.speed,
            shape=rng.choice(list(ProgressShape)),
            faults=self.faults.next_faults(FaultPlace.JOB),
        )
        self.jobs[job.request_id] = job
        self.charged.append(job.request_id)
        self._save()
        return job

    def finish(self, request_id: str | None = None) -> None:
        """End one job, or every one, now."""
        for job in self.jobs.values() if request_id is None else [self.jobs[request_id]]:
            if job.ended_at is None:
                job.run_seconds = min(job.run_seconds, self.now() - job.created_at)

    def has_ended(self, job: SandboxJob) -> bool:
        """Return whether the job has ended; a stuck one never does."""
        if Fault.STUCK in job.faults:
            return False
        if job.ended_at is None and self.now() >= job.created_at + job.run_seconds:
            job.ended_at = job.created_at + job.run_seconds
        return job.ended_at is not None

    def progress(self, job: SandboxJob) -> int:
        """Percent shown for a job that has not ended."""
        passed = self.now() - job.created_at
        return progress_at(job.shape, passed / job.run_seconds if job.run_seconds > 0 else 1.0, job.request_id)

    def find_character(self, character_id: str) -> Character | None:
        """The character with this ID, written as the API writes it in ``images``."""
        return next((each for each in self.characters if str(each.id) == character_id), None)

    def create_character(self, prompt: str) -> Character:
        """Charge for a new character and add it to the list."""
        self.spend(CHARACTER_PRICE)
        character = create_character(prompt, len(self.characters))
        self.characters.append(character)
        self.created.append(str(character.id))
        self._save()
        return character

    def _load(self, path: Path) -> None:
        # An unreadable file is ignored: it belongs to a demo.
        with contextlib.suppress(OSError, msgspec.MsgspecError, InvalidOperation):
            stored = msgspec.json.decode(path.read_bytes(), type=_StoredState)
            self.credits = Decimal(stored.credits)
            self.jobs = {job.request_id: job for job in stored.jobs}
            self.characters += stored.characters

    def _save(self) -> None:
        """Write the state whole after each paid request."""
        if self._state_file is None:
            return
        jobs = list(self.jobs.values())[-MAX_JOBS:]
        try:
            stored = _StoredState(str(self.credits), jobs, self.characters[self._default_count :])
            write_atomic(self._state_file, msgspec.json.encode(stored))
        except OSError as problem:
            # Charged and queued all the same, and served until the end of this run. Reported once.
            self._state_file = None
            sys.stderr.write(f"sandbox: jobs are no longer remembered: {problem.strerror or repr(problem)}.\n")

    def result_url(self, job: SandboxJob, *, lifetime_seconds: float) -> str:
        """A freshly signed link to the job's file, or the one to be repeated."""
        if job.request_id in self.repeated_links:
            return self.repeated_links.pop(job.request_id)
        path = self.signer.path_of(job)
        return f"{self.cdn_url}{path}?{self.signer.sign(path, self.now() + lifetime_seconds)}"

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


class _StoredState(msgspec.Struct, frozen=True):
    credits: str
    jobs: list[SandboxJob]
    characters: list[Character] = []


def check_writable(path: Path) -> None:
    """Raise OSError where a state file cannot be written."""
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    probe = path.with_name(f".{path.name}.{os.getpid()}")
    probe.touch(0o600)
    probe.unlink()
