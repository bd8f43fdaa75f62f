"""Hostile environment variables: commands write what they write of the sanitized twin."""

from __future__ import annotations

import io
import re

import pytest

from eternal_tui.core.sanitize import sanitize
from tests.cli.program import Program
from tests.security.hostile import pack_payloads
from tests.security.programs import TtyTextIO, command_output, forbidden_bytes

StreamType = type[io.TextIOWrapper]

SAMPLE_STEP = 22
"""One text in so many, each in every variable at once."""

VARIABLE_NAMES = (
    "TERM", "COLORTERM", "TERM_PROGRAM", "TERM_PROGRAM_VERSION", "LANG", "LC_ALL", "BROWSER", "VISUAL", "EDITOR",
    "NO_PROXY", "TMUX", "SSH_CONNECTION", "STY", "USER", "LOGNAME", "PAGER", "COLUMNS", "DISPLAY", "WAYLAND_DISPLAY",
)  # fmt: skip
DIR_VARIABLE_NAMES = ("XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_RUNTIME_DIR", "XDG_STATE_HOME")
COMMANDS: list[tuple[tuple[str, ...], StreamType]] = [
    (("doctor",), TtyTextIO), (("doctor", "--report"), io.TextIOWrapper), (("config",), TtyTextIO),
    (("jobs",), TtyTextIO), (("characters",), TtyTextIO), (("man",), io.TextIOWrapper),
    (("completion", "bash"), io.TextIOWrapper),
    (("completion", "fish"), TtyTextIO), (("config", "--edit"), TtyTextIO), (("--help",), TtyTextIO),
]  # fmt: skip


def hostile_texts(longest: int) -> list[str]:
    """Return a thousand payloads as variables can hold them, in which a line break would make lines of its own."""
    return [re.sub("[\r\n\x00]", "", each).encode("utf-8", "replace").decode() for each in pack_payloads(longest)]


def command_output_lines(
    program: Program, given: dict[str, str], command: tuple[str, ...], stream_type: type[io.TextIOWrapper]
) -> list[bytes]:
    """Return the lines of a verb, all the same but for how long the service took."""
    found = command_output(program.with_environ(given), command, stream_type)
    assert forbidden_bytes(found) == []
    return re.sub(rb"responds in \d+ ms", b"", found).splitlines()


def test_what_variables_hold_is_written_as_by_the_sanitized_twin(program: Program) -> None:
    """Terminal, language, editor, proxies, folders."""
    for text in hostile_texts(300)[::SAMPLE_STEP]:
        for verb, kind in COMMANDS:
            told = []
            for words in (text, sanitize(text)):
                folder = f"/nowhere/{words.replace('/', '')}"
                given = dict.fromkeys(VARIABLE_NAMES, words) | dict.fromkeys(DIR_VARIABLE_NAMES, folder)
                told.append(command_output_lines(program, given, verb, kind))
            assert told[0] == told[1], verb


PASSWORD = "canary-of-the-proxy"
PROXIES = [
    "foo://canary-user:{}@127.0.0.1:9", "http://canary-user:{}@127.0.0.1:99999",
    "http://canary-user:{}@127.0.0.1:9\x1b[2J", "http://canary-user:{}@127.0.0.1:9", "http://canary-user:{}@[::1",
]  # fmt: skip


@pytest.mark.parametrize("proxy", PROXIES)
@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "all_proxy"])
def test_what_opens_a_proxy_is_never_shown(
    program: Program, proxy: str, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In words, JSON, report and log, whether the proxy can be reached, read, or neither."""
    # httpx reads the process's own environment, whatever the program is given.
    monkeypatch.setenv(variable, proxy.format(PASSWORD))
    environ = {variable: proxy.format(PASSWORD), "ETERNAL_TUI_BASE_URL": "https://service.invalid"}
    for verb in (("characters",), ("doctor", "--report")):
        ran = program.run(*verb, environ=environ)
        assert ran.code in (0, 4), ran.err
        assert PASSWORD not in ran.out + ran.err
        assert "canary-user" not in ran.out + ran.err
        assert forbidden_bytes((ran.out + ran.err).encode()) == []
    log = program.data_dir / "logs" / "eternal-tui.log"
    assert not log.exists() or PASSWORD not in log.read_text()
    assert not list((program.data_dir / "logs").glob("crash*"))
