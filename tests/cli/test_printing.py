"""Printed output: valid JSON, lists and totals, and files that are never overwritten."""

from __future__ import annotations

import csv
import io
import json
import os
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eternal_tui.api.models import GenerateRequest, character_request
from eternal_tui.cli.errors import ExitCode, exit_code_of, worst_exit_code
from eternal_tui.cli.formatting import describe_unfinished, job_error_message
from eternal_tui.cli.output import Output, dump_json
from eternal_tui.cli.waiting import describe_end
from eternal_tui.core.sanitize import UntrustedText, sanitize
from eternal_tui.jobs.formatting import format_utc
from eternal_tui.jobs.model import FileState, JobState, mark_lost
from eternal_tui.media.errors import LinkExpired
from eternal_tui.sandbox.faults import Fault, FaultPlace
from eternal_tui.sandbox.server import Sandbox
from tests.cli.program import Program, RunResult, a_job, json_server
from tests.tui.jobs import jobs_of_every_kind

texts = st.text(st.characters(exclude_categories=[]), max_size=60)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(texts, values, max_size=5))
def test_json_is_one_line_of_printable_ascii_whatever_it_holds(value: dict[str, Any]) -> None:
    text = dump_json(value)
    assert text.isascii()
    assert text.isprintable()
    assert isinstance(json.loads(text, parse_constant=pytest.fail), dict)
    assert "\\ud800" not in dump_json({"lone": "\ud800"})


def test_messages_name_the_command_that_helps() -> None:
    job = a_job(ended_after=1.0, file=None, file_state="broken", error=str(LinkExpired(403)))
    assert str(job_error_message(job)).endswith("`eternal-tui fetch 0` tries again (free).")
    assert str(job_error_message(mark_lost(a_job(), 2000.0))).endswith("`eternal-tui watch 0` polls again (free).")


def test_unfinished_jobs_and_files_are_listed_apart() -> None:
    running, done = a_job(id=1), a_job(id=3, ended_after=1.0)
    finished = a_job(id=2, state="succeeded", file_state="pending")
    assert describe_unfinished([running, finished, done]) == (
        "Still running: job 1. Not downloaded yet: job 2. Resume with `eternal-tui watch 1 2`."
    )
    assert describe_unfinished([done]) == ""


def test_the_closing_line_counts_each_job_once() -> None:
    jobs = jobs_of_every_kind()
    line = describe_end(jobs)
    counts = [int(part.split()[0]) for part in line.split(": ", 1)[1].split(" · ")[0].split(", ")]
    assert line.startswith(f"{len(jobs)} jobs: ")
    assert sum(counts) == len(jobs), line
    assert "1 downloading" in line


def test_times_are_iso_8601_in_utc() -> None:
    assert format_utc(0.25) == "1970-01-01T00:00:00.250Z"
    assert {format_utc(no_time) for no_time in (None, float("nan"), float("inf"), 1e300, -1e300)} == {None}


def test_exit_codes_of_jobs() -> None:
    codes = {state: exit_code_of(a_job(state=state)) for state in JobState if state is not JobState.SUCCEEDED}
    assert {state: code for state, code in codes.items() if code} == {
        JobState.FAILED: ExitCode.FAILED, JobState.LOST: ExitCode.FAILED,
        JobState.REJECTED: ExitCode.FAILED, JobState.UNCONFIRMED: ExitCode.UNCONFIRMED,
    }  # fmt: skip
    causes = {cause: exit_code_of(a_job(state="rejected", cause=cause)) for cause in ("key", "unreachable", "credits")}
    assert causes == {"key": ExitCode.KEY_ERROR, "unreachable": ExitCode.UNREACHABLE, "credits": ExitCode.FAILED}
    files = {state: exit_code_of(a_job(state="succeeded", file_state=state)) for state in FileState}
    assert [state for state, code in files.items() if code is ExitCode.SUCCESS] == [FileState.SAVED]
    order = [ExitCode.SUCCESS, ExitCode.FAILED, ExitCode.UNREACHABLE, ExitCode.KEY_ERROR, ExitCode.UNCONFIRMED]
    assert [worst_exit_code(order[:number]) for number in range(6)] == [ExitCode.SUCCESS, *order]


