"""The probe, in a real pseudo-terminal with scripted terminals at the other end."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import shutil
import struct
import subprocess
import termios
import threading
import time
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eternal_tui.tui.graphics import probe as probe_module
from eternal_tui.tui.graphics.probe import QUERY, TerminalInfo, parse_replies, probing, timeout_for
from eternal_tui.tui.terminal.input_parser import InputParser

XTERM = {"TERM": "xterm-256color"}
KITTY = b"\x1bP>|kitty(0.35.1)\x1b\\\x1b_Gi=31;OK\x1b\\\x1b[6;18;9t\x1b[?62;c"
PLAIN = b"\x1b[?1;2c"

Script = Callable[[int, bytes], None]


def probe(**options: Any) -> TerminalInfo:
    with probing(**options) as read_info:
        return read_info()


@contextmanager
def fake_terminal(script: Script) -> Iterator[tuple[int, int, bytearray]]:
    """Yield the program's end and the terminal's end of a pty; `script` answers what is written to it."""
    far, near = pty.openpty()
    written = bytearray()
    over = threading.Event()

    def live() -> None:
        while not over.is_set():
            if select.select([far], [], [], 0.02)[0]:
                data = os.read(far, 65_536)
                written.extend(data)
                script(far, data)

    thread = threading.Thread(target=live)
    thread.start()
    try:
        yield near, far, written
    finally:
        over.set()
        thread.join()
        os.close(near)
        os.close(far)


def replying_with(*pieces: bytes) -> Script:
    def script(far: int, data: bytes) -> None:
        if b"\x1b[c" in data:
            for piece in pieces:
                os.write(far, piece)

    return script


def read_pending_input(near: int) -> bytes:
    """Return what a program that starts now would read as key presses."""
    before = termios.tcgetattr(near)
    raw = termios.tcgetattr(near)
    raw[3] &= ~(termios.ICANON | termios.ECHO)
    termios.tcsetattr(near, termios.TCSANOW, raw)
    data = os.read(near, 65_536) if select.select([near], [], [], 0)[0] else b""
    termios.tcsetattr(near, termios.TCSANOW, before)
    return data


@pytest.mark.parametrize("pieces", [(KITTY,), tuple(bytes([byte]) for byte in KITTY)], ids=["whole", "bytes"])
def test_kitty_is_known_by_its_answers(pieces: tuple[bytes, ...]) -> None:
    with fake_terminal(replying_with(*pieces)) as (near, _, written):
        before = termios.tcgetattr(near)
        facts = probe(stdin=near, stdout=near, environ=XTERM)
        assert termios.tcgetattr(near) == before
        assert bytes(written).replace(b"\r\n", b"\n") == QUERY
        assert read_pending_input(near) == b""
    assert facts == TerminalInfo(
        name="kitty(0.35.1)", kitty_graphics=True, cell=(9, 18), answered=True, why="the terminal answered"
    )


def test_a_terminal_that_knows_only_da1_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe_module, "LOCAL_TIMEOUT_SECONDS", 60.0)
    with fake_terminal(replying_with(PLAIN)) as (near, _, _):
        began = time.monotonic()
        facts = probe(stdin=near, stdout=near, environ=XTERM)
        assert time.monotonic() - began < 30
    assert (facts.answered, facts.name, facts.kitty_graphics, facts.cell) == (True, "", False, (0, 0))


@pytest.mark.parametrize(("reply", "hours"), [((), (0.5, 1.1)), ((KITTY,), (11.9, 12.1))], ids=["silence", "answer"])
def test_an_answer_and_a_silence_are_remembered_for_a_while(
    tmp_path: Path, reply: tuple[bytes, ...], hours: tuple[float, float]
) -> None:
    cache = tmp_path / "made" / "terminals.json"
    # The time is read before the question and once it was answered.
    times = iter([0.0, 0.0, hours[0] * 3600, hours[1] * 3600, hours[1] * 3600])
    with fake_terminal(replying_with(*reply)) as (near, _, written):

        def ask() -> TerminalInfo:
            written.clear()
            return probe(stdin=near, stdout=near, environ=XTERM, cache=cache, now=lambda: next(times))

        before = termios.tcgetattr(near)
        first = ask()
        assert first.answered == bool(reply)
        assert bytes(written) == QUERY
        assert ask() == first
        assert bytes(written) == b""
        ask()
        assert bytes(written) == QUERY
        assert termios.tcgetattr(near) == before
    assert cache.stat().st_mode & 0o777 == 0o600
    with fake_terminal(replying_with(PLAIN)) as (near, _, _):
        assert probe(stdin=near, stdout=near, environ=XTERM | {"TERM_PROGRAM": "x"}, cache=cache).name == ""


def test_the_terminal_thinks_while_others_work() -> None:
    asked = threading.Event()

    def script(far: int, data: bytes) -> None:
        replying_with(KITTY)(far, data)
        asked.set()

    with fake_terminal(script) as (near, _, written):
        before = termios.tcgetattr(near)
        with probing(stdin=near, stdout=near, environ=XTERM) as answer:
            assert asked.wait(20.0)
            assert bytes(written) == QUERY
            assert answer().kitty_graphics
        with probing(stdin=near, stdout=near, environ=XTERM):
            pass
        assert termios.tcgetattr(near) == before


def test_a_far_terminal_has_longer() -> None:
    assert timeout_for(XTERM) < 0.6 < timeout_for(XTERM | {"SSH_CONNECTION": "10.0.0.1 5022 10.0.0.2 22"})


def test_late_answers_never_become_key_presses() -> None:
    """Half a reply is read when the time is up: both halves reach the app's parser, which drops them."""
    late = threading.Event()

    def reply_in_halves(fd: int, asked: bytes) -> None:
        if b"\x1b[c" in asked:
            os.write(fd, KITTY[:7])
            late.wait(10)
            os.write(fd, KITTY[7:])

    with fake_terminal(reply_in_halves) as (near, _, _):
        facts = probe(stdin=near, stdout=near, environ=XTERM)
        assert not facts.answered
        assert facts.unread == KITTY[:7]
        tty.setraw(near)
        late.set()
        assert select.select([near], [], [], 10)[0]
        parser = InputParser()
        assert not list(parser.feed(facts.unread, 0.0))
        assert not list(parser.feed(os.read(near, 999), 1.0))


