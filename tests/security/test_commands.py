"""Hostile words in the command line: every command, its errors and JSON, crash reports and the log.

Most are compared byte by byte with what is written of the sanitized twin.
"""

from __future__ import annotations

import io
import json
import logging
import re
from pathlib import Path

import pytest

from eternal_tui.cli.parser import COMMANDS
from eternal_tui.core.logging import format_crash_report, open_log
from eternal_tui.core.sanitize import sanitize
from tests.cli.program import Program, json_server
from tests.security.hostile import (
    find_unsafe_lines,
    hostile_job,
    make_payloads,
    pack_payloads,
    payload_pieces,
    sanitized_twin,
)
from tests.security.programs import TtyTextIO, command_output, forbidden_bytes

HISTORY_COMMANDS = [
    ("jobs",), ("jobs", "--search", "b"), ("jobs", "--state", "failed,lost"), ("show", "last"), ("show", "500"),
    ("stats",), ("export", "--format", "csv", "-"), ("export", "--format", "html", "-"),
    ("watch", "1", "--no-json"), ("watch", "3", "--no-json"),
]  # fmt: skip
JSON_COMMANDS = [("jobs", "--totals"), ("show", "500", "--json"), ("watch", "1", "--json"), ("export", "-")]
SEPARATELY_TESTED_COMMANDS = {"login", "sandbox", "generate"}
"""Those that show nothing of the history: what they are given and answered is tried below."""


def assert_safe(*texts: str) -> None:
    assert [unsafe for text in texts if (unsafe := find_unsafe_lines(text))] == []


def single_line_payloads() -> list[str]:
    """Return a thousand payloads without line breaks, which make lines where lines are wanted."""
    return [re.sub("[\r\n]", "", each.encode("utf-8", "replace").decode()) for each in payload_pieces()]


def people_with(texts: list[str]) -> bytes:
    """Return the body of a list of characters with these words in every field."""
    fields = ("display_name", "username", "description", "gender")
    return json.dumps(
        {"result": [{"id": at, "age": 30, **dict.fromkeys(fields, t)} for at, t in enumerate(texts, 1)]}
    ).encode()


def test_every_command_writes_of_a_history_what_it_writes_of_the_twin(program: Program, tmp_path: Path) -> None:
    """A thousand jobs with a payload in every field each, on a terminal and into a pipe."""
    jobs = [hostile_job(each, number) for number, each in enumerate(single_line_payloads())]
    twin = Program(tmp_path / "twin", program.environ["ETERNAL_TUI_BASE_URL"], "no-key-of-anybody")
    program.add_jobs(*jobs)
    twin.add_jobs(*map(sanitized_twin, jobs))
    for arguments in HISTORY_COMMANDS:
        for kind in (TtyTextIO, io.TextIOWrapper):
            hostile, neutral = (command_output(one, arguments, kind) for one in (program, twin))
            assert hostile.splitlines() == neutral.splitlines(), arguments
            assert len(hostile) > 20
            assert forbidden_bytes(hostile) == []
    for arguments in JSON_COMMANDS:
        assert command_output(program, arguments, io.TextIOWrapper).isascii()
    assert len(program.run("jobs", "--json").json_objects) == len(json.loads(program.run("export", "-").out)) == 1_000


def test_every_command_there_is_writes_calm_words_only(program: Program) -> None:
    """A thousand jobs and as many characters of long payloads, on a terminal and into a pipe."""
    program.environ["ETERNAL_TUI_CONFIG"] = ""
    program.add_jobs(*(hostile_job(words[:2_000], number) for number, words in enumerate(make_payloads())))
    arguments = {"show": ("last",), "export": ("-",), "watch": ("1",), "doctor": ("--report",), "completion": ("bash",)}
    with json_server(people_with(make_payloads(max_chars=200))) as program.environ["ETERNAL_TUI_BASE_URL"]:
        for command in sorted(set(COMMANDS) - SEPARATELY_TESTED_COMMANDS):
            for kind in (TtyTextIO, io.TextIOWrapper):
                written = command_output(program, (command, *arguments.get(command, ())), kind)
                assert written.strip()
                assert forbidden_bytes(written) == []
    assert len(program.run("show", "7").out.splitlines()) > 10


PROGRESS_LINE_PATTERN = re.compile(rb"(?:\r\x1b\[Kjob  \xc2\xb7 submitting[^\r\n]*)+\r\x1b\[K")


