"""A real Chromium driven through its debugging pipe: opens a file, answers questions, notes what it asks for."""

from __future__ import annotations

import json
import os
import select
import shutil
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Any, Self

CHROMIUM_PATH = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
TIMEOUT_SECONDS = 60.0


class Chromium:
    """One page. Commands go in on file descriptor 3 and answers come out on 4, a null byte after each."""

    def __init__(self, profile: Path) -> None:
        assert CHROMIUM_PATH is not None
        self._in_read, self._in_write = os.pipe()
        self._out_read, self._out_write = os.pipe()
        command = [
            CHROMIUM_PATH, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-dev-shm-usage",
            "--autoplay-policy=no-user-gesture-required", "--remote-debugging-pipe", f"--user-data-dir={profile}",
        ]  # fmt: skip
        # The shell puts the pipes where the browser looks for them; it becomes the browser.
        line = f'exec "$@" 3<&{self._in_read} 4>&{self._out_write}'
        self._process = subprocess.Popen(
            ["/bin/bash", "-c", line, "chromium", *command],
            pass_fds=(self._in_read, self._out_write),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(self._in_read)
        os.close(self._out_write)
        self._message_id = 0
        self._buffer = b""
        self.requested_urls: list[str] = []
        self.log_messages: list[str] = []
        target = self.send_command("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.send_command("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Network", "Page", "Log"):
            self.send_page_command(f"{domain}.enable")

    def send_command(self, method: str, session: str | None = None, **params: Any) -> dict[str, Any]:
        self._message_id += 1
        message: dict[str, Any] = {"id": self._message_id, "method": method, "params": params}
        if session is not None:
            message["sessionId"] = session
        os.write(self._in_write, json.dumps(message).encode() + b"\0")
        while True:
            found = self._read_message()
            if found.get("id") == self._message_id:
                assert "error" not in found, found
                result: dict[str, Any] = found["result"]
                return result
            self._record_event(found)

    def send_page_command(self, method: str, **params: Any) -> dict[str, Any]:
        return self.send_command(method, self._session, **params)

    def open(self, path: Path) -> None:
        self.send_page_command("Page.navigate", url=path.as_uri())
        self.evaluate(
            "new Promise(done => document.readyState == 'complete' ? done(1) : addEventListener('load', () => done(1)))"
        )

    def evaluate(self, expression: str) -> Any:
        """Return what a JavaScript expression of ours comes to; the page's own policy does not bind the debugger."""
        found = self.send_page_command("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def _read_message(self) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            assert select.select([self._out_read], [], [], TIMEOUT_SECONDS)[0], "the browser does not answer"
            chunk = os.read(self._out_read, 1 << 16)
            assert chunk, "the browser went away"
            self._buffer += chunk
        message, _, self._buffer = self._buffer.partition(b"\0")
        found: dict[str, Any] = json.loads(message)
        return found

    def _record_event(self, event: dict[str, Any]) -> None:
        params = event.get("params", {})
        if event.get("method") == "Network.requestWillBeSent":
            self.requested_urls.append(params["request"]["url"])
        elif event.get("method") == "Log.entryAdded":
            self.log_messages.append(params["entry"]["text"])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._process.terminate()
        self._process.wait(timeout=TIMEOUT_SECONDS)
        os.close(self._in_write)
        os.close(self._out_read)
