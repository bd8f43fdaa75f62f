"""A character as a flat, stylised figure: the same hair, skin and clothes wherever the same character appears."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence

import msgspec
from PIL import Image, ImageDraw

from eternal_tui.sandbox.art.palette import Colour, Palette, Pose, colour, mix
from eternal_tui.sandbox.characters import default_characters
from eternal_tui.sandbox.settings import seeded_rng

Point = tuple[float, float]

_SKINS = [colour(text) for text in ["f6d3bd", "eebfa0", "d9a07a", "b97b56", "8d5a3c", "6a4029"]]
_HAIRS = [
    colour(text)
    for text in ["1d1a22", "3a2418", "6b3f22", "a8642c", "d9a84e", "e8d3a0", "b5482f", "8f8d96", "2b3557", "7b3a4f"]
]
_CLOTHES = [
    colour(text)
    for text in ["c8553d", "2f6690", "e0a458", "3c6e71", "7d4e8a", "d1495b", "386641", "f2e8cf", "283044", "5b8e7d"]
]
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


class Appearance(msgspec.Struct, frozen=True):
    """What stays the same about a character."""

    skin: Colour
    hair: Colour
    clothes: Colour
    style: str
    glasses: bool


def appearance_of(character: str) -> Appearance:
    """The look that belongs to a character's ID."""
    rng = seeded_rng(f"look:{character}")
    skin = rng.choice(_SKINS)
    style, hair = _FIXED_HAIR.get(character) or (rng.choice(_STYLES[_genders().get(character, "female")]), None)
    return Appearance(
        skin=skin,
        hair=colour(hair) if hair else rng.choice(_HAIRS),
        clothes=rng.choice(_CLOTHES),
        style=style,
        glasses=hair is None and rng.random() < 0.22,
    )


@functools.cache
def _genders() -> dict[str, str]:
    return {str(character.id): character.gender for character in default_characters()}


def _clothes_colour(character: str, prompt: str, palette: Palette) -> Colour:
    """The clothes of this picture: the character's own without a prompt, others for other prompts."""
    chosen = (
        seeded_rng(f"clothes:{character}:{prompt}").choice(_CLOTHES) if prompt else appearance_of(character).clothes
    )
    return _tint_by_sky(chosen, palette, 0.1)


class _Pen:
    """Draws in units of the sheet's width, at twice the size."""

    def __init__(self, width: int) -> None:
        self.unit = width * _SUPERSAMPLING
        side = round(width * 1.25) * _SUPERSAMPLING
        self.sheet = Image.new("RGBA", (side, side), (0, 0, 0, 0))
        self._draw = ImageDraw.Draw(self.sheet)

    def oval(self, x: float, y: float, across: float, down: float, fill: Colour) -> None:
        u = self.unit
        self._draw.ellipse(((x - across) * u, (y - down) * u, (x + across) * u, (y + down) * u), fill=fill)

    def box(self, left: float, top: float, right: float, bottom: float, radius: float, fill: Colour) -> None:
        u = self.unit
        self._draw.rounded_rectangle((left * u, top * u, right * u, bottom * u), radius * u, fill=fill)

    def shape(self, points: Sequence[Point], fill: Colour) -> None:
        self._draw.polygon([(x * self.unit, y * self.unit) for x, y in points], fill=fill)

    def limb(self, points: Sequence[Point], width: float, fill: Colour) -> None:
        u = self.unit
        line = [(x * u, y * u) for x, y in points]
        self._draw.line(line, fill=fill, width=max(1, round(width * u)), joint="curve")
        for x, y in points:
            self.oval(x, y, width / 2, width / 2, fill)

    def arc(self, x: float, y: float, across: float, down: float, span: Point, width: float, fill: Colour) -> None:
        u = self.unit
        box = ((x - across) * u, (y - down) * u, (x + across) * u, (y + down) * u)
        self._draw.arc(box, *span, fill=fill, width=max(1, round(width * u)))

    def to_image(self) -> Image.Image:
        return self.sheet.reduce(_SUPERSAMPLING)


def _tint_by_sky(base: Colour, palette: Palette, share: float = 0.14) -> Colour:
    """A colour under the scene's light: everything takes on a little of the sky."""
    return mix(base, palette.sky[2], share)


def _draw_back_hair(pen: _Pen, appearance: Appearance, hair: Colour) -> None:
    if appearance.style == "long":
        pen.box(0.27, 0.2, 0.73, 0.86, 0.2, hair)
    elif appearance.style == "bob":
        pen.box(0.275, 0.17, 0.725, 0.6, 0.18, hair)
    elif appearance.style == "bun":
        pen.oval(0.5, 0.135, 0.1, 0.09, hair)
        pen.oval(0.5, 0.34, 0.2, 0.2, hair)
    elif appearance.style == "curly":
        for index in range(16):
            turn = math.pi * (0.83 + 1.34 * index / 15)
            pen.oval(0.5 + 0.2 * math.cos(turn), 0.36 + 0.2 * math.sin(turn), 0.085, 0.085, hair)


