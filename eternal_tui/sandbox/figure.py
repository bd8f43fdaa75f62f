"""The figure of a character, with the same hair, skin and clothes everywhere, and the mood that a prompt sets."""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Sequence
from typing import NamedTuple

from PIL import Image, ImageDraw

from eternal_tui.sandbox.characters import default_characters
from eternal_tui.sandbox.settings import seeded_rng

Colour = tuple[int, ...]


class Mood(NamedTuple):
    """Colours and contents of a scene: the sky in four colours from the top down, land far and near, and the light."""

    location: str
    light: str
    weather: str
    pose: str
    sky: list[Colour]
    far: Colour
    near: Colour
    sun: Colour


def colour(text: str) -> Colour:
    """``"1f2937"`` as three bytes."""
    return tuple(bytes.fromhex(text))


def mix(first: Colour, second: Colour, share: float) -> Colour:
    """From ``first`` (share 0) to ``second`` (share 1)."""
    return tuple(round(a + (b - a) * share) for a, b in zip(first, second, strict=True))


_PALETTES = {
    "dawn": ("2b3a67 7a6da6 f2a488 ffe0b0 8d7fa8 2a2745 fff1c9", "3d5a80 98b4d9 f7cfc0 fff0d0 8fa5c2 2c3f58 fff6dc"),
    "day": ("2372b0 5fb0dd b4dfee f5f4dc 83b3c6 1d4a50 fffbe0", "15808a 62bfb4 c8e8cc fdf1c8 7fb8a8 17494a fff9d6"),
    "dusk": (
        "2d1b4e 7a2f6b e2604f ffbf69 8e4169 1f1233 ffe39a",
        "14213d 5b3a7e d9637a ffc9a0 6f4a86 171638 ffe9c0",
        "1b2a49 28617a e58f5c ffd48a 4a6478 141f33 fff0b8",
    ),
    "night": ("060b23 10204b 23437a 5683b0 24406e 070d1f f4f1d8", "0b0f1f 1c1a45 3d2a6b 85579c 33285e 0b0a1e f6e7ff"),
    "grey": ("3b4a5a 5f7384 93a6ae ccd4d4 75888f 26323b f0f4f4", "364156 5d6b8a 98a3b8 d6d3d1 74809b 222a3d f4efe6"),
    "winter": ("4f76a8 92b6d8 cfe1ef fbf1e6 a3bdd6 3a5778 fffaf0", "6a6fa6 a9a6d0 dcd3e8 ffeadb b3b4d6 474a78 fff4e6"),
}
_LOCATIONS = {
    "sea": "harbour harbor sea ocean beach boat boats sail sailing ship ferry coast pier lighthouse island lake surf",
    "forest": "forest tree trees wood woods pine pines jungle autumn leaves",
    "city": "city street streets town neon café cafe bar skyline rooftop office market train station bridge tram",
    "dunes": "desert dune dunes sand sahara oasis",
    "meadow": "garden flower flowers meadow spring field fields park hill hills picnic vineyard",
    "mountains": "mountain mountains alps peak hike hiking climb ski skiing valley glacier",
}
_LIGHTS = {
    "night": "night moon midnight star stars neon aurora lantern lanterns",
    "dusk": "dusk sunset evening golden twilight autumn concert",
    "dawn": "dawn morning sunrise early spring",
    "winter": "snow snowy winter ski skiing ice frost glacier christmas",
    "grey": "rain rainy raining storm fog misty umbrella cloudy",
    "day": "day noon sunny summer sporty beach picnic blue",
}
_WEATHERS = {
    "rain": "rain rainy raining umbrella storm",
    "snow": "snow snowy snowing winter skiing ski blizzard christmas",
    "motes": "firefly fireflies magic sparkle confetti petals blossom party",
}
_POSES = {
    "dance": "dance dances dancing dancer ballet jump jumps jumping twirl spin leap tango waltz",
    "wave": "wave waves waving hello greets greeting hi goodbye",
}


def mood_of(prompt: str, seed: str) -> Mood:
    """Derive a mood from a prompt; what it does not name is chosen at random by ``seed``."""
    words = set(re.findall(r"\w+", prompt.lower()))
    rng = seeded_rng(f"mood:{seed}")

    def named(table: dict[str, str], otherwise: str) -> str:
        return next((choice for choice, known in table.items() if words & set(known.split())), otherwise)

    location = named(_LOCATIONS, rng.choice(list(_LOCATIONS)))
    light = named(_LIGHTS, rng.choice(["dawn", "day", "dusk", "dusk", "night"]))
    weather = named(_WEATHERS, rng.choice(["clear", "clear", "motes"]))
    *sky, far, near, sun = map(colour, rng.choice(_PALETTES[light]).split())
    return Mood(location, light, weather, named(_POSES, "still"), sky, far, near, sun)


