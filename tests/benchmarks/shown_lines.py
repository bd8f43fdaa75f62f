"""The lines of a terminal as they stand: what is written are differences, which by themselves say little."""

from __future__ import annotations

import codecs
import re

_PIECE = re.compile(
    r"\x1b\[(\d+);(\d+)H|\x1b\[[0-?]*[ -/]*[@-~]|\x1b[P_\]][^\x1b\x07]*(?:\x1b\\|\x07)|\x1b[^\[P_\]]|([^\x1b]+)"
)


class ShownLines:
    """Follows what an app of ours writes: the cursor put somewhere, and characters one cell wide."""

    def __init__(self) -> None:
        self._lines: dict[int, list[str]] = {}
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        self._rest = ""
        self._at = (1, 1)

    def feed(self, data: bytes) -> None:
        """Take what was written next; an escape sequence that is cut is gone on with the next time."""
        text = self._rest + self._decode(data)
        end = 0
        for piece in _PIECE.finditer(text):
            if piece.start() != end:
                break
            end = piece.end()
            row, column, characters = piece.groups()
            if row is not None:
                self._at = (int(row), int(column))
            elif characters is not None:
                self._put(characters)
        self._rest = text[end:]

    def with_sign(self, sign: str) -> str:
        """Return the first line that has this sign, empty where none has."""
        return next((line for _, cells in sorted(self._lines.items()) if sign in (line := "".join(cells))), "")

    def _put(self, characters: str) -> None:
        row, column = self._at
        cells = self._lines.setdefault(row, [])
        cells += " " * (column - 1 + len(characters) - len(cells))
        cells[column - 1 : column - 1 + len(characters)] = characters
        self._at = (row, column + len(characters))
