"""Completion in the shells themselves: what a Tab would offer."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from tests.cli.program import Program

ZSH_STUBS = """
compdef() {}; compadd() { print -l -- "$@" }; _files() { print files }
_describe() { print -l -- ${(P)@[-1]} }
asked() { words=(eternal-tui "$@"); CURRENT=$#words; _eternal_tui }
"""


def _completions(command: list[str], script: str) -> str:
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed: apt install {command[0]}")
    ran = subprocess.run(command, input=script, capture_output=True, text=True, check=True)
    assert not ran.stderr
    return ran.stdout


def test_zsh_offers_verbs_options_values_and_files(program: Program) -> None:
    """Seen to fail with bash's script under bashcompinit, which zsh cannot read: "unrecognized modifier"."""
    script = ZSH_STUBS + program.run("completion", "zsh").out
    lines = ("generate --quality ''", "completion ''", "''", "--demo jobs ''")
    quality, shells, first, jobs = (
        part.split("\n")[1:-1]
        for part in _completions(["zsh", "-f"], script + "".join(f"print ::\nasked {line}\n" for line in lines)).split(
            "::"
        )[1:]
    )
    assert quality == ["--", "low", "high"]
    assert shells == ["--", "bash", "zsh", "fish"]
    assert any(word.startswith("doctor:Look at") for word in first)
    assert any(word.startswith("--demo:") for word in first)
    assert any(word.startswith("--state:only") for word in jobs)
    assert jobs[-1] == "files"


def test_fish_offers_verbs_options_and_values(program: Program) -> None:
    """Seen to fail with values that were not named and files beside the verbs."""
    script = program.run("completion", "fish").out
    lines = ("", "generate --quality ", "generate --qu", "completion ")
    asked = "".join(f"complete -C 'eternal-tui {line}' | string replace -r '\\t.*' ''; echo ::\n" for line in lines)
    first, quality, option, shells, _ = (
        part.split() for part in _completions(["fish", "--no-config"], f"{script}\n{asked}").split("::")
    )
    assert {"generate", "doctor"} <= set(first)
    assert "pyproject.toml" not in first
    assert set(quality) == {"low", "high"}
    assert option == ["--quality"]
    assert set(shells) >= {"bash", "zsh", "fish"}
