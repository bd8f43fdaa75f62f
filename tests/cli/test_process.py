"""The program as a process of its own: signals, pipes, terminals, a full disk, and what its start imports."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import re
import resource
import select
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from eternal_tui.sandbox.faults import Fault, FaultPlace
from eternal_tui.sandbox.server import Sandbox
from tests.cli.program import ROOT, TIMEOUT_SECONDS, Program, a_job, json_server, threaded_sandbox, wait_until
from tests.known_characters import write_character_list

IMAGE_ARGUMENTS = ("generate", "--character", "6870", "--prompt", "At sea")
STUCK_ARGUMENTS = ("generate", "--character", "6870", "--prompt", "fault:stuck", "--wait")


def test_the_real_program_sends_and_says_so(program: Program, sandbox: Sandbox) -> None:
    ran = program.run_process(*IMAGE_ARGUMENTS, "--json")
    assert (ran.code, ran.err) == (0, "")
    assert ran.json_objects[0]["request_id"] == sandbox.charged[0]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signal_during_post_leaves_one_unconfirmed_job(
    program: Program, sandbox: Sandbox, number: signal.Signals
) -> None:
    """Seen to fail without the outbox's handler for cancellation: the record stayed `submitting`."""
    sandbox.inject(Fault.SLOW, on=FaultPlace.POST)
    with program.start_process(*IMAGE_ARGUMENTS, "--json") as process:
        wait_until(lambda: sandbox.posts)
        process.send_signal(number)
        out, err = process.communicate(timeout=TIMEOUT_SECONDS)
    assert [json.loads(line)["state"] for line in out.splitlines()] == ["unconfirmed"]
    assert process.returncode == 5
    assert b"may have been charged" in err
    assert [record["state"] for record in program.records()] == ["unconfirmed"]
    assert len(sandbox.posts) == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_while_waiting_says_how_to_go_on(program: Program, sandbox: Sandbox, number: signal.Signals) -> None:
    with program.start_process(*STUCK_ARGUMENTS) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(number)
        _, err = process.communicate(timeout=TIMEOUT_SECONDS)
    assert process.returncode == 128 + number
    assert b"eternal-tui watch 1" in err
    assert [record["state"] for record in program.records()] == ["running"]


def test_an_ignored_hangup_stays_ignored(program: Program, sandbox: Sandbox) -> None:
    """As under nohup. Seen to fail with every handler installed: the run ended at once."""
    ignore = [sys.executable, "-c", "import os,signal,sys; signal.signal(1, signal.SIG_IGN); os.execv(sys.argv[1], sys.argv[1:])"]  # fmt: skip  # noqa: E501
    command = [*ignore, sys.executable, "-m", "eternal_tui", *STUCK_ARGUMENTS]
    with subprocess.Popen(command, env=program.environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            process.stdout.readline()
            process.send_signal(signal.SIGHUP)
            sandbox.heal()
            sandbox.finish()
            wait_until(lambda: sandbox.downloads)
        finally:
            process.terminate()
            process.communicate(timeout=TIMEOUT_SECONDS)


def test_a_reader_that_goes_away_is_no_trouble(program: Program) -> None:
    """Seen to fail without BrokenPipeError caught: a traceback, and another from the interpreter's last flush."""
    program.add_jobs(*(a_job(created_at=float(number), ended_after=1.0) for number in range(2000)))
    for verb in (("jobs",), ("jobs", "--json"), ("export", "-"), ("export", "--format", "csv", "-")):
        read, write = os.pipe()
        with program.start_process(*verb, stdout=write) as process:
            os.close(write)
            os.read(read, 10)
            os.close(read)
            _, err = process.communicate(timeout=TIMEOUT_SECONDS)
        assert (process.returncode, err) == (141, b"")


def test_wait_exits_3_when_key_is_rejected(program: Program) -> None:
    """Seen to fail as it was: `watch` ended, `generate --wait` waited for ever, without a word.

    And with --json printed no request id.
    """
    with json_server(b'{"request_id": "r-1", "status": "pending"}', 403, post_status=200) as url:
        write_character_list(program.data_dir, url, "6870")
        ran = program.run_process(*IMAGE_ARGUMENTS, "--wait", "--json", environ={"ETERNAL_TUI_BASE_URL": url})
    assert [(job["request_id"], job["state"]) for job in ran.json_objects] == [("r-1", "running")]
    assert ran.code == 3
    assert "Resume with `eternal-tui watch 1`." in ran.err
    assert program.records()[0]["state"] == "running"


def test_who_waits_in_a_script_is_told_once_what_for(program: Program) -> None:
    """Seen to fail with the reason on a terminal's moving line alone: a log stayed empty, however long it took."""
    with json_server(b'{"request_id": "r-1", "status": "pending"}', 503, post_status=200) as url:
        write_character_list(program.data_dir, url, "6870")
        with program.start_process(*IMAGE_ARGUMENTS, "--wait", environ={"ETERNAL_TUI_BASE_URL": url}) as process:
            assert process.stderr is not None
            assert process.stderr.readline().startswith(b"Waiting: Server error (HTTP 503).")
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=TIMEOUT_SECONDS)
    assert b"Waiting" not in err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
