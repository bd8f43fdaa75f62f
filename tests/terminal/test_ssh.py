"""Over a real OpenSSH on loopback: start, copy to the client's own clipboard, lose the line, come back."""

from __future__ import annotations

import base64
import os
import shlex
import shutil
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from tests.terminal.pseudo_terminal import ROOT, PseudoTerminal
from tests.terminal.ssh_server import SSHD, ServerUnavailable, ssh_server
from tests.terminal.tmux import PROGRAM, make_environ

pytestmark = pytest.mark.skipif(
    SSHD is None or shutil.which("ssh") is None or shutil.which("ssh-keygen") is None,
    reason="OpenSSH is not installed: apt install openssh-server openssh-client",
)


Login = Callable[[Mapping[str, str]], PseudoTerminal]


@pytest.fixture
def login(tmp_path: Path) -> Iterator[Login]:
    """What runs the program over ssh as the present user, with a terminal at this end."""
    environ = make_environ(tmp_path, {"TERM": "xterm-256color"})
    try:
        with ssh_server(tmp_path) as command:

            def start(remote: Mapping[str, str]) -> PseudoTerminal:
                words = " ".join(f"{name}={shlex.quote(value)}" for name, value in remote.items())
                asked = f"cd {shlex.quote(str(ROOT))} && exec env {words} {shlex.join(PROGRAM)}"
                return PseudoTerminal([*command, asked], environ, columns=80, rows=24)

            yield start
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


def test_start_copy_drop_return(login: Login, tmp_path: Path, quick: dict[str, str]) -> None:
    home = tmp_path / "far"
    home.mkdir()
    remote = make_environ(home, quick)
    with login(remote) as terminal:
        terminal.wait_for("2 Jobs")
        terminal.send(b"\x0e")
        terminal.wait_for("opens the list")
        terminal.send(b"6870\tIn a red coat\x13")
        terminal.wait_for("1 done today")
        terminal.send(b"\x1b")
        terminal.read_until_quiet(0.9)
        terminal.send(b"yt")
        terminal.wait_for(b"\x1b]52;c;" + base64.b64encode(b"In a red coat"))
        assert _remote_process_ids(home)
        os.kill(terminal.pid, signal.SIGKILL)
        dropped = time.monotonic()
        while _remote_process_ids(home):
            assert time.monotonic() - dropped < 2.0, "the program outlived its line"
            time.sleep(0.02)
    with login(remote) as terminal:
        terminal.wait_for("In a red coat", keep=True)
        terminal.wait_for("1 done today")
        terminal.send(b"\x11")
        assert terminal.wait_for_end() == 0


def test_arrow_keys_whose_bytes_come_apart_are_arrows(login: Login, tmp_path: Path, quick: dict[str, str]) -> None:
    with login(make_environ(tmp_path, quick)) as terminal:
        terminal.wait_for("2 Jobs")
        terminal.send(b"n")
        terminal.wait_for("send")
        terminal.send(b"68")
        terminal.read_until_quiet(0.5)
        for _ in range(3):
            terminal.send(b"\x1b")
            terminal.read(0.25)
            terminal.send(b"[D")
            terminal.read_until_quiet(0.3)
        terminal.written.clear()
        terminal.send(b"Z")
        terminal.wait_for("Z")
