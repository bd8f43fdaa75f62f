"""Keys and replies that the input parser reads from bytes."""

from __future__ import annotations

import random
from collections.abc import Iterable

import pytest
from textual import events
from textual.message import Message

from eternal_tui.tui.terminal.input_parser import (
    LATE_BYTE_SECONDS,
    MAX_STRING_CHARS,
    REMOTE_ESCAPE_SECONDS,
    SEQUENCE_TIMEOUT_SECONDS,
    InputParser,
)
from tests.terminal.replies import KEY_REPORTS, REPLIES


class Keyboard:
    def __init__(self, *, remote: bool = False) -> None:
        self.parser = InputParser(remote=remote)
        self.now = 100.0

    def read(self, *parts: bytes, pause: float = 0.0) -> list[Message]:
        """Return what comes of `parts`, read `pause` seconds apart."""
        got: list[Message] = []
        for number, part in enumerate(parts):
            if number:
                got += self.wait(pause)
            got += self.parser.feed(part, self.now)
        return got

    def wait(self, seconds: float) -> list[Message]:
        got: list[Message] = []
        end = self.now + seconds
        while (left := self.parser.timeout(self.now)) is not None and self.now + left < end:
            self.now += left
            got += self.parser.tick(self.now)
        self.now = end
        return got


def actions(got: Iterable[Message]) -> list[str]:
    """Return keys and pastes; mouse and focus do nothing by themselves."""
    return [
        each.key if isinstance(each, events.Key) else f"paste {each.text}"
        for each in got
        if isinstance(each, events.Key | events.Paste)
    ]


@pytest.mark.parametrize("sent", KEY_REPORTS)
def test_parser_keys(sent: bytes) -> None:
    for at in range(len(sent)):
        keyboard = Keyboard()
        got = keyboard.read(sent[:at], sent[at:], pause=0.05) + keyboard.wait(9)
        assert actions(got) == KEY_REPORTS[sent]


@pytest.mark.parametrize("reply", REPLIES, ids=repr)
@pytest.mark.parametrize("remote", [False, True])
@pytest.mark.parametrize("pause", [0.0, 0.3, 1.2, 4.0])
def test_parser_drops_replies(reply: bytes, remote: bool, pause: float) -> None:
    for at in range(len(reply)):
        keyboard = Keyboard(remote=remote)
        got = actions(keyboard.read(b"j", reply[:at], reply[at:], b"k", pause=pause) + keyboard.wait(9))
        # A lone ESC that waits longer than any key does is Esc; what comes behind it is still no key.
        assert got == ["j", "k"] or (at == 1 and got == ["j", "escape", "k"] and pause > 0.1), (at, got)


@pytest.mark.parametrize(
    "reply", [b"\x1b[12;34R", b"\x1bP>|tmux 3.5a\x1b\\", b"\x1b]11;rgb:0000/0000/0000\x1b\\"], ids=repr
)
def test_parser_drops_replies_in_three_late_parts(reply: bytes) -> None:
    for at in range(3, len(reply) - 1):
        assert actions(Keyboard().read(reply[:1], reply[1:at], reply[at:], pause=0.35)) == ["escape"]


@pytest.mark.parametrize(
    "reply", [each for each in REPLIES if each[:1] == b"\x1b" and each[1:3] != b"[M" and each[1] not in b"^X"], ids=repr
)
@pytest.mark.parametrize("pause", [0.35, 0.45, 1.2])
def test_parser_drops_replies_in_late_parts(reply: bytes, pause: float) -> None:
    """Behind ESC and a lone introducer that both came too late the rest is dropped, whole or in two late parts."""
    introducer = actions(Keyboard().read(reply[1:2] if pause > LATE_BYTE_SECONDS else b""))
    assert actions(Keyboard().read(reply[:1], reply[1:2], reply[2:], pause=pause)) == ["escape", *introducer]
    for at in range(3, len(reply) - 1):
        got = actions(Keyboard().read(reply[:1], reply[1:2], reply[2:at], reply[at:], pause=pause))
        # A byte that comes alone, and nothing soon after it, is a key.
        byte = actions(Keyboard().read(reply[2:3] if introducer and at == 3 else b""))
        assert got == ["escape", *introducer, *byte], (at, got)


def test_parser_types_what_follows_escape() -> None:
    """Keys behind Esc that might have been a reply are late by half a second at most, and none is lost."""
    for typed in ("[", "P", "]", "[x", "P]", "[[", "][", "P1j", "[12", "]l"):
        keyboard = Keyboard()
        got = keyboard.read(b"\x1b", *(each.encode() for each in typed), pause=0.2) + keyboard.wait(0.6)
        assert [each.character for each in got if isinstance(each, events.Key)] == ["\x1b", *typed]
    assert actions(Keyboard().read(b"\x1b", b"[", b"hello", pause=0.7)) == ["escape", "left_square_bracket", *"hello"]


