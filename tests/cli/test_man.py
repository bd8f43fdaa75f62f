"""The manual page: it is whole, it is plain, and `man` takes it without a warning."""

from __future__ import annotations

import re
import shutil
import subprocess
from typing import get_args

import pytest

from eternal_tui.cli.commands.shell import SCOPE_TITLES
from eternal_tui.cli.parser import build_parser
from eternal_tui.config.loader import SETTING_NAMES
from eternal_tui.tui.input.actions import ALL_ACTIONS, Scope
from tests.cli.program import Program

NO_KEY_ENVIRON = {"ETERNALAI_API_KEY": None}
"""The page of `sandbox` names the sandbox's own key, which is the one these tests pay with."""


@pytest.fixture
def source(program: Program) -> str:
    ran = program.run("man", environ=NO_KEY_ENVIRON)
    assert ran.code == 0
    return ran.out


def test_man_page_has_every_command_option_key_and_setting(source: str) -> None:
    """Seen to fail without the options of commands, and with a scope of the action table left out."""
    assert source.startswith(".TH ETERNAL-TUI 1 ")
    assert source.isascii()
    plain = source.replace(r"\-", "-")
    assert set(SCOPE_TITLES) == set(get_args(Scope))
    for action in ALL_ACTIONS:
        assert f"[{action.id}]" in plain
    for command, parser in build_parser()[1].items():
        assert f'.SS "{command}"' in plain
        parser.add_arguments()
        for option in re.findall(r"(?<![\w-])--[a-z][\w-]+", parser.format_help().partition("examples:")[0]):
            assert option in plain or option == "--help", (command, option)
    for name in SETTING_NAMES:
        assert name in plain


def test_man_takes_it_without_a_warning(source: str) -> None:
    """Seen to fail with a line break within a line: the gate made a sign of it."""
    man = shutil.which("man")
    if man is None or shutil.which("groff") is None:
        pytest.skip("man or groff is not installed: apt install man-db groff")
    ran = subprocess.run(
        [man, "--warnings", "-E", "ascii", "-l", "-"],
        input=source, capture_output=True, text=True, check=True, env={"PATH": "/usr/bin:/bin", "MANWIDTH": "80"},
    )  # fmt: skip
    assert ran.stderr == ""
    for words in ("eternal-tui generate --character 6870", "--base-url URL", "NAME", "EXIT CODES", "ctrl+n"):
        assert words in ran.stdout
