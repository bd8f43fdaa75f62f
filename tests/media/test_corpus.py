"""Real kinds of files: checked, shown as they are, and read frame by frame."""

from __future__ import annotations

import io
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path

import pytest
from PIL import Image, ImageOps

from eternal_tui.media.decode.filetype import MediaInfo
from eternal_tui.media.decode.frame import Canvas, Frame, Viewport
from eternal_tui.media.decode.images import image_frame, image_info
from eternal_tui.media.decode.validate import check_decodes, check_magic
from eternal_tui.media.decode.video import TimedFrame, VideoReader, poster
from eternal_tui.media.decode.video_scaling import HLG, PQ
from eternal_tui.media.errors import BrokenFile
from eternal_tui.media.limits import DecodeLimits
from tests.media import corpus
from tests.media.files import as_image, encode_image, make_image, mean_difference


def check(data: bytes, expect: str = "video") -> MediaInfo:
    return check_decodes(io.BytesIO(data), check_magic(data), DecodeLimits(), expect)  # type: ignore[arg-type]


def grey(found: TimedFrame | Frame) -> int:
    """Return the middle pixel's red."""
    rgb = found.rgb if isinstance(found, Frame) else found.frame.rgb
    return rgb[len(rgb) // 6 * 3]


@pytest.mark.parametrize("name", corpus.WHOLE)
def test_a_whole_file_is_checked_and_shown(tmp_path: Path, name: str) -> None:
    make, expect, suffix, seconds = corpus.WHOLE[name]
    data = make(tmp_path)
    found = check(data, expect)
    assert (found.width, found.height, found.note, check_magic(data).suffix) == (96, 64, "", suffix)
    assert found.seconds == pytest.approx(seconds, abs=0.001)
    assert found.has_sound == ("sound" in name)
    path = tmp_path / f"shown.{suffix}"
    path.write_bytes(data)
    if not seconds:
        assert as_image(image_frame(path, Canvas(96, 64, (1, 1)))).size == (96, 64)
        return
    with VideoReader(path, Canvas(8, 4)) as reader:
        reader.scan()
        assert reader.info.seconds == pytest.approx(seconds, abs=0.001)
        each = seconds / (4 if expect == "video" and suffix in ("gif", "webp", "png") else 10)
        for number in (2, 0, 3, 1):
            moment = reader.frame_at((number + 0.5) * each)
            assert abs(grey(moment) - 20 - 10 * number) <= 3
            assert moment.until - moment.seconds == pytest.approx(each, abs=0.002)


@pytest.mark.parametrize("name", corpus.CUT)
def test_half_a_file_is_broken(tmp_path: Path, name: str) -> None:
    data = corpus.CUT[name](tmp_path)
    with pytest.raises(BrokenFile):
        check(data[: len(data) // 2])


def test_two_recordings_in_one_transport_stream_are_kept_and_a_cut_one_is_broken(tmp_path: Path) -> None:
    """Where they meet a packet counts as damaged."""
    data = corpus.clip("a.ts")(tmp_path)
    assert check(data + data).seconds == pytest.approx(1.0)
    with pytest.raises(BrokenFile):
        check(data[:-100])


def test_an_interlaced_clip_is_drawn_in_a_single_row(tmp_path: Path) -> None:
    """The check draws one pixel, which two fields cannot be scaled to."""
    options = {"flags": "+ilme+ildct", "x264-params": "interlaced=1"}
    assert check(corpus.clip("a.mp4", codec_options=options)(tmp_path)).seconds == pytest.approx(1.0)


def test_frames_of_uneven_length_are_stepped_one_by_one(tmp_path: Path) -> None:
    times = [0, 100, 150, 1150, 1200, 1900, 2500, 2510, 2600, 2700]
    for suffix in ("mkv", "mp4"):
        path = corpus.write_clip(tmp_path / f"a.{suffix}", corpus.grey_frames(10), times=times)
        with VideoReader(path, Canvas(8, 4)) as reader:
            reader.scan()
            reader.frame_at(9.0)
            back = [reader.step(-1) for _ in range(10)]
            assert [round(found.seconds * 1000) for found in back] == [*reversed(times[:-1]), 0]
            assert [round((grey(found) - 20) / 10) for found in back] == [8, 7, 6, 5, 4, 3, 2, 1, 0, 0]
            assert [round(reader.step(by).seconds * 1000) for by in (1, 3, -2, 40, -4)] == [100, 1200, 150, 2700, 1900]


def test_a_seek_in_a_long_stretch_without_key_frames_arrives(tmp_path: Path) -> None:
    images = [Image.new("RGB", (32, 16), (20 + number // 4,) * 3) for number in range(800)]
    path = corpus.write_clip(tmp_path / "a.mp4", images, codec_options={"g": "9999", "keyint_min": "9999", "crf": "1"})
    with VideoReader(path, Canvas(8, 4)) as reader:
        reader.scan()
        for wanted in (79.0, 78.5, 79.5):
            found = reader.frame_at(wanted + 0.05)
            assert found.reached
            assert found.seconds == pytest.approx(wanted)


@pytest.mark.parametrize(
    ("aspect", "size"), [(Fraction(2), (192, 64)), (Fraction(1, 2), (96, 128)), (Fraction(1000), (96, 64))]
)
def test_pixels_that_are_not_square_are_drawn_so(tmp_path: Path, aspect: Fraction, size: tuple[int, int]) -> None:
    path = corpus.write_clip(tmp_path / "a.mp4", [make_image(96, 64)], setup=corpus.set_aspect(aspect))
    facts = corpus.clip_facts(path)
    assert (facts.width, facts.height) == size
    assert check(path.read_bytes()).width == size[0]
    frame = poster(path, Canvas(*size, cell_size=(1, 1)))
    assert (frame.width, frame.height) == size
    assert mean_difference(as_image(frame), make_image(96, 64).resize(size)) < 20


def test_a_mirrored_clip_is_mirrored(tmp_path: Path) -> None:
    path = corpus.mirror_video(corpus.write_clip(tmp_path / "a.mp4", [make_image(96, 64)]))
    shown = as_image(poster(path, Canvas(96, 64, (1, 1))))
    assert mean_difference(shown, ImageOps.mirror(make_image(96, 64))) < 8
    assert mean_difference(shown, make_image(96, 64)) > 30


@pytest.mark.parametrize(("transfer", "low", "high"), [(PQ, 185, 235), (HLG, 150, 240)])
def test_a_page_in_hdr_is_not_grey(tmp_path: Path, transfer: int, low: int, high: int) -> None:
    """White at 203 nits is 58 % of PQ's signal and 75 % of HLG's."""

    def shown(level: int) -> int:
        image, setup = Image.new("RGB", (96, 64), (level,) * 3), corpus.set_colours(transfer)
        path = corpus.write_clip(tmp_path / f"{level}.mkv", [image], pixel_format="yuv420p10le", setup=setup)
        return grey(poster(path, Canvas(8, 4)))

    level = round(255 * (0.58 if transfer == PQ else 0.75))
    assert low <= shown(level) <= high
    assert shown(level) > level + 5
    assert shown(0) <= 3


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.webm", {"codec": "libvpx-vp9", "pixel_format": "yuva420p"}),
        ("b.webm", {"codec": "libvpx", "pixel_format": "yuva420p", "codec_options": {"auto-alt-ref": "0"}}),
        ("a.mov", {"codec": "prores_ks", "pixel_format": "yuva444p10le", "codec_options": {"profile": "4"}}),
        ("b.mov", {"codec": "png", "pixel_format": "rgba"}),
    ],
)
def test_a_transparent_clip_lies_over_the_background(tmp_path: Path, name: str, options: dict[str, object]) -> None:
    image = Image.new("RGBA", (96, 64), (200, 200, 200, 255))
    image.paste((200, 200, 200, 0), (0, 0, 48, 64))
    path = corpus.write_transparent_clip(tmp_path / name, image, **options)  # type: ignore[arg-type]
    with VideoReader(path, Canvas(96, 64, (1, 1)), background=(10, 20, 30)) as reader:
        shown = as_image(reader.frame_at(0.0).frame)
    for at, wanted in (((12, 30), (10, 20, 30)), ((80, 30), (200, 200, 200))):
        assert all(abs(one - other) <= 6 for one, other in zip(shown.getpixel(at), wanted, strict=True))  # type: ignore[arg-type]


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF", "AVIF"])
@pytest.mark.parametrize("zoom", [1.0, 4.0])
def test_an_image_is_drawn_as_pillow_has_it(tmp_path: Path, kind: str, orientation: int, zoom: float) -> None:
    path = tmp_path / f"a.{kind.lower()}"
    exif = Image.Exif()
    exif[0x0112] = orientation
    path.write_bytes(encode_image(make_image(700, 420), kind, exif=exif, quality=95))
    with Image.open(path) as stored:
        upright = ImageOps.exif_transpose(stored).convert("RGB")
    frame = image_frame(path, Canvas(90, 90, (1, 1), Viewport(zoom, 0.3, 0.6)))
    if zoom == 1.0:
        wanted = upright.resize((frame.width, frame.height), Image.Resampling.BOX)
    else:
        scale = max(upright.size) / 90 / zoom
        wide, high = frame.width * scale, frame.height * scale
        left = min(max(0.0, 0.3 * upright.width - wide / 2), upright.width - wide)
        top = min(max(0.0, 0.6 * upright.height - high / 2), upright.height - high)
        box = (left, top, left + wide, top + high)
        wanted = upright.resize((frame.width, frame.height), Image.Resampling.BOX, box=box)
    assert mean_difference(as_image(frame), wanted) < 2


@pytest.mark.parametrize("side", [60, 200, 500])
def test_a_jpeg_is_as_good_as_scaled_from_all_its_pixels(tmp_path: Path, side: int) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(encode_image(corpus.noisy_page(), "JPEG", quality=90))
    with Image.open(path) as whole:
        wanted = whole.resize((side, side), Image.Resampling.BOX)
    assert mean_difference(as_image(image_frame(path, Canvas(side, side, (1, 1)))), wanted) <= 2


@pytest.mark.parametrize("mode", ["1", "L", "P", "LA", "RGB", "RGBA", "I;16"])
def test_a_large_png_read_in_strips_is_the_same_image(
    tmp_path: Path, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every filter and every way of packing pixels, with strips of eight rows."""
    base = make_image(211, 173)
    image = {"I;16": lambda: base.convert("I;16"), "P": lambda: base.quantize(60)}.get(
        mode, lambda: base.convert(mode)
    )()
    if mode == "RGBA":
        image.putalpha(Image.linear_gradient("L").resize(image.size))
    path = tmp_path / "a.png"
    path.write_bytes(encode_image(image, "PNG"))
    whole = image_frame(path, Canvas(50, 50, (1, 1)), background=(9, 99, 9))
    monkeypatch.setattr("eternal_tui.media.decode.large_images._DIRECT_PIXELS", 1000)
    monkeypatch.setattr("eternal_tui.media.decode.large_images.STRIP_PIXELS", 8 * 211)
    strips = image_frame(path, Canvas(50, 50, (1, 1)), background=(9, 99, 9))
    assert mean_difference(as_image(whole), as_image(strips)) < 0.6


MEMORY_SCRIPT = """
import resource, sys
from pathlib import Path
from eternal_tui.media.decode import images, validate
from eternal_tui.media.decode.frame import Canvas, Viewport
from eternal_tui.media.limits import DecodeLimits
path = Path(sys.argv[1])
with path.open("rb") as file:
    found = validate.check_decodes(file, validate.check_magic(file.read(400)), DecodeLimits())
assert not found.note, found.note
for zoom in (1.0, 8.0):
    images.image_frame(path, Canvas(160, 50, (10, 20), Viewport(zoom, 0.4, 0.4)))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


@pytest.mark.parametrize(
    ("kind", "mode", "side", "options"),
    [
        ("PNG", "RGBA", 7999, {"compress_level": 1}),
        ("JPEG", "RGB", 8192, {}),
        ("WEBP", "RGB", 8000, {"method": 0}),
        ("GIF", "L", 8192, {}),
    ],
)
def test_a_large_image_takes_little_memory(
    tmp_path: Path, kind: str, mode: str, side: int, options: dict[str, object]
) -> None:
    """Checked, shown and zoomed."""
    path = tmp_path / f"a.{'jpg' if kind == 'JPEG' else kind.lower()}"
    path.write_bytes(encode_image(Image.new(mode, (side, side)), kind, **options))
    # Through a shell: a child of this large process would count its parent's memory as its own.
    done = subprocess.run(
        ["/bin/sh", "-c", '"$0" -c "$1" "$2"; exit', sys.executable, MEMORY_SCRIPT, str(path)],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert int(done.stdout) <= 250


def test_a_jpeg_with_junk_behind_it_opens() -> None:
    data = encode_image(make_image(), "JPEG")
    assert image_info(io.BytesIO(data + bytes(100)), "JPEG", DecodeLimits()).width == 96


def test_an_endless_animation_is_measured_in_bounded_time(tmp_path: Path) -> None:
    began = time.process_time()
    assert check(corpus.animation("GIF", frames=24, milliseconds=40)).seconds == pytest.approx(0.96)
    assert time.process_time() - began < 5
