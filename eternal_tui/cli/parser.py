"""The arguments: global options before or after the verb, and help that needs no other page."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from importlib import import_module
from typing import Any, NoReturn, Protocol, cast

from eternal_tui import __version__
from eternal_tui.cli.context import Context, UsageError
from eternal_tui.core.sanitize import sanitize

PROGRAM = "eternal-tui"

DESCRIPTION = "A terminal workbench for EternalAI's character generation. Without a verb, the app opens."

EPILOG = """\
examples:
  eternal-tui                                       the app
  eternal-tui --demo                                the app, on a local stand-in for the service; costs nothing
  eternal-tui generate --character 6870 --prompt "In a rain coat" --wait
  printf '%s\\n' "At sea" "In snow" | eternal-tui generate --character 6870 --type video --duration 2 --json
  eternal-tui watch                                 follow everything unfinished
  eternal-tui jobs --state failed --json            one JSON object a line

exit codes:
  0  done                                  3  no key, or the service refused it
  1  a job failed or was rejected          4  the service could not be reached; nothing was sent
  2  wrong usage or input; nothing sent    5  unconfirmed: the answer was lost, it may have been charged
  For several jobs the gravest counts: 5, then 3, 4, 1. A signal ends with 128 and its number.

environment:
  ETERNALAI_API_KEY, ETERNAL_AI_API_KEY    the key; else api_key_command, the system keyring, a key file
  ETERNAL_TUI_<SETTING>                    any setting, such as ETERNAL_TUI_DATA_DIR; see `eternal-tui config`
  NO_COLOR                                 no colours
"""

COMMANDS = {
    "generate": "Send one or more requests to the service. This spends credits.",
    "jobs": "List the jobs of the history, newest first.",
    "show": "Show one job: its request, where it stands, and what happened when.",
    "watch": "Follow jobs until each has ended and its file is saved. Costs nothing.",
    "stats": "Add up spending, durations and success from the history.",
    "characters": "List the service's public characters. Needs no key.",
    "login": "Keep the API key on this machine.",
    "logout": "Forget the API key that login kept.",
    "doctor": "Look at terminal, key, folders and service, and say what to do.",
    "export": "Write the history to a file: JSON, CSV, a web page or a contact sheet.",
    "config": "Print the settings in force as a configuration file; check it, or edit it.",
    "sandbox": "Serve a local stand-in for the service, for demos and tests.",
    "completion": "Print a completion script for a shell.",
    "man": "Print the manual page, for man -l.",
}
"""Every verb and what it does; each is a module of this package, imported only when it is asked for."""


class Parser(argparse.ArgumentParser):
    """An argument parser that raises UsageError and knows no abbreviations: scripts must not depend on them."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter, **settings)

    def error(self, message: str) -> NoReturn:
        """Raise UsageError instead of ending the process."""
        raise UsageError(f"{message}. Try: {self.prog} --help")


class CommandModule(Protocol):
    """What the module of a verb offers."""

    EPILOG: str

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Add the verb's own options."""

    def run(self, context: Context) -> int:
        """Do it and return the exit code."""


class CommandParser(Parser):
    """The parser of one verb, which learns its options when it is first asked: most runs need one verb's only."""

    command = ""
    _arguments_added = False

    def add_arguments(self) -> None:
        """Add the verb's options."""
        if self._arguments_added:
            return
        self._arguments_added = True
        module = load_command(self.command)
        self.epilog = module.EPILOG or None
        module.add_arguments(self)
        add_global_options(self)

    # The base class speaks of Any here too.
    def parse_known_args(self, args: Sequence[str] | None = None, namespace: Any = None) -> tuple[Any, list[str]]:  # type: ignore[override]
        """Parse, with the verb's options."""
        self.add_arguments()
        return super().parse_known_args(args, namespace)


def load_command(name: str) -> CommandModule:
    """Return the module of a verb."""
    return cast("CommandModule", import_module(f"eternal_tui.cli.commands.{name}"))


def build_parser() -> tuple[Parser, dict[str, CommandParser]]:
    """Return the parser of the whole command line, and those of the verbs; the namespace holds `verb` or None."""
    parser = Parser(prog=PROGRAM, description=DESCRIPTION, epilog=EPILOG)
    add_global_options(parser)
    parser.add_argument("--version", action="version", version=f"{PROGRAM} {__version__}")
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", title="verbs", parser_class=CommandParser)
    found = {}
    for name, described in COMMANDS.items():
        found[name] = verbs.add_parser(name, help=described, description=described)
        found[name].command = name
    return parser, found


def add_global_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that stand before the verb, and are understood after it too."""
    # Suppressed defaults, so that a verb's parser does not undo what stood before the verb.
    options = parser.add_argument_group("global options")
    absent = argparse.SUPPRESS
    options.add_argument("--demo", action="store_true", default=absent, help="use a local stand-in for the service")
    options.add_argument("--data-dir", metavar="DIR", default=absent, help="folder of history, results and logs")
    options.add_argument("--base-url", metavar="URL", default=absent, help="address of the service")
    options.add_argument("--config", metavar="FILE", default=absent, help="configuration file")
    options.add_argument(
        "--images", metavar="auto|kitty|sixel|blocks|off", default=absent, help="how pictures are drawn"
    )
    options.add_argument(
        "--media-bytes-per-second", metavar="N", default=absent, help="most bytes a second a clip may write"
    )


def parse(arguments: list[str]) -> argparse.Namespace:
    """Return the parsed arguments; raise UsageError, or SystemExit after help and version."""
    if any("\x00" in argument for argument in arguments):
        raise UsageError("An argument holds a NUL character.")
    try:
        return build_parser()[0].parse_args(arguments)
    except UsageError as error:
        raise UsageError(sanitize(str(error))) from None
