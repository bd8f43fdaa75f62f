"""What verbs, reports, crash and log make of a stranger's words: what they make of the neutralised twin's."""

from __future__ import annotations

import io
import json
import logging
import re
from pathlib import Path

import pytest

from eternal_tui.core.logging import format_crash_report, open_log
from eternal_tui.core.sanitize import sanitize
from tests.cli.program import Program
from tests.security.drawn import FORBIDDEN_BYTES_PATTERN
from tests.security.hostile import pack_payloads, payload_pieces
from tests.security.test_command_line import serve_body
from tests.security.test_creation_screen import rejecting_server
from tests.security.test_raw_bytes import TtyTextIO, command_output


def single_line_payloads() -> list[str]:
    """Return a thousand payloads without line breaks, which make lines where lines are wanted."""
    return [re.sub("[\r\n]", "", each.encode("utf-8", "replace").decode()) for each in payload_pieces()]


def test_characters_are_listed_as_their_twins(program: Program, tmp_path: Path) -> None:
    """A thousand, each payload in name, user name, story and gender.

    Seen to fail with the name in its row as it came.
    """
    told: list[bytes] = []
    for kind in (TtyTextIO, io.TextIOWrapper):
        for gate in (str, sanitize):
            people = [
                {"id": at, "display_name": words, "username": words, "description": words, "gender": words, "age": 30}
                for at, words in enumerate(map(gate, single_line_payloads()), 1)
            ]
            with serve_body(json.dumps({"result": people}).encode()) as url:
                other = Program(tmp_path / f"{len(told)}", url, "no-key-of-anybody")
                told.append(command_output(other, ("characters",), kind))
    assert told[0].splitlines() == told[1].splitlines()
    assert told[2].splitlines() == told[3].splitlines()
    assert min(len(each.splitlines()) for each in told) >= 1_000


PROGRESS_LINE_PATTERN = re.compile(rb"(?:\r\x1b\[Kjob  \xc2\xb7 submitting[^\r\n]*)+\r\x1b\[K")


@pytest.mark.parametrize("share", [6, pytest.param(1, marks=pytest.mark.long)])
def test_a_refusal_is_told_as_its_twin(program: Program, share: int) -> None:
    """In the service's own words, by `generate`. Seen to fail with the reason put into its sentence as it came."""
    with rejecting_server() as (url, service):
        program.environ["ETERNAL_TUI_BASE_URL"] = url
        for packed in pack_payloads(180)[::share]:
            text, told = re.sub("[\r\n\x00]", "", packed).encode("utf-8", "replace").decode(), []
            for words in (text, sanitize(text)):
                service.message = " ".join(words.split())
                told.append(
                    command_output(program, ("generate", "--character", "6870", "--prompt", "At sea"), TtyTextIO)
                )
            # The numbers of the two jobs differ, and a busy machine draws a line that is written over.
            one, other = (PROGRESS_LINE_PATTERN.sub(b"", re.sub(rb"\d+", b"", each)) for each in told)
            assert one.decode() == other.decode()
            assert FORBIDDEN_BYTES_PATTERN.findall(one.replace(b"\r\x1b[K", b"")) == []


def strip_replacements(text: str) -> str:
    """Return the text less the signs that depend on what stands before them: of a mark at the beginning, of nothing."""
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
    """A thousand. Seen to fail with the traceback's lines written as they came."""
    different = []
    for words in (each.replace("\x00", "") for each in single_line_payloads()):
        one, other = (
            strip_replacements(format_crash_report(make_error(each), [], command=each))
            for each in (words, sanitize(words))
        )
        if one != other:
            different.append((words, one, other))
    assert different == []


def test_a_line_of_the_log_reads_as_that_of_the_twin(tmp_path: Path) -> None:
    """Message, argument, field and traceback, read back from the JSON and gated: nothing but the gate's signs differs.

    Seen to fail with a log that cuts at the first control character.
    """
    logger = logging.getLogger("eternal_tui.hostile")
    read = []
    for gate in (str, sanitize):
        log = open_log(tmp_path / gate.__name__, max_bytes=50_000_000)
        for words in map(gate, single_line_payloads()):
            logger.info("said %s", words, extra={"word": words})
            logger.error(words.replace("%", ""), exc_info=ValueError(words))
        log.close()
        lines = [json.loads(line) for line in log.path.read_text(encoding="ascii").splitlines()]
        read.append(
            [
                [strip_replacements(sanitize(str(line[name]))) for name in ("event", "word", "error") if name in line]
                for line in lines
            ]
        )
    assert len(read[0]) == 2_000
    assert [pair for pair in zip(*read, strict=True) if pair[0] != pair[1]] == []


LOG_FIELDS = ("event", "service", "state", "file", "cause")
"""Of a line of the log, what a report tells."""


def test_a_report_for_an_issue_reads_as_that_of_the_twin(program: Program) -> None:
    """The log's own facts, a thousand payloads in forty lines. Seen to fail with the report's lines printed ungated."""
    logs = program.data_dir / "logs"
    logs.mkdir(parents=True)
    # What the person is called is taken out where it stands as a word, and the tail of what looks like an address.
    every = [re.sub("root|[?]|://", "", words) for words in single_line_payloads()]
    told = []
    for gate in (str, sanitize):
        lines = [
            json.dumps({fact: "|".join(map(gate, every[at + part * 5 :][:5])) for part, fact in enumerate(LOG_FIELDS)})
            for at in range(0, 1_000, 25)
        ]
        (logs / "eternal-tui.log").write_text("\n".join(lines))
        report_ = command_output(program, ("doctor", "--report"), io.TextIOWrapper)
        told.append(re.sub(rb"responds in \d+ ms|[\d.]+ \wB free", b"", report_).decode())
    (logs / "eternal-tui.log").unlink()
    assert strip_replacements(told[0]).splitlines() == strip_replacements(told[1]).splitlines()
    assert len(told[0].splitlines()) > 40
