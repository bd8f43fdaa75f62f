"""What is printed: valid JSON, gated text, tables that fit, files that are never overwritten."""

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
from eternal_tui.cli.formatting import describe_unfinished, format_job_line, job_error_message
from eternal_tui.cli.output import Output, dump_json
from eternal_tui.cli.waiting import describe_end
from eternal_tui.core.sanitize import UntrustedText, sanitize
from eternal_tui.core.text_width import display_width, pad_to_width, truncate_to_width
from eternal_tui.jobs.formatting import format_utc, job_to_json
from eternal_tui.jobs.model import FileState, JobState, mark_lost
from eternal_tui.media import errors as media_errors
from eternal_tui.sandbox.faults import Fault, FaultPlace
from tests.cli.program import Program, RunResult, a_job, json_server
from tests.tui.jobs import jobs_of_every_kind
from tests.tui.jobs import make_job as a_job_shown

HOSTILE = "\x1b]0;owned\x07\x1b[31m\x9b2J[bold][@click=app.quit]x[/]\u202egpj\u200b\x00\x7f\r\n=1+1"
SAFE_LINES = {"\n"}

texts = st.text(st.characters(exclude_categories=[]), max_size=60)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(texts, values, max_size=5))
def test_json_is_one_line_of_printable_ascii_whatever_it_holds(value: dict[str, Any]) -> None:
    """Seen to fail with plain json.dumps: DEL came through raw, and NaN is no JSON."""
    text = dump_json(value)
    assert text.isascii()
    assert text.isprintable()
    assert isinstance(json.loads(text, parse_constant=pytest.fail), dict)
    text.encode().decode("utf-8")
    assert "\\ud800" not in dump_json({"lone": "\ud800"})


@pytest.mark.parametrize(
    "error",
    [
        media_errors.LinkExpired(403),
        media_errors.LinkRejected("it is neither http nor https"),
        media_errors.StorageUnreachable("the storage answered HTTP 500"),
        media_errors.BrokenFile("it cannot be decoded"),
        media_errors.DiskFull("no room is left"),
        media_errors.ResultsDirUnusable("is gone"),
    ],
)
def test_missing_file_message_names_fetch_and_no_keys(error: media_errors.ResultError) -> None:
    """Seen to fail with the sentences of the screen: "Press t to fetch it again", in a script's log."""
    job = a_job(ended_after=1.0, file=None, file_state="broken", error=str(error))
    told = str(job_error_message(job))
    assert "press" not in told.lower()
    assert "`eternal-tui fetch 0` tries again" in told
    assert "charged" in told


def test_lost_job_message_names_watch() -> None:
    told = str(job_error_message(mark_lost(a_job(), 2000.0)))
    assert "w asks" not in told
    assert "`eternal-tui watch 0` polls again (free)." in told


@given(texts, st.integers(0, 40))
def test_columns_are_kept(text: str, columns: int) -> None:
    safe = sanitize(text)
    assert display_width(truncate_to_width(safe, columns)) <= columns
    assert display_width(pad_to_width(safe, columns)) == columns


@given(texts, texts)
def test_a_job_line_is_one_safe_line(prompt: str, error: str) -> None:
    job = a_job(state="failed", error=error, request=GenerateRequest(character="1", prompt="x", type="image"))
    line = format_job_line(job, Path("/results"))
    assert line == sanitize(line)
    assert json.loads(dump_json(job_to_json(job, Path("/results"))))["state"] == "failed"


def test_times_are_iso_8601_in_utc() -> None:
    assert format_utc(0.25) == "1970-01-01T00:00:00.250Z"
    for no_time in (None, float("nan"), float("inf"), 1e300, -1e300):
        assert format_utc(no_time) is None


def test_codes_of_jobs() -> None:
    codes = {state: exit_code_of(a_job(state=state)) for state in JobState if state is not JobState.SUCCEEDED}
    assert codes == {
        JobState.QUEUED: ExitCode.SUCCESS, JobState.SUBMITTING: ExitCode.SUCCESS, JobState.RUNNING: ExitCode.SUCCESS,
        JobState.STALLED: ExitCode.SUCCESS, JobState.FAILED: ExitCode.FAILED, JobState.LOST: ExitCode.FAILED,
        JobState.REJECTED: ExitCode.FAILED, JobState.UNCONFIRMED: ExitCode.UNCONFIRMED,
    }  # fmt: skip
    causes = {cause: exit_code_of(a_job(state="rejected", cause=cause)) for cause in ("key", "unreachable", "credits")}
    assert causes == {"key": ExitCode.KEY_ERROR, "unreachable": ExitCode.UNREACHABLE, "credits": ExitCode.FAILED}
    files = {state: exit_code_of(a_job(state="succeeded", file_state=state)) for state in FileState}
    assert [state for state, code in files.items() if code is ExitCode.SUCCESS] == [FileState.SAVED]


