"""Commands without a home folder, a user account, a working folder, or with a FIFO where a file should be."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from eternal_tui.config.loader import home_dir, load_settings
from eternal_tui.config.settings import SettingsError
from tests.cli.program import TIMEOUT_SECONDS, Program

NO_ACCOUNT = ("setpriv", "--reuid=54321", "--regid=54321", "--clear-groups")
GENERATE = ("generate", "--character", "6870", "--prompt", "x")

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
@pytest.mark.parametrize("home", [None, "", "relative"])
def test_commands_without_home_and_account(program: Program, home: str | None) -> None:
    command = (*NO_ACCOUNT, sys.executable, "-m", "eternal_tui")
    if run(program, *command, "--version", home=home)[0]:
        pytest.skip("another user cannot read this checkout")
    code, told = run(program, *command, "jobs", home=home)
    assert (code, told.count("\n")) == (2, 1)
    assert "HOME is not set" in told
    # pytest's own folders let no other user in.
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o777)
        assert run(program, *command, "jobs", "--data-dir", f"{name}/data", home=home)[0] == 0
        assert Path(name, "data").stat().st_uid == 54321


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("jobs",), 0, "No jobs yet"),
        (("jobs", "--data-dir", "here"), 2, "The working folder no longer exists: give here as a path"),
        (("jobs", "--config", "here"), 2, "The working folder no longer exists: give here as a path"),
        (("config", "--check"), 0, ""),
        ((*GENERATE, "--demo", "--wait"), 0, ""),
    ],
    ids=str,
)
def test_commands_in_a_deleted_folder(
    program: Program, tmp_path: Path, arguments: tuple[str, ...], code: int, told: str
) -> None:
    gone = tmp_path / "gone"
    script = f'mkdir {gone} && cd {gone} && rmdir {gone} && exec "$@"'
    command = ("/bin/sh", "-c", script, "sh", sys.executable, "-m", "eternal_tui", *arguments)
    ended, words = run(program, *command, home=str(tmp_path))
    assert ended == code, words
    assert told in words
    assert "Traceback" not in words


@needs_setpriv
def test_a_file_that_is_denied_is_named(program: Program) -> None:
    command = (*NO_ACCOUNT, sys.executable, "-m", "eternal_tui")
    with tempfile.TemporaryDirectory() as name:
        history = Path(name) / "history.json"
        Path(name).chmod(0o777)
        history.write_text("{}")
        history.chmod(0o600)
        code, told = run(program, *command, "jobs", "--data-dir", name)
        if "eternal-tui:" not in told:
            pytest.skip("another user cannot read this checkout")
        assert code == 2
        assert f"Make {history} writable" in told


@pytest.mark.parametrize("name", ["data/history.json", "data/history.journal", "home/.config/eternal-tui/config.toml"])
def test_a_fifo_is_refused(program: Program, tmp_path: Path, name: str) -> None:
    """Opening one waits for ever for a writer."""
    path = tmp_path / name
    path.parent.mkdir(parents=True)
    os.mkfifo(path)
    environ = {"HOME": str(tmp_path / "home"), "XDG_CONFIG_HOME": None}
    ran = program.run_process("jobs", environ=environ)
    assert ran.code == 2
    assert "not a plain file" in ran.err


def test_home_dir_is_that_of_the_account_where_home_is_none() -> None:
    import pwd

    for told in ({}, {"HOME": ""}, {"HOME": "relative"}):
        assert home_dir(told) == Path(pwd.getpwuid(os.getuid()).pw_dir)


def test_settings_name_the_folder_that_has_no_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import pwd

    def unknown(uid: int) -> None:
        raise KeyError(uid)

    monkeypatch.setattr(pwd, "getpwuid", unknown)
    with pytest.raises(SettingsError, match="Set HOME"):
        load_settings({}, {})
    settings = load_settings({"data_dir": str(tmp_path)}, {})
    assert (settings.data_dir, settings.config_path) == (tmp_path, tmp_path / "config.toml")
    assert load_settings({}, {}, homeless_dir=tmp_path).data_dir == tmp_path
