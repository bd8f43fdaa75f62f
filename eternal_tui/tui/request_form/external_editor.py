"""Lending the terminal to the person's own editor, while the rest of the program works on."""

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
    """Hand the terminal over and take it back; raises SuspendNotSupported where there is none to hand over.

    Meanwhile the event loop runs on, so that polls and downloads do too: nothing is painted, and an interrupt meant
    for the editor does not end the program. The handler is a function, not SIG_IGN, because a child would inherit
    being deaf.
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
    """Drop what is written to the terminal: titles and bells, which are not painted and so not held back.

    A suspended driver has no thread that empties its queue of 30 writes; the next one would stand the event loop still.
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
    """Return the prompt after the person closed their editor; raise EditorNotFound, SuspendNotSupported or OSError.

    The editor gets `environ` without the key.
    """
    command = editor_command(environ)
    with temporary_prompt_file(prompt) as path:
        with suspended_app(app):
            process = await asyncio.create_subprocess_exec(*command, str(path), env=environ_without_keys(environ))
            status = await process.wait()
        # An editor that fails, or is told to (:cq in vim), leaves the prompt as it was.
        return read_prompt(path) if status == 0 else prompt
