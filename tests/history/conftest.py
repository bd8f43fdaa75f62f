"""Fixtures of the history's tests."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def swift_path() -> Iterator[Path]:
    """A folder in memory where the machine has one: for tests that lay out thousands of files."""
    memory = Path("/dev/shm")
    folder = Path(tempfile.mkdtemp(prefix="history-", dir=memory if memory.is_dir() else None))
    yield folder
    shutil.rmtree(folder)
