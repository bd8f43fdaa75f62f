"""`doctor`, `login` and `logout`: what is found, what to do, and never the key."""

from __future__ import annotations

import json
import os
import pty
import socket
import sys
from pathlib import Path

import pytest

from eternal_tui.sandbox.faults import Fault, FaultPlace
from eternal_tui.sandbox.server import Sandbox
from tests.cli.program import GENERATE, Program

NO_KEY_ENVIRON = {"ETERNALAI_API_KEY": None}
CANARY = "canary-key-0123456789"


def test_all_is_well(program: Program, sandbox: Sandbox) -> None:
    ran = program.run("doctor")
    assert (ran.code, sandbox.posts) == (0, [])
    assert "found: ETERNALAI_API_KEY" in ran.out
    assert "No problems found" in ran.out
    (facts,) = program.run("doctor", "--json").json_objects
    assert facts["exit_code"] == 0
    assert all(finding["ok"] for finding in facts["findings"])


def test_it_ends_in_what_to_do(program: Program, sandbox: Sandbox) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        away = f"http://127.0.0.1:{closed.getsockname()[1]}"
    file = program.data_dir.with_name("file")
    file.touch()
    for code, arguments, key in (
        (3, (), None), (3, (), CANARY), (3, (), "two words"), (4, ("--base-url", away), CANARY),
        (2, ("--config", "/nowhere.toml"), CANARY), (2, ("--data-dir", str(file)), CANARY),
    ):  # fmt: skip
        ran = program.run(*arguments, "doctor", environ={"ETERNALAI_API_KEY": key})
        assert (ran.code, "To fix:" in ran.out) == (code, True)
    sandbox.inject(Fault.HTML_502, on=FaultPlace.LIST, times=None)
    assert program.run("doctor").code == 4


def test_the_report_holds_no_secret(program: Program, sandbox: Sandbox) -> None:
    logs = program.data_dir / "logs"
    logs.mkdir(parents=True)
    link = "https://cdn.example/a.jpg?Signature=SIGNED"
    said = json.dumps({"event": f"{CANARY} {link} \x1b[31m", "reason": "no: In a rain coat"})
    (logs / "eternal-tui.log").write_text(f"{said}\nIn a rain coat\n[1]\n{'[' * 9000}\n")
    ran = program.run(
        "doctor", "--report", environ={"ETERNALAI_API_KEY": CANARY, "ETERNAL_TUI_API_KEY_COMMAND": f"echo {CANARY}x"}
    )
    assert [words for words in (CANARY, "SIGNED", "\x1b", "rain coat") if words in ran.out] == []
    assert [words for words in ("cdn.example", "httpx") if words not in ran.out] == []
    # Planted by this test: the suite's own search for keys left behind is not to find it.
    (logs / "eternal-tui.log").unlink()


def test_the_report_is_a_new_private_file(program: Program, tmp_path: Path) -> None:
    path = tmp_path / "report.txt"
    ran = program.run("doctor", "--report", str(path))
    assert ran.code == 0
    assert str(path) in ran.out
    assert path.stat().st_mode & 0o777 == 0o600
    text = path.read_text()
    assert "httpx" in text
    assert str(tmp_path) not in text
    assert program.run("doctor", "--report", str(path)).code == 2
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    assert program.run("doctor", "--report", str(tmp_path / "link")).code == 2
    assert not (tmp_path / "elsewhere").exists()


def test_the_report_names_no_user_and_no_folder(program: Program, tmp_path: Path) -> None:
    """Folders outside the home, by variable and by flag, through a link, in a notice, and with signs in their names."""
    real = tmp_path / "disk-of-quentin"
    (real / "home").mkdir(parents=True)
    (tmp_path / "qhome").symlink_to(real / "home")
    environ = {
        "HOME": str(tmp_path / "qhome"), "USER": "quentin", "LOGNAME": "quentin",
        "TMPDIR": str(tmp_path / "tmp-project-x"),
        "XDG_DATA_HOME": str(tmp_path / "data-project-x"), "XDG_CONFIG_HOME": str(tmp_path / "config-project-x") + "/",
        "XDG_CACHE_HOME": str(real / "cache-project-x"), "ETERNAL_TUI_DATA_DIR": None,
    }  # fmt: skip
    flagged = tmp_path / "flag-project-x\x1b[2J"
    broken = tmp_path / "data-project-x" / "eternal-tui"
    told = f"Quentin at {real}/home/x, {tmp_path}/tmp-project-x, {real}/cache-project-x/y"
    for folder in (flagged, broken, real / "home"):
        (folder / "logs").mkdir(parents=True)
        (folder / "logs" / "eternal-tui.log").write_text(json.dumps({"event": f"{told} and {folder}/z"}))
        if folder.name != "home":
            (folder / "history.json").write_text("{nothing")
            folder.chmod(0o755)
    choices: list[tuple[str, ...]] = [(), ("--data-dir", str(flagged)), ("--data-dir", str(real / "home"))]
    for arguments in choices:
        text = program.run(*arguments, "doctor", "--report", environ=environ).out
        assert "event=[user] at ~/x" in text or "event=[user] at [data folder]/x" in text
        assert "[data folder], writable" in text
        assert "[config folder]/config.toml" in text
        assert "httpx" in text
        assert [name for name in ("quentin", "project-x", "qhome", str(tmp_path)) if name in text.lower()] == [], text


