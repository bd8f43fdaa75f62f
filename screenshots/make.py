"""Make every screenshot anew: `.venv/bin/python screenshots/make.py`.

The real app runs against the real sandbox, is driven by keys, and draws itself as SVG; Chromium turns that into PNG.
"""

from __future__ import annotations

import asyncio
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from PIL import Image
from textual.pilot import Pilot

from eternal_tui.config.loader import load_settings
from eternal_tui.sandbox.launch import launch_demo
from eternal_tui.services import Services
from eternal_tui.tui.app import EternalApp
from eternal_tui.tui.demo import seed_demo
from eternal_tui.tui.graphics.base import GraphicsBackend, NullGraphics
from eternal_tui.tui.graphics.symbols import Symbols
from eternal_tui.tui.picture.picture import MediaView

HERE = Path(__file__).parent
CELL = (9.95, 24.4)
"""Pixels of a cell in Textual's SVG export, to size the browser's window."""

PAGE = (1400, 900)
"""Pixels of the window in which the exported page is photographed."""

Step = Callable[[Pilot[None], EternalApp], Awaitable[None]]


async def finished(app: EternalApp, count: int) -> None:
    """Wait until that many jobs have their file."""
    async with asyncio.timeout(120):
        while sum(job.file is not None for job in app.services.jobs.store.newest_first()) < count:
            await asyncio.sleep(0.2)


async def shot(
    name: str, size: tuple[int, int], steps: Step, *, speed: float, graphics: GraphicsBackend | None = None
) -> None:
    """Run the demo once, by the keys of `steps`, and save the screen it ends on as `name`.png."""
    async with running_demo(size, speed, graphics or Symbols(truecolor=True)) as (pilot, app):
        await steps(pilot, app)
        app.clear_notifications()
        await pilot.pause(1.0)
        if name:
            await render(app.export_screenshot(title="eternal-tui"), HERE / f"{name}.png", size)


@asynccontextmanager
async def running_demo(
    size: tuple[int, int], speed: float, graphics: GraphicsBackend
) -> AsyncIterator[tuple[Pilot[None], EternalApp]]:
    """Run the app on the demo's sample jobs."""
    environ = {**os.environ, "LANG": "C.UTF-8", "TERM": "xterm-256color", "COLORTERM": "truecolor"}
    environ.pop("NO_COLOR", None)
    demo = launch_demo(environ=environ, speed=speed, seed=11, options=["--sample-jobs"])
    services = Services(load_settings({}, environ), environ, demo=demo, ephemeral=True)
    seed_demo(services)
    app = EternalApp(services, graphics, environ)
    async with app.run_test(size=size) as pilot:
        yield pilot, app


FRAME_WIDTH = 900
"""Pixels of a frame of the animation."""


async def animate(size: tuple[int, int], graphics: GraphicsBackend) -> None:
    """Save `demo.gif`: a request is sent, watched and opened, a batch unfolded, a video played."""
    frames: list[tuple[Image.Image, int]] = []
    async with running_demo(size, 6.0, graphics) as (pilot, app):

        async def take(milliseconds: int) -> None:
            with tempfile.TemporaryDirectory() as folder:
                target = Path(folder) / "frame.png"
                await render(app.export_screenshot(title="eternal-tui"), target, size)
                with Image.open(target) as picture:
                    height = round(picture.height * FRAME_WIDTH / picture.width)
                    frames.append((picture.convert("RGB").resize((FRAME_WIDTH, height)), milliseconds))

        await finished(app, 4)
        app.clear_notifications()
        await pilot.pause(0.5)
        await take(1500)
        for keys, pause, milliseconds in (
            (("1",), 0.6, 2000),
            (("ctrl+s",), 0.6, 900),
            ((), 0.7, 700),
            ((), 0.7, 700),
            (("escape",), 2.0, 1200),
            (("g",), 0.6, 1500),
            (("j", "j", "right"), 0.6, 1500),
            (("j",), 0.8, 1200),
            (("enter",), 1.2, 1800),
            (("escape", "G", "k"), 0.8, 900),
            (("enter", "p"), 0.6, 250),
            *(((), 0.1, 250) for _ in range(7)),
            (("escape", "v"), 1.2, 2000),
            (("escape", "I"), 1.0, 2200),
        ):
            await pilot.press(*keys)
            await pilot.pause(pause)
            app.clear_notifications()
            await take(milliseconds)
    first, *others = [frame.quantize(128, dither=Image.Dither.NONE) for frame, _ in frames]
    first.save(
        HERE / "demo.gif",
        save_all=True,
        append_images=others,
        duration=[each for _, each in frames],
        loop=0,
        optimize=True,
    )
    print(HERE / "demo.gif", (HERE / "demo.gif").stat().st_size)


