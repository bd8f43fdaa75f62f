"""What a prompt says about its picture: the place, the light, the weather, what the figure does."""

from __future__ import annotations

import colorsys
import re
from enum import StrEnum
from typing import TypeVar

import msgspec

from eternal_tui.sandbox.settings import seeded_rng

Colour = tuple[int, int, int]


class Location(StrEnum):
    """Where the scene is set."""

    MOUNTAINS = "mountains"
    SEA = "sea"
    FOREST = "forest"
    CITY = "city"
    DUNES = "dunes"
    MEADOW = "meadow"


class Light(StrEnum):
    """The time of day, or the weather's own light."""

    DAWN = "dawn"
    DAY = "day"
    DUSK = "dusk"
    NIGHT = "night"
    GREY = "grey"
    WINTER = "winter"


class Weather(StrEnum):
    """What is in the air."""

    CLEAR = "clear"
    RAIN = "rain"
    SNOW = "snow"
    MOTES = "motes"


class Pose(StrEnum):
    """What the figure does."""

    STILL = "still"
    WAVE = "wave"
    DANCE = "dance"


class Palette(msgspec.Struct, frozen=True):
    """The colours of one light: four of the sky from the top down, land far and near, and the light itself."""

    sky: tuple[Colour, Colour, Colour, Colour]
    far: Colour
    near: Colour
    light: Colour


class Mood(msgspec.Struct, frozen=True):
    """All that a scene is drawn from."""

    location: Location
    light: Light
    weather: Weather
    pose: Pose
    palette: Palette


def colour(text: str) -> Colour:
    """``"1f2937"`` as three bytes."""
    red, green, blue = bytes.fromhex(text)
    return red, green, blue


def mix(first: Colour, second: Colour, share: float) -> Colour:
    """From ``first`` (share 0) to ``second`` (share 1)."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(first, second, strict=True))
    return red, green, blue


def rotate_hue(base: Colour, share: float) -> Colour:
    """The colour with its hue turned by this share of the wheel."""
    hue, light, saturation = colorsys.rgb_to_hls(*(part / 255 for part in base))
    red, green, blue = (round(part * 255) for part in colorsys.hls_to_rgb((hue + share) % 1, light, saturation))
    return red, green, blue


def _parse_palette(text: str) -> Palette:
    parts = [colour(part) for part in text.split()]
    return Palette((parts[0], parts[1], parts[2], parts[3]), parts[4], parts[5], parts[6])


_PALETTES: dict[Light, tuple[Palette, ...]] = {
    Light.DAWN: (
        _parse_palette("2b3a67 7a6da6 f2a488 ffe0b0 8d7fa8 2a2745 fff1c9"),
        _parse_palette("3d5a80 98b4d9 f7cfc0 fff0d0 8fa5c2 2c3f58 fff6dc"),
    ),
    Light.DAY: (
        _parse_palette("2372b0 5fb0dd b4dfee f5f4dc 83b3c6 1d4a50 fffbe0"),
        _parse_palette("15808a 62bfb4 c8e8cc fdf1c8 7fb8a8 17494a fff9d6"),
    ),
    Light.DUSK: (
        _parse_palette("2d1b4e 7a2f6b e2604f ffbf69 8e4169 1f1233 ffe39a"),
        _parse_palette("14213d 5b3a7e d9637a ffc9a0 6f4a86 171638 ffe9c0"),
        _parse_palette("1b2a49 28617a e58f5c ffd48a 4a6478 141f33 fff0b8"),
    ),
    Light.NIGHT: (
        _parse_palette("060b23 10204b 23437a 5683b0 24406e 070d1f f4f1d8"),
        _parse_palette("0b0f1f 1c1a45 3d2a6b 85579c 33285e 0b0a1e f6e7ff"),
    ),
    Light.GREY: (
        _parse_palette("3b4a5a 5f7384 93a6ae ccd4d4 75888f 26323b f0f4f4"),
        _parse_palette("364156 5d6b8a 98a3b8 d6d3d1 74809b 222a3d f4efe6"),
    ),
    Light.WINTER: (
        _parse_palette("4f76a8 92b6d8 cfe1ef fbf1e6 a3bdd6 3a5778 fffaf0"),
        _parse_palette("6a6fa6 a9a6d0 dcd3e8 ffeadb b3b4d6 474a78 fff4e6"),
    ),
}

_LOCATION_WORDS = {
    Location.SEA: "harbour harbor sea ocean beach boat boats sail sailing ship ferry "
    "coast pier lighthouse island lake surf",
    Location.FOREST: "forest tree trees wood woods pine pines jungle autumn leaves",
    Location.CITY: "city street streets town neon café cafe bar skyline rooftop office market train "
    "station bridge tram",
    Location.DUNES: "desert dune dunes sand sahara oasis",
    Location.MEADOW: "garden flower flowers meadow spring field fields park hill hills picnic vineyard",
    Location.MOUNTAINS: "mountain mountains alps peak hike hiking climb ski skiing valley glacier",
}
_LIGHT_WORDS = {
    Light.NIGHT: "night moon midnight star stars neon aurora lantern lanterns",
    Light.DUSK: "dusk sunset evening golden twilight autumn concert",
    Light.DAWN: "dawn morning sunrise early spring",
    Light.WINTER: "snow snowy winter ski skiing ice frost glacier christmas",
    Light.GREY: "rain rainy raining storm fog misty umbrella cloudy",
    Light.DAY: "day noon sunny summer sporty beach picnic blue",
}
_WEATHER_WORDS = {
    Weather.RAIN: "rain rainy raining umbrella storm",
    Weather.SNOW: "snow snowy snowing winter skiing ski blizzard christmas",
    Weather.MOTES: "firefly fireflies magic sparkle confetti petals blossom party",
}
_POSE_WORDS = {
    Pose.DANCE: "dance dances dancing dancer ballet jump jumps jumping twirl spin leap tango waltz",
    Pose.WAVE: "wave waves waving hello greets greeting hi goodbye",
}


_Word = TypeVar("_Word", bound=StrEnum)


def _first_named(words: set[str], table: dict[_Word, str]) -> _Word | None:
    return next((choice for choice, known in table.items() if words & set(known.split())), None)


def mood_of(prompt: str, seed: str) -> Mood:
    """Read a prompt; what it does not say follows from ``seed`` by chance that repeats."""
    words = set(re.findall(r"\w+", prompt.lower()))
    rng = seeded_rng(f"mood:{seed}")
    place = _first_named(words, _LOCATION_WORDS) or rng.choice(list(Location))
    light = _first_named(words, _LIGHT_WORDS) or rng.choice(
        [Light.DAWN, Light.DAY, Light.DUSK, Light.DUSK, Light.NIGHT]
    )
    weather = _first_named(words, _WEATHER_WORDS) or rng.choice([Weather.CLEAR, Weather.CLEAR, Weather.MOTES])
    pose = _first_named(words, _POSE_WORDS) or Pose.STILL
    palette = rng.choice(_PALETTES[light])
    by = rng.uniform(-0.03, 0.03)
    first, second, third, fourth = (rotate_hue(part, by) for part in palette.sky)
    return Mood(
        location=place,
        light=light,
        weather=weather,
        pose=pose,
        palette=Palette(
            (first, second, third, fourth), rotate_hue(palette.far, by), rotate_hue(palette.near, by), palette.light
        ),
    )
