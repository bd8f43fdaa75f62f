"""A pytest fixture for clients of the service: `pytest_plugins = ["eternal_tui.sandbox.pytest_plugin"]`."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from eternal_tui.sandbox.launch import DemoService, launch_demo

JOB_SPEED = 100.0
"""Speed of the fixture's jobs relative to the service's: they end in well under a second."""


@pytest.fixture
def eternal_sandbox() -> Iterator[DemoService]:
    """Run a sandbox of the service in a process of its own: `api_url`, `cdn_url` and `key` lead there.

    For a sandbox in the test's own event loop, whose requests can be read and whose faults can be armed, use
    `async with eternal_tui.sandbox.server.Sandbox() as sandbox`.
    """
    with launch_demo(environ=os.environ, speed=JOB_SPEED, seed=1) as service:
        yield service
