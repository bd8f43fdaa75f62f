"""A decoded frame of a clip made into the pixels that are drawn: scaled, upright, and only the part in view."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eternal_tui.media.decode.frame import Frame

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

    from eternal_tui.media.decode.viewport import Crop


def quarter_turns(frame: VideoFrame | None) -> int:
    """Return by how many quarters, clockwise, a frame is to be turned before it is seen: a telephone was held so."""
    return 0 if frame is None else round(-frame.rotation / 90) % 4


def pixels_in_view(frame: VideoFrame, part: Crop, upright: tuple[int, int], turns: int) -> Frame:
    """Return the part of a frame, which is `upright` pixels large once turned, at the size it is drawn."""
    whole = part.whole(upright)
    if whole == (part.width, part.height):
        return _turned(_scaled(frame, whole, turns), turns)
    # No finer than the clip is: at sixteen times, in a terminal that draws pixels, the whole would be 250 MB.
    scaled = (min(whole[0], upright[0]), min(whole[1], upright[1]))
    return _cut(_turned(_scaled(frame, scaled, turns), turns), part, upright)


def _scaled(frame: VideoFrame, upright: tuple[int, int], turns: int) -> Frame:
    width, height = reversed(upright) if turns % 2 else upright
    # swscale to the final size at once: the full picture never exists as RGB.
    small = frame.reformat(width=width, height=height, format="rgb24", interpolation="AREA")
    plane = small.planes[0]
    data, stride = bytes(plane), width * 3
    if plane.line_size != stride:
        step = plane.line_size
        data = b"".join(data[y * step : y * step + stride] for y in range(height))
    return Frame(width, height, data[: stride * height])


def _turned(frame: Frame, quarters: int) -> Frame:
    if not quarters:
        return frame
    from PIL import Image
    from PIL.Image import Transpose

    turn = (Transpose.ROTATE_270, Transpose.ROTATE_180, Transpose.ROTATE_90)[quarters - 1]
    image = Image.frombytes("RGB", (frame.width, frame.height), frame.rgb).transpose(turn)
    return Frame(image.width, image.height, image.tobytes())


def _cut(frame: Frame, part: Crop, upright: tuple[int, int]) -> Frame:
    from PIL import Image

    across, down = frame.width / upright[0], frame.height / upright[1]
    box = (part.left * across, part.top * down, part.right * across, part.bottom * down)
    image = Image.frombytes("RGB", (frame.width, frame.height), frame.rgb)
    cut = image.resize((part.width, part.height), Image.Resampling.BILINEAR, box=box)
    return Frame(part.width, part.height, cut.tobytes())
