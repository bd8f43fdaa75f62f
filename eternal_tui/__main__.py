"""Where the program begins: `eternal-tui`, and `python -m eternal_tui`."""

from __future__ import annotations

import gc
import sys
from typing import NoReturn


def main() -> int:
    """Run the command line with this process's own arguments, environment and streams; return the exit code."""
    # What is imported stays: looking for garbage in between finds none and costs a twentieth of the start.
    gc.disable()
    from eternal_tui.cli.main import run_process

    return run_process()


def run() -> NoReturn:
    """Run the command line and end this process with its exit code."""
    from eternal_tui.core.process import FastExit

    ending = FastExit()
    sys.exit(ending.set_exit_code(main()))


if __name__ == "__main__":
    run()
