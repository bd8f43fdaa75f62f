"""Settlement of an account: compares two balances with the charges between them."""

from __future__ import annotations

import itertools
from decimal import Decimal

import msgspec

from eternal_tui.core.formatting import format_amount
from eternal_tui.jobs.billing.accounts import Account
from eternal_tui.jobs.billing.charges import (
    Charge,
    PossibleRefunds,
    Row,
    RowKind,
    correction_row,
    round_credits,
    to_text,
)
from eternal_tui.jobs.model import Verdict

ROUNDING_CREDITS = Decimal("0.005")
"""Differences up to this are rounding: balances are reported in hundredths."""


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
        rest = drop - sum((price for price in known if price is not None), Decimal(0))
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
        if rest <= ROUNDING_CREDITS and rest <= 0:
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
        known = [price for price in expected if price is not None]
        was, now = format_amount(before), format_amount(self._balance)
        if len(known) < len(expected):
            text = f"Credits went from {was} to {now} with another job of unknown price in between."
            return self._judge_all(Verdict.UNKNOWN, text)
        typical = sum(known, Decimal(0))
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
        together = sum((price for price in prices if price is not None), Decimal(0))
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
        least = sum(
            (
                min(self._expected(charge) or Decimal(0), self._account.prices.lowest(charge.key))
                for charge in self._billed
                if charge.key[0] != "character"
            ),
            Decimal(0),
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
        total = sum(amounts.values(), Decimal(0))
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
            kind=kind,
            at=self._now,
            service=self._account.service,
            account=self._account.name,
            amount=to_text(amount),
        )

    def _expected(self, charge: Charge) -> Decimal | None:
        if charge.is_measured:
            return charge.amount
        return self._account.prices.estimate(charge.key) or charge.amount
