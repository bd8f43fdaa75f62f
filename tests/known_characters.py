"""A data folder whose list of characters is fresh, for services that have none to give."""

from __future__ import annotations

import time
from pathlib import Path

import msgspec

from eternal_tui.core.files import write_atomic
from eternal_tui.services import service_name


def write_character_list(data: Path, base_url: str, *ids: str, days_old: float = 0.0) -> None:
    """Write the list that was had from `base_url` so many days ago, of adults with these ids."""
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    listed = [{"id": each, "name": f"Name {each}", "age": 24} for each in ids]
    stored = {"service": service_name(base_url), "fetched_at": time.time() - days_old * 86_400, "characters": listed}
    write_atomic(data / "characters.json", msgspec.json.encode(stored))
