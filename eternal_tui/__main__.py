"""Entry point of `eternal-tui` and `python -m eternal_tui`."""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
import gc
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn


def main() -> int:
    """Run the command line with this process's own arguments, environment and streams; return the exit code."""
    # Imports create no garbage; disabling gc saves 5 % of the start.
    gc.disable()
    from eternal_tui.cli.main import run_process

    return run_process()


def run() -> NoReturn:
    """Run the command line and end this process with its exit code."""
    if _signal.getsignal(_signal.SIGINT) is _signal.default_int_handler:
        # At once: a KeyboardInterrupt within the imports below would be a traceback.
        _signal.signal(_signal.SIGINT, _signal.SIG_DFL)
    from eternal_tui.core.process import FastExit, exit_on_interrupt

    exit_on_interrupt()
    ending = FastExit()
    sys.exit(ending.set_exit_code(main()))


if __name__ == "__main__":
    run()
