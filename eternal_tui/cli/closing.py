"""Closing the workbench at the end of a verb: what happened to the jobs counts, not what tidying up met."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eternal_tui.cli.output import Streams
from eternal_tui.core.sanitize import say
from eternal_tui.history.errors import HistoryError

if TYPE_CHECKING:
    from eternal_tui.services import Workbench


async def close(workbench: Workbench, streams: Streams) -> None:
    """Close it, folding the history while it is small, and tell what could not be written."""
    try:
        await workbench.close(fold=workbench.history.small)
    except HistoryError as error:
        streams.error(say("The history could not be tidied up: {error} The changes wait in its journal.", error=error))
    streams.notices(workbench.desk.notices)
