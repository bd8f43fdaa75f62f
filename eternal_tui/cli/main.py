"""One run of the program: parse, hand over to the verb, and turn what went wrong into a sentence and a code."""

from __future__ import annotations

import contextlib
import gc
import os
import sys
from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import TYPE_CHECKING, TextIO, cast

from eternal_tui.cli.context import Invocation, UsageError
from eternal_tui.cli.errors import StrayLines, foreseen
from eternal_tui.cli.exit_codes import Exit
from eternal_tui.cli.output import Streams
from eternal_tui.core.sanitize import Shown, say, shown

if TYPE_CHECKING:
    import argparse

    from eternal_tui.core.secret import Secret

INTERRUPTED = 130
"""128 and SIGINT's number, as shells expect it."""

BROKEN_PIPE = 141
"""128 and SIGPIPE's number: the reader went away, as `head` does."""


def run_process() -> int:
    """Run with this process's arguments, environment and streams."""
    # httpx brings a command line of its own that imports click and rich: two thirds of its import, used by nobody here.
    sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]
    stdin, stdout, stderr = (_open_stream(stream) for stream in (sys.stdin, sys.stdout, sys.stderr))
    sys.stderr = cast("TextIO", StrayLines(stderr, _known_keys))
    code = run(sys.argv[1:], os.environ, stdin, stdout, stderr, own_process=True)
    for stream in (stdout, stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            # A pipe or terminal that is gone: the interpreter would flush again at its end, complain, and end with 120.
            _drop(stream)
    return code


def _known_keys() -> list[Secret]:
    from eternal_tui.config.credentials import keys_in, met_keys

    return [*keys_in(os.environ), *met_keys()]


def _drop(stream: TextIO) -> None:
    with contextlib.suppress(OSError, ValueError, AttributeError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


def _open_stream(stream: TextIO | None) -> TextIO:
    if stream is None:
        return open(os.devnull, "r+", encoding="utf-8")  # noqa: PTH123 - as long as the process
    with contextlib.suppress(AttributeError):
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
    """Run one command line and return its exit code; every foreseeable trouble is one sentence on `stderr`.

    `own_process` says that the process ends with the command, so that a signal may end it at once.
    """
    streams = Streams(stdin, stdout, stderr, environ)
    parsed: argparse.Namespace | None = None
    try:
        with contextlib.redirect_stdout(stdout), contextlib.redirect_stderr(stderr):
            parsed = _parsed(arguments)
        parsed.own_process = own_process
        return _carry_out(Invocation(parsed, environ, streams))
    except UsageError as error:
        streams.error(shown(str(error)))
        return Exit.USAGE
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else Exit.DONE
    except BrokenPipeError:
        return BROKEN_PIPE
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception as defect:  # noqa: BLE001 - whatever it is, a person gets a sentence and a report to send
        streams.error(_told_defect(defect, streams, environ, parsed))
        return Exit.DEFECT


def _parsed(arguments: Sequence[str]) -> argparse.Namespace:
    if not arguments:
        # The app, as most start it: the parsers of all verbs would be imported and built for nothing.
        return cast("argparse.Namespace", SimpleNamespace(verb=None))
    from eternal_tui.cli.parser import parse

    return parse(list(arguments))


def _told_defect(
    defect: Exception, streams: Streams, environ: Mapping[str, str], parsed: argparse.Namespace | None
) -> Shown:
    from eternal_tui.config import SettingsError, default_data_dir
    from eternal_tui.config.credentials import keys_in, met_keys
    from eternal_tui.core.crash_report import write_report

    try:
        folder = Invocation(parsed or _parsed(()), environ, streams).settings.data_dir
    except SettingsError:
        folder = default_data_dir(environ)
    secrets = [*keys_in(environ), *met_keys()]
    path = write_report(defect, folder / "logs", secrets, verb=getattr(parsed, "verb", None) or "app")
    if path is None:
        return say("A defect of this program: {error}. No report could be written.", error=type(defect).__name__)
    return say("A defect of this program stopped it. Please send the report {path}; it holds no key.", path=path)


def _carry_out(invocation: Invocation) -> int:
    try:
        return _verb(invocation)
    except Exception as error:
        told = foreseen(error, invocation)
        if told is None:
            raise
        code, sentence = told
    invocation.streams.error(sentence)
    return code


def _verb(invocation: Invocation) -> int:
    name = invocation.arguments.verb
    if name is None:
        from eternal_tui.cli.commands import app

        return app.run(invocation)
    from eternal_tui.cli.parser import verb_module

    verb = verb_module(name)
    gc.enable()
    return verb.run(invocation)
