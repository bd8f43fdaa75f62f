"""`config`: the settings in force, each explained; and the file they come from, checked and edited."""

from __future__ import annotations

import argparse
import contextlib
from pathlib import Path

from eternal_tui.cli.context import CommandError, Context
from eternal_tui.cli.exit_codes import ExitCode
from eternal_tui.core.sanitize import format_safe, sanitize

EPILOG = """\
examples:
  eternal-tui config > ~/.config/eternal-tui/config.toml
  eternal-tui config --path
  eternal-tui config --schema
  eternal-tui config --check
  VISUAL=nano eternal-tui config --edit
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `config`."""
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--schema", action="store_true", help="print the JSON schema of the file, for editors")
    what.add_argument("--path", action="store_true", help="print where the file is looked for")

    what.add_argument("--check", action="store_true", help="say what in the file cannot be meant; ends with 2 then")
    what.add_argument("--edit", action="store_true", help="open the file in $VISUAL or $EDITOR, and check it after")


def run(context: Context) -> int:
    """Print, check or edit, as was asked for."""
    if context.arguments.edit:
        return _edit(context)
    if context.arguments.check:
        return _check(context)
    return _print(context)


def _check(context: Context) -> int:
    from eternal_tui.tui.config_watch import preference_errors

    found = preference_errors(context.settings)
    for sentence in found:
        context.output.error(sentence)
    if not found:
        context.output.print_line(format_safe("{path} is fine.", path=context.settings.config_path))
    return ExitCode.USAGE if found else ExitCode.SUCCESS


def _edit(context: Context) -> int:
    import subprocess

    from eternal_tui.config import find_config_path
    from eternal_tui.config.credentials import environ_without_keys
    from eternal_tui.drafts.editor import EditorNotFound, editor_command

    try:
        command = editor_command(context.environ)
    except EditorNotFound as error:
        raise CommandError(ExitCode.USAGE, str(error)) from None
    path = find_config_path(getattr(context.arguments, "config", None), context.environ)
    try:
        _create_if_missing(path)
        status = subprocess.run(  # noqa: S603 - the user's own editor
            [*command, str(path)], env=environ_without_keys(context.environ), check=False
        ).returncode
    except OSError as error:
        raise CommandError(
            ExitCode.USAGE, format_safe("{path} cannot be edited: {why}.", path=path, why=error.strerror)
        ) from None
    if status:
        context.output.info(format_safe("The editor ended with {status}; the file is as it left it.", status=status))
    return _check(context)


def _create_if_missing(path: Path) -> None:
    """Create the file, every setting explained, where there is none."""
    from eternal_tui.config.render import config_template

    path.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileExistsError), path.open("x", encoding="utf-8") as file:
        file.write(config_template())


def _print(context: Context) -> int:
    import json

    from eternal_tui.config.render import config_schema, render_config

    streams = context.output
    if context.arguments.schema:
        text = json.dumps(config_schema(), indent=2)
    elif context.arguments.path:
        text = str(context.settings.config_path)
    else:
        text = render_config(context.settings)
    for line in text.splitlines():
        # Each line passes the gate: a setting may have come from a hostile file or variable.
        streams.print_line(sanitize(line, limit=100_000))
    return ExitCode.SUCCESS
