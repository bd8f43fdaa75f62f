"""A real Chromium driven through its debugging pipe: opens a file, answers questions, records what it asks for."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

CHROMIUM_PATH = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
OPTIONS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-dev-shm-usage",
    "--autoplay-policy=no-user-gesture-required", "--remote-debugging-pipe",
)  # fmt: skip


class Page:
    """One page. A null byte ends each command and each answer."""

    def __init__(self, commands: IO[bytes], answers: IO[bytes]) -> None:
        self._commands, self._answers = commands, answers
        self._message_id = 0
        self._session: dict[str, str] = {}
        self.requested_urls: list[str] = []
        self.log_messages: list[str] = []
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        self._session = {"sessionId": self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]}
        for domain in ("Network", "Page", "Log"):
            self.send(f"{domain}.enable")

    def send(self, method: str, **params: Any) -> dict[str, Any]:
        self._message_id += 1
        message = {"id": self._message_id, "method": method, "params": params, **self._session}
        self._commands.write(json.dumps(message).encode() + b"\0")
        while (answer := self._read()).get("id") != self._message_id:
            params = answer.get("params", {})
            if answer.get("method") == "Network.requestWillBeSent":
                self.requested_urls.append(params["request"]["url"])
            elif answer.get("method") == "Log.entryAdded":
                self.log_messages.append(params["entry"]["text"])
        result: dict[str, Any] = answer["result"]
        return result

    def _read(self) -> dict[str, Any]:
        data = b"".join(iter(lambda: self._answers.read(1), b"\0"))
        answer: dict[str, Any] = json.loads(data)
        return answer

    def evaluate(self, expression: str) -> Any:
        """Return what a JavaScript expression comes to; the page's own policy does not bind the debugger."""
        answer = self.send("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")


@contextmanager
def open_in_chromium(path: Path, profile: Path) -> Iterator[Page]:
    (in_read, in_write), (out_read, out_write) = os.pipe(), os.pipe()
    # The shell puts the pipes on the descriptors 3 and 4, where the browser looks for them; it becomes the browser.
    command = f'exec "$@" 3<&{in_read} 4>&{out_write}'
    arguments = ["/bin/bash", "-c", command, "chromium", str(CHROMIUM_PATH), *OPTIONS, f"--user-data-dir={profile}"]
    quiet = subprocess.DEVNULL
    with (
        os.fdopen(in_write, "wb", buffering=0) as commands,
        os.fdopen(out_read, "rb") as answers,
        subprocess.Popen(arguments, pass_fds=(in_read, out_write), stdout=quiet, stderr=quiet) as process,
    ):
        os.close(in_read)
        os.close(out_write)
        try:
            page = Page(commands, answers)
            page.send("Page.navigate", url=path.as_uri())
            is_loaded = "document.readyState == 'complete' ? done(1) : addEventListener('load', () => done(1))"
            page.evaluate(f"new Promise(done => {is_loaded})")
            yield page
        finally:
            process.terminate()
