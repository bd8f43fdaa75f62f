"""Runs the user's editor on the terminal while the event loop keeps running."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from textual.app import App

from eternal_tui.config.credentials import environ_without_keys
from eternal_tui.drafts.editor import editor_command, read_prompt, temporary_prompt_file


@contextmanager
def suspended_app(app: App[object]) -> Iterator[None]:
    """Suspend the app on the terminal; raises SuspendNotSupported where there is no terminal.

    The event loop keeps running, and with it polls and downloads. Nothing is painted, and SIGINT does not end the
    program. The handler is a function because a child process would inherit SIG_IGN.
    """
    with app.batch_update(), app.suspend():
        before = signal.signal(signal.SIGINT, lambda _signal, _frame: None)
        try:
            with _discard_output(app):
                yield
        finally:
            signal.signal(signal.SIGINT, before)


@contextmanager
def _discard_output(app: App[object]) -> Iterator[None]:
    """Drop titles and bells, which are written without painting.

    A suspended driver has no thread that empties its queue of 30 writes; the 31st would block the event loop.
    """
    driver = app._driver
    if driver is None:
        yield
        return
    driver.write = lambda data: None  # type: ignore[method-assign] # noqa: ARG005
    try:
        yield
    finally:
        del driver.write  # the method of the class shows again


async def edit_prompt(app: App[object], prompt: str, environ: Mapping[str, str]) -> str:
    """Return the prompt as edited; raise EditorNotFound, SuspendNotSupported or OSError.

    The editor gets `environ` without keys.
    """
    command = editor_command(environ)
    with temporary_prompt_file(prompt) as path:
        with suspended_app(app):
            process = await asyncio.create_subprocess_exec(*command, str(path), env=environ_without_keys(environ))
            status = await process.wait()
        # An editor that exits with an error (:cq in vim) leaves the prompt unchanged.
        return read_prompt(path) if status == 0 else prompt
