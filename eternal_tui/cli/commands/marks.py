"""`star`, `tag` and `note`: the user's own marks on jobs."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from eternal_tui.cli.context import Context, UsageError
from eternal_tui.cli.exit_codes import ExitCode
from eternal_tui.cli.formatting import print_changed_jobs
from eternal_tui.cli.parser import Command
from eternal_tui.cli.references import add_references, find_jobs
from eternal_tui.cli.request_input import MAX_NOTE_CHARS
from eternal_tui.core.sanitize import format_safe
from eternal_tui.jobs.model import parse_tags

if TYPE_CHECKING:
    from eternal_tui.jobs.model import Job

STAR_EPILOG = """\
examples:
  eternal-tui star 12 13
  eternal-tui star --off 'star:yes type:image'
"""

TAG_EPILOG = """\
examples:
  eternal-tui tag 12 winter favourite
  eternal-tui tag 'batch:3f2a91c0' draft --remove
  eternal-tui tag last                             print its tags
"""

NOTE_EPILOG = """\
examples:
  eternal-tui note 12 "use this one for the cover"
  eternal-tui note 12 ""                           remove the note
  eternal-tui note 12                              print it
"""


def add_star_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `star`."""
    add_references(parser)
    _add_json(parser)
    parser.add_argument("--off", action="store_true", help="remove the star")


def add_tag_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `tag`."""
    add_references(parser, nargs=None)
    _add_json(parser)
    parser.add_argument("words", metavar="WORD", nargs="*", help="tags to add; none: print the tags")
    parser.add_argument("--remove", action="store_true", help="remove these tags instead; without WORD, all tags")


def add_note_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `note`."""
    add_references(parser, nargs=None)
    _add_json(parser)
    parser.add_argument("text", metavar="TEXT", nargs="?", help='the note; "" removes it; left out: print it')


def _add_json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print one JSON object per job")


def _star(context: Context) -> int:
    on = not context.arguments.off
    return _change(context, context.arguments.ids, lambda _job: {"starred": on}, "starred" if on else "star removed")


def _tag(context: Context) -> int:
    given = context.arguments
    words = parse_tags(" ".join(given.words))
    removed = {word.casefold() for word in words}
    if not words and not given.remove:
        return _print_marks(context, lambda job: " ".join(job.tags))

    def edit(job: Job) -> dict[str, Any]:
        if given.remove:
            return {"tags": [tag for tag in job.tags if words and tag.casefold() not in removed]}
        return {"tags": list(parse_tags(" ".join((*job.tags, *words))))}

    return _change(context, [given.ids], edit, "tags removed" if given.remove else "tagged")


def _note(context: Context) -> int:
    text = context.arguments.text
    if text is None:
        return _print_marks(context, lambda job: job.note)
    if len(text) > MAX_NOTE_CHARS:
        raise UsageError(f"A note has at most {MAX_NOTE_CHARS} characters. Nothing was changed.")
    return _change(context, [context.arguments.ids], lambda _job: {"note": text}, "noted" if text else "note removed")


def _print_marks(context: Context, text_of: Callable[[Job], str]) -> int:
    with context.open_history() as history:
        for job in find_jobs(history, [context.arguments.ids], context.output.stdin):
            if context.arguments.json:
                print_changed_jobs(context, [job], "")
            else:
                context.output.print_line(format_safe("{id}  {text}", id=job.id, text=text_of(job)))
    return ExitCode.SUCCESS


def _change(context: Context, references: list[str], edit: Callable[[Job], dict[str, Any]], done: str) -> int:
    from eternal_tui.jobs.model import from_record

    with context.open_history() as history:
        jobs = find_jobs(history, references, context.output.stdin)
        changed = []
        with history.transaction() as transaction:
            for job in jobs:
                record = transaction.get(job.id)
                if record is not None:
                    fields = edit(from_record(job.id, record))
                    transaction.update(job.id, fields)
                    changed.append(from_record(job.id, {**record, **fields}))
    print_changed_jobs(context, changed, done)
    return ExitCode.SUCCESS


COMMANDS = {
    "star": Command(STAR_EPILOG, add_star_arguments, _star),
    "tag": Command(TAG_EPILOG, add_tag_arguments, _tag),
    "note": Command(NOTE_EPILOG, add_note_arguments, _note),
}
