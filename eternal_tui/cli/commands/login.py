"""`login`: take the key without showing it, and keep it where the person says."""

from __future__ import annotations

import argparse
import getpass
import warnings
from typing import TYPE_CHECKING

from eternal_tui.cli.context import CommandError, Context
from eternal_tui.cli.exit_codes import ExitCode
from eternal_tui.cli.output import is_terminal
from eternal_tui.core.sanitize import format_safe

if TYPE_CHECKING:
    from eternal_tui.core.secret import Secret

EPILOG = """\
examples:
  eternal-tui login                                asks for the key; nothing is shown while you type or paste
  pass show eternalai | eternal-tui login          one line from a pipe
  eternal-tui login --file                         where there is no system keyring, as over SSH

The key is never taken from the command line: other users of the machine could read it there.
"""

MAX_KEY_LINE_CHARS = 4_096


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `login`."""
    parser.add_argument("--file", action="store_true", help="keep the key in a file that only you can read")


def run(context: Context) -> int:
    """Keep the key and say where."""
    from eternal_tui.config.credentials import (
        KEY_ENV_VARS,
        ApiKeyError,
        KeyStore,
        available_stores,
        key_file,
        store_key,
    )

    settings = context.settings
    context.warn_custom_host()
    store = KeyStore.FILE if context.arguments.file else KeyStore.KEYRING
    if store not in available_stores():
        raise CommandError(
            ExitCode.USAGE,
            f"This machine has no system keyring that keeps anything, as is usual over SSH. Run `eternal-tui login "
            f"--file` to keep the key in {key_file(settings)}, unencrypted, readable by you alone; or set "
            "api_key_command in the configuration.",
        )
    try:
        where = store_key(_read_key(context), store, settings)
    except ApiKeyError as problem:
        raise CommandError(ExitCode.USAGE, f"{problem} Nothing was kept.") from None
    plainly = " It is not encrypted; only you can read it." if store is KeyStore.FILE else ""
    context.output.print_line(
        format_safe("The key for {host} is kept in {where}.{plainly}", host=settings.host, where=where, plainly=plainly)
    )
    if shadowing := [name for name in KEY_ENV_VARS if context.environ.get(name, "").strip()]:
        context.output.info(format_safe("{name} is set and comes first as long as it is.", name=shadowing[0]))
    return ExitCode.SUCCESS


def _read_key(context: Context) -> Secret:
    from eternal_tui.config.credentials import parse_key

    stdin = context.output.stdin
    if not is_terminal(stdin):
        return parse_key(stdin.readline(MAX_KEY_LINE_CHARS), "standard input")
    with warnings.catch_warnings():
        # It warns where it cannot hide what is typed, and goes on; a key on the screen is no way to go on.
        warnings.simplefilter("error", getpass.GetPassWarning)
        try:
            return parse_key(getpass.getpass("API key (nothing is shown): "), "your input")
        except (getpass.GetPassWarning, EOFError):
            raise CommandError(ExitCode.USAGE, "No key was given. Nothing was kept.") from None
