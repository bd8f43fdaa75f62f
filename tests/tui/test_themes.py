"""Every text colour of every theme is readable on every background it stands on."""

from __future__ import annotations

import pytest
from textual.color import Color
from textual.theme import Theme

from eternal_tui.tui.themes import CONTRAST, DARK, LIGHT, THEMES

TEXT_VARIABLES = ("foreground", "text-muted", "accent", "success", "warning", "error", "footer-description-foreground")
BACKGROUND_VARIABLES = ("background", "surface", "panel", "block-hover-background", "block-cursor-blurred-background")


def _luminance(color: Color) -> float:
    def linear(part: int) -> float:
        value = part / 255
        return value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4

    return 0.2126 * linear(color.r) + 0.7152 * linear(color.g) + 0.0722 * linear(color.b)


def contrast_ratio(one: Color, other: Color) -> float:
    """Return the contrast ratio as WCAG 2.2 defines it."""
    bright, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme", [DARK, LIGHT, CONTRAST], ids=lambda theme: theme.name)
@pytest.mark.parametrize("ground", BACKGROUND_VARIABLES)
def test_text_stands_out(theme: Theme, ground: str) -> None:
    colors = theme.to_color_system().generate()
    least = 7.0 if theme is CONTRAST else 4.5
    for text in TEXT_VARIABLES:
        assert contrast_ratio(Color.parse(colors[text]), Color.parse(colors[ground])) >= least, text


@pytest.mark.parametrize("theme", [DARK, LIGHT, CONTRAST], ids=lambda theme: theme.name)
@pytest.mark.parametrize("ground", ["background", "panel"])
def test_what_an_empty_line_says_can_be_read(theme: Theme, ground: str) -> None:
    colors = theme.to_color_system().generate()
    assert contrast_ratio(Color.parse(colors["text-disabled"]), Color.parse(colors[ground])) >= 4.5


@pytest.mark.parametrize("theme", THEMES, ids=lambda theme: theme.name)
def test_every_colour_can_be_read(theme: Theme) -> None:
    for value in theme.to_color_system().generate().values():
        if value.startswith("#"):
            Color.parse(value)