def test_login_stores_a_piped_key_in_a_private_file(program: Program, sandbox: Sandbox) -> None:
    stored = program.run("login", "--file", stdin=f"{sandbox.key}\nmore\n", environ=NO_KEY_ENVIRON)
    assert (stored.code, "Not encrypted" in stored.out, sandbox.key in stored.out + stored.err) == (0, True, False)
    (file,) = (path for path in (program.data_dir.parent / "config").rglob("*") if path.is_file())
    assert file.stat().st_mode & 0o777 == 0o600
    assert program.run(*GENERATE, environ=NO_KEY_ENVIRON).code == 0
    assert program.run("logout", environ=NO_KEY_ENVIRON).code == 0
    assert not file.exists()
    assert program.run(*GENERATE, environ=NO_KEY_ENVIRON).code == 3
    assert "No API key is stored" in program.run("logout", environ=NO_KEY_ENVIRON).out


def test_sk_key_gets_advice_on_key_header(program: Program) -> None:
    environ = {**NO_KEY_ENVIRON, "ETERNAL_TUI_BASE_URL": "https://service.invalid"}
    advice = 'Set key_header = "Authorization" in the configuration'
    stored = program.run("login", "--file", stdin="sk_live_0123456789\n", environ=environ)
    assert (stored.code, advice in stored.err) == (0, True)
    told = program.run(
        "doctor", environ={**environ, "HTTPS_PROXY": "http://127.0.0.1:1", "NO_PROXY": "cdn.eternalai.org"}
    )
    assert advice in told.out
    assert "service.invalid: through http://127.0.0.1:1 (HTTPS_PROXY)" in told.out
    assert "cdn.eternalai.org: direct (NO_PROXY)" in told.out
    assert "proxy http://127.0.0.1:1 (HTTPS_PROXY)" in told.out
    environ["ETERNAL_TUI_KEY_HEADER"] = "api-key"
    assert advice not in program.run("doctor", environ=environ).out


@pytest.mark.parametrize("typed", ["", "short\n", "two words here\n", "\x1b[31mabcdefghij\n", "some-long-key-value\n"])
def test_login_refuses_what_is_no_key_and_names_the_choice_without_a_keyring(program: Program, typed: str) -> None:
    options = [] if typed.startswith("some") else ["--file"]
    ran = program.run("login", *options, stdin=typed, environ=NO_KEY_ENVIRON)
    assert (ran.code, "\x1b" in ran.err) == (2, False)
    assert options or "--file" in ran.err
    assert not (program.data_dir.parent / "config").exists()


def test_a_key_typed_at_a_terminal_is_not_shown(program: Program) -> None:
    child, master = pty.fork()
    if child == 0:
        os.environ.clear()
        os.environ.update(program.environ_with(NO_KEY_ENVIRON))
        os.execv(sys.executable, [sys.executable, "-m", "eternal_tui", "login", "--file"])
    screen = b""
    while b"API key" not in screen:
        screen += os.read(master, 1000)
    os.write(master, CANARY.encode() + b"\n")
    try:
        while part := os.read(master, 1000):
            screen += part
    except OSError:
        pass
    os.close(master)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0, screen
    assert CANARY.encode() not in screen
    assert b"stored in" in screen


def test_a_key_on_the_command_line_is_refused(program: Program) -> None:
    assert program.run("login", CANARY).code == 2
    assert program.run("--api-key", CANARY, "jobs").code == 2


def test_the_key_command_sees_no_key(program: Program, sandbox: Sandbox) -> None:
    command = f'{sys.executable} -c \'import os; print(os.environ.get("ETERNAL_AI_API_KEY", "{sandbox.key}"))\''
    ran = program.run_process(*GENERATE, environ={**NO_KEY_ENVIRON, "ETERNAL_TUI_API_KEY_COMMAND": command})
    assert ran.code == 0, ran.err
