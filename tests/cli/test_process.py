"""The program as a process of its own: signals, pipes, terminals, folders, a full disk, and what its start imports."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import pty
import pwd
import re
import resource
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import threading
from pathlib import Path

import msgspec
import pytest

from eternal_tui.config.loader import home_dir, load_settings
from eternal_tui.config.settings import SettingsError
from eternal_tui.sandbox.faults import Fault, FaultPlace
from eternal_tui.sandbox.server import Sandbox
from tests.cli.program import (
    FAST_SETTINGS,
    GENERATE,
    ROOT,
    TIMEOUT_SECONDS,
    Program,
    a_job,
    json_server,
    threaded_sandbox,
    wait_until,
)
from tests.known_characters import write_character_list

STUCK = ("generate", "--character", "6870", "--prompt", "fault:stuck", "--wait")
PYTHON_ETERNAL_TUI = (sys.executable, "-m", "eternal_tui")
SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


def limit_file_size(size: int) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_during_a_post_leaves_one_unconfirmed_job(
    program: Program, sandbox: Sandbox, number: signal.Signals
) -> None:
    sandbox.inject(Fault.SLOW, on=FaultPlace.POST)
    with program.start_process(*GENERATE, "--json") as process:
        wait_until(lambda: sandbox.posts)
        process.send_signal(number)
        out, err = process.communicate(timeout=TIMEOUT_SECONDS)
    assert [json.loads(line)["state"] for line in out.splitlines()] == ["unconfirmed"]
    assert (process.returncode, b"may have been charged" in err, len(sandbox.posts)) == (5, True, 1)
    assert [record["state"] for record in program.records()] == ["unconfirmed"]


def test_a_response_within_a_second_of_a_signal_is_recorded(tmp_path: Path) -> None:
    """The request is paid by then: its id is worth more than a quick end."""
    with threaded_sandbox(msgspec.structs.replace(FAST_SETTINGS, slow_seconds=0.1)) as sandbox:
        program = Program(tmp_path, sandbox.api_url, sandbox.key)
        sandbox.inject(Fault.SLOW, on=FaultPlace.POST)
        with program.start_process(*GENERATE, "--wait", "--json") as process:
            wait_until(lambda: sandbox.posts)
            process.send_signal(signal.SIGTERM)
            out, _ = process.communicate(timeout=TIMEOUT_SECONDS)
        assert [json.loads(line)["request_id"] for line in out.splitlines()] == sandbox.charged
        assert process.returncode == 128 + signal.SIGTERM
        assert [record["state"] for record in program.records()] == ["running"]


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_while_waiting_says_how_to_go_on(program: Program, number: signal.Signals) -> None:
    with program.start_process(*STUCK) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(number)
        _, err = process.communicate(timeout=TIMEOUT_SECONDS)
    assert (process.returncode, b"eternal-tui watch 1" in err) == (128 + number, True)
    assert [record["state"] for record in program.records()] == ["running"]


def test_an_ignored_hangup_stays_ignored(program: Program, sandbox: Sandbox) -> None:
    """As under nohup."""
    with program.start_process(*STUCK, preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN)) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGHUP)
        sandbox.heal()
        sandbox.finish()
        wait_until(lambda: sandbox.downloads)


def test_a_reader_that_goes_away_is_no_trouble(program: Program) -> None:
    program.add_jobs(*(a_job(created_at=float(number), ended_after=1.0) for number in range(2000)))
    for command in (("jobs",), ("jobs", "--json"), ("export", "-"), ("export", "--format", "csv", "-")):
        read, write = os.pipe()
        with program.start_process(*command, stdout=write) as process:
            os.close(write)
            os.read(read, 10)
            os.close(read)
            _, err = process.communicate(timeout=TIMEOUT_SECONDS)
        assert (process.returncode, err) == (141, b"")


def test_wait_exits_3_when_the_key_is_rejected(program: Program) -> None:
    with json_server(b'{"request_id": "r-1", "status": "pending"}', 403, post_status=200) as url:
        write_character_list(program.data_dir, url, "6870")
        ran = program.run_process(*GENERATE, "--wait", "--json", environ={"ETERNAL_TUI_BASE_URL": url})
    assert [(job["request_id"], job["state"]) for job in ran.json_objects] == [("r-1", "running")]
    assert (ran.code, "Resume with `eternal-tui watch 1`." in ran.err) == (3, True)
    assert program.records()[0]["state"] == "running"


def test_a_script_reads_once_what_is_waited_for(program: Program) -> None:
    with json_server(b'{"request_id": "r-1", "status": "pending"}', 503, post_status=200) as url:
        write_character_list(program.data_dir, url, "6870")
        with program.start_process(*GENERATE, "--wait", environ={"ETERNAL_TUI_BASE_URL": url}) as process:
            assert process.stderr is not None
            assert process.stderr.readline().startswith(b"Waiting: Server error (HTTP 503).")
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=TIMEOUT_SECONDS)
    assert b"Waiting" not in err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
@pytest.mark.parametrize("command", [("jobs", "--json"), ("export", "-"), (*GENERATE, "--json")])
def test_a_full_output_is_a_sentence_and_1(program: Program, sandbox: Sandbox, command: tuple[str, ...]) -> None:
    program.add_jobs(a_job(ended_after=1.0))
    with Path("/dev/full").open("wb") as full:
        ran = program.run_process(*command, stdout=full)
    assert ran.code == 1
    assert ran.err.startswith("eternal-tui: Cannot write the output: No space left on device.")
    assert len(program.records()) == 1 + len(sandbox.posts)


def test_closed_streams_are_no_trouble(program: Program) -> None:
    shell = f'exec "{sys.executable}" -m eternal_tui jobs <&- >&- 2>&-'
    ran = subprocess.run(["/bin/sh", "-c", shell], env=program.environ, check=False, timeout=TIMEOUT_SECONDS)
    assert ran.returncode == 0


def test_an_id_that_could_not_be_written_is_printed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    full = threading.Event()

    async def until_it_is_full(*_: object) -> None:
        await asyncio.to_thread(full.wait, TIMEOUT_SECONDS)

    with threaded_sandbox() as sandbox:
        program = Program(tmp_path, sandbox.api_url, sandbox.key)
        monkeypatch.setattr(type(sandbox.state), "delay", until_it_is_full)
        sandbox.inject(Fault.SLOW, on=FaultPlace.POST)
        with program.start_process(*GENERATE) as process:
            wait_until(lambda: sandbox.charged)
            journal = (program.data_dir / "history.journal").stat().st_size
            resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (journal, journal))
            full.set()
            _, err = process.communicate(timeout=TIMEOUT_SECONDS)
        assert (process.returncode, len(sandbox.posts)) == (5, 1)
        assert sandbox.charged[0] in err.decode()
        assert b"Traceback" not in err


def test_a_history_that_cannot_be_compacted_is_a_remark(program: Program) -> None:
    program.add_jobs(*(a_job(request_id=f"request-{number}") for number in range(100)))
    program.run("star", "1")
    limit = (program.data_dir / "history.json").stat().st_size // 2
    for arguments, words in ((("star", "2"), "job 2 · starred"), (("show", "2"), "request-1")):
        ran = program.run_process(*arguments, preexec_fn=lambda: limit_file_size(limit))
        assert (ran.code, words in ran.out) == (0, True)
        assert "The history was not compacted:" in ran.err
    assert len(program.run("jobs", "star:yes").out.splitlines()) == 3


def test_what_cannot_be_written_whole_leaves_no_file(program: Program, tmp_path: Path) -> None:
    program.add_jobs(*(a_job() for _ in range(20)))
    for arguments in (("config", "--init", "--config"), ("doctor", "--report"), ("export",)):
        ran = program.run_process(*arguments, str(tmp_path / "new"), preexec_fn=lambda: limit_file_size(100))
        assert ran.code == 2
        assert "cannot be written: File too large. The partial file was removed." in ran.err
        assert not (tmp_path / "new").exists()


def run_in_terminal(program: Program, *arguments: str, term: str = "xterm-256color") -> str:
    """Return what the program writes to a terminal of 60 columns."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 60, 0, 0))
    written = b""
    with program.start_process(*arguments, environ={"TERM": term}, stdin=slave, stdout=slave, stderr=slave) as process:
        os.close(slave)
        try:
            while part := os.read(master, 65536):
                written += part
        except OSError:
            # The other end is closed.
            process.wait(TIMEOUT_SECONDS)
    os.close(master)
    return written.decode()