@pytest.mark.parametrize("reply", REPLIES, ids=repr)
def test_parser_drops_replies_byte_by_byte(reply: bytes) -> None:
    keyboard = Keyboard()
    parts = [reply[at : at + 1] for at in range(len(reply))]
    assert actions(keyboard.read(b"a", *parts, b"b", pause=0.05)) == ["a", "b"]


def test_parser_drops_unfinished_replies() -> None:
    for reply in REPLIES:
        for at in range(2, len(reply)):
            keyboard = Keyboard()
            got = actions(keyboard.read(reply[:at], b"k", pause=SEQUENCE_TIMEOUT_SECONDS + 0.1))
            assert got == ["k"], reply[:at]


def test_parser_drops_the_end_of_a_string() -> None:
    assert not actions(Keyboard().read(b"ux 3.5a\x1b\\"))
    assert actions(Keyboard().read(b"j\x1b[B")) == ["j", "down"]


def test_parser_string_without_end_gives_the_keyboard_back() -> None:
    keyboard = Keyboard()
    assert not actions(keyboard.read(b"\x1bPq" + b"t" * (MAX_STRING_CHARS + 1)))
    keyboard.wait(0.3)
    assert actions(keyboard.read(b"t")) == ["t"]
    slow = Keyboard()
    assert actions(slow.read(b"\x1b]11", *[b"t"] * 30, pause=0.5))
    cancelled = Keyboard()
    assert actions(cancelled.read(b"\x1bPq tt", b"\x1b[A", b"t")) == ["up", "t"]
    letter = Keyboard()
    assert actions(letter.read(b"\x1b]", b"t", pause=1.5)) == ["t"]


def test_parser_pastes_replies_as_text() -> None:
    text = b"".join(REPLIES)
    sent = b"\x1b[200~" + text + b"\x1b[201~"
    shown = text.decode(errors="replace")
    for at in range(1, len(sent), 7):
        keyboard = Keyboard()
        (pasted,) = actions(keyboard.read(sent[:at], sent[at:], pause=0.05))
        assert pasted == f"paste {shown}"
    for at in range(-6, 0):
        keyboard = Keyboard()
        assert actions(keyboard.read(sent[:at], sent[at:] + b"j", pause=0.3)) == [f"paste {shown}", "j"]


def test_parser_paste_without_end() -> None:
    keyboard = Keyboard()
    got = keyboard.read(b"\x1b[200~retry", b"t", pause=SEQUENCE_TIMEOUT_SECONDS + 0.1)
    assert actions(got) == ["paste retry", "t"]


def test_parser_replaces_bytes_that_are_no_utf8() -> None:
    keyboard = Keyboard()
    got = [each.character for each in keyboard.read(b"caf\xe9 ") if isinstance(each, events.Key)]
    assert got == [*"caf", "\ufffd", " "]
    keyboard.read(b"\xe9")
    assert [each.character for each in keyboard.wait(2) if isinstance(each, events.Key)] == ["\ufffd"]


@pytest.mark.parametrize(("remote", "pause"), [(False, 0.09), (True, REMOTE_ESCAPE_SECONDS - 0.01)])
def test_parser_escape_wait(remote: bool, pause: float) -> None:
    assert actions(Keyboard(remote=remote).read(b"\x1b", b"[B", pause=pause)) == ["down"]
    keyboard = Keyboard(remote=remote)
    assert actions(keyboard.read(b"\x1b") + keyboard.wait(pause + 0.02)) == ["escape"]


def test_parser_learns_the_escape_wait() -> None:
    keyboard = Keyboard()
    # The first ends as Esc and the key behind it: there is nothing to learn from yet.
    assert actions(keyboard.read(b"\x1b", b"[B", pause=0.3)) == ["escape", "down"]
    assert actions(keyboard.read(b"\x1b", b"[B", pause=0.35)) == ["down"]


def test_parser_escape_and_a_letter_apart_are_two_keys() -> None:
    assert actions(Keyboard(remote=True).read(b"\x1b", b"j", pause=0.2)) == ["escape", "j"]
    assert actions(Keyboard().read(b"\x1b\x1b", b"j", pause=0.2)) == ["escape", "escape", "j"]


_PIECES = (*REPLIES, *KEY_REPORTS, b"\x1b[200~", b"\x1b[201~", b"\x1b", b"\x1b[", b"\x1bO", b"\x9b", b"\xff", b"t;")


@pytest.mark.parametrize("rounds", [3_000, pytest.param(100_000, marks=pytest.mark.long)])
def test_parser_takes_any_bytes(rounds: int) -> None:
    chance = random.Random(rounds)
    keyboard = Keyboard()
    for _ in range(rounds):
        data = b"".join(
            chance.choice(_PIECES) if chance.random() < 0.5 else chance.randbytes(chance.randrange(9))
            for _ in range(chance.randrange(6))
        )
        got = keyboard.read(data) + keyboard.wait(chance.choice((0, 0.05, 0.2, 9)))
        for each in got:
            if isinstance(each, events.Key) and each.character:
                each.character.encode()
            elif isinstance(each, events.Paste):
                each.text.encode()
    keyboard.wait(30)
    assert actions(keyboard.read(b"\x18j"))[-1] == "j"
