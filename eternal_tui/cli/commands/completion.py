"""`completion`: shell completion by shtab, with states, jobs, characters and tags looked up while typing."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import AsyncIterator, Iterator, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any

from eternal_tui.cli.context import Context
from eternal_tui.cli.errors import CommandError, ExitCode, UsageError
from eternal_tui.cli.output import PROGRAM
from eternal_tui.cli.parser import add_flag
from eternal_tui.core.sanitize import format_safe, sanitize

if TYPE_CHECKING:
    from eternal_tui.api.models import Character

EPILOG = """\
examples:
  eternal-tui completion --install                 for the shell of $SHELL
  source <(eternal-tui completion bash)
  eternal-tui completion zsh > "${fpath[1]}/_eternal-tui"
  eternal-tui completion fish > ~/.config/fish/completions/eternal-tui.fish
"""

SHELLS = ("bash", "zsh", "fish")
INSTALL_PATHS = {
    "bash": ".local/share/bash-completion/completions/eternal-tui",
    "zsh": ".local/share/zsh/site-functions/_eternal-tui",
    "fish": ".config/fish/completions/eternal-tui.fish",
}
MAX_WORDS = 200
VALUE_KINDS = ("states", "jobs", "characters", "tags", "commands")
_KIND_BY_DEST = {
    "ids": "jobs", "state": "states", "character": "characters", "tag": "tags", "words": "tags",
    "documented": "commands",
}  # fmt: skip
_FILE_DESTS = frozenset({"input", "output", "config", "report"})
_FILES = frozenset({("export", "path"), ("sandbox", "state")})


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `completion`."""
    parser.add_argument("shell", choices=SHELLS, nargs="?", help="the shell (default: that of $SHELL)")
    add_flag(parser, "--install", "install the script for your user")
    parser.add_argument("--values", choices=VALUE_KINDS, help=argparse.SUPPRESS)


def run(context: Context) -> int:
    """Print or install the script, or print candidates for it."""
    given = context.arguments
    if given.values is not None:
        for word in _words(context, given.values):
            context.output.print_line(sanitize(word))
        return ExitCode.SUCCESS
    shell = given.shell or context.environ.get("SHELL", "").rpartition("/")[2]
    if shell not in SHELLS:
        raise UsageError(f"Name a shell: {', '.join(SHELLS)}.")
    script = completion_script(shell)
    if not given.install:
        for line in script.splitlines():
            context.output.print_line(sanitize(line, limit=100_000))
        return ExitCode.SUCCESS
    return install_file(context, INSTALL_PATHS[shell], script)


def install_file(context: Context, path_below_home: str, text: str) -> int:
    """Write a file below the home folder and print its path."""
    from eternal_tui.config.loader import home_dir

    path = home_dir(context.environ) / path_below_home
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(format_safe("{path} cannot be written: {why}.", path=path, why=error.strerror)) from None
    context.output.print_line(format_safe("{path} written.", path=path))
    return ExitCode.SUCCESS


def completion_script(shell: str) -> str:
    """Return the script of a shell."""
    import shtab

    from eternal_tui.cli.parser import build_parser

    parser, commands = build_parser()
    words = {kind: f"$({PROGRAM} completion --values {kind} 2>/dev/null)" for kind in VALUE_KINDS}
    for name, each in {"": parser, **commands}.items():
        if name:
            commands[name].add_arguments()
        for action in each._actions:
            complete: dict[str, Any] = {}
            if (name, action.dest) in _FILES or action.dest in _FILE_DESTS:
                complete = shtab.FILE
            elif kind := _KIND_BY_DEST.get(action.dest):
                complete = {"bash": f"_eternal_tui_{kind}", "zsh": f"_eternal_tui_{kind}", "fish": words[kind][1:]}
            elif isinstance(action.metavar, str) and "|" in action.metavar:
                listed = words[action.dest] = action.metavar.replace("|", " ")
                complete = {"bash": f"_eternal_tui_{action.dest}", "zsh": f"({listed})", "fish": listed}
            elif action.dest == "data_dir":
                complete = shtab.DIRECTORY
            if complete:
                action.complete = complete  # type: ignore[attr-defined]
    return str(shtab.complete(parser, shell=shell, preamble=_functions(shell, words))).rstrip("\n") + "\n"


def _functions(shell: str, words: Mapping[str, str]) -> str:
    """Return the shell functions that complete values; fish needs none."""
    templates = {
        "bash": '_eternal_tui_{name}() {{ compgen -W "{words}" -- "$1"; }}\n',
        "zsh": '_eternal_tui_{name}() {{ local -a found; found=("${{(@f){words}}}"); compadd -a found }}\n',
    }
    return "".join(templates.get(shell, "").format(name=name, words=value) for name, value in words.items())


def _words(context: Context, kind: str) -> Iterator[str]:
    """Yield the candidates of a kind; none where the history or the list of characters cannot be read."""
    if kind == "states":
        from eternal_tui.jobs.model import FileState, JobState

        yield from sorted({*map(str, JobState), *map(str, FileState), "unfinished", "done", "attention", "unsent"})
    elif kind == "commands":
        from eternal_tui.cli.commands.schema import JSON_OBJECTS

        yield from JSON_OBJECTS
    elif kind == "characters":
        yield from _characters(context)
    else:
        from eternal_tui.cli.references import iter_jobs
        from eternal_tui.history.errors import HistoryError

        with contextlib.suppress(HistoryError, CommandError), context.open_history() as history:
            jobs = list(islice(iter_jobs(history), MAX_WORDS if kind == "jobs" else None))
            if kind == "jobs":
                yield from ("last", *(str(job.id) for job in jobs))
            else:
                yield from sorted({tag for job in jobs for tag in job.tags})[:MAX_WORDS]


def _characters(context: Context) -> Iterator[str]:
    """Yield the IDs of the stored list; nothing is downloaded."""
    from eternal_tui.characters.catalog import CharacterCatalog
    from eternal_tui.core.clock import Clock
    from eternal_tui.services import service_name

    path = context.settings.data_dir / "characters.json"
    catalog = CharacterCatalog(_no_characters, path, Clock(), service=service_name(context.settings.base_url))
    catalog.load_stored()
    yield from (character.id for character in catalog.allowed)


async def _no_characters() -> AsyncIterator[Character]:
    characters: tuple[Character, ...] = ()
    for character in characters:
        yield character
