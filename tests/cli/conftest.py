"""A sandbox and the program to run against it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from eternal_tui.sandbox.server import Sandbox
from tests.cli.program import Program, threaded_sandbox


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with threaded_sandbox() as running:
        yield running


@pytest.fixture
def program(tmp_path: Path, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Program:
    monkeypatch.chdir(tmp_path)
    return Program(tmp_path, sandbox.api_url, sandbox.key)