def test_worst_exit_code() -> None:
    order = [ExitCode.SUCCESS, ExitCode.FAILED, ExitCode.UNREACHABLE, ExitCode.KEY_ERROR, ExitCode.UNCONFIRMED]
    for number, code in enumerate(order):
        assert worst_exit_code(order[: number + 1]) is code
    assert worst_exit_code([]) is ExitCode.SUCCESS


def add_hostile_job(program: Program) -> None:
    outside = UntrustedText(HOSTILE)
    program.add_jobs(
        a_job(
            state="failed", error=outside, word=outside, name=outside, trouble=outside, note=outside, tags=(HOSTILE,),
            effect_type=outside, request_id=HOSTILE, verdict="can't tell", verdict_reason=HOSTILE,
            timeline=((1000.0, HOSTILE, HOSTILE),),
            request=GenerateRequest(character="6870", prompt=HOSTILE, type="image"),
        )
    )  # fmt: skip


@pytest.mark.parametrize(
    "arguments",
    [
        ("jobs",), ("jobs", "--json"), ("show", "1"), ("show", "1", "--json"),
        ("watch", "1", "--no-json"), ("watch", "1"),
        ("export", "-"), ("export", "--format", "csv", "-"), ("show", HOSTILE.replace("\x00", "")),
        ("jobs", "--state", HOSTILE.replace("\x00", "")), (HOSTILE.replace("\x00", ""),), ("jobs", HOSTILE),
        ("--config", HOSTILE.replace("\x00", ""), "config"), ("--base-url", HOSTILE.replace("\x00", ""), "doctor"),
        ("export", "/nowhere/" + HOSTILE.replace("\x00", "")),
    ],
)  # fmt: skip
def test_nothing_from_outside_reaches_the_terminal_raw(program: Program, arguments: tuple[str, ...]) -> None:
    """Seen to fail with the timeline's words printed as they are: ESC and BEL in the output of `show`."""
    add_hostile_job(program)
    ran = program.run(*arguments)
    for text in (ran.out, ran.err):
        bad = [character for character in text if not character.isprintable() and character not in SAFE_LINES]
        assert bad == []
        assert "\u202e" not in text


def test_jobs_are_listed_filtered_and_limited(program: Program) -> None:
    program.add_jobs(
        a_job(ended_after=1.0, name="Astrid"),
        a_job(state="failed", error="no"),
        a_job(request=GenerateRequest(character="7", prompt="In the Snow", type="video")),
        a_job(state="succeeded", file_state="pending"),
    )

    def ids(*arguments: str) -> list[int]:
        return [job["id"] for job in program.run("jobs", "--json", *arguments).json_objects]

    assert ids() == [4, 3, 2, 1]
    assert ids("--limit", "2") == [4, 3]
    assert ids("--state", "failed") == [2]
    assert ids("--state", "failed,saved") == [2, 1]
    assert ids("--state", "unfinished") == [4, 3]
    assert ids("--search", "snow video") == [3]
    assert ids("--search", "astrid") == [1]


def test_totals_close_the_table_and_stand_alone(program: Program) -> None:
    program.add_jobs(
        a_job(ended_after=1.0, cost=0.5), a_job(created_at=time.time(), ended_after=0.5, cost=0.25, credits_after=99.5)
    )
    ran = program.run("jobs")
    assert ran.out.splitlines()[-1] == "~0.25 today · ~0.75 total · 99.50 credits left"
    (totals,) = program.run("jobs", "--totals").json_objects
    assert (totals["spent_today"], totals["spent_in_all"], totals["credits_remaining"]) == (0.25, 0.75, 99.5)
    assert totals["states"] == {"succeeded": 2}
    # Seen to fail as it was: a first job, whose cost no counter before it tells, was "about 0.00 spent today".
    program.add_jobs(a_job(created_at=time.time(), ended_after=0.5, credits_after=99.5))
    assert " total · 1 of unknown cost · 99.50 credits" in program.run("jobs").out


def test_every_line_of_jobs_as_json_says_what_is_spent(program: Program) -> None:
    """What every job cost, however few are asked for. Seen to fail with the sum of the lines printed."""
    program.add_jobs(
        a_job(ended_after=1.0, cost=0.5),
        a_job(
            created_at=time.time(),
            ended_after=0.5,
            cost=0.25,
            request=character_request("A calm pilot"),
            file_state=None,
        ),
        a_job(created_at=time.time(), state="unconfirmed", cost=0.04),
    )
    for arguments in ((), ("--limit", "1"), ("--state", "succeeded")):
        lines = program.run("jobs", "--json", *arguments).json_objects
        assert {(line["spent_today"], line["spent_in_all"]) for line in lines} == {(0.29, 0.79)}
    assert [line["type"] for line in program.run("jobs", "--json", "--limit", "2").json_objects] == [
        "image",
        "character",
    ]
    assert "spent_today and spent_in_all" in program.run("jobs", "--help").out