def test_a_terminal_gets_a_progress_line_and_tables_that_fit(program: Program, sandbox: Sandbox) -> None:
    program.add_fast_jobs()
    screen = run_in_terminal(program, *GENERATE, "--wait")
    assert [words for words in ("\r\x1b[K", "job 9", "saved") if words not in screen] == []
    table = run_in_terminal(program, "jobs")
    assert "\x1b[32msaved\x1b[0m" in table
    plain = run_in_terminal(program, "jobs", "--color", "never")
    assert plain == re.sub(r"\x1b\[[0-9;]*m", "", table)
    assert all(len(line) <= 60 for line in plain.splitlines()[:-1])
    assert plain.split()[:5] == ["id", "state", "type", "name", "prompt"]
    assert "\x1b" not in run_in_terminal(program, *GENERATE, "--wait", term="dumb")
    posts = len(sandbox.posts)
    assert "--prompt TEXT" in run_in_terminal(program, "generate", "--character", "6870")
    assert len(sandbox.posts) == posts


def test_watch_prints_a_progress_line_or_json(program: Program) -> None:
    program.add_fast_jobs()
    program.run(*GENERATE, "--count", "2")
    screen = run_in_terminal(program, "watch")
    assert ("\r\x1b[K2 of 2 running" in screen, "saved" in screen, "{" in screen) == (True, True, False)
    program.run(*GENERATE)
    piped = program.run_process("watch")
    assert piped.json_objects[-1]["state"] == "succeeded"
    assert ("\x1b" in piped.out, piped.err) == (False, "")


