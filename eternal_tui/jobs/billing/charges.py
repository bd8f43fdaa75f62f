"""Rows of the table `charges`, and the charge that the rows of one paid request sum to.

The table is append-only. The first row of a request is its intent; later ones correct it: the response, a price, a
verdict, a refund. A drop of the balance that no request explains is a row of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from functools import lru_cache
from typing import Any, NamedTuple

import msgspec

from eternal_tui.api.models import GenerateRequest
from eternal_tui.jobs.model import Job, JobState, Verdict

MAX_CREDITS = Decimal(10**9)
"""Larger balances are ignored: a million times a usual one."""

SMALLEST_CREDITS = Decimal("0.000001")
"""Amounts are rounded to this: services that compute in binary fractions report 629.3199999999999."""


_AMOUNT_PATTERN = r"[0-9]{1,12}(\.[0-9]{1,12})?"


PriceKey = tuple[str, str, int]


def price_key(request: GenerateRequest) -> PriceKey:
    """Return the values on which the price depends by the documentation: type, quality, seconds."""
    if request.type == "character":
        return ("character", "", 0)
    if request.type == "image":
        return ("image", request.quality or "low", 0)
    return ("video", "", request.duration or 0)


def to_amount(value: object) -> Decimal | None:
    """Return credits as a decimal, None for what is no usable amount: no number, negative, not finite, too large."""
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        return None
    try:
        amount = Decimal(str(value))
    except InvalidOperation:
        return None
    return round_credits(amount) if amount.is_finite() and 0 <= amount <= MAX_CREDITS else None


def round_credits(amount: Decimal) -> Decimal:
    """Return the amount in whole millionths, without trailing zeros."""
    rounded = amount.quantize(SMALLEST_CREDITS).normalize()
    return rounded or Decimal(0)


def add_known(amounts: Iterable[Decimal | None]) -> Decimal:
    """Return the sum of those amounts that are known."""
    return sum((amount for amount in amounts if amount is not None), Decimal(0))


def to_text(amount: Decimal | None) -> str | None:
    """Return the amount as written to disk."""
    return None if amount is None else format(amount, "f")


class RowKind(StrEnum):
    """Kinds of rows."""

    INTENT = "intent"
    CHARGED = "charged"
    FREE = "free"
    UNCONFIRMED = "unconfirmed"
    PRICE = "price"
    VERDICT = "verdict"
    REFUND = "refund"
    UNEXPLAINED = "unexplained"
    BALANCE = "balance"


_RECORD_NAMES = {
    "sent_at": "sent",
    "previous_amount": "was",
    "is_measured": "measured",
    "settled_balance": "settled",
    "is_sum_measured": "is_told",
}
"""Fields under the names that rows on disk have had since their first version."""


class Row(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False, rename=_RECORD_NAMES):
    """One row. Amounts are credits as decimal text, `at` and `sent_at` are seconds since the epoch.

    `job` is the id of the request, 0 where the row is about none. `amount` is the cost of the request from this row
    on, None while unknown, and `previous_amount` its cost before; with `is_measured` two balances prove it. `balance`
    is the reading that came with the row. `settled_balance` is the balance that every charge so far is accounted for
    in; with `is_sum_measured` balances prove the sum of these charges. `waits_for` are jobs that may still fail and be
    refunded: the verdict is open until they have ended.
    """

    kind: RowKind
    at: float
    job: int = 0
    sent_at: float = 0.0
    service: str = ""
    account: str = ""
    owner: str = ""
    type: str = ""
    quality: str = ""
    seconds: int = 0
    character: str = ""
    amount: str | None = None
    previous_amount: str | None = None
    is_measured: bool = False
    verdict: Verdict | None = None
    balance: str | None = None
    settled_balance: str | None = None
    is_sum_measured: bool = False
    reason: str = ""
    waits_for: tuple[int, ...] = ()

    @property
    def change(self) -> Decimal:
        """The row's contribution to the sum of all amounts."""
        return Decimal(self.amount or 0) - Decimal(self.previous_amount or 0)


def to_row_record(row: Row) -> dict[str, Any]:
    """Return the row as a JSON object."""
    record: dict[str, Any] = msgspec.to_builtins(row)
    return record


def from_row_record(record: dict[str, Any]) -> Row | None:
    """Return the row of a record, None for an invalid one."""
    try:
        row = msgspec.convert(record, Row)
    except msgspec.ValidationError:
        return None
    texts = (row.amount, row.previous_amount, row.balance, row.settled_balance)
    return None if any(text is not None and not re.fullmatch(_AMOUNT_PATTERN, text) for text in texts) else row


