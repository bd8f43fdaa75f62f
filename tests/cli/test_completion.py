"""Completion in the shells themselves: what a Tab would offer."""

from __future__ import annotations

import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.program import Program, a_job

LINES = {
    "commands": ("generate jobs retry schema", ("",)),
    "options": ("--quality --prompt", ("generate", "--")),
    "values of an option": ("low high", ("generate", "--quality", "")),
    "shells": ("bash zsh fish", ("completion", "")),
    "states": ("failed running saved unfinished", ("jobs", "--state", "")),
    "jobs": ("1 2 last", ("show", "")),
    "more jobs": ("1 2 last", ("star", "1", "")),
    "characters": ("6870 6873", ("generate", "--character", "")),
    "tags": ("winter sea", ("generate", "--tag", "")),
    "commands with a schema": ("watch doctor", ("schema", "")),
}


@pytest.fixture
def shell(program: Program, tmp_path: Path) -> Program:
    """The program under its own name, with jobs, tags and characters to offer."""
    program.add_jobs(a_job(tags=("winter", "sea")), a_job(state="failed"))
    assert program.run("characters").code == 0
    folder = tmp_path / "bin"
    folder.mkdir()
    script = folder / "eternal-tui"
    script.write_text(f'#!/bin/sh\nexec {sys.executable} -m eternal_tui "$@"\n')
    script.chmod(stat.S_IRWXU)
    return program.with_environ({"PATH": f"{folder}:{program.environ['PATH']}"})


def run_shell(program: Program, command: list[str], script: str) -> str:
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed: apt install {command[0]}")
    ran = subprocess.run(command, input=script, capture_output=True, text=True, check=True, env=program.environ)
    assert not ran.stderr
    return ran.stdout


def test_bash_offers_commands_options_and_values(shell: Program) -> None:
    script = shell.run("completion", "bash").out
    asked = "".join(
        f"COMP_WORDS=(eternal-tui {' '.join(map(repr, words))}); COMP_CWORD={len(words)}; COMPREPLY=()\n"
        '_shtab_eternal_tui; printf "%s\\n" "${COMPREPLY[@]}"; echo ::\n'
        for _, words in LINES.values()
    )
    offered = run_shell(shell, ["bash", "--norc"], f"{script}\ncompopt() {{ :; }}\n{asked}").split("::\n")
    for (name, (expected, _)), found in zip(LINES.items(), offered, strict=False):
        assert set(expected.split()) <= set(found.split()), name


def test_fish_offers_commands_options_and_values(shell: Program) -> None:
    script = shell.run("completion", "fish").out
    asked = "".join(
        f"complete -C 'eternal-tui {' '.join(words)}' | string replace -r '\\t.*' ''; echo ::\n"
        for _, words in LINES.values()
    )
    offered = run_shell(shell, ["fish", "--no-config"], f"{script}\n{asked}").split("::\n")
    for (name, (expected, _)), found in zip(LINES.items(), offered, strict=False):
        assert set(expected.split()) <= set(found.split()), name


def test_zsh_reads_the_script_and_looks_words_up(shell: Program) -> None:
    script = shell.run("completion", "zsh").out
    stubs = "compdef() {}; _arguments() {}; compadd() { print -l -- ${(P)2} }\n"
    kinds = {"states": "failed", "jobs": "last", "characters": "6870", "tags": "winter"}
    calls = "".join(f"_eternal_tui_{kind}; print ::\n" for kind in kinds)
    offered = run_shell(shell, ["zsh", "-f"], f"{stubs}{script}\n{calls}")
    for (kind, word), found in zip(kinds.items(), offered.split("::\n"), strict=False):
        assert word in found.split(), kind
        assert f"_eternal_tui_{kind}" in script


@pytest.mark.parametrize(
    ("arguments", "path"),
    [
        (("completion", "bash"), ".local/share/bash-completion/completions/eternal-tui"),
        (("completion", "zsh"), ".local/share/zsh/site-functions/_eternal-tui"),
        (("completion", "fish"), ".config/fish/completions/eternal-tui.fish"),
        (("completion",), ".config/fish/completions/eternal-tui.fish"),
        (("man",), ".local/share/man/man1/eternal-tui.1"),
    ],
)
def test_files_are_installed_where_they_are_looked_for(
    program: Program, tmp_path: Path, arguments: tuple[str, ...], path: str
) -> None:
    environ = {"ETERNALAI_API_KEY": None, "SHELL": "/usr/bin/fish"}
    ran = program.run(*arguments, "--install", environ=environ)
    assert (ran.code, ran.out) == (0, f"{tmp_path / path} written.\n")
    assert (tmp_path / path).read_text() == program.run(*arguments, environ=environ).out