def test_a_defect_is_a_sentence_and_a_private_report(program: Program, sandbox: Sandbox) -> None:
    broken = (
        "import sys, eternal_tui.cli.commands.jobs as j\n"
        "j.COMMANDS = {'jobs': j.COMMANDS['jobs']._replace(run=lambda _: 1 / 0)}\n"
        "from eternal_tui.__main__ import main\nsys.exit(main())"
    )
    command = [sys.executable, "-c", broken, "jobs"]
    ran = subprocess.run(command, env=program.environ, capture_output=True, text=True, check=False)
    (report,) = (program.data_dir / "logs").glob("crash-*.txt")
    assert (ran.returncode, "Traceback" in ran.stderr, str(report) in ran.stderr) == (70, False, True)
    assert report.stat().st_mode & 0o777 == 0o600
    assert "ZeroDivisionError" in report.read_text()
    assert sandbox.key not in report.read_text()


def test_the_demo_needs_no_key_and_leaves_nothing(program: Program, sandbox: Sandbox) -> None:
    keyless = {"ETERNALAI_API_KEY": None, "ETERNAL_TUI_BASE_URL": None}
    ran = program.run_process("--demo", *GENERATE, "--json", environ=keyless)
    assert (ran.code, ran.json_objects[0]["state"], sandbox.requests) == (0, "running", [])
    assert not program.data_dir.exists()


IMPORTS_SCRIPT = """
import sys
from eternal_tui.__main__ import main
code = main()
print(code, *sorted(name.partition(".")[0] for name, module in sys.modules.items() if module), file=sys.stderr)
"""


@pytest.mark.parametrize(
    ("arguments", "unwanted"),
    [
        (GENERATE, "textual rich click PIL av tinydb starlette uvicorn keyring platformdirs"),
        (("jobs",), "textual rich PIL av httpx starlette keyring"),
        (("--version",), "textual httpx asyncio PIL av keyring"),
        (("show", "1"), "textual httpx PIL av keyring"),
    ],
)
def test_a_command_imports_only_what_it_needs(program: Program, arguments: tuple[str, ...], unwanted: str) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", IMPORTS_SCRIPT, *arguments],
        env=program.environ, cwd=ROOT, capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert set(unwanted.split()) & set(ran.stderr.splitlines()[-1].split()) == set()


def test_the_sandbox_is_a_command(program: Program) -> None:
    with program.start_process("sandbox", "--speed", "10") as process:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["api_url"].startswith("http://127.0.0.1:")
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=TIMEOUT_SECONDS)
    assert process.returncode == 0
    assert program.run_process("sandbox", "--speed", "0").code == 2


