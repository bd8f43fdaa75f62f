"""One account of one service: its balance, its prices, the charges it does not account for, their settlement."""

from __future__ import annotations

import copy
import itertools
import statistics
from bisect import insort
from decimal import Decimal

import msgspec

from eternal_tui.core.formatting import format_amount
from eternal_tui.jobs.billing.charges import (
    Charge,
    PossibleRefunds,
    PriceKey,
    Row,
    RowKind,
    add_known,
    correction_row,
    round_credits,
    to_text,
)
from eternal_tui.jobs.model import Verdict

MAX_PRICES_PER_KIND = 9
"""Prices per kind: an odd number, so that the median is a price that was paid."""

HIGH_QUALITY_FACTOR = 2
"""Documented: quality high costs twice as much as low."""

ROUNDING_CREDITS = Decimal("0.005")
"""Differences up to this are rounding: balances are reported in hundredths."""


class Prices:
    """Prices by kind, learned from consecutive balances: the API documents none.

    An estimate is the median of the newest prices; for a kind not seen yet it is derived from a related one.
    """

    def __init__(self) -> None:
        self._history: dict[PriceKey, list[tuple[int, Decimal]]] = {}

    def learn(self, key: PriceKey, cost: Decimal, job_id: int) -> None:
        """Add the cost of a job; the newest jobs of each kind count."""
        if cost <= 0:
            return
        paid = self._history.setdefault(key, [])
        insort(paid, (job_id, cost))
        del paid[:-MAX_PRICES_PER_KIND]

    def estimate(self, key: PriceKey) -> Decimal | None:
        """Return the likely cost of such a request, None while no price of its kind or a related one is known."""
        if seen := self._seen(key):
            return statistics.median_low(seen)
        if key[0] == "image":
            return self._estimate_from_other_quality(key[1])
        return self._estimate_from_other_duration(key[2]) if key[0] == "video" else None

    def lowest(self, key: PriceKey) -> Decimal:
        """Return the lowest price of exactly this kind, 0 without any."""
        return min(self._seen(key), default=Decimal(0))

    def is_stable(self, key: PriceKey) -> bool:
        """Whether all prices of exactly this kind are equal; False if there are none."""
        return len(set(self._seen(key))) == 1

    def _seen(self, key: PriceKey) -> list[Decimal]:
        return [cost for _, cost in self._history.get(key, ())]

    def _estimate_from_other_quality(self, quality: str) -> Decimal | None:
        other = self._seen(("image", "low" if quality == "high" else "high", 0))
        if not other:
            return None
        usual = statistics.median_low(other)
        return usual * HIGH_QUALITY_FACTOR if quality == "high" else usual / HIGH_QUALITY_FACTOR

    def _estimate_from_other_duration(self, seconds: int) -> Decimal | None:
        rates = [
            statistics.median_low([cost for _, cost in paid]) / key[2]
            for key, paid in self._history.items()
            if key[0] == "video" and key[2] > 0
        ]
        return (statistics.median(rates) * seconds).quantize(Decimal("0.000001")) if rates and seconds else None


class Account:
    """The balance of one account, and the charges it does not account for yet.

    `name` is the fingerprint of a key. `balance` is the newest reading, `settled_balance` the last one that accounts
    for every charge before it, None before the first; `since` holds the charges after it. `total` is the sum of all
    rows read.
    """

    def __init__(self, service: str, name: str, known: Account | None = None) -> None:
        self.service = service
        self.name = name
        self.prices: Prices = Prices() if known is None else copy.deepcopy(known.prices)
        self.balance: Decimal | None = None if known is None else known.balance
        self.settled_balance: Decimal | None = None
        self.total = Decimal(0)
        self.has_risen = False
        self.since: dict[int, Charge] = {}
        self.in_flight: dict[int, Charge] = {}

    def begin(self, charge: Charge) -> None:
        """Count the charge as in flight."""
        if self.in_flight:
            for each in (charge, *self.in_flight.values()):
                each.is_alone = False
        self.in_flight[charge.job] = self.since[charge.job] = charge

    def record_balance(self, reading: Decimal, charge: Charge | None) -> None:
        """Record a balance; of overlapping responses the lowest is the newest."""
        if self.settled_balance is not None and reading > self.settled_balance:
            self.has_risen = True
        if charge is None or (charge.is_alone and charge.job in self.since):
            self.balance = reading
        elif charge.job in self.since or self.balance is None:
            charge.balance = reading
            self.balance = min(self._overlapping_balances(reading))

    def settling_balance(self, charge: Charge, kind: RowKind, reading: Decimal) -> Decimal | None:
        """Return the balance after every charge so far, None while one in flight may be missing from it.

        Overlapping responses may arrive in another order than their charges: all of them are needed.
        """
        if charge.job not in self.since or self.in_flight.keys() - {charge.job}:
            return None
        if charge.is_alone:
            return reading
        others = [each for each in self.since.values() if not each.is_alone and each is not charge]
        is_incomplete = any(
            each.kind is RowKind.UNCONFIRMED or (each.kind is RowKind.CHARGED and each.balance is None)
            for each in others
        )
        return None if is_incomplete or kind is RowKind.UNCONFIRMED else min(self._overlapping_balances(reading))

    def settle(self, balance: Decimal, *, is_sum_measured: bool) -> None:
        """Account for every charge up to this balance; with `is_sum_measured` balances prove their sum."""
        members = [charge for charge in self.since.values() if not charge.is_in_flight]
        for charge in members:
            charge.is_settled = is_sum_measured and charge.verdict is not Verdict.UNKNOWN
            charge.window = members if charge.waits_for else ()
        self.settled_balance = self.balance = balance
        self.since = dict(self.in_flight)
        self.has_risen = False

    def open_drop(self) -> Decimal:
        """Return the drop of the balance since it was settled."""
        if self.settled_balance is None or self.balance is None:
            return Decimal(0)
        return max(Decimal(0), self.settled_balance - self.balance)

    def _overlapping_balances(self, reading: Decimal) -> list[Decimal]:
        known = [each.balance for each in self.since.values() if not each.is_alone and each.balance is not None]
        return [*known, reading]


