r"""Parser of the terminal's input: keys, mouse and pastes become Textual's events, everything else is dropped.

Textual 8.2.8 types an escape sequence it does not know, and every reply it did not ask for, as keys: the `t` of a late
`ESC P>|tmux 3.5a ESC \` ran a paid retry. Here each sequence is framed first (ECMA-48), however it is split between
reads, and only one that is known as a key reaches Textual's tables.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Generator, Iterator

from textual import constants, events, messages
from textual._ansi_sequences import ANSI_SEQUENCES_KEYS
from textual._keyboard_protocol import FUNCTIONAL_KEYS
from textual._xterm_parser import XTermParser
from textual.keys import Keys
from textual.message import Message

SEQUENCE_TIMEOUT_SECONDS = 5.0
"""Seconds without a byte after which an unfinished sequence, string or paste is given up."""

MAX_STRING_CHARS = 256 * 1024
"""Length of a string from which on a short pause ends it: a terminal that never ends one must not keep the keyboard."""

MAX_STRING_SECONDS = 10.0
"""Age of a string from which on a short pause ends it."""

OVERLONG_PAUSE_SECONDS = 0.25
"""That pause: longer than between the bytes of a reply, shorter than between most keys."""

INTRODUCER_ALONE_SECONDS = 1.0
"""Seconds after which one character behind a bare string introducer is a key: the introducer was alt and a letter."""

LATE_BYTE_SECONDS = 0.5
"""Wait after a single byte that may continue a reply whose ESC was read as the key, such as `[`."""

MAX_SEQUENCE_CHARS = 128
MAX_PASTE_CHARS = 4 * 1024 * 1024

REMOTE_ESCAPE_SECONDS = 0.5
"""Wait behind ESC over SSH: a network may part ESC from its sequence by a round trip."""

MAX_ESCAPE_SECONDS = 1.0

ESC = "\x1b"
PASTE_START = "\x1b[200~"
PASTE_END = "\x1b[201~"

_STRING_INTRODUCERS = "P]_^X"
_C1 = {0x8F: "O", 0x90: "P", 0x98: "X", 0x9B: "[", 0x9C: "\\", 0x9D: "]", 0x9E: "^", 0x9F: "_"}
"""8-bit control codes and the letter of the same after ESC. They come as such, or as bytes that are no UTF-8."""
_C1_LETTERS = {chr(code + base): letter for code, letter in _C1.items() for base in (0, 0xDC00)}

_INVALID_BYTES = re.compile("[\udc80-\udcff]")
_STRING_TAIL = re.compile(r"[ -~]*\x1b\\")
"""The end of a string that another program read the beginning of."""
_LATE_TAIL = (
    r"\[[0-?]*[ -/]*[@-~]|\[[0-?]|O[A-Za-z]\Z|P(?:[>!]|[\d;]*[$+!]|[\d;]+\Z)|\](?:\d+(?:;|\Z)|[lLI])|_G"
    r"|[P\]_^X][ -~]*\x1b\\"
)
"""Start of a read that continues after an ESC that was read as the key."""
_SPLIT_TAIL = (
    r"\[[0-?][ -?]*(?:[@-~]|\Z)|P(?:[>!]|[\d;]*[$+!]|[\d;]+\Z)|\](?:\d+(?:;|\Z)|[lLI])|_G|[P\]_^X][ -~]*\x1b\\"
)
"""The same in several reads, the last of which has more than a byte: behind a `[` only a reply, with parameters."""
_SPLIT_BYTE = r"\[[0-?][ -?]*[@-~]|P(?:[>!]|[\d;]*[$+!])|\]\d+;|_G"
"""The same where the last read has one byte, which a user might have typed."""
_LATE_PREFIX = r"\[[0-?]*|P(?:[>!]|[\d;]*[$+!]?)|\](?:\d*;?|[lLI])|_G?"
"""Prefixes of the same, which further bytes may complete."""
_CURSOR_REPORT = re.compile(r"\x1b\[(\d{1,5});(\d{1,5})R")
_MOUSE_REPORT = re.compile(r"\x1b\[<\d{1,3};-?\d{1,5};-?\d{1,5}[Mm]")
_SYNC_REPORT = re.compile(r"\x1b\[\?2026;[1-4]\$y")
_KEY_REPORT = re.compile(
    r"\x1b\[(?P<code>\d{0,7})(?::\d*){0,2}(?:;(?P<modifiers>\d{0,3})(?::(?P<event>\d))?)?"
    r"(?:;(?P<text>\d{0,7}(?::\d{1,7}){0,8}))?(?P<final>[u~A-HPQRS])"
)
"""Kitty's keyboard protocol, and what xterm sends for keys with modifiers."""
_KEY_RELEASED = "3"


