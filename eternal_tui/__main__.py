"""Where the program begins: `eternal-tui`, and `python -m eternal_tui`."""

from __future__ import annotations

import sys


def main() -> int:
    """Run the command line with this process's own arguments, environment and streams; return the exit code."""
    from eternal_tui.cli.command import run_process

    return run_process()


if __name__ == "__main__":
    sys.exit(main())
