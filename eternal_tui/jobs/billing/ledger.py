"""Ledger: the rows of the table `charges` added up account by account, and the rows that each event adds.

Rows are read in the order of their ids, which is the same for every process, so all compute the same figures. A
method that answers an event returns the rows to write; nothing changes before they are applied.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from typing import Any, NamedTuple, Protocol

import msgspec

from eternal_tui.jobs.billing.accounts import Account, Settlement
from eternal_tui.jobs.billing.charges import (
    Charge,
    PossibleRefunds,
    Row,
    RowKind,
    add_known,
    correction_row,
    from_row_record,
    rows_of_old_jobs,
    shared_amount,
    shared_key,
    to_text,
)
from eternal_tui.jobs.model import Job, Verdict


class Spending(NamedTuple):
    """The sum of some charges, in credits.

    `spent` counts every charge at its known or likely cost, including those in doubt and in flight and the
    `unexplained` part. `low` and `high` bound what the service took; `high` is None while a price is unknown.
    `unconfirmed` is the part in doubt. `unknown_count` counts charges without a known price, `doubtful_count` those
    of them in doubt. `recorded` is the part of `spent` in rows.
    """

    spent: Decimal = Decimal(0)
    low: Decimal = Decimal(0)
    high: Decimal | None = Decimal(0)
    unexplained: Decimal = Decimal(0)
    unconfirmed: Decimal = Decimal(0)
    unknown_count: int = 0
    doubtful_count: int = 0
    recorded: Decimal = Decimal(0)

    @property
    def is_exact(self) -> bool:
        """Whether balances prove the whole sum."""
        return self.low == self.high == self.spent


class Ledger:
    """Charges by job, and the state of each account of each service.

    Rows of older versions have no account: they count for every account of their service.
    """

    def __init__(self) -> None:
        self.last_number = 0
        self.version = 0
        self.charges: dict[int, Charge] = {}
        self.unexplained: list[Charge] = []
        self.open_verdicts: dict[int, Charge] = {}
        self.newest_balance: Decimal | None = None
        self._accounts: dict[tuple[str, str], Account] = {}

    def account(self, service: str, account: str) -> Account:
        """Return the account; a new one starts from what is known of the service without an account."""
        found = self._accounts.get((service, account))
        if found is None:
            known = self._accounts.get((service, ""))
            found = self._accounts[service, account] = Account(service, account, known)
        return found

    def accounts(self) -> list[Account]:
        """Return every account, in the order in which they were first used."""
        return list(self._accounts.values())

    def apply(self, number: int, row: Row | None) -> None:
        """Apply a row under its id, None for an unreadable one; a second time it changes nothing."""
        if number <= self.last_number:
            return
        self.last_number = number
        if row is None:
            return
        self.version += 1
        account = self.account(row.service, row.account)
        account.total += row.change
        charge = self._charge_of(number, row, account)
        if charge is not None:
            self._correct(charge, row, account)
        if row.balance is not None:
            # A charge whose first row has a balance is a job of an older version; these come oldest first.
            is_old = charge is not None and charge.first_number == number
            account.record_balance(Decimal(row.balance), None if is_old else charge)
            self.newest_balance = account.balance
        if row.settled_balance is not None:
            account.settle(Decimal(row.settled_balance), is_sum_measured=row.is_sum_measured)

    def _charge_of(self, number: int, row: Row, account: Account) -> Charge | None:
        if row.kind is RowKind.UNEXPLAINED:
            drop = Charge(0, row.service, row.account, row.sent_at or row.at, ("", "", 0), first_number=number)
            drop.is_settled = drop.is_measured = True
            self.unexplained.append(drop)
            return drop
        if not row.job:
            return None
        charge = self.charges.get(row.job)
        if charge is None:
            key = shared_key(row.type, row.quality, row.seconds)
            charge = Charge(
                row.job, row.service, row.account, row.sent_at or row.at, key, row.owner, row.character,
                amount=None if row.previous_amount is None else Decimal(row.previous_amount), first_number=number,
            )  # fmt: skip
            self.charges[row.job] = charge
            if row.kind is RowKind.INTENT:
                account.begin(charge)
        return charge

    def _correct(self, charge: Charge, row: Row, account: Account) -> None:
        if row.kind not in (RowKind.PRICE, RowKind.VERDICT, RowKind.REFUND):
            charge.kind = row.kind
        if charge.kind is not RowKind.INTENT:
            account.in_flight.pop(charge.job, None)
        charge.amount = None if row.amount is None else shared_amount(row.amount)
        charge.is_measured = row.is_measured or charge.job == 0
        charge.is_refunded = charge.is_refunded or row.kind is RowKind.REFUND
        if row.kind in (RowKind.VERDICT, RowKind.CHARGED, RowKind.FREE):
            charge.verdict = row.verdict
            charge.waits_for, charge.reason = row.waits_for, row.reason
            if row.waits_for:
                self.open_verdicts[charge.job] = charge
            else:
                self.open_verdicts.pop(charge.job, None)
            charge.is_settled = charge.is_settled and row.verdict is not Verdict.UNKNOWN
            if row.verdict is Verdict.NOT_CHARGED:
                for each in charge.window:
                    each.is_settled = each.verdict is not Verdict.UNKNOWN
        elif row.verdict is not None:
            charge.verdict = row.verdict
        if charge.is_measured and charge.job and charge.amount is not None:
            account.prices.learn(charge.key, charge.amount, charge.job)

    # Events; each returns the rows to add

    def lost_intents(self, is_alive: Callable[[str], bool], now: float) -> list[Row]:
        """Return rows that mark requests in flight of ended processes as unconfirmed."""
        return [
            correction_row(charge, RowKind.UNCONFIRMED, now, self.amount_of(charge))
            for account in self._accounts.values()
            for charge in account.in_flight.values()
            if not is_alive(charge.owner)
        ]

    def outcome(
        self, charge: Charge, kind: RowKind, reading: Decimal | None, now: float, refunds: PossibleRefunds
    ) -> list[Row]:
        """Return the rows for the response to a request, or for its loss; `reading` is its balance."""
        account = self.account(charge.service, charge.account)
        amount = Decimal(0) if kind is RowKind.FREE else self.amount_of(charge)
        row = correction_row(charge, kind, now, amount, balance=to_text(reading))
        final = None if reading is None else account.settling_balance(charge, kind, reading)
        if final is None:
            return [row]
        cause = msgspec.structs.replace(charge, kind=kind, balance=charge.balance if reading is None else reading)
        return Settlement(account, final, now, refunds, cause=cause, cause_row=row).rows()

    def free_reading(self, account: Account, reading: Decimal, now: float, refunds: PossibleRefunds) -> list[Row]:
        """Return the rows for a balance read while nothing was in flight; none where it is not new."""
        if account.in_flight or (not account.since and reading == account.settled_balance):
            return []
        return Settlement(account, reading, now, refunds).rows()

    def newly_priced(self, account: Account, now: float) -> list[Row]:
        """Return rows for charges whose price has been learned since."""
        rows = []
        for charge in self.charges.values():
            if charge.amount is None and charge.account == account.name and charge.service == account.service:
                price = account.prices.estimate(charge.key)
                if price is not None and not charge.is_free and not charge.is_in_flight:
                    rows.append(correction_row(charge, RowKind.PRICE, now, price, verdict=charge.verdict))
        return rows

    def decided_verdicts(self, was_refunded: Callable[[int], bool | None], now: float) -> list[Row]:
        """Return rows for open verdicts that can be decided.

        `was_refunded` returns False for a job that has succeeded, True for one that may have been refunded, None for
        a running one.
        """
        rows = []
        for charge in self.open_verdicts.values():
            answers = {was_refunded(job) for job in charge.waits_for}
            verdict, reason = Verdict.NOT_CHARGED, charge.reason
            if True in answers:
                verdict = Verdict.UNKNOWN
                reason += " Another job failed, or its end is unknown: its refund would look the same."
            elif None in answers:
                continue
            amount = self.amount_of(charge) if verdict is Verdict.UNKNOWN else Decimal(0)
            rows.append(correction_row(charge, RowKind.VERDICT, now, amount, verdict=verdict, reason=reason))
        return rows

    # Figures

    def amount_of(self, charge: Charge) -> Decimal | None:
        """Return the cost of the charge: its own amount, or the learned price; None while unknown."""
        if charge.amount is not None or charge.is_free:
            return charge.amount or Decimal(0)
        return self.account(charge.service, charge.account).prices.estimate(charge.key)

    def charges_of(self, service: str | None = None, account: str | None = None) -> Iterator[Charge]:
        """Yield charges and unexplained drops, of one service and account where given."""
        for charge in (*self.charges.values(), *self.unexplained):
            if service in (None, charge.service) and (account is None or charge.account in ("", account)):
                yield charge

    def spending(self, charges: Iterable[Charge]) -> Spending:
        """Return the sum of the charges and of the unsettled drop of their accounts' balances."""
        priced = [(charge, self.amount_of(charge)) for charge in charges if not charge.is_free]
        unsettled: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
        for charge, amount in priced:
            key = charge.service, charge.account
            if not charge.is_settled and charge.job in self.account(*key).since:
                unsettled[key] += amount or 0
        drops = (self.account(*key).open_drop() - counted for key, counted in unsettled.items())
        unexplained = add_known(drop for drop in drops if drop > 0)

        def total(is_counted: Callable[[Charge], object]) -> Decimal:
            return add_known(amount for charge, amount in priced if is_counted(charge))

        spent = total(lambda _: True) + unexplained
        unknown = [charge for charge, amount in priced if amount is None]
        return Spending(
            spent=spent,
            low=total(lambda charge: charge.is_settled),
            high=None if unknown else spent,
            unexplained=total(lambda charge: not charge.job) + unexplained,
            unconfirmed=total(lambda charge: charge.is_in_doubt),
            unknown_count=len(unknown),
            doubtful_count=sum(charge.is_in_doubt for charge in unknown),
            recorded=add_known(charge.amount for charge, _ in priced),
        )


