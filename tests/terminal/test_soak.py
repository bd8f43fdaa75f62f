"""Ten thousand jobs through one run of the app on a terminal: none lost, none doubled, memory and handles flat.

It is measured at rest: at each sample nothing is submitted, the history is folded, and its words are off the screen.
Amid the work up to 4 MB of changes wait for a fold, at the first sample as at the last or not, which was taken for
growth.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path
from typing import NamedTuple

import pytest

from eternal_tui.history.history import History
from tests.jobs.test_soak import run_sandbox_process
from tests.terminal.pseudo_terminal import PseudoTerminal
from tests.terminal.stage import make_environ, start_app

JOB_COUNT = int(os.environ.get("SOAK_JOBS", "10000"))
SAMPLE_JOB_COUNTS = tuple(JOB_COUNT * tenths // 10 for tenths in (1, 2, 4, 6, 8, 10))
FIRST_STEADY_SAMPLE = 1
"""The sample from which memory counts: pools and caches are full by then."""

IDLE_SECONDS = 10.0
"""Seconds until the last words have left the screen and the chores of a beat have made small what has settled."""
SOAK_APP = (sys.executable, "-m", "tests.terminal.soak_app")
TIMEOUT_SECONDS = 300.0
"""Seconds in which fifty jobs more are saved at least, on however busy a machine."""

MAX_RESIDENT_BYTES = 110 * 2**20
"""Bytes of memory after all jobs, with full caches: 82 MB after 1,000 jobs, 101 after 10,000."""


class Sample(NamedTuple):
    """What the app held at one moment: jobs saved, bytes of memory, open files, threads, child processes."""

    jobs: int
    resident_bytes: int
    files: int
    threads: int
    children: int

    def __str__(self) -> str:
        held = f"{self.files} files, {self.threads} threads, {self.children} children"
        return f"{self.jobs:6} jobs {self.resident_bytes / 2**20:7.1f} MB {held}"


def _measure(terminal: PseudoTerminal, jobs: int) -> Sample:
    proc = Path(f"/proc/{terminal.pid}")
    files = sum(1 for _ in (proc / "fd").iterdir())
    children = sum(len((task / "children").read_text().split()) for task in (proc / "task").iterdir())
    return Sample(jobs, _resident_bytes(terminal), files, int(terminal.read_proc_status("Threads")), children)


def _resident_bytes(terminal: PseudoTerminal) -> int:
    return int(terminal.read_proc_status("VmRSS").split()[0]) * 1024


def _wait_until_saved(terminal: PseudoTerminal, progress_file: Path, count: int) -> None:
    saved, end = 0, time.monotonic() + TIMEOUT_SECONDS
    while saved < count:
        before, saved = saved, int(progress_file.read_text() or saved) if progress_file.exists() else 0
        end = time.monotonic() + TIMEOUT_SECONDS if saved > before else end
        assert time.monotonic() < end, saved
        terminal.read_for(0.2)
        terminal.written.clear()


@pytest.mark.long
def test_ten_thousand_jobs_through_one_run_of_the_app(tmp_path: Path) -> None:
    noted = tmp_path / "noted"
    samples: list[Sample] = []
    with run_sandbox_process() as service:
        environ = make_environ(
            tmp_path,
            service.url,
            service.key,
            SOAK_JOBS=str(JOB_COUNT),
            SOAK_NOTED=str(noted),
            SOAK_PAUSES=" ".join(map(str, SAMPLE_JOB_COUNTS)),
            ETERNAL_TUI_REQUESTS_PER_SECOND="100",
        )
        with start_app(tmp_path, environ, command=SOAK_APP) as terminal:
            for count in SAMPLE_JOB_COUNTS:
                _wait_until_saved(terminal, noted, count)
                terminal.read_for(IDLE_SECONDS)
                samples.append(_measure(terminal, count))
                print(samples[-1], f"{terminal.cpu_seconds():.0f} s of the processor", flush=True)
                noted.with_name(f"go-on-{count}").touch()
            assert terminal.close() == 128 + signal.SIGTERM
        account = service.charges_and_posts()
        environ["SOAK_JOBS"] = "0"
        with start_app(tmp_path, environ, command=SOAK_APP) as terminal:
            terminal.wait_for(f"take {JOB_COUNT - 1}")
            terminal.read_for(20.0)
            fresh = _resident_bytes(terminal)
        print(f"a fresh start over them {fresh / 2**20:7.1f} MB", flush=True)
    history = History.open(tmp_path / "data")
    records = [record for _, record in history.find_all()]
    history.close(compact=False)
    assert [record["file_state"] for record in records] == ["saved"] * JOB_COUNT
    assert sorted(str(record["request_id"]) for record in records) == sorted(account["charged"])
    assert len({record["request_id"] for record in records}) == account["posts"] == JOB_COUNT
    assert (
        len({record["file"] for record in records})
        == len(list((tmp_path / "data" / "results").glob("*.*")))
        == JOB_COUNT
    )
    first, last = samples[FIRST_STEADY_SAMPLE], samples[-1]
    assert last.files - first.files <= 4, samples
    assert last.threads - first.threads <= 2, samples
    assert last.children == first.children, samples
    assert last.resident_bytes < MAX_RESIDENT_BYTES, (samples, fresh)
