"""The place of a scene: its sky, and a few layers of land that drift at their own pace."""

from __future__ import annotations

import math
from collections.abc import Callable
from random import Random

import msgspec
from PIL import Image, ImageChops, ImageDraw, ImageFilter

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


class _MaskPen:
    """Draws on a mask in shares of its width and height."""

    def __init__(self, mask: Image.Image) -> None:
        self._draw = ImageDraw.Draw(mask)
        self._width, self._height = mask.size

    def shape(self, *points: tuple[float, float], fill: int = 255) -> None:
        self._draw.polygon([(x * self._width, y * self._height) for x, y in points], fill=fill)

    def box(self, left: float, top: float, right: float, bottom: float, fill: int = 255) -> None:
        width, height = self._width, self._height
        self._draw.rectangle((left * width, top * height, right * width, bottom * height), fill=fill)

    def disc(self) -> None:
        self._draw.ellipse((4, 4, self._width - 8, self._height - 8), fill=255)


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
        disc = self.smooth_mask((round(radius * 2) + 4,) * 2, _MaskPen.disc)
        if self.mood.light is not Light.GREY:
            sky.paste(palette.light, (round(x - radius), round(y - radius)), disc)
        self._draw_clouds(sky)
        return sky

    def smooth_mask(self, size: tuple[int, int], paint: Callable[[_MaskPen], None]) -> Image.Image:
        """A mask with smooth edges, painted at twice its size."""
        mask = Image.new("L", (size[0] * _SUPERSAMPLING, size[1] * _SUPERSAMPLING))
        paint(_MaskPen(mask))
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
        width = self.layer_size[0]
        line = [(x / width, skyline(x / self.size[0])) for x in range(0, width + 4, 3)]
        return self.smooth_mask(self.layer_size, lambda pen: pen.shape(*line, (1.1, 1), (0, 1)))


class Layer(msgspec.Struct):
    """One RGBA sheet; ``drift_per_second`` is how far it drifts, as a share of the width, in one second."""

    image: Image.Image
    drift_per_second: float


