"""Starts the sandbox as a process of its own, for the demo; only the standard library is imported here."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

READY_TIMEOUT_SECONDS = 15.0
_STOP_TIMEOUT_SECONDS = 2.0
_MAX_READY_LINE_BYTES = 4096
STATE_FILE_NAME = "sandbox.json"
"""The file in a demo's data folder by which the sandbox goes on with the jobs of the last run."""

_KEY_VARIABLES = ("ETERNALAI_API_KEY", "ETERNAL_AI_API_KEY")


class DemoStartError(Exception):
    """The demo's service did not come up; the text says why."""


class DemoService:
    """A sandbox in a child process; it ends when this process closes it or dies."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self._ready: dict[str, str] = {}

    @property
    def api_url(self) -> str:
        """Base URL of the API; known once ready."""
        return self._ready_field("api_url")

    @property
    def cdn_url(self) -> str:
        """Base URL of the CDN; known once ready."""
        return self._ready_field("cdn_url")

    @property
    def key(self) -> str:
        """The key it accepts; known once ready."""
        return self._ready_field("key")

    @property
    def pid(self) -> int:
        """Process id of the child."""
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Return whether the child is alive."""
        return self._process.poll() is None

    def _ready_field(self, name: str) -> str:
        if not self._ready:
            raise DemoStartError("The demo's service is not ready yet.")
        return self._ready[name]

    def wait_ready_blocking(self, timeout_seconds: float = READY_TIMEOUT_SECONDS) -> Self:
        """Wait for the ready line; raises DemoStartError, and leaves no child, when none comes in time."""
        if self._ready:
            return self
        try:
            ready = json.loads(self._read_ready_line(time.monotonic() + timeout_seconds))
            self._ready = {name: str(ready[name]) for name in ("api_url", "cdn_url", "key")}
        except (DemoStartError, ValueError, KeyError, TypeError) as problem:
            self.close()
            raise DemoStartError(f"The demo's service did not start: {problem}") from problem
        return self

    async def wait_ready(self, timeout_seconds: float = READY_TIMEOUT_SECONDS) -> Self:
        """As wait_ready_blocking, in a thread."""
        await asyncio.to_thread(self.wait_ready_blocking, timeout_seconds)
        return self

    def _read_ready_line(self, deadline: float) -> bytes:
        if self._process.stdout is None:
            raise DemoStartError("its output is not connected.")
        descriptor = self._process.stdout.fileno()
        line = b""
        while not line.endswith(b"\n"):
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([descriptor], [], [], left)[0]:
                raise DemoStartError("it said nothing in time.")
            part = os.read(descriptor, _MAX_READY_LINE_BYTES)
            if not part:
                raise DemoStartError(f"it ended with code {self._process.wait(_STOP_TIMEOUT_SECONDS)}.")
            line += part
            if len(line) > _MAX_READY_LINE_BYTES:
                raise DemoStartError("its first line is too long.")
        return line

    def kill(self) -> None:
        """End the child at once, from any thread. What it remembers is on disk: it is written with each request."""
        self._process.kill()

    def close(self, grace_seconds: float = _STOP_TIMEOUT_SECONDS) -> None:
        """End the child and wait for it, `grace_seconds` seconds before it is killed; harmless when called again."""
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with contextlib.suppress(BrokenPipeError):
                    stream.close()
        if self._process.poll() is None:
            self._process.terminate()
        try:
            self._process.wait(grace_seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def __enter__(self) -> Self:
        """Wait until it is ready."""
        return self.wait_ready_blocking()

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        """End the child."""
        self.close()


def _environ_without_keys(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment without keys; the demo must not be able to spend, nor to show what could."""
    return {name: value for name, value in environ.items() if name not in _KEY_VARIABLES}


def launch_demo(
    *,
    environ: Mapping[str, str],
    speed: float = 1.0,
    seed: int | None = None,
    state_file: Path | None = None,
    options: Sequence[str] = (),
) -> DemoService:
    """Start the child and return at once.

    With ``state_file`` it goes on where the last demo with that file ended; ``options`` are further options of the
    sandbox command.
    """
    command = [sys.executable, "-m", "eternal_tui.sandbox", "--until-stdin-closes", "--speed", str(speed)]
    if seed is not None:
        command += ["--seed", str(seed)]
    if state_file is not None:
        command += ["--state", str(state_file)]
    process = subprocess.Popen(  # noqa: S603 - this package, run by this interpreter
        [*command, *options],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=_environ_without_keys(environ),
        start_new_session=True,
    )
    return DemoService(process)
