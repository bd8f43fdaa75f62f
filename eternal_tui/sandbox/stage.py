"""Puts it together: scene, figure, weather, for any moment of a clip; a picture is its first moment."""

from __future__ import annotations

import math

from PIL import Image, ImageChops, ImageDraw

from eternal_tui.sandbox.figure import draw_figure
from eternal_tui.sandbox.mood import mix, mood_of
from eternal_tui.sandbox.scene import Scene, add_glow
from eternal_tui.sandbox.settings import seeded_rng

_POSE_STEPS = 9
_PAN_PER_SECOND = 0.02
_MOVEMENTS = {"wave": (1.1, 0.004), "dance": (0.7, 0.02), "still": (0.2, 0.004)}
"""By pose: movements a second, and how far the figure bobs, as a share of the height."""
_PARTICLE_COUNTS = {"rain": 120, "snow": 95, "motes": 38, "clear": 0}


class Stage:
    """A scene with its figure; ``frame(seconds)`` is how it looks after so many seconds."""

    def __init__(self, prompt: str, character: str, seed: str, size: tuple[int, int], *, seconds: float) -> None:
        self._prompt, self._character, self._size = prompt, character, size
        self._mood = mood_of(prompt, seed)
        wide = (round(size[0] * (1 + _PAN_PER_SECOND * seconds)), size[1])
        scene = Scene(self._mood, seeded_rng(f"scene:{seed}"), wide)
        self._background = ImageChops.multiply(scene.image, _vignette(wide))
        self._figure_left = round(size[0] * (0.03 if scene.sun[0] > 0.5 or self._mood.pose == "wave" else 0.23))
        rng = seeded_rng(f"stage:{seed}")
        count = _PARTICLE_COUNTS[self._mood.weather]
        self._particles = [(rng.random(), rng.random(), rng.random()) for _ in range(count)]
        self._sprites: dict[tuple[int, bool], Image.Image] = {}

    def frame(self, seconds: float) -> Image.Image:
        """An RGB image of the stage's size."""
        width, height = self._size
        pan = round(seconds * _PAN_PER_SECOND * width)
        image = self._background.crop((pan, 0, pan + width, height))
        tempo_hz, bob = _MOVEMENTS[self._mood.pose]
        beat = math.sin(2 * math.pi * tempo_hz * seconds)
        step = 0 if self._mood.pose == "still" else round(beat * (_POSE_STEPS - 1) / 2)
        key = (step, seconds % 2.6 > 2.45)
        if key not in self._sprites:
            self._sprites[key] = self._draw_sprite(*key)
        sprite = self._sprites[key]
        top = height - sprite.height + (beat * bob + 0.04) * height
        image.paste(sprite, (self._figure_left, round(top)), sprite)
        self._draw_weather(image, seconds)
        return image

    def _draw_sprite(self, step: int, blink: bool) -> Image.Image:
        phase, pose = step / (_POSE_STEPS - 1) * 2, self._mood.pose
        width = round(self._size[0] * 0.74)
        arm_angle = phase if pose != "still" else None
        drawn = draw_figure(self._character, self._mood, self._prompt, width, arm_angle=arm_angle, blink=blink)
        if pose == "dance":
            return drawn.rotate(7 * phase, Image.Resampling.BICUBIC, center=(width // 2, drawn.height))
        return drawn

    def _draw_weather(self, image: Image.Image, seconds: float) -> None:
        width, height = self._size
        pen = ImageDraw.Draw(image, "RGBA")
        tint = mix(self._mood.sun, (255, 255, 255), 0.3)
        for x, y, deep in self._particles:
            if self._mood.weather == "rain":
                down = (y + seconds * (1.1 + 0.7 * deep)) % 1.1 - 0.05
                left, long = (x - 0.12 * down) % 1.0, 0.025 + 0.035 * deep
                line = (left * width, down * height, (left - 0.012) * width, (down + long) * height)
                pen.line(line, fill=(*tint, 60 + round(90 * deep)), width=max(1, round(width * 0.0028)))
            else:
                fall = 0.05 + 0.1 * deep if self._mood.weather == "snow" else -0.02 - 0.03 * deep
                down = (y + seconds * fall) % 1.06 - 0.03
                left = (x + 0.025 * math.sin(seconds * 0.9 + x * 40) + 0.01 * seconds) % 1.0
                size = (0.003 + 0.0085 * deep**3) * width
                box = (left * width - size, down * height - size, left * width + size, down * height + size)
                pen.ellipse(box, fill=(*tint, 110 + round(130 * (1 - abs(deep - 0.5)))))


def _vignette(size: tuple[int, int]) -> Image.Image:
    soft = Image.radial_gradient("L").resize(size, Image.Resampling.BILINEAR)
    dimmed = soft.point([255 - round(max(0.0, value / 255 - 0.45) ** 1.6 * 190) for value in range(256)])
    return Image.merge("RGB", (dimmed, dimmed, dimmed))


def draw_portrait(character: str, size: tuple[int, int]) -> Image.Image:
    """A character's small portrait before a plain ground."""
    mood = mood_of("", f"portrait:{character}")
    image = Image.new("RGB", size, mood.sky[1])
    add_glow(image, (size[0] * 0.5, size[1] * 0.42), round(size[0] * 1.5), mood.sky[3], 0.9)
    bust = draw_figure(character, mood, "", round(size[0] * 0.92))
    image.paste(bust, (round(size[0] * 0.04), round(size[1] * 0.02)), bust)
    return image
