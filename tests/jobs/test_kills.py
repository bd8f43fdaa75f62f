"""kill -9 of real processes in the middle of submits, results, the queue, deletions and compaction.

Two at a time on one folder, each killed at its own moment: the program's own commands, and a worker at the program's
own wiring for what no command does: many submits at once, deletions, creations of characters. The service counts.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from eternal_tui.history.history import History
from eternal_tui.sandbox.server import Sandbox
from tests.cli.program import FAST_SETTINGS, ROOT, TIMEOUT_SECONDS, threaded_sandbox, wait_until
from tests.history.faults import UnsyncedFileSystem

UNCERTAIN_STATES = ("submitting", "unconfirmed")
PAID_PATHS = ("/v2/base/generate", "/v2/character/create")
COMMANDS = {
    "generate": ["generate", "--character", "6870", "--prompt", "-", "--json"],
    "queue": ["generate", "--character", "6870", "--prompt", "-", "--json", "--queue", "--yes"],
    "run": ["queue", "run", "--yes"],
    "move": ["queue", "move", "last", "first"],
    "watch": ["watch", "--json"],
}
PROCESS_KINDS = (*COMMANDS, "worker", "worker", "worker", "generate", "queue", "run", "run")


class ChildProcess:
    """One process and the lines it has printed so far."""

    def __init__(self, arguments: list[str], environ: dict[str, str], stdin: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=ROOT,
            env=environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self.process.stdin is not None
        self.process.stdin.write(stdin)
        self.process.stdin.close()
        self.lines: list[str] = []
        self._changed = threading.Condition()
        self._is_finished = False
        self._reader = threading.Thread(target=self._read, name="process")
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self._changed:
                self.lines.append(line)
                self._changed.notify_all()
        with self._changed:
            self._is_finished = True
            self._changed.notify_all()

    def kill(self, *, lines: int, seconds: float, after: float) -> bool:
        """Kill it `after` seconds behind that much output, or a timeout; return whether it was still running."""
        with self._changed:
            self._changed.wait_for(lambda: self._is_finished or len(self.lines) >= lines, seconds)
            # The moment of the kill is to fall anywhere, not only behind a line that was just printed.
            self._changed.wait_for(lambda: self._is_finished, after)
        self.process.kill()
        self._reader.join(TIMEOUT_SECONDS)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return self.process.wait(TIMEOUT_SECONDS) == -signal.SIGKILL

    def reported_jobs(self) -> Iterator[tuple[str, int, str]]:
        """Yield what it said of which job: "shown" or "deleting", the job, and its id at the service."""
        for line in self.lines:
            if not line.endswith("\n") or line[0] not in "[{":
                continue
            words = json.loads(line)
            if isinstance(words, dict):
                words = ["shown", words["id"], words["request_id"]]
            if words[1]:
                yield words[0], words[1], words[2] or ""


class KilledDataDir:
    """One data folder under attack, and the part of the sandbox's account that belongs to it."""

    def __init__(self, path: Path, sandbox: Sandbox, seed: int) -> None:
        self.path = path
        self.sandbox = sandbox
        self.rng = random.Random(seed)
        self.shown_request_ids: dict[int, str] = {}
        self.deleting_request_ids: dict[int, str] = {}
        self._charged_before = len(sandbox.charged)
        self._created_before = len(sandbox.created)
        self._posts_before = self._count_posts()
        self._environ = {
            "PATH": os.environ["PATH"],
            "HOME": str(path.parent),
            "XDG_CONFIG_HOME": str(path.parent / "config"),
            "ETERNAL_TUI_DATA_DIR": str(path),
            "ETERNAL_TUI_BASE_URL": sandbox.api_url,
            "ETERNALAI_API_KEY": sandbox.key,
            "PYTHONPATH": str(ROOT),
            "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
        }

    @property
    def charged(self) -> list[str]:
        return self.sandbox.charged[self._charged_before :]

    @property
    def created(self) -> list[str]:
        return self.sandbox.created[self._created_before :]

    @property
    def posts(self) -> int:
        return self._count_posts() - self._posts_before

    def _count_posts(self) -> int:
        return sum(call.method == "POST" and call.path in PAID_PATHS for call in self.sandbox.requests)

    def run_and_kill(self) -> int:
        """Let two processes work together, kill each at its moment, and return how many died of it."""
        kinds = [self.rng.choice(PROCESS_KINDS) for _ in range(2)]
        processes = [self._start(kind) for kind in kinds]
        killed = 0
        for kind, process in zip(kinds, processes, strict=True):
            # By the clock some die before they have done anything, and those that print little are reached.
            by_clock = kind in ("watch", "run", "move") or self.rng.random() < 0.2
            killed += process.kill(
                lines=self.rng.randrange(1, 40),
                seconds=self.rng.uniform(0.2, 1.0) if by_clock else 5.0,
                after=self.rng.random() * 0.02,
            )
        _all_is_heard(self.sandbox)
        for process in processes:
            for what, job_id, request_id in process.reported_jobs():
                reported = self.shown_request_ids if what == "shown" else self.deleting_request_ids
                reported[job_id] = request_id or reported.get(job_id, "")
        return killed

    def _start(self, kind: str) -> ChildProcess:
        if kind == "worker":
            seed = str(self.rng.randrange(1 << 30))
            return ChildProcess(
                ["-m", "tests.jobs.worker", str(self.path), self.sandbox.api_url, seed], self._environ, ""
            )
        prompts = ""
        if kind in ("generate", "queue"):
            # An unclear answer ends a batch, so most of them have none.
            faults = ["", *["fault:failed"] * 2, *[""] * 27, self.rng.choice(["", "fault:lost-answer", "fault:500"])]
            prompts = "".join(f"At sea {self.rng.getrandbits(64)} {self.rng.choice(faults)}\n" for _ in range(60))
        return ChildProcess(["-m", "eternal_tui", *COMMANDS[kind]], self._environ, prompts)

    def records(self) -> dict[int, dict[str, Any]]:
        history = History.open(self.path, fs=UnsyncedFileSystem())
        records = dict(history.find_all())
        alarming = [notice for notice in history.notices if "cut short" not in notice]
        history.close(compact=self.rng.random() < 0.3)
        assert not alarming
        return records

    def check_records(self) -> None:
        """Hold the folder against what was said, sent and charged."""
        records = self.records()
        for job_id, request_id in self.shown_request_ids.items():
            if job_id not in self.deleting_request_ids:
                assert records[job_id].get("request_id") == request_id or not request_id, "an id that was shown is gone"
        known = {record.get("request_id") for record in records.values()} | set(self.deleting_request_ids.values())
        made = {record["request"]["character"] for record in records.values() if _is_creation(record)}
        unclear = [record for record in records.values() if record["state"] in UNCERTAIN_STATES]
        in_doubt = sum(map(_is_creation, unclear))
        unknown = [request_id for request_id in self.charged if request_id not in known]
        assert len(unknown) <= len(unclear) - in_doubt, "a charge that nothing tells of"
        assert len([one for one in self.created if one not in made]) <= in_doubt, "a character that nothing tells of"
        sent = Counter(job.request.prompt for job in self.sandbox.state.jobs.values())
        assert max(sent.values(), default=1) == 1, "a request was sent twice"
        queued = {record["request"]["prompt"] for record in records.values() if record["state"] == "queued"}
        assert not queued & sent.keys(), "sent, and still queued"
        assert self.posts <= len(set(records) | set(self.deleting_request_ids)), "a request that no intent tells of"


