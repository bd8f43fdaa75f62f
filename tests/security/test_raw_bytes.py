"""What the verbs, the log and a crash report write, byte by byte; the verbs beside what they write of the twin."""

from __future__ import annotations

import io
import logging
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from eternal_tui.cli.main import run
from eternal_tui.core.logging import format_crash_report, open_log
from eternal_tui.core.sanitize import sanitize
from tests.cli.program import Program
from tests.security.drawn import FORBIDDEN_BYTES_PATTERN
from tests.security.hostile import find_unsafe_lines, hostile_job, make_payloads, payload_pieces, sanitized_twin

COMMANDS = [
    ("jobs",), ("jobs", "--search", "b"), ("jobs", "--state", "failed,lost"), ("show", "last"), ("show", "500"),
    ("stats",),
    ("export", "--format", "csv", "-"), ("export", "--format", "html", "-"),
    ("watch", "1", "--no-json"), ("watch", "3", "--no-json"),
]  # fmt: skip
ASCII_COMMANDS = [
    ("jobs", "--json"),
    ("jobs", "--totals"),
    ("show", "500", "--json"),
    ("export", "-"),
    ("watch", "1", "--json"),
]


class TtyTextIO(io.TextIOWrapper):
    """A stream of bytes that is a terminal."""

    def isatty(self) -> bool:
        return True


def command_output(program: Program, arguments: tuple[str, ...], stream_type: type[io.TextIOWrapper]) -> bytes:
    """Return what a verb wrote on both streams, as it would leave the process."""
    out, err = (stream_type(io.BytesIO(), encoding="utf-8", errors="replace", write_through=True) for _ in range(2))
    code = run(arguments, program.environ, io.StringIO(), out, err)
    assert code != 70, err.buffer.getvalue()  # type: ignore[attr-defined]
    written: bytes = out.buffer.getvalue() + b"\n" + err.buffer.getvalue()  # type: ignore[attr-defined]
    return written.replace(str(program.data_dir).encode(), b"DATA")


@pytest.fixture
def twins(program: Program, tmp_path: Path) -> tuple[Program, Program]:
    """Two folders: a thousand hostile jobs, and the same with every word gated."""
    # Lines are kept where lines are wanted, and the twin has signs for them.
    words = [re.sub("[\r\n]", "", each.encode("utf-8", "replace").decode()) for each in payload_pieces()]
    jobs = [hostile_job(each, number) for number, each in enumerate(words)]
    other = Program(tmp_path / "twin", program.environ["ETERNAL_TUI_BASE_URL"], "no-key-of-anybody")
    program.add_jobs(*jobs)
    other.add_jobs(*map(sanitized_twin, jobs))
    return program, other


def test_the_bytes_of_every_verb_are_those_of_the_neutralised_twin(twins: tuple[Program, Program]) -> None:
    """A thousand jobs with a payload in every field each, on a terminal and into a pipe.

    Seen to fail with the name in a row of `jobs` printed as it stood in the file.
    """
    for arguments in COMMANDS:
        for kind in (TtyTextIO, io.TextIOWrapper):
            hostile, neutral = (command_output(one, arguments, kind) for one in twins)
            assert hostile.splitlines() == neutral.splitlines(), arguments
            assert len(hostile) > 20
            assert FORBIDDEN_BYTES_PATTERN.findall(hostile.replace(b"\r\x1b[K", b"")) == []
    for arguments in ASCII_COMMANDS:
        assert command_output(twins[0], arguments, io.TextIOWrapper).isascii()


def make_error(words: str) -> BaseException:
    """Return an error that holds the words in its text, its cause, its notes and the name of its file."""
    try:
        try:
            file = words.encode("utf-8", "replace").decode().replace("\x00", "")
            exec(compile("raise ValueError(words)", f"/x/{file}.py", "exec"), {"words": words})
        except ValueError as cause:
            cause.add_note(words)
            raise OSError(2, words, words) from cause
    except OSError as error:
        return error
    raise AssertionError


def test_a_crash_report_is_calm_whatever_the_error_holds() -> None:
    """Seen to fail with the traceback's lines written as they came."""
    found = 0
    for words in payload_pieces():
        text = format_crash_report(make_error(words), [], command=words)
        assert find_unsafe_lines(text) == []
        assert FORBIDDEN_BYTES_PATTERN.findall(text.encode()) == []
        found += sanitize(words) in text
    # Line breaks make lines there, and what looks like the tail of an address is hidden.
    assert found > 900


def test_every_line_of_the_log_is_printable_ascii(tmp_path: Path) -> None:
    """As message, argument, field, its name and traceback. Seen to fail with JSON that keeps what is no ASCII."""
    log = open_log(tmp_path, max_bytes=50_000_000)
    logger = logging.getLogger("eternal_tui.hostile")
    ways: list[Callable[[str], None]] = [
        logger.info,
        lambda words: logger.info("said %s", words),
        lambda words: logger.info("said", extra={"word": words, f"x{words}": [words]}),
        lambda words: logger.error("met", exc_info=make_error(words)),
    ]
    texts = make_payloads(max_chars=2_000)
    for words in texts:
        for way in ways:
            way(words.replace("%", ""))
    log.close()
    data = log.path.read_bytes()
    assert data.count(b"\n") == len(texts) * len(ways)
    assert set(data) <= {10, *range(0x20, 0x7F)}
    assert log.last_error == ""
