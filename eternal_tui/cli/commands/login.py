"""`login` and `logout`: store the API key without showing it, and remove it."""

from __future__ import annotations

import argparse
import getpass
import warnings
from typing import TYPE_CHECKING

from eternal_tui.cli.context import Context
from eternal_tui.cli.errors import ExitCode, UsageError
from eternal_tui.cli.output import is_terminal
from eternal_tui.cli.parser import Command, add_flag
from eternal_tui.core.sanitize import format_safe, sanitize

if TYPE_CHECKING:
    from eternal_tui.core.secret import Secret

LOGIN_EPILOG = """\
examples:
  eternal-tui login                                asks for the key, hidden
  pass show eternalai | eternal-tui login          one line from a pipe
  eternal-tui login --file                         where there is no system keyring, as over SSH

There is no option for the key: other users of the machine could read the command line.
"""

LOGOUT_EPILOG = """\
Keys from the environment or api_key_command are not removed. History is kept.
"""

MAX_KEY_LINE_CHARS = 4_096


def _add_login_arguments(parser: argparse.ArgumentParser) -> None:
    add_flag(parser, "--file", "store the key in a file that only you can read")


def _login(context: Context) -> int:
    from eternal_tui.config.credentials import (
        ApiKeyError,
        KeyStore,
        available_stores,
        key_file,
        key_header_advice,
        overriding_key_source,
        store_key,
    )

    settings = context.settings
    context.warn_custom_host()
    store = KeyStore.FILE if context.arguments.file else KeyStore.KEYRING
    if store not in available_stores():
        raise UsageError(
            "No system keyring available (common over SSH). Run `eternal-tui login --file` to store the key in "
            f"{key_file(settings)}, unencrypted, readable only by you; or set api_key_command in the configuration."
        )
    try:
        key = _read_key(context)
        where = store_key(key, store, settings)
    except ApiKeyError as problem:
        raise UsageError(f"{problem} Nothing was stored.") from None
    plainly = " Not encrypted; readable only by you." if store is KeyStore.FILE else ""
    context.output.print_line(
        format_safe("API key for {host} stored in {where}.{plainly}", host=settings.host, where=where, plainly=plainly)
    )
    if advice := key_header_advice(key, settings.key_header):
        context.output.info(sanitize(advice))
    if source := overriding_key_source(settings, context.environ):
        context.output.info(format_safe("{name} is set and takes precedence.", name=source))
    return ExitCode.SUCCESS


def _read_key(context: Context) -> Secret:
    from eternal_tui.config.credentials import parse_key

    stdin = context.output.stdin
    if not is_terminal(stdin):
        if not (line := stdin.readline(MAX_KEY_LINE_CHARS).strip()):
            raise UsageError("Standard input contains no API key. Nothing was stored.")
        return parse_key(line, "standard input")
    with warnings.catch_warnings():
        # It warns where it cannot hide the input, and goes on.
        warnings.simplefilter("error", getpass.GetPassWarning)
        try:
            return parse_key(getpass.getpass("API key (hidden): "), "your input")
        except (getpass.GetPassWarning, EOFError):
            raise UsageError("No API key entered. Nothing was stored.") from None


def _logout(context: Context) -> int:
    from eternal_tui.config.credentials import delete_key, overriding_key_source

    removed = delete_key(context.settings)
    if removed:
        context.output.print_line(format_safe("API key removed from {places}.", places=" and ".join(removed)))
    else:
        context.output.print_line(sanitize("No API key is stored."))
    if source := overriding_key_source(context.settings, context.environ):
        context.output.info(format_safe("{name} still provides a key.", name=source))
    return ExitCode.SUCCESS


COMMANDS = {
    "login": Command(LOGIN_EPILOG, _add_login_arguments, _login),
    "logout": Command(LOGOUT_EPILOG, lambda _parser: None, _logout),
}