def test_modes_are_put_back_when_reading_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(stdin: int, until: float) -> bytes:
        raise OSError

    monkeypatch.setattr(probe_module, "_read_replies", broken)
    with fake_terminal(replying_with(PLAIN)) as (near, _, _):
        before = termios.tcgetattr(near)
        facts = probe(stdin=near, stdout=near, environ=XTERM)
        assert termios.tcgetattr(near) == before
    assert facts.why == "the terminal could not be asked"


@pytest.mark.parametrize("environ", [{}, {"TERM": ""}, {"TERM": "dumb"}])
def test_dumb_terminals_are_not_asked(environ: dict[str, str]) -> None:
    with fake_terminal(replying_with(KITTY)) as (near, _, written):
        facts = probe(stdin=near, stdout=near, environ=environ)
        assert bytes(written) == b""
    assert not facts.answered


def test_pipes_are_not_asked(tmp_path: Path) -> None:
    with fake_terminal(replying_with(KITTY)) as (near, _, written), (tmp_path / "out").open("wb+") as file:
        assert not probe(stdin=near, stdout=file.fileno(), environ=XTERM).answered
        assert not probe(stdin=file.fileno(), stdout=near, environ=XTERM).answered
        assert bytes(written) == b""
    assert (tmp_path / "out").read_bytes() == b""


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"a": 1}', b"\xff\xfe"])
def test_a_damaged_cache_is_as_good_as_none(tmp_path: Path, content: bytes) -> None:
    cache = tmp_path / "terminals.json"
    cache.write_bytes(content)
    with fake_terminal(replying_with(KITTY)) as (near, _, _):
        assert probe(stdin=near, stdout=near, environ=XTERM, cache=cache).kitty_graphics
    assert b"kitty" in cache.read_bytes()


def test_a_cache_that_cannot_be_written_spoils_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with fake_terminal(replying_with(KITTY)) as (near, _, _):
        assert probe(stdin=near, stdout=near, environ=XTERM, cache=tmp_path / "file" / "cache").kitty_graphics


