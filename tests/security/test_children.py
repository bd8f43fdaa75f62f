"""Programs that this one starts: real ones, that write down what they were given, see no key and no shell."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from eternal_tui.config.credentials import KeyStore, find_key, met_keys, store_key
from eternal_tui.core.sanitize import Shown
from eternal_tui.core.secret import Secret
from eternal_tui.jobs.model import FileState, JobState
from eternal_tui.tui.screens.job_commands import JobActions
from eternal_tui.tui.terminal.clipboard import give
from eternal_tui.tui.widgets.dialog import Confirm
from tests.cli.program import LATEST, Program
from tests.security.hostile import job_of
from tests.tui.screens.stage import bench_of, settings_in

KEY = "canary-of-the-children-0123"
SAVED: dict[str, Any] = {"state": JobState.SUCCEEDED, "file_state": FileState.SAVED}

RECORDER = f"""#!{sys.executable} -IS
import os, sys
out = os.path.join(os.path.dirname(sys.argv[0]), "seen")

def read(pid, name):
    with open(f"/proc/{{pid}}/{{name}}", "rb") as file:
        return file.read()

parents, lines = {{}}, {{}}
for pid in filter(str.isdigit, os.listdir("/proc")):
    try:
        lines[pid] = read(pid, "cmdline").replace(b"\\0", b" ")
        parents[pid] = read(pid, "stat").rpartition(b")")[2].split()[1].decode()
    except OSError:
        pass

def ours(pid):
    while pid in parents and pid != "{os.getpid()}":
        pid = parents[pid]
    return pid == "{os.getpid()}"

with open(out + ".facts", "wb") as file:
    file.write(read("self", "environ").replace(b"\\0", b"\\n"))
    file.writelines(lines[pid] for pid in parents if ours(pid))
with open(out + ".arguments.new", "w", errors="surrogateescape") as file:
    file.writelines(f"{{each}}\\n" for each in (len(sys.argv) - 1, *sys.argv[1:]))
