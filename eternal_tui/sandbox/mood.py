"""What a prompt says about its picture: the place, the light, the weather, what the figure does, and so its colours."""

from __future__ import annotations

import re
from typing import NamedTuple

from eternal_tui.sandbox.settings import seeded_rng

Colour = tuple[int, ...]


class Mood(NamedTuple):
    """All that a scene is drawn from: four colours of the sky from the top down, land far and near, and the light."""

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
    """Read a prompt; what it does not say follows from ``seed`` by chance that repeats."""
    words = set(re.findall(r"\w+", prompt.lower()))
    rng = seeded_rng(f"mood:{seed}")

    def named(table: dict[str, str], otherwise: str) -> str:
        return next((choice for choice, known in table.items() if words & set(known.split())), otherwise)

    location = named(_LOCATIONS, rng.choice(list(_LOCATIONS)))
    light = named(_LIGHTS, rng.choice(["dawn", "day", "dusk", "dusk", "night"]))
    weather = named(_WEATHERS, rng.choice(["clear", "clear", "motes"]))
    *sky, far, near, sun = map(colour, rng.choice(_PALETTES[light]).split())
    return Mood(location, light, weather, named(_POSES, "still"), sky, far, near, sun)
