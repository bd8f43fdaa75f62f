"""Runs the user's editor on the terminal while the event loop keeps running."""

from __future__ import annotations

import asyncio
import shutil
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from textual.app import App

from eternal_tui.config.credentials import environ_without_keys
from eternal_tui.drafts.editor import create_prompt_file, editor_command, read_prompt

RETURNED_AT_ONCE_SECONDS = 1.0
"""An editor that ends sooner was not used."""


@contextmanager
def suspended_app(app: App[object]) -> Iterator[None]:
    """Suspend the app on the terminal; raises SuspendNotSupported where there is no terminal.

    The event loop keeps running, and with it polls and downloads. Nothing is painted, and SIGINT does not end the
    program. The handler is a function because a child process would inherit SIG_IGN.
    """
    failure: BaseException | None = None
    with app.batch_update(), app.suspend():
        before = signal.signal(signal.SIGINT, lambda _signal, _frame: None)
        try:
            yield
        except BaseException as error:  # noqa: BLE001 - raised again below: Textual resumes only without an exception
            failure = error
        finally:
            signal.signal(signal.SIGINT, before)
    if failure is not None:
        raise failure


async def edit_prompt(app: App[object], prompt: str, environ: Mapping[str, str]) -> tuple[str, str]:
    """Return the prompt as edited, and a sentence about what went wrong, "" for nothing.

    The editor gets `environ` without keys. The file stays where its text could be lost: if the editor fails, or returns
    at once because it opened a window of its own. Raises EditorNotFound, SuspendNotSupported or OSError.
    """
    command = editor_command(environ)
    path = create_prompt_file(prompt)
    is_kept = False
    try:
        with suspended_app(app):
            began = time.monotonic()
            process = await asyncio.create_subprocess_exec(*command, str(path), env=environ_without_keys(environ))
            status = await process.wait()
        text = read_prompt(path)
        if status:
            is_kept = text != prompt
            how = f"exit code {status}" if status > 0 else f"signal {-status}"
            kept = f" What it wrote is in {path}." if is_kept else ""
            return prompt, f"The editor ended with {how}. The prompt is unchanged.{kept}"
        if text == prompt and time.monotonic() - began < RETURNED_AT_ONCE_SECONDS:
            is_kept = True
            own_window = "If it has its own window, set VISUAL to one that waits (code --wait)"
            return prompt, f"The editor returned at once. {own_window}; what it saves is in {path}."
        return text, ""
    finally:
        if not is_kept:
            shutil.rmtree(path.parent, ignore_errors=True)
