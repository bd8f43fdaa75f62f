"""Metadata inside copies: found by readers of the format, and nothing of the picture or the sound is changed."""

from __future__ import annotations

import io
from pathlib import Path
from xml.etree import ElementTree as ET

import av
import pytest
from PIL import Image

from eternal_tui.jobs.copies import copy_to
from eternal_tui.media.xmp import embedding_splices, xmp_packet
from eternal_tui.sandbox.server import Sandbox
from tests.cli.program import Program, threaded_sandbox

HOSTILE = 'At sea <&>"\x00\x1b]]> – ü 雪 ' + "x" * 200
PACKET = xmp_packet(HOSTILE, {"character": "6870", "requestId": 'a"b<c>'})


def picture(mode: str = "RGB", kind: str = "PNG", **options: object) -> bytes:
    image = Image.effect_noise((37, 23), 60).convert(mode)
    target = io.BytesIO()
    image.save(target, kind, **options)
    return target.getvalue()


EXIF = Image.Exif()
EXIF[0x010E] = "a description"

PICTURES = {
    "jpeg": ("a.jpg", picture(kind="JPEG")),
    "jpeg with exif": ("a.jpg", picture(kind="JPEG", exif=EXIF)),
    "png": ("a.png", picture()),
    "png with alpha": ("a.png", picture("RGBA")),
    "webp": ("a.webp", picture(kind="WEBP")),
    "webp without loss": ("a.webp", picture(kind="WEBP", lossless=True)),
    "webp with alpha": ("a.webp", picture("RGBA", kind="WEBP", lossless=True)),
    "webp with exif": ("a.webp", picture(kind="WEBP", exif=EXIF)),
}


@pytest.mark.parametrize("name", PICTURES)
def test_pictures_carry_the_packet_and_keep_their_pixels(tmp_path: Path, name: str) -> None:
    file_name, data = PICTURES[name]
    source = tmp_path / file_name
    source.write_bytes(data)
    copy = copy_to(source, tmp_path / f"copy-{file_name}", splices=embedding_splices(source, PACKET))
    with Image.open(source) as before, Image.open(copy) as after:
        assert after.tobytes() == before.tobytes()
        found = after.info.get("xmp") or after.info["XML:com.adobe.xmp"].encode()
        assert found.strip(b"\x00") == PACKET
    assert source.read_bytes() == data


def test_videos_carry_the_packet_and_still_play(tmp_path: Path) -> None:
    sandbox: Sandbox
    with threaded_sandbox() as sandbox:
        program = Program(tmp_path, sandbox.api_url, sandbox.key)
        program.add_fast_jobs()
        arguments = ("generate", "--character", "6870", "--prompt", "She waves", "--type", "video", "--duration", "1")
        (job,) = program.run(*arguments, "--wait", "--json").json_objects
    source = Path(job["file"])
    copy = copy_to(source, tmp_path / "copy.mp4", splices=embedding_splices(source, PACKET))
    assert copy.read_bytes() == source.read_bytes() + copy.read_bytes()[source.stat().st_size :]
    with av.open(str(source)) as before, av.open(str(copy)) as after:
        frames = [[bytes(frame.planes[0]) for frame in each.decode(video=0)] for each in (before, after)]
    assert frames[0] == frames[1]
    assert PACKET in copy.read_bytes()


@pytest.mark.parametrize("data", [picture(kind="GIF"), b"", b"RIFF\x00\x00\x00\x00WEBP", b"\x00\x00\x00\x18ftyp"])
def test_files_without_a_place_for_it_stay_as_they_are(tmp_path: Path, data: bytes) -> None:
    source = tmp_path / "a.bin"
    source.write_bytes(data)
    assert embedding_splices(source, PACKET) == []


def test_the_packet_is_well_formed_whatever_is_in_it() -> None:
    body = PACKET.decode().split("?>", 1)[1].rsplit("<?", 1)[0]
    root = ET.fromstring(body)
    assert 'At sea <&>"' in "".join(root.itertext())
