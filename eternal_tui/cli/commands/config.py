"""`config`: the settings in force, each explained; and the file they come from, checked and edited."""

from __future__ import annotations

import argparse
import contextlib
from pathlib import Path

from eternal_tui.cli.context import Invocation, Refused
from eternal_tui.cli.exit_codes import Exit
from eternal_tui.core.sanitize import say, shown

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


def run(invocation: Invocation) -> int:
    """Print, check or edit, as was asked for."""
    if invocation.arguments.edit:
        return _edit(invocation)
    if invocation.arguments.check:
        return _check(invocation)
    return _print(invocation)


def _check(invocation: Invocation) -> int:
    from eternal_tui.tui.config_watch import problems

    found = problems(invocation.settings)
    for sentence in found:
        invocation.streams.error(sentence)
    if not found:
        invocation.streams.line(say("{path} is fine.", path=invocation.settings.config_path))
    return Exit.USAGE if found else Exit.DONE


def _edit(invocation: Invocation) -> int:
    import subprocess

    from eternal_tui.config import config_path
    from eternal_tui.config.credentials import scrubbed_environ
    from eternal_tui.drafts.editor import NoEditor, editor_command

    try:
        command = editor_command(invocation.environ)
    except NoEditor as error:
        raise Refused(Exit.USAGE, str(error)) from None
    path = config_path(getattr(invocation.arguments, "config", None), invocation.environ)
    try:
        _begin(path)
        status = subprocess.run([*command, str(path)], env=scrubbed_environ(invocation.environ), check=False).returncode  # noqa: S603 - the person's own editor
    except OSError as error:
        raise Refused(Exit.USAGE, say("{path} cannot be edited: {why}.", path=path, why=error.strerror)) from None
    if status:
        invocation.streams.note(say("The editor ended with {status}; the file is as it left it.", status=status))
    return _check(invocation)


def _begin(path: Path) -> None:
    """Create the file, every setting explained, where there is none."""
    from eternal_tui.config.render import config_template

    path.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileExistsError), path.open("x", encoding="utf-8") as file:
        file.write(config_template())


def _print(invocation: Invocation) -> int:
    import json

    from eternal_tui.config.render import config_schema, render_config

    streams = invocation.streams
    if invocation.arguments.schema:
        text = json.dumps(config_schema(), indent=2)
    elif invocation.arguments.path:
        text = str(invocation.settings.config_path)
    else:
        text = render_config(invocation.settings)
    for line in text.splitlines():
        # Each line passes the gate: a setting may have come from a hostile file or variable.
        streams.line(shown(line, limit=100_000))
    return Exit.DONE
