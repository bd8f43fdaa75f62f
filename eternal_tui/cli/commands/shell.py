"""`completion` and `man`: the scripts of shells and the manual page, written from the parser."""

from __future__ import annotations

import argparse
import contextlib
import re
from collections.abc import AsyncIterator, Iterator, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any

from eternal_tui import __version__
from eternal_tui.cli.context import Command, Context
from eternal_tui.cli.errors import CommandError, ExitCode, UsageError
from eternal_tui.cli.output import PROGRAM
from eternal_tui.cli.parser import add_flag
from eternal_tui.core.sanitize import format_safe, sanitize

if TYPE_CHECKING:
    from eternal_tui.api.models import Character


COMPLETION_EPILOG = """\
examples:
  eternal-tui completion --install                 for the shell of $SHELL
  source <(eternal-tui completion bash)
  eternal-tui completion zsh > "${fpath[1]}/_eternal-tui"
  eternal-tui completion fish > ~/.config/fish/completions/eternal-tui.fish
"""

INSTALL_PATHS = {
    "bash": ".local/share/bash-completion/completions/eternal-tui",
    "zsh": ".local/share/zsh/site-functions/_eternal-tui",
    "fish": ".config/fish/completions/eternal-tui.fish",
}
SHELLS = tuple(INSTALL_PATHS)
MAX_WORDS = 200
VALUE_KINDS = ("states", "jobs", "characters", "tags", "commands")
_KIND_BY_DEST = {
    "ids": "jobs", "state": "states", "character": "characters", "tag": "tags", "words": "tags",
    "documented": "commands",
}  # fmt: skip
_FILE_DESTS = frozenset({"input", "output", "config", "report"})
_FILES = frozenset({("export", "path"), ("sandbox", "state")})


def _add_completion_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("shell", choices=SHELLS, nargs="?", help="the shell (default: that of $SHELL)")
    add_flag(parser, "--install", "install the script for your user")
    parser.add_argument("--values", choices=VALUE_KINDS, help=argparse.SUPPRESS)


def _completion(context: Context) -> int:
    given = context.arguments
    if given.values is not None:
        for word in _words(context, given.values):
            context.output.print_line(sanitize(word))
        return ExitCode.SUCCESS
    shell = given.shell or context.environ.get("SHELL", "").rpartition("/")[2]
    if shell not in SHELLS:
        raise UsageError(f"Name a shell: {', '.join(SHELLS)}.")
    return _print_or_install(context, _completion_script(shell), INSTALL_PATHS[shell])


def _print_or_install(context: Context, text: str, path_below_home: str) -> int:
    """Print the text, or with `--install` write it to a file below the home folder and print its path."""
    from eternal_tui.config.loader import home_dir

    if not context.arguments.install:
        context.output.print_text(text)
        return ExitCode.SUCCESS
    path = home_dir(context.environ) / path_below_home
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text}\n", encoding="utf-8")
    except OSError as error:
        raise UsageError(format_safe("{path} cannot be written: {why}.", path=path, why=error.strerror)) from None
    context.output.print_line(format_safe("{path} written.", path=path))
    return ExitCode.SUCCESS


def _completion_script(shell: str) -> str:
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
    return str(shtab.complete(parser, shell=shell, preamble=_functions(shell, words))).rstrip("\n")


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

    async def nothing() -> AsyncIterator[Character]:
        characters: tuple[Character, ...] = ()
        for character in characters:
            yield character

    path, service = context.settings.data_dir / "characters.json", service_name(context.settings.base_url)
    catalog = CharacterCatalog(nothing, path, Clock(), service=service)
    catalog.load_stored()
    yield from (character.id for character in catalog.allowed)


MAN_EPILOG = """\
examples:
  eternal-tui man | man -l -
  eternal-tui man --install                        into ~/.local/share/man; from then on: man eternal-tui
"""

SCOPE_TITLES = {
    "anywhere": "Anywhere", "jobs": "Jobs and detail", "list": "The list of jobs",
    "matches": "The list, while a search stands", "gallery": "The gallery", "tiles": "The gallery: culling",
    "filter": "The filter", "detail": "The detail", "viewer": "The viewer", "form": "The request",
    "line": "The character's line", "text": "A text", "prompt": "The prompt", "choice": "A choice",
    "stepper": "A number", "submit": "The last line of the request", "search": "A list to search",
    "picker": "The list of characters, from the request", "presets": "The presets", "copy": "The copy menu",
    "help": "Help", "browser": "The characters", "create": "A new character", "confirm": "A question",
    "save": "Save as", "note": "A note", "key": "The key", "statistics": "Statistics",
}  # fmt: skip
"""The headings of the scopes of keys, in the order of the page."""

_FILES_SECTION = """\
history.json       every job, a plain TinyDB file; in the data folder, ~/.local/share/eternal-tui
history.journal    changes not yet merged into it
results/           images and videos
logs/              log and crash reports
~/.config/eternal-tui/config.toml    configuration"""

_NON_ASCII_PATTERN = re.compile("[^\n -~]")
_ASCII_REPLACEMENTS = str.maketrans({"…": "...", "—": "--"} | dict(zip("“”‘’–·×−", "\"\"''--x-", strict=True)))


