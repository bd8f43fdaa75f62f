"""A service on loopback whose jobs end at once, for the real program in a real terminal."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.cli.program import sandbox_in_a_thread


@pytest.fixture
def service() -> Iterator[dict[str, str]]:
    """The environment that leads the program to it."""
    with sandbox_in_a_thread() as running:
        yield {"ETERNAL_TUI_BASE_URL": running.api_url, "ETERNALAI_API_KEY": running.key}
