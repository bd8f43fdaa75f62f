"""The output of a command: sanitized text, ASCII JSON, remarks on stderr; and the stderr of the whole process."""

from __future__ import annotations

import contextlib
import io
import json
import math
import os
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TextIO

from eternal_tui.core.sanitize import SafeText, sanitize
from eternal_tui.core.text_width import truncate_to_width

PROGRAM = "eternal-tui"

SURROGATE_PATTERN = re.compile("[\ud800-\udfff]")


class OutputError(Exception):
    """Writing to stdout failed, as on a full disk; a closed pipe is a BrokenPipeError instead."""


@contextmanager
def translate_write_errors() -> Iterator[None]:
    """Turn the errors of writing to standard output into OutputError."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OutputError(error.strerror or type(error).__name__) from error


STATE_COLORS = {
    "saved": 32, "succeeded": 32, "created": 32, "running": 36, "submitting": 36, "fetching": 36, "queued": 36,
    "stalled": 33, "unconfirmed": 33, "lost": 33, "expired": 33, "broken": 31, "missing": 33, "failed": 31,
    "rejected": 31, "unsent": 31,
}  # fmt: skip
"""SGR foreground colours of job states."""

ERROR_COLOR = 31


class Output:
    """The streams of one run: results go to stdout, everything else to stderr. `color` is auto, always or never."""

    def __init__(self, stdin: TextIO, stdout: TextIO, stderr: TextIO, environ: Mapping[str, str]) -> None:
        self.stdin = stdin
        self.stdout = stdout
        self.stderr = stderr
        self._environ = environ
        self._progress_text = ""
        self._printed_notices: set[str] = set()
        self.color = "never"
        self.is_quiet = False

    def has_color(self, stream: TextIO) -> bool:
        """Whether colours go to the stream: by --color, then NO_COLOR, then whether it is a terminal."""
        if self.color != "auto":
            return self.color == "always"
        return is_terminal(stream) and not self._environ.get("NO_COLOR") and not self._is_dumb_terminal

    @property
    def width(self) -> int | None:
        """Columns of the terminal that the output is; None off a terminal, where lines may have any length."""
        return shutil.get_terminal_size().columns if is_terminal(self.stdout) else None

    @property
    def can_show_progress(self) -> bool:
        """Whether there is a terminal for a line that is redrawn."""
        return is_terminal(self.stderr) and not self._is_dumb_terminal and not self.is_quiet

    @property
    def can_ask(self) -> bool:
        """Whether there is a terminal to ask on."""
        return is_terminal(self.stdin) and is_terminal(self.stderr)

    @property
    def _is_dumb_terminal(self) -> bool:
        return self._environ.get("TERM", "dumb") == "dumb"

    def print_line(self, text: SafeText, *, state: str = "") -> None:
        """Print one line of result, the first `state` in it in its colour; raises OutputError."""
        shown = str(text)
        if state in STATE_COLORS and self.has_color(self.stdout):
            shown = shown.replace(state, f"\x1b[{STATE_COLORS[state]}m{state}\x1b[0m", 1)
        with translate_write_errors():
            self._write(self.stdout, shown + "\n")

    def print_text(self, text: str) -> None:
        """Print a text of any lines, each of which is sanitized; raises OutputError."""
        for line in text.splitlines():
            self.print_line(sanitize(line, limit=100_000))

    def print_json(self, value: Mapping[str, Any]) -> None:
        """Print one JSON object on a line of its own, in ASCII, safe at any terminal; raises OutputError."""
        with translate_write_errors():
            self._write(self.stdout, dump_json(value) + "\n")

    def error(self, message: SafeText) -> None:
        """Print an error."""
        name = f"\x1b[{ERROR_COLOR}m{PROGRAM}\x1b[0m" if self.has_color(self.stderr) else PROGRAM
        self._write(self.stderr, f"{name}: {message}\n")

    def info(self, message: SafeText) -> None:
        """Print a remark, unless --quiet."""
        if not self.is_quiet:
            self._write(self.stderr, message + "\n")

    def confirm(self, question: SafeText) -> bool:
        """Ask on the terminal and return whether the answer was yes; False without a terminal."""
        if not self.can_ask:
            return False
        self._write(self.stderr, f"{question} [y/N] ")
        return self.stdin.readline(100).strip().lower() in ("y", "yes")

    def print_notices(self, messages: Iterable[str]) -> None:
        """Print the notices of the history, each once."""
        for sentence in messages:
            if sentence not in self._printed_notices:
                self._printed_notices.add(sentence)
                self.info(sanitize(sentence))

    def show_progress(self, text: SafeText) -> None:
        """Redraw the progress line where it changed."""
        line = truncate_to_width(text, shutil.get_terminal_size().columns - 1)
        if line != self._progress_text:
            self.stderr.write(f"\r\x1b[K{line}")
            self.stderr.flush()
            self._progress_text = line

    def clear_progress(self) -> None:
        """Remove the progress line."""
        if self._progress_text:
            self._progress_text = ""
            self.stderr.write("\r\x1b[K")
            self.stderr.flush()

    def _write(self, stream: TextIO, text: str) -> None:
        self.clear_progress()
        stream.write(text)
        stream.flush()


def is_terminal(stream: TextIO) -> bool:
    """Whether the stream is a terminal; a closed one is not."""
    try:
        return stream.isatty()
    except (ValueError, OSError):
        return False


def dump_json(value: Mapping[str, Any]) -> str:
    """Return `value` as JSON of printable ASCII; what JSON has no word for becomes null or a replacement sign."""
    # JSON leaves DEL alone, the one control character among ASCII that it does not escape.
    return json.dumps(_to_jsonable(value), ensure_ascii=True, allow_nan=False).replace("\x7f", "\\u007f")


def _to_jsonable(value: Any) -> Any:
    if isinstance(value, str):
        return SURROGATE_PATTERN.sub("\N{REPLACEMENT CHARACTER}", value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {_to_jsonable(str(name)): _to_jsonable(held) for name, held in value.items()}
    if isinstance(value, list | tuple):
        return [_to_jsonable(held) for held in value]
    return value


_TRACEBACK_PATTERN = re.compile(r"[ +|]*(?:Exception Group )?Traceback \(most recent call last\):$")
_PREAMBLE_PATTERN = re.compile(
    r"Exception (?:in|ignored in)\b.*|Task exception was never retrieved|Unhandled exception in event loop"
    r"|(?:future|handle|task|transport|protocol|context|object|message): .*"
)
_CHAINING_PATTERN = re.compile(
    r"(?:During handling of the above exception, another exception occurred"
    r"|The above exception was the direct cause of the following exception):"
)

MAX_TRACEBACK_LINES = 400
"""Lines of one traceback that are logged."""


MAX_PARTIAL_LINE_CHARS = 65_536
"""Characters buffered until the end of their line."""


class SanitizedStderr(io.TextIOBase):
    """A stderr whose lines are sanitized, without keys and signatures of URLs.

    A traceback is one line; the log gets it whole.
    """

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self._stream = stream
        self._partial_line = ""
        self._held_lines: list[str] = []
        self._is_in_traceback = self._has_just_collapsed = False

    @property
    def encoding(self) -> str:  # type: ignore[override]  # noqa: D102 - of the base class
        return self._stream.encoding

    def writable(self) -> bool:
        """Return True."""
        return True

    def isatty(self) -> bool:
        """Whether the wrapped stream is a terminal."""
        return self._stream.isatty()

    def fileno(self) -> int:
        """Return the handle of the stream behind."""
        return self._stream.fileno()

    def write(self, text: str) -> int:
        """Print the lines that `text` ends; the rest waits for its end, or for flush."""
        # In pieces, as the interpreter writes: half a key would not be known as one.
        *whole, self._partial_line = (self._partial_line + text).split("\n")
        for line in whole:
            self._add_line(line)
        if len(self._partial_line) > MAX_PARTIAL_LINE_CHARS:
            self.flush()
        elif whole:
            self._stream.flush()
        return len(text)

    def flush(self) -> None:
        """Print what waits, whether its line has ended or not."""
        begun, self._partial_line = self._partial_line, ""
        # Also called at interpreter exit, when the reader of a pipe may have closed it.
        with contextlib.suppress(ValueError):
            if self._is_in_traceback:
                self._collapse(self._held_lines[-1].strip())
            self._print_held()
            self._print(begun, end="")
            self._stream.flush()

    def _add_line(self, line: str) -> None:
        if self._is_in_traceback:
            if len(self._held_lines) < MAX_TRACEBACK_LINES:
                self._held_lines.append(line)
            # The error itself is the first line that is not indented.
            if line and not line[0].isspace():
                self._collapse(line)
        elif begins := _TRACEBACK_PATTERN.search(line):
            # Behind what was begun without an end of its own.
            if begun := line[: begins.start()]:
                self._print(begun)
            self._held_lines.append(begins[0])
            self._is_in_traceback = True
        elif self._has_just_collapsed and (not line or _CHAINING_PATTERN.fullmatch(line)):
            # Separates an error from the one it caused.
            return
        elif _PREAMBLE_PATTERN.fullmatch(line):
            self._held_lines.append(line)
        else:
            self._has_just_collapsed = False
            self._print_held()
            self._print(line)

    def _collapse(self, error: str) -> None:
        import logging

        where = ""
        if logging.getLogger("eternal_tui").handlers:
            logging.getLogger("eternal_tui.stray").error("\n".join(self._held_lines))
            where = ", see log"
        self._held_lines.clear()
        self._is_in_traceback, self._has_just_collapsed = False, True
        self._print(f"eternal-tui: internal error{where}: {error}")

    def _print_held(self) -> None:
        for line in self._held_lines:
            self._print(line)
        self._held_lines.clear()

    def _print(self, line: str, end: str = "\n") -> None:
        if line:
            from eternal_tui.config.credentials import known_keys
            from eternal_tui.core.logging import Redactor

            line = sanitize(Redactor(known_keys(os.environ)).redact(line))
        self._stream.write(line + end)
