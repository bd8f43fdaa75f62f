"""The argument parser: global options before or after the command, commands imported when they are used."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from importlib import import_module
from itertools import takewhile
from typing import Any, NoReturn

from eternal_tui import __version__
from eternal_tui.cli.context import GLOBAL_OPTIONS, Command
from eternal_tui.cli.errors import UsageError
from eternal_tui.cli.output import PROGRAM, SURROGATE_PATTERN, translate_write_errors

DESCRIPTION = "Generate EternalAI character images and videos. Without a command, the app opens."

EPILOG = """\
examples:
  eternal-tui                                       the app
  eternal-tui --demo                                the app, on a local sandbox; costs nothing
  eternal-tui generate --character 6870 --prompt "In a raincoat" --wait -o raincoat.jpg
  printf '%s\\n' "At sea" "In snow" | eternal-tui generate --character 6870 --type video --duration 2 --json
  eternal-tui watch                                 wait for all unfinished jobs
  eternal-tui jobs --state failed --json            one JSON object per line

exit codes:
  0  success                               4  service unreachable; nothing was sent
  1  a job failed or was rejected          5  unconfirmed: the response was lost, it may have been charged
  2  invalid usage or input; nothing sent  6  --timeout passed; the jobs keep running
  3  no API key, or it was rejected        70 internal error
  With several jobs the most severe code wins (5, 3, 4, 6, 1). Signals: 128+N.

environment:
  ETERNALAI_API_KEY, ETERNAL_AI_API_KEY    API key; else api_key_command, the system keyring, a key file
  ETERNAL_TUI_<SETTING>                    any setting, such as ETERNAL_TUI_DATA_DIR; see `eternal-tui config`
  NO_COLOR                                 no colours, unless --color always
"""

COMMANDS = {
    "generate": "Submit one or more requests. This spends credits.",
    "retry": "Submit failed, rejected or unconfirmed jobs again. This spends credits.",
    "again": "Submit the requests of jobs once more, whatever their state. This spends credits.",
    "create-character": "Create a character from a prompt (experimental). This spends credits.",
    "watch": "Wait for jobs to finish and download their results. Free.",
    "queue": "List, hold, send or cancel queued requests. `run` spends credits.",
    "fetch": "Download the results of finished jobs again. Free.",
    "adopt": "Add requests made elsewhere to the history by their request ids. Free.",
    "jobs": "List jobs, newest first.",
    "show": "Show a job's request, status and event log.",
    "save": "Copy result files to a path or by a template.",
    "open": "Open result files in the system's viewer.",
    "star": "Star jobs, or remove the star.",
    "tag": "Add tags to jobs, or remove them.",
    "note": "Set, print or remove the note of jobs.",
    "delete": "Delete jobs from the history. Files are kept.",
    "undo": "Restore the last deletion.",
    "stats": "Show spending, durations and success rates.",
    "characters": "List EternalAI's public characters. Needs no key.",
    "export": "Write jobs to a file (JSON, CSV, a web page, a contact sheet), or copy results to a folder.",
    "login": "Store the API key.",
    "logout": "Remove the stored API key.",
    "doctor": "Check terminal, API key, folders and connectivity.",
    "config": "Print, check or edit the effective configuration.",
    "sandbox": "Serve a local sandbox of the API, for demos and tests.",
    "schema": "Print the JSON schema of what a command prints with --json.",
    "completion": "Print or install a completion script for a shell.",
    "man": "Print or install the manual page.",
}
"""Every command and what it does; their modules are imported only when needed."""

_MODULES = {
    **dict.fromkeys(("star", "tag", "note", "delete", "undo", "adopt"), "edit"),
    **dict.fromkeys(("create-character", "retry", "again"), "generate"),
    **dict.fromkeys(("save", "open"), "show"),
    **dict.fromkeys(("login", "logout"), "config"),
    **dict.fromkeys(("completion", "man"), "shell"),
    "fetch": "watch",
    "sandbox": "app",
    "stats": "jobs",
}
"""The module of a command, where it has not the command's own name."""


class HelpFormatter(argparse.RawDescriptionHelpFormatter):
    """Options as `-o, --output PATH`, as Python 3.13 prints them."""

    def _format_action_invocation(self, action: argparse.Action) -> str:
        if not action.option_strings or action.nargs == 0:
            return super()._format_action_invocation(action)
        value = self._format_args(action, self._get_default_metavar_for_optional(action))
        return f"{', '.join(action.option_strings)} {value}"


