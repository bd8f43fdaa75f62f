"""Programs that this one starts: real ones, that write down what they were given, see no key and no shell."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from eternal_tui.config.credentials import find_key, known_keys, store_key
from eternal_tui.core.sanitize import SafeText
from eternal_tui.core.secret import Secret
from eternal_tui.jobs.model import FileState, JobState
from eternal_tui.tui.screens.job_commands import JobCommands
from eternal_tui.tui.terminal.desktop import copy
from eternal_tui.tui.widgets.dialog import ConfirmDialog
from tests.cli.program import Program, wait_until
from tests.security.hostile import hostile_job
from tests.tui.screens.stage import make_settings, open_services

KEY = "canary-of-the-children-0123"
SAVED_FIELDS: dict[str, Any] = {"state": JobState.SUCCEEDED, "file_state": FileState.SAVED}

RECORDER_SCRIPT = f"""#!{sys.executable} -IS
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
"""Notes its environment and the command lines of all that this test runs: other processes may hold other keys."""

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")


class RecordingScreen:
    """A screen that records its messages."""

    def __init__(self) -> None:
        self.messages: list[str] = []

    def notify_user(self, text: SafeText, severity: str = "information") -> None:  # noqa: ARG002
        self.messages.append(text)

    async def ask_confirmation(self, question: ConfirmDialog) -> bool:
        raise AssertionError(question)

    async def check_characters(self, requests: object) -> bool:
        raise AssertionError(requests)


@pytest.fixture
def recorder(tmp_path: Path) -> Callable[[str], Path]:
    def made(name: str) -> Path:
        path = tmp_path / "bin" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(RECORDER_SCRIPT)
        path.chmod(0o700)
        return path

    return made


def read_recorded(program: Path) -> tuple[list[str], str]:
    """Return the arguments of the program, and its environment with the command lines of all that it runs."""
    arguments = program.parent / "seen.arguments"
    wait_until(arguments.exists)
    lines = arguments.read_text().splitlines()
    arguments.unlink()
    assert lines[0] == str(len(lines) - 1)
    facts = (program.parent / "seen.facts").read_text(errors="replace")
    assert str(program) in facts
    return lines[1:], facts


def environ_with_key(program: Path, source: str) -> dict[str, str]:
    """Return an environment that holds the key twice, or once more than its source."""
    environ = {"PATH": f"{program.parent}:{os.environ['PATH']}", "HARMLESS": "yes", "COPY_OF_IT": f"Bearer {KEY}"}
    return {**environ, "ETERNALAI_API_KEY": KEY, "ETERNAL_AI_API_KEY": KEY} if source == "environment" else environ


def make_key_known(folder: Path, source: str) -> None:
    if source == "file":
        store_key(Secret(KEY), make_settings(folder), in_file=True)
        assert find_key(make_settings(folder), {}) is not None
    assert source == "environment" or Secret(KEY) in known_keys({})


@pytest.mark.parametrize("source", ["environment", "file"])
async def test_neither_viewer_nor_clipboard_sees_the_key(
    tmp_path: Path, recorder: Callable[[str], Path], source: str
) -> None:
    opener = recorder("open" if sys.platform == "darwin" else "xdg-open")
    environ = environ_with_key(opener, source)
    make_key_known(tmp_path, source)
    async with open_services(tmp_path) as bench:
        bench.jobs.results_dir.mkdir(mode=0o700, exist_ok=True)
        (bench.jobs.results_dir / "4.jpg").write_bytes(b"fine")
        job = hostile_job("x", file="4.jpg", **SAVED_FIELDS)
        await JobCommands(bench.jobs, RecordingScreen(), environ).open_externally([job])
        arguments, facts = read_recorded(opener)
        assert arguments == [str(bench.jobs.results_dir.resolve() / "4.jpg")]
        assert KEY not in facts
        assert "HARMLESS=yes" in facts
    copier = recorder("wl-copy")
    await copy("words", (str(copier),), environ)
    arguments, facts = read_recorded(copier)
    assert arguments == []
    assert KEY not in facts
    assert "HARMLESS=yes" in facts


def test_neither_key_command_nor_editor_sees_a_key(
    program: Program, tmp_path: Path, recorder: Callable[[str], Path]
) -> None:
    command = recorder("pass")
    command.write_text(RECORDER_SCRIPT + f"print({KEY!r})\n")
    first = program.environ["ETERNALAI_API_KEY"]
    assert find_key(make_settings(tmp_path), {"ETERNALAI_API_KEY": first}) is not None
    other = {"COPY_OF_IT": f"x{program.environ['ETERNALAI_API_KEY']}", "HARMLESS": "yes", "ETERNAL_AI_API_KEY": ""}
    found = find_key(
        make_settings(tmp_path, api_key_command=f"{command} show 'the key'"), {**other, "PATH": "/usr/bin:/bin"}
    )
    assert found is not None
    arguments, facts = read_recorded(command)
    assert arguments == ["show", "the key"]
    assert first not in facts
    assert "HARMLESS=yes" in facts
    editor = recorder("vi")
    given = {**other, "VISUAL": str(editor), "PATH": environ_with_key(editor, "")["PATH"]}
    assert program.run("config", "--edit", environ=given).code in (0, 2)
    _, facts = read_recorded(editor)
    assert first not in facts
    assert "HARMLESS=yes" in facts


async def test_only_verified_files_are_opened_and_no_shell_reads_their_path(
    tmp_path: Path, recorder: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is unsaved, encrypted, or no name of a result never starts the viewer."""
    opener = recorder("open" if sys.platform == "darwin" else "xdg-open")
    odd = tmp_path / "-rf $(touch owned) ; `id` | x \x1b[2J"
    odd.mkdir()
    monkeypatch.chdir(odd)
    face = RecordingScreen()
    async with open_services(odd) as bench:
        results = bench.jobs.results_dir
        results.mkdir(mode=0o700, exist_ok=True)
        (results / "4.jpg").write_bytes(b"fine")
        (results / "6.bin").write_bytes(b"?")
        actions = JobCommands(bench.jobs, face, {"PATH": environ_with_key(opener, "")["PATH"]})
        refused = [
            hostile_job("x", file="../secret.jpg", result_url="http://127.0.0.1/", **SAVED_FIELDS),
            hostile_job("x", file="4.jpg", **{**SAVED_FIELDS, "file_state": FileState.BROKEN}),
            hostile_job("x", file="6.bin", encrypted=True, **SAVED_FIELDS),
        ]
        await actions.open_externally(refused)
        assert len(face.messages) == len(refused)
        await actions.open_externally([hostile_job("x", file="4.jpg", **SAVED_FIELDS)])
        arguments, _ = read_recorded(opener)
        assert arguments == [str(results.resolve() / "4.jpg")]
    assert not (Path.cwd() / "owned").exists()
