"""``python -m eternal_tui.sandbox``: the sandbox on its own."""

from __future__ import annotations

import argparse
import sys

from eternal_tui.sandbox.command import add_arguments, run


def main() -> int:
    """Parse the arguments and serve."""
    parser = argparse.ArgumentParser(
        prog="eternal-tui sandbox", description="A local stand-in for the service, for demos and tests."
    )
    add_arguments(parser)
    return run(parser.parse_args())


if __name__ == "__main__":
    sys.exit(main())
