"""`config --check` and `config --edit`: the file of the user."""

from __future__ import annotations

import stat
from pathlib import Path

from tests.cli.program import Program


def config_file_of(program: Program) -> Path:
    return Path(program.environ["XDG_CONFIG_HOME"]) / "eternal-tui" / "config.toml"


def make_editor(folder: Path, script: str) -> str:
    path = folder / "editor"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(stat.S_IRWXU)
    return str(path)


def test_a_file_is_checked(program: Program) -> None:
    """Seen to fail with errors of [keys] printed and exit code 0."""
    config = config_file_of(program)
    config.parent.mkdir(parents=True)
    config.write_text('theme = "eternal-light"\n[keys]\n"jobs.again" = "R"\n')
    ran = program.run("config", "--check")
    assert (ran.code, ran.out) == (0, f"{config}: no errors.\n")
    config.write_text('theme = "eternal-lihgt"\n[keys]\n"jobs.again" = "e"\n"jobs.agian" = "R"\n')
    ran = program.run("config", "--check")
    assert ran.code == 2
    assert len(ran.err.splitlines()) == 3
    assert 'keys: there is no action "jobs.agian". Did you mean jobs.again?' in ran.err


def test_every_error_is_reported(program: Program) -> None:
    config = config_file_of(program)
    config.parent.mkdir(parents=True)
    config.write_text('workers = 99\nwrkers = 1\n[notify]\nbell = "loud"\n[hooks]\non_finished = ["{file}"]\n')
    ran = program.run("config", "--check", environ={"ETERNAL_TUI_FPS": "fast"})
    assert (ran.code, len(ran.err.splitlines())) == (2, 5)
    for number in (1, 2, 4, 6):
        assert f"line {number}" in ran.err
    started = program.run("jobs")
    assert (started.code, len(started.err.splitlines()), "config --check" in started.err) == (2, 1, True)


def test_init_writes_a_file_once(program: Program) -> None:
    config = config_file_of(program)
    assert program.run("config", "--init").out == f"{config} written.\n"
    assert "# daily_cap" in config.read_text()
    assert program.run("config", "--check").code == 0
    config.write_text("daily_cap = 1.0\n")
    refused = program.run("config", "--init")
    assert (refused.code, config.read_text()) == (2, "daily_cap = 1.0\n")


def test_an_editor_begins_with_every_setting_explained(program: Program, tmp_path: Path) -> None:
    """Seen to fail with a template whose defaults were in force instead of commented out."""
    config = config_file_of(program)
    seen = tmp_path / "seen"
    command = make_editor(tmp_path, f'cp "$1" "{seen}"; env > "{tmp_path}/environ"; echo \'theme = "nord"\' > "$1"')
    ran = program.run("config", "--edit", environ={"VISUAL": command})
    assert (ran.code, config.read_text()) == (0, 'theme = "nord"\n')
    begun = seen.read_text()
    assert '# theme = ""' in begun
    assert [line for line in begun.splitlines() if line and line[0] not in "#["] == []
    assert program.environ["ETERNALAI_API_KEY"] not in (tmp_path / "environ").read_text()


def test_a_broken_file_can_be_mended_by_the_editor(program: Program, tmp_path: Path) -> None:
    config = config_file_of(program)
    config.parent.mkdir(parents=True)
    config.write_text("theme = [")
    assert program.run("config", "--check").code == 2
    ran = program.run("config", "--edit", environ={"VISUAL": make_editor(tmp_path, ': > "$1"')})
    assert ran.code == 0
    ran = program.run("config", "--edit", environ={"VISUAL": make_editor(tmp_path, 'echo oops > "$1"')})
    assert ran.code == 2
    assert "this is not valid TOML" in ran.err


def test_without_an_editor_it_is_said_what_to_set(program: Program) -> None:
    ran = program.run("config", "--edit", environ={"VISUAL": None, "EDITOR": None})
    assert ran.code == 2
    assert "Set VISUAL or EDITOR" in ran.err


def test_media_bytes_per_second_option(program: Program) -> None:
    """Seen to fail without the option, which was only a setting."""
    ran = program.run("--media-bytes-per-second", "5000", "config")
    assert "# From --media-bytes-per-second.\nmedia_bytes_per_second = 5000\n" in ran.out
    assert program.run("--media-bytes-per-second", "12", "config").code == 2
