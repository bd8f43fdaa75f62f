"""Reading the ledger from a history, for commands and views that run no engine."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any, Protocol

import msgspec

from eternal_tui.jobs.billing.charges import Row, from_row_record, rows_of_old_jobs
from eternal_tui.jobs.billing.ledger import Ledger
from eternal_tui.jobs.model import Job

PAGE_SIZE = 500


class ChargeTable(Protocol):
    """The part of a history that holds the charges."""

    def charges(self, before: int | None = None, limit: int = 500) -> list[tuple[int, dict[str, Any]]]:
        """Return rows below an id, newest first."""


def read_rows(
    history: ChargeTable, is_enough: Callable[[int, Row], bool] | None = None
) -> list[tuple[int, Row | None]]:
    """Return rows with their ids, newest first, up to the page at whose end `is_enough` of their count and the last."""
    rows: list[tuple[int, Row | None]] = []
    before = None
    while page := history.charges(before, PAGE_SIZE):
        rows += ((number, from_row_record(record)) for number, record in page)
        before, last = rows[-1]
        if is_enough is not None and last is not None and is_enough(len(rows), last):
            break
    return rows


def read_ledger(history: ChargeTable, is_alive: Callable[[str], bool]) -> Ledger:
    """Return the whole ledger; a request whose process is gone counts as unconfirmed."""
    ledger = Ledger()
    for number, row in reversed(read_rows(history)):
        ledger.skip(number) if row is None else ledger.apply(number, row)
    _apply(ledger, ledger.lost_intents(is_alive, time.time()))
    return ledger


def add_unbilled_jobs(ledger: Ledger, jobs: Iterable[Job]) -> None:
    """Add jobs of before there were charges, in memory only."""
    _apply(ledger, rows_of_old_jobs((job for job in jobs if job.id not in ledger.charges), ""))


def _apply(ledger: Ledger, rows: Iterable[Row]) -> None:
    for row in rows:
        ledger.apply(ledger.last_number + 1, msgspec.structs.replace(row, settled_balance=None))
