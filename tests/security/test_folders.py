"""Folders that the environment names and that are none: a sentence and a code, and nothing made elsewhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from eternal_tui.config.loader import home_dir
from eternal_tui.core.files import make_private_dir
from eternal_tui.tui.run import probe_cache_path
from tests.cli.program import Program
from tests.security.drawn import FORBIDDEN_BYTES_PATTERN

COMMANDS_BY_VARIABLE = {
    "XDG_DATA_HOME": ("jobs", "watch"),
    "XDG_CONFIG_HOME": ("jobs", "config"),
    "HOME": ("jobs", "config"),
}
"""Variables, and verbs that need the folder they name."""


@pytest.fixture
def folders(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "file").write_text("")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    return {
        "file": str(tmp_path / "file"), "loop": str(tmp_path / "loop"), "long": str(tmp_path / ("x" * 300)),
        "hostile": str(tmp_path / "file" / "a\x1b[2J\u202e\x9b\nb"), "device": "/dev/null",
    }  # fmt: skip


@pytest.mark.parametrize("variable", COMMANDS_BY_VARIABLE)
def test_a_folder_that_is_none_is_one_calm_sentence(program: Program, folders: dict[str, str], variable: str) -> None:
    """A file, a link to itself, a name that is too long, control signs, a device."""
    changes = {"ETERNAL_TUI_DATA_DIR": None, "XDG_CONFIG_HOME": None}
    for folder in folders.values():
        for verb in COMMANDS_BY_VARIABLE[variable]:
            ran = program.run(verb, environ={**changes, variable: folder})
            assert ran.code == 2, (folder, ran.err)
            assert ran.err.endswith(".\n")
            assert ran.err.count("\n") == 1
            assert FORBIDDEN_BYTES_PATTERN.findall(ran.err.encode()) == []


@pytest.mark.parametrize("variable", ["XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"])
def test_a_relative_folder_means_nothing(
    program: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    for told in ("rel/here", "~/x", "."):
        environ = {"ETERNAL_TUI_DATA_DIR": None, variable: told}
        assert program.run("jobs", environ=environ).code == 0
        cache = probe_cache_path(program.environ_with(environ))
        assert cache is not None
        assert cache.is_relative_to(program.environ["HOME"])
    assert list(here.iterdir()) == []
    # The system knows where a person is at home.
    assert home_dir({"HOME": "rel/here"}).is_absolute()


def test_of_a_path_that_is_too_long_nothing_is_made(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="too long"):
        make_private_dir(tmp_path / ("y/" * 2_500))
    assert list(tmp_path.iterdir()) == []
