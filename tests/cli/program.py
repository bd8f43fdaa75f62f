"""The program as tests run it: in this process, or as a process of its own, against a sandbox in a thread."""

from __future__ import annotations

import asyncio
import io
import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from copy import copy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import msgspec

from eternal_tui.api.models import GenerateRequest
from eternal_tui.cli.main import run
from eternal_tui.history.history import History
from eternal_tui.jobs.model import Job, to_record
from eternal_tui.sandbox.server import Sandbox
from eternal_tui.sandbox.settings import SandboxSettings
from tests.canary import SIGNATURE_PATTERN

ROOT = Path(__file__).resolve().parents[2]

GENERATE = ("generate", "--character", "6870", "--prompt", "At sea")

FAST_SETTINGS = SandboxSettings(
    key="canary-of-the-suite-0123", seed=7, speed=100.0, image_size=(96, 128), video_size=(64, 96), video_fps=8,
    avatar_size=(32, 32), slow_seconds=600.0, retry_after="0.1",
)  # fmt: skip
"""A sandbox whose jobs end in a tenth of a second, and whose slow answers do not come within a test."""

TIMEOUT_SECONDS = 60.0
"""Seconds a test waits for something to happen: it only ends what hangs, however busy the machine is."""


class RunResult(msgspec.Struct):
    """Output and exit code of a run."""

    code: int
    out: str
    err: str

    @property
    def json_objects(self) -> list[dict[str, Any]]:
        """The JSON objects printed, one a line."""
        return [json.loads(line) for line in self.out.splitlines()]


class Program:
    """The command line with one data folder and one service."""

    def __init__(self, folder: Path, base_url: str, key: str) -> None:
        self.data_dir = folder / "data"
        self.environ = {
            "HOME": str(folder), "PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1",
            "XDG_CONFIG_HOME": str(folder / "config"), "ETERNAL_TUI_DATA_DIR": str(self.data_dir),
            "ETERNAL_TUI_BASE_URL": base_url, "ETERNALAI_API_KEY": key,
            "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring", "PYTHONPATH": str(ROOT),
            "TERM": "xterm-256color",
        }  # fmt: skip

    def run(self, *arguments: str, stdin: str = "", environ: Mapping[str, str | None] | None = None) -> RunResult:
        """Run in this process; None in `environ` takes a variable away."""
        given = io.TextIOWrapper(io.BytesIO(stdin.encode()), encoding="utf-8")
        out, err = io.StringIO(), io.StringIO()
        with given:
            code = run(arguments, self.environ_with(environ), given, out, err)
        return self._assert_no_secrets(RunResult(code, out.getvalue(), err.getvalue()), environ)

    def _assert_no_secrets(self, result: RunResult, environ: Mapping[str, str | None] | None) -> RunResult:
        """Return what was printed, whatever the test is about, only where no key and no signed link is in it."""
        key = self.environ_with(environ).get("ETERNALAI_API_KEY", "")
        assert len(key) < 8 or key not in result.out + result.err
        assert SIGNATURE_PATTERN.search((result.out + result.err).encode()) is None
        return result

    def environ_with(self, changes: Mapping[str, str | None] | None) -> dict[str, str]:
        """Return the environment with these changes."""
        merged: dict[str, str | None] = {**self.environ, **(changes or {})}
        return {name: value for name, value in merged.items() if value is not None}

    def with_environ(self, changes: Mapping[str, str]) -> Program:
        """Return the same program with these variables in addition."""
        other = copy(self)
        other.environ = {**self.environ, **changes}
        return other

    @contextmanager
    def start_process(
        self, *arguments: str, environ: Mapping[str, str | None] | None = None, **options: Any
    ) -> Iterator[subprocess.Popen[bytes]]:
        """Run as a process of its own, killed at the end of the block if it still runs."""
        names = ("stdout", "stderr")
        streams: dict[str, Any] = {"stdin": subprocess.DEVNULL, **dict.fromkeys(names, subprocess.PIPE), **options}
        command = [sys.executable, "-m", "eternal_tui", *arguments]
        with subprocess.Popen(command, env=self.environ_with(environ), **streams) as process:
            try:
                yield process
            finally:
                if process.poll() is None:
                    process.kill()

    def run_process(
        self, *arguments: str, environ: Mapping[str, str | None] | None = None, **options: Any
    ) -> RunResult:
        """Run as a process of its own, to its end."""
        with self.start_process(*arguments, environ=environ, **options) as process:
            out, err = process.communicate(timeout=TIMEOUT_SECONDS)
        return self._assert_no_secrets(RunResult(process.returncode, (out or b"").decode(), err.decode()), environ)

    @property
    def config_file(self) -> Path:
        """The user's configuration, which may not exist."""
        return Path(self.environ["XDG_CONFIG_HOME"]) / "eternal-tui" / "config.toml"

    def write_config(self, text: str) -> None:
        """Write the user's configuration."""
        self.config_file.parent.mkdir(parents=True, exist_ok=True)
        self.config_file.write_text(text)

    @contextmanager
    def open_history(self) -> Iterator[History]:
        history = History.open(self.data_dir)
        try:
            yield history
        finally:
            history.close(compact=False)

    def records(self) -> list[dict[str, Any]]:
        """Every record, newest first."""
        with self.open_history() as history:
            return [record for _, record in history.find_all()]

    def add_jobs(self, *jobs: Job) -> list[int]:
        """Write jobs into the history, as an earlier run would have."""
        with self.open_history() as history:
            for job in jobs:
                name = job.file or ""
                # A hostile name leads out of the folder: no file is made for it.
                if (
                    re.fullmatch(r"\w[\w-]{0,63}\.\w+", name, re.ASCII)
                    and not (path := history.folder / "results" / name).exists()
                ):
                    path.parent.mkdir(exist_ok=True)
                    path.write_bytes(bytes(job.file_info.bytes if job.file_info is not None else 1))
            return history.add_many([to_record(job) for job in jobs])

    def add_fast_jobs(self) -> None:
        """Add jobs that took a third of a second, so that the next ones are polled early."""
        self.add_jobs(*(a_job(created_at=1000.0 + number, ended_after=0.3) for number in range(8)))


