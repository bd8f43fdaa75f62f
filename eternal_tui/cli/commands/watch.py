"""`watch`: follow jobs until each has ended and its file is here. Sends nothing that costs."""

from __future__ import annotations

import argparse

from eternal_tui.cli.context import Invocation

EPILOG = """\
examples:
  eternal-tui watch                                every unfinished job
  eternal-tui watch 12 13 --json                   a JSON object at every change of state
  eternal-tui watch | jq -r .file                  the same, as ever where the output is no terminal
  eternal-tui watch last && eternal-tui show last

A lost job is asked about again, and a file that expired or broke is fetched again, if the job is named.
ctrl+c stops following; the service goes on with the jobs.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `watch`."""
    parser.add_argument("ids", metavar="ID", nargs="*", help="job numbers or request ids, or 'last'; none: unfinished")
    parser.add_argument(
        "--json",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="print a JSON object at every change of state, or a line; into a file or a pipe objects are usual",
    )


def run(invocation: Invocation) -> int:
    """Follow the jobs and end by the exit codes of what became of them."""
    from eternal_tui.cli.signals import run_until_stopped
    from eternal_tui.cli.watching import follow

    return run_until_stopped(
        lambda stopping: follow(invocation, stopping), own_process=invocation.arguments.own_process
    )
