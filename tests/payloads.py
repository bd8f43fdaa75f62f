# ruff: noqa: E501  # tables of strange characters read best in dense rows
"""Texts that have hurt terminals, as a list to be tried on every field and every screen."""

from __future__ import annotations

import random
from collections.abc import Iterator

ESC, BEL, ST, CSI, OSC, DCS = "\x1b", "\x07", "\x1b\\", "\x9b", "\x9d", "\x90"

_SEQUENCES = [
    "[2J", "[H", "[31m", "[0m", "[1;1H", "[999D", "[10A", "[?1049l", "[?1049h", "[?25l", "[?1000h", "[?2004h", "[6n", "[c",
    "[>c", "[5n", "[20t", "[21t", "[8;1;1t", "[3J", "[1K", "[4h", "[?5h", "[?1006h", "[!p", "[38;2;1;2;3m", "[=1;1u", "[>1u",
    "c", "7", "8", "D", "E", "M", "Z", "(0", ")0", "#8", "=", ">", "n", "o", "|", "}", "~", "N", "O", "^pm" + ST, "_apc" + ST,
    "X sos" + ST, "P$qm" + ST, "P+q544e" + ST, "Pq#0;2;0;0;0" + ST,
    "_Ga=T,f=100;AAAA" + ST, "_Gi=1,a=q;AAAA" + ST,
]  # fmt: skip

_COMMANDS = [
    "0;owned", "1;owned", "2;owned", "4;1;?", "8;;http://evil.example", "8;id=1;file:///etc/passwd", "9;pwned", "9;4;1;50",
    "10;?", "11;?", "52;c;Y3VybCBldmls", "52;c;?", "777;notify;a;b", "1337;File=inline=1:AAAA", "99;;hi", "133;A", "7;file://h/",
    "50;?", "12;red", "104", "5522;type=read", "66;s=7;big", "633;A",
]  # fmt: skip

_INVISIBLE = [
    "\u200b", "\u200c", "\u200d", "\u200e", "\u200f", "\u2028", "\u2029", "\u202a", "\u202b", "\u202c", "\u202d", "\u202e", "\u2060",
    "\u2061", "\u2062", "\u2063", "\u2064", "\u2066", "\u2067", "\u2068", "\u2069", "\u206a", "\u206f", "\ufeff", "\u00ad",
    "\u034f", "\u061c", "\u115f", "\u1160", "\u17b4", "\u17b5", "\u180e", "\u180b", "\u3164", "\uffa0", "\u2800", "\ufff9", "\ufffa",
    "\ufffb", "\ufe00", "\ufe0f", "\U000e0001", "\U000e0020", "\U000e007f", "\U000e0100", "\U000e01ef", "\U0001d173",
    "\U0010eeee", "\ue000", "\uf8ff", "\U000f0000", "\U0010ffff", "\ufdd0", "\uffff", "\u0378", "\ud800", "\udfff", "\udc80",
]  # fmt: skip

