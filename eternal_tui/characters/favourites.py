"""Which characters a person likes and has used lately, and the private file they are kept in."""

from __future__ import annotations

from pathlib import Path

import msgspec

from eternal_tui.core.files import quarantine, read_limited, write_atomic

MAX_RECENT = 20
"""Characters remembered as used lately."""

MAX_FAVOURITES = 500


class Favourites(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Ids of characters: favourites in the order they were chosen, recent ones with the latest first."""

    favourites: tuple[str, ...] = ()
    recent: tuple[str, ...] = ()

    def toggle(self, character_id: str) -> Favourites:
        """Return them with this character as a favourite, or no longer one."""
        if character_id in self.favourites:
            kept = tuple(each for each in self.favourites if each != character_id)
        else:
            kept = (*self.favourites, character_id)[-MAX_FAVOURITES:]
        return msgspec.structs.replace(self, favourites=kept)

    def mark_used(self, character_id: str) -> Favourites:
        """Return them with this character as the one used last."""
        others = tuple(each for each in self.recent if each != character_id)
        return msgspec.structs.replace(self, recent=(character_id, *others)[:MAX_RECENT])


class FavouriteStore:
    """`favourites.json` in the data folder."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "favourites.json"
        self.notices: list[str] = []

    def load(self) -> Favourites:
        """Return what is on disk; a file that cannot be read is set aside and noticed, never overwritten."""
        try:
            data = read_limited(self.path)
            return Favourites() if data is None else msgspec.json.decode(data, type=Favourites)
        except (msgspec.MsgspecError, ValueError) as error:
            self.notices.append(f"The favourites could not be read ({error}); the file {quarantine(self.path)}.")
        except OSError as error:
            self.notices.append(f"The favourites could not be read: {error.strerror}.")
        return Favourites()

    def save(self, favourites: Favourites) -> None:
        """Write them; raise OSError."""
        write_atomic(self.path, msgspec.json.encode(favourites))
