"""Half-blocks, pixel by pixel."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Literal

import pytest
from PIL import Image
from rich.color import Color
from rich.color_triplet import ColorTriplet
from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from eternal_tui.media.decode.frame import Canvas, Frame
from eternal_tui.media.decode.images import image_frame
from eternal_tui.tui.graphics.half_blocks import UPPER_HALF_BLOCK, HalfBlocks, PixelStyle
from eternal_tui.tui.picture.canvas import estimate_bytes

RGB = tuple[int, int, int]


def noise_frame(width: int, height: int) -> Frame:
    return Frame(width, height, random.Random(7).randbytes(width * height * 3))


def rgb(triplet: ColorTriplet) -> RGB:
    return triplet.red, triplet.green, triplet.blue


def strip_pixels(strip: Strip) -> list[tuple[RGB, RGB | None]]:
    """Return what a row of cells shows: the colour of each upper and each lower half."""
    cells: list[tuple[RGB, RGB | None]] = []
    for text, style, _ in strip:
        assert style is not None
        assert style.color is not None
        assert style.color.triplet is not None
        assert set(text) == {UPPER_HALF_BLOCK}
        lower = None if style.bgcolor is None else style.bgcolor.triplet
        cells.extend([(rgb(style.color.triplet), None if lower is None else rgb(lower))] * len(text))
    return cells


def pixel(frame: Frame, x: int, y: int) -> RGB:
    red, green, blue = frame.row(y)[x * 3 : x * 3 + 3]
    return red, green, blue


def test_cells_show_pillow_s_own_box_scaling(tmp_path: Path) -> None:
    """File to cells, exact to a rounding: the widget shows what Pillow computes."""
    path = tmp_path / "a.png"
    image = Image.effect_noise((320, 240), 90).convert("RGB")
    image.save(path)
    expected = image.resize((40, 30), Image.Resampling.BOX)
    drawing = HalfBlocks().render(image_frame(path, Canvas(40, 20)))
    assert (drawing.width, len(drawing.strips)) == (40, 15)
    for row, strip in enumerate(drawing.strips):
        for x, cell in enumerate(strip_pixels(strip)):
            for y, colour in enumerate(cell):
                wanted = expected.getpixel((x, 2 * row + y))
                assert all(abs(one - other) <= 1 for one, other in zip(colour, wanted, strict=True))  # type: ignore[arg-type]


@pytest.mark.parametrize(("width", "height"), [(1, 1), (1, 2), (5, 3), (80, 80)])
def test_every_pixel_stands_in_its_place(width: int, height: int) -> None:
    frame = noise_frame(width, height)
    drawing = HalfBlocks().render(frame)
    assert len(drawing.strips) == -(-height // 2)
    for row, strip in enumerate(drawing.strips):
        assert strip.cell_length == width
        below = 2 * row + 1
        assert strip_pixels(strip) == [
            (pixel(frame, x, 2 * row), pixel(frame, x, below) if below < height else None) for x in range(width)
        ]


@pytest.mark.parametrize("bits", [1, 3, 4, 5, 7])
def test_fewer_bits_stay_near_and_keep_black_and_white(bits: int) -> None:
    frame = Frame(256, 2, bytes(value for value in range(256) for _ in range(3)) * 2)
    cells = strip_pixels(HalfBlocks(bits).render(frame).strips[0])
    levels = {upper[0] for upper, _ in cells}
    assert len(levels) == 2**bits
    assert {0, 255} <= levels
    assert all(abs(upper[0] - value) <= 255 / (2**bits - 1) / 2 + 1 for value, (upper, _) in enumerate(cells))


def test_thinning_saves_bytes_on_the_line(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.radial_gradient("L").convert("RGB").save(path)
    frame = image_frame(path, Canvas(60, 30))
    console = Console(color_system="truecolor")
    sizes = []
    graphics: HalfBlocks | None = HalfBlocks()
    while graphics is not None:
        strips = graphics.render(frame).strips
        sizes.append(len("".join(strip.render(console) for strip in strips).encode()))
        assert estimate_bytes(strips) == pytest.approx(sizes[-1], rel=0.2)
        graphics = graphics.lower_quality()
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-1] < sizes[0] / 2


def test_frames_of_a_clip_keep_six_bits() -> None:
    frame = Frame(16, 2, bytes(range(96)))
    moving = HalfBlocks().render(frame, animated=True)
    assert moving.strips == HalfBlocks(6).render(frame).strips != HalfBlocks().render(frame).strips
    assert HalfBlocks(4).render(frame, animated=True).strips == HalfBlocks(4).render(frame).strips


def test_rows_that_stay_are_not_drawn_again() -> None:
    graphics = HalfBlocks()
    first = graphics.render(Frame(2, 4, bytes(12) + bytes([9]) * 12))
    second = first
    for number in range(2_000):
        graphics.render(Frame(1, 2, number.to_bytes(6, "big")))
        second = graphics.render(Frame(2, 4, bytes(12) + bytes([99]) * 12))
    assert second.strips[0] is first.strips[0]
    assert second.strips[1] != first.strips[1]
    assert graphics._row.cache_info().currsize <= 1_100


@pytest.mark.parametrize("system", ["truecolor", "256", "standard"])
def test_a_cell_is_told_to_the_terminal_as_rich_tells_it(system: Literal["truecolor", "256", "standard"]) -> None:
    console = Console(color_system=system)
    for pair in (bytes([1, 20, 255, 0, 130, 7]), bytes(6), b"\xff" * 6, bytes([9, 99, 199])):
        colours = [Color.from_rgb(*pair[at : at + 3]) for at in range(0, len(pair), 3)]
        usual = Strip([Segment(UPPER_HALF_BLOCK, Style.from_color(*colours))]).render(console)
        cell = Segment(UPPER_HALF_BLOCK, PixelStyle.from_pixels(pair[:3], pair[3:], truecolor=system == "truecolor"))
        assert Strip([cell]).render(console) == usual
        assert cell.style is not None
        assert (cell.style.color, cell.style.bgcolor) != (None, None)
