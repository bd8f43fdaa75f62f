"""The app in a pseudo-terminal, on a data folder of the test's making and against a sandbox."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import httpx

from eternal_tui.api.models import GenerateRequest
from eternal_tui.core.sanitize import UntrustedText
from eternal_tui.history.history import History
from eternal_tui.jobs.model import Job, JobState, to_record
from tests.terminal.pseudo_terminal import ROOT, PseudoTerminal

APP_COMMAND = (sys.executable, "-m", "eternal_tui")
UNREACHABLE_URL = "http://127.0.0.1:9"
"""Nothing listens there, so a test that sends nothing needs no service."""


def make_environ(
    home: Path, url: str = UNREACHABLE_URL, key: str = "sk-0123456789abcdef0123", **more: str
) -> dict[str, str]:
    return {
        "HOME": str(home),
        "PATH": os.environ["PATH"],
        "TERM": "xterm-256color",
        "COLORTERM": "truecolor",
        "LANG": "C.UTF-8",
        "ETERNAL_TUI_DATA_DIR": str(home / "data"),
        "ETERNAL_TUI_BASE_URL": url,
        "ETERNALAI_API_KEY": key,
        "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
        "PYTHONPATH": str(ROOT),
        **more,
    }


def start_app(
    home: Path,
    environ: dict[str, str] | None = None,
    *,
    columns: int = 120,
    rows: int = 40,
    command: Sequence[str] = APP_COMMAND,
) -> PseudoTerminal:
    return PseudoTerminal(command, environ or make_environ(home), columns=columns, rows=rows)


def record_running_jobs(home: Path, url: str, key: str, count: int) -> list[str]:
    """Order `count` pictures and record them as an earlier run would have left them; return their request ids."""
    now = time.time()
    with httpx.Client(base_url=url, headers={"x-api-key": key}, verify=False) as client:
        body = {"images": ["6870"], "prompt": "At sea", "type": "image"}
        ids = [
            str(client.post("/v2/base/generate", json=body).raise_for_status().json()["request_id"])
            for _ in range(count)
        ]
    history = History.open(home / "data")
    history.add_many(
        to_record(
            Job(
                id=0,
                request=GenerateRequest(character="6870", prompt=f"At sea, number {number}", type="image"),
                state=JobState.RUNNING,
                created_at=now - 1,
                submitted_at=now - 1,
                request_id=request_id,
                name=UntrustedText("Astrid"),
                service="loopback",
                owner="gone",
            )
        )
        for number, request_id in enumerate(ids)
    )
    history.close(compact=True)
    return ids
