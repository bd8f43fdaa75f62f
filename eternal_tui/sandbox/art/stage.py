"""Puts it together: scene, figure, weather, for any moment of a clip; a picture is its first moment."""

from __future__ import annotations

import math

from PIL import Image, ImageChops, ImageDraw

from eternal_tui.sandbox.art.figure import draw_figure
from eternal_tui.sandbox.art.palette import Colour, Light, Pose, Weather, mix, mood_of
from eternal_tui.sandbox.art.scene import Scene, add_glow
from eternal_tui.sandbox.settings import seeded_rng

_POSE_STEPS = 9
_BACKGROUNDS_PER_SECOND = 12
_TEMPO_HZ = {Pose.WAVE: 1.1, Pose.DANCE: 0.7, Pose.STILL: 0.2}
_START_PHASE = {Pose.WAVE: -0.4, Pose.DANCE: 0.9, Pose.STILL: 0.0}


class _Cutout:
    """A sheet made ready to be laid down often: without its empty margins, colour and mask apart."""

    def __init__(self, sheet: Image.Image) -> None:
        self.size = sheet.size
        box = sheet.getchannel("A").getbbox() or (0, 0, 1, 1)
        self._corner = box[:2]
        self._mask = sheet.getchannel("A").crop(box)
        self._paint = sheet.convert("RGB").crop(box)

    def paste(self, image: Image.Image, left: float, top: float) -> None:
        image.paste(self._paint, (round(left) + self._corner[0], round(top) + self._corner[1]), self._mask)