Point = tuple[float, float]

_SKINS = ["f6d3bd", "eebfa0", "d9a07a", "b97b56", "8d5a3c", "6a4029"]
_HAIRS = ["1d1a22", "3a2418", "6b3f22", "a8642c", "d9a84e", "e8d3a0", "b5482f", "8f8d96", "2b3557", "7b3a4f"]
_CLOTHES = ["c8553d", "2f6690", "e0a458", "3c6e71", "7d4e8a", "d1495b", "386641", "f2e8cf", "283044", "5b8e7d"]
_STYLES = {
    "female": ("long", "bob", "bun", "curly", "long"),
    "male": ("short", "crop", "short", "curly"),
    "nonbinary": ("bob", "short", "bun", "curly"),
}
_FIXED_HAIR = {
    "6870": ("long", "d9a84e"),
    "6873": ("bun", "3a2418"),
    "6876": ("bob", "b5482f"),
    "6879": ("curly", "1d1a22"),
}
_SUPERSAMPLING = 2


def _look_of(character: str) -> tuple[Colour, str, Colour, Colour]:
    """Return skin, style and colour of the hair, and clothes of a character's ID."""
    rng = seeded_rng(f"look:{character}")
    skin = rng.choice(_SKINS)
    styles = _STYLES[_genders().get(character, "female")]
    style, hair = _FIXED_HAIR.get(character) or (rng.choice(styles), rng.choice(_HAIRS))
    return colour(skin), style, colour(hair), colour(rng.choice(_CLOTHES))


@functools.cache
def _genders() -> dict[str, str]:
    return {str(character.id): character.gender for character in default_characters()}


class _Pen:
    """Draws in units of the sheet's width, at twice the size."""

    def __init__(self, width: int) -> None:
        self._unit = width * _SUPERSAMPLING
        side = round(width * 1.25) * _SUPERSAMPLING
        self.sheet = Image.new("RGBA", (side, side), (0, 0, 0, 0))
        self._draw = ImageDraw.Draw(self.sheet)

    def _box(self, left: float, top: float, right: float, bottom: float) -> tuple[float, float, float, float]:
        return left * self._unit, top * self._unit, right * self._unit, bottom * self._unit

    def oval(self, x: float, y: float, across: float, down: float, fill: Colour) -> None:
        self._draw.ellipse(self._box(x - across, y - down, x + across, y + down), fill=fill)

    def box(self, left: float, top: float, right: float, bottom: float, radius: float, fill: Colour) -> None:
        self._draw.rounded_rectangle(self._box(left, top, right, bottom), radius * self._unit, fill=fill)

    def shape(self, points: Sequence[Point], fill: Colour) -> None:
        self._draw.polygon([(x * self._unit, y * self._unit) for x, y in points], fill=fill)

    def limb(self, points: Sequence[Point], width: float, fill: Colour) -> None:
        line = [(x * self._unit, y * self._unit) for x, y in points]
        self._draw.line(line, fill=fill, width=max(1, round(width * self._unit)), joint="curve")
        for x, y in points:
            self.oval(x, y, width / 2, width / 2, fill)

    def arc(self, x: float, y: float, across: float, down: float, span: Point, width: float, fill: Colour) -> None:
        box = self._box(x - across, y - down, x + across, y + down)
        self._draw.arc(box, *span, fill=fill, width=max(1, round(width * self._unit)))


def _half_oval(x: float, y: float, across: float, down: float) -> list[Point]:
    """The upper half of an oval, from left to right."""
    turns = [math.radians(degree) for degree in range(180, 361, 6)]
    return [(x + across * math.cos(turn), y + down * math.sin(turn)) for turn in turns]


def _draw_back_hair(pen: _Pen, style: str, hair: Colour) -> None:
    if style == "long":
        pen.box(0.27, 0.2, 0.73, 0.86, 0.2, hair)
    elif style == "bob":
        pen.box(0.275, 0.17, 0.725, 0.6, 0.18, hair)
    elif style == "bun":
        pen.oval(0.5, 0.135, 0.1, 0.09, hair)
        pen.oval(0.5, 0.34, 0.2, 0.2, hair)
    elif style == "curly":
        for index in range(16):
            turn = math.pi * (0.83 + 1.34 * index / 15)
            pen.oval(0.5 + 0.2 * math.cos(turn), 0.36 + 0.2 * math.sin(turn), 0.085, 0.085, hair)


