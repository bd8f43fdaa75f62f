"""Runs the app and writes what its first frame took to the file in FIRST_FRAME, when that frame stands.

The names of all modules, one a line; beside it, in `….styles`, how often styles were worked out; in `….end` the modules
that were loaded when the app was left.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from eternal_tui.cli.main import run_process
from eternal_tui.tui import run


def main() -> int:
    assemble = run._build_app

    def assembled(*settings: Any, **options: Any) -> Any:
        app = assemble(*settings, **options)
        _record_first_frame()
        return app

    # Textual is not imported here: in which order the app does that is a part of what is looked at.
    run._build_app = assembled
    try:
        return run_process()
    finally:
        Path(os.environ["FIRST_FRAME"]).with_suffix(".end").write_text(_loaded_modules())


def _record_first_frame() -> None:
    from textual.app import App
    from textual.css.stylesheet import Stylesheet

    path = Path(os.environ["FIRST_FRAME"])
    display, apply = App._display, Stylesheet.apply
    styled = 0

    def watched(self: App[Any], screen: Any, renderable: Any) -> None:
        display(self, screen, renderable)
        if renderable is not None and not path.exists():
            path.with_suffix(".styles").write_text(str(styled))
            path.write_text(_loaded_modules())

    def counted(self: Stylesheet, *nodes: Any, **options: Any) -> None:
        nonlocal styled
        styled += 1
        apply(self, *nodes, **options)

    App._display = watched  # type: ignore[method-assign]
    Stylesheet.apply = counted  # type: ignore[method-assign]


def _loaded_modules() -> str:
    return "\n".join(sorted(sys.modules))


if __name__ == "__main__":
    sys.exit(main())
