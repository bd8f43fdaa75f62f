"""A traceback that nobody here means to print, folded into the one line that says what it was; the log has the rest."""

from __future__ import annotations

import re
from collections.abc import Iterator

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
