"""Escape sequences for clipboard, title and notifications, wrapped for tmux and screen."""

from __future__ import annotations

import base64
from collections.abc import Mapping

from eternal_tui.core.sanitize import SafeText, sanitize

MAX_OSC52_BYTES = 74_994
"""Bytes of text sent by OSC 52: the most that xterm and tmux take, 100,000 bytes of sequence in base64."""

ESC = "\x1b"
ST = "\x1b\\"


def tmux_wrap(sequence: str, environ: Mapping[str, str]) -> str:
    """Return the sequence wrapped so that tmux and screen pass it to the outer terminal."""
    if environ.get("TMUX"):
        return f"{ESC}Ptmux;{sequence.replace(ESC, ESC + ESC)}{ST}"
    if environ.get("TERM", "").startswith("screen"):
        return "".join(f"{ESC}P{sequence[i : i + 700]}{ST}" for i in range(0, len(sequence), 700))
    return sequence


def clipboard_sequence(text: str, environ: Mapping[str, str]) -> str | None:
    """Return the sequence that sets the clipboard of the user's machine, None where `text` is too long.

    tmux takes the plain sequence for its own buffer and hands it on where `set-clipboard` allows; the wrapped one
    reaches the outer terminal where `allow-passthrough` does. Both are sent, for one of them is often off.
    """
    data = text.encode("utf-8", "replace")
    if len(data) > MAX_OSC52_BYTES:
        return None
    plain = f"{ESC}]52;c;{base64.b64encode(data).decode()}\x07"
    outer = tmux_wrap(plain, environ)
    return plain if outer == plain else plain + outer


def title_sequence(text: SafeText) -> str:
    """Return the sequence that sets the title."""
    return f"{ESC}]2;{text}\x07"


SAVE_TITLE = f"{ESC}[22;2t"
RESTORE_TITLE = f"{ESC}[23;2t"
"""Push and pop of the title on xterm's stack."""


def notification_sequence(text: str, environ: Mapping[str, str]) -> str:
    """Return the sequence for a desktop notification: OSC 9, and OSC 777 for terminals that know only that."""
    # A leading number and semicolon would make OSC 9 a progress report in some terminals.
    words = sanitize(text, limit=200).replace(";", ",")
    nine = f"{ESC}]9;{words}\x07"
    seven = f"{ESC}]777;notify;eternal-tui;{words}\x07"
    return tmux_wrap(nine, environ) + tmux_wrap(seven, environ)


def is_in_quiet_hours(hours: str, minute_of_day: int) -> bool:
    """Tell whether a minute since local midnight lies in hours such as "22:00-07:00"; an empty text is never."""
    if not hours:
        return False
    begin, end = (int(part[:2]) * 60 + int(part[3:5]) for part in hours.split("-"))
    if begin <= end:
        return begin <= minute_of_day < end
    return minute_of_day >= begin or minute_of_day < end
