"""The header at every width: exactly filled, and the least important first to go."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from eternal_tui.jobs.billing.statistics import Totals
from eternal_tui.jobs.submit.queue import QueueSummary
from eternal_tui.tui.widgets.header import header_line

TOTALS = Totals(
    running=3, unconfirmed=1, done_today=12, failed_today=2, credits=1_629.32, spent_today=0.42, spent_total=31.5
)
QUEUE = QueueSummary(count=12, cost=0.48, seconds=530.0)
evolve = msgspec.structs.replace


def header_text(width: int, totals: Totals | None = TOTALS, **how: Any) -> str:
    return header_line(width, totals, **how).plain


@pytest.mark.parametrize(
    ("width", "changes", "options", "shown", "hidden"),
    [
        (170, {}, {"demo": True}, ["eternal-tui", "DEMO · nothing is charged", "1 unconfirmed", "3 running",
         "2 failed today", "12 done today", "1,629.32 credits", "−0.42 today · −31.50 total"], []),
        (140, {"is_complete": False}, {}, ["credits"], ["total"]),
        (170, {"is_spent_exact": False, "unexplained_today": 0.08, "account": "ab12cd34"}, {},
         ["1,629.32 credits (ab12)  ~0.42 today · 0.08 unexplained · ~31.50 total"], []),
        (40, {}, {"demo": True}, ["DEMO"], []),
        (60, {}, {}, ["1 unconfirmed", "credits"], ["done today"]),
        (80, {"sending": 1}, {"other_host": "127.0.0.1"}, ["1 sending"], []),
        (120, {}, {"other_host": "evil.example\x1b[2J"}, ["sends to evil.example"], ["\x1b"]),
        (110, {}, {"queue": QUEUE}, ["1 unconfirmed · 12 queued · ~0.48 · done in ~9 min · 3 running"], []),
        (60, {}, {"queue": evolve(QUEUE, held=12, is_held=True)}, ["12 queued (held)"], ["running"]),
        (110, {}, {"queue": evolve(QUEUE, held=5, cost=None)}, ["12 queued (5 held) · price unknown · ~9 min"], []),
        (80, {}, {"queue": evolve(QUEUE, pause_seconds=23.4)}, ["12 queued (continues in 24 s)"], []),
        (80, {}, {"queue": QueueSummary(is_held=True)}, ["queue held"], ["0 queued"]),
    ],
    ids=["whole", "still loading", "not exact", "demo at 40", "60", "sending", "other host",
         "queued", "held", "partly held", "paused", "held and empty"],
)  # fmt: skip
def test_what_matters_most_is_shown(
    width: int, changes: dict[str, Any], options: dict[str, Any], shown: list[str], hidden: list[str]
) -> None:
    line = header_text(width, msgspec.structs.replace(TOTALS, **changes), **options)
    assert all(part in line for part in shown), line
    assert not any(part in line for part in hidden), line


@given(st.integers(30, 220), st.booleans(), st.text(max_size=80), st.sampled_from([None, TOTALS, Totals()]))
def test_the_line_is_exactly_as_wide_as_asked(width: int, demo: bool, host: str, totals: Totals | None) -> None:
    assert cell_len(header_text(width, totals, demo=demo, other_host=host)) == max(width, 13)
