"""`generate`: check options and input, then submit."""

from __future__ import annotations

import argparse

from eternal_tui.cli.context import CommandError, Context, UsageError
from eternal_tui.cli.request_input import parse_number, plan_requests
from eternal_tui.cli.submission import add_submit_options, run_submission
from eternal_tui.cli.waiting import parse_output

EPILOG = """\
examples:
  eternal-tui generate --character 6870 --prompt "In a raincoat"
  eternal-tui generate --character 6870 --prompt "She waves" --type video --duration 3 --no-audio --wait --json
  eternal-tui generate --character 6870 --prompt "In a {red|blue} coat" --wait -o 'coats/{n}-{prompt:40}{ext}'
  eternal-tui generate --character Astrid --prompt - --quality high < prompts.txt
  eternal-tui generate --input batch.csv --tag winter --wait --timeout 30m
  eternal-tui generate --input batch.jsonl --resume

input: JSON lines, or CSV with a header: character, prompt, type, duration, audio, quality, count, tags, note, output.
Options give what a line leaves out. The whole input is checked before anything is sent. Repeated --character and
--prompt multiply; {a|b} in a prompt makes one request for each, {{ is a brace.

Without --wait it ends once each request id is on disk; `eternal-tui watch` follows the jobs later. A request whose
response is lost is unconfirmed (exit code 5) and is not retried automatically. --resume sends what was not sent.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `generate`."""
    parser.add_argument("--character", metavar="ID", action="append", help="character ID or name; repeatable")
    parser.add_argument(
        "--prompt", metavar="TEXT", action="append", help="prompt text; '-' reads one prompt per line from stdin"
    )
    parser.add_argument("--input", metavar="FILE", help="read requests from JSON lines or CSV; '-' is stdin")
    parser.add_argument("--type", metavar="image|video", default="image", help="what to make (default: image)")
    parser.add_argument("--duration", metavar="N", type=parse_number, help="seconds of a video, 1 to 5")
    parser.add_argument(
        "--audio", action=argparse.BooleanOptionalAction, default=None, help="video with or without sound"
    )
    parser.add_argument("--quality", metavar="low|high", help="image quality (high costs twice as much)")
    parser.add_argument(
        "--count", metavar="N", type=parse_number, default=1, help="send each prompt N times (default: 1)"
    )
    parser.add_argument("--tag", metavar="WORD", action="append", default=[], help="tag the jobs; repeatable")
    parser.add_argument("--note", metavar="TEXT", help="note for the jobs")
    parser.add_argument(
        "--resume", action="store_true", help="send only what the last run of the same input did not send"
    )
    add_submit_options(parser)


def run(context: Context) -> int:
    """Check everything, then submit; nothing was sent where it ends in 2."""
    planned = plan_requests(context)
    for text in dict.fromkeys(one.output for one in planned if one.output):
        try:
            parse_output(context, text)
        except CommandError as error:
            source = next(one.source for one in planned if one.output == text)
            raise UsageError(f"{source}: {error} Nothing was sent.") from None
    return run_submission(context, planned)
