"""Starts the sandbox as a process of its own, for the demo; only the standard library is imported here."""

from __future__ import annotations

import asyncio
import contextlib
import json
import select
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

READY_TIMEOUT_SECONDS = 15.0
_STOP_TIMEOUT_SECONDS = 2.0
_MAX_READY_LINE_BYTES = 4096
STATE_FILE_NAME = "sandbox.json"
"""File in a demo's data folder that holds the sandbox's jobs for the next run."""

_KEY_VARIABLES = ("ETERNALAI_API_KEY", "ETERNAL_AI_API_KEY")


class DemoStartError(Exception):
    """The demo's service did not start; the message says why."""


class DemoService:
    """A sandbox in a child process; it ends when this process closes it or dies.

    `api_url`, `cdn_url` and `key`, which it accepts, are known once it is ready.
    """

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self.api_url = self.cdn_url = self.key = ""

    def wait_ready_blocking(self, timeout_seconds: float = READY_TIMEOUT_SECONDS) -> Self:
        """Wait for the ready line; raises DemoStartError, and leaves no child, when none comes in time."""
        if self.api_url:
            return self
        try:
            ready = json.loads(self._read_ready_line(timeout_seconds))
            self.api_url, self.cdn_url, self.key = (str(ready[name]) for name in ("api_url", "cdn_url", "key"))
        except (DemoStartError, ValueError, KeyError, TypeError) as problem:
            self.close()
            raise DemoStartError(f"The demo's service did not start: {problem}") from problem
        return self

    async def wait_ready(self, timeout_seconds: float = READY_TIMEOUT_SECONDS) -> Self:
        """As wait_ready_blocking, in a thread."""
        return await asyncio.to_thread(self.wait_ready_blocking, timeout_seconds)

    def _read_ready_line(self, timeout_seconds: float) -> bytes:
        output = self.process.stdout
        if output is None or not select.select([output], [], [], timeout_seconds)[0]:
            raise DemoStartError("it said nothing in time.")
        # The child writes the line at once.
        line = output.readline(_MAX_READY_LINE_BYTES)
        if not line:
            raise DemoStartError(f"it ended with code {self.process.wait(_STOP_TIMEOUT_SECONDS)}.")
        return line

    def kill(self) -> None:
        """End the child at once, from any thread. What it remembers is on disk: it is written with each request."""
        self.process.kill()

    def close(self, grace_seconds: float = _STOP_TIMEOUT_SECONDS) -> None:
        """End the child and wait for it, `grace_seconds` seconds before it is killed; harmless when called again."""
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                with contextlib.suppress(BrokenPipeError):
                    stream.close()
        if self.process.poll() is None:
            self.process.terminate()
        try:
            self.process.wait(grace_seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def __enter__(self) -> Self:
        """Wait until it is ready."""
        return self.wait_ready_blocking()

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        """End the child."""
        self.close()


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
        # The demo must not be able to spend, nor to show what could.
        env={name: value for name, value in environ.items() if name not in _KEY_VARIABLES},
        start_new_session=True,
    )
    return DemoService(process)
