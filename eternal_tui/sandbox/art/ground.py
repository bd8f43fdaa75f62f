"""The sky of a scene, and the shapes that its land is made of."""

from __future__ import annotations

import math
from collections.abc import Callable
from random import Random

from PIL import Image, ImageDraw, ImageFilter

from eternal_tui.sandbox.art.palette import Colour, Light, Location, Mood, Weather, mix

Skyline = Callable[[float], float]

_SUPERSAMPLING = 2  # shapes are drawn at twice the size, so that their edges come out smooth


def gradient(size: tuple[int, int], stops: list[Colour]) -> Image.Image:
    """Colours from the top down, evenly spaced."""
    column = Image.new("RGB", (1, len(stops)))
    column.putdata(stops)
    # Half a stop above and below keeps the first and last colour at the very edge.
    box = (0, 0.5, 1, len(stops) - 0.5)
    return column.resize((1, size[1]), Image.Resampling.BILINEAR, box=box).resize(size)


def glow_mask(diameter: int, strength: float) -> Image.Image:
    """A round, soft mask, brightest in its middle."""
    base = Image.radial_gradient("L").resize((max(diameter, 2),) * 2, Image.Resampling.BILINEAR)
    return base.point([round(max(0.0, 1 - value / 181) ** 2.2 * 255 * strength) for value in range(256)])


def add_glow(image: Image.Image, centre: tuple[float, float], diameter: int, tint: Colour, strength: float) -> None:
    """Lighten an RGB image around a point."""
    mask = glow_mask(diameter, strength)
    corner = (round(centre[0] - diameter / 2), round(centre[1] - diameter / 2))
    image.paste(tint, (*corner, corner[0] + mask.width, corner[1] + mask.height), mask)


