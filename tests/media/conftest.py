"""Pictures and clips shared by the media tests, made once a session."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.media.files import encode_image, make_image, write_video


@pytest.fixture(scope="session")
def jpeg() -> bytes:
    return encode_image(make_image(), "JPEG", quality=90)


@pytest.fixture(scope="session")
def big_jpeg() -> bytes:
    """About 300 KB: enough to cut in the middle."""
    from PIL import Image

    return encode_image(Image.effect_noise((700, 700), 80).convert("RGB"), "JPEG", quality=90)


@pytest.fixture(scope="session")
def clip_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_video(tmp_path_factory.mktemp("clips") / "clip.mp4")


@pytest.fixture(scope="session")
def clip(clip_path: Path) -> bytes:
    return clip_path.read_bytes()
