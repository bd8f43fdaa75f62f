"""A picture: a sky, land before it, the figure, and the weather, for any moment of a clip."""

from __future__ import annotations

import math
from collections.abc import Callable
from random import Random

from PIL import Image, ImageChops, ImageDraw, ImageFilter

from eternal_tui.sandbox.figure import Colour, Mood, draw_figure, mix, mood_of
from eternal_tui.sandbox.settings import seeded_rng

_SUPERSAMPLING = 2  # shapes are drawn at twice the size, so that their edges come out smooth
_HORIZON = 0.6


def gradient(size: tuple[int, int], stops: list[Colour]) -> Image.Image:
    """Colours from the top down, evenly spaced."""
    column = Image.new("RGB", (1, len(stops)))
    column.putdata(stops)
    # Half a stop above and below keeps the first and last colour at the very edge.
    box = (0, 0.5, 1, len(stops) - 0.5)
    return column.resize((1, size[1]), Image.Resampling.BILINEAR, box=box).resize(size)


def add_glow(image: Image.Image, centre: tuple[float, float], diameter: int, tint: Colour, strength: float) -> None:
    """Lighten an RGB image around a point."""
    disc = Image.radial_gradient("L").resize((max(diameter, 2),) * 2, Image.Resampling.BILINEAR)
    mask = disc.point([round(max(0.0, 1 - value / 181) ** 2.2 * 255 * strength) for value in range(256)])
    corner = (round(centre[0] - diameter / 2), round(centre[1] - diameter / 2))
    image.paste(tint, (*corner, corner[0] + mask.width, corner[1] + mask.height), mask)


class _MaskPen:
    """Draws on a mask in shares of its width and height."""

    def __init__(self, mask: Image.Image) -> None:
        self._draw = ImageDraw.Draw(mask)
        self._width, self._height = mask.size

    def shape(self, *points: tuple[float, float]) -> None:
        self._draw.polygon([(x * self._width, y * self._height) for x, y in points], fill=255)

    def box(self, left: float, top: float, right: float, bottom: float) -> None:
        width, height = self._width, self._height
        self._draw.rectangle((left * width, top * height, right * width, bottom * height), fill=255)

    def bar(self, x: float, y: float, width: float, height: float) -> None:
        self._draw.rounded_rectangle(
            (x * self._width, y * self._height, (x + width) * self._width, (y + height) * self._height),
            height * self._height / 2,
            fill=200,
        )

    def disc(self, x: float, y: float, radius: float) -> None:
        x, y, radius = x * self._width, y * self._height, radius * self._width
        self._draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)


