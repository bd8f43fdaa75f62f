"""The settings the desk obeys."""

from __future__ import annotations

import msgspec


class JobPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """The settings the desk obeys: credits for money, seconds for time. None means no limit."""

    daily_cap: float | None = None
    confirm_above: float | None = None
    confirm_count: int | None = None
    workers: int = 4
    requests_per_second: float = 10.0
    max_running: int = 0
    queue_round_robin: bool = False
    stall_after_seconds: float = 1800.0
