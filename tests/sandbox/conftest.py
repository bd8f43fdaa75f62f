"""A sandbox with tiny pictures, and clients for its two ports."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest

from eternal_tui.sandbox.server import Sandbox
from tests.sandbox.client import TINY_SETTINGS, api_client


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox(TINY_SETTINGS) as running:
        yield running


@pytest.fixture
async def api(sandbox: Sandbox) -> AsyncIterator[httpx.AsyncClient]:
    async with api_client(sandbox) as client:
        yield client


@pytest.fixture
async def cdn() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(verify=False) as client:
        yield client
