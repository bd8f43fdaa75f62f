"""A decoded frame of a clip made into the pixels that are drawn: scaled, upright, and only the part in view."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eternal_tui.media.decode.frame import Frame

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

    from eternal_tui.media.decode.viewport import Crop


def rotation_of(frame: VideoFrame | None) -> int:
    """Return by how many quarters, clockwise, a frame is to be turned before it is seen: a telephone was held so."""
    return 0 if frame is None else round(-frame.rotation / 90) % 4


def render_crop(frame: VideoFrame, crop: Crop, upright_size: tuple[int, int], rotation: int) -> Frame:
    """Return the part of a frame, which is `upright_size` pixels large once turned, at the size it is drawn."""
    whole = crop.uncropped_size(upright_size)
    if whole == (crop.width, crop.height):
        return _rotate_frame(_scale_frame(frame, whole, rotation), rotation)
    # No finer than the clip is: at sixteen times, in a terminal that draws pixels, the whole would be 250 MB.
    scaled = (min(whole[0], upright_size[0]), min(whole[1], upright_size[1]))
    return _crop_frame(_rotate_frame(_scale_frame(frame, scaled, rotation), rotation), crop, upright_size)


def _scale_frame(frame: VideoFrame, upright_size: tuple[int, int], rotation: int) -> Frame:
    width, height = reversed(upright_size) if rotation % 2 else upright_size
    # swscale to the final size at once: the full picture never exists as RGB.
    small = frame.reformat(width=width, height=height, format="rgb24", interpolation="AREA")
    plane = small.planes[0]
    data, stride = bytes(plane), width * 3
    if plane.line_size != stride:
        step = plane.line_size
        data = b"".join(data[y * step : y * step + stride] for y in range(height))
    return Frame(width, height, data[: stride * height])


def _rotate_frame(frame: Frame, rotation: int) -> Frame:
    if not rotation:
        return frame
    from PIL import Image
    from PIL.Image import Transpose

    turn = (Transpose.ROTATE_270, Transpose.ROTATE_180, Transpose.ROTATE_90)[rotation - 1]
    image = Image.frombytes("RGB", (frame.width, frame.height), frame.rgb).transpose(turn)
    return Frame(image.width, image.height, image.tobytes())


def _crop_frame(frame: Frame, crop: Crop, upright_size: tuple[int, int]) -> Frame:
    from PIL import Image

    across, down = frame.width / upright_size[0], frame.height / upright_size[1]
    box = (crop.left * across, crop.top * down, crop.right * across, crop.bottom * down)
    image = Image.frombytes("RGB", (frame.width, frame.height), frame.rgb)
    cut = image.resize((crop.width, crop.height), Image.Resampling.BILINEAR, box=box)
    return Frame(crop.width, crop.height, cut.tobytes())
