"""Ten thousand jobs through one run of the app on a terminal: none lost, none doubled, memory and handles flat."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import pytest

from eternal_tui.history.history import History
from tests.jobs.test_soak import serving
from tests.terminal.pseudo_terminal import PseudoTerminal
from tests.terminal.stage import app, environ_for

JOBS = int(os.environ.get("SOAK_JOBS", "10000"))
SAMPLES = (JOBS // 5, JOBS // 2, JOBS)
SOAK_APP = (sys.executable, "-m", "tests.terminal.soak_app")
PATIENCE = 1_800.0
"""Seconds for all: a tenth of a second a job was enough on two slow cores that other work shared."""

A_JOB = 1536
"""Bytes of memory a job may cost for good, between the first sample and the last."""

BEYOND_A_START = 16 * 2**20
"""Bytes more than a fresh start over the same history may take: what work leaves behind in pools and caches."""


def _resident(terminal: PseudoTerminal) -> int:
    return int(terminal.status("VmRSS").split()[0]) * 1024


def _handles(terminal: PseudoTerminal) -> int:
    return sum(1 for _ in Path(f"/proc/{terminal.pid}/fd").iterdir())


def _reach(terminal: PseudoTerminal, noted: Path, count: int, end: float) -> None:
    while not noted.exists() or int(noted.read_text() or "0") < count:
        assert time.monotonic() < end, noted.read_text() if noted.exists() else "nothing was saved"
        terminal.read_for(0.2)
        terminal.written.clear()


@pytest.mark.long
def test_ten_thousand_jobs_through_one_run_of_the_app(tmp_path: Path) -> None:
    noted = tmp_path / "noted"
    samples: list[tuple[int, int, int]] = []
    with serving() as service:
        environ = environ_for(
            tmp_path,
            service.url,
            service.key,
            SOAK_JOBS=str(JOBS),
            SOAK_NOTED=str(noted),
            ETERNAL_TUI_REQUESTS_PER_SECOND="100",
        )
        with app(tmp_path, environ, command=SOAK_APP) as terminal:
            end = time.monotonic() + PATIENCE
            for count in SAMPLES:
                _reach(terminal, noted, count, end)
                # The chores of a beat make what has settled small.
                terminal.read_for(5.0)
                samples.append((count, _resident(terminal), _handles(terminal)))
                print(f"{count:6} jobs {samples[-1][1] / 2**20:7.1f} MB {samples[-1][2]} handles", flush=True)
            assert os.waitstatus_to_exitcode(terminal.close()) == 128 + signal.SIGTERM
        account = service.account()
        environ["SOAK_JOBS"] = "0"
        with app(tmp_path, environ, command=SOAK_APP) as terminal:
            terminal.wait_for(f"take {JOBS - 1}")
            terminal.read_for(20.0)
            fresh = _resident(terminal)
        print(f"a fresh start over them {fresh / 2**20:7.1f} MB", flush=True)
    history = History.open(tmp_path / "data")
    records = [record for _, record in history.find_all()]
    history.close(fold=False)
    assert [record["file_state"] for record in records] == ["saved"] * JOBS
    assert sorted(str(record["request_id"]) for record in records) == sorted(account["charged"])
    assert len({record["request_id"] for record in records}) == account["posts"] == JOBS
    assert len({record["file"] for record in records}) == len(list((tmp_path / "data" / "results").glob("*.*"))) == JOBS
    first, last = samples[0], samples[-1]
    assert (last[1] - first[1]) / (last[0] - first[0]) < A_JOB, samples
    assert last[2] - first[2] <= 4, samples
    assert last[1] - fresh < BEYOND_A_START, (samples, fresh)
