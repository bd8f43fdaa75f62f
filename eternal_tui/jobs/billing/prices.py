"""Prices of one account, learned from its balances: the service documents none.

Two consecutive balances tell what the request between them cost. Everything computed here is an estimate.
"""

from __future__ import annotations

import statistics
from bisect import insort
from decimal import Decimal

from eternal_tui.api.models import GenerateRequest

MAX_PRICES_PER_KIND = 9
"""Prices kept a kind: an odd number, so that the median is one that was really paid, and one outlier is outvoted."""

HIGH_QUALITY_FACTOR = 2
"""Documented: quality high costs twice as much as low."""

PriceKey = tuple[str, str, int]


def price_key(request: GenerateRequest) -> PriceKey:
    """Return what the price depends on, as far as the documentation tells: type, quality, seconds."""
    if request.type == "character":
        return ("character", "", 0)
    if request.type == "image":
        return ("image", request.quality or "low", 0)
    return ("video", "", request.duration or 0)


class Prices:
    """Learned prices by kind, each the median of the newest; a sibling's stands in for a kind not yet seen."""

    def __init__(self) -> None:
        self._history: dict[PriceKey, list[tuple[int, Decimal]]] = {}

    def learn(self, key: PriceKey, cost: Decimal, job_id: int) -> None:
        """Remember what a job cost; of each kind the newest jobs count."""
        if cost <= 0:
            return
        paid = self._history.setdefault(key, [])
        insort(paid, (job_id, cost))
        del paid[:-MAX_PRICES_PER_KIND]

    def estimate(self, key: PriceKey) -> Decimal | None:
        """Return the likely cost of such a request, None while no price of its kind or a sibling is known."""
        if seen := self._seen(key):
            return statistics.median_low(seen)
        if key[0] == "image":
            return self._estimate_from_other_quality(key[1])
        return self._estimate_from_other_duration(key[2]) if key[0] == "video" else None

    def lowest(self, key: PriceKey) -> Decimal:
        """Return the lowest price seen of exactly this kind, 0 where none was."""
        return min(self._seen(key), default=Decimal(0))

    def is_stable(self, key: PriceKey) -> bool:
        """Whether every price seen of exactly this kind is the same; False where none was."""
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