def a_job(*, created_at: float = 1000.0, ended_after: float | None = None, **fields: Any) -> Job:
    """Return a job of the past: running, or succeeded so many seconds after it was made."""
    request = fields.pop("request", None) or GenerateRequest(character="6870", prompt="At sea", type="image")
    ended: dict[str, Any] = {"state": "running"}
    if ended_after is not None:
        ended = {
            "state": "succeeded", "progress": 100, "file": "0000001.jpg", "file_state": "saved",
            "finished_at": created_at + ended_after,
        }  # fmt: skip
    facts = {"request_id": f"past-{created_at}", "service": "loopback", "submitted_at": created_at, **ended, **fields}
    return msgspec.convert(
        {"id": 0, "request": msgspec.to_builtins(request), "created_at": created_at, **facts}, Job, strict=False
    )


def write_script(path: Path, text: str) -> Path:
    """Write an executable shell script."""
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o700)
    return path


@contextmanager
def threaded_sandbox(settings: SandboxSettings = FAST_SETTINGS) -> Iterator[Sandbox]:
    """Serve on a thread of its own, so that the program may own this one."""
    ready = threading.Event()
    held: list[Any] = []

    async def serve() -> None:
        stop = asyncio.Event()
        async with Sandbox(settings) as sandbox:
            held.extend((sandbox, asyncio.get_running_loop(), stop))
            ready.set()
            await stop.wait()

    thread = threading.Thread(target=lambda: asyncio.run(serve()), name="sandbox")
    thread.start()
    assert ready.wait(TIMEOUT_SECONDS)
    sandbox, loop, stop = held
    try:
        yield sandbox
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(TIMEOUT_SECONDS)


@contextmanager
def json_server(body: bytes, status: int = 200, *, post_status: int | None = None) -> Iterator[str]:
    """Serve the same JSON answer to every GET and POST, a POST with the status `post_status`; the address."""

    class Answer(BaseHTTPRequestHandler):
        def answer(self) -> None:
            self.rfile.read(int(self.headers.get("content-length", 0)))
            self.send_response(post_status if post_status and self.command == "POST" else status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = answer  # noqa: N815 - as the base class calls them

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, name="answers")
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join(TIMEOUT_SECONDS)


def wait_until(condition: Callable[[], object]) -> None:
    end = time.monotonic() + TIMEOUT_SECONDS
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.01)
