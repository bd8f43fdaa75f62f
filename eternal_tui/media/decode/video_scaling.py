"""A decoded frame made into the pixels that are drawn: scaled, upright, in sRGB, and only the part in view."""

from __future__ import annotations

import struct
from functools import lru_cache
from math import exp
from typing import TYPE_CHECKING, Any

from eternal_tui.media.decode.frame import Frame
from eternal_tui.media.decode.images import apply_orientation

if TYPE_CHECKING:
    from av.video.frame import VideoFrame
    from PIL import Image
    from PIL.ImageFilter import Color3DLUT

    from eternal_tui.media.decode.frame import Crop

_ORIENTATIONS = {
    (1, 0, 0, 1): 1, (-1, 0, 0, 1): 2, (-1, 0, 0, -1): 3, (1, 0, 0, -1): 4,
    (0, 1, 1, 0): 5, (0, 1, -1, 0): 6, (0, -1, -1, 0): 7, (0, -1, 1, 0): 8,
}  # fmt: skip
"""By the corner of a display matrix, the EXIF number of the same turn: telephones mirror what they film themselves."""

_MAX_SCALED_PIXELS = 4 << 20
"""Pixels of a frame that is scaled whole so as to cut a part from it: 12 MB."""

PQ, HLG = 16, 18
"""Transfer characteristics of HDR by ITU-T H.273: SMPTE ST 2084, and ARIB STD-B67."""

_LUT_SIZE = 33
_WHITE_NITS, _KNEE = 203.0, 0.5
"""Nits of a white page in HDR by ITU-R BT.2408, and the share of it from which highlights are drawn closer together."""

_BT2020_TO_BT709 = ((1.6605, -0.5876, -0.0728), (-0.1246, 1.1329, -0.0083), (-0.0182, -0.1006, 1.1187))


def orientation_of(frame: VideoFrame | None) -> int:
    """Return the EXIF orientation of a frame, 1 where none is given."""
    data: Any = None if frame is None else frame.side_data.get("DISPLAYMATRIX")
    if data is None or len(raw := bytes(data)) < 36:
        return 1
    a, b, _, c, d = struct.unpack("=5i", raw[:20])
    largest = max(abs(a), abs(b), abs(c), abs(d), 1)
    return _ORIENTATIONS.get((round(a / largest), round(b / largest), round(c / largest), round(d / largest)), 1)


def render_crop(
    frame: VideoFrame, crop: Crop, upright_size: tuple[int, int], orientation: int, background: tuple[int, int, int]
) -> Frame:
    """Return the part of a frame, which is `upright_size` pixels large as it is seen, at the size it is drawn."""
    from PIL import Image

    whole = crop.uncropped_size(upright_size)
    fits = whole == (crop.width, crop.height)
    if not fits:
        # No finer than the clip is: at sixteen times, in a terminal that draws pixels, the whole would be 250 MB.
        share = min(1.0, (_MAX_SCALED_PIXELS / (upright_size[0] * upright_size[1])) ** 0.5)
        whole = (
            max(1, min(whole[0], round(upright_size[0] * share))),
            max(1, min(whole[1], round(upright_size[1] * share))),
        )
    image = _scale_frame(frame, whole[::-1] if orientation >= 5 else whole, background)
    if (table := _tone_table(int(getattr(frame, "color_trc", 0) or 0))) is not None:
        image = image.filter(table)
    image = apply_orientation(image, orientation)
    if not fits:
        across, down = image.width / upright_size[0], image.height / upright_size[1]
        box = (crop.left * across, crop.top * down, crop.right * across, crop.bottom * down)
        image = image.resize((crop.width, crop.height), Image.Resampling.BILINEAR, box=box)
    return Frame(crop.width, crop.height, image.tobytes())


def _scale_frame(frame: VideoFrame, size: tuple[int, int], background: tuple[int, int, int]) -> Image.Image:
    from PIL import Image

    with_alpha = frame.format.name == "pal8" or any(part.is_alpha for part in frame.format.components)
    mode, pixel_format = ("RGBA", "rgba") if with_alpha else ("RGB", "rgb24")
    # swscale to the final size at once: the full picture never exists as RGB. Of two fields it makes no single row.
    small = frame.reformat(width=size[0], height=max(2, size[1]), format=pixel_format, interpolation="AREA")
    plane = small.planes[0]
    image = Image.frombytes(mode, size, memoryview(plane), "raw", mode, plane.line_size)
    if not with_alpha:
        return image
    return Image.alpha_composite(Image.new("RGBA", size, (*background, 255)), image).convert("RGB")


@lru_cache(maxsize=2)
def _tone_table(transfer: int) -> Color3DLUT | None:
    """Return what brings the colours of a PQ or HLG clip to an ordinary screen, None where nothing need be done."""
    if transfer not in (PQ, HLG):
        return None
    from PIL.ImageFilter import Color3DLUT

    to_light = _pq_light if transfer == PQ else _hlg_light
    levels = [_compress(to_light(step / (_LUT_SIZE - 1))) for step in range(_LUT_SIZE)]

    def convert(red: float, green: float, blue: float) -> tuple[float, ...]:
        light = [levels[round(channel * (_LUT_SIZE - 1))] for channel in (red, green, blue)]
        return tuple(
            min(max(sum(share * part for share, part in zip(row, light, strict=True)), 0.0), 1.0) ** (1 / 2.2)
            for row in _BT2020_TO_BT709
        )

    return Color3DLUT.generate(_LUT_SIZE, convert)


def _pq_light(signal: float) -> float:
    """Return the nits of a PQ signal, by SMPTE ST 2084."""
    power = signal ** (1 / 78.84375)
    return 10_000.0 * float((max(power - 0.8359375, 0.0) / (18.8515625 - 18.6875 * power)) ** (1 / 0.1593017578125))


def _hlg_light(signal: float) -> float:
    """Return the nits of an HLG signal on a screen of 1000 nits, by ITU-R BT.2100."""
    scene = signal * signal / 3 if signal <= 0.5 else (exp((signal - 0.55991073) / 0.17883277) + 0.28466892) / 12
    return float(1000.0 * scene**1.2)


def _compress(nits: float) -> float:
    """Return the share of white for a brightness in nits: linear up to a knee, compressed above it."""
    light = nits / _WHITE_NITS
    return light if light <= _KNEE else 1.0 - (1.0 - _KNEE) * exp((_KNEE - light) / (1.0 - _KNEE))
