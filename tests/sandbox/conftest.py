"""A sandbox with tiny pictures, and clients for its two ports."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from eternal_tui.sandbox.server import Sandbox
from tests.sandbox.client import IMAGE_BODY, TINY_SETTINGS, Download, api_client, finish_job


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


@pytest.fixture
def download(sandbox: Sandbox, api: httpx.AsyncClient, cdn: httpx.AsyncClient) -> Download:
    """Return what submits a request with these fields, lets it end, and returns the answer with its file."""

    async def download(**fields: Any) -> httpx.Response:
        return await cdn.get(await finish_job(sandbox, api, IMAGE_BODY | fields))

    return download
