"""`completion`: scripts that let a shell complete verbs and options."""

from __future__ import annotations

import argparse

from eternal_tui.cli.exits import Exit
from eternal_tui.cli.invocation import Invocation
from eternal_tui.untrusted import shown

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


def _words() -> dict[str, list[tuple[str, str]]]:
    """Return the long options and what they do, by verb; the empty verb has those of the program."""
    from eternal_tui.cli.parser import build_parser

    parser, verbs = build_parser()
    for verb in verbs.values():
        verb.fill()
    return {name: _options(one) for name, one in {"": parser, **verbs}.items()}


def _options(parser: argparse.ArgumentParser) -> list[tuple[str, str]]:
    return [
        (option, (action.help or "").replace("%%", "%").split(";")[0])
        for action in parser._actions
        for option in action.option_strings
        if option.startswith("--") and action.help != argparse.SUPPRESS
    ]


def _bash(words: dict[str, list[tuple[str, str]]]) -> str:
    from eternal_tui.cli.parser import VERBS

    cases = "\n".join(
        f"    {verb}) words={_quoted(' '.join(option for option, _ in options))} ;;"
        for verb, options in words.items()
        if verb
    )
    first = " ".join([*VERBS, *(option for option, _ in words[""])])
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
  COMPREPLY=($(compgen -W "$words" -- "${{COMP_WORDS[COMP_CWORD]}}"))
}}
complete -o default -F _eternal_tui eternal-tui
"""


def _zsh(words: dict[str, list[tuple[str, str]]]) -> str:
    return f"""\
#compdef eternal-tui
autoload -U +X bashcompinit && bashcompinit
{_bash(words)}"""


def _fish(words: dict[str, list[tuple[str, str]]]) -> str:
    from eternal_tui.cli.parser import VERBS

    lines = [
        f"complete -c eternal-tui -n __fish_use_subcommand -a {verb} -d {_quoted(described)}"
        for verb, described in VERBS.items()
    ]
    for verb, options in words.items():
        where = f"__fish_seen_subcommand_from {verb}" if verb else "__fish_use_subcommand"
        lines += [
            f"complete -c eternal-tui -n {_quoted(where)} -l {option.removeprefix('--')} -d {_quoted(described)}"
            for option, described in options
        ]
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"
