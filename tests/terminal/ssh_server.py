"""A real OpenSSH server that accepts only the key made for it."""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SSHD = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


class ServerUnavailable(Exception):
    """The server does not start here, for the reason it gave."""


@contextmanager
def ssh_server(folder: Path, address: str = "127.0.0.1") -> Iterator[tuple[str, ...]]:
    """Run the server at an address of this machine and yield the command that logs in there, with a terminal.

    Keys, configuration and log are kept in `folder`. Raises ServerUnavailable.
    """
    with socket.socket() as probe:
        probe.bind((address, 0))
        port = probe.getsockname()[1]
    for name in ("host", "user"):
        generate = ("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name))
        subprocess.run(generate, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    shutil.copy(folder / "user.pub", folder / "authorized")
    (folder / "authorized").chmod(0o600)
    config = folder / "sshd_config"
    config.write_text(
        f"Port {port}\nListenAddress {address}\nHostKey {folder}/host\nPidFile none\nStrictModes no\nUsePAM no\n"
        f"AuthorizedKeysFile {folder}/authorized\nPasswordAuthentication no\nPermitRootLogin prohibit-password\n"
    )
    if os.getuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)
    assert SSHD is not None
    with (
        (folder / "sshd.log").open("wb") as log,
        subprocess.Popen(
            [SSHD, "-D", "-e", "-f", str(config)], stdin=subprocess.DEVNULL, stdout=log, stderr=log
        ) as server,
    ):
        try:
            _wait_until_listening(address, port, server, folder / "sshd.log")
            yield (
                "ssh", "-tt", "-F", "none", "-i", str(folder / "user"), "-p", str(port), "-l", getpass.getuser(),
                "-o", "StrictHostKeyChecking=no", "-o", f"UserKnownHostsFile={folder}/known",
                "-o", "IdentitiesOnly=yes", "-o", "LogLevel=ERROR", address,
            )  # fmt: skip
        finally:
            server.terminate()


def _wait_until_listening(address: str, port: int, server: subprocess.Popen[bytes], log: Path) -> None:
    latest = time.monotonic() + 60
    while True:
        try:
            socket.create_connection((address, port), 0.5).close()
        except OSError:
            if server.poll() is not None:
                raise ServerUnavailable(f"sshd does not start here: {log.read_text()[-200:]}") from None
            assert time.monotonic() < latest
            time.sleep(0.05)
        else:
            return
