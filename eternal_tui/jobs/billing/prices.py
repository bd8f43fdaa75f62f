"""Money: prices learned from the credits counter, what was spent, and what became of unconfirmed submits.

The service documents no prices. It answers each paid POST with the credits left, so two consecutive answers tell
what the second one cost. Everything computed here is an estimate and is shown with the word "about".
"""

from __future__ import annotations

import statistics
from bisect import insort
from collections.abc import Sequence
from typing import NamedTuple

from eternal_tui.api.models import GenerateRequest
from eternal_tui.jobs.model import Job, Verdict

MAX_PRICES_PER_KIND = 9
"""Prices kept a kind: an odd number, so that the median is one that was really paid, and one outlier is outvoted."""

HIGH_QUALITY_FACTOR = 2.0
"""Documented: quality high costs twice as much as low."""

EPSILON_CREDITS = 1e-6
"""Differences of credits below this are floating-point dust, not money."""

ROUNDING_CREDITS = 0.005
"""Credits that count as nothing: the counter is said in hundredths, so half of one is rounding."""

PRICE_TOLERANCE_SHARE = 0.25
"""Share of a price by which a sum may miss it and still be taken for it."""

PriceKey = tuple[str, str, int]


def price_key(request: GenerateRequest) -> PriceKey:
    """Return what the price depends on, as far as the documentation tells: type, quality, seconds."""
    if request.type == "character":
        return ("character", "", 0)
    if request.type == "image":
        return ("image", request.quality or "low", 0)
    return ("video", "", request.duration or 0)


class Prices:
    """Learned prices by kind, each the median of the last few seen, with siblings standing in for unseen kinds."""

    def __init__(self) -> None:
        self._price_history: dict[PriceKey, list[tuple[int, float]]] = {}
        self._known_prices: dict[PriceKey, list[float]] = {}

    def learn(self, request: GenerateRequest, cost: float, job_id: int) -> None:
        """Remember what a job's request cost, in credits; of each kind the newest jobs count."""
        if cost <= EPSILON_CREDITS:
            return
        key = price_key(request)
        paid = self._price_history.setdefault(key, [])
        insort(paid, (job_id, cost))
        del paid[:-MAX_PRICES_PER_KIND]
        self._known_prices[key] = [price for _, price in paid]

    def estimate(self, request: GenerateRequest) -> float | None:
        """Return about what the request costs, or None when no price of its kind or a sibling is known."""
        key = price_key(request)
        if seen := self._known_prices.get(key):
            return round(statistics.median_low(seen), 6)
        if key[0] == "image":
            return self._estimate_from_other_quality(key[1])
        return self._estimate_from_other_duration(key[2]) if key[0] == "video" else None

    def lowest_price(self, request: GenerateRequest) -> float | None:
        """Return the lowest price seen of exactly this kind, None where none was."""
        return min(self._known_prices.get(price_key(request), ()), default=None)

    def _estimate_from_other_quality(self, quality: str) -> float | None:
        other = self._known_prices.get(("image", "low" if quality == "high" else "high", 0))
        if not other:
            return None
        factor = HIGH_QUALITY_FACTOR if quality == "high" else 1 / HIGH_QUALITY_FACTOR
        return round(statistics.median_low(other) * factor, 6)

    def _estimate_from_other_duration(self, seconds: int) -> float | None:
        rates = [
            statistics.median_low(seen) / key[2]
            for key, seen in self._known_prices.items()
            if key[0] == "video" and key[2] > 0
        ]
        return round(statistics.median(rates) * seconds, 6) if rates and seconds else None


class ExpectedSpend(NamedTuple):
    """What confirmed jobs cost, in credits: at the usual prices, and at the lowest ever seen of each."""

    typical: float
    minimum: float


class Judgement(NamedTuple):
    """What a later reading of the credits counter says about unconfirmed jobs, with its arithmetic in words.

    `price` is what a single one was charged, in credits, None where that is not told.
    """

    verdict: Verdict
    reason: str
    price: float | None = None


def judge(
    unconfirmed: Sequence[Job], before: float | None, after: float, expected: ExpectedSpend | None, prices: Prices
) -> Judgement:
    """Judge jobs whose answers were lost between two readings of the counter.

    `before` and `after` are the readings in credits, `expected` what the confirmed submits between them cost (0 for
    none, None when a price is not known). "Not charged" is the verdict that may cost money when it is wrong, as it
    invites to pay again: it needs every price to be known, and to hold at the lowest price seen too.
    """
    if before is None:
        return Judgement(Verdict.UNKNOWN, "The credits before this submit were not known, so nothing can be compared.")
    drop = before - after
    if expected is None:
        return Judgement(
            Verdict.UNKNOWN,
            f"Credits went from {before:.2f} to {after:.2f} with another job of unknown price in between.",
        )
    unexplained = drop - expected.typical
    sums = f"{before:.2f} before, {after:.2f} after; {expected.typical:.2f} of it explained, {unexplained:.2f} not."
    if unexplained < -ROUNDING_CREDITS:
        return Judgement(Verdict.UNKNOWN, f"{sums} The account was topped up, or the price has changed.")
    estimates = [prices.estimate(job.request) for job in unconfirmed]
    known = [price for price in estimates if price is not None]
    all_known = len(known) == len(unconfirmed)
    little = max(ROUNDING_CREDITS, PRICE_TOLERANCE_SHARE * min(known)) if all_known else ROUNDING_CREDITS
    if unexplained <= little:
        if drop - expected.minimum > little:
            return Judgement(Verdict.UNKNOWN, f"{sums} The other jobs' prices are not certain enough to tell.")
        return Judgement(Verdict.NOT_CHARGED, sums)
    if len(unconfirmed) == 1:
        return Judgement(Verdict.CHARGED, sums, round(unexplained, 6))
    if all_known and abs(unexplained - sum(known)) <= PRICE_TOLERANCE_SHARE * min(known):
        return Judgement(Verdict.CHARGED, f"{sums} That is about what all {len(unconfirmed)} together cost.")
    return Judgement(Verdict.UNKNOWN, f"{sums} That does not tell which of {len(unconfirmed)} were charged.")
