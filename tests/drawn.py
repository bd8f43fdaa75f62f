"""Wait until everything a running app was asked for is drawn, by its event loop and never by a clock."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from textual._context import active_app
from textual.app import App
from textual.pilot import Pilot
from textual.screen import Screen
from textual.strip import Strip
from textual.worker import Worker

from eternal_tui.tui.screens.main import MainScreen
from tests.jobs.quiet import loop_activity, wait_idle

HANGS = 60.0
"""Seconds after which what is waited for will not come: it only ends what hangs."""


LOOK_EVERY = 0.005
"""Seconds between two checks of what has no event."""

Awaited = Callable[[Worker[Any]], bool]


async def drawn(app: App[Any], awaited: Awaited | None = None) -> None:
    """Return when no message and no thread goes on any more in the app's loop, and what they led to is drawn.

    With `awaited`, which tells the workers that end by themselves, everything asked for is: also what these find, and
    what the workbench draws a moment after the last key or change. What waits for a person or for the service goes on
    for as long as these like, and is no part of that.
    """
    async with asyncio.timeout(HANGS):
        while app.is_running:
            await wait_idle()
            if app._exception is not None:
                return
            if _draw(app.screen):
                continue
            if awaited is None:
                return
            if workers := [each for each in app.workers if not each.is_finished and awaited(each)]:
                await asyncio.wait([_end(each) for each in workers], return_when=asyncio.FIRST_COMPLETED)
            elif any(_draws_later(each) for each in app.screen_stack):
                await _next_timer()
            else:
                return


async def until(pilot: Pilot[Any], true: Callable[[], object]) -> None:
    """Wait until this holds, asked whenever all is drawn; what it waits for may be a timer, or another process."""
    end = time.monotonic() + HANGS
    while not true():
        # A pause is a message to the app and its widgets, too: each of them holds the last one it had.
        await pilot.pause()
        assert time.monotonic() < end, "\n".join(strip.text for strip in screen_strips(pilot.app.screen))
        await asyncio.sleep(LOOK_EVERY)


def screen_strips(screen: Screen[Any]) -> list[Strip]:
    """Return the lines of the screen as they are drawn."""
    return screen._compositor.render_strips()


def _end(worker: Worker[Any]) -> asyncio.Future[Any]:
    assert worker._task is not None
    return worker._task


def _draw(screen: Screen[Any]) -> bool:
    """Draw now what the screen would draw at its next sixtieth of a second; tell whether there was anything."""
    asked = screen.is_current and not screen.app._batch_count
    asked = asked and bool(
        screen._layout_required
        or screen._scroll_required
        or screen._repaint_required
        or screen._recompose_required
        or screen._dirty_widgets
    )
    asked = asked or bool(screen._callbacks)
    screen._on_timer_update()
    return asked


def _draws_later(screen: Screen[Any]) -> bool:
    return isinstance(screen, MainScreen) and (
        screen._detail_debouncer.is_pending or bool(screen.refresh_timer._changed_ids)
    )


async def _next_timer() -> None:
    """Wait until the next timer of the loop is due, among them the one that draws."""
    loop: Any = asyncio.get_running_loop()
    due = min(each.when() for each in loop._scheduled if not each.cancelled())
    await asyncio.sleep(due - loop.time())


@contextmanager
def pilots_wait_for_what_is_drawn() -> Iterator[None]:
    """Let the keys and pauses of every pilot end when all is drawn.

    Textual's own end when the process used little of the processor for a fiftieth of a second: on a busy machine it
    does so with everything still to be done.
    """
    run_test = App.run_test

    async def wait_for_idle(*_: float) -> None:
        await drawn(active_app.get())

    def watched(self: App[Any], **options: Any) -> Any:
        # Threads are known from the app's first on.
        loop_activity()
        return run_test(self, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("textual.app.wait_for_idle", wait_for_idle)
        patch.setattr("textual.pilot.wait_for_idle", wait_for_idle)
        patch.setattr(App, "run_test", watched)
        yield