def test_the_app_without_a_terminal_names_the_commands(program: Program, sandbox: Sandbox) -> None:
    piped = program.run_process()
    assert (piped.code, "Not a terminal" in piped.err) == (2, True)
    assert "TERM" in run_in_terminal(program, term="dumb")
    assert (program.data_dir.exists(), sandbox.requests) == (False, [])


AS_ANOTHER_USER = ("setpriv", "--reuid=54321", "--regid=54321", "--clear-groups", *PYTHON_ETERNAL_TUI)
needs_setpriv = pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("setpriv") is None, reason="needs root and setpriv (util-linux)"
)


def run(program: Program, *command: str, home: str | None = None) -> tuple[int, str]:
    environ = program.environ_with({"HOME": home, "XDG_CONFIG_HOME": None, "ETERNAL_TUI_DATA_DIR": None})
    done = subprocess.run(
        command, env=environ, stdin=subprocess.DEVNULL, capture_output=True, timeout=TIMEOUT_SECONDS, check=False
    )
    return done.returncode, done.stderr.decode()


@needs_setpriv
@pytest.mark.parametrize("home", [None, "relative"])
def test_commands_without_home_and_account_and_with_a_denied_file(program: Program, home: str | None) -> None:
    if run(program, *AS_ANOTHER_USER, "--version", home=home)[0]:
        pytest.skip("another user cannot read this checkout")
    code, err = run(program, *AS_ANOTHER_USER, "jobs", home=home)
    assert (code, err.count("\n"), "HOME is not set" in err) == (2, 1, True)
    # pytest's own folders let no other user in.
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o777)
        assert run(program, *AS_ANOTHER_USER, "jobs", "--data-dir", f"{name}/data", home=home)[0] == 0
        assert Path(name, "data").stat().st_uid == 54321
        history = Path(name) / "history.json"
        history.write_text("{}")
        history.chmod(0o600)
        code, err = run(program, *AS_ANOTHER_USER, "jobs", "--data-dir", name, home=home)
        assert (code, f"Make {history} writable" in err) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("jobs",), 0, "No jobs yet"),
        (("jobs", "--data-dir", "here"), 2, "The working folder no longer exists: give here as a path"),
        (("config", "--check"), 0, ""),
        ((*GENERATE, "--demo", "--wait"), 0, ""),
    ],
    ids=str,
)
def test_commands_in_a_deleted_folder(
    program: Program, tmp_path: Path, arguments: tuple[str, ...], code: int, words: str
) -> None:
    gone = tmp_path / "gone"
    script = f'mkdir {gone} && cd {gone} && rmdir {gone} && exec "$@"'
    ended, err = run(program, "/bin/sh", "-c", script, "sh", *PYTHON_ETERNAL_TUI, *arguments, home=str(tmp_path))
    assert (ended, words in err, "Traceback" in err) == (code, True, False), err


@pytest.mark.parametrize("name", ["data/history.json", "data/history.journal", "home/.config/eternal-tui/config.toml"])
def test_a_fifo_is_refused(program: Program, tmp_path: Path, name: str) -> None:
    """Opening one waits for ever for a writer."""
    path = tmp_path / name
    path.parent.mkdir(parents=True)
    os.mkfifo(path)
    ran = program.run_process("jobs", environ={"HOME": str(tmp_path / "home"), "XDG_CONFIG_HOME": None})
    assert (ran.code, "not a plain file" in ran.err) == (2, True)


def test_home_is_that_of_the_account_and_without_one_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for environ in ({}, {"HOME": ""}, {"HOME": "relative"}):
        assert home_dir(environ) == Path(pwd.getpwuid(os.getuid()).pw_dir)

    def unknown(uid: int) -> None:
        raise KeyError(uid)

    monkeypatch.setattr(pwd, "getpwuid", unknown)
    with pytest.raises(SettingsError, match="Set HOME"):
        load_settings({}, {})
    settings = load_settings({"data_dir": str(tmp_path)}, {})
    assert (settings.data_dir, settings.config_path) == (tmp_path, tmp_path / "config.toml")
    assert load_settings({}, {}, homeless_dir=tmp_path).data_dir == tmp_path
