"""`config --check`, `--init` and `--edit`: the file of the user."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import jsonschema
import pytest

from tests.cli.program import Program, write_script


def test_every_error_is_reported_with_its_line(program: Program) -> None:
    program.write_config('theme = "eternal-light"\n[keys]\n"jobs.again" = "R"\n')
    ran = program.run("config", "--check")
    assert (ran.code, ran.out) == (0, f"{program.config_file}: no errors.\n")
    program.write_config('theme = "eternal-lihgt"\n[keys]\n"jobs.again" = "e"\n"jobs.agian" = "R"\n')
    ran = program.run("config", "--check")
    assert (ran.code, len(ran.err.splitlines())) == (2, 3)
    assert 'keys: there is no action "jobs.agian". Did you mean jobs.again?' in ran.err
    program.write_config('workers = 99\nwrkers = 1\n[notify]\nbell = "loud"\n[hooks]\non_finished = ["{file}"]\n')
    ran = program.run("config", "--check", environ={"ETERNAL_TUI_FPS": "fast"})
    assert (ran.code, len(ran.err.splitlines())) == (2, 5)
    assert all(f"line {number}" in ran.err for number in (1, 2, 4, 6))
    started = program.run("jobs")
    assert (started.code, len(started.err.splitlines()), "config --check" in started.err) == (2, 1, True)


def test_what_is_printed_is_toml_and_a_schema_of_it(program: Program) -> None:
    settings = tomllib.loads(program.run("config").out)
    assert settings["base_url"] == program.environ["ETERNAL_TUI_BASE_URL"]
    schema = json.loads(program.run("config", "--schema").out)
    jsonschema.validate(settings, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**settings, "workers": 99}, schema)


def test_init_writes_a_file_once(program: Program) -> None:
    assert program.run("config", "--init").out == f"{program.config_file} written.\n"
    assert "# daily_cap" in program.config_file.read_text()
    assert program.run("config", "--check").code == 0
    program.write_config("daily_cap = 1.0\n")
    refused = program.run("config", "--init")
    assert (refused.code, program.config_file.read_text()) == (2, "daily_cap = 1.0\n")


def test_an_editor_begins_with_every_setting_explained(program: Program, tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    editor = write_script(
        tmp_path / "editor", f'cp "$1" "{seen}"; env > "{tmp_path}/environ"; echo \'theme = "nord"\' > "$1"'
    )
    ran = program.run("config", "--edit", environ={"VISUAL": str(editor)})
    assert (ran.code, program.config_file.read_text()) == (0, 'theme = "nord"\n')
    begun = seen.read_text()
    assert '# theme = ""' in begun
    assert [line for line in begun.splitlines() if line and line[0] not in "#["] == []
    assert program.environ["ETERNALAI_API_KEY"] not in (tmp_path / "environ").read_text()


def test_a_broken_file_can_be_mended_by_the_editor(program: Program, tmp_path: Path) -> None:
    program.write_config("theme = [")
    assert program.run("config", "--check").code == 2
    for script, code, words in ((': > "$1"', 0, ""), ('echo oops > "$1"', 2, "this is not valid TOML")):
        editor = write_script(tmp_path / "editor", script)
        ran = program.run("config", "--edit", environ={"VISUAL": str(editor)})
        assert (ran.code, words in ran.err) == (code, True)
    ran = program.run("config", "--edit", environ={"VISUAL": None, "EDITOR": None})
    assert (ran.code, "Set VISUAL or EDITOR" in ran.err) == (2, True)


def test_media_bytes_per_second_is_an_option(program: Program) -> None:
    ran = program.run("--media-bytes-per-second", "5000", "config")
    assert "# From --media-bytes-per-second.\nmedia_bytes_per_second = 5000\n" in ran.out
    assert program.run("--media-bytes-per-second", "12", "config").code == 2
