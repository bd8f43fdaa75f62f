"""What a verb prints: only gated text and JSON of ASCII, each line flushed, results apart from remarks."""

from __future__ import annotations

import json
import math
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TextIO

from eternal_tui.core.sanitize import Shown, shown
from eternal_tui.core.text_width import cut

PROGRAM = "eternal-tui"

_SURROGATES = re.compile("[\ud800-\udfff]")


class OutputLost(Exception):
    """What was to be printed could not be, as on a full disk; a reader that went away is a BrokenPipeError."""


@contextmanager
def printing() -> Iterator[None]:
    """Turn the errors of writing to standard output into OutputLost."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OutputLost(error.strerror or type(error).__name__) from error


class Streams:
    """Standard input, output and error of one run. Results go to the output, everything else to the error stream."""

    def __init__(self, stdin: TextIO, stdout: TextIO, stderr: TextIO, environ: Mapping[str, str]) -> None:
        self.stdin = stdin
        self.stdout = stdout
        self.stderr = stderr
        self._environ = environ
        self._progress = ""
        self._told: set[str] = set()

    @property
    def width(self) -> int | None:
        """Columns of the terminal that the output is; None off a terminal, where lines may have any length."""
        return shutil.get_terminal_size().columns if is_terminal(self.stdout) else None

    @property
    def shows_progress(self) -> bool:
        """Whether there is a terminal to keep a moving line on."""
        return is_terminal(self.stderr) and not self._dumb

    @property
    def _dumb(self) -> bool:
        return self._environ.get("TERM", "dumb") == "dumb"

    def line(self, text: Shown) -> None:
        """Print one line of result; raises OutputLost."""
        with printing():
            self._write(self.stdout, text + "\n")

    def json(self, value: Mapping[str, Any]) -> None:
        """Print one JSON object on a line of its own, in ASCII, safe at any terminal; raises OutputLost."""
        with printing():
            self._write(self.stdout, json_text(value) + "\n")

    def error(self, sentence: Shown) -> None:
        """Tell what went wrong."""
        self._write(self.stderr, f"{PROGRAM}: {sentence}\n")

    def note(self, sentence: Shown) -> None:
        """Tell something worth knowing."""
        self._write(self.stderr, sentence + "\n")

    def notices(self, sentences: Iterable[str]) -> None:
        """Tell what the history has to say, each sentence once."""
        for sentence in sentences:
            if sentence not in self._told:
                self._told.add(sentence)
                self.note(shown(sentence))

    def progress(self, text: Shown) -> None:
        """Replace the moving line where it changed; does nothing where there is no terminal for it."""
        if not self.shows_progress:
            return
        line = cut(text, shutil.get_terminal_size().columns - 1)
        if line != self._progress:
            self.stderr.write(f"\r\x1b[K{line}")
            self.stderr.flush()
            self._progress = line

    def end_progress(self) -> None:
        """Take the moving line away."""
        if self._progress:
            self._progress = ""
            self.stderr.write("\r\x1b[K")
            self.stderr.flush()

    def _write(self, stream: TextIO, text: str) -> None:
        self.end_progress()
        stream.write(text)
        stream.flush()


def is_terminal(stream: TextIO) -> bool:
    """Tell whether the stream is a terminal; a closed one is not."""
    try:
        return stream.isatty()
    except (ValueError, OSError):
        return False


def json_text(value: Mapping[str, Any]) -> str:
    """Return `value` as JSON of printable ASCII; what JSON has no word for becomes null or a replacement sign."""
    # JSON leaves DEL alone, the one control character among ASCII that it does not escape.
    return json.dumps(_plain(value), ensure_ascii=True, allow_nan=False).replace("\x7f", "\\u007f")


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        return _SURROGATES.sub("\N{REPLACEMENT CHARACTER}", value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {_plain(str(name)): _plain(held) for name, held in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(held) for held in value]
    return value