def _draw_front_hair(pen: _Pen, style: str, hair: Colour) -> None:
    if style == "curly":
        for x in (0.36, 0.43, 0.5, 0.57, 0.64):
            pen.oval(x, 0.225 + abs(x - 0.5) * 0.25, 0.06, 0.055, hair)
        return
    low, high = {"bun": (0.34, 0.255), "crop": (0.34, 0.255), "bob": (0.36, 0.285)}.get(style, (0.37, 0.245))
    parting = 0.43 if style in ("long", "short") else 0.5
    fringe = [(0.672, low), (0.62, high + 0.03), (parting, high), (0.38, high + 0.03), (0.328, low)]
    pen.shape([*_half_oval(0.5, 0.345, 0.178, 0.17 if style == "crop" else 0.19), *fringe], hair)
    if style == "long":
        for side in (-1, 1):
            pen.limb([(0.5 + side * 0.19, 0.34), (0.5 + side * 0.215, 0.6), (0.5 + side * 0.19, 0.8)], 0.07, hair)


def _draw_face(pen: _Pen, skin: Colour, hair: Colour, blink: bool) -> None:
    dark = mix(skin, (30, 18, 24), 0.82)
    pen.oval(0.5, 0.375, 0.163, 0.193, skin)
    for side in (-1, 1):
        pen.oval(0.5 + side * 0.163, 0.385, 0.022, 0.034, mix(skin, (120, 50, 50), 0.15))
        pen.oval(0.5 + side * 0.088, 0.425, 0.03, 0.018, mix(skin, (226, 96, 92), 0.3))
        x = 0.5 + side * 0.066
        if blink:
            pen.arc(x, 0.362, 0.024, 0.016, (20, 160), 0.008, dark)
        else:
            pen.oval(x, 0.37, 0.0155, 0.021, dark)
            pen.oval(x + 0.005, 0.363, 0.005, 0.006, (255, 255, 255))
        pen.arc(x, 0.338, 0.034, 0.022, (205, 335), 0.009, mix(hair, dark, 0.4))
    pen.arc(0.505, 0.4, 0.014, 0.022, (20, 120), 0.006, mix(skin, dark, 0.4))
    pen.arc(0.5, 0.43, 0.046, 0.036, (28, 152), 0.011, mix((170, 52, 60), dark, 0.25))


def _draw_waving_arm(pen: _Pen, arm_angle: float, sleeve: Colour, skin: Colour) -> None:
    elbow = (0.89, 0.82)
    hand = (elbow[0] + 0.01 - 0.12 * math.sin(arm_angle), elbow[1] - 0.4)
    middle = (elbow[0] + (hand[0] - elbow[0]) * 0.7, elbow[1] + (hand[1] - elbow[1]) * 0.7)
    pen.limb([(0.78, 0.95), elbow, middle], 0.13, sleeve)
    pen.limb([middle, hand], 0.075, skin)
    pen.oval(hand[0], hand[1] - 0.02, 0.062, 0.068, skin)
    for index in range(4):
        turn = -math.pi / 2 + (index - 1.5) * 0.27 - arm_angle * 0.35
        tip = (hand[0] + 0.14 * math.cos(turn), hand[1] - 0.02 + 0.14 * math.sin(turn))
        pen.limb([(hand[0], hand[1] - 0.02), tip], 0.034, skin)
    pen.limb([hand, (hand[0] - 0.1, hand[1] - 0.04)], 0.034, skin)


def draw_figure(
    character: str, mood: Mood, prompt: str, width: int, *, arm_angle: float | None = None, blink: bool = False
) -> Image.Image:
    """Head and shoulders on a transparent sheet of 1.25 ``width`` each way; ``arm_angle`` (radians) waves a hand.

    Everything takes on a little of the sky; the clothes are the character's own without a prompt, and others for
    other prompts.
    """
    skin, style, hair, clothes = _look_of(character)
    if prompt:
        clothes = colour(seeded_rng(f"clothes:{character}:{prompt}").choice(_CLOTHES))
    skin, hair, clothes = (mix(each, mood.sky[2], 0.11) for each in (skin, hair, clothes))
    pen = _Pen(width)
    _draw_back_hair(pen, style, mix(hair, (10, 8, 16), 0.22))
    if arm_angle is not None:
        _draw_waving_arm(pen, arm_angle, mix(clothes, (12, 12, 24), 0.14), skin)
    neck = mix(skin, (90, 40, 40), 0.16)
    pen.box(0.425, 0.44, 0.575, 0.7, 0.06, neck)
    pen.shape([(0.1, 1.3), (0.14, 0.93), *_half_oval(0.5, 0.93, 0.36, 0.33), (0.86, 0.93), (0.9, 1.3)], clothes)
    pen.oval(0.5, 0.6, 0.105, 0.085, mix(clothes, (255, 255, 255), 0.22))
    pen.oval(0.5, 0.585, 0.09, 0.08, neck)
    _draw_face(pen, skin, hair, blink)
    _draw_front_hair(pen, style, hair)
    return pen.sheet.reduce(_SUPERSAMPLING)
