"""Make every screenshot anew: `.venv/bin/python screenshots/make.py`.

The real app runs against the real sandbox, is driven by keys, and draws itself as SVG; Chromium turns that into PNG.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path

from textual.pilot import Pilot

from eternal_tui.sandbox.launch import launch_demo
from eternal_tui.settings import load_settings
from eternal_tui.tui.app import EternalApp
from eternal_tui.tui.graphics.blocks import HalfBlocks
from eternal_tui.workbench import Workbench

HERE = Path(__file__).parent
CELL = (9.95, 24.4)
"""Pixels of a cell in Textual's SVG export, to size the browser's window."""

PROMPTS = (
    ("6870", "image", "At the harbour, early morning, in a yellow raincoat"),
    ("6870", "video", "The person waves and smiles"),
    ("6871", "image", "Reading under a lamp while it snows outside"),
    ("6872", "video", "Dancing slowly in the evening light"),
    ("6870", "image", "fault:failed in the rain"),
    ("6871", "image", "Walking through an autumn forest"),
    ("6872", "image", "fault:lost-answer on a night train"),
)

Step = Callable[[Pilot[None], EternalApp], Awaitable[None]]


async def submit_all(app: EternalApp) -> None:
    """Send the prompts, so that the list shows every kind of end."""
    from eternal_tui.api.request import GenerateRequest

    book = app.bench.book
    await book.load()
    names = [book.known[0], book.known[1], book.known[2]]
    by_number = dict(zip(("6870", "6871", "6872"), names, strict=True))
    for number, kind, prompt in PROMPTS:
        character = by_number[number]
        request = GenerateRequest(
            character=character.id,
            prompt=prompt,
            type="video" if kind == "video" else "image",
            duration=4 if kind == "video" else None,
            audio=True if kind == "video" else None,
            quality=None if kind == "video" else "low",
        )
        await app.bench.desk.submit(request, name=character.name)


async def finished(app: EternalApp, count: int) -> None:
    """Wait until that many jobs have their file."""
    async with asyncio.timeout(120):
        while sum(job.file is not None for job in app.bench.desk.listing()) < count:
            await asyncio.sleep(0.2)


async def shot(name: str, size: tuple[int, int], steps: Step, *, speed: float) -> None:
    """Run the app once and keep the screen it ends on."""
    environ = {**os.environ, "LANG": "C.UTF-8", "TERM": "xterm-256color", "COLORTERM": "truecolor"}
    environ.pop("NO_COLOR", None)
    demo = launch_demo(environ=environ, speed=speed, seed=11)
    bench = Workbench(load_settings({}, environ), environ, demo=demo, throw_away=True)
    app = EternalApp(bench, HalfBlocks(), "", environ)
    async with app.run_test(size=size) as pilot:
        await submit_all(app)
        await steps(pilot, app)
        app.clear_notifications()
        await pilot.pause(1.0)
        svg = app.export_screenshot(title="eternal-tui")
        await render(svg, HERE / f"{name}.png", size)


async def render(svg: str, target: Path, size: tuple[int, int]) -> None:
    """Turn SVG into PNG with a headless browser."""
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        sys.exit("Chromium is needed to turn the screens into PNG: install it and run this again.")
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "screen.html"
        # The exported SVG names fonts of a content network; a local monospace font draws the same cells.
        local = svg.replace("Fira Code", "DejaVu Sans Mono")
        page.write_text(f"<body style='margin:0;background:#14161b'>{local}</body>", encoding="utf-8")
        width, height = round(size[0] * 12.2 + 20), round(size[1] * 24.4 + 55)
        command = [
            browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking",
            "--disable-component-update", "--disable-sync", "--no-first-run", "--hide-scrollbars",
            f"--user-data-dir={folder}/profile", f"--window-size={width},{height}",
            f"--screenshot={target}", page.as_uri(),
        ]  # fmt: skip
        await asyncio.to_thread(subprocess.run, command, check=True, capture_output=True, timeout=60)
    print(target)


async def overview(pilot: Pilot[None], app: EternalApp) -> None:
    await finished(app, 2)
    await pilot.pause(1.0)
    await pilot.press("G")


async def list_with_picture(pilot: Pilot[None], app: EternalApp) -> None:
    await finished(app, 4)
    await pilot.pause(0.5)
    await pilot.press("G")


async def open_image(pilot: Pilot[None], app: EternalApp) -> None:
    await finished(app, 5)
    await pilot.press("G", "enter")


async def open_clip(pilot: Pilot[None], app: EternalApp) -> None:
    await finished(app, 5)
    await pilot.press("G", "k", "enter")
    await pilot.pause(1.0)
    await pilot.press("p")
    await pilot.pause(1.5)
    await pilot.press("p")


async def drawer(pilot: Pilot[None], app: EternalApp) -> None:
    await finished(app, 3)
    await pilot.press("ctrl+n")
    await pilot.pause(0.5)


async def main() -> None:
    """Make them all."""
    wanted = sys.argv[1:]
    for name, size, steps, speed in (
        ("workbench-140x40", (140, 40), overview, 6.0),
        ("workbench-80x24", (80, 24), list_with_picture, 12.0),
        ("form-80x24", (80, 24), drawer, 12.0),
        ("picture-140x40", (140, 40), open_image, 40.0),
        ("clip-140x40", (140, 40), open_clip, 40.0),
    ):
        if not wanted or name in wanted:
            await shot(name, size, steps, speed=speed)


if __name__ == "__main__":
    asyncio.run(main())