@pytest.mark.parametrize("verb", [("jobs", "--json"), ("export", "-"), (*IMAGE_ARGUMENTS, "--json")])
def test_an_output_that_is_full_is_a_sentence_and_1(program: Program, sandbox: Sandbox, verb: tuple[str, ...]) -> None:
    """Seen to fail as it was: "a defect of this program", 70, and 0 for an export that was not written."""
    program.add_jobs(a_job(ended_after=1.0))
    with Path("/dev/full").open("wb") as full, program.start_process(*verb, stdout=full) as process:
        _, err = process.communicate(timeout=TIMEOUT_SECONDS)
    assert process.returncode == 1
    assert err.decode().startswith("eternal-tui: Cannot write the output: No space left on device.")
    assert len(program.records()) == 1 + len(sandbox.posts)


def test_closed_streams_are_no_trouble(program: Program) -> None:
    shell = f'exec "{sys.executable}" -m eternal_tui jobs <&- >&- 2>&-'
    ran = subprocess.run(["/bin/sh", "-c", shell], env=program.environ, check=False, timeout=TIMEOUT_SECONDS)
    assert ran.returncode == 0


def test_an_id_that_could_not_be_written_is_printed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Seen to fail with `is_durable` always true: exit 0, and the id on no disk."""
    full = threading.Event()

    async def until_it_is_full(*_: object) -> None:
        await asyncio.to_thread(full.wait, TIMEOUT_SECONDS)

    with threaded_sandbox() as sandbox:
        program = Program(tmp_path, sandbox.api_url, sandbox.key)
        monkeypatch.setattr(type(sandbox.state), "delay", until_it_is_full)
        sandbox.inject(Fault.SLOW, on=FaultPlace.POST)
        with program.start_process(*IMAGE_ARGUMENTS) as process:
            wait_until(lambda: sandbox.charged)
            journal = (program.data_dir / "history.journal").stat().st_size
            resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (journal, journal))
            full.set()
            _, err = process.communicate(timeout=TIMEOUT_SECONDS)
        assert process.returncode == 5
        assert sandbox.charged[0] in err.decode()
        assert "Traceback" not in err.decode()
        assert len(sandbox.posts) == 1


def test_a_full_disk_sends_nothing(program: Program, sandbox: Sandbox) -> None:
    program.run(*IMAGE_ARGUMENTS)
    limit = max(1, (program.data_dir / "history.journal").stat().st_size)
    with program.start_process(
        *IMAGE_ARGUMENTS, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    ) as run:
        _, err = run.communicate(timeout=TIMEOUT_SECONDS)
    assert run.returncode == 2
    assert b"Traceback" not in err
    assert len(sandbox.posts) == 1


def run_in_terminal(program: Program, *arguments: str, term: str = "xterm-256color") -> str:
    """Return what the program writes to a terminal of 60 columns."""
    master, slave = pty.openpty()
    import fcntl
    import struct
    import termios

    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 60, 0, 0))
    written = b""
    with program.start_process(*arguments, environ={"TERM": term}, stdin=slave, stdout=slave, stderr=slave) as process:
        os.close(slave)
        while True:
            ready, _, _ = select.select([master], [], [], TIMEOUT_SECONDS)
            assert ready
            try:
                part = os.read(master, 65536)
            except OSError:
                break
            if not part:
                break
            written += part
        process.wait(TIMEOUT_SECONDS)
    os.close(master)
    return written.decode()


def test_a_terminal_gets_a_moving_line_and_tables_that_fit(program: Program) -> None:
    program.add_fast_jobs()
    screen = run_in_terminal(program, *IMAGE_ARGUMENTS, "--wait")
    assert "\r\x1b[K" in screen
    assert "job 9" in screen
    assert "saved" in screen
    table = run_in_terminal(program, "jobs")
    assert "\x1b[32msaved\x1b[0m" in table
    plain = run_in_terminal(program, "jobs", "--color", "never")
    assert plain == re.sub(r"\x1b\[[0-9;]*m", "", table)
    assert all(len(line) <= 60 for line in plain.splitlines()[:-1])
    assert plain.split()[:5] == ["id", "state", "type", "name", "prompt"]


def test_watch_prints_progress_line_or_json(program: Program) -> None:
    """Seen to fail with words in the pipe."""
    program.add_fast_jobs()
    program.run(*IMAGE_ARGUMENTS, "--count", "2")
    screen = run_in_terminal(program, "watch")
    assert "\r\x1b[K2 of 2 running" in screen
    assert "saved" in screen
    assert "{" not in screen
    program.run(*IMAGE_ARGUMENTS)
    piped = program.run_process("watch")
    assert [one["state"] for one in piped.json_objects][-1] == "succeeded"
    assert "\x1b" not in piped.out + piped.err
    assert piped.err == ""
    assert "saved" in program.run_process("watch", "last", "--no-json").out


def test_a_dumb_terminal_gets_no_control_sequence(program: Program) -> None:
    program.add_fast_jobs()
    assert "\x1b" not in run_in_terminal(program, *IMAGE_ARGUMENTS, "--wait", term="dumb")


def test_a_prompt_is_asked_for_where_nobody_pipes_one(program: Program, sandbox: Sandbox) -> None:
    assert "--prompt TEXT" in run_in_terminal(program, "generate", "--character", "6870")
    assert sandbox.posts == []


def test_a_defect_is_a_sentence_and_a_private_report(program: Program, sandbox: Sandbox) -> None:
    """A table of jobs that raises in the middle: any internal error."""
    broken = "import sys, eternal_tui.cli.commands.jobs as j\nj.COMMANDS = dict(jobs=j.COMMANDS['jobs']._replace(run=lambda _: 1 / 0))\nfrom eternal_tui.__main__ import main\nsys.exit(main())"  # noqa: E501
    ran = subprocess.run(
        [sys.executable, "-c", broken, "jobs"], env=program.environ, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 70
    assert "Traceback" not in ran.stderr
    (report,) = (program.data_dir / "logs").glob("crash-*.txt")
    assert str(report) in ran.stderr
    assert report.stat().st_mode & 0o777 == 0o600
    text = report.read_text()
    assert "ZeroDivisionError" in text
    assert sandbox.key not in text


def test_the_demo_needs_no_key_and_keeps_nothing(program: Program, sandbox: Sandbox) -> None:
    keyless = {"ETERNALAI_API_KEY": None, "ETERNAL_TUI_BASE_URL": None}
    ran = program.run_process("--demo", *IMAGE_ARGUMENTS, "--json", environ=keyless)
    assert ran.code == 0, ran.err
    assert ran.json_objects[0]["state"] == "running"
    assert sandbox.requests == []
    assert not program.data_dir.exists()


IMPORTS_SCRIPT = """
import sys
import threading
from eternal_tui.__main__ import main
code = main()
print(code, *sorted(name.partition(".")[0] for name, module in sys.modules.items() if module), file=sys.stderr)
"""


@pytest.mark.parametrize(
    ("arguments", "unwanted"),
    [
        (
            IMAGE_ARGUMENTS,
            {"textual", "rich", "click", "PIL", "av", "tinydb", "starlette", "uvicorn", "keyring", "platformdirs"},
        ),
        (("jobs",), {"textual", "rich", "PIL", "av", "httpx", "starlette", "keyring"}),
        (("--version",), {"textual", "httpx", "asyncio", "PIL", "av", "keyring"}),
        (("show", "1"), {"textual", "httpx", "PIL", "av", "keyring"}),
    ],
)
def test_a_verb_imports_only_what_it_needs(program: Program, arguments: tuple[str, ...], unwanted: set[str]) -> None:
    """Seen to fail with httpx importing its own command line: click and rich came with it."""
    ran = subprocess.run(
        [sys.executable, "-c", IMPORTS_SCRIPT, *arguments],
        env=program.environ, cwd=ROOT, capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert unwanted & set(ran.stderr.splitlines()[-1].split()) == set()


def test_the_sandbox_is_a_verb(program: Program) -> None:
    with program.start_process("sandbox", "--speed", "10") as process:
        assert process.stdout is not None
        ready = json.loads(process.stdout.readline())
        assert ready["api_url"].startswith("http://127.0.0.1:")
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=TIMEOUT_SECONDS)
    assert process.returncode == 0
    assert program.run_process("sandbox", "--speed", "0").code == 2


def test_the_app_without_a_terminal_names_the_verbs(program: Program, sandbox: Sandbox) -> None:
    piped = program.run_process()
    assert (piped.code, "Not a terminal" in piped.err) == (2, True)
    assert "TERM" in run_in_terminal(program, term="dumb")
    assert not program.data_dir.exists()
    assert sandbox.requests == []