def test_the_progress_line_is_written_when_it_changes() -> None:
    master, terminal = os.openpty()
    with os.fdopen(terminal, "w", encoding="utf-8") as stderr:
        output = Output(io.StringIO(), io.StringIO(), stderr, {"TERM": "xterm"})
        for text in ("job 1", "job 1", "job 1 is done", "job 1 is done"):
            output.show_progress(sanitize(text))
        output.clear_progress()
        output.show_progress(sanitize("job 1 is done"))
        stderr.write("\r[end]")
        stderr.flush()
        written = ""
        # A terminal hands over what was written in pieces.
        while not written.endswith("\r[end]"):
            written += os.read(master, 1_000).decode()
    os.close(master)
    lines = [line.removeprefix("\x1b[K") for line in written.split("\r")[1:-1]]
    assert lines == ["job 1", "job 1 is done", "", "job 1 is done"]


LISTS = {
    "newest first": ((), "4\n3\n2\n1\n"),
    "limited": (("--limit", "2"), "4\n3\n"),
    "a state": (("--state", "failed"), "2\n"),
    "several states": (("--state", "failed,saved"), "2\n1\n"),
    "unfinished": (("--state", "unfinished"), "4\n3\n"),
    "a search": (("--search", "snow video"), "3\n"),
    "a name": (("astrid",), "1\n"),
    "a filter": (("tag:winter", "--format", "{id} {star}"), "1 true\n"),
    "a sort": (("--sort", "cost", "--format", "{id} {cost}"), "2 0.1\n1 0.5\n4 \n3 \n"),
    "reversed": (("--sort", "cost", "--reverse"), "3\n4\n1\n2\n"),
    "limited after the sort": (("--sort", "cost", "--limit", "1"), "2\n"),
    "a sort by tags": (("--sort", "tags", "--limit", "2", "--format", "{id} {tags}"), "2 a b\n1 winter\n"),
    "cut and escaped": (("--limit", "1", "--format", r"{id}\t{prompt:4}|{{}}"), "4\tAt s|{}\n"),
}


@pytest.mark.parametrize("name", LISTS)
def test_jobs_are_filtered_sorted_and_formatted(program: Program, name: str) -> None:
    arguments, expected = LISTS[name]
    program.add_jobs(
        a_job(ended_after=1.0, name="Astrid", cost=0.5, tags=("winter",), starred=True),
        a_job(state="failed", cost=0.1, tags=("a", "b")),
        a_job(request=GenerateRequest(character="7", prompt="In the Snow", type="video")),
        a_job(state="succeeded", file_state="pending"),
    )
    given = arguments if "--format" in arguments else (*arguments, "--format", "{id}")
    assert program.run("jobs", *given).out.replace("\u2409", "\t") == expected


def test_an_empty_history_says_how_to_begin(program: Program) -> None:
    assert "generate" in program.run("jobs").err
    assert program.run("jobs", "--json") == RunResult(0, "", "")


def test_totals_end_the_table_and_are_in_every_json_line(program: Program) -> None:
    now = time.time()
    creation = a_job(created_at=now, ended_after=0.5, cost=0.25, request=character_request("A pilot"), file_state=None)
    program.add_jobs(a_job(ended_after=1.0, cost=0.5), creation)
    assert program.run("jobs").out.splitlines()[-1] == "~0.25 today · ~0.75 total"
    program.add_jobs(a_job(created_at=now, state="unconfirmed", cost=0.04, credits_after=99.5))
    for arguments in ((), ("--limit", "1"), ("--state", "succeeded")):
        lines = program.run("jobs", "--json", *arguments).json_objects
        assert {(line["spent_today"], line["spent_in_all"]) for line in lines} == {(0.29, 0.79)}
    (totals,) = program.run("jobs", "--totals").json_objects
    assert (totals["spent_today"], totals["spent_in_all"], totals["credits_remaining"]) == (0.29, 0.79, 99.5)
    assert totals["states"] == {"succeeded": 2, "unconfirmed": 1}
    program.add_jobs(a_job(created_at=now, ended_after=0.5))
    assert " total · 1 of unknown cost · ~0.04 unconfirmed · 99.50 credits" in program.run("jobs").out


