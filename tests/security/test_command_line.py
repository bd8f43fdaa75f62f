"""Hostile words in the command line: every verb, its errors and its JSON, with a history of a thousand hostile jobs."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from eternal_tui.cli.main import run
from eternal_tui.cli.parser import COMMANDS
from eternal_tui.sandbox.faults import Fault, FaultPlace
from eternal_tui.sandbox.server import Sandbox
from tests.cli.program import Program
from tests.security.hostile import find_unsafe_lines, hostile_job, make_payloads, sanitized_twin

MAX_PAYLOAD_CHARS = 60


def assert_safe(*texts: str) -> None:
    assert [find_unsafe_lines(text) for text in texts if find_unsafe_lines(text)] == []


@pytest.fixture
def hostile(program: Program) -> Program:
    program.environ["ETERNAL_TUI_CONFIG"] = ""
    program.add_jobs(*(hostile_job(words[:2_000], number) for number, words in enumerate(make_payloads())))
    return program


def test_every_line_and_record_of_a_thousand_hostile_jobs_is_there_as_json(hostile: Program) -> None:
    """What the same verbs print as words is compared byte by byte in test_raw_bytes."""
    listed, exported, totals = (
        hostile.run("jobs", "--json"),
        hostile.run("export", "-"),
        hostile.run("jobs", "--totals"),
    )
    assert (listed.out + exported.out + totals.out).isascii()
    assert_safe(listed.out, exported.out, totals.out)
    assert len(listed.json_objects) == len(json.loads(exported.out)) == 1_000


class TtyStringIO(io.StringIO):
    """A stream that is a terminal."""

    def isatty(self) -> bool:
        return True


SEPARATELY_TESTED_COMMANDS = {"login", "sandbox", "generate"}
"""Verbs that show nothing of the history: what they are given and answered is tried below."""


def test_every_verb_on_a_terminal_and_into_a_pipe(hostile: Program, tmp_path: Path) -> None:
    """A thousand hostile jobs and as many characters, seen by every verb there is, cut to a terminal's width or whole.

    Seen to fail with a character's name put into its row as the service gave it.
    """
    people = [{"id": number, "display_name": words, "username": words, "description": words, "gender": words, "age": 30}
              for number, words in enumerate(make_payloads(max_chars=200), 1)]  # fmt: skip
    with serve_body(json.dumps({"result": people}).encode()) as url:
        arguments: dict[str, tuple[str, ...]] = {
            "show": ("last",), "export": ("-",), "watch": ("1",), "doctor": ("--report",), "completion": ("bash",),
        }  # fmt: skip
        for verb in COMMANDS:
            if verb in SEPARATELY_TESTED_COMMANDS:
                continue
            for screen in (TtyStringIO, io.StringIO):
                out, err = screen(), screen()
                given = (verb, *arguments.get(verb, ()))
                environ = hostile.environ_with({"ETERNAL_TUI_BASE_URL": url})
                code = run(given, environ, io.StringIO(), out, err)
                assert code != 70, (verb, err.getvalue())
                written = out.getvalue() + err.getvalue()
                assert written
                # The one sequence of the program's own: it takes the moving line away.
                assert_safe(written.replace("\r\x1b[K", ""))
    lines = hostile.run("show", "7").out.splitlines()
    assert len(lines) > 10


@contextmanager
def serve_body(body: bytes) -> Iterator[str]:
    """Answer every GET with this body."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


def test_single_jobs_and_their_twins(program: Program, tmp_path: Path) -> None:
    """Seen to fail with the timeline's words printed as they are."""
    jobs = [
        hostile_job(words, number)
        for number, words in enumerate(make_payloads(max_chars=MAX_PAYLOAD_CHARS)[:: 1_000 // 40])
    ]
    program.add_jobs(*jobs)
    other = Program(tmp_path / "twin", program.environ["ETERNAL_TUI_BASE_URL"], "no-key-of-anybody")
    other.add_jobs(*(sanitized_twin(job) for job in jobs))
    for number in range(1, len(jobs) + 1, 2):
        ran, twin = program.run("show", str(number)), other.run("show", str(number))
        assert_safe(ran.out, ran.err)
        assert len(ran.out.splitlines()) >= 10
        if (words := jobs[number - 1].name) == words.strip() and "\t" not in words:
            assert ran.out == twin.out
        assert program.run("show", str(number), "--json").out.isascii()


@pytest.mark.parametrize("words", make_payloads(max_chars=200)[::60])
def test_what_a_person_types_and_the_environment_holds(program: Program, words: str) -> None:
    """Arguments, settings, and variables that name terminals and folders. A NUL can be in none of them."""
    words = words.replace("\x00", "") or "x"
    for arguments in (
        (words,), ("show", words), ("jobs", "--state", words), ("jobs", "--search", words), ("watch", words),
        ("generate", "--character", words, "--prompt", words, "--type", words), ("--base-url", words, "jobs"),
        ("--config", f"/nowhere/{words}", "jobs"), ("export", f"/nowhere/{words}"), ("characters", "--search", words),
    ):  # fmt: skip
        ran = program.run(*arguments)
        assert ran.code != 70, ran.err
        assert_safe(ran.out, ran.err)
    for name in (
        "ETERNAL_TUI_THEME",
        "ETERNAL_TUI_BASE_URL",
        "ETERNAL_TUI_IMAGES",
        "ETERNALAI_API_KEY",
        "ETERNAL_TUI_DAILY_CAP",
        "TERM",
        "LANG",
        "COLORTERM",
    ):
        ran = program.run("doctor" if name in ("TERM", "LANG", "COLORTERM") else "config", environ={name: words})
        assert ran.code != 70, ran.err
        assert_safe(ran.out, ran.err)


def test_a_hostile_config_file(program: Program, tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    for words in make_payloads(max_chars=100)[::40]:
        for line in (f"theme = {json.dumps(words)}", f"[keys]\n{json.dumps(words)} = {json.dumps(words)}", words):
            path.write_text(line, encoding="utf-8")
            for verb in (("config",), ("config", "--check")):
                ran = program.run("--config", str(path), *verb)
                assert ran.code in (0, 2)
                assert_safe(ran.out, ran.err)


def test_the_service_s_own_words(program: Program, sandbox: Sandbox) -> None:
    """The words of the sandbox's hostile service: status, progress, errors, headers, redirects, names and bios.

    Seen to fail with the reason of a refused or failed job put into its sentence as the service worded it.
    """
    image = ("generate", "--character", "6870", "--prompt", "At sea", "--json")
    sandbox.inject(Fault.HOSTILE_TEXT)
    ran = program.run(*image, "--wait")
    assert_safe(ran.out, ran.err)
    for fault in (Fault.HTML_502, Fault.REDIRECT, Fault.NO_CREDITS, Fault.GARBAGE_JSON):
        sandbox.inject(fault, on=FaultPlace.POST)
        ran = program.run(*image)
        assert_safe(ran.out, ran.err)
    sandbox.inject(Fault.HOSTILE_TEXT)
    for arguments in (("characters",), ("characters", "--json"), ("jobs",), ("jobs", "--json"), ("show", "1")):
        assert_safe(program.run(*arguments).out)
    log = (program.data_dir / "logs" / "eternal-tui.log").read_bytes()
    assert log.isascii()
    assert_safe(log.decode())
    assert b"Signature" not in log
