"""One account of one service: its balance, its learned prices, and the charges its balance does not account for yet."""

from __future__ import annotations

import copy
import statistics
from bisect import insort
from decimal import Decimal

from eternal_tui.jobs.billing.charges import Charge, PriceKey, RowKind
from eternal_tui.jobs.model import Verdict

MAX_PRICES_PER_KIND = 9
"""Prices per kind: an odd number, so that the median is a price that was paid."""

HIGH_QUALITY_FACTOR = 2
"""Documented: quality high costs twice as much as low."""


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
        """Whether all prices of exactly this kind are equal; False without any."""
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
