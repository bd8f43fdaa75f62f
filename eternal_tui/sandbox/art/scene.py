"""The places a scene can be set in: each a few layers of land that drift at their own pace."""

from __future__ import annotations

from random import Random

import msgspec
from PIL import Image, ImageChops, ImageDraw

from eternal_tui.sandbox.art.ground import Ground, Ridge
from eternal_tui.sandbox.art.palette import Colour, Light, Mood, Place, mix


class Layer(msgspec.Struct):
    """One RGBA sheet; ``pace`` is how far it drifts, as a share of the width, in one second."""

    sheet: Image.Image
    pace: float


class Scene(Ground):
    """Everything behind the figure."""

    def __init__(self, mood: Mood, rng: Random, size: tuple[int, int], spare: float) -> None:
        super().__init__(mood, rng, size, spare)
        self.layers = self._land()

    def _land(self) -> list[Layer]:
        painters = {
            Place.MOUNTAINS: self._mountains,
            Place.SEA: self._sea,
            Place.FOREST: self._forest,
            Place.CITY: self._city,
            Place.DUNES: self._dunes,
            Place.MEADOW: self._meadow,
        }
        return painters[self.mood.place]()

    def _ridges(self, count: int, low: float, rough: float) -> list[Layer]:
        layers = []
        for index in range(count):
            share = index / max(count - 1, 1)
            level = self.horizon - 0.03 + share * low
            ridge = self.ridge(level, 0.15 * (1 - 0.5 * share), rough)
            shade = self.depth(share * 0.9)
            mist = mix(shade, self.mood.palette.sky[3], 0.45 * (1 - share))
            layers.append(Layer(self.filled(self.under(ridge), shade, mist), 0.004 + 0.018 * share))
        return layers

    def _mountains(self) -> list[Layer]:
        layers = self._ridges(4, 0.3, 0.55)
        if self.mood.light in (Light.WINTER, Light.DAWN, Light.DAY):
            for layer in layers[:2]:
                self._snowcaps(layer)
        return layers

    def _snowcaps(self, layer: Layer) -> None:
        alpha = layer.sheet.getchannel("A")
        step = round(self.size[1] * 0.035)
        lower = ImageChops.offset(alpha, round(step * 0.5), step)
        rim = ImageChops.subtract(alpha, lower)
        layer.sheet.paste(
            (*mix(self.mood.palette.light, self.mood.palette.sky[2], 0.25), 255),
            (0, 0),
            rim.point([v * 3 // 4 for v in range(256)]),
        )
        layer.sheet.putalpha(alpha)

    def _sea(self) -> list[Layer]:
        palette = self.mood.palette
        width, height = self.wide
        headland = self.ridge(self.horizon - 0.01, 0.07, 0.5)
        layers = [Layer(self.filled(self.under(headland), self.depth(0.15), self.depth(0.1)), 0.004)]
        water = Image.new("L", self.wide)
        water.paste(255, (0, round(self.horizon * height), width, height))
        top = mix(palette.sky[2], palette.sky[3], 0.5)
        sheet = self.filled(water, mix(top, palette.far, 0.35), mix(palette.near, palette.sky[0], 0.45))
        self._glitter(sheet)
        layers.append(Layer(sheet, 0.006))
        layers.append(Layer(self._boats(), 0.014))
        layers.append(Layer(self.filled(self._pier(), self.depth(0.9), self.depth(1)), 0.024))
        return layers

    def _glitter(self, sheet: Image.Image) -> None:
        width, height = self.wide
        middle = self.sun[0] * self.size[0]
        mask = Image.new("L", self.wide)
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
        width, height = self.wide
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

        shade = mix(self.depth(0.75), self.mood.palette.light, 0.12)
        return self.filled(self.shape(self.wide, paint), mix(shade, self.mood.palette.light, 0.55), shade)

    def _pier(self) -> Image.Image:
        width, height = self.wide

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

        return self.shape(self.wide, paint)

    def _forest(self) -> list[Layer]:
        layers = self._ridges(2, 0.04, 0.5)[:1]
        for index in range(4):
            share = (index + 1) / 4
            base, tall = 0.66 + 0.1 * index, 0.2 + 0.12 * share
            mask = self._conifers(base, tall, count=16 - 3 * index)
            shade = self.depth(0.15 + 0.85 * share)
            mist = mix(shade, self.mood.palette.sky[3], 0.5 * (1 - share))
            layers.append(Layer(self.filled(mask, shade, mist), 0.006 + 0.02 * share))
        return layers

    def _conifers(self, base: float, tall: float, count: int) -> Image.Image:
        width, height = self.wide
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

        return self.shape(self.wide, paint)

    def _city(self) -> list[Layer]:
        layers = []
        for index in range(3):
            share = index / 2
            low, tall = 0.72 + 0.07 * index, 0.4 - 0.09 * index
            layers.append(Layer(self._skyline(low, tall, share), 0.005 + 0.012 * index))
        ground = Image.new("L", self.wide)
        ground.paste(255, (0, round(0.85 * self.size[1]), *self.wide))
        layers.append(Layer(self.filled(ground, self.depth(0.85), self.depth(1)), 0.03))
        self._reflect(layers[-1].sheet)
        return layers

    def _skyline(self, base: float, tall: float, share: float) -> Image.Image:
        width, height = self.wide
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

        shade = self.depth(0.2 + 0.65 * share)
        sheet = self.filled(
            self.shape(self.wide, paint), shade, mix(shade, self.mood.palette.sky[3], 0.3 * (1 - share))
        )
        self._windows(sheet, houses, base, share)
        return sheet

    def _windows(
        self, sheet: Image.Image, houses: list[tuple[float, float, float, float]], base: float, share: float
    ) -> None:
        width, height = self.wide
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
                        glow = mix(sheet_colour(sheet, x, y), lit, self.rng.uniform(0.35, 0.95) * (0.5 + 0.5 * share))
                        pen.rectangle((x, y, x + cell * 0.5, y + cell * 0.75), fill=(*glow, 255))

    def _reflect(self, sheet: Image.Image) -> None:
        width, height = self.wide
        pen = ImageDraw.Draw(sheet)
        for _ in range(46):
            x, y = self.rng.uniform(0, width), self.rng.uniform(0.87, 0.99) * height
            long = self.rng.uniform(0.02, 0.09) * width
            tint = mix(
                self.depth(0.95),
                self.rng.choice(((255, 190, 110), self.mood.palette.sky[3])),
                self.rng.uniform(0.15, 0.5),
            )
            pen.rounded_rectangle((x, y, x + long, y + height * 0.004), 2, fill=(*tint, 255))

    def _dunes(self) -> list[Layer]:
        sand = mix((232, 178, 110), self.mood.palette.sky[2], 0.45)
        layers = self._ridges(1, 0, 0.5)
        for index in range(4):
            share = index / 3
            ridge = self.swell(self.horizon + 0.03 + 0.1 * index, 0.035 + 0.03 * share)
            lit = mix(mix(sand, self.mood.palette.light, 0.3 * (1 - share)), self.mood.palette.near, 0.5 * share)
            layers.append(
                Layer(self.filled(self.under(ridge), lit, mix(lit, self.mood.palette.near, 0.6)), 0.005 + 0.02 * share)
            )
        return layers

    def _meadow(self) -> list[Layer]:
        layers = self._ridges(1, 0, 0.45)
        green = mix((110, 160, 80), self.mood.palette.far, 0.4)
        for index in range(4):
            share = index / 3
            ridge = self.swell(self.horizon + 0.02 + 0.095 * index, 0.02 + 0.028 * share)
            tone = mix(mix(green, self.mood.palette.sky[3], 0.4 * (1 - share)), self.mood.palette.near, 0.6 * share)
            sheet = self.filled(
                self.under(ridge), mix(tone, self.mood.palette.light, 0.12), mix(tone, self.mood.palette.near, 0.4)
            )
            self._flowers(sheet, ridge, share)
            layers.append(Layer(sheet, 0.005 + 0.02 * share))
        return layers

    def _flowers(self, sheet: Image.Image, ridge: Ridge, share: float) -> None:
        width, height = self.wide
        pen = ImageDraw.Draw(sheet)
        tints = ((250, 120, 130), (255, 214, 110), (250, 245, 235), (180, 140, 230))
        for _ in range(round(30 + 60 * share)):
            x = self.rng.uniform(0, 1)
            y = ridge(x * width / self.size[0]) + self.rng.uniform(0.02, 0.12)
            size = (0.003 + 0.007 * share) * self.size[0] * self.rng.uniform(0.6, 1.3)
            tint = mix(self.rng.choice(tints), self.mood.palette.far, 0.35 - 0.2 * share)
            pen.ellipse((x * width - size, y * height - size, x * width + size, y * height + size), fill=(*tint, 255))


def sheet_colour(sheet: Image.Image, x: float, y: float) -> Colour:
    """The colour of an RGBA sheet at a point, the nearest one inside it."""
    point = (min(max(round(x), 0), sheet.width - 1), min(max(round(y), 0), sheet.height - 1))
    pixel = sheet.getpixel(point)
    if not isinstance(pixel, tuple):
        raise TypeError("a sheet is RGBA")
    return int(pixel[0]), int(pixel[1]), int(pixel[2])