class Ground:
    """A sky, and the means to paint land before it, for frames of ``size`` and drifts of ``drift_share`` widths."""

    def __init__(self, mood: Mood, rng: Random, size: tuple[int, int], drift_share: float) -> None:
        self.mood = mood
        self.size = size
        self.horizon = {Location.SEA: 0.6, Location.DUNES: 0.56, Location.CITY: 0.66}.get(mood.location, 0.6)
        self.sun = (rng.choice((0.24, 0.76)) + rng.uniform(-0.04, 0.04), rng.uniform(0.19, 0.34))
        self.rng = rng
        self.layer_size = (round(size[0] * (1 + drift_share)), size[1])
        self.sky = self._render_sky()

    def _render_sky(self) -> Image.Image:
        width, height = self.size
        palette = self.mood.palette
        ground = mix(palette.near, palette.far, 0.35)
        sky = gradient(self.size, [*palette.sky, palette.sky[3], ground])
        if self.mood.light is Light.NIGHT and self.mood.weather is not Weather.RAIN:
            self._draw_stars(sky)
        x, y = self.sun[0] * width, self.sun[1] * height
        radius = width * (0.075 if self.mood.light is Light.NIGHT else 0.12)
        add_glow(sky, (x, y), round(width * 1.5), palette.light, 0.55)
        disc = self.smooth_mask(
            (round(radius * 2) + 4,) * 2,
            lambda pen, s: pen.ellipse((2 * s, 2 * s, s * (radius * 2), s * (radius * 2)), fill=255),
        )
        if self.mood.light is not Light.GREY:
            sky.paste(palette.light, (round(x - radius), round(y - radius)), disc)
        self._draw_clouds(sky)
        return sky

    def smooth_mask(self, size: tuple[int, int], paint: Callable[[ImageDraw.ImageDraw, int], None]) -> Image.Image:
        """A mask with smooth edges; ``paint`` draws on a sheet the given times as large."""
        mask = Image.new("L", (size[0] * _SUPERSAMPLING, size[1] * _SUPERSAMPLING))
        paint(ImageDraw.Draw(mask), _SUPERSAMPLING)
        return mask.reduce(_SUPERSAMPLING)

    def _draw_stars(self, sky: Image.Image) -> None:
        width, height = self.size
        pen = ImageDraw.Draw(sky)
        for _ in range(150):
            x, y = self.rng.uniform(0, width), self.rng.uniform(0, 0.55) ** 1.3 * height
            size = self.rng.choice((0.0008, 0.0012, 0.0022)) * width
            shade = mix(self.mood.palette.sky[1], (255, 255, 255), self.rng.uniform(0.4, 1))
            pen.ellipse((x - size, y - size, x + size, y + size), fill=shade)

    def _draw_clouds(self, sky: Image.Image) -> None:
        width, height = self.size
        mask = Image.new("L", self.size)
        pen = ImageDraw.Draw(mask)
        for _ in range(self.rng.randint(2, 4)):
            x, y = self.rng.uniform(-0.1, 0.9) * width, self.rng.uniform(0.08, 0.42) * height
            for _ in range(self.rng.randint(3, 5)):
                long, thick = self.rng.uniform(0.16, 0.42) * width, self.rng.uniform(0.008, 0.02) * height
                left, top = x + self.rng.uniform(-0.14, 0.14) * width, y + self.rng.uniform(-0.03, 0.03) * height
                pen.rounded_rectangle((left, top, left + long, top + thick), thick / 2, fill=120)
        soft = mask.filter(ImageFilter.GaussianBlur(width * 0.006))
        sky.paste(mix(self.mood.palette.sky[3], self.mood.palette.light, 0.4), (0, 0), soft)

    def fill_gradient(self, mask: Image.Image, top: Colour, bottom: Colour) -> Image.Image:
        """A mask as an RGBA sheet that runs from one colour at its top to another at its foot."""
        box = mask.getbbox() or (0, 0, *mask.size)
        sheet = Image.new("RGBA", mask.size, (*top, 0))
        fill = gradient((mask.width, box[3] - box[1]), [top, mix(top, bottom, 0.5), bottom])
        whole = Image.new("RGB", mask.size, bottom)
        whole.paste(fill, (0, box[1]))
        sheet.paste(whole, (0, 0))
        sheet.putalpha(mask)
        return sheet

    def land_colour(self, share: float) -> Colour:
        """The colour of land, from the horizon (0) to the foreground (1)."""
        palette = self.mood.palette
        return mix(mix(palette.far, palette.sky[3], 0.35), palette.near, share)

    def jagged_skyline(self, level: float, height: float, roughness: float) -> Skyline:
        """A jagged skyline around ``level``, both in shares of the height."""
        waves = [
            (self.rng.uniform(0.7, 1.3) * 2**octave, self.rng.uniform(0, 6.3), roughness**octave)
            for octave in range(1, 7)
        ]
        total = sum(amount for _, _, amount in waves)

        def at(x: float) -> float:
            folds = sum((1 - 2 * abs(math.sin(rate * x + phase))) * amount for rate, phase, amount in waves)
            return level - height * folds / total

        return at

    def rolling_skyline(self, level: float, height: float) -> Skyline:
        """A soft, rolling skyline."""
        waves = [(self.rng.uniform(1.2, 2.4) * rate, self.rng.uniform(0, 6.3), 1 / rate) for rate in (1, 2.1)]

        def at(x: float) -> float:
            return level - height * sum(math.sin(rate * x + phase) * amount for rate, phase, amount in waves) / 1.5

        return at

    def mask_below(self, skyline: Skyline) -> Image.Image:
        """The mask of everything below a skyline."""
        width, height = self.layer_size
        aspect = width / self.size[0]

        def paint(pen: ImageDraw.ImageDraw, scale: int) -> None:
            line = [(x * scale, skyline(x / width * aspect) * height * scale) for x in range(0, width + 4, 3)]
            pen.polygon([*line, (width * scale + 8, height * scale), (0, height * scale)], fill=255)

        return self.smooth_mask(self.layer_size, paint)
