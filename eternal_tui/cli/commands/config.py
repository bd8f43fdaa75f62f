"""`config`, `login` and `logout`: the settings in force, the file they come from, and the API key."""

from __future__ import annotations

import argparse
import getpass
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from eternal_tui.cli.context import Command, Context, new_file
from eternal_tui.cli.errors import CommandError, ExitCode, UsageError
from eternal_tui.cli.output import is_terminal
from eternal_tui.cli.parser import add_flag
from eternal_tui.core.sanitize import format_safe, sanitize

if TYPE_CHECKING:
    from eternal_tui.core.secret import Secret


CONFIG_EPILOG = """\
examples:
  eternal-tui config --init                        write a file with every setting explained
  eternal-tui config --check
  eternal-tui config --path
  eternal-tui config --schema
  VISUAL=nano eternal-tui config --edit
"""


def _add_config_arguments(parser: argparse.ArgumentParser) -> None:
    what = parser.add_mutually_exclusive_group()
    add_flag(what, "--init", "create the file with every setting explained")
    add_flag(what, "--edit", "open the file in $VISUAL or $EDITOR, then check it")
    add_flag(what, "--check", "validate the file; exit 2 if invalid")
    add_flag(what, "--schema", "print the JSON schema of the file, for editors")
    add_flag(what, "--path", "print the config file path")


def _config(context: Context) -> int:
    given = context.arguments
    if given.init or given.edit:
        return _init(context) if given.init else _edit(context)
    return _check(context) if given.check else _print(context)


def _check(context: Context) -> int:
    from eternal_tui.config.settings import SettingsError
    from eternal_tui.tui.config_watch import preference_errors

    try:
        errors = [sanitize(error, limit=10_000) for error in preference_errors(context.settings)]
    except SettingsError as found:
        errors = [sanitize(error, limit=10_000) for error in found.errors]
    for error in errors:
        context.output.error(error)
    if not errors:
        context.output.print_line(format_safe("{path}: no errors.", path=context.settings.config_path))
    return ExitCode.USAGE if errors else ExitCode.SUCCESS


def _init(context: Context) -> int:
    path = _path(context)
    if not _create_if_missing(path):
        raise UsageError(f"{path} exists; `config --edit` opens it.")
    context.output.print_line(format_safe("{path} written.", path=path))
    return ExitCode.SUCCESS


def _path(context: Context) -> Path:
    from eternal_tui.config.loader import find_config_path

    return find_config_path(context.arguments.config, context.environ)


def _edit(context: Context) -> int:
    import subprocess

    from eternal_tui.config.credentials import environ_without_keys
    from eternal_tui.drafts.editor import editor_command

    command = editor_command(context.environ)
    path = _path(context)
    _create_if_missing(path)
    try:
        status = subprocess.run(  # noqa: S603 - the user's own editor
            [*command, str(path)], env=environ_without_keys(context.environ), check=False
        ).returncode
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}.") from None
    if status:
        raise CommandError(
            ExitCode.FAILED, f"The editor exited with {status}. `eternal-tui config --check` checks the file."
        )
    return _check(context)


def _create_if_missing(path: Path) -> bool:
    """Create the file, every setting explained and commented out; False where it exists."""
    from eternal_tui.config.loader import config_template

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists():
            return False
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}.") from None
    with new_file(path) as file:
        file.write(config_template())
    return True


def _print(context: Context) -> int:
    import json

    from eternal_tui.config.loader import config_schema, render_config

    if context.arguments.schema:
        text = json.dumps(config_schema(), indent=2)
    elif context.arguments.path:
        text = str(context.settings.config_path)
    else:
        text = render_config(context.settings)
    context.output.print_text(text)
    return ExitCode.SUCCESS


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
        has_keyring,
        key_file,
        key_header_advice,
        overriding_key_source,
        store_key,
    )

    settings = context.settings
    context.warn_custom_host()
    in_file = context.arguments.file
    if not in_file and not has_keyring():
        raise UsageError(
            "No system keyring available (common over SSH). Run `eternal-tui login --file` to store the key in "
            f"{key_file(settings)}, unencrypted, readable only by you; or set api_key_command in the configuration."
        )
    try:
        key = _read_key(context)
        where = store_key(key, settings, in_file=in_file)
    except ApiKeyError as problem:
        raise UsageError(f"{problem} Nothing was stored.") from None
    plainly = " Not encrypted; readable only by you." if in_file else ""
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
        # Warns and reads on where the input cannot be hidden.
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
    "config": Command(CONFIG_EPILOG, _add_config_arguments, _config),
    "login": Command(LOGIN_EPILOG, _add_login_arguments, _login),
    "logout": Command(LOGOUT_EPILOG, lambda _parser: None, _logout),
}
