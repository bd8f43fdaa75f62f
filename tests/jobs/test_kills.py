"""kill -9 of a real process in the middle of submits, results, deletions and folds, against a service that keeps count.

Kept beside the enumeration of crash points under the history, which proves more: this is the whole of it at once.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest

from eternal_tui.history.history import History
from eternal_tui.sandbox.server import Sandbox
from tests.cli.program import QUICK, ROOT, sandbox_in_a_thread
from tests.history.faults import SwiftFiles

UNCLEAR = ("submitting", "unconfirmed")


def _start(folder: Path, sandbox: Sandbox, seed: int) -> subprocess.Popen[str]:
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder.parent),
        "ETERNALAI_API_KEY": sandbox.key,
        "PYTHONPATH": str(ROOT),
        "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
    }
    return subprocess.Popen(
        [sys.executable, "-m", "tests.jobs.worker", str(folder), sandbox.api_url, str(seed)],
        cwd=ROOT,
        env=environ,
        stdout=subprocess.PIPE,
        text=True,
    )


def _run_and_kill(folder: Path, sandbox: Sandbox, choose: random.Random) -> list[tuple[str, int, str]]:
    """Let a process work for a random while, kill it, and return all that it said."""
    worker = _start(folder, sandbox, choose.randrange(1 << 30))
    assert worker.stdout is not None
    said: list[tuple[str, int, str]] = []
    while not said or said[-1][0] != "ready":
        said.append(tuple(json.loads(worker.stdout.readline())))
    said += [tuple(json.loads(worker.stdout.readline())) for _ in range(choose.randrange(25))]
    # The moment of the kill is to fall anywhere, not only behind a line that was just said.
    time.sleep(choose.random() * 0.02)
    worker.kill()
    said += [tuple(json.loads(line)) for line in worker.stdout.read().splitlines() if line.endswith("]")]
    worker.stdout.close()
    worker.wait()
    return said


def _kill(folder: Path, rounds: int, seed: int) -> int:
    """Kill so often, hold the folder against what was said and charged after each, and return the charges in all."""
    choose = random.Random(seed)
    shown: dict[int, str] = {}
    deleting: dict[int, str] = {}
    with sandbox_in_a_thread(msgspec.structs.replace(QUICK, seed=seed, still_size=(16, 16))) as sandbox:
        for _ in range(rounds):
            for what, job_id, request_id in _run_and_kill(folder, sandbox, choose):
                if what != "ready":
                    (shown if what == "shown" else deleting)[job_id] = request_id
            history = History.open(folder, files=SwiftFiles())
            records = dict(history.find_all())
            alarming = [notice for notice in history.notices if "cut short" not in notice]
            history.close(fold=False)
            assert not alarming
            for job_id, request_id in shown.items():
                if job_id not in deleting:
                    assert records[job_id]["request_id"] == request_id, "an id the screen has shown is gone"
            known = {record.get("request_id") for record in records.values()} | set(deleting.values())
            unclear = [record for record in records.values() if record["state"] in UNCLEAR]
            unknown = [request_id for request_id in sandbox.charged if request_id not in known]
            assert len(unknown) <= len(unclear), "a charge that nothing tells of"
            assert len(sandbox.posts) <= len(set(records) | set(deleting)), "a request that no intent tells of"
        charged = len(sandbox.charged)
        posts = len(sandbox.posts)
        assert len(sandbox.downloads) >= 1
        final = History.open(folder, files=SwiftFiles())
        # A process that only looks sends nothing.
        final.close(fold=True)
        assert len(sandbox.posts) == posts
    return charged


def test_a_process_killed_at_any_moment_accounts_for_every_charge(tmp_path: Path) -> None:
    """Four kills. Seen to fail with an id shown before it is on disk, and with a POST before its intent."""
    assert _kill(tmp_path / "data", 4, seed=3) >= 4


@pytest.mark.long
@pytest.mark.parametrize("seed", range(20))
def test_a_thousand_kills(tmp_path: Path, seed: int) -> None:
    """Fifty to a folder."""
    assert _kill(tmp_path / "data", 50, seed=100 + seed) >= 50
