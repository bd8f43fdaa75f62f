"""Reading prompts for `generate` from the command line or standard input."""

from __future__ import annotations

from typing import TextIO

from eternal_tui.cli.context import CommandError
from eternal_tui.cli.exit_codes import ExitCode
from eternal_tui.cli.output import is_terminal

MAX_STDIN_PROMPTS = 1_000
MAX_PROMPT_CHARS = 100_000
"""Characters of a prompt, given or read: far more than any prompt, far less than a file given by mistake."""


def read_prompts(option: str | None, stdin: TextIO) -> list[str]:
    """Return the prompts; raise CommandError where there is none."""
    if option is not None and option != "-":
        if len(option) > MAX_PROMPT_CHARS:
            raise CommandError(
                ExitCode.USAGE, f"The prompt is longer than {MAX_PROMPT_CHARS} characters. Nothing was sent."
            )
        return [option]
    if option is None and is_terminal(stdin):
        raise CommandError(
            ExitCode.USAGE, "Write a prompt: --prompt TEXT, or prompts on stdin, one a line. Nothing was sent."
        )
    return _read_stdin_prompts(stdin)


def _read_stdin_prompts(stdin: TextIO) -> list[str]:
    prompts = []
    try:
        while line := stdin.readline(MAX_PROMPT_CHARS + 1):
            if len(line) > MAX_PROMPT_CHARS:
                raise CommandError(
                    ExitCode.USAGE, f"A line of stdin is longer than {MAX_PROMPT_CHARS} characters. Nothing was sent."
                )
            if line.strip():
                prompts.append(line.rstrip("\r\n"))
            if len(prompts) > MAX_STDIN_PROMPTS:
                raise CommandError(
                    ExitCode.USAGE, f"Stdin holds more than {MAX_STDIN_PROMPTS} prompts. Nothing was sent."
                )
    except UnicodeDecodeError:
        raise CommandError(ExitCode.USAGE, "Standard input is not valid text. Nothing was sent.") from None
    except (OSError, ValueError):
        raise CommandError(ExitCode.USAGE, "Standard input cannot be read. Nothing was sent.") from None
    if not prompts:
        raise CommandError(ExitCode.USAGE, "Standard input holds no prompt. Give --prompt TEXT. Nothing was sent.")
    return prompts
