"""`completion`: scripts that let a shell complete verbs and options."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from typing import NamedTuple

from eternal_tui.cli.context import Invocation
from eternal_tui.cli.exit_codes import Exit
from eternal_tui.core.sanitize import shown

EPILOG = """\
examples:
  source <(eternal-tui completion bash)
  eternal-tui completion zsh > "${fpath[1]}/_eternal-tui"
  eternal-tui completion fish > ~/.config/fish/completions/eternal-tui.fish
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `completion`."""
    parser.add_argument("shell", choices=("bash", "zsh", "fish"), help="for which shell")


def run(invocation: Invocation) -> int:
    """Print the script."""
    write = {"bash": _bash, "zsh": _zsh, "fish": _fish}[invocation.arguments.shell]
    for line in write(_words()).splitlines():
        invocation.streams.line(shown(line))
    return Exit.DONE


class _Word(NamedTuple):
    """A long option, or "" for what stands without one: what it does, whether a value follows, and which ones fit."""

    option: str
    help: str
    valued: bool
    values: str


_Words = dict[str, list[_Word]]


def _words() -> _Words:
    """Return the words by verb; the empty verb has those of the program."""
    from eternal_tui.cli.parser import build_parser

    parser, verbs = build_parser()
    for verb in verbs.values():
        verb.fill()
    found = {name: _of(one) for name, one in verbs.items()}
    return {"": [word for word in _of(parser) if word.option], **found}


def _of(parser: argparse.ArgumentParser) -> list[_Word]:
    return [
        _Word(
            option,
            (action.help or "").replace("%%", "%").split(";")[0],
            action.nargs != 0,
            _values(action),
        )
        for action in parser._actions
        for option in action.option_strings or [""]
        if not option or option.startswith("--")
        if action.help != argparse.SUPPRESS
    ]


def _values(action: argparse.Action) -> str:
    """Return the values there are, as the parser or the help names them: `low|high`."""
    named = action.metavar if isinstance(action.metavar, str) and "|" in action.metavar else ""
    return " ".join(map(str, action.choices or named.split("|"))).strip()


def _options(words: list[_Word]) -> list[_Word]:
    return [word for word in words if word.option]


def _chosen(words: _Words) -> list[tuple[str, _Word]]:
    """Return those whose values are known, each with its verb."""
    return [(verb, word) for verb, of_verb in words.items() for word in of_verb if word.values]


def _bash(words: _Words) -> str:
    from eternal_tui.cli.parser import VERBS

    cases = "\n".join(
        f"    {verb}) words={_quoted(' '.join(word.option for word in _options(of_verb)))} ;;"
        for verb, of_verb in words.items()
        if verb
    )
    values = "\n".join(
        f"    {_quoted(f'{verb} {word.option or verb}')}) words={_quoted(word.values)} ;;"
        for verb, word in _chosen(words)
    )
    first = " ".join([*VERBS, *(word.option for word in words[""])])
    return f"""\
_eternal_tui() {{
  local verb="" word words
  for word in "${{COMP_WORDS[@]:1:COMP_CWORD-1}}"; do
    case "$word" in {"|".join(VERBS)}) verb="$word"; break ;; esac
  done
  case "$verb" in
{cases}
    *) words={_quoted(first)} ;;
  esac
  case "$verb ${{COMP_WORDS[COMP_CWORD-1]}}" in
{values}
  esac
  COMPREPLY=($(compgen -W "$words" -- "${{COMP_WORDS[COMP_CWORD]}}"))
}}
complete -o default -F _eternal_tui eternal-tui
"""


def _zsh(words: _Words) -> str:
    from eternal_tui.cli.parser import VERBS

    values = "\n".join(
        f"    {_quoted(f'{verb} {word.option or verb}')}) compadd -- {word.values}; return ;;"
        for verb, word in _chosen(words)
    )
    cases = "\n".join(
        f"    {_quoted(verb)}) options=({_pairs((word.option, word.help) for word in _options(of_verb))}) ;;"
        for verb, of_verb in words.items()
    )
    return f"""\
#compdef eternal-tui
_eternal_tui() {{
  local verb="" word
  local -a verbs options
  for word in ${{words[2,CURRENT-1]}}; do
    case "$word" in {"|".join(VERBS)}) verb="$word"; break ;; esac
  done
  case "$verb ${{words[CURRENT-1]}}" in
{values}
  esac
  case "$verb" in
{cases}
  esac
  verbs=({_pairs(VERBS.items())})
  [[ -n "$verb" ]] || _describe verb verbs
  _describe -o option options
  [[ -z "$verb" ]] || _files
}}
if [[ "${{funcstack[1]}}" = _eternal-tui ]]; then
  _eternal_tui "$@"
else
  compdef _eternal_tui eternal-tui
fi
"""


def _fish(words: _Words) -> str:
    from eternal_tui.cli.parser import VERBS

    lines = [
        f"complete -c eternal-tui -f -n __fish_use_subcommand -a {verb} -d {_quoted(described)}"
        for verb, described in VERBS.items()
    ]
    for verb, of_verb in words.items():
        where = _quoted(f"__fish_seen_subcommand_from {verb}" if verb else "__fish_use_subcommand")
        for word in of_verb:
            name = f" -l {word.option.removeprefix('--')} -d {_quoted(word.help)}" if word.option else ""
            value = f" -x -a {_quoted(word.values)}" if word.values else " -r" if word.valued and name else ""
            if name or value:
                lines.append(f"complete -c eternal-tui -n {where}{name}{value}")
    return "\n".join(lines) + "\n"


def _pairs(described: Iterable[tuple[str, str]]) -> str:
    """Return zsh's pairs of a word and what it means."""
    return " ".join(_quoted(f"{word}:{meaning}") for word, meaning in described)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"
