"""Completion in the shells themselves: what a Tab would offer. The manual page: whole, plain, and `man` takes it."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest

from eternal_tui.cli.commands.shell import SCOPE_TITLES
from eternal_tui.cli.parser import build_parser
from eternal_tui.config.loader import SETTING_NAMES
from eternal_tui.tui.input.actions import ALL_ACTIONS, Scope
from tests.cli.program import Program, a_job, write_script

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
    write_script(tmp_path / "bin" / "eternal-tui", f'exec {sys.executable} -m eternal_tui "$@"')
    return program.with_environ({"PATH": f"{tmp_path}/bin:{program.environ['PATH']}"})


def run_shell(program: Program, command: list[str], script: str) -> list[set[str]]:
    """Return the words between the marks that a script prints."""
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed: apt install {command[0]}")
    script = f"{program.run('completion', command[0]).out}\n{script}"
    ran = subprocess.run(command, input=script, capture_output=True, text=True, check=True, env=program.environ)
    assert not ran.stderr
    return [set(part.split()) for part in ran.stdout.split("::\n")]


def test_bash_and_fish_offer_commands_options_and_values(shell: Program) -> None:
    bash = "".join(
        f"COMP_WORDS=(eternal-tui {' '.join(map(repr, words))}); COMP_CWORD={len(words)}; COMPREPLY=()\n"
        '_shtab_eternal_tui; printf "%s\\n" "${COMPREPLY[@]}"; echo ::\n'
        for _, words in LINES.values()
    )
    fish = "".join(
        f"complete -C 'eternal-tui {' '.join(words)}' | string replace -r '\\t.*' ''; echo ::\n"
        for _, words in LINES.values()
    )
    for command, script in ((["bash", "--norc"], f"compopt() {{ :; }}\n{bash}"), (["fish", "--no-config"], fish)):
        offered = run_shell(shell, command, script)
        for (name, (expected, _)), found in zip(LINES.items(), offered, strict=False):
            assert set(expected.split()) <= found, (command, name)


def test_zsh_reads_the_script_and_looks_words_up(shell: Program) -> None:
    kinds = {"states": "failed", "jobs": "last", "characters": "6870", "tags": "winter"}
    stubs = "compdef() {}; _arguments() {}; compadd() { print -l -- ${(P)2} }\n"
    calls = stubs + "".join(f"_eternal_tui_{kind}; print ::\n" for kind in kinds)
    offered = run_shell(shell, ["zsh", "-fc", "compdef() {}; _arguments() {}; source /dev/stdin"], calls)
    assert [word in found for word, found in zip(kinds.values(), offered, strict=False)] == [True] * 4


@pytest.mark.parametrize(
    ("arguments", "path"),
    [
        (("completion", "bash"), ".local/share/bash-completion/completions/eternal-tui"),
        (("completion", "zsh"), ".local/share/zsh/site-functions/_eternal-tui"),
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


@pytest.fixture
def page(program: Program) -> str:
    # It names the sandbox's own key, with which these tests pay.
    return program.run("man", environ={"ETERNALAI_API_KEY": None}).out


def test_the_manual_has_every_command_option_key_and_setting(page: str) -> None:
    assert page.startswith(".TH ETERNAL-TUI 1 ")
    assert page.isascii()
    plain = page.replace(r"\-", "-")
    assert set(SCOPE_TITLES) == set(get_args(Scope))
    wanted = [*(f"[{action.id}]" for action in ALL_ACTIONS), *SETTING_NAMES]
    for command, parser in build_parser()[1].items():
        wanted.append(f'.SS "{command}"')
        parser.add_arguments()
        wanted += re.findall(r"(?<![\w-])--[a-z][\w-]+", parser.format_help().partition("examples:")[0])
    assert {each for each in wanted if each not in plain} == {"--help"}


def test_man_takes_the_page_without_a_warning(page: str) -> None:
    man = shutil.which("man")
    if man is None or shutil.which("groff") is None:
        pytest.skip("man or groff is not installed: apt install man-db groff")
    ran = subprocess.run(
        [man, "--warnings", "-E", "ascii", "-l", "-"],
        input=page, capture_output=True, text=True, check=True, env={"PATH": "/usr/bin:/bin", "MANWIDTH": "80"},
    )  # fmt: skip
    assert ran.stderr == ""
    for words in ("eternal-tui generate --character 6870", "--base-url URL", "NAME", "EXIT CODES", "ctrl+n"):
        assert words in ran.stdout