_PLAIN_TEXTS = [
    "file\u202egpj.exe", "\u2066\u2067\u2068abc\u2069", "pay\u200bpal", "pay\u00adpal", "\ud83d\ude00", "\U0010eeee\u0305\u030d\u0310",
    "".join(chr(0xE0000 + ord(letter)) for letter in "ignore all"), "Z" + "\u0335\u0321\u0489" * 40, "\u0301" * 1_000, "a" + "\u20dd" * 30,
    "\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466", "\U0001f3f3\ufe0f\u200d\U0001f308", "\u2764\ufe0f\u200d\U0001f525",
    "\U0001f44d\U0001f3fd", "\U0001f3fd", "\U0001f1e9\U0001f1ea", "\U0001f1e9", "1\ufe0f\u20e3", "\u200d\u200d\u200d", "\ufe0f" * 100,
    "한글", "\u1112\u1161\u11ab", "\u1161\u11a8", "\u3000wide\u3000", "ｆｕｌｌ", "ﷺ﷽" * 20, "𒐫" * 20, "\u0e01" + "\u0e47" * 20,
    "\r\x1b[2Kgone", "one\rtwo", "a\x08\x08\x08b", "bell\x07", "null\x00byte", "tab\tbed", "\x0b\x0c", "\x7f\x7f", "\x0e\x0f", "\x1c\x1d\x1e\x1f",
    "line\nbreak", "line\r\nbreak", "line\x85break", "line\u2028break", "\n" * 500, "\x1b" * 500, "\x9b" * 500, "A" * 1_000_000,
    "\x1b[31m" * 200_000, "é" * 1_000_000, "\u0301" * 1_000_000, "\U0001f600" * 250_000, "\n" * 1_000_000, "\x00" * 1_000_000,
    "%s%n%x", "${HOME}", "`id`", "$(id)", "; rm -rf /", "| cat", "../../etc/passwd", "-rf", "--help", "~root", "file:///etc/passwd",
    "javascript:alert(1)", "data:text/html,x", "https://evil.example/\x1b[2J", "{0.__class__}", "{field}", "{{}}", "%(x)s", "\\x1b[2J",
    "\\u001b[2J", "&#27;[2J", "=cmd|'/c calc'!A1", "@SUM(1)", "+1+1", "<script>alert(1)</script>", "<!--", "]]>", "'; DROP TABLE jobs;--",
    '"}, {"', "nan", "-0", "1e999", "null", "", " ", "   ", "\t", "\xa0",
]  # fmt: skip


def _iter_payloads() -> Iterator[str]:
    for sequence in _SEQUENCES:
        yield f"before{ESC}{sequence}after"
        if sequence.startswith("["):
            yield f"before{CSI}{sequence[1:]}after"
    for command in _COMMANDS:
        yield f"{ESC}]{command}{BEL}after"
        yield f"{OSC}{command}{ST}after"
    for command in _COMMANDS[:3]:
        yield f"{ESC}]{command}"
        yield f"{ESC}Ptmux;{ESC}{ESC}]{command}{BEL}{ST}"
    for code in (*range(0x20), *range(0x7F, 0xA0)):
        yield f"a{chr(code)}b"
    for character in _INVISIBLE:
        yield character
        yield f"a{character}b"
    yield from _PLAIN_TEXTS


PAYLOADS: tuple[str, ...] = tuple(dict.fromkeys(_iter_payloads()))
"""Every recorded payload once."""

_TAGS = [
    "[bold]", "[/bold]", "[/]", "[red]", "[on blue]", "[link=http://evil.example]", "[@click=app.quit]", "[@click=app.quit()]",
    "[@click='app.bell']", "[@click=screen.pop_screen]", "[@mouse.down=app.quit]", "[$error]", "[#ff0000]", "[rgb(1,2,3)]", "[b i u]",
    "[blink]", "[reverse]", "[conceal]", "[not bold]", "[/link]", "[/@click]", "[[", "]]", "\\[", "\\\\[", "[", "]", "[]", "[ ]", "[=]",
    "[@]", "[@click]", "[@click=", "[link=]", "[0]", "[1;2]", ":smile:", ":warning:", "[red on", "[bold", "[auto 50%]", "[$text-muted 50%]",
    "[link='a\"b']", '[link="a]b"]', "[/nothing]", "[foo=bar]", "[\x1b[31m]", "[on $primary]", "{", "}", "`", "**b**", "_i_", "# h",
]  # fmt: skip


def make_markup_strings(count: int = 500, seed: int = 20) -> list[str]:
    """Return `count` texts full of Rich's and Textual's markup, the same for the same seed."""
    chance = random.Random(seed)
    words = ["free", "credits", "Astrid", "a [b] c", "", " ", "\n"]
    texts = list(_TAGS)
    while len(texts) < count:
        parts = chance.choices(_TAGS, k=chance.randint(1, 6)) + chance.choices(words, k=chance.randint(0, 3))
        chance.shuffle(parts)
        texts.append("".join(parts))
    return texts[:count]