def test_an_empty_history_says_how_to_begin(program: Program) -> None:
    ran = program.run("jobs")
    assert ran.code == 0
    assert "generate" in ran.err
    assert program.run("jobs", "--json") == RunResult(0, "", "")


def test_show_tells_everything_but_the_signed_link(program: Program) -> None:
    """Seen to fail with result_url among the fields."""
    link = UntrustedText("https://cdn.example/agent_data/1.jpg?sig=SECRET")
    program.add_jobs(a_job(ended_after=1.0, result_url=link, timeline=((1000.0, "saved", "0000001.jpg"),)))
    for arguments in (("show", "1"), ("show", "1", "--json"), ("jobs",), ("jobs", "--json"), ("export", "-")):
        ran = program.run(*arguments)
        assert ran.code == 0
        assert "SECRET" not in ran.out + ran.err
    assert "saved: 0000001.jpg" in program.run("show", "1").out
    next((program.data_dir / "results").iterdir()).unlink()
    assert program.run("show", "1").code == ExitCode.FAILED


def test_an_export_is_whole_private_and_overwrites_nothing(program: Program, tmp_path: Path) -> None:
    add_hostile_job(program)
    program.add_jobs(a_job(ended_after=1.0))
    for name, read in (("all.json", json.loads), ("all.csv", lambda text: list(csv.DictReader(io.StringIO(text))))):
        path = tmp_path / name
        assert program.run("export", str(path)).code == 0
        assert path.stat().st_mode & 0o777 == 0o600
        assert [str(job["id"]) for job in read(path.read_text(encoding="utf-8"))] == ["2", "1"]
        before = path.read_bytes()
        ran = program.run("export", str(path))
        assert ran.code == 2
        assert "not overwritten" in ran.err
        assert path.read_bytes() == before
    link = tmp_path / "link.json"
    link.symlink_to(tmp_path / "target")
    assert program.run("export", str(link)).code == 2
    assert not (tmp_path / "target").exists()
    assert program.run("export", str(tmp_path / "no" / "such.json")).code == 2


@pytest.mark.parametrize("delimiter", [",", ";"])
def test_no_exported_cell_is_a_formula(program: Program, delimiter: str) -> None:
    """Also where the semicolon ends a cell, as in half of Europe.

    Seen to fail with the first sign alone looked at: behind a space, in its wide form, and behind a semicolon.
    """
    signs = "=+-@\uff1d\uff0b\uff0d\uff20"
    starts = ("", " ", "\t", "\r", "\n", "\r\n \t", "a;", "a; ", 'a";', "a;b\n;")
    prompts = [f"{start}{sign}HYPERLINK(1)" for start in starts for sign in signs]
    program.add_jobs(*(a_job(request=GenerateRequest(character=each, prompt=each, type="image")) for each in prompts))
    out = program.run("export", "--format", "csv", "-").out
    rows = list(csv.reader(io.StringIO(out), delimiter=delimiter))
    cells = [cell for row in rows for cell in row]
    assert sum("HYPERLINK" in cell for cell in cells) >= len(prompts)
    assert [cell for cell in cells if cell.strip()[:1] in tuple(signs)] == []


def test_csv_and_json_agree_on_booleans_and_errors(program: Program) -> None:
    """Seen to fail with False in the table, and null for the error of a result that could not be fetched."""
    program.add_jobs(a_job(ended_after=1.0, file=None, file_state="pending", trouble="the storage is away"))
    (row,) = csv.DictReader(io.StringIO(program.run("export", "--format", "csv", "-").out))
    (job,) = program.run("jobs", "--json").json_objects
    assert (row["encrypted"], job["encrypted"]) == ("false", False)
    assert (row["error"], job["error"]) == ("the storage is away", "the storage is away")


def test_config_is_valid_toml_and_schema_valid_json(program: Program) -> None:
    import tomllib

    settings = tomllib.loads(program.run("config").out)
    assert settings["base_url"] == program.environ["ETERNAL_TUI_BASE_URL"]
    assert "properties" in program.run("config", "--schema").out
    assert json.loads(program.run("config", "--schema").out)


def test_characters_are_adults_and_searched(program: Program) -> None:
    found = program.run("characters", "--json", environ={"ETERNALAI_API_KEY": None})
    assert found.code == 0
    assert len(found.json_objects) == 135
    assert all(one["age"] >= 18 for one in found.json_objects)
    (astrid,) = program.run("characters", "--search", "6870", "--json").json_objects
    assert astrid["name"] == "Astrid"
    assert program.run("characters", "--search", "astrid").out.startswith("6870")