def _is_text(code: int) -> bool:
    return 0x20 <= code < 0x7F or 0xA0 <= code < 0xD800 or 0xE000 <= code <= 0x10FFFF


class InputParser:
    """Turns bytes into messages. `now` is seconds on any monotonic clock.

    Call `tick` after `timeout` seconds without a byte. `remote`: there is a network before the terminal.
    """

    def __init__(self, *, remote: bool = False) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
        self._tables = XTermParser()
        self._pending = ""
        self._pending_since = self._last_byte_at = 0.0
        self._string_chars = 0
        self._paste: list[str] | None = None
        self._paste_chars = 0
        self._escape_key_at = float("-inf")
        self._late_prefix = self._late_held = ""
        self._escape_seconds = max(constants.ESCAPE_DELAY, REMOTE_ESCAPE_SECONDS if remote else 0.0)
        self._reports_escape = False

    @property
    def escape_seconds(self) -> float:
        """Wait behind a lone ESC in seconds. Grows with the gaps seen; where Esc is reported ESC is never a key."""
        return MAX_ESCAPE_SECONDS if self._reports_escape else self._escape_seconds

    def note_delay(self, seconds: float) -> None:
        """Wait longer behind ESC: the network delays bytes by `seconds`."""
        self._escape_seconds = min(MAX_ESCAPE_SECONDS, max(self._escape_seconds, seconds * 1.5 + 0.05))

    def timeout(self, now: float) -> float | None:
        """Return the seconds until `tick` has something to do, None where nothing is unfinished."""
        if not (self._pending or self._paste is not None or self._decoder.getstate()[0] or self._late_held):
            return None
        return max(0.0, self._last_byte_at + self._wait_seconds(now) - now)

    def _wait_seconds(self, now: float) -> float:
        if self._paste is None and not self._pending:
            return LATE_BYTE_SECONDS if self._late_held else MAX_ESCAPE_SECONDS
        if self._paste is None and self._pending == ESC:
            return self.escape_seconds
        overlong = self._string_chars > MAX_STRING_CHARS or now - self._pending_since > MAX_STRING_SECONDS
        return OVERLONG_PAUSE_SECONDS if self._in_string and overlong else SEQUENCE_TIMEOUT_SECONDS

    @property
    def _in_string(self) -> bool:
        return self._pending[1:2] != "" and self._pending[1] in _STRING_INTRODUCERS

    def tick(self, now: float) -> Iterator[Message]:
        """Yield what timed out: the Esc key, bytes held back, or an unfinished paste."""
        if (left := self.timeout(now)) is None or left > 0:
            return
        if self._paste is not None:
            yield from self._finish_paste(self._pending)
        elif self._pending == ESC:
            self._escape_key_at = self._last_byte_at
            yield events.Key("escape", ESC)
        elif self._late_held:
            for character in self._late_held:
                yield from self._keys(character)
            self._late_held = ""
        elif not self._pending and self._decoder.getstate()[0] != b"\xc2":
            # Latin-1, where é is one byte. Behind C2 an 8-bit control code was to come.
            yield from self._keys("\ufffd")
        self._decoder.reset()
        self._pending = ""

    def feed(self, data: bytes, now: float) -> Iterator[Message]:
        """Yield the messages that `data` completes."""
        text, gap = self._decoder.decode(data), now - self._last_byte_at
        self._last_byte_at = now
        if not text:
            return
        if self._paste is None:
            text = yield from self._join_parts(text, gap, now)
            if self._late_held:
                return
        self._escape_key_at = float("-inf")
        at = 0
        while at < len(text):
            if self._paste is None:
                yield from self._take(text[at], now)
                at += 1
            else:
                held, self._pending = self._pending, ""
                rest = held + text[at:]
                if (end := rest.find(PASTE_END)) >= 0:
                    yield from self._finish_paste(rest[:end])
                    at += end + len(PASTE_END) - len(held)
                else:
                    # The mark itself may be split.
                    kept = next((n for n in range(len(PASTE_END) - 1, 0, -1) if rest.endswith(PASTE_END[:n])), 0)
                    self._add_paste(rest[: len(rest) - kept])
                    self._pending = rest[len(rest) - kept :]
                    at = len(text)

    def _join_parts(self, text: str, gap: float, now: float) -> Generator[Message, None, str]:
        """Return `text` with the parts of its sequence that came before, without the end of one that began unread."""
        late, self._late_prefix = self._late_prefix, ""
        held, self._late_held = self._late_held, ""
        if self._pending == ESC:
            if text[0] not in "[O" + _STRING_INTRODUCERS and gap > constants.ESCAPE_DELAY:
                # Alt and a letter come together, so these were two keys.
                self._pending = ""
                yield events.Key("escape", ESC)
            else:
                self.note_delay(gap)
        elif self._pending[1:] and self._pending[1:] in _STRING_INTRODUCERS and not self._string_chars:
            if gap > INTRODUCER_ALONE_SECONDS and len(text) == 1:
                self._pending = ""
        elif not self._pending:
            is_behind_escape = now - self._escape_key_at < SEQUENCE_TIMEOUT_SECONDS
            is_byte = len(text) == 1
            tail = _SPLIT_BYTE if is_byte else _SPLIT_TAIL if late else _LATE_TAIL
            if is_behind_escape and (held or not is_byte) and re.match(tail, late + text):
                self.note_delay(now - self._escape_key_at)
                return ESC + late + text
            if is_behind_escape and is_byte and re.fullmatch(_LATE_PREFIX, late + text):
                self._late_prefix, self._late_held = late + text, held + text
                return ""
            for character in held:
                yield from self._keys(character)
            if end := _STRING_TAIL.match(text):
                return text[end.end() :]
        return text

    def _add_paste(self, text: str) -> None:
        if self._paste is not None and self._paste_chars < MAX_PASTE_CHARS:
            self._paste.append(text)
            self._paste_chars += len(text)

    def _finish_paste(self, text: str) -> Iterator[Message]:
        self._add_paste(text)
        pasted = _INVALID_BYTES.sub("\ufffd", "".join(self._paste or ())).replace("\x00", "")
        self._paste, self._paste_chars = None, 0
        yield events.Paste(pasted)

    def _take(self, character: str, now: float) -> Iterator[Message]:
        pending, self._pending = self._pending, ""
        if not pending:
            if character == ESC or character in _C1_LETTERS:
                self._pending, self._pending_since, self._string_chars = ESC, now, 0
                if character != ESC:
                    yield from self._take(_C1_LETTERS[character], now)
            else:
                yield from self._keys(_INVALID_BYTES.sub("\ufffd", character))
        elif pending == ESC:
            if character in "[O" + _STRING_INTRODUCERS:
                self._pending = ESC + character
            elif character == ESC:
                self._pending, self._pending_since = ESC, now
                yield events.Key("escape", ESC)
            elif character != "\\":
                yield from self._keys(ESC + _INVALID_BYTES.sub("\ufffd", character))
        elif pending[1] in _STRING_INTRODUCERS:
            yield from self._take_in_string(pending, character, now)
        elif pending.startswith("\x1b[M"):
            # X10 mouse report: three bytes of any value, which no terminal sends that was asked for SGR reports.
            held = pending + character
            self._pending = held if len(held[3:].encode("utf-8", "surrogateescape")) < 3 else ""
        else:
            yield from self._take_in_sequence(pending, character, now)

    def _take_in_string(self, pending: str, character: str, now: float) -> Iterator[Message]:
        self._string_chars += 1
        if pending.endswith(ESC):
            if character != "\\":
                self._pending, self._pending_since, self._string_chars = ESC, now, 0
                yield from self._take(character, now)
        elif character == ESC:
            self._pending = pending + ESC
        elif character not in "\x07\x18\x1a" and _C1_LETTERS.get(character) != "\\":
            self._pending = pending

    def _take_in_sequence(self, pending: str, character: str, now: float) -> Iterator[Message]:
        sequence = pending + character
        if sequence in ("\x1b[[", "\x1b[M"):
            self._pending = sequence
        elif "@" <= character <= "~" or sequence in ANSI_SEQUENCES_KEYS:
            yield from self._decode(sequence if pending[1] == "[" else _as_csi(sequence))
        elif " " <= character <= "?":
            self._pending = sequence[:MAX_SEQUENCE_CHARS]
        elif character not in "\x18\x1a":
            # Anything else is no part of a sequence, but a key of its own.
            yield from self._take(character, now)

    def _decode(self, sequence: str) -> Iterator[Message]:
        if sequence == PASTE_START:
            self._paste = []
        elif sequence == "\x1b[I":
            yield events.AppFocus()
        elif sequence == "\x1b[O":
            yield events.AppBlur()
        elif report := _CURSOR_REPORT.fullmatch(sequence):
            yield events.CursorPosition(int(report[2]) - 1, int(report[1]) - 1)
        elif _MOUSE_REPORT.fullmatch(sequence):
            if (mouse := self._tables.parse_mouse_code(sequence)) is not None:
                yield mouse
        elif _SYNC_REPORT.fullmatch(sequence):
            yield messages.TerminalSupportsSynchronizedOutput()
        elif sequence in ANSI_SEQUENCES_KEYS:
            yield from self._keys(sequence)
        elif key := self._known_key(sequence):
            yield from self._keys(key)

    def _known_key(self, sequence: str) -> str | None:
        """Return a key report as Textual reads it, None where it is none, or the release of a key."""
        if (report := _KEY_REPORT.fullmatch(sequence)) is None or report["event"] == _KEY_RELEASED:
            return None
        code, modifiers, text, final = (report[name] or "" for name in ("code", "modifiers", "text", "final"))
        if final == "~" and code == "27" and text:
            # xterm's modifyOtherKeys, which tmux sends too.
            code, text, final = text, "", "u"
        elif final == "u" and code == "27":
            self._reports_escape = True
        number = int(code or "1") if ":" not in code else -1
        known = f"{number}{final}" in FUNCTIONAL_KEYS or (final == "u" and _is_text(number))
        if not known or not all(_is_text(int(part)) for part in text.split(":") if text):
            return None
        return f"\x1b[{';'.join([str(number), modifiers, text]).rstrip(';')}{final}"

    def _keys(self, sequence: str) -> Iterator[Message]:
        if len(sequence) == 1 and "\x80" <= sequence < "\xa0":
            return
        found = list(self._tables._sequence_to_key_events(sequence))
        if not found and len(sequence) == 2:
            found = list(self._tables._sequence_to_key_events(sequence[1], alt=True))
        yield from (key for key in found if key.key != Keys.Ignore)


def _as_csi(sequence: str) -> str:
    """Return `ESC O 5 P`, as some terminals send keys with modifiers, as `ESC [ 1;5 P`."""
    parameters = sequence[2:-1]
    return f"\x1b[1;{parameters.rpartition(';')[2]}{sequence[-1]}" if parameters else sequence
