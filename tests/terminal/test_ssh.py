"""Over a real OpenSSH on loopback: start, copy to the client's own clipboard, lose the line, come back."""

from __future__ import annotations

import base64
import os
import shlex
import shutil
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.terminal.ssh_server import SSHD, ServerUnavailable, ssh_server
from tests.terminal.test_going_away import PtyProgram
from tests.terminal.tmux import PROGRAM, ROOT, TIMEOUT_SECONDS, make_environ

pytestmark = pytest.mark.skipif(
    SSHD is None or shutil.which("ssh") is None or shutil.which("ssh-keygen") is None,
    reason="OpenSSH is not installed: apt install openssh-server openssh-client",
)


class SshLogin:
    """A login over ssh as the present user, with a terminal at this end."""

    def __init__(self, command: list[str], environ: Mapping[str, str]) -> None:
        self._command = command
        self._environ = environ

    def start(self, remote: Mapping[str, str], *command: str) -> PtyProgram:
        words = " ".join(f"{name}={shlex.quote(value)}" for name, value in remote.items())
        asked = f"cd {shlex.quote(str(ROOT))} && exec env {words} {shlex.join(command)}"
        return PtyProgram(self._environ, command=[*self._command, asked])


@pytest.fixture
def line(tmp_path: Path) -> Iterator[SshLogin]:
    try:
        with ssh_server(tmp_path) as command:
            yield SshLogin(list(command), make_environ(tmp_path))
    except ServerUnavailable as error:
        pytest.skip(str(error))


def _remote_process_ids(marker: Path) -> list[int]:
    """Return the processes whose environment names this home: the program at the far end."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if (
                    f"HOME={marker}".encode() in (entry / "environ").read_bytes()
                    and b"eternal_tui" in (entry / "cmdline").read_bytes()
                ):
                    found.append(int(entry.name))
            except OSError:
                continue
    return found


def test_start_copy_drop_return(line: SshLogin, tmp_path: Path, quick: dict[str, str]) -> None:
    home = tmp_path / "far"
    home.mkdir()
    remote = make_environ(home, quick)
    app = line.start(remote, *PROGRAM)
    try:
        app.wait_for(b"2 Jobs")
        os.write(app.master, b"\x0e")
        app.wait_for(b"opens the list")
        os.write(app.master, b"6870\tIn a red coat\x13")
        app.wait_for(b"1 done today")
        os.write(app.master, b"\x1b")
        while app.read(0.9):
            pass
        app.written = b""
        os.write(app.master, b"yt")
        app.wait_for(b"\x1b]52;c;" + base64.b64encode(b"In a red coat"))
        assert _remote_process_ids(home)
        dropped = time.monotonic()
        app.process.kill()
        app.process.wait()
        while _remote_process_ids(home):
            assert time.monotonic() - dropped < 2.0, "the program outlived its line"
            time.sleep(0.02)
    finally:
        app.close()
    again = line.start(remote, *PROGRAM)
    try:
        again.wait_for(b"In a red coat")
        again.wait_for(b"1 done today")
        os.write(again.master, b"\x11")
        assert again.process.wait(TIMEOUT_SECONDS) == 0
    finally:
        again.close()


def test_arrow_keys_whose_bytes_come_apart_are_arrows(line: SshLogin, tmp_path: Path, quick: dict[str, str]) -> None:
    app = line.start(make_environ(tmp_path, quick), *PROGRAM)
    try:
        app.wait_for(b"2 Jobs")
        os.write(app.master, b"n")
        app.wait_for(b"send")
        os.write(app.master, b"68")
        while app.read(0.5):
            pass
        for _ in range(3):
            os.write(app.master, b"\x1b")
            app.read(0.25)
            os.write(app.master, b"[D")
            while app.read(0.3):
                pass
        app.written = b""
        os.write(app.master, b"Z")
        app.wait_for(b"Z")
    finally:
        app.close()
