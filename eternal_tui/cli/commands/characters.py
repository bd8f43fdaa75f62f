"""`characters`: the public list, without those listed as under 18."""

from __future__ import annotations

import argparse
import contextlib
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

from eternal_tui.cli.commands.schema import CharacterJson
from eternal_tui.cli.context import Command, Context, open_client
from eternal_tui.cli.errors import CommandError, ExitCode
from eternal_tui.cli.formatting import table_row
from eternal_tui.cli.parser import add_flag, add_option
from eternal_tui.core.files import make_private_dir
from eternal_tui.core.sanitize import SafeText, format_safe, sanitize

if TYPE_CHECKING:
    from eternal_tui.api.errors import ApiError
    from eternal_tui.api.models import Character
    from eternal_tui.cli.signals import Shutdown

EPILOG = """\
examples:
  eternal-tui characters --search astrid
  eternal-tui characters --json --refresh

The list is cached for a day.
"""


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    add_option(parser, "--search TEXT", "only characters with TEXT in name, ID or description", default="")
    add_flag(parser, "--json", "print one JSON object per character")
    add_flag(parser, "--refresh", "bypass the cache")


def _run(context: Context) -> int:
    """Print the characters that match."""
    from eternal_tui.cli.signals import run_with_shutdown

    found = []

    async def list_them(stopping: Shutdown) -> int:
        found.extend(await stopping.run(_load_characters(context)))
        return ExitCode.SUCCESS

    code = run_with_shutdown(list_them, own_process=context.arguments.own_process)
    wanted = context.arguments.search.casefold().split()
    chosen = [one for one in found if all(word in _search_text(one) for word in wanted)]
    for one in chosen:
        if context.arguments.json:
            fields = {name: getattr(one, name) for name in CharacterJson.__struct_fields__}
            context.output.print_json({name: None if value == "" else value for name, value in fields.items()})
        else:
            context.output.print_line(_table_row(one, context.output.width))
    if not chosen and code == ExitCode.SUCCESS:
        context.output.info(sanitize("No character matches." if wanted else "No characters."))
    return code


async def _load_characters(context: Context) -> list[Character]:
    from eternal_tui.api.errors import ApiError
    from eternal_tui.characters.catalog import CharacterCatalog
    from eternal_tui.core.clock import Clock
    from eternal_tui.services import service_name

    # An ephemeral demo stores nothing: no file can be below the null device.
    folder = Path(os.devnull) if context.is_ephemeral else context.settings.data_dir
    with contextlib.suppress(OSError):
        make_private_dir(folder)
    async with open_client(context) as (client, base_url):
        path, service = folder / "characters.json", service_name(base_url)
        catalog = CharacterCatalog(client.list_characters, path, Clock(), service=service)
        catalog.load_stored()
        try:
            return list(await catalog.load(force_refresh=context.arguments.refresh))
        except ApiError as error:
            if not catalog.allowed or context.arguments.refresh:
                raise CommandError(_exit_code_for(error), f"Could not load characters: {error.full_message}") from None
            age = "" if catalog.fetched_at is None else f"{(time.time() - catalog.fetched_at) / 86_400:.0f}"
            cached = format_safe(" Showing the list cached {age} days ago.", age=age) if age else ""
            context.output.info(format_safe("{error}{cached}", error=error, cached=cached))
            return list(catalog.allowed)
        finally:
            await catalog.close()


def _exit_code_for(error: ApiError) -> ExitCode:
    from eternal_tui.api.errors import KeyRejected, RequestNotSent

    if isinstance(error, KeyRejected) or error.status in (401, 403):
        return ExitCode.KEY_ERROR
    return ExitCode.UNREACHABLE if isinstance(error, RequestNotSent) else ExitCode.FAILED


def _search_text(character: Character) -> str:
    words = (character.id, character.name, character.username, character.description)
    return " ".join(map(str, (*words, character.gender, character.category))).casefold()


def _table_row(one: Character, columns: int | None) -> SafeText:
    cells = (one.id, one.name, f"{'' if one.age is None else one.age:>3}", one.gender, one.description)
    return table_row(cells, (8, 18, 3, 9), columns)


COMMANDS = {"characters": Command(EPILOG, _add_arguments, _run)}
