"""The program's themes: calm, one accent colour, text readable on its background by WCAG's 4.5 to 1."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from textual.app import App
from textual.theme import Theme

_VARIABLES = {
    "background": (
        "input-cursor-foreground", "scrollbar-background", "scrollbar-background-hover", "scrollbar-background-active",
        "scrollbar-corner-color", "footer-background",
    ),
    "selected": ("block-cursor-background", "block-hover-background", "input-selection-background"),
    "resting": ("block-cursor-blurred-background",),
    "foreground": ("text", "block-cursor-foreground", "block-cursor-blurred-foreground", "input-cursor-background"),
    "muted": ("text-muted", "scrollbar-hover", "footer-foreground", "footer-description-foreground"),
    "faint": ("border-blurred", "scrollbar"),
    "hint": ("text-disabled",),
    "accent": ("text-primary", "text-accent", "border", "scrollbar-active", "footer-key-foreground", "link-color"),
    "ok": ("text-success",),
    "warn": ("text-warning",),
    "bad": ("text-error",),
}  # fmt: skip
"""The variables of Textual that have a colour of the theme."""


def _make_theme(
    name: str,
    color: Mapping[str, str],
    *,
    dark: bool = True,
    ansi: bool = False,
    variables: Mapping[str, str] | None = None,
) -> Theme:
    """Return the theme with the colours of `_VARIABLES`, and `raised`."""
    return Theme(
        name=name,
        dark=dark,
        ansi=ansi,
        primary=color["accent"],
        secondary=color["muted"],
        accent=color["accent"],
        foreground=color["foreground"],
        background=color["background"],
        surface=color["background"],
        panel=color["raised"],
        boost=color["raised"],
        success=color["ok"],
        warning=color["warn"],
        error=color["bad"],
        variables={
            **{variable: color[role] for role, names in _VARIABLES.items() for variable in names},
            "block-cursor-text-style": "none",
            **(variables or {}),
        },
    )


DARK = _make_theme("eternal-dark", {
    "background": "#14161b", "raised": "#1b1e25", "selected": "#2a303b", "resting": "#1f232b",
    "foreground": "#d9dce3", "muted": "#98a0ae", "faint": "#4a515e", "hint": "#858d9c",
    "accent": "#7cc4e8", "ok": "#92c99a", "warn": "#e0bd74", "bad": "#eb9494",
})  # fmt: skip
LIGHT = _make_theme("eternal-light", {
    "background": "#fafaf8", "raised": "#f0f0ec", "selected": "#dde6ec", "resting": "#ecefee",
    "foreground": "#22262d", "muted": "#565d68", "faint": "#b4b9c0", "hint": "#656c77",
    "accent": "#075f8c", "ok": "#22672f", "warn": "#7a5200", "bad": "#a32c2c",
}, dark=False)  # fmt: skip
CONTRAST = _make_theme("eternal-contrast", {
    "background": "#000000", "raised": "#000000", "selected": "#0e3350", "resting": "#222222",
    "foreground": "#ffffff", "muted": "#d6d6d6", "faint": "#8a8a8a", "hint": "#a8a8a8",
    "accent": "#6fd3ff", "ok": "#8dff9a", "warn": "#ffe066", "bad": "#ffb0b0",
})  # fmt: skip
_PLAIN = dict.fromkeys((*_VARIABLES, "raised"), "ansi_default")
_ANSI_VARIABLES = {"ansi-background": "ansi_default", "ansi-foreground": "ansi_default"}
ANSI = _make_theme(
    "eternal-ansi",
    _PLAIN
    | dict.fromkeys(("selected", "faint", "hint"), "ansi_bright_black")
    | {"accent": "ansi_cyan", "ok": "ansi_green", "warn": "ansi_yellow", "bad": "ansi_red"},
    ansi=True,
    variables={
        **_ANSI_VARIABLES,
        "block-cursor-text-style": "bold",
        "footer-key-foreground": "ansi_magenta",
        "input-selection-background": "ansi_cyan",
        "link-color": "ansi_blue",
        "scrollbar-background-active": "ansi_black",
        "scrollbar-background-hover": "ansi_black",
    },
)
MONO = _make_theme(
    "eternal-mono",
    _PLAIN,
    ansi=True,
    variables={**_ANSI_VARIABLES, "input-cursor-text-style": "reverse", "block-cursor-text-style": "reverse"},
)
"""Without any colour: the focus has heavier lines, reversed and bold text."""

THEMES = (DARK, LIGHT, CONTRAST, ANSI, MONO)


def register_themes(app: App[Any]) -> None:
    """Make the themes known to the app; the caller chooses one by its name."""
    for theme in THEMES:
        app.register_theme(theme)


def theme_names() -> frozenset[str]:
    """Return every theme there is, the toolkit's own among them."""
    from textual.theme import BUILTIN_THEMES

    return frozenset({*BUILTIN_THEMES, *(theme.name for theme in THEMES)})


def default_for(environ: Mapping[str, str]) -> str:
    """Return the name of the theme for the terminal of `environ`, where the user has chosen none.

    NO_COLOR (no-color.org) and the monochrome terminals of old get none, terminals of 16 colours get their own.
    """
    term = environ.get("TERM", "")
    if environ.get("NO_COLOR") or term.startswith(("vt1", "vt2")) or term.endswith("-m"):
        return MONO.name
    if environ.get("COLORTERM", "") in ("truecolor", "24bit") or "256color" in term or term in _TRUECOLOR_TERMS:
        return DARK.name
    return ANSI.name


_TRUECOLOR_TERMS = frozenset(
    {"xterm-kitty", "xterm-ghostty", "alacritty", "foot", "wezterm", "contour", "xterm-direct"}
)
"""Terminals of many colours whose name does not show it."""