class Parser(argparse.ArgumentParser):
    """An argument parser that raises UsageError and knows no abbreviations: scripts must not depend on them."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(allow_abbrev=False, formatter_class=HelpFormatter, **settings)

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        """Name close matches of a command, and all values of an option, the same way in every Python."""
        if action.choices is None or value in action.choices:
            return
        names = [str(choice) for choice in action.choices]
        if action.dest != "command":
            raise argparse.ArgumentError(action, f"{value} is not one of {', '.join(names)}")
        close = get_close_matches(value, names, n=1)
        hint = f"Did you mean {close[0]}?" if close else f"See {PROGRAM} --help."
        raise UsageError(f'Unknown command "{value}". {hint}')

    def error(self, message: str) -> NoReturn:
        """Raise UsageError instead of ending the process."""
        if message.startswith("unrecognized arguments: "):
            self.reject_option(message.split()[2])
        raise UsageError(f"{message.removeprefix('argument ')}. Try: {self.prog} --help")

    def reject_option(self, option: str) -> NoReturn:
        """Raise UsageError with the closest option."""
        close = get_close_matches(option.partition("=")[0], self._option_string_actions, n=1)
        hint = f"Did you mean {close[0]}?" if close else f"See {self.prog} --help."
        raise UsageError(f"Unknown option {option}. {hint}")

    def _print_message(self, message: str, file: Any = None) -> None:
        """Print help; the base class ignores a full disk."""
        with translate_write_errors():
            file.write(message)
            file.flush()


def whole_number(low: int, high: int = 10**18) -> Callable[[str], int]:
    """Return a parser of whole numbers in that range, for the `type` of an option."""

    def parse_number(text: str) -> int:
        value = int(text) if text.isascii() and text.isdigit() and len(text) <= 20 else -1
        if not low <= value <= high:
            most = f" to {high}" if high < 10**18 else ""
            raise argparse.ArgumentTypeError(f"{text} is not a whole number from {low}{most}")
        return value

    return parse_number


def add_flag(parser: argparse._ActionsContainer, name: str, help_text: str, **settings: Any) -> None:
    """Add an option without a value."""
    parser.add_argument(name, action="store_true", help=help_text, **settings)


def add_option(parser: argparse._ActionsContainer, names: str, help_text: str, **settings: Any) -> None:
    """Add an option with a value: `names` is its spellings and what the value is, as in "-o, --output PATH"."""
    *spellings, metavar = names.replace(",", " ").split()
    parser.add_argument(*spellings, metavar=metavar, help=help_text, **settings)


class CommandParser(Parser):
    """The parser of one command, which adds its options when it is first used."""

    command = ""
    _arguments_added = False

    def add_arguments(self) -> None:
        """Add the command's options."""
        if self._arguments_added:
            return
        self._arguments_added = True
        command = load_command(self.command)
        self.epilog = command.epilog or None
        command.add_arguments(self)
        add_global_options(self)

    # The base class speaks of Any here too.
    def parse_known_args(self, args: Sequence[str] | None = None, namespace: Any = None) -> tuple[Any, list[str]]:  # type: ignore[override]
        """Parse with the command's options; the last argument's values may also follow options."""
        self.add_arguments()
        parsed, rest = super().parse_known_args(args, namespace)
        if (unknown := next((each for each in rest if each.startswith("-")), None)) is not None:
            self.reject_option(unknown)
        last = next((action for action in reversed(self._actions) if not action.option_strings), None)
        if rest and (last is None or last.nargs not in ("*", "+")):
            self.error(f"unexpected argument {rest[0]}")
        if rest and last is not None:
            setattr(parsed, last.dest, [*getattr(parsed, last.dest), *rest])
        return parsed, []


def load_command(name: str) -> Command:
    """Return a command, importing its module."""
    commands: dict[str, Command] = import_module(f"eternal_tui.cli.commands.{_MODULES.get(name, name)}").COMMANDS
    return commands[name]


def build_parser() -> tuple[Parser, dict[str, CommandParser]]:
    """Return the parser of the command line and those of the commands; without a command `command` is None."""
    parser = Parser(prog=PROGRAM, description=DESCRIPTION, epilog=EPILOG)
    add_global_options(parser)
    parser.add_argument("--version", action="version", version=f"{PROGRAM} {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands", parser_class=CommandParser)
    found = {}
    for name, described in COMMANDS.items():
        found[name] = commands.add_parser(name, help=described, description=described)
        found[name].command = name
    return parser, found


def add_global_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that may come before or after the command."""
    # Suppressed defaults, so that a command's parser does not reset options given before it.
    options, absent = parser.add_argument_group("global options"), argparse.SUPPRESS
    add_flag(options, "--demo", "run against a local sandbox (no key, no cost)", default=absent)
    add_flag(options, "--empty", "with --demo: start without sample jobs", default=absent)
    add_option(options, "--data-dir DIR", "folder of history, results and logs", default=absent)
    add_option(options, "--base-url URL", "base URL of the API", default=absent)
    add_option(options, "--config FILE", "configuration file", default=absent)
    kinds = "how images are drawn; symbols:quadrants, :sextants, :octants say which"
    add_option(options, "--images auto|kitty|sixel|iterm2|symbols|blocks|off", kinds, default=absent)
    speed = "max bytes/s written to the terminal for video playback"
    add_option(options, "--media-bytes-per-second N", speed, default=absent)
    colors = "colour states and errors (default: auto, which is on a terminal)"
    options.add_argument("--color", choices=("auto", "always", "never"), default=absent, help=colors)
    add_flag(options, "--quiet", "print results and errors only: no remarks, no progress", default=absent)


def parse(arguments: list[str]) -> argparse.Namespace:
    """Return the parsed arguments; raise UsageError, or SystemExit after help and version."""
    if any("\x00" in argument for argument in arguments):
        raise UsageError("An argument contains a NUL character.")
    parser, _ = build_parser()
    # argparse would read the value of an unknown option as the command.
    for argument in takewhile(lambda each: each.startswith("--") and each != "--", arguments):
        if argument.partition("=")[0] not in parser._option_string_actions:
            parser.reject_option(argument)
    parsed = parser.parse_args(arguments, argparse.Namespace(**GLOBAL_OPTIONS))
    for name, value in vars(parsed).items():
        if name not in _PATH_DESTS and isinstance(value, str | list):
            setattr(parsed, name, _decode(value) if isinstance(value, str) else [_decode(each) for each in value])
    return parsed


_PATH_DESTS = frozenset({"config", "data_dir", "input", "path", "report", "state"})
"""Arguments that may be any bytes; all others are UTF-8 text."""


def _decode(argument: str) -> str:
    """Return a text argument in which bytes that are not of the locale's encoding are read as UTF-8."""
    try:
        return os.fsencode(argument).decode() if SURROGATE_PATTERN.search(argument) else argument
    except UnicodeError:
        raise UsageError(f"{argument} is not UTF-8 text.") from None
