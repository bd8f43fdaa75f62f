"""A service on loopback whose jobs end at once, for the real program in a real terminal."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.program import Program, threaded_sandbox


@pytest.fixture
def service() -> Iterator[dict[str, str]]:
    """The environment that leads the program to it."""
    with threaded_sandbox() as running:
        yield {"ETERNAL_TUI_BASE_URL": running.api_url, "ETERNALAI_API_KEY": running.key}


@pytest.fixture
def quick(tmp_path: Path, service: dict[str, str]) -> dict[str, str]:
    """The same, with a history of eight jobs that ended at once, so that the ninth is polled early."""
    program = Program(tmp_path, service["ETERNAL_TUI_BASE_URL"], service["ETERNALAI_API_KEY"])
    program.add_fast_jobs()
    return {**service, "ETERNAL_TUI_DATA_DIR": str(program.data_dir)}