async def render(svg: str, target: Path, size: tuple[int, int]) -> None:
    """Turn SVG into PNG with a headless browser."""
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "screen.html"
        # The exported SVG names fonts of a content network; a local monospace font draws the same cells.
        local = svg.replace("Fira Code", "DejaVu Sans Mono")
        page.write_text(
            f"<meta charset=utf-8><body style='margin:0;background:#14161b'>{local}</body>", encoding="utf-8"
        )
        await photograph(page, target, (round(size[0] * 12.2 + 20), round(size[1] * 24.4 + 55)))


async def photograph(page: Path, target: Path, size: tuple[int, int]) -> None:
    """Keep what a headless browser shows of a file in a window of that many pixels."""
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        sys.exit("Chromium is needed to turn the screens into PNG: install it and run this again.")
    with tempfile.TemporaryDirectory() as folder:
        command = [
            browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking",
            "--disable-component-update", "--disable-sync", "--no-first-run", "--hide-scrollbars",
            f"--user-data-dir={folder}/profile", f"--window-size={size[0]},{size[1]}",
            f"--screenshot={target}", page.as_uri(),
        ]  # fmt: skip
        await asyncio.to_thread(subprocess.run, command, check=True, capture_output=True, timeout=60)
    print(target)


OPEN_BATCH = ("g", "j", "right", "j")
"""Keys to the first image of the sample batch."""


async def overview(pilot: Pilot[None], app: EternalApp) -> None:
    await finished(app, 4)
    await pilot.press(*OPEN_BATCH)
    await pilot.pause(0.5)


async def open_image(pilot: Pilot[None], app: EternalApp) -> None:
    await finished(app, 4)
    await pilot.press(*OPEN_BATCH, "enter")


async def open_clip(pilot: Pilot[None], app: EternalApp) -> None:
    await finished(app, 4)
    await pilot.press("G", "k", "enter")
    await pilot.pause(1.0)
    await pilot.press("p")
    await pilot.pause(1.5)
    await pilot.press("p")


async def drawer(pilot: Pilot[None], app: EternalApp) -> None:
    await finished(app, 4)
    await pilot.press("1")
    await pilot.pause(0.5)


async def gallery(pilot: Pilot[None], app: EternalApp) -> None:
    await finished(app, 4)
    await pilot.press(*OPEN_BATCH, "v", "z", "l")
    await pilot.pause(1.5)


async def compare(pilot: Pilot[None], app: EternalApp) -> None:
    await finished(app, 4)
    await pilot.press(*OPEN_BATCH, "space", "j", "space", "c")
    await pilot.pause(1.5)


async def zoomed(pilot: Pilot[None], app: EternalApp) -> None:
    await finished(app, 4)
    await pilot.press(*OPEN_BATCH, "enter")
    await pilot.pause(1.0)
    await pilot.press("plus", "plus", "plus", "up")
    await pilot.pause(0.5)


async def characters(pilot: Pilot[None], app: EternalApp) -> None:
    await finished(app, 4)
    await pilot.press("f2")
    await pilot.pause(1.0)
    await pilot.press("asterisk", "j")
    async with asyncio.timeout(30):
        while not app.screen.query_one(MediaView).has_drawing:
            await pilot.pause(0.2)


async def figures(pilot: Pilot[None], app: EternalApp) -> None:
    await finished(app, 4)
    await pilot.press("G", "I")
    await pilot.pause(0.5)


async def in_words(pilot: Pilot[None], app: EternalApp) -> None:
    await finished(app, 4)
    await pilot.press("G", "v")
    await pilot.pause(0.5)


async def exported(pilot: Pilot[None], app: EternalApp) -> None:  # noqa: ARG001
    """Keep the page that `export --format html` makes of this history, as Chromium shows it."""
    from eternal_tui.cli.commands.export import gallery_items
    from eternal_tui.core.sanitize import SafeText
    from eternal_tui.media.galleries import write_gallery

    await finished(app, 4)
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "page.html"
        with page.open("w", encoding="utf-8") as file:
            items = gallery_items(iter(app.services.jobs.store.newest_first()), app.services.jobs.results_dir)
            write_gallery(
                items,
                file,
                title=SafeText("Gallery"),
                subtitle=SafeText("Results of eternal-tui"),
                max_bytes=100_000_000,
            )
        await photograph(page, HERE / "page.png", PAGE)