class Charge(msgspec.Struct, eq=False):
    """The sum of the rows of one paid request, or, with `job` 0, of an unexplained drop of the balance.

    `is_alone` is whether no other request of the account was in flight at the same time. `is_settled` is whether
    balances prove the sum that it is part of. `waits_for` and `reason` are those of a row with an open verdict,
    `window` the charges settled with it. `first_number` is the id of its first row.
    """

    job: int
    service: str
    account: str
    sent_at: float
    key: PriceKey
    owner: str = ""
    character: str = ""
    kind: RowKind = RowKind.INTENT
    amount: Decimal | None = None
    is_measured: bool = False
    is_settled: bool = False
    is_alone: bool = True
    verdict: Verdict | None = None
    balance: Decimal | None = None
    is_refunded: bool = False
    first_number: int = 0
    waits_for: tuple[int, ...] = ()
    window: Sequence[Charge] = ()
    reason: str = ""

    @property
    def is_free(self) -> bool:
        """Whether it certainly or probably cost nothing."""
        return self.kind is RowKind.FREE or self.verdict is Verdict.NOT_CHARGED

    @property
    def is_in_doubt(self) -> bool:
        """Whether it may or may not have been charged."""
        return self.kind is RowKind.UNCONFIRMED and self.verdict is not Verdict.NOT_CHARGED

    @property
    def is_in_flight(self) -> bool:
        """Whether no response, and no loss of one, is recorded yet."""
        return self.kind is RowKind.INTENT


class PossibleRefunds(NamedTuple):
    """Charges of failed jobs, and ids of jobs that may still fail: the service may have refunded them."""

    failed: Sequence[Charge] = ()
    unfinished: tuple[int, ...] = ()


def intent_row(job: Job, account: str, estimate: Decimal | None) -> Row:
    """Return the first row of a request, written in the transaction of its job."""
    _, quality, seconds = price_key(job.request)
    return Row(
        kind=RowKind.INTENT,
        at=job.created_at,
        job=job.id,
        sent_at=job.created_at,
        service=job.service,
        account=account,
        owner=job.owner,
        type=job.request.type,
        quality=quality,
        seconds=seconds,
        character=job.request.character,
        amount=to_text(estimate),
    )


def correction_row(charge: Charge, kind: RowKind, at: float, amount: Decimal | None, **changes: Any) -> Row:
    """Return a row that corrects the charge."""
    return Row(
        kind=kind,
        at=at,
        job=charge.job,
        sent_at=charge.sent_at,
        service=charge.service,
        account=charge.account,
        amount=to_text(amount),
        previous_amount=to_text(charge.amount),
        **changes,
    )


def is_cost_measured(job: Job) -> bool:
    """Whether the job's cost is the difference of the balances before and after, not an estimate."""
    before, after, cost = (to_amount(value) for value in (job.credits_before, job.credits_after, job.cost))
    return None not in (before, after, cost) and before - after == cost  # type: ignore[operator]


def rows_of_old_jobs(jobs: Iterable[Job], service: str) -> Iterator[Row]:
    """Yield one row for each job of a version without charges, oldest first; their account is unknown.

    `service` is used for jobs that record none.
    """
    for job in sorted(jobs, key=lambda job: job.id):
        if job.state is JobState.QUEUED:
            continue
        free = job.state is JobState.REJECTED or job.verdict is Verdict.NOT_CHARGED
        # A submit of an older version adds no row when it ends.
        in_doubt = job.state in (JobState.SUBMITTING, JobState.UNCONFIRMED)
        kind = RowKind.UNCONFIRMED if in_doubt else RowKind.CHARGED
        yield msgspec.structs.replace(
            intent_row(job, job.account, Decimal(0) if free else to_amount(job.cost)),
            service=job.service or service,
            kind=RowKind.FREE if job.state is JobState.REJECTED else kind,
            is_measured=is_cost_measured(job),
            verdict=job.verdict,
            balance=to_text(to_amount(job.credits_after)) if kind is RowKind.CHARGED else None,
        )


@lru_cache(256)
def shared_key(type: str, quality: str, seconds: int) -> PriceKey:  # noqa: A002 - the record's own name
    """Return the same tuple for equal keys: a long run has few of them and thousands of charges."""
    return (type, quality, seconds)


@lru_cache(1024)
def shared_amount(text: str) -> Decimal:
    """Return the same decimal for equal texts, 104 bytes each."""
    return Decimal(text)
