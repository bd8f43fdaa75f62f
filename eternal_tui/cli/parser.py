"""The arguments: global options before or after the verb, and help that needs no other page."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import NoReturn, Protocol

from eternal_tui import __version__
from eternal_tui.cli import generate, jobs, show, watch
from eternal_tui.cli.invocation import Invocation
from eternal_tui.untrusted import shown

Verb = Callable[[Invocation], int]

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


class UsageError(Exception):
    """Arguments that mean nothing; the text is a sentence."""


class Parser(argparse.ArgumentParser):
    """An argument parser that raises UsageError and knows no abbreviations: scripts must not depend on them."""

    def __init__(self, **settings: object) -> None:
        super().__init__(
            allow_abbrev=False,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            **settings,  # type: ignore[arg-type]
        )

    def error(self, message: str) -> NoReturn:
        """Raise UsageError instead of ending the process."""
        raise UsageError(f"{message}. Try: {self.prog} --help")


class _Module(Protocol):
    HELP: str
    EPILOG: str

    def add_arguments(self, parser: argparse.ArgumentParser) -> None: ...
    def run(self, invocation: Invocation) -> int: ...


VERBS: dict[str, _Module] = {
    "generate": generate,
    "jobs": jobs,
    "show": show,
    "watch": watch,
}


def build_parser() -> Parser:
    """Return the parser of the whole command line; the namespace holds `verb`, None for the app."""
    parser = Parser(
        prog="eternal-tui",
        description=DESCRIPTION,
        epilog=EPILOG,
    )
    _add_global_options(parser)
    parser.add_argument("--version", action="version", version=f"eternal-tui {__version__}")
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", title="verbs", parser_class=Parser)
    for name, module in VERBS.items():
        verb = verbs.add_parser(name, help=module.HELP, description=module.HELP, epilog=module.EPILOG or None)
        module.add_arguments(verb)
        _add_global_options(verb)
    return parser


def _add_global_options(parser: argparse.ArgumentParser) -> None:
    # Suppressed defaults, so that a verb's parser does not undo what stood before the verb.
    options = parser.add_argument_group("global options")
    absent = argparse.SUPPRESS
    options.add_argument("--demo", action="store_true", default=absent, help="use a local stand-in for the service")
    options.add_argument("--data-dir", metavar="DIR", default=absent, help="folder of history, results and logs")
    options.add_argument("--base-url", metavar="URL", default=absent, help="address of the service")
    options.add_argument("--config", metavar="FILE", default=absent, help="configuration file")
    options.add_argument("--images", metavar="auto|kitty|blocks|off", default=absent, help="how pictures are drawn")


def parse(arguments: list[str]) -> argparse.Namespace:
    """Return the parsed arguments; raise UsageError, or SystemExit after help and version."""
    for argument in arguments:
        if "\x00" in argument:
            raise UsageError("An argument holds a NUL character.")
    try:
        return build_parser().parse_args(arguments)
    except UsageError as error:
        raise UsageError(shown(str(error))) from None
