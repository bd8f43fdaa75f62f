"""The places a scene can be set in: each a few layers of land that drift at their own pace."""

from __future__ import annotations

from random import Random

import msgspec
from PIL import Image, ImageChops, ImageDraw

from eternal_tui.sandbox.art.ground import Ground, Skyline
from eternal_tui.sandbox.art.palette import Colour, Light, Location, Mood, mix


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
        width, height = self.layer_size
        rng = self.rng
        boats = [(rng.uniform(0.04, 0.96), rng.uniform(0.02, 0.1), rng.uniform(0.05, 0.09)) for _ in range(3)]

        def paint(pen: ImageDraw.ImageDraw, scale: int) -> None:
            for x, down, size in boats:
                left, base, span = x * width * scale, (self.horizon + down) * height * scale, size * width * scale
                pen.polygon(
                    [
                        (left - span, base),
                        (left + span, base),
                        (left + span * 0.7, base + span * 0.3),
                        (left - span * 0.7, base + span * 0.3),
                    ],
                    fill=255,
                )
                pen.polygon(
                    [(left, base - span * 0.15), (left, base - span * 2.1), (left + span * 0.85, base - span * 0.15)],
                    fill=255,
                )
                pen.polygon(
                    [
                        (left - span * 0.1, base - span * 0.15),
                        (left - span * 0.1, base - span * 1.7),
                        (left - span * 0.7, base - span * 0.15),
                    ],
                    fill=210,
                )

        shade = mix(self.land_colour(0.75), self.mood.palette.light, 0.12)
        return self.fill_gradient(
            self.smooth_mask(self.layer_size, paint), mix(shade, self.mood.palette.light, 0.55), shade
        )

    def _pier(self) -> Image.Image:
        width, height = self.layer_size

        def paint(pen: ImageDraw.ImageDraw, scale: int) -> None:
            deck = height * 0.87 * scale
            pen.rectangle((0, deck, width * scale, deck + height * 0.022 * scale), fill=255)
            for index in range(14):
                x = (index + 0.4) * width / 13 * scale
                pen.rectangle(
                    (x, deck - height * 0.035 * scale * (index % 2), x + width * 0.018 * scale, height * scale),
                    fill=255,
                )
            tall = width * 0.03 * scale
            x = width * (0.1 if self.sun[0] > 0.45 else 0.9) * scale
            pen.polygon(
                [
                    (x - tall, deck),
                    (x + tall, deck),
                    (x + tall * 0.6, height * 0.46 * scale),
                    (x - tall * 0.6, height * 0.46 * scale),
                ],
                fill=255,
            )
            pen.rectangle((x - tall * 0.95, height * 0.45 * scale, x + tall * 0.95, height * 0.463 * scale), fill=255)
            pen.rectangle((x - tall * 0.5, height * 0.42 * scale, x + tall * 0.5, height * 0.46 * scale), fill=150)
            pen.polygon(
                [
                    (x - tall * 0.8, height * 0.42 * scale),
                    (x + tall * 0.8, height * 0.42 * scale),
                    (x, height * 0.39 * scale),
                ],
                fill=255,
            )

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
        width, height = self.layer_size
        rng = self.rng
        trees = [((index + rng.uniform(0.1, 0.9)) / count, tall * rng.uniform(0.6, 1.15)) for index in range(count)]

        def paint(pen: ImageDraw.ImageDraw, scale: int) -> None:
            w, h = width * scale, height * scale
            pen.rectangle((0, base * h, w, h), fill=255)
            for x, size in trees:
                for tier in range(4):
                    top = base * h - size * h * (1 - tier * 0.2)
                    half = size * h * (0.07 + 0.055 * tier)
                    foot = top + size * h * 0.36
                    pen.polygon([(x * w, top), (x * w + half, foot), (x * w - half, foot)], fill=255)
                pen.rectangle(
                    (x * w - size * h * 0.02, base * h - size * h * 0.1, x * w + size * h * 0.02, base * h), fill=255
                )

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
        width, height = self.layer_size
        rng = self.rng
        houses = []
        x = -0.02
        while x < 1.02:
            wide = rng.uniform(0.07, 0.16) * self.size[0] / width
            houses.append((x, x + wide * 0.94, tall * rng.uniform(0.35, 1), rng.random()))
            x += wide

        def paint(pen: ImageDraw.ImageDraw, scale: int) -> None:
            for left, right, size, kind in houses:
                top = (base - size) * height * scale
                pen.rectangle((left * width * scale, top, right * width * scale, height * scale), fill=255)
                middle = (left + right) / 2 * width * scale
                if kind > 0.75:
                    pen.polygon(
                        [
                            (left * width * scale, top),
                            (right * width * scale, top),
                            (middle, top - 0.05 * height * scale),
                        ],
                        fill=255,
                    )
                elif kind > 0.55:
                    pen.rectangle((middle - 3 * scale, top - 0.06 * height * scale, middle + 3 * scale, top), fill=255)

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