def _add_man_arguments(parser: argparse.ArgumentParser) -> None:
    add_flag(parser, "--install", "install the page for your user")


def _man(context: Context) -> int:
    return _print_or_install(context, "\n".join(_man_page_lines()), ".local/share/man/man1/eternal-tui.1")


def _man_page_lines() -> Iterator[str]:
    """Yield the lines of the page in the man macros, in plain ASCII."""
    from eternal_tui.cli.parser import COMMANDS, DESCRIPTION, build_parser
    from eternal_tui.cli.parser import EPILOG as GENERAL

    parser, commands = build_parser()
    yield f'.TH {PROGRAM.upper()} 1 "" "{PROGRAM} {__version__}" "User Commands"'
    yield ".SH NAME"
    yield rf"{_escape_text(PROGRAM)} \- {_escape_text(DESCRIPTION.partition('.')[0])}"
    yield ".SH SYNOPSIS"
    for words in ("[options]", "[options] COMMAND [arguments]"):
        yield from (f".B {_escape_text(PROGRAM)}", _escape_text(words), ".br")
    yield ".SH DESCRIPTION"
    yield _escape_text(DESCRIPTION)
    yield ".SH OPTIONS"
    yield from _option_lines(parser)
    yield ".SH COMMANDS"
    for name, command in commands.items():
        command.add_arguments()
        yield f'.SS "{_escape_text(name)}"'
        yield _escape_text(COMMANDS[name])
        yield from _option_lines(command, without_globals=True)
        yield from _epilog_lines(command.epilog or "", heading=".PP")
    yield ".SH KEYS"
    yield _escape_text("Every key can be changed by the name in brackets, in the [keys] section of the configuration.")
    yield from _key_lines()
    yield from _epilog_lines(GENERAL, heading=".SH")
    yield ".SH FILES"
    yield from _verbatim(_FILES_SECTION)
    yield ".SH CONFIGURATION"
    yield from _configuration_lines()


def _escape_text(text: str) -> str:
    """Return running text that no macro and no escape is read from."""
    plain = " ".join(text.split()).translate(_ASCII_REPLACEMENTS)
    plain = _NON_ASCII_PATTERN.sub("?", plain).replace("\\", r"\e").replace("-", r"\-").replace('"', r"\(dq")
    return rf"\&{plain}" if plain.startswith((".", "'")) else plain


def _verbatim(block: str) -> Iterator[str]:
    yield ".nf"
    for line in block.strip("\n").splitlines():
        escaped = line.replace("\\", r"\e").replace("-", r"\-")
        yield rf"\&{_NON_ASCII_PATTERN.sub('?', escaped)}"
    yield ".fi"


def _option_lines(parser: argparse.ArgumentParser, *, without_globals: bool = False) -> Iterator[str]:
    formatter = parser.formatter_class(prog=parser.prog)
    for group in parser._action_groups:
        if without_globals and group.title == "global options":
            continue
        for action in group._group_actions:
            if action.help == argparse.SUPPRESS or isinstance(
                action, argparse._SubParsersAction | argparse._HelpAction
            ):
                continue
            yield ".TP"
            yield rf"\fB{_escape_text(formatter._format_action_invocation(action))}\fR"
            yield _escape_text(formatter._expand_help(action) if action.help else "")


def _epilog_lines(epilog: str, *, heading: str) -> Iterator[str]:
    """Yield each part of an epilogue: a word with a colon over indented lines, or a paragraph."""
    for part in re.split(r"\n\s*\n", epilog.strip("\n")):
        head, _, rest = part.partition(":\n")
        if (rest and " " not in head.strip()) or head == "exit codes":
            yield from (
                (f".SH {_escape_text(head.upper())}",) if heading == ".SH" else (".PP", f".B {_escape_text(head)}")
            )
            yield from _verbatim(rest)
        elif part.strip():
            yield ".PP"
            yield _escape_text(part)


def _key_lines() -> Iterator[str]:
    from eternal_tui.tui.input.actions import ALL_ACTIONS

    for place, title in SCOPE_TITLES.items():
        yield f'.SS "{_escape_text(title)}"'
        for action in ALL_ACTIONS:
            if action.scope == place:
                yield ".TP"
                yield rf"\fB{_escape_text(_format_keys(action.keys))}\fR"
                yield _escape_text(f"{action.description} [{action.id}]")


def _format_keys(keys: str) -> str:
    from eternal_tui.tui.input.keymap import key_label

    return "  ".join(
        key_label(key).replace("^", "ctrl+") if key.startswith("ctrl+") else key_label(key) for key in keys.split(",")
    )


def _configuration_lines() -> Iterator[str]:
    from eternal_tui.config.loader import config_template

    yield _escape_text(
        "Each setting is also a variable, such as ETERNAL_TUI_DAILY_CAP. "
        "Flags win over variables, variables over the file."
    )
    yield from _verbatim(config_template())


COMMANDS = {
    "completion": Command(COMPLETION_EPILOG, _add_completion_arguments, _completion),
    "man": Command(MAN_EPILOG, _add_man_arguments, _man),
}
