"""Expected errors as exit codes and sentences, and unexpected output on stderr, sanitized."""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, TextIO

from eternal_tui.cli.context import CommandError, Context
from eternal_tui.cli.exit_codes import ExitCode
from eternal_tui.cli.output import OutputError
from eternal_tui.core.sanitize import SafeText, format_safe, join_safe, sanitize

if TYPE_CHECKING:
    from eternal_tui.core.secret import Secret


_PAID_COMMANDS = frozenset({"generate", "retry", "again", "create-character"})
_UNSENT_CODES = frozenset({ExitCode.USAGE, ExitCode.KEY_ERROR, ExitCode.UNREACHABLE})


def describe_error(error: Exception, context: Context) -> tuple[int, SafeText] | None:
    """Return exit code and sentence, or None for an internal error."""
    found = _describe(error, context)
    if found is None or context.arguments.command not in _PAID_COMMANDS:
        return found
    code, sentence = found
    if isinstance(error, OutputError):
        return code, join_safe(" ", sentence, SafeText("What was sent is in the history; see `eternal-tui jobs`."))
    if code in _UNSENT_CODES and "othing was sent" not in sentence:
        return code, join_safe(" ", sentence, SafeText("Nothing was sent."))
    return found


def _describe(error: Exception, context: Context) -> tuple[int, SafeText] | None:
    if isinstance(error, CommandError):
        return error.exit_code, sanitize(str(error))
    if isinstance(error, OutputError):
        return ExitCode.FAILED, format_safe("Cannot write the output: {why}.", why=error)
    # Imported only after an error.
    from eternal_tui.api.models import InvalidRequest
    from eternal_tui.config import SettingsError
    from eternal_tui.config.credentials import ApiKeyError
    from eternal_tui.history.errors import HistoryError
    from eternal_tui.jobs.errors import InvalidJobState, JobNotFound, NoApiKey, SubmitRejected
    from eternal_tui.media.errors import LinkRejected, ResultError
    from eternal_tui.sandbox.launch import DemoStartError

    if isinstance(error, ApiKeyError | NoApiKey):
        return ExitCode.KEY_ERROR, sanitize(str(error))
    if isinstance(error, SettingsError | InvalidRequest | SubmitRejected | JobNotFound | InvalidJobState):
        return ExitCode.USAGE, sanitize(str(error))
    if isinstance(error, HistoryError):
        folder = context.settings.data_dir
        return ExitCode.USAGE, format_safe("{error} The data folder is {folder}.", error=error, folder=folder)
    if isinstance(error, ResultError):
        # Only `fetch --url` raises it: an address that is never followed is invalid input.
        return ExitCode.USAGE if type(error) is LinkRejected else ExitCode.FAILED, sanitize(str(error))
    if isinstance(error, DemoStartError):
        return ExitCode.UNREACHABLE, sanitize(str(error))
    return None


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


class TracebackCollapser:
    """Replaces tracebacks by one line; the log gets them whole."""

    def __init__(self) -> None:
        self._preamble: list[str] = []
        self._lines: list[str] = []
        self._just_collapsed = False

    def feed(self, line: str) -> Iterator[str]:
        """Yield the lines to print after this line."""
        if self._lines:
            if len(self._lines) < MAX_TRACEBACK_LINES:
                self._lines.append(line)
            # The error itself is the first line that is not indented.
            if line and not line[0].isspace():
                yield self._summarize(line)
        elif begins := _TRACEBACK_PATTERN.search(line):
            # Behind what was begun without an end of its own.
            if begun := line[: begins.start()]:
                yield begun
            self._lines = [*self._take_preamble(), begins[0]]
        elif self._just_collapsed and (not line or _CHAINING_PATTERN.fullmatch(line)):
            # Separates an error from the one it caused.
            return
        elif _PREAMBLE_PATTERN.fullmatch(line):
            self._preamble.append(line)
        else:
            self._just_collapsed = False
            yield from self._take_preamble()
            yield line

    def flush(self) -> Iterator[str]:
        """Yield what is left to print."""
        if self._lines:
            yield self._summarize(self._lines[-1].strip())
        yield from self._take_preamble()

    def _take_preamble(self) -> list[str]:
        heads, self._preamble = self._preamble, []
        return heads

    def _summarize(self, error: str) -> str:
        import logging

        lines, self._lines, self._just_collapsed = self._lines, [], True
        if not logging.getLogger("eternal_tui").handlers:
            return f"eternal-tui: internal error: {error}"
        logging.getLogger("eternal_tui.stray").error("\n".join(lines))
        return f"eternal-tui: internal error, see log: {error}"


MAX_PARTIAL_LINE_CHARS = 65_536
"""Characters buffered until the end of their line."""


class SanitizedStderr(io.TextIOBase):
    """A stderr whose lines are sanitized, without keys and signatures of URLs."""

    def __init__(self, stream: TextIO, secrets: Callable[[], Iterable[Secret]]) -> None:
        super().__init__()
        self._stream = stream
        self._secrets = secrets
        self._partial_line = ""
        self._collapser = TracebackCollapser()

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
            for shown in self._collapser.feed(line):
                self._stream.write(self._sanitize_line(shown) + "\n")
        if len(self._partial_line) > MAX_PARTIAL_LINE_CHARS:
            self.flush()
        elif whole:
            self._stream.flush()
        return len(text)

    def flush(self) -> None:
        """Print what waits, whether its line has ended or not."""
        begun, self._partial_line = self._partial_line, ""
        # Also called at interpreter exit, when the reader of a pipe may be gone.
        with contextlib.suppress(ValueError):
            for shown in self._collapser.flush():
                self._stream.write(self._sanitize_line(shown) + "\n")
            if begun:
                self._stream.write(self._sanitize_line(begun))
            self._stream.flush()

    def _sanitize_line(self, line: str) -> str:
        if not line:
            return line
        from eternal_tui.core.logging import Redactor
        from eternal_tui.core.sanitize import sanitize

        redactor = Redactor()
        for secret in self._secrets():
            redactor.add_secret(secret)
        return sanitize(redactor.redact(line))