class Scene:
    """Everything behind the figure, painted into ``image``; ``sun`` is its place, in shares of the size."""

    def __init__(self, mood: Mood, rng: Random, size: tuple[int, int]) -> None:
        self._mood, self._rng, self._size = mood, rng, size
        self._aspect = size[0] / size[1]
        self.sun = (rng.choice((0.24, 0.76)) + rng.uniform(-0.04, 0.04), rng.uniform(0.19, 0.34))
        self.image = gradient(size, [*mood.sky, mood.sky[3], mix(mood.near, mood.far, 0.35)])
        self._paint_sky()
        painters = {"sea": self._paint_sea, "forest": self._paint_forest, "city": self._paint_city}
        painters.get(mood.location, self._paint_ridges)()

    def _fill(self, paint: Callable[[_MaskPen], None], top: Colour, bottom: Colour) -> None:
        """Fill what ``paint`` draws with colours from its top to its foot."""
        width, height = self._size
        mask = Image.new("L", (width * _SUPERSAMPLING, height * _SUPERSAMPLING))
        paint(_MaskPen(mask))
        mask = mask.reduce(_SUPERSAMPLING)
        _, start, _, end = mask.getbbox() or (0, 0, width, height)
        self.image.paste(gradient((width, end - start), [top, bottom]), (0, start), mask.crop((0, start, width, end)))

    def _paint_sky(self) -> None:
        mood, rng = self._mood, self._rng
        width, height = self._size
        if mood.light == "night" and mood.weather != "rain":
            sky = ImageDraw.Draw(self.image)
            for _ in range(150):
                x, y = rng.uniform(0, width), rng.uniform(0, 0.55) ** 1.3 * height
                radius = rng.choice((0.0008, 0.0012, 0.0022)) * width
                shade = mix(mood.sky[1], (255, 255, 255), rng.uniform(0.4, 1))
                sky.ellipse((x - radius, y - radius, x + radius, y + radius), fill=shade)
        add_glow(self.image, (self.sun[0] * width, self.sun[1] * height), round(width * 1.5), mood.sun, 0.55)
        if mood.light != "grey":
            self._fill(lambda pen: pen.disc(*self.sun, 0.075 if mood.light == "night" else 0.12), mood.sun, mood.sun)
        clouds = Image.new("L", self._size)
        pen = _MaskPen(clouds)
        for _ in range(rng.randint(2, 4)):
            x, y = rng.uniform(-0.1, 0.9), rng.uniform(0.08, 0.42)
            for _ in range(rng.randint(3, 5)):
                left, top = x + rng.uniform(-0.14, 0.14), y + rng.uniform(-0.03, 0.03)
                pen.bar(left, top, rng.uniform(0.16, 0.42), rng.uniform(0.008, 0.02))
        soft = clouds.point([value // 2 for value in range(256)]).filter(ImageFilter.GaussianBlur(width * 0.006))
        self.image.paste(mix(mood.sky[3], mood.sun, 0.4), (0, 0), soft)

    def _land_colour(self, share: float) -> Colour:
        """The colour of land, from the horizon (0) to the foreground (1)."""
        return mix(mix(self._mood.far, self._mood.sky[3], 0.35), self._mood.near, share)

    def _fill_below(self, level: float, height: float, roughness: float, top: Colour, bottom: Colour) -> None:
        """Fill the land below a skyline around ``level``, jagged or, without roughness, rolling."""
        rng = self._rng
        octaves = range(1, 7 if roughness else 3)
        waves = [
            (rng.uniform(0.7, 1.3) * 2**octave, rng.uniform(0, 6.3), (roughness or 0.4) ** octave) for octave in octaves
        ]
        total = sum(amount for _, _, amount in waves)

        def skyline(x: float) -> float:
            sines = [(math.sin(rate * x + phase), amount) for rate, phase, amount in waves]
            folds = sum((1 - 2 * abs(sine) if roughness else sine) * amount for sine, amount in sines)
            return level - height * folds / total

        line = [(step / 200, skyline(step / 200)) for step in range(201)]
        self._fill(lambda pen: pen.shape(*line, (1, 1), (0, 1)), top, bottom)

    def _paint_ridges(self) -> None:
        """Mountains, or the hills of dunes and a meadow."""
        mood = self._mood
        if mood.location == "mountains":
            ground, roughness, descent = None, 0.55, 0.3
        else:
            self._fill_below(_HORIZON - 0.03, 0.15, 0.5, self._land_colour(0), mood.sky[3])
            tint = (232, 178, 110) if mood.location == "dunes" else (110, 160, 80)
            ground, roughness, descent = mix(tint, mood.sky[2], 0.4), 0.0, 0.33
        for index in range(4):
            share = index / 3
            level, height = _HORIZON + share * descent, 0.15 * (1 - 0.5 * share) if ground is None else 0.06
            shade = self._land_colour(share * 0.9) if ground is None else mix(ground, mood.near, 0.6 * share)
            mist = mix(shade, mood.sky[3] if ground is None else mood.near, 0.45 * (1 - share))
            self._fill_below(level, height, roughness, shade, mist)

    def _paint_sea(self) -> None:
        mood, rng = self._mood, self._rng
        self._fill_below(_HORIZON - 0.01, 0.07, 0.5, self._land_colour(0.15), self._land_colour(0.1))
        top = mix(mix(mood.sky[2], mood.sky[3], 0.5), mood.far, 0.35)
        self._fill(lambda pen: pen.box(0, _HORIZON, 1, 1), top, mix(mood.near, mood.sky[0], 0.45))

        def paint_glitter(pen: _MaskPen) -> None:
            for index in range(110):
                deep = (index / 110) ** 1.4
                spread = 0.03 + 0.13 * deep
                long, thick = rng.uniform(0.25, 1) * spread, 0.002 + 0.004 * deep
                x = self.sun[0] + rng.gauss(0, 0.55) * spread - long / 2
                pen.bar(x, _HORIZON + 0.005 + deep * (1 - _HORIZON), long, thick)

        def paint_boats(pen: _MaskPen) -> None:
            for _ in range(3):
                x, y, across = rng.uniform(0.04, 0.96), _HORIZON + rng.uniform(0.02, 0.1), rng.uniform(0.05, 0.09)
                up = across * self._aspect
                foot, mast = y - up * 0.15, x - across * 0.1
                hull = (
                    (x - across, y),
                    (x + across, y),
                    (x + across * 0.7, y + up * 0.3),
                    (x - across * 0.7, y + up * 0.3),
                )
                pen.shape(*hull)
                pen.shape((x, foot), (x, y - up * 2.1), (x + across * 0.85, foot))
                pen.shape((mast, foot), (mast, y - up * 1.7), (x - across * 0.7, foot))

        self._fill(paint_glitter, mood.sun, mix(mood.sun, mood.near, 0.5))
        shade = mix(self._land_colour(0.75), mood.sun, 0.12)
        self._fill(paint_boats, mix(shade, mood.sun, 0.55), shade)

    def _paint_forest(self) -> None:
        rng = self._rng
        self._fill_below(_HORIZON - 0.03, 0.15, 0.5, self._land_colour(0), self._mood.sky[3])
        for index in range(4):
            share, count = (index + 1) / 4, 16 - 3 * index
            base, tall = 0.66 + 0.1 * index, 0.2 + 0.12 * share
            trees = [((tree + rng.uniform(0.1, 0.9)) / count, tall * rng.uniform(0.6, 1.15)) for tree in range(count)]

            def paint(pen: _MaskPen, base: float = base, trees: list[tuple[float, float]] = trees) -> None:
                pen.box(0, base, 1, 1)
                for x, size in trees:
                    for tier in range(4):
                        top, half = base - size * (1 - tier * 0.2), size * (0.07 + 0.055 * tier) / self._aspect
                        pen.shape((x, top), (x + half, top + size * 0.4), (x - half, top + size * 0.4))

            shade = self._land_colour(0.15 + 0.85 * share)
            self._fill(paint, shade, mix(shade, self._mood.sky[3], 0.5 * (1 - share)))

    def _paint_city(self) -> None:
        rng, mood = self._rng, self._mood
        odds = 0.6 if mood.light in ("night", "dusk", "grey") else 0.2
        for index in range(3):
            share, base, tall = index / 2, 0.72 + 0.07 * index, 0.4 - 0.09 * index
            houses, x = [], -0.02
            while x < 1:
                wide = rng.uniform(0.07, 0.16)
                houses.append((x, x + wide * 0.94, base - tall * rng.uniform(0.35, 1), rng.random() > 0.75))
                x += wide
            windows = [
                (left + (column + 0.75) * 0.024, top + (row + 0.6) * 0.024)
                for left, right, top, _ in houses
                for row in range(int((base - top) / 0.024))
                for column in range(int((right - left) / 0.024) - 1)
                if rng.random() < odds
            ]

            def paint_houses(pen: _MaskPen, houses: list[tuple[float, float, float, bool]] = houses) -> None:
                for left, right, top, has_gable in houses:
                    pen.box(left, top, right, 1)
                    if has_gable:
                        pen.shape((left, top), (right, top), ((left + right) / 2, top - 0.05))

            def paint_windows(pen: _MaskPen, windows: list[tuple[float, float]] = windows) -> None:
                for x, y in windows:
                    pen.box(x, y, x + 0.011, y + 0.012)

            shade = self._land_colour(0.2 + 0.65 * share)
            self._fill(paint_houses, shade, mix(shade, mood.sky[3], 0.3 * (1 - share)))
            lit = mix(shade, mix((255, 205, 120), mood.sun, 0.3), 0.35 + 0.45 * share)
            self._fill(paint_windows, lit, lit)
        self._fill(lambda pen: pen.box(0, 0.86, 1, 1), self._land_colour(0.85), self._land_colour(1))


_POSE_STEPS = 9
_PAN_PER_SECOND = 0.02
_MOVEMENTS = {"wave": (1.1, 0.004), "dance": (0.7, 0.02), "still": (0.2, 0.004)}
"""By pose: movements a second, and how far the figure bobs, as a share of the height."""
_PARTICLE_COUNTS = {"rain": 120, "snow": 95, "motes": 38, "clear": 0}


class Stage:
    """A scene with its figure; ``frame(seconds)`` draws it at that time."""

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
