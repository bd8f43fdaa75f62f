"""Favourite and recently used characters, and the private file they are stored in."""

from __future__ import annotations

from pathlib import Path

import msgspec

from eternal_tui.core.files import JsonStore

MAX_RECENT = 20
"""Characters in the list of recently used ones."""

MAX_FAVOURITES = 500


class Favourites(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Ids of characters: favourites in the order they were chosen, recent ones with the latest first."""

    favourites: tuple[str, ...] = ()
    recent: tuple[str, ...] = ()

    def toggle(self, character_id: str) -> Favourites:
        """Return a copy with this character added to or removed from the favourites."""
        if character_id in self.favourites:
            favourites = tuple(each for each in self.favourites if each != character_id)
        else:
            favourites = (*self.favourites, character_id)[-MAX_FAVOURITES:]
        return msgspec.structs.replace(self, favourites=favourites)

    def mark_used(self, character_id: str) -> Favourites:
        """Return a copy with this character as the last used one."""
        others = tuple(each for each in self.recent if each != character_id)
        return msgspec.structs.replace(self, recent=(character_id, *others)[:MAX_RECENT])


class FavouriteStore(JsonStore[Favourites]):
    """`favourites.json` in the data folder."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder / "favourites.json", Favourites, "The favourites")

    def load(self) -> Favourites:
        """Return the favourites on disk; empty where there are none."""
        return super().load() or Favourites()
