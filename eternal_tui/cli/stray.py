"""What nobody here means to print: tracebacks of threads, warnings, the last words of libraries, each through the gate.

The interpreter writes these to `sys.stderr` by itself, with the text of an exception as it stands, and an exception
may quote what a stranger sent. Of a traceback the last line is printed; the log has all of it.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, TextIO

from eternal_tui.cli.tracebacks import Tracebacks

if TYPE_CHECKING:
    from eternal_tui.core.secret import Secret

LONGEST = 65_536
"""Characters kept waiting for the end of their line."""


class StrayLines(io.TextIOBase):
    """Stands in for the error stream: every line is gated, keys and the signatures of links hidden."""

    def __init__(self, stream: TextIO, secrets: Callable[[], Iterable[Secret]]) -> None:
        super().__init__()
        self._stream = stream
        self._secrets = secrets
        self._begun = ""
        self._tracebacks = Tracebacks()

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """The encoding of the stream behind."""
        return self._stream.encoding

    def writable(self) -> bool:
        """Tell that it can be written to."""
        return True

    def isatty(self) -> bool:
        """Tell whether the stream behind is a terminal."""
        return self._stream.isatty()

    def fileno(self) -> int:
        """Return the handle of the stream behind."""
        return self._stream.fileno()

    def write(self, text: str) -> int:
        """Print the lines that `text` ends; the rest waits for its end, or for flush."""
        # In pieces, as the interpreter writes: half a key would not be known as one.
        *whole, self._begun = (self._begun + text).split("\n")
        for line in whole:
            for told in self._tracebacks.take(line):
                self._stream.write(self._safe(told) + "\n")
        if len(self._begun) > LONGEST:
            self.flush()
        elif whole:
            self._stream.flush()
        return len(text)

    def flush(self) -> None:
        """Print what waits, whether its line has ended or not."""
        begun, self._begun = self._begun, ""
        # Asked for at the interpreter's end too, when the reader of a pipe may be gone.
        with contextlib.suppress(ValueError):
            for told in self._tracebacks.end():
                self._stream.write(self._safe(told) + "\n")
            if begun:
                self._stream.write(self._safe(begun))
            self._stream.flush()

    def _safe(self, line: str) -> str:
        if not line:
            return line
        from eternal_tui.core.logging import Redactor
        from eternal_tui.core.sanitize import shown

        redactor = Redactor()
        for secret in self._secrets():
            redactor.hide(secret)
        return shown(redactor.clean(line))
