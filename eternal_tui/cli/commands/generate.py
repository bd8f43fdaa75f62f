"""`generate`: check options and prompts, then submit them."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from eternal_tui.cli.context import CommandError, Context
from eternal_tui.cli.exit_codes import ExitCode
from eternal_tui.cli.prompt_input import read_prompts
from eternal_tui.cli.submission import submit_all
from eternal_tui.core.sanitize import sanitize

if TYPE_CHECKING:
    from eternal_tui.api.models import GenerateRequest

EPILOG = """\
examples:
  eternal-tui generate --character 6870 --prompt "In a rain coat"
  eternal-tui generate --character 6870 --prompt "She waves" --type video --duration 3 --no-audio --wait --json
  eternal-tui generate --character Astrid --prompt - --quality high < prompts.txt

Without --wait it ends once each request id is on disk; `eternal-tui watch` follows the jobs later.
A request is sent once. If its answer is lost, the job is unconfirmed (exit code 5) and never sent again by itself.
"""

MAX_COUNT = 100
"""Jobs of one prompt: beyond this a slip of the finger is likelier than a wish."""

MAX_JOBS_PER_RUN = 1_000
"""Jobs of one run, for the same reason."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `generate`."""
    parser.add_argument("--character", metavar="ID", default="", help="character ID, or a name from the public list")
    parser.add_argument("--prompt", metavar="TEXT", help="what is to change; '-' reads prompts from stdin, one a line")
    parser.add_argument("--type", metavar="image|video", default="image", help="what to make (default: image)")
    parser.add_argument("--duration", metavar="N", type=_parse_number, help="seconds of a video, 1 to 5")
    parser.add_argument(
        "--audio", action=argparse.BooleanOptionalAction, default=None, help="a video with or without sound"
    )
    parser.add_argument("--quality", metavar="low|high", help="of an image; high costs twice as much")
    parser.add_argument(
        "--count", metavar="N", type=_parse_number, default=1, help="send each prompt N times (default: 1)"
    )
    parser.add_argument("--wait", action="store_true", help="wait until every result is saved")
    parser.add_argument("--json", action="store_true", help="print one JSON object a job")
    parser.add_argument("--yes", action="store_true", help="send also what costs more than confirm_above")


def _parse_number(text: str) -> int | str:
    # Whether it is one is for the rules of a request to say, which have the better sentence.
    return int(text) if text.isascii() and text.removeprefix("-").isdigit() and len(text) < 10 else text


def run(context: Context) -> int:
    """Check everything, then send; nothing was sent where it ends in 2."""
    from eternal_tui.cli.signals import run_with_shutdown

    requests = _build_requests(context)
    return run_with_shutdown(
        lambda stopping: submit_all(context, requests, stopping), own_process=context.arguments.own_process
    )


def _build_requests(context: Context) -> list[GenerateRequest]:
    from eternal_tui.api.models import GenerateRequest, validation_errors

    given = context.arguments
    if type(given.count) is not int or not 1 <= given.count <= MAX_COUNT:
        raise CommandError(ExitCode.USAGE, f"--count is a whole number from 1 to {MAX_COUNT}. Nothing was sent.")
    fields: dict[str, Any] = {
        "type": given.type,
        "duration": given.duration,
        "audio": given.audio,
        "quality": given.quality,
    }
    # Everything but prompt and character first, so that a wrong option does not read the whole of stdin.
    _raise_if_invalid(validation_errors(GenerateRequest(character="1", prompt="a", **fields)))
    if not given.character.strip():
        _raise_if_invalid(validation_errors(GenerateRequest(character="", prompt="a", **fields)))
    requests = []
    for prompt in read_prompts(given.prompt, context.output.stdin):
        request = GenerateRequest(character=given.character.strip(), prompt=prompt, **fields)
        found = validation_errors(request)
        # A name is no ID yet; only what can be neither is refused here.
        if "character" in found and not _is_invalid_character(request.character):
            del found["character"]
        _raise_if_invalid(found)
        requests += [request] * given.count
    if len(requests) > MAX_JOBS_PER_RUN:
        raise CommandError(
            ExitCode.USAGE,
            f"These are {len(requests)} jobs; one run sends {MAX_JOBS_PER_RUN} at most. Nothing was sent.",
        )
    return requests


def _is_invalid_character(character: str) -> bool:
    """Tell whether the text can be neither an ID nor a name: an address, a path or an encoded image."""
    return "/" in character or len(character) > 100 or character.lower().startswith(("http:", "https:", "data:"))


def _raise_if_invalid(errors: dict[str, str]) -> None:
    if errors:
        raise CommandError(ExitCode.USAGE, sanitize(f"{' '.join(errors.values())} Nothing was sent."))