@given(st.binary(max_size=60), st.binary(max_size=60), st.binary(max_size=60))
def test_no_answer_breaks_the_parser_or_puts_escapes_in_a_name(one: bytes, two: bytes, three: bytes) -> None:
    facts = parse_replies(one + b"\x1bP>|" + two + b"\x1b\\" + three)
    assert facts.name.isprintable()
    assert facts.name.isascii()


@pytest.mark.parametrize("answer", [b"\x1b_Gi=31;ENOTSUP\x1b\\", b"\x1b_Gi=32;OK\x1b\\", b"\x1b_Gi=31;OK"])
def test_only_ok_is_yes(answer: bytes) -> None:
    assert not parse_replies(answer + PLAIN).kitty_graphics


XTERM_340 = b"\x1bP>|XTerm(379)\x1b\\\x1b[?1;0;1024S\x1b[?2;0;1000;1000S\x1b[?63;1;2;4;6;9;15;16;22;28c"
"""What xterm 379 says as a vt340."""


def test_sixels_are_known_by_da1_and_their_bounds_by_themselves() -> None:
    facts = parse_replies(XTERM_340)
    assert (facts.sixel, facts.colours, facts.most, facts.cell) == (True, 1024, (1000, 1000), (0, 0))
    assert not parse_replies(b"\x1b[?1;3S\x1b[?2;3S\x1b[?64;1;2;6;9;15c").sixel
    assert not parse_replies(b"\x1b[?4;1c").sixel


def test_a_cell_is_measured_anew_where_the_system_knows_it(tmp_path: Path) -> None:
    cache = tmp_path / "terminals.json"
    with fake_terminal(replying_with(XTERM_340)) as (near, _, _):
        for width, height in ((800, 480), (1600, 960)):
            fcntl.ioctl(near, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, width, height))
            assert probe(stdin=near, stdout=near, environ=XTERM, cache=cache).cell == (width // 80, height // 24)


@pytest.fixture
def tmux(tmp_path: Path) -> Iterator[dict[str, str]]:
    """A tmux server of our own; its environment as a program in its pane sees it."""
    found = shutil.which("tmux")
    if found is None:
        pytest.skip("tmux is not installed: apt install tmux")
    socket = tmp_path / "socket"
    command = [found, "-S", str(socket), "-f", "/dev/null"]
    subprocess.run([*command, "new-session", "-d", "-x", "80", "-y", "24", "cat"], check=True)
    pid = subprocess.run([*command, "display-message", "-p", "#{pid}"], check=True, capture_output=True, text=True)
    try:
        yield XTERM | {"TMUX": f"{socket},{pid.stdout.strip()},0", "PATH": os.environ["PATH"], "COMMAND": str(socket)}
    finally:
        subprocess.run([*command, "kill-server"], check=True)


@pytest.mark.terminal
@pytest.mark.parametrize(("word", "expected"), [("off", False), ("on", True), ("all", True)])
def test_tmux_is_asked_by_its_own_command(tmux: dict[str, str], word: str, expected: bool) -> None:
    """Options differ by version: "all" is unknown before tmux 3.4 and is then refused by tmux itself."""
    command = ["tmux", "-S", tmux["COMMAND"], "set", "-g", "allow-passthrough", word]
    if subprocess.run(command, check=False, capture_output=True).returncode:
        assert word == "all"
        return
    with fake_terminal(replying_with(KITTY)) as (near, _, written):
        facts = probe(stdin=near, stdout=near, environ=tmux)
        assert bytes(written) == b""
    assert facts.tmux
    assert facts.answered
    assert facts.passthrough is expected


def test_a_tmux_that_is_gone_is_said(tmp_path: Path) -> None:
    gone = XTERM | {"TMUX": f"{tmp_path}/socket,1,0", "PATH": os.environ["PATH"]}
    with fake_terminal(replying_with(KITTY)) as (near, _, _):
        facts = probe(stdin=near, stdout=near, environ=gone)
        assert (facts.tmux, facts.answered) == (True, False)
        facts = probe(stdin=near, stdout=near, environ=gone | {"PATH": ""})
    assert (facts.tmux, facts.answered) == (True, False)
