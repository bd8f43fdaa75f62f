"""A sandbox in a process of its own, for the soak: so that the memory measured there is the app's alone.

Its first line says where it is; for every line it reads it says what was paid for; it ends with its input.
"""

from __future__ import annotations

import asyncio
import json
import sys

from eternal_tui.sandbox.server import Sandbox
from eternal_tui.sandbox.settings import SandboxSettings

FAST_SETTINGS = SandboxSettings(seed=7, speed=400.0, credits=1e6, image_size=(16, 16), cache_bytes=1 << 20)


def _report(what: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


async def main() -> None:
    async with Sandbox(FAST_SETTINGS) as sandbox:
        _report({"url": sandbox.api_url, "key": sandbox.key})
        while await asyncio.to_thread(sys.stdin.readline):
            _report({"charged": sandbox.charged, "posts": len(sandbox.posts)})


if __name__ == "__main__":
    asyncio.run(main())