def test_a_refusal_is_told_as_its_twin(program: Program) -> None:
    """In the service's own words, by `generate`."""
    for packed in pack_payloads(180)[::6]:
        text, told = re.sub("[\r\n\x00]", "", packed).encode("utf-8", "replace").decode(), []
        for words in (text, sanitize(text)):
            body = json.dumps({"status": False, "error": " ".join(words.split()), "result": []}).encode()
            with json_server(body, post_status=400) as program.environ["ETERNAL_TUI_BASE_URL"]:
                told.append(
                    command_output(program, ("generate", "--character", "6870", "--prompt", "At sea"), TtyTextIO)
                )
        # The numbers of the two jobs differ, and a busy machine draws a line that is written over.
        one, other = (PROGRESS_LINE_PATTERN.sub(b"", re.sub(rb"\d+", b"", each)) for each in told)
        assert b"The API said" in one
        assert one.decode() == other.decode()
        assert forbidden_bytes(told[0]) == []


def strip_replacements(text: str) -> str:
    """Return the text without the replacements that depend on the character before them."""
    return re.sub("[\u25cc\ufffd]", "", text).replace(" \n", "\n").rstrip()


def make_error(words: str) -> BaseException:
    """Return an error that holds the words in its text, its cause, their notes and the name of a file."""
    try:
        try:
            exec(compile("raise ValueError(words)", f"/x/{words}.py", "exec"), {"words": words})
        except ValueError as cause:
            cause.add_note(words)
            raise RuntimeError(words) from cause
    except RuntimeError as error:
        error.add_note(words)
        return error
    raise AssertionError


def test_a_crash_report_reads_as_that_of_the_twin() -> None:
    """A thousand."""
    for words in (each.replace("\x00", "") for each in single_line_payloads()):
        one, other = (format_crash_report(make_error(each), [], command=each) for each in (words, sanitize(words)))
        assert strip_replacements(one) == strip_replacements(other)
        assert forbidden_bytes(one.encode()) == []
        assert find_unsafe_lines(one) == []


def test_the_log_is_printable_ascii_and_reads_as_that_of_the_twin(tmp_path: Path) -> None:
    """Message, argument, field, its name and traceback, read back from the JSON and gated."""
    logger = logging.getLogger("eternal_tui.hostile")
    read = []
    for gate in (str, sanitize):
        log = open_log(tmp_path / gate.__name__)
        log.maxBytes = 50_000_000
        for words in map(gate, single_line_payloads()):
            logger.info("said %s", words, extra={"word": words, f"x{words}": [words]})
            logger.error(words.replace("%", ""), exc_info=ValueError(words))
        log.close()
        data = Path(log.baseFilename).read_bytes()
        assert set(data) <= {10, *range(0x20, 0x7F)}
        read.append(
            [
                [strip_replacements(sanitize(str(line.get(name)))) for name in ("event", "word", "error")]
                for line in map(json.loads, data.splitlines())
            ]
        )
    assert len(read[0]) == 2_000
    assert [pair for pair in zip(*read, strict=True) if pair[0] != pair[1]] == []


@pytest.mark.parametrize("words", make_payloads(max_chars=200)[::60])
def test_arguments_are_shown_sanitized(program: Program, words: str) -> None:
    """A NUL can be in none of them."""
    words = words.replace("\x00", "") or "x"
    for arguments in (
        (words,), ("show", words), ("jobs", "--state", words), ("jobs", "--search", words), ("watch", words),
        ("generate", "--character", words, "--prompt", words, "--type", words), ("--base-url", words, "jobs"),
        ("--config", f"/nowhere/{words}", "jobs"), ("export", f"/nowhere/{words}"), ("characters", "--search", words),
    ):  # fmt: skip
        ran = program.run(*arguments)
        assert ran.code != 70, ran.err
        assert_safe(ran.out, ran.err)


def test_a_hostile_config_file(program: Program, tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    for words in make_payloads(max_chars=100)[::40]:
        for line in (f"theme = {json.dumps(words)}", f"[keys]\n{json.dumps(words)} = {json.dumps(words)}", words):
            path.write_text(line, encoding="utf-8")
            for command in (("config",), ("config", "--check")):
                ran = program.run("--config", str(path), *command)
                assert ran.code in (0, 2)
                assert_safe(ran.out, ran.err)
