"""Pictures scaled to frames."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from PIL import Image

from eternal_tui.media.decode.frame import Canvas, Frame, fit_size
from eternal_tui.media.decode.images import FrameCache, image_frame
from eternal_tui.media.errors import BrokenFile, UnsupportedFile
from eternal_tui.media.limits import DecodeLimits
from tests.media.files import encode_image, make_image


def pixels(frame: Frame) -> list[tuple[int, int, int]]:
    return list(zip(*[iter(frame.rgb)] * 3, strict=True))


@pytest.mark.parametrize(
    ("size", "cells", "cell", "expected"),
    [
        ((1024, 1024), (80, 40), (1, 2), (80, 80)),
        ((1024, 512), (80, 40), (1, 2), (80, 40)),
        ((512, 1024), (80, 40), (1, 2), (40, 80)),
        ((1, 10_000), (80, 40), (1, 2), (1, 80)),
        ((10_000, 1), (80, 40), (1, 2), (80, 1)),
        ((480, 720), (60, 30), (10, 20), (400, 600)),
        ((10, 10), (0, 0), (1, 2), (1, 1)),
    ],
)
def test_frames_fit_their_cells(
    size: tuple[int, int], cells: tuple[int, int], cell: tuple[int, int], expected: tuple[int, int]
) -> None:
    assert fit_size(*size, *cells, cell) == expected


def test_unreadable_exif_spoils_no_picture(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(encode_image(make_image(), "JPEG", exif=b"Exif\x00\x00MM\x00*\xff\xff\xff\xff"))
    assert image_frame(path, Canvas(8, 4)).width == 8


def test_transparency_lies_over_the_given_ground(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(encode_image(Image.new("RGBA", (16, 16), (255, 255, 255, 0)), "PNG"))
    assert set(pixels(image_frame(path, Canvas(4, 2), background=(10, 20, 30)))) == {(10, 20, 30)}
    path.write_bytes(encode_image(Image.new("RGBA", (16, 16), (255, 255, 255, 255)), "PNG"))
    assert set(pixels(image_frame(path, Canvas(4, 2), background=(10, 20, 30)))) == {(255, 255, 255)}


@pytest.mark.parametrize("mode", ["1", "L", "P", "LA", "CMYK", "I;16", "RGB", "RGBA"])
def test_every_mode_becomes_colours(tmp_path: Path, mode: str) -> None:
    """Half grey stays half grey; sixteen-bit pictures used to come out white."""
    path = tmp_path / "a"
    half = {"I;16": 128 << 8, "LA": (128, 255), "CMYK": (0, 0, 0, 127), "RGB": (128,) * 3, "RGBA": (128, 128, 128, 255)}
    image = Image.new("L", (8, 8), 128).convert("P") if mode == "P" else Image.new(mode, (8, 8), half.get(mode, 128))  # type: ignore[arg-type]
    path.write_bytes(
        encode_image(image, "JPEG" if mode == "CMYK" else "PNG", **({"quality": 95} if mode == "CMYK" else {}))
    )
    (colour,) = set(pixels(image_frame(path, Canvas(4, 2))))
    assert all(abs(channel - (255 if mode == "1" else 128)) <= 3 for channel in colour)


def test_pixels_beyond_the_cap_are_an_error_and_never_a_warning(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(encode_image(Image.new("1", (300, 300)), "PNG"))
    with pytest.raises(UnsupportedFile, match="300 × 300"):
        image_frame(path, Canvas(4, 2), limits=DecodeLimits(image_pixels=89_999))
    assert image_frame(path, Canvas(4, 2), limits=DecodeLimits(image_pixels=90_000)).width == 4


def test_frames_are_kept_by_version_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(encode_image(Image.new("RGB", (16, 16), "red"), "PNG"))
    cache = FrameCache()
    first = cache.load_image(path, Canvas(8, 4))
    assert cache.load_image(path, Canvas(8, 4)) is first
    assert cache.load_image(path, Canvas(6, 4)) is not first
    path.write_bytes(encode_image(Image.new("RGB", (16, 16), "blue"), "PNG"))
    os.utime(path, ns=(1, 1))
    assert pixels(cache.load_image(path, Canvas(8, 4)))[0] == (0, 0, 255)
    path.unlink()
    with pytest.raises(BrokenFile, match="no longer there"):
        cache.load_image(path, Canvas(8, 4))


def test_the_cache_stays_within_its_bytes(tmp_path: Path) -> None:
    path, cache = tmp_path / "a.png", FrameCache(max_bytes=3 * 8 * 8 * 3)
    path.write_bytes(encode_image(Image.new("RGB", (16, 16)), "PNG"))
    frames = [cache.load_image(path, Canvas(8, 4), background=(number, 0, 0)) for number in range(9)]
    kept = [
        cache.load_image(path, Canvas(8, 4), background=(number, 0, 0)) is frames[number] for number in (6, 7, 8, 0)
    ]
    assert kept == [True, True, True, False]
