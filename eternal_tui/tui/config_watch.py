"""The settings that take effect while the app runs: theme and keys, read again when config.toml changes."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path

import msgspec

from eternal_tui.config import Settings, SettingsError, load_settings
from eternal_tui.core.files import read_private, write_private
from eternal_tui.core.sanitize import Shown, say, shown
from eternal_tui.tui import themes

LOOK_EVERY = 2.0
"""Seconds between two looks at the file: one call of stat, cheap enough for an app at rest."""


def problems(settings: Settings) -> list[Shown]:
    """Return a sentence for everything in theme and keys that cannot be meant."""
    found = []
    if settings.theme and settings.theme not in themes.names():
        own = ", ".join(each.name for each in themes.THEMES)
        found.append(
            say('theme: there is no "{name}". The program\'s own are {own}.', name=settings.theme, own=own),
        )
    if settings.keys:
        from eternal_tui.tui.input.keymap import keymap_problems

        found += keymap_problems(settings.keys)
    return found


def keymap(settings: Settings) -> dict[str, str]:
    """Return the person's own keys, without those that cannot be meant."""
    if not settings.keys:
        return {}
    from eternal_tui.tui.input.keymap import usable

    return usable(settings.keys)


class Chosen(msgspec.Struct, frozen=True):
    """What is kept in themes.json: the theme chosen in the app, and the one it is worn instead of."""

    usual: str = ""
    theme: str = ""


class ThemeChoice:
    """Remembers the theme chosen in the app from one start to the next, without touching the person's config.toml.

    It holds as long as the settings and the terminal would give the same theme as when it was chosen: another one in
    the file, or a terminal without colours, comes before it.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / "theme.json"
        self._chosen = Chosen()
        # A file that cannot be read is as none: nothing of worth is in it.
        with contextlib.suppress(OSError, ValueError, msgspec.MsgspecError):
            if (data := read_private(self._path)) is not None:
                self._chosen = msgspec.json.decode(data, type=Chosen)

    def instead_of(self, usual: str) -> str:
        """Return the theme to wear where `usual` would be worn."""
        return self._chosen.theme if self._chosen.usual == usual else usual

    def keep(self, usual: str, theme: str) -> None:
        """Remember that `theme` is to be worn instead of `usual`; raise OSError where it cannot be written."""
        self._chosen = Chosen(usual, theme)
        write_private(self._path, msgspec.json.encode(self._chosen))


class ConfigFile:
    """Tells when config.toml has changed since the last look."""

    def __init__(self, settings: Settings, environ: Mapping[str, str]) -> None:
        self._path = settings.config_path
        self._environ = environ
        self._seen = self._stamp()

    def _stamp(self) -> tuple[int, int, int] | None:
        try:
            facts = self._path.stat()
        except OSError:
            return None
        return facts.st_mtime_ns, facts.st_size, facts.st_ino

    def changed(self) -> Settings | None:
        """Return the settings as they are now, None where the file is as it was; raise SettingsError once a change."""
        stamp = self._stamp()
        if stamp == self._seen:
            return None
        self._seen = stamp
        given = {"config": str(self._path)} if stamp is not None else {}
        return load_settings(given, self._environ)


def refusal(error: SettingsError) -> Shown:
    """Return the sentence for a file that was changed into something that cannot be used."""
    told = shown(str(error), limit=400)
    return say(
        "{error}{stop} The settings in force stay as they were.",
        error=told,
        stop=Shown("" if told.endswith(".") else "."),
    )
