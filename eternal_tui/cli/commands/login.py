"""`login`: take the key without showing it, and keep it where the person says."""

from __future__ import annotations

import argparse
import getpass
import warnings
from typing import TYPE_CHECKING

from eternal_tui.cli.context import Invocation, Refused
from eternal_tui.cli.exit_codes import Exit
from eternal_tui.cli.output import is_terminal
from eternal_tui.core.sanitize import say

if TYPE_CHECKING:
    from eternal_tui.core.secret import Secret

EPILOG = """\
examples:
  eternal-tui login                                asks for the key; nothing is shown while you type or paste
  pass show eternalai | eternal-tui login          one line from a pipe
  eternal-tui login --file                         where there is no system keyring, as over SSH

The key is never taken from the command line: other users of the machine could read it there.
"""

LONGEST = 4_096


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `login`."""
    parser.add_argument("--file", action="store_true", help="keep the key in a file that only you can read")


def run(invocation: Invocation) -> int:
    """Keep the key and say where."""
    from eternal_tui.config.credentials import (
        KEY_VARIABLES,
        KeyProblem,
        KeyStore,
        available_stores,
        key_file,
        store_key,
    )

    settings = invocation.settings
    invocation.tell_another_host()
    store = KeyStore.FILE if invocation.arguments.file else KeyStore.KEYRING
    if store not in available_stores():
        raise Refused(
            Exit.USAGE,
            f"This machine has no system keyring that keeps anything, as is usual over SSH. Run `eternal-tui login "
            f"--file` to keep the key in {key_file(settings)}, unencrypted, readable by you alone; or set "
            "api_key_command in the configuration.",
        )
    try:
        where = store_key(_ask(invocation), store, settings)
    except KeyProblem as problem:
        raise Refused(Exit.USAGE, f"{problem} Nothing was kept.") from None
    plainly = " It is not encrypted; only you can read it." if store is KeyStore.FILE else ""
    invocation.streams.line(
        say("The key for {host} is kept in {where}.{plainly}", host=settings.host, where=where, plainly=plainly)
    )
    if shadowing := [name for name in KEY_VARIABLES if invocation.environ.get(name, "").strip()]:
        invocation.streams.note(say("{name} is set and comes first as long as it is.", name=shadowing[0]))
    return Exit.DONE


def _ask(invocation: Invocation) -> Secret:
    from eternal_tui.config.credentials import as_key

    stdin = invocation.streams.stdin
    if not is_terminal(stdin):
        return as_key(stdin.readline(LONGEST), "standard input")
    with warnings.catch_warnings():
        # It warns where it cannot hide what is typed, and goes on; a key on the screen is no way to go on.
        warnings.simplefilter("error", getpass.GetPassWarning)
        try:
            return as_key(getpass.getpass("API key (nothing is shown): "), "your input")
        except (getpass.GetPassWarning, EOFError):
            raise Refused(Exit.USAGE, "No key was given. Nothing was kept.") from None
