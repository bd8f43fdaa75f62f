"""What the app costs on a terminal: start, keys, bytes, processor time, stalls and memory."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from eternal_tui.api.models import GenerateRequest
from eternal_tui.history.history import History
from eternal_tui.jobs.model import Job, JobState, to_record
from eternal_tui.sandbox.launch import DemoService, launch_demo
from tests.benchmarks.full_history import ended_job, fill
from tests.benchmarks.netem_line import netem_line
from tests.benchmarks.row import Row, row
from tests.benchmarks.shown_lines import ShownLines
from tests.benchmarks.slow_line import SSH, slow_line
from tests.media.files import write_scene_video
from tests.terminal.pseudo_terminal import PseudoTerminal
from tests.terminal.stage import APP_COMMAND, make_environ, record_running_jobs, start_app

BARE = """
from textual.app import App
from textual.widgets import Static

class Bare(App):
    def compose(self):
        yield Static("bare app")

Bare().run()
"""
SCRIPT = Path(sys.executable).with_name("eternal-tui")
INSTALLED = (str(SCRIPT),) if SCRIPT.exists() else APP_COMMAND
"""As a user starts it, and as the peers are started."""

BUSY_APP = (sys.executable, "-m", "tests.benchmarks.busy_app")
TABLE_APP = (sys.executable, "-m", "tests.benchmarks.table_app")
RUNS = 7
PRESSES = 200
WINDOW = 30.0


def first_frame(command: tuple[str, ...], environ: Mapping[str, str], text: str) -> float:
    """Return the milliseconds until `text` stands on the terminal."""
    with PseudoTerminal(command, environ) as terminal:
        return terminal.wait_for(text, 60) * 1000


def starts(folder: Path, peers: Mapping[str, tuple[tuple[str, ...], str]]) -> Iterator[Row]:
    """Cold starts in turns, as medians and as medians of the ratios to a bare Textual app of the same turn."""
    bare = folder / "bare.py"
    bare.write_text(BARE)
    small, large = folder / "200", folder / "100000"
    fill(small / "data", 200)
    fill(large / "data", 100_000)
    commands: dict[str, tuple[tuple[str, ...], Mapping[str, str], str]] = {
        "bare Textual": ((sys.executable, str(bare)), make_environ(folder), "bare app"),
        "eternal-tui, 200 jobs": (INSTALLED, make_environ(small), "Take 200"),
        "eternal-tui, 100,000 jobs": (INSTALLED, make_environ(large), "Take 100000"),
        **{name: (command, make_environ(folder), text) for name, (command, text) in peers.items()},
    }
    for name, (command, environ, text) in list(commands.items()):
        try:
            first_frame(command, environ, text)
        except TimeoutError as error:
            if name not in peers:
                raise
            print(f"{name} shows no first frame and is left out: {str(error)[:200]}", file=sys.stderr)
            del commands[name]
    times: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(RUNS):
        for name, (command, environ, text) in commands.items():
            times[name].append(first_frame(command, environ, text))
    goals = {
        "eternal-tui, 200 jobs": "≤ 1.3 × bare, ≤ 0.3 × posting",
        "eternal-tui, 100,000 jobs": "≤ 1.5 × of 200 jobs",
    }
    for name, taken in times.items():
        ratios = {
            f"times {other}": round(statistics.median(a / b for a, b in zip(taken, times[other], strict=True)), 2)
            for other in ("bare Textual", "posting", "eternal-tui, 200 jobs")
            if other in times and other != name
        }
        yield row(f"first frame: {name}", goals.get(name, ""), ms=round(statistics.median(taken)), **ratios)


def memory_and_search(folder: Path) -> Iterator[Row]:
    """Peak memory when all is loaded, and the time a key of a search takes, at 1,000 and 100,000 jobs."""
    peaks = {}
    for count in (1_000, 100_000):
        home = folder / str(count)
        if not home.exists():
            fill(home / "data", count)
        with start_app(home) as terminal:
            terminal.wait_for(f"Take {count}")
            _let_load(terminal)
            peaks[count] = int(terminal.read_proc_status("VmHWM").split()[0]) / 1024
            keys = []
            terminal.send(b"/")
            terminal.read_until_quiet(1.5)
            for key in b"harbour":
                begun = time.perf_counter()
                terminal.send(bytes([key]))
                terminal.read(5)
                keys.append((time.perf_counter() - begun) * 1000)
                terminal.read_until_quiet(0.3)
        yield row(
            f"search as you type, {count:,} jobs",
            "≤ 50 ms",
            median_ms=round(statistics.median(keys), 1),
            most_ms=round(max(keys), 1),
        )
    yield row("peak memory, 1,000 jobs", "≤ 60 MB", mb=round(peaks[1_000], 1))
    newest = ended_job(1_000, 1_000, time.time())
    results = folder / "1000" / "data" / "results"
    results.mkdir(mode=0o700)
    write_scene_video(results / str(newest.file))
    with start_app(folder / "1000") as terminal:
        terminal.wait_for("Take 1000")
        _let_load(terminal)
        yield row(
            "the same with a clip shown",
            "≤ 60 MB",
            mb=round(int(terminal.read_proc_status("VmHWM").split()[0]) / 1024, 1),
        )
    yield row("memory a job beyond", "≤ 1.2 KB", kb=round((peaks[100_000] - peaks[1_000]) * 1024 / 99_000, 2))


def _let_load(terminal: PseudoTerminal) -> None:
    before = -1.0
    for _ in range(90):
        terminal.read_for(1.0)
        used = terminal.cpu_seconds()
        if used - before < 0.03:
            return
        before = used


@contextmanager
def running(folder: Path, count: int, **more: str) -> Iterator[tuple[DemoService, Path, dict[str, str]]]:
    """Yield a sandbox with `count` jobs that run for an hour, and a data folder that knows them."""
    with launch_demo(environ=os.environ, speed=0.01, seed=7, options=("--credits", "1000000")) as service:
        record_running_jobs(folder, service.api_url, service.key, count)
        yield service, folder, make_environ(folder, service.api_url, service.key, **more)


def keys(folder: Path) -> Iterator[Row]:
    """From a press of j or k to the first byte of its paint, idle and with 200 changes a second."""
    ours: dict[tuple[int, int], float] = {}
    with running(folder, 1_000) as (_, home, environ):
        for columns, rows in ((80, 24), (200, 60)):
            medians = {}
            for busy in (0, 200):
                with start_app(
                    home, {**environ, "BUSY": str(busy)}, columns=columns, rows=rows, command=BUSY_APP
                ) as terminal:
                    terminal.wait_for("At sea, number 999", keep=True)
                    _let_load_for(terminal, 5.0)
                    taken = sorted(_echoes(terminal, PRESSES))
                medians[busy] = statistics.median(taken)
                yield row(
                    f"key to paint, {columns}×{rows}, {busy} changes a second",
                    "p50 ≤ 15, p99 ≤ 60 ms" + (", ≤ 1.5 × idle" if busy else ""),
                    p50_ms=round(medians[busy], 1),
                    p99_ms=round(taken[int(len(taken) * 0.99)], 1),
                    times_idle=round(medians[busy] / medians[0], 2),
                )
            ours[columns, rows] = medians[200]
    yield from _table_keys(ours, folder)


def _let_load_for(terminal: PseudoTerminal, seconds: float) -> None:
    terminal.read_for(seconds)


def _echoes(terminal: PseudoTerminal, presses: int) -> Iterator[float]:
    """Go up and down again and again; yield the milliseconds until each job stands in the line with the cursor."""
    lines = ShownLines()
    lines.feed(bytes(terminal.written))
    for key, text in _ways(presses, b"j", b"k"):
        lines.feed(terminal.read_for(0.03))
        begun = time.perf_counter()
        terminal.send(key)
        while text not in lines.with_sign("▌") and time.perf_counter() - begun < 2.0:
            lines.feed(terminal.read(1.0))
        yield (time.perf_counter() - begun) * 1000


def _table_echoes(terminal: PseudoTerminal, presses: int) -> Iterator[float]:
    """The same where a line is written whole when it is chosen, and has no sign then."""
    for key, text in _ways(presses, b"\x1b[B", b"\x1b[A"):
        terminal.read_for(0.03)
        begun = time.perf_counter()
        terminal.send(key)
        data = b""
        while text.encode() not in data and time.perf_counter() - begun < 2.0:
            data += terminal.read(1.0)
        yield (time.perf_counter() - begun) * 1000


def _ways(presses: int, down: bytes, up: bytes) -> Iterator[tuple[bytes, str]]:
    number = 999
    for press in range(presses):
        falls = press % 40 < 20
        number += -1 if falls else 1
        yield (down if falls else up), f"number {number}"


def _table_keys(ours: Mapping[tuple[int, int], float], folder: Path) -> Iterator[Row]:
    """The same keys in Textual's own table of a thousand rows, with as many changes."""
    for size, ours_ms in ours.items():
        environ = {**make_environ(folder), "BUSY": "200"}
        with start_app(folder, environ, columns=size[0], rows=size[1], command=TABLE_APP) as terminal:
            terminal.wait_for("number 999")
            terminal.read_for(2.0)
            taken = sorted(_table_echoes(terminal, PRESSES // 4))
        yield row(
            f"the same in a DataTable, {size[0]}×{size[1]}, 200 changes a second",
            "",
            p50_ms=round(statistics.median(taken), 1),
            p99_ms=round(taken[int(len(taken) * 0.99)], 1),
            times_ours=round(statistics.median(taken) / ours_ms, 1),
        )


def output_and_load(folder: Path) -> Iterator[Row]:
    """Bytes a second and share of a core while jobs run, and the stalls of the event loop."""
    for count, cpu_goal in ((20, 3), (200, 12), (1_000, 40)):
        home = folder / f"running-{count}"
        with running(home, count) as (_, _, environ):
            stalls = folder / f"stalls-{count}"
            with start_app(home, {**environ, "STALLS": str(stalls)}, command=BUSY_APP) as terminal:
                terminal.wait_for(f"number {count - 1}")
                terminal.read_for(12.0)
                used = terminal.cpu_seconds()
                written = len(terminal.read_for(WINDOW))
                used = terminal.cpu_seconds() - used
                stalls.with_suffix(".go").touch()
                terminal.read_for(WINDOW)
                # Read before the app ends: it then waits a tenth of a second for its keyboard's thread.
                stalled = _stalls(f"{count} jobs run", stalls)
            yield row(
                f"processor, {count} jobs run", f"≤ {cpu_goal} % of a core", percent=round(used / WINDOW * 100, 1)
            )
            yield stalled
            if count == 20:
                yield row("bytes a second, 20 jobs progress", "≤ 2,500", bytes=round(written / WINDOW))
    home = folder / "running-ssh"
    with running(home, 20, **SSH) as (_, _, environ):
        for more, what, goal, ssh in (
            ({}, "bytes a second over SSH", "≤ 1,000", True),
            ({"BUSY": "20"}, "bytes a second, each of 20 jobs moves on every second, over SSH", "≤ 1,000", True),
            ({"BUSY": "20"}, "bytes a second, each of 20 jobs moves on every second", "≤ 2,500", False),
        ):
            about = {name: value for name, value in environ.items() if ssh or name not in SSH}
            with start_app(home, {**about, **more}, command=BUSY_APP) as terminal:
                terminal.wait_for("number 19")
                terminal.read_for(12.0)
                yield row(what, goal, bytes=round(len(terminal.read_for(WINDOW)) / WINDOW))
    with start_app(folder / "200") as terminal:
        terminal.wait_for("Take 200")
        terminal.read_for(8.0)
        yield row("bytes a second, nothing runs", "0", bytes=round(len(terminal.read_for(WINDOW)) / WINDOW, 1))
    stalls = folder / "stalls-loading"
    stalls.with_suffix(".go").touch()
    with start_app(
        folder / "100000", {**make_environ(folder / "100000"), "STALLS": str(stalls)}, command=BUSY_APP
    ) as terminal:
        terminal.wait_for("Take 100000")
        terminal.read_for(WINDOW)
        stalled = _stalls("100,000 jobs are read behind the first rows", stalls)
    yield stalled


def _stalls(when: str, path: Path) -> Row:
    late = json.loads(path.read_text())
    return row(
        f"loop stalls, {when}",
        "p99 ≤ 10, most ≤ 60 ms",
        p99_ms=round(late["p99"], 1),
        most_ms=round(late["most"], 1),
        own_work_at_most_ms=round(late["own"], 1),
    )


def generates(folder: Path) -> Iterator[Row]:
    """The verb as a whole process, with few jobs in the history and with many."""
    taken: dict[int, list[float]] = {100: [], 100_000: []}
    fill(folder / "100" / "data", 100)
    with launch_demo(environ=os.environ, speed=1.0, seed=7, options=("--credits", "1000000")) as service:
        for _ in range(RUNS):
            for count, times in taken.items():
                environ = make_environ(folder / str(count), service.api_url, service.key)
                command = [*APP_COMMAND, "generate", "--prompt", "At sea", "--character", "6870"]
                begun = time.perf_counter()
                subprocess.run(command, env=environ, check=True, capture_output=True, stdin=subprocess.DEVNULL)
                times.append((time.perf_counter() - begun) * 1000)
    ratio = statistics.median(many / few for few, many in zip(taken[100], taken[100_000], strict=True))
    yield row(
        "generate at 100,000 jobs",
        "≤ 1.3 × of at 100",
        ms=round(statistics.median(taken[100_000])),
        times=round(ratio, 2),
    )


def queue_keys(folder: Path) -> Iterator[Row]:
    """From a press of K to the first byte of its paint with 10,000 queued requests, and what it writes to the disk."""
    request = GenerateRequest(character="6870", prompt="At sea", type="image")
    queued = Job(id=0, request=request, state=JobState.QUEUED, created_at=time.time())
    history = History.open(folder / "data")
    history.add_many([to_record(queued)] * 10_000)
    history.close(compact=True)
    taken = []
    with start_app(folder, make_environ(folder), columns=80, rows=24) as terminal:
        terminal.wait_for("not sent yet", keep=True)
        _let_load_for(terminal, 5.0)
        journal = folder / "data" / "history.journal"
        size = journal.stat().st_size
        for _ in range(PRESSES // 4):
            terminal.read_for(0.15)
            begun = time.perf_counter()
            terminal.send(b"K")
            terminal.read(2.0)
            taken.append((time.perf_counter() - begun) * 1000)
        terminal.read_for(0.5)
        written = journal.stat().st_size - size
    yield row(
        "K to its paint with 10,000 queued requests",
        "p50 ≤ 15, p99 ≤ 60 ms",
        p50_ms=round(statistics.median(taken), 1),
        p99_ms=round(sorted(taken)[int(len(taken) * 0.99)], 1),
        bytes_written=written // len(taken),
    )


def figures(folder: Path, peers: Mapping[str, tuple[tuple[str, ...], str]]) -> Iterator[Row]:
    """Measure everything, row by row."""
    yield from starts(folder, peers)
    yield from memory_and_search(folder)
    yield from keys(folder / "keys")
    yield from queue_keys(folder / "queue")
    yield from output_and_load(folder)
    yield from generates(folder)
    yield from slow_line(folder)
    yield from netem_line(folder)
