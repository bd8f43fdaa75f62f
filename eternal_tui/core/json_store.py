"""JsonStore: one msgspec value in one private JSON file."""

from __future__ import annotations

from pathlib import Path
from typing import Generic, TypeVar

import msgspec

from eternal_tui.core.files import quarantine, read_limited, write_atomic

T = TypeVar("T")


class JsonStore(Generic[T]):
    """Reads and replaces one value of type `T`.

    A damaged file is renamed, never overwritten, and a sentence in `notices` says so. `label` names the content in
    that sentence ("The draft", "The presets").
    """

    def __init__(self, path: Path, type_: type[T], label: str, *, indent: int = 0) -> None:
        self.path = path
        self.notices: list[str] = []
        self._type, self._label, self._indent = type_, label, indent

    def load(self) -> T | None:
        """Return the value on disk, None where there is no file or it cannot be read."""
        try:
            data = read_limited(self.path)
            return None if data is None else msgspec.json.decode(data, type=self._type)
        except (msgspec.MsgspecError, ValueError) as error:
            self.notices.append(f"{self._label} could not be read ({error}); the file {quarantine(self.path)}.")
        except OSError as error:
            self.notices.append(f"{self._label} could not be read: {error.strerror}.")
        return None

    def save(self, value: T) -> None:
        """Replace the file; raises OSError, and the old file is then still whole."""
        data = msgspec.json.encode(value)
        write_atomic(self.path, msgspec.json.format(data, indent=self._indent) if self._indent else data)
