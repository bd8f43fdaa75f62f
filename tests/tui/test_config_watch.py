"""Theme and keys of the running app, which follow config.toml; text of every theme is readable on its backgrounds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from textual.color import Color
from textual.theme import Theme

from eternal_tui.tui import themes
from eternal_tui.tui.app import EternalApp
from eternal_tui.tui.themes import CONTRAST, DARK, LIGHT
from tests.tui.screens.stage import (
    ENVIRON,
    ENVIRON_WITH_KEY,
    flat_screen_text,
    make_app,
    make_services,
    open_app,
    screen_text,
    wait_idle,
    wait_until,
)


def write_config(path: Path, text: str) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)


async def test_keys_and_theme_follow_the_file(tmp_path: Path) -> None:
    keys = {"jobs.help": "x", "list.down": "m", "list.dwn": "ctrl+y"}
    bench = make_services(tmp_path, keys=keys, theme="eternal-light")
    async with open_app(bench, ENVIRON_WITH_KEY, size=(120, 30), notifications=True) as (screen, pilot):
        app = pilot.app
        assert isinstance(app, EternalApp)

        def active_keys() -> dict[str, str]:
            return {each.binding.id: key for key, each in screen.active_bindings.items() if each.binding.id}

        assert app.theme == "eternal-light"
        assert "x help" in screen_text(app)
        assert 'keys: there is no action "list.dwn". Did you mean list.down?' in flat_screen_text(app)
        assert (active_keys()["list.down"], active_keys()["jobs.help"]) == ("m", "x")

        write_config(bench.settings.config_path, 'theme = "eternal-contrast"\n[keys]\n"jobs.help" = "R"\n')
        app.on_app_focus()
        await wait_idle(pilot)
        assert app.theme == "eternal-contrast"
        assert "R help" in screen_text(app)
        assert active_keys()["jobs.help"] == "R"
        assert active_keys()["list.down"] != "m"

        app.clear_notifications()
        write_config(bench.settings.config_path, "theme = [")
        # Without a focus it is read by the clock.
        await wait_until(pilot, lambda: "The settings in force" in flat_screen_text(app))
        app.on_app_focus()
        await wait_idle(pilot)
        assert app.theme == "eternal-contrast"
        assert flat_screen_text(app).count("The settings in force stay as they were.") == 1


async def test_a_theme_chosen_in_the_app_is_restored(tmp_path: Path) -> None:
    def theme_of(environ: dict[str, str], **settings: Any) -> str:
        return make_app(make_services(tmp_path, **settings), environ).theme

    default = theme_of(ENVIRON)
    async with open_app(make_services(tmp_path)) as (_, pilot):
        await pilot.press("ctrl+p")
        await pilot.press(*"theme eternal-light", "enter")
        await wait_idle(pilot)
        assert pilot.app.theme == "eternal-light" != default
    assert theme_of(ENVIRON) == "eternal-light"
    assert theme_of(ENVIRON, theme="eternal-contrast") == "eternal-contrast"
    assert theme_of({**ENVIRON, "NO_COLOR": "1"}) == "eternal-mono"
    (tmp_path / "data" / "theme.json").write_bytes(b"{\xff")
    assert theme_of(ENVIRON) == default


@pytest.mark.parametrize(
    ("environ", "name"),
    [
        ({"TERM": "xterm-256color"}, "eternal-dark"),
        ({"TERM": "screen", "COLORTERM": "truecolor"}, "eternal-dark"),
        ({"TERM": "xterm-kitty"}, "eternal-dark"),
        ({"TERM": "xterm"}, "eternal-ansi"),
        ({"TERM": "linux"}, "eternal-ansi"),
        ({"TERM": "vt100"}, "eternal-mono"),
        ({"TERM": "xterm-256color", "NO_COLOR": "1"}, "eternal-mono"),
        ({"TERM": "xterm-256color", "NO_COLOR": ""}, "eternal-dark"),
    ],
)
def test_the_theme_fits_the_terminal(environ: dict[str, str], name: str) -> None:
    assert themes.default_for(environ) == name


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
def test_text_stands_out(theme: Theme) -> None:
    colors = {name: Color.parse(value) for name, value in theme.to_color_system().generate().items() if "#" in value}
    least = 7.0 if theme is CONTRAST else 4.5
    for ground in BACKGROUND_VARIABLES:
        assert min(contrast_ratio(colors[text], colors[ground]) for text in TEXT_VARIABLES) >= least, ground
    # The placeholder of an empty line.
    assert min(contrast_ratio(colors["text-disabled"], colors[ground]) for ground in ("background", "panel")) >= 4.5
