"""Folders that the environment names and that are none: a sentence and a code, and nothing made elsewhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from eternal_tui.config.loader import home_dir
from eternal_tui.core.files import make_private_dir
from eternal_tui.tui.run import probe_cache_path
from tests.cli.program import Program
from tests.security.drawn import FORBIDDEN_BYTES_PATTERN


@pytest.mark.parametrize(
    ("variable", "command"), [("XDG_DATA_HOME", "watch"), ("XDG_CONFIG_HOME", "config"), ("HOME", "jobs")]
)
def test_a_folder_that_is_none_is_one_sentence(program: Program, tmp_path: Path, variable: str, command: str) -> None:
    """A file, a link to itself, a name that is too long, control characters, a device."""
    (tmp_path / "file").write_text("")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    for name in ("file", "loop", "x" * 300, "file/a\x1b[2J\u202e\x9b\nb", "/dev/null"):
        environ = {"ETERNAL_TUI_DATA_DIR": None, "XDG_CONFIG_HOME": None, variable: str(tmp_path / name)}
        ran = program.run(command, environ=environ)
        assert (ran.code, ran.err.count("\n"), ran.err[-2:]) == (2, 1, ".\n"), (name, ran.err)
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
    # The system knows the user's home folder.
    assert home_dir({"HOME": "rel/here"}).is_absolute()


def test_of_a_path_that_is_too_long_nothing_is_made(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="too long"):
        make_private_dir(tmp_path / ("y/" * 2_500))
    assert list(tmp_path.iterdir()) == []
