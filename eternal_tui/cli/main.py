"""Run the program: parse, run the command, and turn errors into a sentence and an exit code."""

from __future__ import annotations

import contextlib
import gc
import os
import sys
from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import TYPE_CHECKING, TextIO, cast

from eternal_tui.cli.context import GLOBAL_OPTIONS, Context
from eternal_tui.cli.errors import ExitCode, UsageError, describe_error
from eternal_tui.cli.output import Output, SanitizedStderr
from eternal_tui.core.process import SIGINT_EXIT_CODE, exit_on_interrupt, raise_on_interrupt
from eternal_tui.core.sanitize import SafeText, format_safe

if TYPE_CHECKING:
    import argparse


_COMMANDS_THAT_CLEAN_UP = frozenset({"config", "export", "login", "save"})
"""Those with an editor, unfinished files or a hidden input; the others lose nothing when ctrl+C ends them at once."""

SIGPIPE_EXIT_CODE = 141
"""128 and SIGPIPE's number: the reader closed the pipe, as `head` does."""


def run_process() -> int:
    """Run with this process's arguments, environment and streams."""
    # httpx has a command line that imports click and rich: two thirds of its import time, and unused here.
    sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]
    stdin, stdout, stderr = (_open_stream(stream) for stream in (sys.stdin, sys.stdout, sys.stderr))
    sys.stderr = cast("TextIO", SanitizedStderr(stderr))
    code = run(sys.argv[1:], os.environ, stdin, stdout, stderr, own_process=True)
    for stream in (stdout, stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            # A closed pipe or terminal: the interpreter would flush again at exit, complain, and end with 120.
            _redirect_to_devnull(stream)
    return code


def _redirect_to_devnull(stream: TextIO) -> None:
    with contextlib.suppress(OSError, ValueError, AttributeError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


def _open_stream(stream: TextIO | None) -> TextIO:
    if stream is None:
        return open(os.devnull, "r+", encoding="utf-8")  # noqa: PTH123 - as long as the process
    with contextlib.suppress(AttributeError):
        if stream is sys.stdin:
            # Input that cannot be decoded must not be sent. An ASCII locale says nothing about a file or pipe.
            encoding = "utf-8" if stream.encoding.lower() in ("ascii", "us-ascii", "ansi_x3.4-1968") else None
            stream.reconfigure(encoding=encoding, errors="strict")  # type: ignore[attr-defined]
        else:
            stream.reconfigure(errors="replace")  # type: ignore[attr-defined]
    return stream


def run(
    arguments: Sequence[str],
    environ: Mapping[str, str],
    stdin: TextIO,
    stdout: TextIO,
    stderr: TextIO,
    *,
    own_process: bool = False,
) -> int:
    """Run one command line and return its exit code; every foreseeable error is one sentence on `stderr`.

    `own_process` says that the process ends with the command, so that a signal may end it at once.
    """
    output = Output(stdin, stdout, stderr, environ)
    # The app, as most start it, needs no parser.
    context = Context(cast("argparse.Namespace", SimpleNamespace(command=None, **GLOBAL_OPTIONS)), environ, output)
    try:
        if arguments:
            from eternal_tui.cli.parser import parse

            with contextlib.redirect_stdout(stdout), contextlib.redirect_stderr(stderr):
                context.arguments = parse(list(arguments))
        given = context.arguments
        given.own_process = own_process
        output.color, output.is_quiet = given.color, given.quiet
        if given.empty and not given.demo:
            raise UsageError("--empty goes with --demo.")
        return _run_command(context)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else ExitCode.SUCCESS
    except BrokenPipeError:
        return SIGPIPE_EXIT_CODE
    except KeyboardInterrupt:
        return SIGINT_EXIT_CODE
    except Exception as error:  # noqa: BLE001 - every defect becomes one sentence and a crash report
        code, sentence = describe_error(error, context) or (
            ExitCode.INTERNAL_ERROR, _report_internal_error(error, context)
        )  # fmt: skip
        output.error(sentence)
        return code
    finally:
        if own_process:
            exit_on_interrupt()


def _run_command(context: Context) -> int:
    name = context.arguments.command
    if name is None:
        from eternal_tui.cli.commands import app

        return app.run(context)
    from eternal_tui.cli.parser import load_command

    command = load_command(name)
    gc.enable()
    if name in _COMMANDS_THAT_CLEAN_UP:
        raise_on_interrupt()
    return command.run(context)


def _report_internal_error(error: Exception, context: Context) -> SafeText:
    from eternal_tui.config.credentials import known_keys
    from eternal_tui.config.loader import default_data_dir
    from eternal_tui.config.settings import SettingsError
    from eternal_tui.core.logging import write_crash_report

    try:
        folder = context.settings.data_dir
    except SettingsError:
        folder = default_data_dir(context.environ)
    keys = known_keys(context.environ)
    path = write_crash_report(error, folder / "logs", keys, command=context.arguments.command or "app")
    if path is None:
        return format_safe("Internal error: {error}. No report could be written.", error=type(error).__name__)
    return format_safe("Internal error. Please attach {path} to a bug report (contains no key).", path=path)
