"""The sandbox as a fixture of somebody else's tests."""

from __future__ import annotations

import httpx

from eternal_tui.sandbox.launch import DemoService
from eternal_tui.sandbox.pytest_plugin import eternal_sandbox  # noqa: F401
from tests.sandbox.client import IMAGE_BODY


def test_eternal_sandbox_fixture_serves(eternal_sandbox: DemoService) -> None:  # noqa: F811
    with httpx.Client(
        base_url=eternal_sandbox.api_url, headers={"x-api-key": eternal_sandbox.key}, verify=False
    ) as api:
        assert api.post("/v2/base/generate", json=IMAGE_BODY).json()["status"] == "pending"