os.rename(out + ".arguments.new", out + ".arguments")
"""
"""Notes its environment and the command lines of all that this test runs: what runs beside it may hold other keys."""

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")


class Told:
    """A face that keeps what it is told."""

    def __init__(self) -> None:
        self.words: list[str] = []

    def tell(self, text: Shown, severity: str = "information") -> None:  # noqa: ARG002
        self.words.append(text)

    async def ask(self, question: Confirm) -> bool:
        raise AssertionError(question)

    async def looked_up(self, requests: object) -> bool:
        raise AssertionError(requests)


@pytest.fixture
def recorder(tmp_path: Path) -> Callable[[str], Path]:
    def made(name: str) -> Path:
        path = tmp_path / "bin" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(RECORDER)
        path.chmod(0o700)
        return path

    return made


def seen(program: Path) -> tuple[list[str], str]:
    """Return the arguments of the program, and its environment with the command lines of all that it runs."""
    arguments, end = program.parent / "seen.arguments", time.monotonic() + LATEST
    while not arguments.exists():
        assert time.monotonic() < end, "it was not started"
        time.sleep(0.005)
    lines = arguments.read_text().splitlines()
    arguments.unlink()
    assert lines[0] == str(len(lines) - 1)
    facts = (program.parent / "seen.facts").read_text(errors="replace")
    assert str(program) in facts
    return lines[1:], facts


def surroundings(program: Path, source: str) -> dict[str, str]:
    """Return an environment in which the key stands twice, or once more than where it came from."""
    environ = {"PATH": f"{program.parent}:{os.environ['PATH']}", "HARMLESS": "yes", "COPY_OF_IT": f"Bearer {KEY}"}
    return {**environ, "ETERNALAI_API_KEY": KEY, "ETERNAL_AI_API_KEY": KEY} if source == "environment" else environ


def keep(folder: Path, source: str) -> None:
    if source == "file":
        store_key(Secret(KEY), KeyStore.FILE, settings_in(folder))
        assert find_key(settings_in(folder), {}) is not None
    assert source == "environment" or Secret(KEY) in met_keys()


@pytest.mark.parametrize("source", ["environment", "file"])
async def test_neither_viewer_nor_clipboard_sees_the_key(
    tmp_path: Path, recorder: Callable[[str], Path], source: str
) -> None:
    """Seen to fail with the environment handed on as it is, and with keys looked for that came from it alone."""
    opener = recorder("open" if sys.platform == "darwin" else "xdg-open")
    environ = surroundings(opener, source)
    keep(tmp_path, source)
    async with bench_of(tmp_path) as bench:
        bench.desk.results.mkdir(mode=0o700, exist_ok=True)
        (bench.desk.results / "4.jpg").write_bytes(b"fine")
        JobActions(bench.desk, Told(), environ).open_outside(job_of("x", file="4.jpg", **SAVED))
        arguments, facts = seen(opener)
        assert arguments == [str(bench.desk.results.resolve() / "4.jpg")]
        assert KEY not in facts
        assert "HARMLESS=yes" in facts
    copier = recorder("wl-copy")
    await give("words", (str(copier),), environ)
    arguments, facts = seen(copier)
    assert arguments == []
    assert KEY not in facts
    assert "HARMLESS=yes" in facts


def test_neither_key_command_nor_editor_sees_a_key(
    program: Program, tmp_path: Path, recorder: Callable[[str], Path]
) -> None:
    """Seen to fail with the command given the whole environment, where another key may stand."""
    command = recorder("pass")
    command.write_text(RECORDER + f"print({KEY!r})\n")
    first = program.environ["ETERNALAI_API_KEY"]
    assert find_key(settings_in(tmp_path), {"ETERNALAI_API_KEY": first}) is not None
    other = {"COPY_OF_IT": f"x{program.environ['ETERNALAI_API_KEY']}", "HARMLESS": "yes", "ETERNAL_AI_API_KEY": ""}
    found = find_key(
        settings_in(tmp_path, api_key_command=f"{command} show 'the key'"), {**other, "PATH": "/usr/bin:/bin"}
    )
    assert found is not None
    arguments, facts = seen(command)
    assert arguments == ["show", "the key"]
    assert first not in facts
    assert "HARMLESS=yes" in facts
    editor = recorder("vi")
    given = {**other, "VISUAL": str(editor), "PATH": surroundings(editor, "")["PATH"]}
    assert program.run("config", "--edit", environ=given).code in (0, 2)
    _, facts = seen(editor)
    assert first not in facts
    assert "HARMLESS=yes" in facts


async def test_only_verified_files_are_opened_and_no_shell_reads_their_path(
    tmp_path: Path, recorder: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Links, pipes, folders, names of the history's own, what is unsaved or encrypted: the viewer is never started.

    Seen to fail with the name of the history joined to the folder, and with the path given to a shell.
    """
    opener = recorder("open" if sys.platform == "darwin" else "xdg-open")
    odd = tmp_path / "-rf $(touch owned) ; `id` | x \x1b[2J"
    odd.mkdir()
    monkeypatch.chdir(odd)
    face = Told()
    async with bench_of(odd) as bench:
        results = bench.desk.results
        results.mkdir(mode=0o700, exist_ok=True)
        (tmp_path / "secret.jpg").write_bytes(b"secret")
        (results / "1.jpg").symlink_to(tmp_path / "secret.jpg")
        os.mkfifo(results / "2.jpg")
        (results / "3.jpg").mkdir()
        (results / "5.html").write_bytes(b"<script>")
        (results / "-rf.jpg").write_bytes(b"x")
        (results / "4.jpg").write_bytes(b"fine")
        (results / "6.bin").write_bytes(b"?")
        actions = JobActions(bench.desk, face, {"PATH": surroundings(opener, "")["PATH"]})
        names = ["1.jpg", "2.jpg", "3.jpg", "9.jpg", "5.html", "-rf.jpg", "../secret.jpg", str(tmp_path / "secret.jpg"),
                 "http://127.0.0.1/", "javascript:alert(1)", "", "."]  # fmt: skip
        refused = [job_of("x", file=name, result_url=name, **SAVED) for name in names]
        refused += [
            job_of("x", file="4.jpg", **{**SAVED, "file_state": FileState.BROKEN}),
            job_of("x", file="6.bin", encrypted=True, **SAVED),
        ]
        for job in refused:
            actions.open_outside(job)
        assert len(face.words) == len(refused)
        actions.open_outside(job_of("x", file="4.jpg", **SAVED))
        arguments, _ = seen(opener)
        assert arguments == [str(results.resolve() / "4.jpg")]
        assert arguments[0].startswith("/")
        assert len(face.words) == len(refused)
    assert not (Path.cwd() / "owned").exists()
