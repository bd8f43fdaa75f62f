"""A sandbox and the program to run against it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from textual.command import CommandPalette

from eternal_tui.sandbox.server import Sandbox
from tests.cli.program import Program, threaded_sandbox


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with threaded_sandbox() as running:
        yield running


@pytest.fixture
def program(tmp_path: Path, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Program:
    # keyring reads the process's own environment, whatever the program is given.
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")
    return Program(tmp_path, sandbox.api_url, sandbox.key)


@pytest.fixture(autouse=True)
def _all_results_of_a_search_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the palette show its results at once: batches by the clock would differ between runs."""
    monkeypatch.setattr(CommandPalette, "_RESULT_BATCH_TIME", float("inf"))
