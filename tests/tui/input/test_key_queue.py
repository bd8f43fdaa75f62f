"""Keys typed in one piece, before what the first of them opens is there, mean what they mean one by one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any

import pytest
from textual import events
from textual.message_pump import MessagePump
from textual.pilot import Pilot
from textual.widget import Widget
from textual.widgets import Input, TextArea
from textual.worker import Worker

from eternal_tui.tui.app import EternalApp
from eternal_tui.tui.input.key_queue import KeyQueue
from eternal_tui.tui.screens.main import MainScreen
from tests.tui.results import open_services_with_jobs, saved_job
from tests.tui.screens.stage import make_app, wait_idle

DELAY_TURNS = 20
"""Turns of the loop before anything begins, and before it is laid out: as if the machine had much else to do."""

KEY_NAMES = {"/": "slash", ":": "colon", "?": "question_mark", " ": "space", "*": "asterisk"}

INPUT_CASES: dict[str, tuple[Sequence[str], str]] = {
    "filter": (["/", *"red"], "red"),
    "palette": ([":", *"red"], "red"),
    "note and tags": (["N", *"red", "tab", *"dunes"], "dunes"),
    "save as": (["s", *"/red"], "/red"),
    "save as, in the viewer": (["enter", "s", *"/red"], "/red"),
    "help": (["?", *"red"], "red"),
    "prompt": (["n", *"6870", "tab", *"red"], "red"),
    "editing": (["e", *"red"], "red"),
    "prompt history": (["n", "ctrl+r", *"red"], "red"),
    "a prompt of the history": (["n", "ctrl+r", *"waves", "enter", *" over red"], "over red"),
    "presets": (["n", "ctrl+t", *"red"], "red"),
    "list of characters": (["n", "enter", *"red"], "red"),
    "characters": (["C", "/", *"red"], "red"),
    "a new character": (["C", "n", *"red"], "red"),
}
"""What is pressed in the list, and what the line that has the focus then ends with: d would delete, r pay again."""

SCREEN_CASES: dict[str, tuple[Sequence[str], str]] = {
    "statistics": (["I", "escape"], "JobList"),
    "copy": (["y", "d", "escape"], "JobList"),
    "jump": (["ctrl+o", "d"], "JobList"),
    "viewer": (["enter", "d", "escape"], "JobList"),
    "an action of the palette": ([":", *"gallery", "enter"], "Gallery"),
}
"""What is pressed in the list, and what has the focus then: d must not have deleted anything, nor q ended the app."""


def send_keys_at_once(app: EternalApp, keys: Sequence[str]) -> None:
    """Pass keys to the app as its driver does, none waiting for the one before."""
    for key in keys:
        single = len(key) == 1
        app.post_message(events.Key(KEY_NAMES.get(key, key), key if single else None))


async def wait_settled(pilot: Pilot[None], app: EternalApp) -> None:
    taken = asyncio.Event()
    app.call_later(taken.set)
    await taken.wait()
    await app._key_queue.wait_idle()
    await pilot.pause()


async def return_to_list(pilot: Pilot[None], app: EternalApp) -> None:
    """Go back to the list."""
    for _ in range(6):
        if not isinstance(app.screen, MainScreen) or not app.screen.job_pane.job_list.has_focus:
            send_keys_at_once(app, ["escape"])
            await wait_settled(pilot, app)


Step = Callable[..., Coroutine[Any, Any, None]]


def delay_call(plain: Step, turns: int = DELAY_TURNS) -> Step:
    async def slow(self: Any, *arguments: Any) -> None:
        for _ in range(turns):
            await asyncio.sleep(0)
        await plain(self, *arguments)

    return slow


async def test_typed_ahead(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every line that takes text, and every screen that takes keys, gets those typed behind the key that opens it."""
    async with open_services_with_jobs(tmp_path, saved_job("a.png"), saved_job("b.png")) as (bench, jobs):
        app = make_app(bench)
        ends: dict[str, str] = {}
        async with app.run_test(size=(80, 24)) as pilot:
            await wait_idle(pilot)
            monkeypatch.setattr(Widget, "_compose", delay_call(Widget._compose))
            monkeypatch.setattr(MessagePump, "_process_messages", delay_call(MessagePump._process_messages))
            monkeypatch.setattr(Worker, "_run", delay_call(Worker._run, 5 * DELAY_TURNS))
            for name, (keys, typed) in INPUT_CASES.items():
                send_keys_at_once(app, keys)
                await wait_settled(pilot, app)
                line = app.focused
                text = line.value if isinstance(line, Input) else line.text if isinstance(line, TextArea) else str(line)
                ends[name] = text[-len(typed) :]
                await return_to_list(pilot, app)
            for name, (keys, _) in SCREEN_CASES.items():
                send_keys_at_once(app, keys)
                await wait_settled(pilot, app)
                ends[name] = type(app.focused).__name__
                await return_to_list(pilot, app)
            assert ends == {name: end for name, (_, end) in {**INPUT_CASES, **SCREEN_CASES}.items()}
            assert app.is_running
            assert {job.id for job in bench.jobs.store.newest_first()} == {job.id for job in jobs}


async def test_what_does_not_open_gets_no_key_and_nobody_else_does() -> None:
    """Behind all patience the letters that wait are forgotten: they were not meant for what has the focus still."""
    stuck = MessagePump()
    stuck._running = True
    pressed: list[str] = []

    async def press(event: events.Key) -> None:
        pressed.append(event.key)

    def failed(error: Exception) -> None:
        raise error

    keys = KeyQueue(press, lambda: [stuck], lambda: True, failed, timeout_seconds=0.001)
    for key in ("slash", "r", "d"):
        await keys.put(events.Key(key, None))
    await keys.wait_idle()
    assert pressed == ["slash"]
