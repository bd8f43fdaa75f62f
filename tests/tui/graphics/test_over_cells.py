"""Sixels and iTerm2 images, read back by decoders of their own, and where they are laid and taken away."""

from __future__ import annotations

import base64
import re
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageChops, ImageStat
from textual.app import ComposeResult
from textual.geometry import Region
from textual.screen import ModalScreen

from eternal_tui.media.decode.frame import HALF_BLOCK_CELL, Frame
from eternal_tui.tui.graphics.half_blocks import HalfBlocks
from eternal_tui.tui.graphics.over_cells import InlineImages, Sixel, encode_sixel, quantize
from eternal_tui.tui.picture.picture import MediaView
from eternal_tui.tui.terminal.base_app import TerminalApp
from tests.media.files import make_image

_TOKEN_PATTERN = re.compile(rb"#(\d+)(?:;2;(\d+);(\d+);(\d+))?|!(\d+)([?-~])|([$\-])|([?-~])")


def decode_sixel(sequence: str) -> Image.Image:
    """Return what a terminal draws of a sixel sequence; every byte of it has to be understood."""
    match = re.fullmatch(rb'\x1bP0;1;0q"1;1;(\d+);(\d+)(.*)\x1b\\', sequence.encode("ascii"), re.DOTALL)
    assert match is not None
    width, height, body = int(match[1]), int(match[2]), match[3]
    image = Image.new("RGB", (width, height), "magenta")
    palette: dict[int, tuple[int, int, int]] = {}
    x = top = colour = at = 0
    while at < len(body):
        token = _TOKEN_PATTERN.match(body, at)
        assert token is not None, body[at : at + 20]
        at = token.end()
        if token[1]:
            colour = int(token[1])
            if token[2]:
                palette[colour] = tuple(round(int(level) * 255 / 100) for level in token.groups()[1:4])  # type: ignore[assignment]
        elif token[7]:
            x, top = 0, top + (6 if token[7] == b"-" else 0)
        else:
            count, value = (int(token[5]), token[6]) if token[5] else (1, token[8])
            for column in range(x, x + count):
                for bit in range(6):
                    if (value[0] - 63) >> bit & 1:
                        image.putpixel((column, top + bit), palette[colour])
            x += count
    return image


@settings(deadline=None, max_examples=25)
@given(st.integers(1, 40), st.integers(1, 20), st.integers(2, 9), st.randoms(use_true_random=False))
def test_every_pixel_comes_back(width: int, height: int, colours: int, random: object) -> None:
    image = Image.new("P", (width, height))
    image.putpalette([level for colour in range(colours) for level in (colour * 25, 255 - colour * 25, 0)])
    image.putdata([random.randrange(colours) for _ in range(width * height)])  # type: ignore[attr-defined]
    difference = ImageChops.difference(decode_sixel(encode_sixel(image)), image.convert("RGB"))
    assert max(difference.tobytes()) <= 2  # a channel has 101 steps


def test_the_picture_is_the_one_asked_for() -> None:
    """Dithered, so compared as the eye does: averaged over four by four pixels."""
    source = make_image(96, 64)
    found = decode_sixel(encode_sixel(quantize(source, 128)))
    assert found.size == source.size
    difference = ImageChops.difference(found.reduce(4), source.reduce(4))
    assert max(ImageStat.Stat(difference).mean) < 3


def test_half_blocks_of_the_same_picture_stand_under_it() -> None:
    graphics = Sixel(HalfBlocks(), (8, 17))
    source = make_image(80, 170)
    drawing = graphics.render(Frame(80, 170, source.tobytes()))
    assert (drawing.width, len(drawing.strips)) == (10, 10)
    assert '"1;1;80;170' in drawing.overlay
    coarse = source.resize((10, 20), Image.Resampling.BOX)
    assert drawing.strips == HalfBlocks().render(Frame(10, 20, coarse.tobytes())).strips


def test_clips_thumbnails_and_giants_are_half_blocks() -> None:
    graphics = Sixel(HalfBlocks(), (8, 17), max_size=(100, 100))
    assert tuple(graphics.video_cell_size) == HALF_BLOCK_CELL
    assert graphics.render(Frame(8, 8, bytes(192)), animated=True).overlay == ""
    assert graphics.render(Frame(160, 17, bytes(160 * 17 * 3))).overlay == ""
    assert isinstance(graphics.for_thumbnails, HalfBlocks)


