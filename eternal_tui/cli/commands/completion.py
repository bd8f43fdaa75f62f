"""`completion`: scripts that let a shell complete verbs and options."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from typing import NamedTuple

from eternal_tui.cli.context import Context
from eternal_tui.cli.exit_codes import ExitCode
from eternal_tui.core.sanitize import sanitize

EPILOG = """\
examples:
  source <(eternal-tui completion bash)
  eternal-tui completion zsh > "${fpath[1]}/_eternal-tui"
  eternal-tui completion fish > ~/.config/fish/completions/eternal-tui.fish
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `completion`."""
    parser.add_argument("shell", choices=("bash", "zsh", "fish"), help="for which shell")


def run(context: Context) -> int:
    """Print the script."""
    write = {"bash": _bash_script, "zsh": _zsh_script, "fish": _fish_script}[context.arguments.shell]
    for line in write(_collect_options()).splitlines():
        context.output.print_line(sanitize(line))
    return ExitCode.SUCCESS


class _Option(NamedTuple):
    """A long option, or "" for what stands without one: what it does, whether a value follows, and which ones fit."""

    flag: str
    help: str
    takes_value: bool
    choices: str


_OptionsByCommand = dict[str, list[_Option]]


def _collect_options() -> _OptionsByCommand:
    """Return the words by verb; the empty verb has those of the program."""
    from eternal_tui.cli.parser import build_parser

    parser, verbs = build_parser()
    for verb in verbs.values():
        verb.add_arguments()
    found = {name: _parser_options(one) for name, one in verbs.items()}
    return {"": [word for word in _parser_options(parser) if word.flag], **found}


def _parser_options(parser: argparse.ArgumentParser) -> list[_Option]:
    return [
        _Option(
            option,
            (action.help or "").replace("%%", "%").split(";")[0],
            action.nargs != 0,
            _option_choices(action),
        )
        for action in parser._actions
        for option in action.option_strings or [""]
        if not option or option.startswith("--")
        if action.help != argparse.SUPPRESS
    ]


def _option_choices(action: argparse.Action) -> str:
    """Return the values there are, as the parser or the help names them: `low|high`."""
    named = action.metavar if isinstance(action.metavar, str) and "|" in action.metavar else ""
    return " ".join(map(str, action.choices or named.split("|"))).strip()


def _named_options(options: list[_Option]) -> list[_Option]:
    return [word for word in options if word.flag]


def _options_with_choices(options: _OptionsByCommand) -> list[tuple[str, _Option]]:
    """Return those whose values are known, each with its verb."""
    return [(verb, word) for verb, of_verb in options.items() for word in of_verb if word.choices]


def _bash_script(options: _OptionsByCommand) -> str:
    from eternal_tui.cli.parser import COMMANDS

    cases = "\n".join(
        f"    {verb}) words={_shell_quote(' '.join(word.flag for word in _named_options(of_verb)))} ;;"
        for verb, of_verb in options.items()
        if verb
    )
    values = "\n".join(
        f"    {_shell_quote(f'{verb} {word.flag or verb}')}) words={_shell_quote(word.choices)} ;;"
        for verb, word in _options_with_choices(options)
    )
    first = " ".join([*COMMANDS, *(word.flag for word in options[""])])
    return f"""\
_eternal_tui() {{
  local verb="" word words
  for word in "${{COMP_WORDS[@]:1:COMP_CWORD-1}}"; do
    case "$word" in {"|".join(COMMANDS)}) verb="$word"; break ;; esac
  done
  case "$verb" in
{cases}
    *) words={_shell_quote(first)} ;;
  esac
  case "$verb ${{COMP_WORDS[COMP_CWORD-1]}}" in
{values}
  esac
  COMPREPLY=($(compgen -W "$words" -- "${{COMP_WORDS[COMP_CWORD]}}"))
}}
complete -o default -F _eternal_tui eternal-tui
"""


def _zsh_script(options_by_command: _OptionsByCommand) -> str:
    from eternal_tui.cli.parser import COMMANDS

    values = "\n".join(
        f"    {_shell_quote(f'{verb} {word.flag or verb}')}) compadd -- {word.choices}; return ;;"
        for verb, word in _options_with_choices(options_by_command)
    )
    cases = "\n".join(
        f"    {_shell_quote(verb)}) "
        f"options=({_zsh_descriptions((word.flag, word.help) for word in _named_options(of_verb))}) ;;"
        for verb, of_verb in options_by_command.items()
    )
    return f"""\
#compdef eternal-tui
_eternal_tui() {{
  local verb="" word
  local -a verbs options
  for word in ${{words[2,CURRENT-1]}}; do
    case "$word" in {"|".join(COMMANDS)}) verb="$word"; break ;; esac
  done
  case "$verb ${{words[CURRENT-1]}}" in
{values}
  esac
  case "$verb" in
{cases}
  esac
  verbs=({_zsh_descriptions(COMMANDS.items())})
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


def _fish_script(options: _OptionsByCommand) -> str:
    from eternal_tui.cli.parser import COMMANDS

    lines = [
        f"complete -c eternal-tui -f -n __fish_use_subcommand -a {verb} -d {_shell_quote(described)}"
        for verb, described in COMMANDS.items()
    ]
    for verb, of_verb in options.items():
        where = _shell_quote(f"__fish_seen_subcommand_from {verb}" if verb else "__fish_use_subcommand")
        for word in of_verb:
            name = f" -l {word.flag.removeprefix('--')} -d {_shell_quote(word.help)}" if word.flag else ""
            value = (
                f" -x -a {_shell_quote(word.choices)}" if word.choices else " -r" if word.takes_value and name else ""
            )
            if name or value:
                lines.append(f"complete -c eternal-tui -n {where}{name}{value}")
    return "\n".join(lines) + "\n"


def _zsh_descriptions(descriptions: Iterable[tuple[str, str]]) -> str:
    """Return zsh's pairs of a word and what it means."""
    return " ".join(_shell_quote(f"{word}:{meaning}") for word, meaning in descriptions)


def _shell_quote(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"
