"""Kitty's graphics protocol: the bytes we send, held against its grammar."""

from __future__ import annotations

import base64
import random
import re
import unicodedata
import zlib
from pathlib import Path

import pytest
from PIL import ImageFilter
from rich.cells import cell_len
from rich.color import ColorSystem
from rich.segment import Segment
from rich.style import Style
from textual.color import Color

from eternal_tui.media.decode.frame import Canvas, Frame, fit_size
from eternal_tui.media.decode.images import image_frame
from eternal_tui.tui.graphics.base import EMPTY_DRAWING, PLACEHOLDER
from eternal_tui.tui.graphics.kitty import DIACRITICS, KittyPlaceholders
from eternal_tui.tui.widgets.dialog import DimmedBackground
from tests.media.files import make_image

COMMAND_PATTERN = re.compile(r"\x1b_G([a-zA-Z]=[-\w]+(?:,[a-zA-Z]=[-\w]+)*)(?:;([A-Za-z0-9+/=]*))?\x1b\\")


def parse_commands(data: str) -> list[tuple[dict[str, str], str]]:
    """Parse `data`, which must be graphics commands and nothing else."""
    found = list(COMMAND_PATTERN.finditer(data))
    assert "".join(one[0] for one in found) == data
    return [(dict(pair.split("=") for pair in one[1].split(",")), one[2] or "") for one in found]


def noise_frame(width: int, height: int) -> Frame:
    return Frame(width, height, random.Random(7).randbytes(width * height * 3))


def test_the_pixels_arrive_in_chunks_and_whole() -> None:
    frame = noise_frame(100, 100)
    drawing = KittyPlaceholders((10, 20)).render(frame)
    sent = parse_commands(drawing.transmit)
    first = sent[0][0]
    assert (first["a"], first["U"], first["q"], first["f"], first["t"], first["o"]) == ("T", "1", "2", "24", "d", "z")
    assert (first["s"], first["v"], first["c"], first["r"]) == ("100", "100", "10", "5")
    assert int(first["i"]) == drawing.handle
    assert len(sent) > 5
    assert all(len(payload) <= 4096 and len(payload) % 4 == 0 for _, payload in sent)
    assert [keys["m"] for keys, _ in sent] == ["1"] * (len(sent) - 1) + ["0"]
    assert all(set(keys) == {"q", "m"} for keys, _ in sent[1:])
    packed = base64.standard_b64decode("".join(payload for _, payload in sent))
    assert zlib.decompress(packed) == frame.rgb


def test_every_cell_names_its_place() -> None:
    drawing = KittyPlaceholders((10, 20)).render(noise_frame(75, 60))
    assert (drawing.width, len(drawing.strips)) == (8, 3)
    for row, strip in enumerate(drawing.strips):
        assert strip.cell_length == 8
        assert cell_len(strip.text) == 8
        cells = strip.text.split(PLACEHOLDER)[1:]
        assert cells == [DIACRITICS[row] + DIACRITICS[column] for column in range(8)]


def test_the_table_is_that_of_the_protocol() -> None:
    """297 marks above the base, each zero cells wide, in ascending order; the first and last are published."""
    assert len(DIACRITICS) == 297
    assert (DIACRITICS[0], DIACRITICS[1], DIACRITICS[-1]) == ("\u0305", "\u030d", "\U0001d244")
    assert list(DIACRITICS) == sorted(DIACRITICS)
    assert all(unicodedata.combining(mark) == 230 and cell_len("a" + mark) == 1 for mark in DIACRITICS)


def test_a_picture_larger_than_the_table_is_cut_to_it() -> None:
    drawing = KittyPlaceholders((1, 2)).render(Frame(400, 2, bytes(2400)))
    assert drawing.width == 297


@pytest.mark.parametrize("truecolor", [True, False])
def test_the_colour_that_leaves_is_the_picture_s_number(truecolor: bool) -> None:
    graphics = KittyPlaceholders((10, 20), truecolor=truecolor)
    seen = set()
    for _ in range(216):
        drawing = graphics.render(Frame(10, 20, bytes(600)))
        (segment,) = drawing.strips[0]
        assert segment.style is not None
        assert segment.style.color is not None
        sent = segment.style.color.downgrade(ColorSystem.TRUECOLOR if truecolor else ColorSystem.EIGHT_BIT)
        codes = [int(code) for code in sent.get_ansi_codes()]
        assert codes[:2] == ([38, 2] if truecolor else [38, 5])
        number = codes[2] << 16 | codes[3] << 8 | codes[4] if truecolor else codes[2]
        assert number == drawing.handle
        seen.add(number)
    assert len(seen) == (216 if truecolor else 210)
    assert 0 not in seen


