"""Runs the app and writes the names of all modules to the file in FIRST_FRAME when its first frame stands."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from eternal_tui.cli.command import run_process


def main() -> int:
    from textual.app import App

    display = App._display

    def watched(self: App[Any], screen: Any, renderable: Any) -> None:
        display(self, screen, renderable)
        if renderable is not None:
            path = Path(os.environ["FIRST_FRAME"])
            if not path.exists():
                path.write_text("\n".join(sorted(sys.modules)))

    App._display = watched  # type: ignore[method-assign]
    return run_process()


if __name__ == "__main__":
    sys.exit(main())
