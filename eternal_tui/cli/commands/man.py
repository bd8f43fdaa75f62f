"""`man`: the manual page, written from the same lists as the command line's help and the app's keys."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator

from eternal_tui import __version__
from eternal_tui.cli.commands.completion import install_file
from eternal_tui.cli.context import Context
from eternal_tui.cli.errors import ExitCode
from eternal_tui.cli.parser import add_flag
from eternal_tui.core.sanitize import sanitize

EPILOG = """\
examples:
  eternal-tui man | man -l -
  eternal-tui man --install                        into ~/.local/share/man; from then on: man eternal-tui
"""

SCOPE_TITLES = {
    "anywhere": "Anywhere",
    "jobs": "Jobs and detail",
    "list": "The list of jobs",
    "matches": "The list, while a search stands",
    "gallery": "The gallery",
    "tiles": "The gallery: culling",
    "filter": "The filter",
    "detail": "The detail",
    "viewer": "The viewer",
    "form": "The request",
    "line": "The character's line",
    "text": "A text",
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
"""The headings of the scopes of keys, in the order of the page."""

_FILES_SECTION = """\
history.json       every job, a plain TinyDB file; in the data folder, ~/.local/share/eternal-tui
history.journal    changes not yet merged into it
results/           images and videos
logs/              log and crash reports
~/.config/eternal-tui/config.toml    configuration"""

_NON_ASCII_PATTERN = re.compile("[^\n -~]")
_ASCII_REPLACEMENTS = str.maketrans({"…": "...", "—": "--"} | dict(zip("“”‘’–·×−", "\"\"''--x-", strict=True)))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `man`."""
    add_flag(parser, "--install", "install the page for your user")


def run(context: Context) -> int:
    """Print or install the page."""
    lines = [sanitize(line) for line in man_page_lines()]
    if context.arguments.install:
        return install_file(context, ".local/share/man/man1/eternal-tui.1", "\n".join(lines) + "\n")
    for line in lines:
        context.output.print_line(line)
    return ExitCode.SUCCESS


def man_page_lines() -> Iterator[str]:
    """Yield the lines of the page in the man macros, in plain ASCII."""
    from eternal_tui.cli.parser import COMMANDS, DESCRIPTION, PROGRAM, build_parser
    from eternal_tui.cli.parser import EPILOG as GENERAL

    parser, commands = build_parser()
    yield f'.TH {PROGRAM.upper()} 1 "" "{PROGRAM} {__version__}" "User Commands"'
    yield ".SH NAME"
    yield rf"{_escape_text(PROGRAM)} \- {_escape_text(DESCRIPTION.partition('.')[0])}"
    yield ".SH SYNOPSIS"
    for words in ("[options]", "[options] COMMAND [arguments]"):
        yield from (f".B {_escape_text(PROGRAM)}", _escape_text(words), ".br")
    yield ".SH DESCRIPTION"
    yield _escape_text(DESCRIPTION)
    yield ".SH OPTIONS"
    yield from _option_lines(parser)
    yield ".SH COMMANDS"
    for name, command in commands.items():
        command.add_arguments()
        yield f'.SS "{_escape_text(name)}"'
        yield _escape_text(COMMANDS[name])
        yield from _option_lines(command, without_globals=True)
        yield from _epilog_lines(command.epilog or "", heading=".PP")
    yield ".SH KEYS"
    yield _escape_text("Every key can be changed by the name in brackets, in the [keys] section of the configuration.")
    yield from _key_lines()
    yield from _epilog_lines(GENERAL, heading=".SH")
    yield ".SH FILES"
    yield from _verbatim(_FILES_SECTION)
    yield ".SH CONFIGURATION"
    yield from _configuration_lines()


def _escape_text(text: str) -> str:
    """Return running text that no macro and no escape is read from."""
    plain = " ".join(text.split()).translate(_ASCII_REPLACEMENTS)
    plain = _NON_ASCII_PATTERN.sub("?", plain).replace("\\", r"\e").replace("-", r"\-").replace('"', r"\(dq")
    return rf"\&{plain}" if plain.startswith((".", "'")) else plain


def _verbatim(block: str) -> Iterator[str]:
    yield ".nf"
    for line in block.strip("\n").splitlines():
        escaped = line.replace("\\", r"\e").replace("-", r"\-")
        yield rf"\&{_NON_ASCII_PATTERN.sub('?', escaped)}"
    yield ".fi"


def _option_lines(parser: argparse.ArgumentParser, *, without_globals: bool = False) -> Iterator[str]:
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
            yield rf"\fB{_escape_text(formatter._format_action_invocation(action))}\fR"
            yield _escape_text(formatter._expand_help(action) if action.help else "")


def _epilog_lines(epilog: str, *, heading: str) -> Iterator[str]:
    """Yield each part of an epilogue: a word with a colon over indented lines, or a paragraph."""
    for part in re.split(r"\n\s*\n", epilog.strip("\n")):
        head, _, rest = part.partition(":\n")
        if (rest and " " not in head.strip()) or head == "exit codes":
            yield from (
                (f".SH {_escape_text(head.upper())}",) if heading == ".SH" else (".PP", f".B {_escape_text(head)}")
            )
            yield from _verbatim(rest)
        elif part.strip():
            yield ".PP"
            yield _escape_text(part)


def _key_lines() -> Iterator[str]:
    from eternal_tui.tui.input.actions import ALL_ACTIONS

    for place, title in SCOPE_TITLES.items():
        yield f'.SS "{_escape_text(title)}"'
        for action in ALL_ACTIONS:
            if action.scope == place:
                yield ".TP"
                yield rf"\fB{_escape_text(_format_keys(action.keys))}\fR"
                yield _escape_text(f"{action.description} [{action.id}]")


def _format_keys(keys: str) -> str:
    from eternal_tui.tui.input.keymap import key_label

    return "  ".join(
        key_label(key).replace("^", "ctrl+") if key.startswith("ctrl+") else key_label(key) for key in keys.split(",")
    )


def _configuration_lines() -> Iterator[str]:
    from eternal_tui.config.render import config_template

    yield _escape_text(
        "Each setting is also a variable, such as ETERNAL_TUI_DAILY_CAP. "
        "Flags win over variables, variables over the file."
    )
    yield from _verbatim(config_template())
