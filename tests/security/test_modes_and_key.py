"""Everything the program creates, by whichever face and under whichever umask: private, and without the key."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from eternal_tui.config.settings import Settings
from eternal_tui.sandbox.server import Sandbox
from eternal_tui.services import Services
from tests.canary import find_leaks
from tests.cli.program import TIMEOUT_SECONDS, Program
from tests.terminal.pseudo_terminal import PseudoTerminal

CANARY = "canary-in-the-environment-00"
GENERATE_ARGUMENTS = ("generate", "--character", "6870", "--prompt", "At sea", "--wait")


def paths_open_to_others(root: Path) -> list[str]:
    found = [root, *root.rglob("*")]
    return [
        f"{path} {path.lstat().st_mode & 0o777:o}"
        for path in found
        if path.lstat().st_mode & 0o077 and not path.is_symlink()
    ]


@pytest.fixture
def bare(program: Program, tmp_path: Path) -> Iterator[Program]:
    """The program with a home in which nothing exists yet, and a umask that takes nothing away."""
    home = tmp_path / "home"
    program.data_dir = home / "share" / "data"
    program.environ |= {
        "HOME": str(home), "XDG_CONFIG_HOME": str(home / "config"), "XDG_CACHE_HOME": str(home / "cache"),
        "ETERNAL_TUI_DATA_DIR": str(program.data_dir), "LANG": "C.UTF-8",
    }  # fmt: skip
    before = os.umask(0)
    try:
        yield program
    finally:
        os.umask(before)


def open_terminal(
    program: Program, code: str = "import sys; from eternal_tui.__main__ import main; sys.exit(main())"
) -> PseudoTerminal:
    return PseudoTerminal((sys.executable, "-c", code), program.environ)


def test_everything_is_private_under_umask_000(bare: Program, sandbox: Sandbox, tmp_path: Path) -> None:
    """History, lock, journal, instances, results, log, draft, presets, characters, cache, key, exports, reports."""
    home = tmp_path / "home"
    export, report = tmp_path / "out.json", tmp_path / "report.txt"
    assert bare.run("login", "--file", stdin=f"{CANARY}\n").code == 0
    assert bare.run(*GENERATE_ARGUMENTS).code == 0
    for arguments in (("characters",), ("export", str(export)), ("doctor", "--report", str(report))):
        assert bare.run(*arguments).code == 0
    terminal = open_terminal(bare)
    terminal.wait_for("At sea", keep=True)
    terminal.send(b"\x0eSome words")
    terminal.wait_for("words", keep=True)
    terminal.send(b"\x11")
    assert terminal.wait_for_end(TIMEOUT_SECONDS) == 0
    assert (bare.data_dir / "draft.json").exists()
    names = {path.name for path in home.rglob("*")}
    assert {"history.json", "results", "logs", "eternal-tui.log", "characters.json", "key", "draft.json"} <= names
    assert paths_open_to_others(home) == []
    assert paths_open_to_others(export) == paths_open_to_others(report) == []
    assert list(find_leaks(home, keys=(CANARY.encode(), sandbox.key.encode()), allowed=("key",))) == []
    assert sandbox.key.encode() not in terminal.written


KEYRING_MODULE = f"""
from keyring.backend import KeyringBackend
class Held(KeyringBackend):
    priority = 5
    def get_password(self, service, username): return {CANARY!r}
    def set_password(self, service, username, password): raise NotImplementedError
    def delete_password(self, service, username): raise NotImplementedError
