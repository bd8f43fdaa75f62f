"""Requests that these tests make again and again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import httpx

from eternal_tui.sandbox.server import Sandbox
from eternal_tui.sandbox.settings import SandboxSettings

TINY_SETTINGS = SandboxSettings(
    seed=7,
    image_size=(96, 128),
    video_size=(64, 96),
    video_fps=8,
    avatar_size=(32, 32),
    slow_seconds=0.03,
    huge_body_bytes=300_000,
)
IMAGE_BODY: dict[str, Any] = {"images": ["6870"], "prompt": "At the harbour, morning", "type": "image"}
VIDEO_BODY: dict[str, Any] = {
    "images": ["6870"],
    "prompt": "The person waves and smiles",
    "type": "video",
    "duration": 1,
}


Download = Callable[..., Awaitable[httpx.Response]]


def api_client(sandbox: Sandbox) -> httpx.AsyncClient:
    """A client that sends the key; on plain HTTP there is nothing to verify, and loading certificates is slow."""
    return httpx.AsyncClient(base_url=sandbox.api_url, headers={"x-api-key": sandbox.key}, verify=False)


async def submit(api: httpx.AsyncClient, body: dict[str, Any] | None = None) -> str:
    """Generate something that must be accepted; its request id."""
    answer = await api.post("/v2/base/generate", json=body or IMAGE_BODY)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["request_id"])


async def poll(api: httpx.AsyncClient, request_id: str) -> dict[str, Any]:
    """Poll a job that must be known."""
    answer = await api.get(f"/v2/poll-result/{request_id}")
    assert answer.status_code == 200, answer.text
    result: dict[str, Any] = answer.json()
    return result


async def finish_job(sandbox: Sandbox, api: httpx.AsyncClient, body: dict[str, Any] | None = None) -> str:
    """Submit, let it end, and return the link of its file."""
    request_id = await submit(api, body)
    sandbox.finish(request_id)
    return str((await poll(api, request_id))["result_url"])
