"""Where prompts come from: an option, or standard input, one a line."""

from __future__ import annotations

from typing import TextIO

from eternal_tui.cli.context import Refused
from eternal_tui.cli.exit_codes import Exit
from eternal_tui.cli.output import is_terminal

MOST_PROMPTS = 1_000
LONGEST = 100_000
"""Characters of a prompt, given or read: far more than any prompt, far less than a file given by mistake."""


def prompts_of(option: str | None, stdin: TextIO) -> list[str]:
    """Return the prompts; raise Refused where there is none."""
    if option is not None and option != "-":
        if len(option) > LONGEST:
            raise Refused(Exit.USAGE, f"The prompt is longer than {LONGEST} characters. Nothing was sent.")
        return [option]
    if option is None and is_terminal(stdin):
        raise Refused(Exit.USAGE, "Write a prompt: --prompt TEXT, or prompts on stdin, one a line. Nothing was sent.")
    return _read(stdin)


def _read(stdin: TextIO) -> list[str]:
    prompts = []
    try:
        while line := stdin.readline(LONGEST + 1):
            if len(line) > LONGEST:
                raise Refused(Exit.USAGE, f"A line of stdin is longer than {LONGEST} characters. Nothing was sent.")
            if line.strip():
                prompts.append(line.rstrip("\r\n"))
            if len(prompts) > MOST_PROMPTS:
                raise Refused(Exit.USAGE, f"Stdin holds more than {MOST_PROMPTS} prompts. Nothing was sent.")
    except UnicodeDecodeError:
        raise Refused(Exit.USAGE, "Standard input is not valid text. Nothing was sent.") from None
    except (OSError, ValueError):
        raise Refused(Exit.USAGE, "Standard input cannot be read. Nothing was sent.") from None
    if not prompts:
        raise Refused(Exit.USAGE, "Standard input holds no prompt. Give --prompt TEXT. Nothing was sent.")
    return prompts