@pytest.mark.parametrize(("remote", "size", "most_bytes"), [(False, (160, 320), 40_000), (True, (80, 160), 4_000)])
def test_an_inline_image_is_a_file_for_so_many_cells(remote: bool, size: tuple[int, int], most_bytes: int) -> None:
    graphics = InlineImages(HalfBlocks(), (8, 16), remote=remote)
    source = make_image(160, 320).resize(size, Image.Resampling.BOX)
    drawing = graphics.render(Frame(*size, source.tobytes()))
    assert (drawing.width, len(drawing.strips), drawing.overlay_cell) == (20, 20, (0, 0))
    match = re.fullmatch(r"\x1b]1337;File=inline=1;size=(\d+);width=20;height=20;(.*):([^:]+)\x07", drawing.overlay)
    assert match is not None
    assert "preserveAspectRatio=0" in match[2]
    file = base64.b64decode(match[3])
    assert len(file) == int(match[1]) < most_bytes
    found = Image.open(BytesIO(file)).convert("RGB")
    assert found.size == size
    assert max(ImageStat.Stat(ImageChops.difference(found, source)).mean) < (3 if remote else 1.5)
    assert graphics.render(Frame(2, 4, bytes(24)), animated=True).overlay == ""


class SixelApp(TerminalApp):
    CSS = "MediaView { width: 20; height: 10; } Screen { layout: vertical; }"

    def __init__(self) -> None:
        super().__init__()
        self.media_view = MediaView(Sixel(HalfBlocks(), (8, 16)), decode_delay_seconds=0.0)
        self.written: list[str] = []
        self.cell = (8, 16)

    def compose(self) -> ComposeResult:
        yield self.media_view

    def write_sequence(self, sequence: str) -> None:
        self.written.append(sequence)

    def cell_size(self) -> tuple[int, int]:
        return self.cell

    async def wait_for_overlays(self) -> int:
        """Let pixels be laid that are due, and return how often any were."""
        await self.workers.wait_for_complete()
        await self._animator.wait_until_complete()
        if self.overlays._timer is not None:
            self.overlays._timer.stop()
            self.overlays._paint_due()
        return len(self.written)


@pytest.fixture
def still(tmp_path: Path) -> Path:
    path = tmp_path / "a.png"
    make_image(160, 160).save(path)
    return path


async def test_pixels_are_laid_once_and_again_where_they_were_written_over(still: Path) -> None:
    app = SixelApp()
    async with app.run_test(size=(40, 12)) as pilot:
        app.media_view.set_file(still)
        await pilot.pause()
        assert await app.wait_for_overlays() == 1
        assert app.written[0].startswith("\x1b7\x1b[1;1H\x1bP")
        assert app.written[0].endswith("\x1b\\\x1b8")
        app.overlays.invalidate([Region(25, 3, 4, 1), Region(0, 11, 40, 1)])
        assert await app.wait_for_overlays() == 1
        app.overlays.invalidate([Region(3, 3, 1, 1)])
        assert await app.wait_for_overlays() == 2
        app.media_view.set_file(None)
        app.overlays.invalidate([Region(0, 0, 40, 12)])
        assert await app.wait_for_overlays() == 2


class CoveringScreen(ModalScreen[None]):
    """Something in front."""


@pytest.mark.parametrize("how", ["screen", "toast", "last row", "scrolled", "font", "hidden"])
async def test_pixels_wait_where_they_cannot_stand(still: Path, how: str) -> None:
    app = SixelApp()
    size = (40, 10 if how == "last row" else 12)
    async with app.run_test(size=size, notifications=True) as pilot:
        if how == "screen":
            await app.push_screen(CoveringScreen())
        elif how == "toast":
            app.notify("Something happened that takes a few words to say", timeout=60)
        elif how == "scrolled":
            app.media_view.styles.margin = (-2, 0, 0, 0)
        elif how == "font":
            app.cell = (10, 20)
        elif how == "hidden":
            app.media_view.display = False
        if how == "toast":
            app.media_view.styles.width = 40
            app.media_view.styles.height = 11
        await pilot.pause()
        app.media_view.set_file(still)
        await pilot.pause()
        assert await app.wait_for_overlays() == 0
        if how == "screen":
            app.pop_screen()
            await pilot.pause()
            app.overlays.invalidate([])
            assert await app.wait_for_overlays() == 1


class TwoPicturesApp(SixelApp):
    CSS = "MediaView { width: 20; height: 10; } Screen { layout: horizontal; }"

    def compose(self) -> ComposeResult:
        yield self.media_view
        yield MediaView(Sixel(HalfBlocks(), (8, 16)), decode_delay_seconds=0.0)


async def test_a_picture_is_laid_again_where_its_left_neighbour_erased_a_column(still: Path) -> None:
    app = TwoPicturesApp()
    async with app.run_test(size=(40, 12)) as pilot:
        for picture in app.query(MediaView):
            picture.set_file(still)
        await pilot.pause()
        assert await app.wait_for_overlays() >= 2
        places = [re.match(r"\x1b7\x1b\[1;(\d+)H", each)[1] for each in app.written[-2:]]  # type: ignore[index]
        assert places == ["1", "21"]
        before = len(app.written)
        app.overlays.invalidate([Region(3, 3, 1, 1)])
        assert await app.wait_for_overlays() == before + 2
        app.overlays.invalidate([Region(23, 3, 1, 1)])
        assert await app.wait_for_overlays() == before + 3