def _all_is_heard(sandbox: Sandbox) -> None:
    """Wait until the service has read all requests of the killed processes: they would count for the next ones."""
    # Connections are accepted in order: when this one is, no other is waiting.
    assert httpx.get(f"{sandbox.api_url}/v2/characters", verify=False).status_code == 200
    wait_until(lambda: not any(port.busy for port in sandbox._listeners))


def _is_creation(record: dict[str, Any]) -> bool:
    return bool(record["request"]["type"] == "character")


def _kill_repeatedly(path: Path, sandbox: Sandbox, kills: int, seed: int) -> None:
    """Kill so often, two by two, and look at everything after each two."""
    folder = KilledDataDir(path, sandbox, seed)
    killed = 0
    while killed < kills:
        killed += folder.run_and_kill()
        folder.check_records()
    posts = folder.posts
    assert folder.charged
    # A process that only looks sends nothing.
    folder.records()
    assert folder.posts == posts


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with threaded_sandbox(msgspec.structs.replace(FAST_SETTINGS, image_size=(16, 16))) as sandbox:
        yield sandbox


@pytest.mark.parametrize("seed", range(5))
def test_processes_killed_at_any_moment_account_for_every_charge(tmp_path: Path, sandbox: Sandbox, seed: int) -> None:
    """Ten kills of fifty."""
    _kill_repeatedly(tmp_path / "data", sandbox, 10, seed)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(100, 120))
def test_a_thousand_kills(tmp_path: Path, sandbox: Sandbox, seed: int) -> None:
    """Fifty to a folder."""
    _kill_repeatedly(tmp_path / "data", sandbox, 50, seed)
