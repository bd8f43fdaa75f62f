"""Commands run in this process, and the bytes they write."""

from __future__ import annotations

import io
import re

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
    """Return what a terminal must not get, except the program's own sequences.

    A hostile sequence of that form is found by comparison with the twin, which has signs in its place.
    """
    return FORBIDDEN_BYTES_PATTERN.findall(_OWN_SEQUENCES_PATTERN.sub(b"", written))
