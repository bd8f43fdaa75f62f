"""`config`: the settings in force, each explained; and the file they come from, checked and edited."""

from __future__ import annotations

import argparse
from pathlib import Path

from eternal_tui.cli.context import Context, new_file
from eternal_tui.cli.errors import CommandError, ExitCode, UsageError
from eternal_tui.cli.parser import add_flag
from eternal_tui.core.sanitize import format_safe, sanitize

EPILOG = """\
examples:
  eternal-tui config --init                        write a file with every setting explained
  eternal-tui config --check
  eternal-tui config --path
  eternal-tui config --schema
  VISUAL=nano eternal-tui config --edit
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `config`."""
    what = parser.add_mutually_exclusive_group()
    add_flag(what, "--init", "create the file with every setting explained")
    add_flag(what, "--edit", "open the file in $VISUAL or $EDITOR, then check it")
    add_flag(what, "--check", "validate the file; exit 2 if invalid")
    add_flag(what, "--schema", "print the JSON schema of the file, for editors")
    add_flag(what, "--path", "print the config file path")


def run(context: Context) -> int:
    """Print, create, check or edit the file."""
    given = context.arguments
    if given.init or given.edit:
        return _init(context) if given.init else _edit(context)
    return _check(context) if given.check else _print(context)


def _check(context: Context) -> int:
    from eternal_tui.config import SettingsError
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
    try:
        created = _create_if_missing(path)
    except OSError as error:
        raise _unusable(path, error) from None
    if not created:
        raise UsageError(f"{path} exists; `config --edit` opens it.")
    context.output.print_line(format_safe("{path} written.", path=path))
    return ExitCode.SUCCESS


def _path(context: Context) -> Path:
    from eternal_tui.config import find_config_path

    return find_config_path(getattr(context.arguments, "config", None), context.environ)


def _unusable(path: Path, error: OSError) -> CommandError:
    return UsageError(f"{path} cannot be written: {error.strerror}.")


def _edit(context: Context) -> int:
    import subprocess

    from eternal_tui.config.credentials import environ_without_keys
    from eternal_tui.drafts.editor import EditorNotFound, editor_command

    try:
        command = editor_command(context.environ)
    except EditorNotFound as error:
        raise UsageError(str(error)) from None
    path = _path(context)
    try:
        _create_if_missing(path)
        status = subprocess.run(  # noqa: S603 - the user's own editor
            [*command, str(path)], env=environ_without_keys(context.environ), check=False
        ).returncode
    except OSError as error:
        raise _unusable(path, error) from None
    if status:
        raise CommandError(
            ExitCode.FAILED, f"The editor exited with {status}. `eternal-tui config --check` checks the file."
        )
    return _check(context)


def _create_if_missing(path: Path) -> bool:
    """Create the file, every setting explained and commented out; False where it exists."""
    from eternal_tui.config.render import config_template

    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists():
        return False
    with new_file(path) as file:
        file.write(config_template())
    return True


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
        # A setting may have come from a hostile file or variable.
        streams.print_line(sanitize(line, limit=100_000))
    return ExitCode.SUCCESS
