"""``python -m eternal_tui.sandbox``: the sandbox on its own."""

from __future__ import annotations

import argparse
import sys
from typing import NoReturn

from eternal_tui.core.process import FastExit
from eternal_tui.sandbox.command import add_arguments, run


def main() -> NoReturn:
    """Parse the arguments, serve, and end this process."""
    ending = FastExit()
    parser = argparse.ArgumentParser(
        prog="eternal-tui sandbox", description="A local stand-in for the service, for demos and tests."
    )
    add_arguments(parser)
    sys.exit(ending.set_exit_code(run(parser.parse_args())))


if __name__ == "__main__":
    main()