class Scene(Ground):
    """Everything behind the figure."""

    def __init__(self, mood: Mood, rng: Random, size: tuple[int, int], drift_share: float) -> None:
        super().__init__(mood, rng, size, drift_share)
        self.layers = self._build_layers()

    def _build_layers(self) -> list[Layer]:
        painters = {
            Location.MOUNTAINS: self._mountains,
            Location.SEA: self._sea,
            Location.FOREST: self._forest,
            Location.CITY: self._city,
            Location.DUNES: self._dunes,
            Location.MEADOW: self._meadow,
        }
        return painters[self.mood.location]()

    def _ridge_layers(self, count: int, descent: float, roughness: float) -> list[Layer]:
        layers = []
        for index in range(count):
            share = index / max(count - 1, 1)
            level = self.horizon - 0.03 + share * descent
            ridge = self.jagged_skyline(level, 0.15 * (1 - 0.5 * share), roughness)
            shade = self.land_colour(share * 0.9)
            mist = mix(shade, self.mood.palette.sky[3], 0.45 * (1 - share))
            layers.append(Layer(self.fill_gradient(self.mask_below(ridge), shade, mist), 0.004 + 0.018 * share))
        return layers

    def _mountains(self) -> list[Layer]:
        layers = self._ridge_layers(4, 0.3, 0.55)
        if self.mood.light in (Light.WINTER, Light.DAWN, Light.DAY):
            for layer in layers[:2]:
                self._add_snowcaps(layer)
        return layers

    def _add_snowcaps(self, layer: Layer) -> None:
        alpha = layer.image.getchannel("A")
        step = round(self.size[1] * 0.035)
        lower = ImageChops.offset(alpha, round(step * 0.5), step)
        rim = ImageChops.subtract(alpha, lower)
        layer.image.paste(
            (*mix(self.mood.palette.light, self.mood.palette.sky[2], 0.25), 255),
            (0, 0),
            rim.point([v * 3 // 4 for v in range(256)]),
        )
        layer.image.putalpha(alpha)

    def _sea(self) -> list[Layer]:
        palette = self.mood.palette
        width, height = self.layer_size
        headland = self.jagged_skyline(self.horizon - 0.01, 0.07, 0.5)
        layers = [
            Layer(self.fill_gradient(self.mask_below(headland), self.land_colour(0.15), self.land_colour(0.1)), 0.004)
        ]
        water = Image.new("L", self.layer_size)
        water.paste(255, (0, round(self.horizon * height), width, height))
        top = mix(palette.sky[2], palette.sky[3], 0.5)
        sheet = self.fill_gradient(water, mix(top, palette.far, 0.35), mix(palette.near, palette.sky[0], 0.45))
        self._add_glitter(sheet)
        layers.append(Layer(sheet, 0.006))
        layers.append(Layer(self._boats(), 0.014))
        layers.append(Layer(self.fill_gradient(self._pier(), self.land_colour(0.9), self.land_colour(1)), 0.024))
        return layers

    def _add_glitter(self, sheet: Image.Image) -> None:
        width, height = self.layer_size
        middle = self.sun[0] * self.size[0]
        mask = Image.new("L", self.layer_size)
        pen = ImageDraw.Draw(mask)
        for index in range(110):
            deep = (index / 110) ** 1.4
            y = (self.horizon + 0.005 + deep * (1 - self.horizon)) * height
            spread = (0.03 + 0.13 * deep) * width
            x = middle + self.rng.gauss(0, 0.55) * spread
            long = self.rng.uniform(0.25, 1) * spread
            pen.rounded_rectangle(
                (x - long / 2, y, x + long / 2, y + height * (0.002 + 0.004 * deep)),
                3,
                fill=round(215 * (1 - 0.55 * deep)),
            )
        alpha = sheet.getchannel("A")
        sheet.paste((*self.mood.palette.light, 255), (0, 0), mask)
        sheet.putalpha(alpha)

    def _boats(self) -> Image.Image:
        rng = self.rng
        boats = [(rng.uniform(0.04, 0.96), rng.uniform(0.02, 0.1), rng.uniform(0.05, 0.09)) for _ in range(3)]
        aspect = self.layer_size[0] / self.layer_size[1]

        def paint(pen: _MaskPen) -> None:
            for x, down, across in boats:
                y, up = self.horizon + down, across * aspect
                hull, foot = [(x - across, y), (x + across, y)], y - up * 0.15
                pen.shape(*hull, (x + across * 0.7, y + up * 0.3), (x - across * 0.7, y + up * 0.3))
                pen.shape((x, foot), (x, y - up * 2.1), (x + across * 0.85, foot))
                mast = x - across * 0.1
                pen.shape((mast, foot), (mast, y - up * 1.7), (x - across * 0.7, foot), fill=210)

        shade = mix(self.land_colour(0.75), self.mood.palette.light, 0.12)
        mask = self.smooth_mask(self.layer_size, paint)
        return self.fill_gradient(mask, mix(shade, self.mood.palette.light, 0.55), shade)

    def _pier(self) -> Image.Image:
        x = 0.1 if self.sun[0] > 0.45 else 0.9
        deck, wide = 0.87, 0.03

        def paint(pen: _MaskPen) -> None:
            pen.box(0, deck, 1, deck + 0.022)
            for index in range(14):
                left = (index + 0.4) / 13
                pen.box(left, deck - 0.035 * (index % 2), left + 0.018, 1)
            # The lighthouse.
            pen.shape((x - wide, deck), (x + wide, deck), (x + wide * 0.6, 0.46), (x - wide * 0.6, 0.46))
            pen.box(x - wide * 0.95, 0.45, x + wide * 0.95, 0.463)
            pen.box(x - wide * 0.5, 0.42, x + wide * 0.5, 0.46, fill=150)
            pen.shape((x - wide * 0.8, 0.42), (x + wide * 0.8, 0.42), (x, 0.39))

        return self.smooth_mask(self.layer_size, paint)

    def _forest(self) -> list[Layer]:
        layers = self._ridge_layers(2, 0.04, 0.5)[:1]
        for index in range(4):
            share = (index + 1) / 4
            base, tall = 0.66 + 0.1 * index, 0.2 + 0.12 * share
            mask = self._conifers(base, tall, count=16 - 3 * index)
            shade = self.land_colour(0.15 + 0.85 * share)
            mist = mix(shade, self.mood.palette.sky[3], 0.5 * (1 - share))
            layers.append(Layer(self.fill_gradient(mask, shade, mist), 0.006 + 0.02 * share))
        return layers

    def _conifers(self, base: float, tall: float, count: int) -> Image.Image:
        rng = self.rng
        trees = [((index + rng.uniform(0.1, 0.9)) / count, tall * rng.uniform(0.6, 1.15)) for index in range(count)]
        aspect = self.layer_size[0] / self.layer_size[1]

        def paint(pen: _MaskPen) -> None:
            pen.box(0, base, 1, 1)
            for x, size in trees:
                for tier in range(4):
                    top, half = base - size * (1 - tier * 0.2), size * (0.07 + 0.055 * tier) / aspect
                    pen.shape((x, top), (x + half, top + size * 0.36), (x - half, top + size * 0.36))
                pen.box(x - size * 0.02 / aspect, base - size * 0.1, x + size * 0.02 / aspect, base)

        return self.smooth_mask(self.layer_size, paint)

    def _city(self) -> list[Layer]:
        layers = []
        for index in range(3):
            share = index / 2
            low, tall = 0.72 + 0.07 * index, 0.4 - 0.09 * index
            layers.append(Layer(self._skyline(low, tall, share), 0.005 + 0.012 * index))
        ground = Image.new("L", self.layer_size)
        ground.paste(255, (0, round(0.85 * self.size[1]), *self.layer_size))
        layers.append(Layer(self.fill_gradient(ground, self.land_colour(0.85), self.land_colour(1)), 0.03))
        self._add_reflections(layers[-1].image)
        return layers

    def _skyline(self, base: float, tall: float, share: float) -> Image.Image:
        width = self.layer_size[0]
        rng = self.rng
        houses = []
        x = -0.02
        while x < 1.02:
            wide = rng.uniform(0.07, 0.16) * self.size[0] / width
            houses.append((x, x + wide * 0.94, tall * rng.uniform(0.35, 1), rng.random()))
            x += wide

        def paint(pen: _MaskPen) -> None:
            for left, right, size, kind in houses:
                top, middle = base - size, (left + right) / 2
                pen.box(left, top, right, 1)
                if kind > 0.75:
                    pen.shape((left, top), (right, top), (middle, top - 0.05))
                elif kind > 0.55:
                    pen.box(middle - 3 / width, top - 0.06, middle + 3 / width, top)

        shade = self.land_colour(0.2 + 0.65 * share)
        sheet = self.fill_gradient(
            self.smooth_mask(self.layer_size, paint), shade, mix(shade, self.mood.palette.sky[3], 0.3 * (1 - share))
        )
        self._light_windows(sheet, houses, base, share)
        return sheet

    def _light_windows(
        self, sheet: Image.Image, houses: list[tuple[float, float, float, float]], base: float, share: float
    ) -> None:
        width, height = self.layer_size
        pen = ImageDraw.Draw(sheet)
        lit = mix((255, 205, 120), self.mood.palette.light, 0.3)
        odds = 0.62 if self.mood.light in (Light.NIGHT, Light.DUSK, Light.GREY) else 0.22
        cell = self.size[0] * (0.02 + 0.012 * share)
        for left, right, size, _ in houses:
            columns = int((right - left) * width / cell) - 1
            for row in range(int(size * height / (cell * 1.5))):
                for column in range(columns):
                    if self.rng.random() < odds:
                        x = left * width + (column + 0.75) * cell
                        y = (base - size) * height + (row + 0.6) * cell * 1.5
                        glow = mix(pixel_colour(sheet, x, y), lit, self.rng.uniform(0.35, 0.95) * (0.5 + 0.5 * share))
                        pen.rectangle((x, y, x + cell * 0.5, y + cell * 0.75), fill=(*glow, 255))

    def _add_reflections(self, sheet: Image.Image) -> None:
        width, height = self.layer_size
        pen = ImageDraw.Draw(sheet)
        for _ in range(46):
            x, y = self.rng.uniform(0, width), self.rng.uniform(0.87, 0.99) * height
            long = self.rng.uniform(0.02, 0.09) * width
            tint = mix(
                self.land_colour(0.95),
                self.rng.choice(((255, 190, 110), self.mood.palette.sky[3])),
                self.rng.uniform(0.15, 0.5),
            )
            pen.rounded_rectangle((x, y, x + long, y + height * 0.004), 2, fill=(*tint, 255))

    def _dunes(self) -> list[Layer]:
        sand = mix((232, 178, 110), self.mood.palette.sky[2], 0.45)
        layers = self._ridge_layers(1, 0, 0.5)
        for index in range(4):
            share = index / 3
            ridge = self.rolling_skyline(self.horizon + 0.03 + 0.1 * index, 0.035 + 0.03 * share)
            lit = mix(mix(sand, self.mood.palette.light, 0.3 * (1 - share)), self.mood.palette.near, 0.5 * share)
            layers.append(
                Layer(
                    self.fill_gradient(self.mask_below(ridge), lit, mix(lit, self.mood.palette.near, 0.6)),
                    0.005 + 0.02 * share,
                )
            )
        return layers

    def _meadow(self) -> list[Layer]:
        layers = self._ridge_layers(1, 0, 0.45)
        green = mix((110, 160, 80), self.mood.palette.far, 0.4)
        for index in range(4):
            share = index / 3
            ridge = self.rolling_skyline(self.horizon + 0.02 + 0.095 * index, 0.02 + 0.028 * share)
            tone = mix(mix(green, self.mood.palette.sky[3], 0.4 * (1 - share)), self.mood.palette.near, 0.6 * share)
            sheet = self.fill_gradient(
                self.mask_below(ridge), mix(tone, self.mood.palette.light, 0.12), mix(tone, self.mood.palette.near, 0.4)
            )
            self._add_flowers(sheet, ridge, share)
            layers.append(Layer(sheet, 0.005 + 0.02 * share))
        return layers

    def _add_flowers(self, sheet: Image.Image, skyline: Skyline, share: float) -> None:
        width, height = self.layer_size
        pen = ImageDraw.Draw(sheet)
        tints = ((250, 120, 130), (255, 214, 110), (250, 245, 235), (180, 140, 230))
        for _ in range(round(30 + 60 * share)):
            x = self.rng.uniform(0, 1)
            y = skyline(x * width / self.size[0]) + self.rng.uniform(0.02, 0.12)
            size = (0.003 + 0.007 * share) * self.size[0] * self.rng.uniform(0.6, 1.3)
            tint = mix(self.rng.choice(tints), self.mood.palette.far, 0.35 - 0.2 * share)
            pen.ellipse((x * width - size, y * height - size, x * width + size, y * height + size), fill=(*tint, 255))


def pixel_colour(sheet: Image.Image, x: float, y: float) -> Colour:
    """The colour of an RGBA sheet at a point, the nearest one inside it."""
    point = (min(max(round(x), 0), sheet.width - 1), min(max(round(y), 0), sheet.height - 1))
    pixel = sheet.getpixel(point)
    if not isinstance(pixel, tuple):
        raise TypeError("a sheet is RGBA")
    return int(pixel[0]), int(pixel[1]), int(pixel[2])
