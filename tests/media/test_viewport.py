"""Zooming and panning: the arithmetic, and what it makes of a real picture."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from eternal_tui.media.decode.frame import (
    MAX_ZOOM,
    WHOLE_VIEWPORT,
    Canvas,
    Crop,
    Viewport,
    fit_size,
    pan_viewport,
    visible_crop,
    zoom_viewport,
)
from eternal_tui.media.decode.images import FrameCache, image_frame
from tests.media.files import encode_image

sides = st.integers(1, 9_000)
cells = st.tuples(st.integers(1, 300), st.integers(1, 100))
views = st.builds(Viewport, st.floats(0.1, 40), st.floats(-2, 3), st.floats(-2, 3))


@given(st.tuples(sides, sides), cells, views)
def test_a_part_lies_within_its_picture_and_its_frame_within_the_cells(
    size: tuple[int, int], box: tuple[int, int], view: Viewport
) -> None:
    part = visible_crop(size, Canvas(*box, viewport=view))
    assert -1e-6 <= part.left < part.right <= size[0] + 1e-6
    assert -1e-6 <= part.top < part.bottom <= size[1] + 1e-6
    assert 1 <= part.width <= box[0]
    assert 1 <= part.height <= box[1] * 2


@given(st.tuples(sides, sides), cells)
def test_the_whole_view_is_the_fitted_picture(size: tuple[int, int], box: tuple[int, int]) -> None:
    part = visible_crop(size, Canvas(*box))
    assert (part.left, part.top, part.right, part.bottom) == (0, 0, *size)
    assert (part.width, part.height) == fit_size(*size, *box)


def test_closer_fills_the_cells_before_it_cuts() -> None:
    """A square in a wide box has space at its sides, which the second step uses."""
    assert visible_crop((100, 100), Canvas(80, 20)) == Crop(0, 0, 100, 100, 40, 40)
    assert visible_crop((100, 100), Canvas(80, 20, viewport=Viewport(2))) == Crop(0, 25, 100, 75, 80, 40)
    assert visible_crop((100, 100), Canvas(80, 20, viewport=Viewport(4))) == Crop(25, 37.5, 75, 62.5, 80, 40)


def test_two_steps_closer_and_back_are_the_same_view() -> None:
    closer = zoom_viewport(zoom_viewport(WHOLE_VIEWPORT, 1), 1)
    assert closer.zoom == pytest.approx(2)
    assert zoom_viewport(closer, -2) == WHOLE_VIEWPORT
    assert zoom_viewport(WHOLE_VIEWPORT, -1) == WHOLE_VIEWPORT
    assert zoom_viewport(WHOLE_VIEWPORT, 100).zoom == MAX_ZOOM


@given(views, st.lists(st.sampled_from([(1, 0), (-1, 0), (0, 1), (0, -1)]), max_size=30))
def test_steps_beyond_the_edge_are_not_saved_up(view: Viewport, steps: list[tuple[int, int]]) -> None:
    size = (640, 480)
    for step in steps:
        view = pan_viewport(view, visible_crop(size, Canvas(40, 20, viewport=view)), size, *step)
    before = visible_crop(size, Canvas(40, 20, viewport=view))
    edge = view
    for _ in range(120):
        edge = pan_viewport(edge, visible_crop(size, Canvas(40, 20, viewport=edge)), size, 1, 0)
    at_edge = visible_crop(size, Canvas(40, 20, viewport=edge))
    assert at_edge.right == pytest.approx(640)
    back = visible_crop(size, Canvas(40, 20, viewport=pan_viewport(edge, at_edge, size, -1, 0)))
    if before.right - before.left < 600:
        assert back.right < at_edge.right


def test_a_part_of_a_large_jpeg_is_as_sharp_as_asked_for(tmp_path: Path) -> None:
    """Stripes invisible from afar are told apart close up."""
    image = Image.new("L", (1600, 400))
    image.putdata([255 * (x % 10 < 5) for _ in range(400) for x in range(1600)])
    path = tmp_path / "a.jpg"
    path.write_bytes(encode_image(image.convert("RGB"), "JPEG", quality=95))
    frame = image_frame(path, Canvas(40, 20, viewport=Viewport(16, 0.5, 0.5)))
    row = [frame.rgb[x * 3] for x in range(frame.width)]
    assert min(row) < 60
    assert max(row) > 195


def test_the_cache_tells_views_apart(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(encode_image(Image.linear_gradient("L").convert("RGB"), "PNG"))
    cache = FrameCache()
    assert cache.load_image(path, Canvas(20, 10)) != cache.load_image(path, Canvas(20, 10, viewport=Viewport(2, 0, 0)))
