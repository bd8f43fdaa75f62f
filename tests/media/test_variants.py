"""The long run over the corpus: some hundred variants by ffmpeg and Pillow, each against the decoder's own frames."""

from __future__ import annotations

import io
import shutil
import subprocess
from itertools import product
from pathlib import Path

import av
import pytest
from PIL import Image, ImageOps

from eternal_tui.media.decode.frame import Canvas
from eternal_tui.media.decode.images import image_frame, is_animated
from eternal_tui.media.decode.validate import check_decodes, check_magic
from eternal_tui.media.decode.video import VideoReader
from eternal_tui.media.limits import DecodeLimits
from tests.media.files import as_image, make_image, mean_difference

pytestmark = pytest.mark.long

FFMPEG = shutil.which("ffmpeg")
needs_ffmpeg = pytest.mark.skipif(FFMPEG is None, reason="ffmpeg is not installed: apt install ffmpeg")

H264, HEVC = "-c:v libx264 -preset ultrafast", "-c:v libx265 -preset ultrafast -x265-params log-level=none"
AV1, VP9 = "-c:v libsvtav1 -preset 12", "-c:v libvpx-vp9 -deadline realtime"
CODECS = {
    "mp4": (H264, f"{H264} -bf 3 -pix_fmt yuv420p10le", f"{HEVC} -tag:v hvc1", AV1, "-c:v mpeg4 -bf 2"),
    "mov": (f"{H264} -pix_fmt yuv444p", "-c:v prores_ks", "-c:v png", "-c:v mjpeg -pix_fmt yuvj420p"),
    "webm": (VP9, f"{VP9} -pix_fmt yuv444p", "-c:v libvpx", AV1),
    "mkv": (f"{H264} -bf 3 -b_strategy 0", HEVC, "-c:v ffv1", f"{AV1} -pix_fmt yuv420p10le"),
    "avi": ("-c:v mjpeg -pix_fmt yuvj420p", "-c:v rawvideo -pix_fmt bgr24", f"{H264} -bf 2"),
    "ts": (f"{H264} -bf 3", HEVC, "-c:v mpeg2video", "-c:v mpeg2video -mpegts_m2ts_mode 1"),
    "mpg": ("-c:v mpeg2video", "-c:v mpeg1video"),
    "flv": (f"{H264} -bf 2", "-c:v flv1"),
    "wmv": ("-c:v wmv2", "-c:v msmpeg4v3"),
    "ogv": ("-c:v libtheora",),
}
RATES = (("12", "-g 6"), ("25", "-g 250"), ("8", "-g 1"))
SOUNDS = {"mp4": "aac", "mov": "pcm_s16le", "webm": "libopus", "mkv": "flac", "ts": "mp2", "flv": "aac"}
VARIANTS = [
    (suffix, codec, *rate, sound)
    for suffix, codecs in CODECS.items()
    for codec, rate, sound in product(codecs, RATES, (0.0, 0.8, 1.6))
    if (not sound or suffix in SOUNDS) and not (suffix == "mpg" and rate[0] != "25") and (rate[0] != "8" or not sound)
]


def write_variant(path: Path, codec: str, rate: str, more: str, sound: float) -> None:
    """Write a clip of 1.2 seconds, with as many seconds of sound."""
    command = f"-f lavfi -i testsrc2=size=96x64:rate={rate}:duration=1.2 "
    if sound:
        command += f"-f lavfi -i sine=duration={sound} -ar 48000 -c:a {SOUNDS[path.suffix[1:]]} -strict -2 "
    pixels = "" if "-pix_fmt" in codec or "prores" in codec or "png" in codec else "-pix_fmt yuv420p"
    words = f"{command}{codec} {pixels} {more} -flags +bitexact".split()
    subprocess.run([str(FFMPEG), "-v", "error", "-y", *words, str(path)], check=True, timeout=60)


def decoded_frames(path: Path) -> list[bytes]:
    """Return the clip's frames in the order in which libav shows them."""
    with av.open(str(path)) as container:
        frames = [
            frame.reformat(width=48, height=32, format="rgb24", interpolation="AREA")
            for frame in container.decode(container.streams.video[0])
        ]
    return [
        Image.frombytes("RGB", (48, 32), memoryview(frame.planes[0]), "raw", "RGB", frame.planes[0].line_size).tobytes()
        for frame in frames
    ]


