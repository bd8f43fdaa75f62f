# ruff: noqa: E501  # tables of strange records read best in dense rows
"""A hostile history file: app and commands survive its records and open nothing outside results/."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from typing import Any

import msgspec
import pytest

from eternal_tui.cli.formatting import format_job_line
from eternal_tui.jobs.copies import copy_to, suggest_filename
from eternal_tui.jobs.files import result_path
from eternal_tui.jobs.model import FileState, JobState, from_record, to_record
from eternal_tui.tui.app import EternalApp
from eternal_tui.tui.detail import render_detail
from eternal_tui.tui.graphics.base import NullGraphics
from tests.cli.program import Program
from tests.security.hostile import find_unsafe_lines, hostile_job
from tests.tui.screens.stage import ENVIRON, ENVIRON_WITH_KEY, make_services, wait_until

HOSTILE_FILE_NAMES = [
    "../../etc/passwd", "/etc/passwd", "..", ".", "", "-rf.jpg", "a/b.jpg", "x.desktop", "x.html", "x.jpg\x00.png", ".hidden.jpg",
    "x.jpg\n", "~root.jpg", "file:///etc/passwd", "\\\\host\\x.jpg", "x" * 300 + ".jpg", "a\u202egpj.exe", "x.sh", "$(id).jpg", "%2e%2e.jpg",
]  # fmt: skip
SAVED_FIELDS: dict[str, Any] = {"state": JobState.SUCCEEDED, "file_state": FileState.SAVED}


@pytest.mark.parametrize("name", HOSTILE_FILE_NAMES)
def test_no_name_of_the_history_leads_out_of_the_results(tmp_path: Path, name: str) -> None:
    assert result_path(hostile_job("x", file=name, **SAVED_FIELDS), tmp_path) is None


def test_links_pipes_and_folders_in_place_of_a_result_are_not_opened(tmp_path: Path) -> None:
    results = tmp_path / "results"
    results.mkdir()
    secret = tmp_path / "secret.jpg"
    secret.write_bytes(b"secret")
    (results / "1.jpg").symlink_to(secret)
    os.mkfifo(results / "2.jpg")
    (results / "3.jpg").mkdir()
    (results / "4.jpg").write_bytes(b"fine")
    found = [result_path(hostile_job("x", file=f"{number}.jpg", **SAVED_FIELDS), results) for number in range(1, 6)]
    assert found == [None, None, None, results / "4.jpg", results / "5.jpg"]
    (tmp_path / "other").symlink_to(results)
    assert result_path(hostile_job("x", file="4.jpg", **SAVED_FIELDS), tmp_path / "other") is None
    for number in (1, 2, 3):
        with pytest.raises(OSError, match=f"Errno ({errno.ELOOP}|{errno.EINVAL}|{errno.EISDIR})"):
            copy_to(results / f"{number}.jpg", tmp_path / "copy.jpg")
    assert not (tmp_path / "copy.jpg").exists()


def nested_list(levels: int) -> str:
    return "[" * levels + "]" * levels


def hostile_records() -> list[str]:
    """Return records as JSON texts that no version of the program has written."""
    plain = to_record(hostile_job("x", **SAVED_FIELDS, result_url="javascript:alert(1)"))
    odds: list[dict[str, Any]] = [
        {"file": "../../etc/passwd"},
        {"file": "/etc/passwd"},
        {"result_url": "file:///etc/passwd"},
        {"name": "A" * 400_000},
        {"created_at": 1e300},
        {"created_at": -1e300, "submitted_at": 1e299, "finished_at": 1e301},
        {"finished_at": -9e18},
        {"timeline": [[0.0, "x", "y"]] * 20_000},
        {"timeline": [[1e300, "x", "y"]]},
        {"tags": ["t"] * 20_000},
        {"progress": 10**30},
        {"progress": -5},
        {"cost": 1e308, "credits_after": -1e308},
        {"polls": 2**70},
        {"request": 5},
        {"state": "eaten"},
        {"state": []},
        {"facts": {"width": 10**30, "height": -1, "seconds": 1e308, "bytes": 10**40, "codec": "\x1b[2J" * 99}},
        {"retry_of": 10**50},
        {"request": {"character": "x", "prompt": "p" * 400_000, "type": "image"}},
        {"request": {"prompt": []}},
        {"timeline": {}},
        {"extra": json.loads(nested_list(200))},
        {"request_id": "\ud800"},
        {"name": "\udfff"},
        {"verdict": "x"},
        {"facts": []},
        {"note": None},
        {"request": {"character": "x", "prompt": "p", "type": "video", "duration": 10**9, "audio": 5}},
        {"seen_running": 1e308},
    ]
    return [json.dumps({**plain, **odd}) for odd in odds] + [nested_list(5_000), "{}", "5", "null", '"x"', "[]", '{"file": NaN}']  # fmt: skip


def write_history(folder: Path, rows: list[str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    lines = ", ".join(f'"{number}": {row}' for number, row in enumerate(rows, 1))
    (folder / "history.json").write_text(f'{{"jobs": {{{lines}}}}}')


@pytest.mark.parametrize(
    "rows", [hostile_records()[:-7], *([row] for row in hostile_records()[-7:])], ids=lambda rows: str(len(rows))
)
def test_commands_survive_hostile_records(program: Program, rows: list[str]) -> None:
    write_history(program.data_dir, rows)
    # The eighth record has 20,000 turns, the tenth as many tags.
    shown = [("show", "1"), ("show", "8"), ("show", "10")]
    plain = [(name,) for name in ("jobs", "doctor", "queue")]
    for arguments in (*shown, *plain, ("jobs", "--json"), ("jobs", "--totals"), ("export", "-")):
        ran = program.run(*arguments)
        assert ran.code != 70, ran.err
        assert arguments not in shown or len(ran.out) < 20_000
        assert find_unsafe_lines(ran.out) == find_unsafe_lines(ran.err) == []
        assert "/etc/passwd" not in ran.out
        assert "Traceback" not in ran.err


def test_every_record_that_is_a_job_has_words() -> None:
    described = 0
    for number, text in enumerate(hostile_records()[:-7], 1):
        try:
            job = from_record(number, json.loads(text))
        except msgspec.ValidationError:
            continue
        assert find_unsafe_lines(render_detail(job, {}, width=60).plain) == []
        assert find_unsafe_lines(format_job_line(job, Path("/results"))) == []
        assert find_unsafe_lines(suggest_filename(job, "{date}-{time}-{character}-{id}", ".jpg")) == []
        described += 1
    assert described > 15


async def test_the_app_survives_hostile_records(tmp_path: Path) -> None:
    write_history(tmp_path / "data", hostile_records()[:-7])
    bench = make_services(tmp_path, ENVIRON_WITH_KEY)
    app = EternalApp(bench, NullGraphics(), ENVIRON)
    async with app.run_test(size=(100, 40)) as pilot:
        await wait_until(pilot, lambda: bench.jobs.store.is_fully_loaded)
        assert len(bench.jobs.store.newest_first()) > 10
        for _ in bench.jobs.store.newest_first():
            await pilot.press("down")
        for key in ("enter", "escape", "o", "s", "escape", "y", "escape"):
            await pilot.press(key)
        await pilot.pause()
    assert app.internal_error is None
