"""What the verbs, the log and a crash report write, byte by byte; the verbs beside what they write of the twin."""

from __future__ import annotations

import io
import logging
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from eternal_tui.cli.main import run
from eternal_tui.core.crash_report import report
from eternal_tui.core.logging import open_log
from eternal_tui.core.sanitize import shown
from tests.cli.program import Program
from tests.security.drawn import NEVER
from tests.security.hostile import job_of, payloads, pieces, twin_of, unsafe

VERBS = [
    ("jobs",), ("jobs", "--search", "b"), ("jobs", "--state", "failed,lost"), ("show", "last"), ("show", "500"),
    ("stats",),
    ("export", "--format", "csv", "-"), ("export", "--format", "html", "-"),
    ("watch", "1", "--no-json"), ("watch", "3", "--no-json"),
]  # fmt: skip
ASCII = [("jobs", "--json"), ("jobs", "--totals"), ("show", "500", "--json"), ("export", "-"), ("watch", "1", "--json")]


class Terminal(io.TextIOWrapper):
    """A stream of bytes that is a terminal."""

    def isatty(self) -> bool:
        return True


def bytes_of(program: Program, arguments: tuple[str, ...], kind: type[io.TextIOWrapper]) -> bytes:
    """Return what a verb wrote on both streams, as it would leave the process."""
    out, err = (kind(io.BytesIO(), encoding="utf-8", errors="replace", write_through=True) for _ in range(2))
    code = run(arguments, program.environ, io.StringIO(), out, err)
    assert code != 70, err.buffer.getvalue()  # type: ignore[attr-defined]
    written: bytes = out.buffer.getvalue() + b"\n" + err.buffer.getvalue()  # type: ignore[attr-defined]
    return written.replace(str(program.data).encode(), b"DATA")


@pytest.fixture
def twins(program: Program, tmp_path: Path) -> tuple[Program, Program]:
    """Two folders: a thousand hostile jobs, and the same with every word gated."""
    # Lines are kept where lines are wanted, and the twin has signs for them.
    words = [re.sub("[\r\n]", "", each.encode("utf-8", "replace").decode()) for each in pieces()]
    jobs = [job_of(each, number) for number, each in enumerate(words)]
    other = Program(tmp_path / "twin", program.environ["ETERNAL_TUI_BASE_URL"], "no-key-of-anybody")
    program.add(*jobs)
    other.add(*map(twin_of, jobs))
    return program, other


def test_the_bytes_of_every_verb_are_those_of_the_neutralised_twin(twins: tuple[Program, Program]) -> None:
    """A thousand jobs with a payload in every field each, on a terminal and into a pipe.

    Seen to fail with the name in a row of `jobs` printed as it stood in the file.
    """
    for arguments in VERBS:
        for kind in (Terminal, io.TextIOWrapper):
            hostile, neutral = (bytes_of(one, arguments, kind) for one in twins)
            assert hostile.splitlines() == neutral.splitlines(), arguments
            assert len(hostile) > 20
            assert NEVER.findall(hostile.replace(b"\r\x1b[K", b"")) == []
    for arguments in ASCII:
        assert bytes_of(twins[0], arguments, io.TextIOWrapper).isascii()


def raised(words: str) -> BaseException:
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
    for words in pieces():
        text = report(raised(words), [], verb=words)
        assert unsafe(text) == []
        assert NEVER.findall(text.encode()) == []
        found += shown(words) in text
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
        lambda words: logger.error("met", exc_info=raised(words)),
    ]
    texts = payloads(longest=2_000)
    for words in texts:
        for way in ways:
            way(words.replace("%", ""))
    log.close()
    data = log.path.read_bytes()
    assert data.count(b"\n") == len(texts) * len(ways)
    assert set(data) <= {10, *range(0x20, 0x7F)}
    assert log.trouble == ""