@needs_ffmpeg
@pytest.mark.parametrize(("suffix", "codec", "rate", "more", "sound"), VARIANTS)
def test_every_frame_of_a_variant_is_found_forwards_backwards_and_by_its_time(
    tmp_path: Path, suffix: str, codec: str, rate: str, more: str, sound: float
) -> None:
    path = tmp_path / f"a.{suffix}"
    write_variant(path, codec, rate, more, sound)
    data = path.read_bytes()
    facts = check_decodes(io.BytesIO(data), check_magic(data), DecodeLimits(), "video")
    wanted = decoded_frames(path)
    assert (facts.width, facts.height, facts.note, facts.has_sound) == (96, 64, "", sound > 0)
    assert facts.seconds == pytest.approx(len(wanted) / float(rate), abs=1.1 / float(rate))
    with VideoReader(path, Canvas(48, 32, (1, 1))) as reader:
        reader.scan()
        found = [reader.frame_at(0.0)]
        while not found[-1].is_last:
            found.append(reader.step(1))
        assert [each.frame.rgb for each in found] == wanted
        times = [each.seconds for each in found]
        assert times == sorted(set(times))
        assert [reader.step(-1).frame.rgb for _ in found[1:]] == wanted[-2::-1]
        for place in (len(found) - 1, 0, len(found) // 2, 1, len(found) - 2):
            assert reader.frame_at((times[place] + found[place].until) / 2).frame.rgb == wanted[place]


IMAGES = [
    (kind, mode, options)
    for kind, modes in {
        "PNG": ("1", "L", "LA", "P", "RGB", "RGBA", "I;16"),
        "JPEG": ("L", "RGB", "CMYK"),
        "WEBP": ("RGB", "RGBA"),
        "AVIF": ("RGB", "RGBA"),
        "TIFF": ("1", "L", "P", "RGB", "RGBA", "CMYK"),
        "BMP": ("1", "L", "P", "RGB"),
        "GIF": ("L", "P", "RGB"),
        "JPEG2000": ("L", "RGB"),
        "PPM": ("L", "RGB"),
    }.items()
    for mode in modes
    for options in {
        "JPEG": ({"quality": 95, "subsampling": 0}, {"progressive": True, "quality": 95}, {"restart_marker_rows": 1}),
        "PNG": ({}, {"compress_level": 0}),
        "WEBP": ({"quality": 95}, {"lossless": True}),
        "TIFF": ({}, {"compression": "tiff_lzw"}, {"compression": "packbits"}, {"compression": "tiff_adobe_deflate"}),
        "GIF": ({}, {"interlace": 1}),
        "JPEG2000": ({}, {"no_jp2": True}, {"irreversible": True}),
    }.get(kind, ({},))
]  # fmt: skip


@pytest.mark.parametrize(("kind", "mode", "options"), IMAGES)
@pytest.mark.parametrize("orientation", [1, 6])
def test_every_variant_of_an_image_is_drawn_as_pillow_has_it(
    tmp_path: Path, kind: str, mode: str, options: dict[str, object], orientation: int
) -> None:
    image = make_image(700, 420)
    if mode == "I;16":
        image = image.convert("I").point(lambda level: level * 256).convert("I;16")
    elif mode == "LA":
        image = image.convert("RGBA").convert("LA")
    else:
        image = image.convert(mode)
    more: dict[str, object] = {}
    if orientation != 1:
        if kind not in ("PNG", "JPEG", "WEBP", "AVIF", "TIFF"):
            pytest.skip("this kind knows no orientation")
        exif = Image.Exif()
        exif[0x0112] = orientation
        more["exif"] = exif
    data = io.BytesIO()
    image.save(data, kind, **options, **more)
    found = check_magic(data.getvalue())
    path = tmp_path / f"a.{found.suffix}"
    path.write_bytes(data.getvalue())
    facts = check_decodes(io.BytesIO(path.read_bytes()), found, DecodeLimits(), "image")
    with Image.open(io.BytesIO(data.getvalue())) as stored:
        upright = ImageOps.exif_transpose(stored)
        if mode == "I;16":
            upright = upright.convert("I").point(lambda level: level * (1 / 256)).convert("L")
        plain = upright.convert("RGBA").convert("RGB") if mode in ("LA", "RGBA") else upright.convert("RGB")
    assert (facts.width, facts.height, facts.note, facts.seconds) == (*upright.size, "", 0.0)
    assert not is_animated(path, DecodeLimits())
    frame = image_frame(path, Canvas(90, 90, (1, 1)))
    wanted = plain.resize((frame.width, frame.height), Image.Resampling.BOX)
    # Of black and white pixels alone a pixel more or less in the mean is seen at once.
    assert mean_difference(as_image(frame), wanted) <= (8 if mode == "1" else 2.5)
