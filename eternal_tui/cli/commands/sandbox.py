"""`sandbox`: the local sandbox of the API, on its own."""

from __future__ import annotations

import argparse

from eternal_tui.cli.context import Context

EPILOG = """\
examples:
  eternal-tui sandbox --port 8765 --speed 5
  ETERNALAI_API_KEY=sandbox-demo-key eternal-tui --base-url http://127.0.0.1:8765
  eternal-tui sandbox --fault lost-answer:1        --fault list shows all faults

The first line of output is a JSON object with api_url, cdn_url and key. ctrl+c stops it.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the sandbox's own options."""
    from eternal_tui.sandbox.command import add_arguments as add

    add(parser)


def run(context: Context) -> int:
    """Serve until interrupted."""
    from eternal_tui.sandbox.command import run as serve

    return serve(context.arguments)
