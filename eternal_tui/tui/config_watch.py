"""Settings that take effect while the app runs: theme and keys, reloaded when config.toml changes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

from eternal_tui.config.loader import load_settings
from eternal_tui.config.settings import Settings, SettingsError
from eternal_tui.core.files import JsonStore
from eternal_tui.core.sanitize import SafeText, format_safe, sanitize
from eternal_tui.tui import themes

CONFIG_POLL_SECONDS = 2.0
"""Interval of stat calls on the file."""


def preference_errors(settings: Settings) -> list[SafeText]:
    """Return a sentence for each invalid value in theme and keys."""
    found = []
    if settings.theme and settings.theme not in themes.theme_names():
        own = ", ".join(each.name for each in themes.THEMES)
        found.append(
            format_safe('theme: there is no "{name}". The program\'s own are {own}.', name=settings.theme, own=own)
        )
    if settings.keys:
        from eternal_tui.tui.input.keymap import keymap_errors

        found += keymap_errors(settings.keys)
    return found


def effective_keymap(settings: Settings) -> dict[str, str]:
    """Return the valid keys of the settings."""
    if not settings.keys:
        return {}
    from eternal_tui.tui.input.keymap import valid_bindings

    return valid_bindings(settings.keys)


class StoredTheme(msgspec.Struct, frozen=True):
    """The content of theme.json: the theme chosen in the app, and the default it replaces."""

    usual: str = ""
    theme: str = ""


class ThemeStore:
    """Saves the theme chosen in the app, apart from config.toml.

    It applies while settings and terminal give the same default as when it was chosen: another theme in config.toml,
    or a terminal without colours, takes precedence.
    """

    def __init__(self, data_dir: Path) -> None:
        self._store = JsonStore(data_dir / "theme.json", StoredTheme, "The theme")
        self._stored = self._store.load() or StoredTheme()

    def effective(self, default_theme: str) -> str:
        """Return the theme that replaces `default_theme`."""
        return self._stored.theme if self._stored.usual == default_theme else default_theme

    def save(self, default_theme: str, theme: str) -> None:
        """Save that `theme` replaces `default_theme`; raises OSError."""
        self._stored = StoredTheme(default_theme, theme)
        self._store.save(self._stored)


class ConfigWatcher:
    """Detects changes of config.toml."""

    def __init__(self, settings: Settings, environ: Mapping[str, str]) -> None:
        self._path = settings.config_path
        self._environ = environ
        self._last_stamp = self._read_stamp()

    def _read_stamp(self) -> tuple[int, int, int] | None:
        try:
            facts = self._path.stat()
        except OSError:
            return None
        return facts.st_mtime_ns, facts.st_size, facts.st_ino

    def read_if_changed(self) -> Settings | None:
        """Return the settings, None where the file is unchanged; raises SettingsError once for each change."""
        stamp = self._read_stamp()
        if stamp == self._last_stamp:
            return None
        self._last_stamp = stamp
        given = {"config": str(self._path)} if stamp is not None else {}
        return load_settings(given, self._environ)


def rejection_message(error: SettingsError) -> SafeText:
    """Return the sentence for a changed file that is invalid."""
    message = sanitize(str(error), limit=400)
    return format_safe(
        "{error}{stop} The settings in force stay as they were.",
        error=message,
        stop=SafeText("" if message.endswith(".") else "."),
    )
