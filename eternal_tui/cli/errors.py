"""Trouble that was foreseen: which exit code it calls for, and the sentence a person is told."""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, TextIO

from eternal_tui.cli.context import Invocation, Refused
from eternal_tui.cli.exit_codes import Exit
from eternal_tui.cli.output import OutputLost
from eternal_tui.core.sanitize import Shown, say, shown

if TYPE_CHECKING:
    from eternal_tui.core.secret import Secret


def foreseen(error: Exception, invocation: Invocation) -> tuple[int, Shown] | None:
    """Return exit code and sentence, or None for what is a defect of the program."""
    if isinstance(error, Refused):
        return error.code, shown(str(error))
    if isinstance(error, OutputLost):
        return Exit.FAILED, say(
            "The output could not be written: {why}. What was sent stands in the history; `eternal-tui jobs` lists it.",
            why=error,
        )
    # Imported only when something went wrong: a verb that goes well needs few of them.
    from eternal_tui.api.models import InvalidRequest
    from eternal_tui.config import SettingsError
    from eternal_tui.config.credentials import KeyProblem
    from eternal_tui.history.errors import HistoryError
    from eternal_tui.jobs.errors import NoKey, NoSuchJob, NotPossible, SubmitRefused
    from eternal_tui.sandbox.launch import DemoStartError

    if isinstance(error, KeyProblem | NoKey):
        return Exit.KEY, shown(str(error))
    if isinstance(error, SettingsError | InvalidRequest | SubmitRefused | NoSuchJob | NotPossible):
        return Exit.USAGE, shown(str(error))
    if isinstance(error, HistoryError):
        folder = invocation.settings.data_dir
        unsent = " Nothing was sent." if invocation.arguments.verb == "generate" else ""
        return Exit.USAGE, say(
            "{error}{unsent} The data folder is {folder}.", error=error, unsent=unsent, folder=folder
        )
    if isinstance(error, DemoStartError):
        return Exit.UNREACHABLE, shown(str(error))
    return None


_TRACEBACK = re.compile(r"[ +|]*(?:Exception Group )?Traceback \(most recent call last\):$")
_HEAD = re.compile(
    r"Exception (?:in|ignored in)\b.*|Task exception was never retrieved|Unhandled exception in event loop"
    r"|(?:future|handle|task|transport|protocol|context|object|message): .*"
)
_BETWEEN = re.compile(
    r"(?:During handling of the above exception, another exception occurred"
    r"|The above exception was the direct cause of the following exception):"
)

MOST = 400
"""Lines of one traceback that are kept for the log."""


class Tracebacks:
    """Takes lines one by one, and gives back those that are to be printed."""

    def __init__(self) -> None:
        self._heads: list[str] = []
        self._lines: list[str] = []
        self._folded = False

    def take(self, line: str) -> Iterator[str]:
        """Yield what to print now that this line has come."""
        if self._lines:
            if len(self._lines) < MOST:
                self._lines.append(line)
            # The error itself is the first line that is not indented.
            if line and not line[0].isspace():
                yield self._told(line)
        elif begins := _TRACEBACK.search(line):
            # Behind what was begun without an end of its own.
            if begun := line[: begins.start()]:
                yield begun
            self._lines = [*self._heads_alone(), begins[0]]
        elif self._folded and (not line or _BETWEEN.fullmatch(line)):
            # What stands between an error and the one it led to.
            return
        elif _HEAD.fullmatch(line):
            self._heads.append(line)
        else:
            self._folded = False
            yield from self._heads_alone()
            yield line

    def end(self) -> Iterator[str]:
        """Yield what to print where no more comes for now."""
        if self._lines:
            yield self._told(self._lines[-1].strip())
        yield from self._heads_alone()

    def _heads_alone(self) -> list[str]:
        heads, self._heads = self._heads, []
        return heads

    def _told(self, error: str) -> str:
        import logging

        lines, self._lines, self._folded = self._lines, [], True
        if not logging.getLogger("eternal_tui").handlers:
            return f"eternal-tui: a defect was met: {error}"
        logging.getLogger("eternal_tui.stray").error("\n".join(lines))
        return f"eternal-tui: a defect was met, the log says more: {error}"


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