class Settlement:
    """Compares the drop between two balances with the charges between them.

    `balance` includes every charge so far. `cause` is the charge whose response carried the balance, as it is after its
    row, which is `cause_row` and may be amended.
    """

    def __init__(
        self,
        account: Account,
        balance: Decimal,
        now: float,
        refunds: PossibleRefunds,
        *,
        cause: Charge | None = None,
        cause_row: Row | None = None,
    ) -> None:
        self._account = account
        self._balance = balance
        self._now = now
        self._refunds = refunds
        self._cause_row = cause_row
        self._rows: list[Row] = []
        members = account.since if cause is None else account.since | {cause.job: cause}
        self._billed = [charge for charge in members.values() if charge.kind is RowKind.CHARGED]
        self._lost = [charge for charge in members.values() if charge.kind is RowKind.UNCONFIRMED]

    def rows(self) -> list[Row]:
        """Return the rows to add; the last one settles the account."""
        is_sum_measured = self._compare()
        rows = ([] if self._cause_row is None else [self._cause_row]) + self._rows
        if not rows:
            rows.append(self._account_row(RowKind.BALANCE))
        text = to_text(self._balance)
        rows[-1] = msgspec.structs.replace(
            rows[-1], balance=text, settled_balance=text, is_sum_measured=is_sum_measured
        )
        return rows

    def _compare(self) -> bool:
        """Add the rows; return whether the balances prove the sum of the charges."""
        before = self._account.settled_balance
        if before is None:
            self._judge_all(Verdict.UNKNOWN, "The balance before this submit is unknown.")
            self._price_from_overlapping()
            return False
        drop = before - self._balance
        if self._lost:
            return self._judge(before, drop)
        if not self._billed:
            if drop < -ROUNDING_CREDITS:
                self._refund(-drop)
            return False
        known = [self._expected(charge) for charge in self._billed]
        rest = drop - add_known(known)
        unpriced = [charge for charge, price in zip(self._billed, known, strict=True) if price is None]
        if unpriced:
            return self._share(rest, unpriced)
        if rest < -ROUNDING_CREDITS and self._refund(-rest):
            return True
        if len(self._billed) == 1:
            if drop > 0:
                self._price(self._billed[0], drop, is_measured=True)
            return drop > 0
        if rest > ROUNDING_CREDITS:
            self._rows.append(self._account_row(RowKind.UNEXPLAINED, rest))
        return rest >= -ROUNDING_CREDITS

    def _share(self, rest: Decimal, unpriced: list[Charge]) -> bool:
        """Divide the unexplained rest among the charges of unknown price."""
        if rest <= 0:
            return False
        is_one_kind = len({charge.key for charge in unpriced}) == 1
        share = round_credits(rest / len(unpriced))
        for charge in unpriced[1:]:
            self._price(charge, share, is_measured=is_one_kind)
        self._price(unpriced[0], rest - share * (len(unpriced) - 1), is_measured=is_one_kind)
        return True

    def _price_from_overlapping(self) -> None:
        """Learn the price from overlapping responses where no balance is known before them."""
        kinds = {charge.key for charge in self._billed}
        balances = sorted(charge.balance or Decimal(0) for charge in self._billed if not charge.is_alone)
        steps = {later - earlier for earlier, later in itertools.pairwise(balances)}
        if len(kinds) == 1 and not self._lost and len(steps) == 1 and (price := steps.pop()) > 0 and balances[0] > 0:
            for charge in self._billed:
                self._price(charge, price, is_measured=True)

    # Verdicts

    def _judge(self, before: Decimal, drop: Decimal) -> bool:
        expected = [self._expected(charge) for charge in self._billed]
        was, now = format_amount(before), format_amount(self._balance)
        if None in expected:
            text = f"Credits went from {was} to {now} with another job of unknown price in between."
            return self._judge_all(Verdict.UNKNOWN, text)
        typical = add_known(expected)
        rest = drop - typical
        explained, unexplained = format_amount(typical), format_amount(rest)
        sums = f"{was} before, {now} after; {explained} of it explained, {unexplained} not."
        if rest < -ROUNDING_CREDITS or self._account.has_risen:
            if rest < -ROUNDING_CREDITS:
                self._refund(-rest)
            return self._judge_all(
                Verdict.UNKNOWN, f"{sums} The account was topped up or refunded, or the price has changed."
            )
        if rest <= ROUNDING_CREDITS:
            return self._judge_uncharged(drop, sums)
        return self._judge_charged(rest, sums)

    def _judge_charged(self, rest: Decimal, sums: str) -> bool:
        """Judge "probably charged" where the prices of the lost requests explain the rest."""
        prices = [self._account.prices.estimate(charge.key) for charge in self._lost]
        together = add_known(prices)
        # A price estimated from another kind proves nothing, and one that rose may explain any drop.
        is_seen = all(self._account.prices.lowest(charge.key) for charge in (*self._lost, *self._billed))
        if is_seen and abs(rest - together) <= ROUNDING_CREDITS:
            return self._judge_all(Verdict.CHARGED, sums)
        if prices == [None] and all(self._account.prices.is_stable(charge.key) for charge in self._billed):
            return self._judge_all(Verdict.CHARGED, sums, rest)
        if rest - together > ROUNDING_CREDITS and None not in prices:
            self._rows.append(self._account_row(RowKind.UNEXPLAINED, rest - together))
        which = "other prices are uncertain" if len(self._lost) == 1 else "the sum does not show which"
        return self._judge_all(Verdict.UNKNOWN, f"{sums} Unknown whether it was charged: {which}.")

    def _judge_uncharged(self, drop: Decimal, sums: str) -> bool:
        """Judge "probably not charged", which invites to pay again, only where nothing else explains the numbers."""
        # The price of a creation is itself what other prices left over.
        least = add_known(
            min(self._expected(charge) or Decimal(0), self._account.prices.lowest(charge.key))
            for charge in self._billed
            if charge.key[0] != "character"
        )
        if drop - least > ROUNDING_CREDITS:
            return self._judge_all(Verdict.UNKNOWN, f"{sums} The prices of the other jobs are uncertain.")
        if self._refunds.failed:
            return self._judge_all(Verdict.UNKNOWN, f"{sums} A job that failed may have been refunded.")
        if self._refunds.unfinished:
            return self._judge_all(Verdict.UNKNOWN, sums, waits_for=self._refunds.unfinished)
        return self._judge_all(Verdict.NOT_CHARGED, sums, Decimal(0))

    def _judge_all(
        self, verdict: Verdict, reason: str, amount: Decimal | None = None, waits_for: tuple[int, ...] = ()
    ) -> bool:
        for charge in self._lost:
            cost = amount if amount is not None else self._expected(charge)
            self._rows.append(
                correction_row(
                    charge, RowKind.VERDICT, self._now, cost,
                    verdict=verdict, reason=reason, waits_for=waits_for, balance=to_text(self._balance),
                )
            )  # fmt: skip
        return verdict is not Verdict.UNKNOWN

    # Rows

    def _refund(self, surplus: Decimal) -> bool:
        """Record the refund of failed jobs whose amounts explain the surplus; return whether there are any."""
        amounts = {charge: charge.amount for charge in self._refunds.failed if charge.amount}
        total = add_known(amounts.values())
        if amounts and abs(total - surplus) <= ROUNDING_CREDITS:
            refunded = list(amounts)
        else:
            refunded = [charge for charge, amount in amounts.items() if abs(amount - surplus) <= ROUNDING_CREDITS][-1:]
        for charge in refunded:
            self._rows.append(
                correction_row(charge, RowKind.REFUND, self._now, Decimal(0), verdict=charge.verdict, is_measured=True)
            )
        return bool(refunded)

    def _price(self, charge: Charge, amount: Decimal, *, is_measured: bool) -> None:
        if self._cause_row is not None and charge.job == self._cause_row.job:
            self._cause_row = msgspec.structs.replace(self._cause_row, amount=to_text(amount), is_measured=is_measured)
        else:
            row = correction_row(
                charge, RowKind.PRICE, self._now, amount, is_measured=is_measured, verdict=charge.verdict
            )
            self._rows.append(row)

    def _account_row(self, kind: RowKind, amount: Decimal | None = None) -> Row:
        return Row(
            kind=kind, at=self._now, service=self._account.service, account=self._account.name, amount=to_text(amount)
        )

    def _expected(self, charge: Charge) -> Decimal | None:
        if charge.is_measured:
            return charge.amount
        return self._account.prices.estimate(charge.key) or charge.amount