def _draw_front_hair(pen: _Pen, appearance: Appearance, hair: Colour) -> None:
    if appearance.style == "curly":
        for x in (0.36, 0.43, 0.5, 0.57, 0.64):
            pen.oval(x, 0.225 + abs(x - 0.5) * 0.25, 0.06, 0.055, hair)
        return
    top = 0.155 if appearance.style != "crop" else 0.175
    crown = [(0.5 + 0.178 * math.cos(turn), 0.345 + (0.345 - top) * math.sin(turn)) for turn in _angles(180, 360)]
    part = 0.43 if appearance.style in ("long", "short") else 0.57
    if appearance.style in ("bun", "crop"):
        fringe = [(0.672, 0.34), (0.6, 0.268), (0.5, 0.255), (0.4, 0.268), (0.328, 0.34)]
    elif appearance.style == "bob":
        fringe = [(0.672, 0.36), (0.64, 0.295), (0.5, 0.285), (0.36, 0.295), (0.328, 0.36)]
    else:
        fringe = [(0.675, 0.37), (0.645, 0.3), (part, 0.238), (0.355, 0.31), (0.325, 0.37)]
    pen.shape([*crown, *fringe], hair)


def _angles(start: int, end: int) -> list[float]:
    return [math.radians(degree) for degree in range(start, end + 1, 6)]


def _draw_face(pen: _Pen, appearance: Appearance, palette: Palette, skin: Colour, blink: bool) -> None:
    dark = mix(skin, (30, 18, 24), 0.82)
    blush = mix(skin, (226, 96, 92), 0.3)
    for side in (-1, 1):
        pen.oval(0.5 + side * 0.088, 0.425, 0.03, 0.018, blush)
        x = 0.5 + side * 0.066
        if blink:
            pen.arc(x, 0.362, 0.024, 0.016, (20, 160), 0.008, dark)
        else:
            pen.oval(x, 0.37, 0.0155, 0.021, dark)
            pen.oval(x + 0.005, 0.363, 0.005, 0.006, (255, 255, 255))
        pen.arc(x, 0.338, 0.034, 0.022, (205, 335), 0.009, mix(appearance.hair, dark, 0.4))
    pen.arc(0.505, 0.4, 0.014, 0.022, (20, 120), 0.006, mix(skin, dark, 0.4))
    pen.arc(0.5, 0.43, 0.046, 0.036, (28, 152), 0.011, mix((170, 52, 60), dark, 0.25))
    if appearance.glasses:
        frame = mix(palette.near, (20, 20, 26), 0.5)
        for side in (-1, 1):
            pen.arc(0.5 + side * 0.066, 0.37, 0.047, 0.043, (0, 360), 0.009, frame)
        pen.limb([(0.481, 0.366), (0.519, 0.366)], 0.008, frame)


def draw_bust(
    character: str, palette: Palette, prompt: str, width: int, *, arm_angle: float | None = None, blink: bool = False
) -> Image.Image:
    """Head and shoulders on a transparent sheet of 1.25 ``width`` each way; ``arm_angle`` (radians) waves a hand."""
    look = appearance_of(character)
    pen = _Pen(width)
    skin, hair = _tint_by_sky(look.skin, palette), _tint_by_sky(look.hair, palette, 0.1)
    clothes = _clothes_colour(character, prompt, palette)
    _draw_back_hair(pen, look, mix(hair, (10, 8, 16), 0.22))
    if arm_angle is not None:
        _draw_waving_arm(pen, arm_angle, mix(clothes, (12, 12, 24), 0.14), skin)
    pen.box(0.425, 0.44, 0.575, 0.7, 0.06, mix(skin, (90, 40, 40), 0.22))
    shoulders = [(0.5 + 0.36 * math.cos(turn), 0.93 + 0.33 * math.sin(turn)) for turn in _angles(180, 360)]
    pen.shape([(0.1, 1.3), (0.14, 0.93), *shoulders, (0.86, 0.93), (0.9, 1.3)], clothes)
    _draw_collar(pen, prompt, clothes, skin, palette)
    pen.oval(0.5, 0.375, 0.163, 0.193, skin)
    for side in (-1, 1):
        pen.oval(0.5 + side * 0.163, 0.385, 0.022, 0.034, mix(skin, (120, 50, 50), 0.15))
    _draw_face(pen, look, palette, skin, blink)
    _draw_front_hair(pen, look, hair)
    if look.style == "long":
        for side in (-1, 1):
            pen.limb([(0.5 + side * 0.19, 0.34), (0.5 + side * 0.215, 0.6), (0.5 + side * 0.19, 0.8)], 0.07, hair)
    return pen.to_image()