def test_a_signed_link_is_printed_nowhere(program: Program) -> None:
    link = UntrustedText("https://cdn.example/agent_data/1.jpg?sig=SECRET")
    program.add_jobs(a_job(ended_after=1.0, result_url=link, timeline=((1000.0, "saved", "0000001.jpg"),)))
    for arguments in (("show", "1"), ("show", "1", "--json"), ("jobs", "--json"), ("export", "-")):
        ran = program.run(*arguments)
        assert (ran.code, "SECRET" in ran.out + ran.err) == (0, False)
    assert "saved: 0000001.jpg" in program.run("show", "1").out
    next((program.data_dir / "results").iterdir()).unlink()
    assert program.run("show", "1").code == ExitCode.FAILED


def test_an_export_is_whole_private_and_overwrites_nothing(program: Program, tmp_path: Path) -> None:
    program.add_jobs(a_job(state="failed", error="no"), a_job(ended_after=1.0))
    for name, read in (("all.json", json.loads), ("all.csv", lambda text: list(csv.DictReader(io.StringIO(text))))):
        path = tmp_path / name
        assert program.run("export", str(path)).code == 0
        assert path.stat().st_mode & 0o777 == 0o600
        before = path.read_text(encoding="utf-8")
        assert [str(job["id"]) for job in read(before)] == ["2", "1"]
        ran = program.run("export", str(path))
        assert (ran.code, "not overwritten" in ran.err, path.read_text(encoding="utf-8")) == (2, True, before)
    link = tmp_path / "link.json"
    link.symlink_to(tmp_path / "target")
    assert program.run("export", str(link)).code == 2
    assert not (tmp_path / "target").exists()


@pytest.mark.parametrize("delimiter", [",", ";"])
def test_no_exported_cell_is_a_formula(program: Program, delimiter: str) -> None:
    """Also where the semicolon separates cells, as in half of Europe."""
    signs = "=+-@\uff1d\uff0b\uff0d\uff20"
    starts = ("", " ", "\t", "\r", "\n", "\r\n \t", "a;", "a; ", 'a";', "a;b\n;")
    prompts = [f"{start}{sign}HYPERLINK(1)" for start in starts for sign in signs]
    program.add_jobs(*(a_job(request=GenerateRequest(character=each, prompt=each, type="image")) for each in prompts))
    rows = csv.reader(io.StringIO(program.run("export", "--format", "csv", "-").out), delimiter=delimiter)
    cells = [cell for row in rows for cell in row]
    assert sum("HYPERLINK" in cell for cell in cells) >= len(prompts)
    assert [cell for cell in cells if cell.strip()[:1] in tuple(signs)] == []


def test_csv_and_json_agree_on_booleans_and_errors(program: Program) -> None:
    program.add_jobs(a_job(ended_after=1.0, file=None, file_state="pending", trouble="the storage is away"))
    (row,) = csv.DictReader(io.StringIO(program.run("export", "--format", "csv", "-").out))
    (job,) = program.run("jobs", "--json").json_objects
    assert (row["encrypted"], job["encrypted"]) == ("false", False)
    assert row["error"] == job["error"] == "the storage is away"


def test_characters_are_adults_searched_and_cached_for_a_day(program: Program, sandbox: Sandbox) -> None:
    found = program.run("characters", "--json", environ={"ETERNALAI_API_KEY": None}).json_objects
    assert (len(found), min(one["age"] for one in found) >= 18) == (135, True)
    calls = len(sandbox.requests)
    (astrid,) = program.run("characters", "--search", "6870", "--json").json_objects
    assert astrid["name"] == "Astrid"
    assert program.run("characters", "--search", "astrid").out.startswith("6870")
    assert len(sandbox.requests) == calls
    program.run("characters", "--refresh")
    assert len(sandbox.requests) == 2 * calls


def test_characters_exits_with_code_when_listing_fails(program: Program, sandbox: Sandbox) -> None:
    sandbox.inject(Fault.SERVER_ERROR, on=FaultPlace.LIST, times=1)
    failed = program.run("characters")
    assert (failed.code, "The API said: “" in failed.err) == (1, True)
    with json_server(b'{"error": "members only"}', 403) as url:
        refused = program.run("characters", environ={"ETERNAL_TUI_BASE_URL": url})
    assert (refused.code, "The API said: “members only”" in refused.err) == (3, True)
