"""The program's themes: calm, one accent colour, text readable on its background by WCAG's 4.5 to 1."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from textual.app import App
from textual.theme import Theme


def _make_theme(
    name: str,
    *,
    dark: bool,
    background: str,
    raised: str,
    selected: str,
    resting: str,
    foreground: str,
    muted: str,
    faint: str,
    hint: str,
    accent: str,
    ok: str,
    warn: str,
    bad: str,
) -> Theme:
    return Theme(
        name=name,
        dark=dark,
        primary=accent,
        secondary=muted,
        accent=accent,
        foreground=foreground,
        background=background,
        surface=background,
        panel=raised,
        boost=raised,
        success=ok,
        warning=warn,
        error=bad,
        variables={
            "text": foreground,
            "text-muted": muted,
            "text-disabled": hint,
            "foreground-muted": muted,
            "foreground-disabled": hint,
            "text-primary": accent,
            "text-accent": accent,
            "text-success": ok,
            "text-warning": warn,
            "text-error": bad,
            "border": accent,
            "border-blurred": faint,
            "block-cursor-foreground": foreground,
            "block-cursor-background": selected,
            "block-cursor-text-style": "none",
            "block-cursor-blurred-foreground": foreground,
            "block-cursor-blurred-background": resting,
            "block-hover-background": selected,
            "input-cursor-background": foreground,
            "input-cursor-foreground": background,
            "input-selection-background": selected,
            "scrollbar": faint,
            "scrollbar-hover": muted,
            "scrollbar-active": accent,
            "scrollbar-background": background,
            "scrollbar-background-hover": background,
            "scrollbar-background-active": background,
            "scrollbar-corner-color": background,
            "footer-background": background,
            "footer-foreground": muted,
            "footer-key-foreground": accent,
            "footer-description-foreground": muted,
            "link-color": accent,
        },
    )


DARK = _make_theme(
    "eternal-dark",
    dark=True,
    background="#14161b",
    raised="#1b1e25",
    selected="#2a303b",
    resting="#1f232b",
    foreground="#d9dce3",
    muted="#98a0ae",
    faint="#4a515e",
    hint="#858d9c",
    accent="#7cc4e8",
    ok="#92c99a",
    warn="#e0bd74",
    bad="#eb9494",
)
LIGHT = _make_theme(
    "eternal-light",
    dark=False,
    background="#fafaf8",
    raised="#f0f0ec",
    selected="#dde6ec",
    resting="#ecefee",
    foreground="#22262d",
    muted="#565d68",
    faint="#b4b9c0",
    hint="#656c77",
    accent="#075f8c",
    ok="#22672f",
    warn="#7a5200",
    bad="#a32c2c",
)
CONTRAST = _make_theme(
    "eternal-contrast",
    dark=True,
    background="#000000",
    raised="#000000",
    selected="#0e3350",
    resting="#222222",
    foreground="#ffffff",
    muted="#d6d6d6",
    faint="#8a8a8a",
    hint="#a8a8a8",
    accent="#6fd3ff",
    ok="#8dff9a",
    warn="#ffe066",
    bad="#ffb0b0",
)
ANSI = Theme(
    name="eternal-ansi",
    ansi=True,
    primary="ansi_cyan",
    secondary="ansi_default",
    accent="ansi_cyan",
    foreground="ansi_default",
    background="ansi_default",
    surface="ansi_default",
    panel="ansi_default",
    boost="ansi_default",
    success="ansi_green",
    warning="ansi_yellow",
    error="ansi_red",
    variables={
        "ansi-background": "ansi_default",
        "ansi-foreground": "ansi_default",
        "text-muted": "ansi_default",
        "text-disabled": "ansi_bright_black",
        "border": "ansi_cyan",
        "border-blurred": "ansi_bright_black",
        "block-cursor-foreground": "ansi_default",
        "block-cursor-background": "ansi_bright_black",
        "block-cursor-blurred-background": "ansi_default",
        "block-hover-background": "ansi_bright_black",
        "scrollbar": "ansi_bright_black",
        "scrollbar-hover": "ansi_default",
        "scrollbar-active": "ansi_cyan",
        "scrollbar-background": "ansi_default",
    },
)
MONO = Theme(
    name="eternal-mono",
    ansi=True,
    primary="ansi_default",
    secondary="ansi_default",
    accent="ansi_default",
    foreground="ansi_default",
    background="ansi_default",
    surface="ansi_default",
    panel="ansi_default",
    boost="ansi_default",
    success="ansi_default",
    warning="ansi_default",
    error="ansi_default",
    variables={
        **dict.fromkeys(
            (
                *("ansi-background", "ansi-foreground", "text", "text-muted", "text-disabled", "text-primary"),
                *("text-accent", "text-success", "text-warning", "text-error", "foreground-muted"),
                *("foreground-disabled", "border", "border-blurred", "block-cursor-foreground"),
                *("block-cursor-background", "block-cursor-blurred-foreground", "block-cursor-blurred-background"),
                *("block-hover-background", "input-cursor-background", "input-cursor-foreground"),
                *("input-selection-background", "scrollbar", "scrollbar-hover", "scrollbar-active"),
                *("scrollbar-background", "scrollbar-background-hover", "scrollbar-background-active"),
                *("scrollbar-corner-color", "footer-background", "footer-foreground", "footer-key-foreground"),
                *("footer-description-foreground", "link-color"),
            ),
            "ansi_default",
        ),
        "input-cursor-text-style": "reverse",
        "block-cursor-text-style": "reverse",
    },
)
"""Without any colour: what has the focus is told by heavier lines, reversed and bold text."""

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
    """Return the name of the theme for the terminal that `environ` tells of, where the person has chosen none.

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
"""Terminals of many colours whose name does not say so."""