def test_the_next_frame_of_a_clip_keeps_number_and_cells() -> None:
    graphics = KittyPlaceholders((10, 20))
    first = graphics.render(Frame(50, 50, bytes(7500)), animated=True)
    second = graphics.render(Frame(50, 50, bytes([1]) * 7500), handle=first.handle, animated=True)
    assert second.handle == first.handle
    assert second.strips == first.strips
    assert parse_commands(second.transmit)[0][0]["i"] == str(first.handle)
    assert (first.width, len(first.strips)) == (10, 5)


def test_release_frees_picture_and_pixels() -> None:
    graphics = KittyPlaceholders()
    assert parse_commands(graphics.release(77)) == [({"a": "d", "d": "I", "i": "77", "q": "2"}, "")]
    assert graphics.release(0) == ""


def test_tmux_gets_each_command_wrapped() -> None:
    plain = KittyPlaceholders((10, 20))
    wrapped = KittyPlaceholders((10, 20), tmux=True)
    frame = noise_frame(60, 60)
    drawing = wrapped.render(frame, handle=9)
    parts = re.findall(r"\x1bPtmux;((?:[^\x1b]|\x1b\x1b)*)\x1b\\", drawing.transmit)
    assert "".join(f"\x1bPtmux;{part}\x1b\\" for part in parts) == drawing.transmit
    assert len(parts) > 1
    assert "".join(parts).replace("\x1b\x1b", "\x1b") == plain.render(frame, handle=9).transmit
    assert drawing.strips == plain.render(frame, handle=9).strips


def test_a_terminal_that_knows_animations_is_told_of_a_change_and_not_of_a_new_picture() -> None:
    """Seen in kitty 0.32.2: sent again under its number, a frame is blank until its last chunk is there."""
    graphics = KittyPlaceholders((10, 20), supports_animation=True)
    first = graphics.render(noise_frame(100, 100), animated=True)
    second = graphics.render(noise_frame(100, 100), handle=first.handle, animated=True)
    larger = graphics.render(noise_frame(100, 120), handle=first.handle, animated=True)
    assert parse_commands(second.data_after(EMPTY_DRAWING))[0][0]["a"] == "T"
    assert parse_commands(larger.data_after(second))[0][0]["a"] == "T"
    sent = parse_commands(second.data_after(first))
    assert len(sent) > 5
    assert all((keys["a"], keys["r"], keys["i"]) == ("f", "1", str(first.handle)) for keys, _ in sent)
    assert not {"U", "c"} & set(sent[0][0])
    assert [keys["m"] for keys, _ in sent] == ["1"] * (len(sent) - 1) + ["0"]
    plain = KittyPlaceholders((10, 20))
    before = plain.render(noise_frame(100, 100), animated=True)
    after = plain.render(noise_frame(100, 100), handle=before.handle, animated=True)
    assert parse_commands(after.data_after(before))[0][0]["a"] == "T"


def test_frames_of_a_clip_keep_their_aspect_where_half_a_cell_is_no_whole_pixel() -> None:
    graphics = KittyPlaceholders((8, 15))
    width, height = fit_size(480, 720, 60, 32, graphics.video_cell_size)
    drawing = graphics.render(Frame(width, height, bytes(width * height * 3)), animated=True)
    assert (drawing.width, len(drawing.strips)) == (40, 32)


def test_what_a_picture_leaves_of_its_cells_is_the_ground_s() -> None:
    """Seen in kitty 0.32.2: cells without a background show the terminal's own, as stripes next to the picture."""
    ground = Style.parse("white on #123456")
    drawing = KittyPlaceholders((10, 20)).render(noise_frame(75, 60))
    (segment,) = drawing.row(0, ground)
    assert segment.style is not None
    assert segment.style.bgcolor == ground.bgcolor
    assert segment.style.color != ground.color


def test_a_dialog_dims_the_words_below_and_leaves_the_pictures() -> None:
    ink = Style(color="#c8c8c8", bgcolor="#202020")
    name = Style(color="#000007", bgcolor="#202020")
    below = [Segment("words", ink), Segment(PLACEHOLDER + "\u0305\u0305", name), Segment("words", ink)]
    before, picture, after = DimmedBackground.process_segments(below, Color(0, 0, 0, 0.6))
    assert picture.style == name
    assert before.style == after.style != ink


@pytest.mark.parametrize("cell", [(10, 20), (7, 15)])
def test_a_far_terminal_gets_the_same_cells_in_an_eighth_of_the_bytes(tmp_path: Path, cell: tuple[int, int]) -> None:
    """At 256 kbit/s a picture that takes 14 s is there after 1.2."""
    path = tmp_path / "a.jpg"
    make_image(768, 1024).filter(ImageFilter.GaussianBlur(3)).save(path, quality=90)
    near, far = KittyPlaceholders(cell), KittyPlaceholders(cell, remote=True)
    drawn = [one.render(image_frame(path, Canvas(80, 35, one.cell_size))) for one in (near, far)]
    assert len(drawn[1].transmit) < len(drawn[0].transmit) / 8
    assert len(drawn[0].strips) == len(drawn[1].strips)
    assert abs(drawn[0].width - drawn[1].width) <= 1
