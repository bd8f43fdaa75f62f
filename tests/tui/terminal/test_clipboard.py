"""The machine's own clipboard, by real programs that stand in for wl-copy and xclip."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from eternal_tui.tui.terminal import desktop
from eternal_tui.tui.terminal.desktop import clipboard_command, copy


def write_program(folder: Path, name: str, body: str) -> Path:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o700)
    return path


def test_the_program_of_the_desktop_at_hand_is_used(tmp_path: Path) -> None:
    for name in ("pbcopy", "wl-copy", "xclip"):
        write_program(tmp_path, name, "cat")
    path = str(tmp_path)
    assert clipboard_command({"PATH": path}, "linux") is None
    assert clipboard_command({"PATH": path, "DISPLAY": ":0"}, "linux") == (
        str(tmp_path / "xclip"), "-selection", "clipboard",
    )  # fmt: skip
    both = {"PATH": path, "DISPLAY": ":0", "WAYLAND_DISPLAY": "wayland-0"}
    assert clipboard_command(both, "linux") == (str(tmp_path / "wl-copy"),)
    assert clipboard_command({"PATH": path}, "darwin") == (str(tmp_path / "pbcopy"),)


def test_a_program_that_is_not_there_is_not_used(tmp_path: Path) -> None:
    assert clipboard_command({"PATH": str(tmp_path), "DISPLAY": ":0"}, "linux") is None


async def test_the_text_is_given_exactly_and_no_key_with_it(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    command = (str(write_program(tmp_path, "copy", f"cat > {kept}; env > {tmp_path}/env")),)
    environ = {"PATH": os.environ["PATH"], "ETERNALAI_API_KEY": "sk_secret_key", "LANG": "C.UTF-8"}
    assert await copy("A quiet harbour 🌊\n$(date) `id`\n", command, environ)
    assert kept.read_text(encoding="utf-8") == "A quiet harbour 🌊\n$(date) `id`\n"
    assert "sk_secret_key" not in (tmp_path / "env").read_text()


async def test_a_program_that_fails_or_is_gone_took_nothing(tmp_path: Path) -> None:
    environ = {"PATH": os.environ["PATH"]}
    assert not await copy("x", (str(write_program(tmp_path, "fails", "cat >/dev/null; exit 1")),), environ)
    assert not await copy("x", (str(tmp_path / "gone"),), environ)


async def test_a_program_that_hangs_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desktop, "COPY_TIMEOUT_SECONDS", 0.1)
    hangs = write_program(tmp_path, "hangs", f"echo $$ > {tmp_path}/pid; exec sleep 600")
    assert not await copy("x" * 200_000, (str(hangs),), {"PATH": os.environ["PATH"]})
    pid_file = tmp_path / "pid"
    if pid_file.exists() and (text := pid_file.read_text().strip()):
        with pytest.raises(ProcessLookupError):
            os.kill(int(text), 0)


async def test_a_program_that_serves_on_in_the_background_is_not_waited_for(tmp_path: Path) -> None:
    serves = write_program(tmp_path, "serves", "cat >/dev/null; (sleep 5) & exit 0")
    assert await copy("x", (str(serves),), {"PATH": os.environ["PATH"]})


async def test_more_than_the_limit_is_not_given(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    command = (str(write_program(tmp_path, "copy", f"cat > {kept}")),)
    assert not await copy("x" * (desktop.MAX_CLIPBOARD_BYTES + 1), command, {"PATH": os.environ["PATH"]})
    assert not kept.exists()
