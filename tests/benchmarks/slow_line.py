"""What the app is like over a slow line: a terminal at the end of 256 kbit/s, 150 ms there and back.

What is written is read at once, and counts from when such a line would have brought it.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from tests.benchmarks.row import Row, row
from tests.benchmarks.shown_lines import ShownLines
from tests.media.files import encode_image, make_image
from tests.terminal.pseudo_terminal import PseudoTerminal
from tests.terminal.stage import make_environ, start_app

SSH = {"SSH_CONNECTION": "192.0.2.1 5022 192.0.2.2 22", "ETERNAL_TUI_IMAGES": "blocks"}
LINK_BYTES = 256_000 / 8
LINK_DELAY = 0.15
READ_AT_ONCE = 640
"""Bytes: 20 ms of the line, the most by which a moment is noted late."""
QUIET = 0.7
"""Seconds without a byte after which a picture counts as drawn."""

PICTURE = "000199-tomas.jpg"


def picture_of(number: int) -> bytes:
    """Return the result of a job of `full_history`, which says how many bytes it has."""
    return encode_image(make_image(768, 1024), "JPEG").ljust(91_000 + number, b"\0")


"""The file of the last job but one of a history of 200."""


def slow_line(folder: Path) -> Iterator[Row]:
    """A terminal at the end of 256 kbit/s, with half a round trip of 150 ms before every key and behind its answer."""
    home = folder / "200"
    results = home / "data" / "results"
    results.mkdir(parents=True, exist_ok=True)
    (results / PICTURE).write_bytes(picture_of(199))
    with start_app(home, make_environ(home, **SSH)) as terminal:
        terminal.reply_delay_seconds, terminal.link_bytes_per_second, terminal.read_chunk_bytes = (
            LINK_DELAY,
            LINK_BYTES,
            READ_AT_ONCE,
        )
        got = _read_on(terminal, b"Take 200", 30.0)
        seconds = terminal.link_free_at - terminal.started_at + LINK_DELAY / 2
        yield row("256 kbit/s: first rows", "", seconds=round(seconds, 2), bytes=len(got))
        got = _read_on(terminal, None, 5.0)
        yield row("256 kbit/s: the rest of the start", "", bytes=len(got))
        echoes = list(_echoes(terminal, range(199, 181, -1)))
        yield row("256 kbit/s, 150 ms: key echo", "", median_ms=round(statistics.median(echoes[3:])))
        terminal.send(b"g")
        _read_on(terminal, None, 2.0)
        pictures = (("a job and its picture beside the list", b"j"), ("the picture on the whole screen", b"\r"))
        for what, key in pictures:
            first, last, size = _picture(terminal, key)
            yield row(f"256 kbit/s, 150 ms: {what}", "", first_ms=round(first), all_ms=round(last), bytes=size)
        # The answer to a key that is pressed while a picture is on its way waits for what is on the line alone.
        terminal.send(b"\x1b")
        _read_on(terminal, None, 2.0)
        terminal.send(b"\r")
        _read_on(terminal, "▀".encode(), 5.0)
        _read_on(terminal, None, terminal.link_free_at - time.perf_counter())
        begun = _press(terminal, b"\x1b")
        _read_on(terminal, b"Take 199", 5.0)
        took = _since(terminal, begun)
        yield row("256 kbit/s, 150 ms: back out of a picture that is still coming", "", ms=round(took))


def _press(terminal: PseudoTerminal, key: bytes) -> float:
    """Press a key, which takes its time over the line; return when."""
    begun = time.perf_counter()
    _read_on(terminal, None, LINK_DELAY / 2)
    terminal.send(key)
    return begun


def _since(terminal: PseudoTerminal, begun: float) -> float:
    """Return the milliseconds until all that was read has come over the line."""
    return (terminal.link_free_at - begun + LINK_DELAY / 2) * 1000


def _echoes(terminal: PseudoTerminal, numbers: Iterable[int]) -> Iterator[float]:
    """Go down; yield the milliseconds until each job stands in the line with the cursor."""
    lines = ShownLines()
    lines.feed(bytes(terminal.written))
    for number in numbers:
        fed = len(terminal.written)
        begun = _press(terminal, b"j")
        while f"Take {number}" not in lines.with_sign("▌") and time.perf_counter() - begun < 5.0:
            terminal.read(0.01)
            lines.feed(bytes(terminal.written[fed:]))
            fed = len(terminal.written)
        yield _since(terminal, begun)
        _read_on(terminal, None, 0.3)
        lines.feed(bytes(terminal.written[fed:]))


def _picture(terminal: PseudoTerminal, key: bytes) -> tuple[float, float, int]:
    """Press a key; return the milliseconds until anything came and until all had come, and the bytes."""
    begun = _press(terminal, key)
    size = len(terminal.read(5.0))
    first = _since(terminal, begun)
    while got := _read_on(terminal, None, QUIET):
        size += len(got)
    return first, _since(terminal, begun), size


def _read_on(terminal: PseudoTerminal, text: bytes | None, within: float) -> bytes:
    """Return what is written until `text` comes or time is up."""
    data, end = b"", time.perf_counter() + within
    while (left := end - time.perf_counter()) > 0 and (text is None or text not in data):
        data += terminal.read(left)
    return data
