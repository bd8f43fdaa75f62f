"""Pictures drawn from a prompt."""

from __future__ import annotations

import io
import random


def draw_still(prompt: str, name: str, size: tuple[int, int]) -> bytes:
    """A JPEG of this size."""
    from PIL import Image

    rng = random.Random(f"{name}:{prompt}")
    first, second = (tuple(rng.randrange(256) for _ in range(3)) for _ in range(2))
    image = Image.merge(
        "RGB",
        [
            Image.linear_gradient("L").point(lambda v, a=a, b=b: a + (b - a) * v // 255)
            for a, b in zip(first, second)
        ],
    )
    out = io.BytesIO()
    image.resize(size).save(out, "JPEG", quality=88)
    return out.getvalue()


def draw_avatar(name: str, size: tuple[int, int]) -> bytes:
    """A small portrait."""
    return draw_still("avatar", name, size)


class _Pan:
    def __init__(self, name: str, size: tuple[int, int]) -> None:
        from PIL import Image

        self._image = Image.open(io.BytesIO(draw_still("", name, (size[0] * 2, size[1])))).convert("RGB")
        self._size = size

    def frame(self, t: float):
        left = int(t * 12) % self._size[0]
        return self._image.crop((left, 0, left + self._size[0], self._size[1]))


def moving_scene(prompt: str, name: str, size: tuple[int, int]) -> _Pan:
    """A scene that moves."""
    return _Pan(name + prompt, size)
