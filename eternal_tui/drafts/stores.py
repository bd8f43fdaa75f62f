"""The draft on disk: `draft.json` in the data folder, so that a crash costs at most the last second of typing."""

from __future__ import annotations

from pathlib import Path

import msgspec

from eternal_tui.core.private_file import read_private, set_aside, write_private
from eternal_tui.drafts.draft import Draft


class DraftStore:
    """Keeps the newest draft in memory with `keep`, and puts it on disk when the owner's tick calls `flush`."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "draft.json"
        self.notices: list[str] = []
        self._kept: Draft | None = None
        self._written: Draft | None = None

    def load(self) -> Draft | None:
        """Return the draft on disk, or None; one that cannot be read is set aside and noticed, never overwritten."""
        try:
            data = read_private(self.path)
            if data is None:
                return None
            draft = msgspec.json.decode(data, type=Draft).sound()
        except (msgspec.MsgspecError, ValueError) as error:
            self.notices.append(f"The draft could not be read ({error}) and {set_aside(self.path)}.")
            return None
        except OSError as error:
            self.notices.append(f"The draft could not be read: {error.strerror}.")
            return None
        self._written = draft
        return draft

    def keep(self, draft: Draft) -> None:
        """Remember the draft; costs nothing."""
        self._kept = draft

    def flush(self) -> bool:
        """Write the kept draft if it is news; tell whether anything was written. Raises OSError."""
        draft = self._kept
        if draft is None or draft == self._written:
            return False
        write_private(self.path, msgspec.json.encode(draft))
        self._written = draft
        return True
