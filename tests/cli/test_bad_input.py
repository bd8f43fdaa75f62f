"""Invalid options, arguments and paths of every command: exit code 2, one sentence, and nothing changed."""

from __future__ import annotations

import pytest

from eternal_tui.sandbox.server import Sandbox
from tests.cli.program import GENERATE as IMAGE
from tests.cli.program import Program, a_job

LONG = "a" * 300

CASES = [
    *(((command, "--bogus"), "Unknown option --bogus. See eternal-tui") for command in ("jobs", "watch", "config")),
    (("generate", "--promt", "a"), "Did you mean --prompt?"),
    (("--date-dir", "x", "jobs"), "Unknown option --date-dir. Did you mean --data-dir?"),
    (("login", "--file"), "Standard input contains no API key."),
    (("stats", "extra"), "unexpected argument extra. Try: eternal-tui stats --help"),
    (("note", "1", "a", "b"), "unexpected argument b"),
    (("show",), "the following arguments are required: JOB"),
    (("export",), "the following arguments are required: PATH"),
    (("show", ""), 'No job "".'),
    (("show", "99"), "No job 99."),
    (("show", "9" * 40), "No job 999"),
    (("show", "²"), "No job ²."),
    (("show", "req"), "No job req."),
    (("show", "-"), "Standard input contains no job ids."),
    (("show", "state:nope"), "Unknown state nope."),
    (("show", "state:lost"), "No job matches state:lost."),
    *(((command, "99"), "No job 99.") for command in ("watch", "fetch", "save", "open", "star", "tag", "delete")),
    (("show", "1", "a\udce9"), "is not UTF-8 text."),
    (("note", "1", "a\udce9"), "is not UTF-8 text."),
    (("note", "1", "a" * 4_001), "at most 4000 characters"),
    (("jobs", "--limit", "x"), "--limit: x is not a whole number from 1."),
    (("jobs", "--sort", "nope"), "Cannot sort by nope."),
    (("jobs", "--format", "{"), "braces do not match"),
    (("jobs", "since:zz"), "Unknown time zz."),
    (("stats", "--days", "9" * 30), "is not a whole number from 1 to 3660"),
    (("stats", "--account", "zz"), "Unknown account zz. Accounts:"),
    (("watch", "1", "--timeout", "1e400"), "--timeout: 1e400 is not a time such as 90"),
    (("watch", "1", "-o", ""), "It is empty."),
    (("fetch", "1", "--on-finished", ""), "--on-finished"),
    (("fetch", "1", "--url", "ftp://example.org/a.jpg"), "neither http nor https"),
    (("fetch", "1", "--url", "https://a:b@example.org/a"), "user name or password"),
    *(((*IMAGE, "--max-cost", text), f"--max-cost: {text} is not an amount") for text in ("nan", "-1", "1e99999")),
    ((*IMAGE, "--queue", "--wait"), "--queue sends nothing"),
    ((*IMAGE, "--note", "a" * 4_001), "at most 4000 characters"),
    ((*IMAGE, "--timeout", "1"), "--timeout needs --wait."),
    ((*IMAGE, "-o", ""), "--output needs --wait."),
    ((*IMAGE, "--wait", "-o", "{nope}"), "{nope}"),
    ((*IMAGE, "--wait", "-o", "{id"), "braces"),
    ((*IMAGE, "--wait", "-o", "/dev/null/x.jpg"), "not a folder"),
    ((*IMAGE, "--wait", "--on-finished", "echo {nope}"), "{nope}"),
    ((*IMAGE, "--wait", "--on-finished", "{file}"), "command itself"),
    ((*IMAGE, "--input", "a.csv"), "exclude each other"),
    (("generate", "--input", LONG), "File name too long"),
    (("generate",), "Character is required"),
    (("generate", "--character", "  ", "--prompt", "x"), "Character is required"),
    (("generate", "--character", "https://example.org/a.png", "--prompt", "x"), "URLs"),
    (("generate", "--character", "6870", "--prompt", "   "), "Prompt is required"),
    (("generate", "--character", "6870", "--prompt", "x" * 100_001), "at most 100000 characters"),
    (("generate", "--character", "6870", "--prompt", "-"), "contains no prompt"),
    ((*IMAGE, "--type", "gif"), "image or video"),
    ((*IMAGE, "--type", "video", "--duration", "6"), "1 to 5"),
    ((*IMAGE, "--type", "video", "--duration", "2.5"), "1 to 5"),
    ((*IMAGE, "--type", "video", "--duration", "9" * 5000), "1 to 5"),
    ((*IMAGE, "--type", "video", "--quality", "high"), "quality applies to images"),
    ((*IMAGE, "--duration", "2"), "duration applies to videos"),
    ((*IMAGE, "--no-audio"), "audio applies to videos"),
    ((*IMAGE, "--quality", "best"), "low or high"),
    ((*IMAGE, "--count", "101"), "--count"),
    ((*IMAGE, "--count", "many"), "--count"),
    (("--base-url", "http://example.org", *IMAGE), "Plain http"),
    (("--config", "/nowhere/config.toml", *IMAGE), "no such file"),
    (("generate", "--character", "Nobody Atall", "--prompt", "x"), "Unknown character"),
    (("generate", "--character", "a", "--prompt", "x"), "is ambiguous"),
    (("generate", "--character", "6870", "--prompt", "a", "--dur", "2"), "Unknown option --dur"),
    (("retry", "1"), "only failed, rejected and unconfirmed"),
    (("again", "77"), "No job 77."),
    (("adopt", "abcd", "--character", "../x"), "Nothing adopted."),
    (("create-character", "A keeper"), "Add --yes."),
    (("create-character", "  ", "--yes"), "Prompt is required."),
    (("queue", "run", "--timeout", "nan"), "--timeout: nan is not a time"),
    (("queue", "hold", "1"), "`queue hold` takes no JOB."),
    (("queue", "clear", "1"), "Job 1 is not queued."),
    (("queue", "move", "1", "x"), "first|last|N."),
    (("save", "1", "-o", ""), "It is empty."),
    (("save", "1", "-o", "-"), "standard output"),
    (("save", "1", "-o", f"{LONG}.jpg"), "File name too long"),
    (("save", "1", "-o", "a\udce9"), "is not UTF-8 text."),
    (("save", "1", "-o", "/dev/null"), "neither a file nor a folder"),
    (("save", "1", "-o", "{prompt:x}"), "whole number from 1"),
    (("export", ""), "PATH is empty."),
    (("export", LONG), "File name too long"),
    (("export", "--format", "folder", "/dev/null"), "nor a folder"),
    (("export", "--megabytes", "abc", "a.html"), "--megabytes: abc is not a number of MB"),
    (("doctor", "--report", ""), "--report takes a file name"),
    (("doctor", "--report", LONG), "File name too long"),
    (("adopt", "a b"), "“a b” is not a request id."),
    (("create-character", "a", "--prompt", "b"), "exclude each other"),
    (("jobs", "--empty"), "--empty goes with --demo."),
    (("completion", "tcsh"), "is not one of bash, zsh, fish"),
    (("schema", "login"), "login has no --json."),
]


@pytest.mark.parametrize(
    ("arguments", "words"), CASES, ids=lambda each: " ".join(each)[:40] if isinstance(each, tuple) else ""
)
def test_bad_input_is_named_and_changes_nothing(
    program: Program, sandbox: Sandbox, arguments: tuple[str, ...], words: str
) -> None:
    program.add_jobs(a_job(request_id="request-1"))
    ran = program.run(*arguments)
    assert (ran.code, ran.out) == (2, ""), ran.err
    assert words in ran.err
    assert ran.err.count("\n") == 1
    (record,) = program.records()
    assert (record["state"], "note" in record, "tags" in record) == ("running", False, False)
    assert sandbox.posts == []