def _draw_collar(pen: _Pen, prompt: str, clothes: Colour, skin: Colour, palette: Palette) -> None:
    words = prompt.lower()
    if any(word in words for word in ("snow", "winter", "cold", "scarf", "ski")):
        scarf = mix((206, 62, 62), palette.sky[2], 0.12)
        pen.box(0.36, 0.565, 0.64, 0.68, 0.055, scarf)
        pen.shape([(0.55, 0.64), (0.66, 0.64), (0.69, 0.98), (0.58, 0.98)], mix(scarf, (40, 0, 20), 0.2))
    elif any(word in words for word in ("suit", "office", "coat", "jacket", "elegant")):
        pen.shape([(0.42, 0.61), (0.58, 0.61), (0.5, 0.98)], (244, 240, 232))
        lapel = mix(clothes, (14, 14, 28), 0.3)
        pen.shape([(0.41, 0.6), (0.33, 0.72), (0.49, 1.06)], lapel)
        pen.shape([(0.59, 0.6), (0.67, 0.72), (0.51, 1.06)], lapel)
    else:
        pen.oval(0.5, 0.6, 0.105, 0.085, mix(clothes, (255, 255, 255), 0.22))
        pen.oval(0.5, 0.585, 0.09, 0.08, mix(skin, (90, 40, 40), 0.1))


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


def draw_dancer(character: str, palette: Palette, prompt: str, width: int, *, phase: float) -> Image.Image:
    """A whole figure, dancing, on a sheet of 1.25 ``width`` each way; ``phase`` from -1 to 1 moves it."""
    look = appearance_of(character)
    pen = _Pen(width)
    skin, hair = _tint_by_sky(look.skin, palette), _tint_by_sky(look.hair, palette, 0.1)
    clothes = _clothes_colour(character, prompt, palette)
    dark = mix(clothes, (14, 10, 28), 0.25)
    lean = 0.03 * phase
    hip, chest, head = (0.5, 0.72), (0.5 + lean, 0.43), (0.5 + lean * 1.8, 0.235)
    shoes = mix(palette.near, (0, 0, 0), 0.3)
    for foot in ((0.44 - 0.04 * phase, 1.2), (0.7 + 0.06 * phase, 1.06)):
        knee = ((hip[0] + foot[0]) / 2 + (0.05 if foot[0] > 0.5 else -0.02), (hip[1] + foot[1]) / 2)
        pen.limb([hip, knee, foot], 0.062, skin)
        pen.limb([foot, (foot[0] + 0.045, foot[1] + 0.012)], 0.04, shoes)
    skirt = [(hip[0] + x + phase * 0.09 * y, chest[1] + 0.16 + y * 0.36) for x, y in _hem_points(phase)]
    pen.shape([(chest[0] - 0.075, chest[1] + 0.13), (chest[0] + 0.075, chest[1] + 0.13), *skirt], clothes)
    pen.shape([*skirt[:3], (hip[0] + 0.05, hip[1])], dark)
    high = (chest[0] - 0.2 - 0.03 * phase, 0.08 + 0.03 * phase)
    pen.limb([(chest[0] - 0.07, chest[1] - 0.05), (chest[0] - 0.2, 0.26), high], 0.05, skin)
    wide = (chest[0] + 0.34, chest[1] - 0.06 - 0.07 * phase)
    pen.limb([(chest[0] + 0.07, chest[1] - 0.05), (chest[0] + 0.2, chest[1] + 0.02), wide], 0.05, skin)
    pen.box(chest[0] - 0.088, chest[1] - 0.095, chest[0] + 0.088, chest[1] + 0.22, 0.07, clothes)
    pen.limb([(chest[0], chest[1] - 0.06), (head[0], head[1] + 0.05)], 0.05, mix(skin, (90, 40, 40), 0.15))
    if look.style in ("long", "bob", "curly"):
        flow = [(head[0], head[1] - 0.02), (head[0] - 0.09 * phase - 0.05, head[1] + 0.09)]
        pen.limb([*flow, (head[0] - 0.17 * phase - 0.05, head[1] + 0.17)], 0.09, mix(hair, (10, 8, 16), 0.15))
    pen.oval(*head, 0.072, 0.086, skin)
    crown = [(head[0] + 0.08 * math.cos(turn), head[1] + 0.1 * math.sin(turn)) for turn in _angles(170, 370)]
    pen.shape([*crown, (head[0] + 0.02, head[1] - 0.045)], hair)
    if look.style == "bun":
        pen.oval(head[0] - 0.02, head[1] - 0.11, 0.04, 0.038, hair)
    return pen.to_image()


def _hem_points(phase: float) -> list[Point]:
    return [(0.27 + 0.04 * phase, 0.8), (0.16, 0.95), (0.02, 0.88), (-0.12, 0.97), (-0.24 + 0.04 * phase, 0.82)]


def draw_figure(
    character: str, palette: Palette, prompt: str, width: int, *, pose: Pose, phase: float, blink: bool = False
) -> Image.Image:
    """The figure in its pose; ``phase`` from -1 to 1 is where its movement stands."""
    if pose is Pose.DANCE:
        return draw_dancer(character, palette, prompt, width, phase=phase)
    return draw_bust(character, palette, prompt, width, arm_angle=phase if pose is Pose.WAVE else None, blink=blink)