def test_characters_exits_with_code_when_listing_fails(program: Program, sandbox: Any) -> None:
    """Seen to fail where the service's words followed ours as if they were our own, and where a 403 ended in 1."""
    sandbox.inject(Fault.SERVER_ERROR, on=FaultPlace.LIST, times=1)
    in_trouble = program.run("characters")
    assert in_trouble.code == 1
    assert "The API said: “" in in_trouble.err
    with json_server(b'{"error": "members only"}', 403) as url:
        refused = program.run("characters", environ={"ETERNAL_TUI_BASE_URL": url})
    assert refused.code == 3
    assert "The API said: “members only”" in refused.err


def test_character_list_is_cached_for_a_day(program: Program, sandbox: Any) -> None:
    program.run("characters")
    calls = len(sandbox.requests)
    assert calls == 3
    program.run("characters")
    assert len(sandbox.requests) == calls
    program.run("characters", "--refresh")
    assert len(sandbox.requests) == 2 * calls


def test_help_and_version_need_no_other_page(program: Program) -> None:
    from eternal_tui import __version__
    from eternal_tui.cli.parser import COMMANDS

    assert program.run("--version").out == f"eternal-tui {__version__}\n"
    page = program.run("--help")
    assert page.code == 0
    for word in (*COMMANDS, "exit codes", "ETERNALAI_API_KEY", "examples"):
        assert word in page.out


def test_a_moving_line_is_written_when_it_changes() -> None:
    """Seen to fail with the line written at every beat: a waiting `watch` cost 40 bytes a second over SSH."""
    master, terminal = os.openpty()
    with os.fdopen(terminal, "w", encoding="utf-8") as stderr:
        streams = Output(io.StringIO(), io.StringIO(), stderr, {"TERM": "xterm"})
        for text in ("job 1", "job 1", "job 1 is done", "job 1 is done"):
            streams.show_progress(sanitize(text))
        streams.clear_progress()
        streams.show_progress(sanitize("job 1 is done"))
        stderr.write("\r[end]")
        stderr.flush()
        written = ""
        # A terminal hands over what was written in pieces, and when it likes.
        while not written.endswith("\r[end]"):
            written += os.read(master, 1_000).decode()
    os.close(master)
    lines = [line.removeprefix("\x1b[K") for line in written.split("\r")[1:-1]]
    assert lines == ["job 1", "job 1 is done", "", "job 1 is done"]


def test_unfinished_jobs_and_files_are_listed_apart() -> None:
    """Seen to fail as it was: of a finished job whose file was awaited, the service was said to go on with it."""
    running = a_job_shown(1, state=JobState.RUNNING)
    finished = a_job_shown(2, state=JobState.SUCCEEDED, file_state=FileState.PENDING)
    done = a_job_shown(3, state=JobState.SUCCEEDED, file_state=FileState.SAVED)
    assert describe_unfinished([running, finished, done]) == (
        "Still running: job 1. Not downloaded yet: job 2. Resume with `eternal-tui watch 1 2`."
    )
    assert describe_unfinished([done]) == ""


LISTS = {
    "a sort": (("--sort", "cost", "--format", "{id} {cost}"), "2 0.1\n1 0.5\n3 \n"),
    "reversed": (("--sort", "cost", "--reverse", "--format", "{id}"), "3\n1\n2\n"),
    "limited after the sort": (("--sort", "cost", "--limit", "1", "--format", "{id}"), "2\n"),
    "a sort by tags": (("--sort", "tags", "--format", "{id} {tags}"), "2 a b\n1 winter\n3 \n"),
    "cut and escaped": (("--limit", "1", "--format", r"{id}\t{prompt:4}|{{}}"), "3\tAt s|{}\n"),
    "a filter": (("tag:winter", "--format", "{id} {star}"), "1 true\n"),
}


@pytest.mark.parametrize("name", LISTS)
def test_jobs_are_sorted_and_formatted(program: Program, name: str) -> None:
    arguments, expected = LISTS[name]
    program.add_jobs(
        a_job(cost=0.5, tags=("winter",), starred=True), a_job(cost=0.1, tags=("a", "b"), state="failed"), a_job()
    )
    assert program.run("jobs", *arguments).out.replace("\u2409", "\t") == expected


def test_the_closing_line_counts_each_job_once() -> None:
    """Seen to fail with a result still to be downloaded counted as done and as running: 10 done, 6 running."""
    jobs = jobs_of_every_kind()
    line = describe_end(jobs)
    counts = [int(part.split()[0]) for part in line.split(": ", 1)[1].split(" · ")[0].split(", ")]
    assert line.startswith(f"{len(jobs)} jobs: ")
    assert sum(counts) == len(jobs), line
    assert "1 downloading" in line
