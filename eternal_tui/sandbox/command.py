"""The sandbox as a command: prints its addresses on one line and serves until stopped."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from eternal_tui.sandbox.settings import SandboxSettings

_PORT_IN_USE_EXIT_CODE = 1
_USAGE_EXIT_CODE = 2


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the sandbox's options to a parser."""
    parser.add_argument("--port", type=int, default=0, metavar="N", help="port of the API (default: a free one)")
    parser.add_argument("--cdn-port", type=int, default=0, metavar="N", help="port of the CDN (default: a free one)")
    parser.add_argument("--speed", type=float, default=1.0, metavar="X", help="speed multiplier (default: 1)")
    parser.add_argument(
        "--fault",
        action="append",
        default=[],
        metavar="KIND[@PLACE][:N|:P%]",
        help="inject a fault N times, with probability P%%, or always; repeatable ('list' to show)",
    )
    parser.add_argument("--credits", type=float, default=629.36, metavar="N", help="initial credits")
    parser.add_argument("--seed", type=int, default=None, metavar="N", help="seed of ids, durations and images")
    parser.add_argument("--state", type=Path, default=None, metavar="FILE", help="keep jobs and credits in a file")
    parser.add_argument("--key", default=None, metavar="KEY", help="the key that is accepted (sk_…: not in x-api-key)")
    parser.add_argument("--strict", action="store_true", help="refuse fields that apply to the other type only")
    parser.add_argument("--sample-jobs", action="store_true", help="start with the sample jobs of the demo")
    parser.add_argument("--until-stdin-closes", action="store_true", help="also stop when stdin closes")


def _parse_settings(args: argparse.Namespace) -> SandboxSettings:
    from eternal_tui.sandbox.faults import parse_rule
    from eternal_tui.sandbox.settings import DEMO_KEY, SandboxSettings

    if not args.speed > 0:
        raise ValueError("--speed must be above 0")
    if not 0 <= args.credits <= 1e12:
        raise ValueError("--credits must be from 0 to 1e12")
    if not all(0 <= port <= 65_535 for port in (args.port, args.cdn_port)):
        raise ValueError("a port is a number from 0 to 65535")
    return SandboxSettings(
        key=args.key or DEMO_KEY,
        strict=args.strict,
        api_port=args.port,
        cdn_port=args.cdn_port,
        speed=args.speed,
        credits=args.credits,
        seed=args.seed,
        state_file=args.state,
        prerender=True,
        sample_jobs=args.sample_jobs,
        faults=tuple(parse_rule(text) for text in args.fault),
    )


def _stop_at_stdin_end(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    descriptor = sys.stdin.fileno()

    def readable() -> None:
        if not os.read(descriptor, 4096):
            loop.remove_reader(descriptor)
            stop.set()

    loop.add_reader(descriptor, readable)


async def _serve(settings: SandboxSettings, *, until_stdin_closes: bool) -> None:
    from eternal_tui.sandbox.server import Sandbox

    # Drawing runs in a thread of the server: switch threads often, so that polls stay quick.
    sys.setswitchinterval(0.001)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    if until_stdin_closes:
        _stop_at_stdin_end(loop, stop)
    async with Sandbox(settings) as sandbox:
        ready = {"api_url": sandbox.api_url, "cdn_url": sandbox.cdn_url, "key": sandbox.key}
        sys.stdout.write(json.dumps(ready) + "\n")
        sys.stdout.flush()
        sys.stderr.write(
            f"Sandbox of the service on {sandbox.api_url}, files on {sandbox.cdn_url}.\n"
            f"Its key is {sandbox.key}; nothing here costs anything. ctrl+c stops it.\n"
        )
        await stop.wait()


def run(args: argparse.Namespace) -> int:
    """Serve until SIGINT, SIGTERM or, if asked, the end of stdin; 2 for an unusable option, 1 for a taken port."""
    if "list" in args.fault:
        from eternal_tui.sandbox import faults

        sys.stderr.write(f"{faults.__doc__}")
        return 0
    from eternal_tui.sandbox.state import check_writable

    try:
        settings = _parse_settings(args)
    except ValueError as problem:
        sys.stderr.write(f"sandbox: {problem}\n")
        return _USAGE_EXIT_CODE
    # A demo's folder is only being made while its service starts.
    if settings.state_file is not None and not args.until_stdin_closes:
        try:
            check_writable(settings.state_file)
        except (OSError, ValueError) as problem:
            why = getattr(problem, "strerror", None) or problem
            sys.stderr.write(f"sandbox: cannot write {str(settings.state_file)!r}: {why}. Name another file.\n")
            return _USAGE_EXIT_CODE
    try:
        asyncio.run(_serve(settings, until_stdin_closes=args.until_stdin_closes))
    except OSError as problem:
        sys.stderr.write(f"sandbox: cannot listen: {os.strerror(problem.errno) if problem.errno else problem}\n")
        return _PORT_IN_USE_EXIT_CODE
    return 0
