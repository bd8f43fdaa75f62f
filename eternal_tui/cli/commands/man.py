"""`man`: the manual page, written from the same lists as the command line's help and the app's keys."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator

from eternal_tui import __version__
from eternal_tui.cli.context import Invocation
from eternal_tui.cli.exit_codes import Exit
from eternal_tui.core.sanitize import shown

EPILOG = """\
examples:
  eternal-tui man | man -l -
  eternal-tui man > ~/.local/share/man/man1/eternal-tui.1      from then on: man eternal-tui
"""

PLACES = {
    "anywhere": "Anywhere",
    "jobs": "Jobs and detail",
    "list": "The list of jobs",
    "gallery": "The gallery",
    "filter": "The filter",
    "detail": "The detail",
    "viewer": "The viewer",
    "form": "The request",
    "line": "The character's line",
    "prompt": "The prompt",
    "choice": "A choice",
    "stepper": "A number",
    "submit": "The last line of the request",
    "search": "A list to search",
    "picker": "The list of characters, from the request",
    "presets": "The presets",
    "copy": "The copy menu",
    "help": "Help",
    "browser": "The characters",
    "create": "A new character",
    "confirm": "A question",
    "save": "Save as",
    "note": "A note",
    "key": "The key",
    "statistics": "Statistics",
}
"""What the places where keys work are called, in the order in which they are told."""

_FILES = """\
history.json       every job, a plain TinyDB file; in the data folder, ~/.local/share/eternal-tui
history.journal    changes not yet folded into it
results/           pictures and clips
logs/              log and crash reports
~/.config/eternal-tui/config.toml    configuration"""

_NOT_PLAIN = re.compile("[^\n -~]")
_TYPOGRAPHY = {"“": '"', "”": '"', "‘": "'", "’": "'", "—": "--", "–": "-", "…": "...", "·": "-", "×": "x", "−": "-"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `man`: there are none of its own."""
    del parser


def run(invocation: Invocation) -> int:
    """Print the page."""
    for line in page():
        invocation.streams.line(shown(line))
    return Exit.DONE


def page() -> Iterator[str]:
    """Yield the lines of the page in the man macros, in plain ASCII."""
    from eternal_tui.cli.parser import DESCRIPTION, PROGRAM, VERBS, build_parser
    from eternal_tui.cli.parser import EPILOG as GENERAL

    parser, verbs = build_parser()
    yield f'.TH {PROGRAM.upper()} 1 "" "{PROGRAM} {__version__}" "User Commands"'
    yield ".SH NAME"
    yield rf"{_text(PROGRAM)} \- {_text(DESCRIPTION.partition('.')[0])}"
    yield ".SH SYNOPSIS"
    for words in ("[options]", "[options] VERB [arguments]"):
        yield from (f".B {_text(PROGRAM)}", _text(words), ".br")
    yield ".SH DESCRIPTION"
    yield _text(DESCRIPTION)
    yield ".SH OPTIONS"
    yield from _options(parser)
    yield ".SH VERBS"
    for name, verb in verbs.items():
        verb.fill()
        yield f'.SS "{_text(name)}"'
        yield _text(VERBS[name])
        yield from _options(verb, without_globals=True)
        yield from _blocks(verb.epilog or "", heading=".PP")
    yield ".SH KEYS"
    yield _text("Every key can be changed by the name in brackets, in the [keys] section of the configuration.")
    yield from _keys()
    yield from _blocks(GENERAL, heading=".SH")
    yield ".SH FILES"
    yield from _verbatim(_FILES)
    yield ".SH CONFIGURATION"
    yield from _settings()


def _text(text: str) -> str:
    """Return running text that no macro and no escape is read from."""
    plain = "".join(_TYPOGRAPHY.get(sign, sign) for sign in " ".join(text.split()))
    plain = _NOT_PLAIN.sub("?", plain).replace("\\", r"\e").replace("-", r"\-").replace('"', r"\(dq")
    return rf"\&{plain}" if plain.startswith((".", "'")) else plain


def _verbatim(block: str) -> Iterator[str]:
    yield ".nf"
    for line in block.strip("\n").splitlines():
        escaped = line.replace("\\", r"\e").replace("-", r"\-")
        yield rf"\&{_NOT_PLAIN.sub('?', escaped)}"
    yield ".fi"


def _options(parser: argparse.ArgumentParser, *, without_globals: bool = False) -> Iterator[str]:
    formatter = parser.formatter_class(prog=parser.prog)
    for group in parser._action_groups:
        if without_globals and group.title == "global options":
            continue
        for action in group._group_actions:
            if action.help == argparse.SUPPRESS or isinstance(
                action, argparse._SubParsersAction | argparse._HelpAction
            ):
                continue
            yield ".TP"
            yield rf"\fB{_text(formatter._format_action_invocation(action))}\fR"
            yield _text(formatter._expand_help(action) if action.help else "")


def _blocks(epilog: str, *, heading: str) -> Iterator[str]:
    """Yield each part of an epilogue: a word with a colon over indented lines, or a paragraph."""
    for part in re.split(r"\n\s*\n", epilog.strip("\n")):
        head, _, rest = part.partition(":\n")
        if (rest and " " not in head.strip()) or head == "exit codes":
            yield from (f".SH {_text(head.upper())}",) if heading == ".SH" else (".PP", f".B {_text(head)}")
            yield from _verbatim(rest)
        elif part.strip():
            yield ".PP"
            yield _text(part)


def _keys() -> Iterator[str]:
    from eternal_tui.tui.input.actions import EVERY

    for place, title in PLACES.items():
        yield f'.SS "{_text(title)}"'
        for action in EVERY:
            if action.where == place:
                yield ".TP"
                yield rf"\fB{_text(_written(action.keys))}\fR"
                yield _text(f"{action.does} [{action.id}]")


def _written(keys: str) -> str:
    from eternal_tui.tui.input.keymap import key_words

    return "  ".join(
        key_words(key).replace("^", "ctrl+") if key.startswith("ctrl+") else key_words(key) for key in keys.split(",")
    )


def _settings() -> Iterator[str]:
    from eternal_tui.config.render import config_template

    yield _text(
        "Each setting is also a variable, such as ETERNAL_TUI_DAILY_CAP. "
        "Flags win over variables, variables over the file."
    )
    yield from _verbatim(config_template())