"""


def give_key(program: Program, source: str, folder: Path) -> None:
    """Let the program find the canary in this place, and in no other."""
    program.environ.pop("ETERNALAI_API_KEY", None)
    match source:
        case "variable":
            program.environ["ETERNAL_AI_API_KEY"] = CANARY
        case "command":
            held = folder / "spy.sh"
            held.write_text(f"#!/bin/sh\necho {CANARY}\n")
            held.chmod(0o700)
            program.environ["ETERNAL_TUI_API_KEY_COMMAND"] = str(held)
        case "file":
            assert program.run("login", "--file", stdin=f"{CANARY}\n").code == 0
        case _:
            (folder / "spy.sh").write_text(KEYRING_MODULE)
            (folder / "held_keys.py").symlink_to(folder / "spy.sh")
            program.environ |= {"PYTHON_KEYRING_BACKEND": "held_keys.Held"}
            program.environ["PYTHONPATH"] += f":{folder}"


@pytest.mark.parametrize("source", ["variable", "command", "file", "keyring"])
def test_a_crash_of_the_app_shows_no_variables_and_no_key_from_anywhere(
    bare: Program, tmp_path: Path, source: str
) -> None:
    """In the variables of a frame, in the words of the error, in what it came from, and quoted."""
    code = (
        "import sys, eternal_tui.tui.screens.main as w\n"
        "async def broken(self):\n"
        "    await self.services.client.get_client()\n"
        "    secret = self.services.client.found_key.key.reveal()\n"
        "    try:\n"
        "        {}['a ' + secret]\n"
        "    except KeyError as error:\n"
        "        error.add_note(f'{[secret]}')\n"
        "        raise RuntimeError(f'told {secret} https://cdn.example/a.jpg?Signature=' + 'ab' * 32) from error\n"
        "w.MainScreen.action_help = broken\n"
        "from eternal_tui.__main__ import main\nsys.exit(main())"
    )
    give_key(bare, source, tmp_path)
    terminal = open_terminal(bare, code)
    terminal.wait_for("No jobs yet", keep=True)
    terminal.send(b"\x1bOP")
    assert terminal.wait_for_end(TIMEOUT_SECONDS) == 70
    for words in (CANARY.encode(), b"Traceback", b"secret"):
        assert words not in terminal.written
    (written,) = (bare.data_dir / "logs").glob("crash-*.txt")
    assert str(written).encode() in terminal.written.replace(b"\r\n", b"")
    text = written.read_text()
    assert text.count("[hidden]") >= 3
    assert "RuntimeError" in text
    assert CANARY not in text
    assert "abab" not in text
    assert paths_open_to_others(bare.data_dir) == []
    assert list(find_leaks(tmp_path / "home", keys=(CANARY.encode(),), allowed=("key",))) == []


def test_the_log_tells_what_became_of_jobs_and_no_secret(program: Program, sandbox: Sandbox) -> None:
    assert program.run(*GENERATE_ARGUMENTS).code == 0
    lines = [json.loads(line) for line in (program.data_dir / "logs" / "eternal-tui.log").read_text().splitlines()]
    assert [line["event"] for line in lines][:: len(lines) - 1] == ["opened", "closed"]
    turns = [(line.get("was"), line["state"], line.get("file")) for line in lines if line["event"] == "job"]
    assert turns == [
        ("submitting", "running", None),
        ("running", "succeeded", "pending"),
        ("succeeded", "succeeded", "saved"),
    ]
    text = json.dumps(lines)
    assert "At sea" not in text
    assert sandbox.key not in text
    assert "Signature" not in text


@pytest.mark.parametrize(
    ("base_url", "told"),
    [
        ("https://elsewhere.invalid", True), ("https://open.eternalai.org.elsewhere.invalid", True),
        ("https://elsewhere.invalid/open.eternalai.org", True), ("http://127.0.0.1:9", False),
    ],
)  # fmt: skip
def test_every_verb_that_sends_a_key_says_where_it_goes(program: Program, base_url: str, told: bool) -> None:
    for arguments in (("generate", "--character", "6870", "--prompt", "x"), ("watch",), ("login", "--file")):
        ran = program.run("--base-url", base_url, *arguments, stdin=f"{CANARY}\n")
        assert (", not EternalAI." in ran.err) is told, arguments
        assert "not EternalAI" not in ran.out


@pytest.mark.parametrize(
    ("base_url", "public"),
    [("https://open.eternalai.org", True), ("https://elsewhere.example", True), ("http://127.0.0.1:9", False)],
)
async def test_results_in_private_networks_are_refused_wherever_the_service_is_public(
    tmp_path: Path, base_url: str, public: bool
) -> None:
    from eternal_tui.media.errors import LinkRejected, StorageUnreachable

    bench = Services(Settings(base_url=base_url, data_dir=tmp_path / "data", config_path=tmp_path / "c"), {})
    try:
        with pytest.raises(LinkRejected if public else StorageUnreachable):
            await bench.downloader.fetch("http://127.0.0.1:9/x.jpg", name="1", expect="image", encrypted=False)
    finally:
        await bench.close()


async def test_a_folder_open_to_others_is_told_and_its_files_are_taken_back(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    settings = Settings(data_dir=folder, config_path=tmp_path / "c", base_url="http://127.0.0.1:9")
    await Services(settings, {}).close()
    folder.chmod(0o755)
    (folder / "history.journal").chmod(0o644)
    (folder / "draft.json").write_text("{}")
    (folder / "draft.json").chmod(0o666)
    bench = Services(settings, {})
    try:
        assert any("chmod 700" in notice for notice in bench.jobs.notices)
        assert [path for path in folder.iterdir() if path.is_file() and path.stat().st_mode & 0o077] == []
        assert folder.stat().st_mode & 0o777 == 0o755
    finally:
        await bench.close()