PAGE_SIZE = 500

NumberedRow = tuple[int, Row | None]
"""A row with its id; None for an unreadable one."""


class ChargeTable(Protocol):
    """The part of a history that holds the charges."""

    def charges(self, before: int | None = None, limit: int = 500) -> list[tuple[int, dict[str, Any]]]:
        """Return rows below an id, newest first."""


def read_rows(
    history: ChargeTable, is_enough: Callable[[list[NumberedRow]], bool] = lambda _rows: False
) -> list[NumberedRow]:
    """Return rows with ids, newest first; stop after the page with which `is_enough` is true of all rows so far."""
    rows: list[NumberedRow] = []
    while page := history.charges(rows[-1][0] if rows else None, PAGE_SIZE):
        rows += ((number, from_row_record(record)) for number, record in page)
        if is_enough(rows):
            break
    return rows


def read_ledger(history: ChargeTable, is_alive: Callable[[str], bool]) -> Ledger:
    """Return the whole ledger; requests of ended processes count as unconfirmed."""
    ledger = Ledger()
    for number, row in reversed(read_rows(history)):
        ledger.apply(number, row)
    _apply(ledger, ledger.lost_intents(is_alive, time.time()))
    return ledger


def add_unbilled_jobs(ledger: Ledger, jobs: Iterable[Job]) -> None:
    """Add jobs of older versions, in memory only."""
    _apply(ledger, rows_of_old_jobs((job for job in jobs if job.id not in ledger.charges), ""))


def _apply(ledger: Ledger, rows: Iterable[Row]) -> None:
    for row in rows:
        ledger.apply(ledger.last_number + 1, msgspec.structs.replace(row, settled_balance=None))
