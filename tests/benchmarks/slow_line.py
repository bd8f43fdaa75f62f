"""What the app is like over a slow line: a terminal read at 256 kbit/s, 150 ms there and back."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from tests.benchmarks.row import Row, row
from tests.benchmarks.shown_lines import ShownLines
from tests.media.files import encoded, picture
from tests.terminal.pseudo_terminal import PseudoTerminal
from tests.terminal.stage import app, environ_for

SSH = {"SSH_CONNECTION": "192.0.2.1 5022 192.0.2.2 22"}
LINK_BYTES = 256_000 / 8
LINK_DELAY = 0.15
QUIET = 0.7
"""Seconds without a byte after which a picture counts as drawn."""

PICTURE = "000199-tomas.jpg"
"""The file of the last job but one of a history of 200."""


def slow_line(folder: Path) -> Iterator[Row]:
    """A terminal read at 256 kbit/s, with half a round trip of 150 ms before every key."""
    home = folder / "200"
    results = home / "data" / "results"
    results.mkdir(parents=True, exist_ok=True)
    (results / PICTURE).write_bytes(encoded(picture(768, 1024), "JPEG"))
    with app(home, environ_for(home, **SSH)) as terminal:
        terminal.answer_after = LINK_DELAY
        begun = time.perf_counter()
        got = read_slowly(terminal, b"Take 200", 30.0)
        yield row("256 kbit/s: first rows", "", seconds=round(time.perf_counter() - begun, 2), bytes=got)
        got = read_slowly(terminal, None, 5.0)
        yield row("256 kbit/s: the rest of the start", "", bytes=got)
        echoes = list(_echoes_slowly(terminal, range(199, 181, -1)))
        yield row("256 kbit/s, 150 ms: key echo", "", median_ms=round(statistics.median(echoes[3:])))
        terminal.send(b"g")
        read_slowly(terminal, None, 2.0)
        pictures = (("a job and its picture beside the list", b"j"), ("the picture on the whole screen", b"\r"))
        for what, key in pictures:
            first, last, size = _picture_slowly(terminal, key)
            yield row(f"256 kbit/s, 150 ms: {what}", "", first_ms=round(first), all_ms=round(last), bytes=size)
        # The answer to a key that is pressed while a picture is on its way waits for what is on the line alone.
        terminal.send(b"\x1b")
        read_slowly(terminal, None, 2.0)
        terminal.send(b"\r")
        read_slowly(terminal, "▀".encode(), 5.0)
        took = _press_slowly(terminal, b"\x1b", "Take 199")
        yield row("256 kbit/s, 150 ms: back out of a picture that is still coming", "", ms=round(took))


def _echoes_slowly(terminal: PseudoTerminal, numbers: Iterable[int]) -> Iterator[float]:
    """Go down; yield the milliseconds until each job stands in the line with the cursor."""
    lines = ShownLines()
    fed = 0
    for number in numbers:
        begun = time.perf_counter()
        time.sleep(LINK_DELAY / 2)
        terminal.send(b"j")
        while f"Take {number}" not in lines.with_sign("▌") and time.perf_counter() - begun < 5.0:
            read_slowly(terminal, None, 0.01)
            lines.feed(bytes(terminal.written[fed:]))
            fed = len(terminal.written)
        yield (time.perf_counter() - begun + LINK_DELAY / 2) * 1000
        read_slowly(terminal, None, 0.3)


def _press_slowly(terminal: PseudoTerminal, key: bytes, text: str) -> float:
    begun = time.perf_counter()
    time.sleep(LINK_DELAY / 2)
    terminal.send(key)
    read_slowly(terminal, text.encode(), 5.0)
    taken = (time.perf_counter() - begun + LINK_DELAY / 2) * 1000
    read_slowly(terminal, None, 0.3)
    return taken


def _picture_slowly(terminal: PseudoTerminal, key: bytes) -> tuple[float, float, int]:
    """Press a key; return the milliseconds until anything came and until all had come, and the bytes."""
    begun = time.perf_counter()
    time.sleep(LINK_DELAY / 2)
    terminal.send(key)
    size = read_slowly(terminal, b"\x1b", 5.0)
    first = last = time.perf_counter()
    while got := read_slowly(terminal, None, QUIET):
        size, last = size + got, time.perf_counter()
    return (first - begun + LINK_DELAY / 2) * 1000, (last - QUIET - begun + LINK_DELAY / 2) * 1000, size


def read_slowly(terminal: PseudoTerminal, text: bytes | None, within: float) -> int:
    """Read no faster than the line until `text` comes or time is up; return the bytes."""
    data = b""
    begun = time.perf_counter()
    while time.perf_counter() - begun < within and (text is None or text not in data):
        terminal.read_at_once = 640
        data += terminal.read(0.05)
        ahead = len(data) / LINK_BYTES - (time.perf_counter() - begun)
        if ahead > 0:
            time.sleep(ahead)
    return len(data)