class Stage:
    """A scene with its figure; ``frame(t)`` is how it looks after ``seconds`` seconds."""

    def __init__(self, prompt: str, character: str, seed: str, size: tuple[int, int], *, seconds: float) -> None:
        self._prompt = prompt
        self._character = character
        self._size = size
        self._rng = seeded_rng(f"stage:{seed}")
        self._mood = mood_of(prompt, seed)
        self._scene = Scene(self._mood, seeded_rng(f"scene:{seed}"), size, drift_share=0.03 * seconds)
        self._layers = [(_Cutout(layer.image), layer.drift_per_second) for layer in self._scene.layers]
        self._sprites: dict[tuple[int, bool], _Cutout] = {}
        dancing = self._mood.pose is Pose.DANCE
        self._figure_width = round(size[0] * (0.78 if dancing else 0.74))
        self._figure_left = (0.11 if dancing else self._bust_left()) * size[0]
        self._particles = self._make_particles()
        self._vignette = _vignette(size)
        self._background_step = -1
        self._background = self._scene.sky

    def _bust_left(self) -> float:
        if self._mood.pose is Pose.WAVE:
            return 0.06
        return 0.03 if self._scene.sun[0] > 0.5 else 0.23

    def _make_particles(self) -> list[tuple[float, float, float]]:
        count = {Weather.RAIN: 120, Weather.SNOW: 95, Weather.MOTES: 38, Weather.CLEAR: 0}[self._mood.weather]
        return [(self._rng.random(), self._rng.random(), self._rng.random()) for _ in range(count)]

    def frame(self, seconds: float) -> Image.Image:
        """An RGB image of the stage's size."""
        image = self._draw_background(int(seconds * _BACKGROUNDS_PER_SECOND)).copy()
        self._draw_figure(image, seconds)
        self._draw_weather(image, seconds)
        return image

    def _draw_background(self, step: int) -> Image.Image:
        """Sky and land; they drift less than a pixel a frame, so two frames may share one."""
        if step != self._background_step:
            image = self._scene.sky.copy()
            for cutout, pace in self._layers:
                cutout.paste(image, -pace * step / _BACKGROUNDS_PER_SECOND * self._size[0], 0)
            self._background = ImageChops.multiply(image, self._vignette)
            self._background_step = step
        return self._background

    def _draw_figure(self, image: Image.Image, seconds: float) -> None:
        height = self._size[1]
        dancing = self._mood.pose is Pose.DANCE
        beat = math.sin(2 * math.pi * _TEMPO_HZ[self._mood.pose] * seconds + _START_PHASE[self._mood.pose])
        sprite = self._sprite(round((beat + 1) / 2 * (_POSE_STEPS - 1)), blink=seconds % 2.6 > 2.45)
        bob = (abs(beat) * 0.012 if dancing else beat * 0.004) * height
        top = height - sprite.size[1] + bob + height * (-0.035 if dancing else 0.04)
        if dancing:
            self._draw_shadow(image)
        sprite.paste(image, self._figure_left, top)

    def _sprite(self, step: int, *, blink: bool) -> _Cutout:
        if self._mood.pose is Pose.STILL:
            step = 0
        if (step, blink) not in self._sprites:
            drawn = draw_figure(
                self._character,
                self._mood.palette,
                self._prompt,
                self._figure_width,
                pose=self._mood.pose,
                phase=step / (_POSE_STEPS - 1) * 2 - 1,
                blink=blink,
            )
            self._sprites[step, blink] = _Cutout(drawn)
        return self._sprites[step, blink]

    def _draw_shadow(self, image: Image.Image) -> None:
        width, height = self._size
        patch = Image.new("L", (width, round(height * 0.08)))
        ImageDraw.Draw(patch).ellipse((width * 0.26, 0, width * 0.76, patch.height * 0.7), fill=105)
        image.paste(mix(self._mood.palette.near, (0, 0, 0), 0.5), (0, round(height * 0.925)), patch)

    def _draw_weather(self, image: Image.Image, seconds: float) -> None:
        width, height = self._size
        pen = ImageDraw.Draw(image, "RGBA")
        tint = self._particle_colour()
        for x, y, deep in self._particles:
            if self._mood.weather is Weather.RAIN:
                down = (y + seconds * (1.1 + 0.7 * deep)) % 1.1 - 0.05
                left = (x - 0.12 * down) % 1.0
                long = 0.025 + 0.035 * deep
                line = (left * width, down * height, (left - 0.012) * width, (down + long) * height)
                pen.line(line, fill=(*tint, 60 + round(90 * deep)), width=max(1, round(width * 0.0028)))
            else:
                fall = 0.05 + 0.1 * deep if self._mood.weather is Weather.SNOW else -0.02 - 0.03 * deep
                down = (y + seconds * fall) % 1.06 - 0.03
                left = (x + 0.025 * math.sin(seconds * 0.9 + x * 40) + 0.01 * seconds) % 1.0
                size = (0.003 + 0.0085 * deep**3) * width
                box = (left * width - size, down * height - size, left * width + size, down * height + size)
                pen.ellipse(box, fill=(*tint, 110 + round(130 * (1 - abs(deep - 0.5)))))

    def _particle_colour(self) -> Colour:
        if self._mood.weather is Weather.MOTES and self._mood.light in (Light.NIGHT, Light.DUSK):
            return 255, 222, 140
        return mix(self._mood.palette.light, (255, 255, 255), 0.5)


def _vignette(size: tuple[int, int]) -> Image.Image:
    soft = Image.radial_gradient("L").resize(size, Image.Resampling.BILINEAR)
    dimmed = soft.point([255 - round(max(0.0, value / 255 - 0.45) ** 1.6 * 190) for value in range(256)])
    return Image.merge("RGB", (dimmed, dimmed, dimmed))


def draw_portrait(character: str, size: tuple[int, int]) -> Image.Image:
    """A character's small portrait before a plain ground."""
    name = f"portrait:{character}"
    mood = mood_of("", name)
    image = Image.new("RGB", size, mood.palette.sky[1])
    add_glow(image, (size[0] * 0.5, size[1] * 0.42), round(size[0] * 1.5), mood.palette.sky[3], 0.9)
    wide = round(size[0] * 0.92)
    bust = draw_figure(character, mood.palette, "", wide, pose=Pose.STILL, phase=0)
    image.paste(bust, (round(size[0] * 0.04), round(size[1] * 0.02)), bust)
    return image
