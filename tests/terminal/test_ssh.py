"""Over a real OpenSSH on loopback: start, copy to the client's own clipboard, lose the line, come back."""

from __future__ import annotations

import base64
import getpass
import os
import shlex
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.terminal.test_going_away import Bare
from tests.terminal.tmux import PROGRAM, ROOT, environ_for

SSHD = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")

pytestmark = pytest.mark.skipif(
    SSHD is None or shutil.which("ssh") is None or shutil.which("ssh-keygen") is None,
    reason="OpenSSH is not installed: apt install openssh-server openssh-client",
)


class Line:
    """A login over ssh as the present user, with a terminal at this end."""

    def __init__(self, command: list[str], environ: Mapping[str, str]) -> None:
        self._command = command
        self._environ = environ

    def start(self, remote: Mapping[str, str], *program: str) -> Bare:
        words = " ".join(f"{name}={shlex.quote(value)}" for name, value in remote.items())
        asked = f"cd {shlex.quote(str(ROOT))} && exec env {words} {shlex.join(program)}"
        return Bare(self._environ, command=[*self._command, asked])


@pytest.fixture
def line(tmp_path: Path) -> Iterator[Line]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    for name in ("host", "user"):
        generate = ("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / name))
        subprocess.run(generate, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    shutil.copy(tmp_path / "user.pub", tmp_path / "authorized")
    (tmp_path / "authorized").chmod(0o600)
    config = tmp_path / "sshd_config"
    config.write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {tmp_path}/host\nPidFile none\nStrictModes no\nUsePAM no\n"
        f"AuthorizedKeysFile {tmp_path}/authorized\nPasswordAuthentication no\nPermitRootLogin prohibit-password\n"
    )
    if os.getuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)
    assert SSHD is not None
    with (
        (tmp_path / "sshd.log").open("wb") as log,
        subprocess.Popen(
            [SSHD, "-D", "-e", "-f", str(config)], stdin=subprocess.DEVNULL, stdout=log, stderr=log
        ) as server,
    ):
        try:
            _listening(port, server, tmp_path / "sshd.log")
            yield Line(
                ["ssh", "-tt", "-F", "none", "-i", str(tmp_path / "user"), "-p", str(port), "-l", getpass.getuser(),
                 "-o", "StrictHostKeyChecking=no", "-o", f"UserKnownHostsFile={tmp_path}/known",
                 "-o", "IdentitiesOnly=yes", "-o", "LogLevel=ERROR", "127.0.0.1"],
                environ_for(tmp_path),
            )  # fmt: skip
        finally:
            server.terminate()


def _listening(port: int, server: subprocess.Popen[bytes], log: Path) -> None:
    latest = time.monotonic() + 10
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 0.5).close()
        except OSError:
            if server.poll() is not None:
                pytest.skip(f"sshd does not start here: {log.read_text()[-200:]}")
            assert time.monotonic() < latest
            time.sleep(0.05)
        else:
            return


def _running(marker: Path) -> list[int]:
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


def test_start_copy_drop_return(line: Line, tmp_path: Path, quick: dict[str, str]) -> None:
    """Seen to fail when the copy went to the far machine's clipboard, and when the app outlived its line."""
    home = tmp_path / "far"
    home.mkdir()
    remote = environ_for(home, quick)
    app = line.start(remote, *PROGRAM)
    try:
        app.until(b"2 Jobs")
        os.write(app.master, b"\x0e")
        app.until(b"opens the list")
        os.write(app.master, b"6870\tIn a red coat\x13")
        app.until(b"1 done today")
        os.write(app.master, b"\x1b")
        while app.read(0.3):
            pass
        app.written = b""
        os.write(app.master, b"yt")
        app.until(b"\x1b]52;c;" + base64.b64encode(b"In a red coat"))
        assert _running(home)
        dropped = time.monotonic()
        app.process.kill()
        app.process.wait()
        while _running(home):
            assert time.monotonic() - dropped < 2.0, "the program outlived its line"
            time.sleep(0.02)
    finally:
        app.close()
    again = line.start(remote, *PROGRAM)
    try:
        again.until(b"In a red coat")
        again.until(b"1 done today")
        os.write(again.master, b"\x11")
        assert again.process.wait(10) == 0
    finally:
        again.close()
