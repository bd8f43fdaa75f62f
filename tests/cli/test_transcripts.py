"""Output of each command, as reviewed text files in `transcripts/`; UPDATE_TRANSCRIPTS=1 rewrites them."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from eternal_tui.cli.parser import COMMANDS
from eternal_tui.sandbox.server import Sandbox
from tests.cli.program import Program, a_job

FOLDER = Path(__file__).parent / "transcripts"

RUNS: dict[str, list[tuple[str, ...]]] = {
    "generate": [
        ("generate", "--character", "6870", "--prompt", "At sea"),
        ("generate", "--character", "Astrid", "--prompt", "A {red|blue} hat", "--yes"),
        ("generate", "--character", "Astrid", "--prompt", "A hat", "--wait", "-o", "{n}{ext}"),
        ("generate", "--character", "6870", "--prompt", "fault:failed", "--wait"),
        ("generate", "--character", "Nobody", "--prompt", "x"),
        ("generate", "--prompt", "x"),
    ],
    "retry": [("retry", "2"), ("retry", "2"), ("retry", "1"), ("retry", "4")],
    "again": [("again", "1")],
    "create-character": [("create-character", "A keeper"), ("create-character", "A keeper", "--yes")],
    "watch": [("watch", "1", "2", "4", "--no-json"), ("watch", "--timeout", "soon")],
    "fetch": [("fetch", "2", "--no-json")],
    "queue": [("queue",), ("queue", "hold"), ("queue", "run"), ("queue", "clear", "2")],
    "adopt": [("adopt", "abcd-1234", "--prompt", "At sea"), ("adopt", "abcd-1234")],
    "jobs": [("jobs",), ("jobs", "state:failed", "--format", "{id} {state}"), ("jobs", "nothing"), ("jobs", "x:y")],
    "show": [("show", "2"), ("show", "99")],
    "save": [("save", "2")],
    "open": [("open", "2")],
    "star": [("star", "1", "2"), ("star", "1", "--off")],
    "tag": [("tag", "1", "sea"), ("tag", "1"), ("tag", "1", "--remove")],
    "note": [("note", "1", "for the cover"), ("note", "1")],
    "delete": [("delete", "1"), ("delete", "4")],
    "undo": [("undo",)],
    "stats": [("stats",)],
    "characters": [("characters", "--search", "6870"), ("characters", "--search", "nobody at all")],
    "export": [
        ("export", "{folder}/jobs.json"),
        ("export", "{folder}/jobs.json"),
        ("export", "--format", "folder", "{folder}/best", "1"),
    ],
    "login": [("login", "--file")],
    "logout": [("logout",)],
    "config": [("config", "--check"), ("config", "--path"), ("config", "--init")],
    "sandbox": [],
    "schema": [("schema", "open")],
    "completion": [("completion",), ("completion", "--values", "jobs")],
    "man": [],
    "doctor": [],
    "": [(), ("nonsense",), ("genrate",), ("--version",), ("--color", "red", "jobs")],
}

_CHANGING = (
    (re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]{22}"), "<request id>"),
    (re.compile(r"batch [0-9a-f]{8}"), "batch <batch>"),
    # Wrapped differently by each Python.
    (re.compile(r"^usage: .*?\n\n", re.DOTALL | re.MULTILINE), ""),
    (re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d(:\d\d)?"), "<time>"),
    (re.compile(r"127\.0\.0\.1:\d+"), "<host>"),
)


def transcript(program: Program, runs: list[tuple[str, ...]], folder: Path) -> str:
    """Return the command lines and what they printed; stderr lines begin with `! `."""
    lines = []
    for run in runs:
        arguments = [part.replace("{folder}", str(folder)) for part in run]
        ran = program.run(*arguments, environ={"COLUMNS": "100"})
        lines += [f"$ eternal-tui {' '.join(arguments)}".rstrip(), *ran.out.splitlines()]
        lines += [f"! {line}" for line in ran.err.splitlines()]
        lines += [f"exit {int(ran.code)}", ""]
    text = "\n".join(lines).replace(str(folder), "<folder>").replace(program.environ["ETERNALAI_API_KEY"], "<key>")
    for pattern, word in _CHANGING:
        text = pattern.sub(word, text)
    return text


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_output_is_as_reviewed(
    program: Program, sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    # Help is wrapped to this width.
    monkeypatch.setenv("COLUMNS", "100")
    program.add_jobs(
        a_job(ended_after=1.0, cost=0.04, credits_after=99.0),
        a_job(state="failed", error="The prompt was rejected."),
        a_job(state="rejected", cause="refused", error="Not enough credits.", request_id=None),
        a_job(state="unconfirmed", error="The response was lost.", request_id=None),
    )
    program.add_fast_jobs()
    (program.data_dir / "results").mkdir(exist_ok=True)
    (program.data_dir / "results" / "0000001.jpg").write_bytes(b"\xff\xd8\xff")
    if command == "undo":
        program.run("delete", "1")
    runs = [(command, "--help") if command else ("--help",), *RUNS[command]]
    found = transcript(program, runs, tmp_path)
    path = FOLDER / f"{command or 'eternal-tui'}.txt"
    if os.environ.get("UPDATE_TRANSCRIPTS"):
        path.write_text(found)
    assert found == path.read_text()


COLORS = {
    "by default": ((), {}, False),
    "auto into a file": (("--color", "auto"), {}, False),
    "always": (("--color", "always"), {}, True),
    "always beats NO_COLOR": (("--color", "always"), {"NO_COLOR": "1"}, True),
    "never": (("--color", "never"), {}, False),
}


@pytest.mark.parametrize("name", COLORS)
def test_colours_follow_the_option(program: Program, name: str) -> None:
    options, environ, has_color = COLORS[name]
    program.add_jobs(a_job(state="failed"))
    out = program.run("jobs", *options, environ=environ).out
    assert ("\x1b[31mfailed\x1b[0m" in out, "\x1b" in out) == (has_color, has_color)


def test_quiet_leaves_results_and_errors(program: Program) -> None:
    program.add_jobs(a_job(state="failed", error="no"))
    assert program.run("watch", "--quiet").err == ""
    ran = program.run("watch", "1", "--quiet", "--no-json")
    assert (ran.out, ran.err) == ("job 1 · failed · past-1000.0\n", "eternal-tui: Job 1 failed: no\n")
