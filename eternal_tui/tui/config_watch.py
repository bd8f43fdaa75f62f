"""The settings that take effect while the app runs: theme and keys, read again when config.toml changes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

from eternal_tui.config import Settings, SettingsError, load_settings
from eternal_tui.core.files import JsonStore
from eternal_tui.core.sanitize import SafeText, format_safe, sanitize
from eternal_tui.tui import themes

CONFIG_POLL_SECONDS = 2.0
"""Seconds between two looks at the file: one call of stat, cheap enough for an app at rest."""


def preference_errors(settings: Settings) -> list[SafeText]:
    """Return a sentence for everything in theme and keys that cannot be meant."""
    found = []
    if settings.theme and settings.theme not in themes.theme_names():
        own = ", ".join(each.name for each in themes.THEMES)
        found.append(
            format_safe('theme: there is no "{name}". The program\'s own are {own}.', name=settings.theme, own=own),
        )
    if settings.keys:
        from eternal_tui.tui.input.keymap import keymap_errors

        found += keymap_errors(settings.keys)
    return found


def effective_keymap(settings: Settings) -> dict[str, str]:
    """Return the person's own keys, without those that cannot be meant."""
    if not settings.keys:
        return {}
    from eternal_tui.tui.input.keymap import valid_bindings

    return valid_bindings(settings.keys)


class StoredTheme(msgspec.Struct, frozen=True):
    """What is kept in themes.json: the theme chosen in the app, and the one it is worn instead of."""

    usual: str = ""
    theme: str = ""


class ThemeStore:
    """Remembers the theme chosen in the app from one start to the next, without touching the person's config.toml.

    It holds as long as the settings and the terminal would give the same theme as when it was chosen: another one in
    the file, or a terminal without colours, comes before it.
    """

    def __init__(self, data_dir: Path) -> None:
        self._store = JsonStore(data_dir / "theme.json", StoredTheme, "The theme")
        self._stored = self._store.load() or StoredTheme()

    def effective(self, default_theme: str) -> str:
        """Return the theme to wear where `default_theme` would be worn."""
        return self._stored.theme if self._stored.usual == default_theme else default_theme

    def save(self, default_theme: str, theme: str) -> None:
        """Remember that `theme` is to be worn instead of `default_theme`; raise OSError where it cannot be written."""
        self._stored = StoredTheme(default_theme, theme)
        self._store.save(self._stored)


class ConfigWatcher:
    """Tells when config.toml has changed since the last look."""

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
        """Return the settings as they are now, None where the file is as it was; raise SettingsError once a change."""
        stamp = self._read_stamp()
        if stamp == self._last_stamp:
            return None
        self._last_stamp = stamp
        given = {"config": str(self._path)} if stamp is not None else {}
        return load_settings(given, self._environ)


def rejection_message(error: SettingsError) -> SafeText:
    """Return the sentence for a file that was changed into something that cannot be used."""
    told = sanitize(str(error), limit=400)
    return format_safe(
        "{error}{stop} The settings in force stay as they were.",
        error=told,
        stop=SafeText("" if told.endswith(".") else "."),
    )
