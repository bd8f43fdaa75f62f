"""Commands run in this process: the bytes they write, and services whose answers hold a stranger's words."""

from __future__ import annotations

import io
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from eternal_tui.cli.main import run
from eternal_tui.cli.output import ERROR_COLOR, STATE_COLORS
from tests.cli.program import Program
from tests.security.drawn import FORBIDDEN_BYTES_PATTERN

_COLORS = "|".join(map(str, (0, ERROR_COLOR, *STATE_COLORS.values())))
_OWN_SEQUENCES_PATTERN = re.compile(rf"\r\x1b\[K|\x1b\[(?:{_COLORS})m".encode())
"""What takes a moving line away, and the colours of states and of an error's first word."""


class TtyTextIO(io.TextIOWrapper):
    """A stream of bytes that is a terminal."""

    def isatty(self) -> bool:
        return True


def command_output(program: Program, arguments: tuple[str, ...], stream_type: type[io.TextIOWrapper]) -> bytes:
    """Return what a command wrote on both streams, as it would leave the process."""
    out, err = (stream_type(io.BytesIO(), encoding="utf-8", errors="replace", write_through=True) for _ in range(2))
    code = run(arguments, program.environ, io.StringIO(), out, err)
    assert code != 70, err.buffer.getvalue()  # type: ignore[attr-defined]
    written: bytes = out.buffer.getvalue() + b"\n" + err.buffer.getvalue()  # type: ignore[attr-defined]
    return written.replace(str(program.data_dir).encode(), b"DATA")


def forbidden_bytes(written: bytes) -> list[bytes]:
    """Return what a terminal must not be given, beside the program's own sequences.

    A hostile sequence of that form is found by comparison with the twin, which has signs in its place.
    """
    return FORBIDDEN_BYTES_PATTERN.findall(_OWN_SEQUENCES_PATTERN.sub(b"", written))


class _FixedAnswer(BaseHTTPRequestHandler):
    """Answers a GET with `body`, and refuses a POST with `message`."""

    body = b""
    message = ""

    def do_GET(self) -> None:
        self._answer(200, self.body)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self._answer(400, json.dumps({"status": False, "error": self.message}).encode())

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def fixed_service(body: bytes = b"") -> Iterator[tuple[str, type[_FixedAnswer]]]:
    """Yield the URL of a service that answers every GET with `body`, and what its `message` to a POST is set on."""
    answer = type("Answer", (_FixedAnswer,), {"body": body})
    with ThreadingHTTPServer(("127.0.0.1", 0), answer) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}", answer
        finally:
            server.shutdown()
            thread.join()
