"""What may stand in a prompt: all writing there is, and nothing that only a terminal would understand."""

from __future__ import annotations

import re

from eternal_tui.untrusted import SUBSTITUTE, shown

# Joiners and variation selectors have no picture of their own and are part of writing: emoji sequences, Persian, Hindi.
_JOINING = re.compile("[\u200c\u200d\ufe00-\ufe0f]")
_BREAKS = re.compile("\r\n|[\r\u2028\u2029\x85\x0b\x0c]")
_WIDE_SPACES = re.compile("[\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]")


def prompt_text(text: str) -> str:
    """Return `text` less control, direction and invisible characters; every kind of line break becomes a newline.

    What is left is both shown and sent, so that nobody pays for characters they could not see.
    """
    if text.isascii() and text.replace("\n", "").isprintable():
        return text
    text = _BREAKS.sub("\n", text).replace("\t", "    ")
    return "".join(one for one in text if _stays(one))


def _stays(one: str) -> bool:
    if one == "\n" or _JOINING.match(one) or _WIDE_SPACES.match(one) or one == SUBSTITUTE:
        return True
    if one < " " or one == "\x7f":
        return False
    # The gate answers with its substitute for every character that must not be seen.
    return shown(one) != SUBSTITUTE
