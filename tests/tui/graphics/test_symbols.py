"""Block symbols: the right character, the right two colours, calm where there is nothing to see."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from PIL import Image

from eternal_tui.media.decode.frame import Frame
from eternal_tui.tui.graphics.half_blocks import HalfBlocks
from eternal_tui.tui.graphics.select import SYMBOL_TEST_CARD
from eternal_tui.tui.graphics.symbols import SYMBOL_NAMES, SymbolName, Symbols, symbol_characters
from tests.media.corpus import noisy_page
from tests.media.files import make_image
from tests.tui.graphics.painted import as_text, paint

PIXEL_ROWS = {"quadrants": 2, "sextants": 3, "octants": 4}


def to_frame(image: Image.Image) -> Frame:
    return Frame(image.width, image.height, image.convert("RGB").tobytes())


@pytest.mark.parametrize("symbols", SYMBOL_NAMES)
def test_symbol_characters_are_each_once(symbols: SymbolName) -> None:
    characters = symbol_characters(symbols)
    assert len(characters) == len(set(characters)) == 1 << 2 * PIXEL_ROWS[symbols]
    assert (characters[0], characters[-1]) == (" ", "█")
    known = {"quadrants": "▘▝▖▗", "sextants": "🬀🬁🬏🬞", "octants": "\U0001cea8\U0001ceab\U0001cea3\U0001cea0"}[symbols]
    top = 1 << 2 * PIXEL_ROWS[symbols] - 2
    assert "".join(characters[pattern] for pattern in (1, 2, top, 2 * top)) == known
    # The last of each block: what lies between them has no gap and nothing twice.
    assert characters[-2] == {"quadrants": "▟", "sextants": "🬻", "octants": "\U0001cde5"}[symbols]


@pytest.mark.parametrize("symbols", SYMBOL_NAMES)
def test_every_pattern_of_two_colours_is_drawn_as_it_is(symbols: SymbolName) -> None:
    down = PIXEL_ROWS[symbols]
    count = 1 << 2 * down
    image = Image.new("RGB", (2 * count, down))
    for pattern, bit in itertools.product(range(count), range(2 * down)):
        if pattern >> bit & 1:
            image.putpixel((2 * pattern + bit % 2, bit // 2), (250, 200, 10))
    wide, high = (int(side) for side in Symbols(symbols).cell_size)
    frame = to_frame(image.resize((count * wide, high), Image.Resampling.NEAREST))
    drawing = Symbols(symbols, truecolor=True).render(frame)
    assert (drawing.width, len(drawing.strips)) == (count, 1)
    shown = paint(as_text(drawing), count, 1)
    rows = [round(16 * (row + 0.5) / down) for row in range(down)]
    picked = shown[rows][:, 2::4]
    assert np.abs(picked.astype(int) - np.asarray(image).astype(int)).max() <= 1


@pytest.mark.parametrize("symbols", SYMBOL_NAMES)
def test_the_split_is_the_best_of_all(symbols: SymbolName) -> None:
    """Against trying every pattern in plain Python, weighted alike."""
    down = PIXEL_ROWS[symbols]
    cell = np.random.default_rng(7).integers(0, 256, (down, 2, 3)).astype(np.uint8)
    wide, high = (int(side) for side in Symbols(symbols).cell_size)
    frame = to_frame(Image.fromarray(cell).resize((wide, high), Image.Resampling.NEAREST))
    drawing = Symbols(symbols, truecolor=True).render(frame)
    (segment,) = drawing.strips[0]
    pixels = cell.reshape(-1, 3).astype(float)

    def error(pattern: int) -> float:
        inside = np.array([bool(pattern >> bit & 1) for bit in range(len(pixels))])
        groups = [pixels[inside], pixels[~inside]]
        weights = np.array([0.9, 1.2, 0.6])
        return sum(float((((group - group.mean(axis=0)) * weights) ** 2).sum()) for group in groups if len(group))

    found = symbol_characters(symbols).index(segment.text)
    assert error(found) == pytest.approx(min(map(error, range(1 << len(pixels)))))


def test_flat_areas_are_calm() -> None:
    """A codec's noise makes no speckle: nearly every cell is one colour."""
    rng = np.random.default_rng(1)
    noise = np.clip(rng.normal(120, 1.5, (16 * 8, 32 * 4, 3)), 0, 255).astype(np.uint8)
    for symbols in SYMBOL_NAMES:
        wide, high = (int(side) for side in Symbols(symbols).cell_size)
        frame = to_frame(Image.fromarray(noise).resize((32 * wide, 16 * high), Image.Resampling.BOX))
        text = "".join(segment.text for strip in Symbols(symbols).render(frame).strips for segment in strip)
        assert text.count(" ") > 0.9 * len(text)


def test_symbols_send_little_more_than_half_blocks() -> None:
    """On SSH, with 15 bits of colour."""
    image = noisy_page(960).crop((0, 200, 960, 680))

    def byte_count(backend: HalfBlocks | Symbols) -> int:
        size = (int(60 * backend.cell_size[0]), int(15 * backend.cell_size[1]))
        return len(as_text(backend.render(to_frame(image.resize(size, Image.Resampling.BOX)))).encode())

    most = 1.2 * byte_count(HalfBlocks(5, truecolor=True))
    assert all(byte_count(Symbols(name, 5, truecolor=True)) <= most for name in SYMBOL_NAMES)


@pytest.mark.parametrize("size", [(1, 1), (3, 5), (121, 81)])
def test_odd_sizes_fill_whole_cells(size: tuple[int, int]) -> None:
    drawing = Symbols("octants").render(to_frame(make_image(*size)))
    assert {strip.cell_length for strip in drawing.strips} == {drawing.width}


@pytest.mark.parametrize("remote", [False, True])
def test_clips_are_drawn_coarser(remote: bool) -> None:
    """In quadrants here, in half-blocks over SSH: a frame takes less time and fewer bytes."""
    backend = Symbols("octants", truecolor=True, remote=remote)
    wide, high = backend.video_cell_size
    drawing = backend.render(to_frame(make_image(int(20 * wide), int(10 * high))), animated=True)
    characters = {character for strip in drawing.strips for segment in strip for character in segment.text}
    assert (drawing.width, len(drawing.strips)) == (20, 10)
    assert characters <= (set("▀") if remote else set(symbol_characters("quadrants")))
    lower = backend.lower_quality()
    assert lower is not None
    assert (lower.bits, lower.video_cell_size) == (5, backend.video_cell_size)


def test_the_test_card_is_a_staircase_of_each_set() -> None:
    for symbols, pixels, line in zip(SYMBOL_NAMES, (4, 6, 8), SYMBOL_TEST_CARD, strict=True):
        up = [sum(1 << bit for bit in range(pixels - count, pixels)) for count in range(1, pixels)]
        characters = symbol_characters(symbols)
        assert line.split() == [symbols, "".join(characters[pattern] for pattern in [*up, *reversed(up)])]
