"""Clips: facts, posters, and reading them in any order."""

from __future__ import annotations

import asyncio
import gc
import itertools
import os
import threading
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from eternal_tui.media.decode.frame import Canvas, Viewport, visible_crop
from eternal_tui.media.decode.video import AsyncVideo, TimedFrame, VideoReader, poster
from eternal_tui.media.errors import BrokenFile
from tests.media.files import as_image, make_image, mean_difference, rotate_video, write_scene_video


def frame_number(found: TimedFrame) -> int:
    """Return which frame this is, by its grey (see `write_clip`)."""
    return round(found.frame.rgb[len(found.frame.rgb) // 2] / 8)


@pytest.mark.parametrize("columns", [1, 7, 30, 33])
def test_the_poster_is_the_first_frame_without_padding(clip_path: Path, columns: int) -> None:
    frame = poster(clip_path, Canvas(columns, 20))
    assert len(frame.rgb) == frame.width * frame.height * 3
    assert max(frame.rgb) <= 4


@pytest.mark.parametrize(("quarters", "turn"), [(0, 0), (1, -90), (2, 180), (3, 90)])
@pytest.mark.parametrize("zoom", [1.0, 8.0, 16.0])
def test_a_clip_filmed_sideways_is_upright_whole_and_zoomed(
    tmp_path: Path, quarters: int, turn: int, zoom: float
) -> None:
    path = rotate_video(write_scene_video(tmp_path / "a.mp4", frames=3, width=96, height=64), quarters)
    upright = make_image(96, 64).rotate(turn, expand=True)
    with VideoReader(path) as reader:
        assert (reader.info.width, reader.info.height) == upright.size
        for x, y in itertools.product((0.0, 1.0), repeat=2):
            canvas = Canvas(*upright.size, (1, 1), Viewport(zoom, x, y))
            reader.resize(canvas)
            part = visible_crop(upright.size, canvas)
            shown = as_image(reader.frame_at(0.0).frame)
            box = (part.left, part.top, part.right, part.bottom)
            wanted = upright.resize((part.width, part.height), Image.Resampling.BILINEAR, box=box)
            assert shown.size == wanted.size == upright.size
            # Something moves across a third of the scene.
            assert mean_difference(shown, wanted) < (20 if zoom > 1 else 40)


def test_a_part_of_a_clip_costs_no_more_than_the_clip_has_pixels(clip_path: Path) -> None:
    """In cells of 8 × 16 pixels a whole at sixteen times is 265 MB."""
    with VideoReader(clip_path) as reader:
        reader.resize(Canvas(60, 30, (8, 16), Viewport(16.0, 0.5, 0.5)))
        tracemalloc.start()
        found = reader.frame_at(0.5).frame
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert len(found.rgb) == found.width * found.height * 3
    assert peak < 8 * len(found.rgb)


@settings(deadline=None, max_examples=30)
@given(st.lists(st.floats(-1, 2), min_size=1, max_size=8))
def test_scrubbing_anywhere_shows_the_frame_of_that_moment(clip_path: Path, moments: list[float]) -> None:
    with VideoReader(clip_path, Canvas(8, 4)) as reader:
        for moment in moments:
            found = reader.frame_at(moment)
            wanted = min(23, int(max(0.0, moment) * 24 + 1e-6))
            assert frame_number(found) == wanted
            assert found.is_last == (wanted == 23)


def test_stepping_back_and_forth(clip_path: Path) -> None:
    with VideoReader(clip_path, Canvas(8, 4)) as reader:
        assert [frame_number(reader.step(by)) for by in (1, 1, 1, -1, -1, 5, -100, 1)] == [1, 2, 3, 2, 1, 6, 0, 1]
        reader.frame_at(1.0)
        ends = [reader.step(1) for _ in range(3)]
        assert [(frame_number(found), found.is_last) for found in ends] == [(23, True)] * 3


def test_one_read_is_bounded(clip_path: Path) -> None:
    """By time, and what was not reached says so: the next reads go on to it."""
    ticks = itertools.count(0, 10)
    with VideoReader(clip_path, Canvas(8, 4), clock=lambda: float(next(ticks))) as reader:
        reader.frame_at(0.0)
        found = reader.frame_at(0.9)
        assert (frame_number(found) <= 1, found.reached) == (True, False)
        while not found.reached:
            found = reader.frame_at(0.9)
        assert frame_number(found) == 21


def test_a_closed_reader_says_broken_and_closes_twice(clip_path: Path) -> None:
    reader = VideoReader(clip_path, Canvas(8, 4))
    reader.close()
    reader.close()
    with pytest.raises(BrokenFile):
        reader.frame_at(0.0)


async def test_the_event_loop_never_decodes(clip_path: Path) -> None:
    clip = await AsyncVideo.open(clip_path, Canvas(8, 4))
    found = await clip.frame_at(0.5)
    assert found is not None
    assert frame_number(found) == 12
    assert any(thread.name.startswith("clip") for thread in threading.enumerate())
    await clip.close()
    await clip.close()
    assert await clip.frame_at(0.0) is None


async def test_only_the_newest_request_counts(clip_path: Path) -> None:
    """Twenty presses of a scrub key at once: the first may be under way, the last is shown, none between."""
    clip = await AsyncVideo.open(clip_path, Canvas(8, 4))
    found = await asyncio.gather(*(clip.frame_at(number / 24) for number in range(20)))
    await clip.close()
    assert found[-1] is not None
    assert frame_number(found[-1]) == 19
    assert sum(one is not None for one in found) <= 2


async def test_a_broken_clip_leaves_no_thread(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(b"\x00\x00\x00\x18ftypisom" + bytes(100))
    with pytest.raises(BrokenFile):
        await AsyncVideo.open(path, Canvas(8, 4))


def resource_usage() -> tuple[int, int]:
    """Return open files and resident bytes of this process."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return len(list(Path("/proc/self/fd").iterdir())), pages * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="counts open files by /proc")
def test_a_hundred_plays_leak_nothing(clip_path: Path) -> None:

    def play() -> None:
        with VideoReader(clip_path, Canvas(30, 15)) as reader:
            for number in range(0, 24, 6):
                reader.frame_at(number / 24)

    for _ in range(100):
        play()
    files, memory = resource_usage()
    for _ in range(100):
        play()
    files_after, memory_after = resource_usage()
    assert files_after == files
    assert memory_after - memory < 8_000_000