async def on_one_sheet(pilot: Pilot[None], app: EternalApp) -> None:  # noqa: ARG001
    """Keep the contact sheet that `export --format sheet` makes of this history."""
    from eternal_tui.cli.commands.export import gallery_items
    from eternal_tui.media.galleries import write_contact_sheet

    await finished(app, 4)
    with (HERE / "sheet.png").open("wb") as file:
        write_contact_sheet(
            list(gallery_items(iter(app.services.jobs.store.newest_first()), app.services.jobs.results_dir)), file
        )
    print(HERE / "sheet.png")


XTERM = ("xterm", "-ti", "vt340", "-geometry", "140x40", "-fa", "DejaVu Sans Mono", "-fs", "10", "-b", "0", "-e")
KITTY = (
    "kitty", "--config", "NONE", "-o", "font_family=DejaVu Sans Mono", "-o", "font_size=10", "-o",
    "remember_window_size=no", "-o", "initial_window_width=140c", "-o", "initial_window_height=40c", "-o",
    "update_check_interval=0", "-o", "window_padding_width=0", "-o", "confirm_os_window_close=0", "-o",
    "background=#14161b",
)  # fmt: skip


def in_terminal(name: str, terminal: tuple[str, ...]) -> None:
    """Keep what a real terminal shows, on a display of its own; needs it, Xvfb, and ImageMagick."""
    if any(shutil.which(tool) is None for tool in ("xvfb-run", terminal[0], "import")):
        print(f"{name}: left as it is, for want of xvfb-run, {terminal[0]} or import")
        return
    environ = {**os.environ, "LANG": "C.UTF-8", "PYTHONPATH": str(HERE.parent), "LIBGL_ALWAYS_SOFTWARE": "1"}
    with tempfile.TemporaryDirectory() as folder:
        program = [sys.executable, "-m", "eternal_tui", "--demo", "--data-dir", f"{folder}/data"]
        request = ["generate", "--character", "6870", "--prompt", "At the harbour, early morning", "--wait"]
        subprocess.run(
            [*program, *request], env=environ | {"HOME": folder}, check=True, capture_output=True, timeout=120
        )
        # The terminal's own name: by it the app knows what can be drawn.
        named = "xterm-kitty" if terminal is KITTY else "xterm-256color"
        app = f"exec env TERM={named} COLORTERM=truecolor {shlex.join(program)}"
        keep = f"import -window root -trim {HERE / name}.png"
        script = f"{shlex.join([*terminal, 'sh', '-c', app])} & sleep 12; {keep}; kill $!"
        display = ["xvfb-run", "-a", "-s", "-screen 0 1400x900x24", "sh", "-c", script]
        subprocess.run(display, env=environ | {"HOME": folder}, check=True, timeout=60)
    print(HERE / f"{name}.png")


async def main() -> None:
    """Make them all."""
    wanted = sys.argv[1:]
    blocks, words = Symbols(truecolor=True), NullGraphics()
    for name, size, steps, speed, graphics in (
        ("workbench-140x40", (140, 40), overview, 6.0, blocks),
        ("workbench-80x24", (80, 24), overview, 12.0, blocks),
        ("form-80x24", (80, 24), drawer, 12.0, blocks),
        ("picture-140x40", (140, 40), open_image, 40.0, blocks),
        ("clip-140x40", (140, 40), open_clip, 40.0, blocks),
        ("gallery-140x40", (140, 40), gallery, 40.0, blocks),
        ("compare-140x40", (140, 40), compare, 40.0, blocks),
        ("zoom-140x40", (140, 40), zoomed, 40.0, blocks),
        ("characters-140x40", (140, 40), characters, 40.0, blocks),
        ("statistics-140x40", (140, 40), figures, 40.0, blocks),
        ("words-80x24", (80, 24), in_words, 40.0, words),
    ):
        if not wanted or name in wanted:
            await shot(name, size, steps, speed=speed, graphics=graphics)
    if not wanted or "demo" in wanted:
        await animate((110, 32), blocks)
    for name, terminal in (("sixel-140x40", XTERM), ("kitty-140x40", KITTY)):
        if not wanted or name in wanted:
            await asyncio.to_thread(in_terminal, name, terminal)
    if not wanted or "sheet" in wanted:
        await shot("", (140, 40), on_one_sheet, speed=40.0)
    if not wanted or "page" in wanted:
        await shot("", (140, 40), exported, speed=40.0)


if __name__ == "__main__":
    asyncio.run(main())
