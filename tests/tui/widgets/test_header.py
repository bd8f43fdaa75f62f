"""The header at every width: exactly filled, and the least important first to go."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from textual.app import App, ComposeResult
from textual.geometry import Region

from eternal_tui.jobs.billing.statistics import Totals
from eternal_tui.tui.terminal.glyphs import ASCII
from eternal_tui.tui.widgets.header import HeaderLine, header_line

TOTALS = Totals(
    running=3, unconfirmed=1, done_today=12, failed_today=2, credits=1_629.32, spent_today=0.42, spent_total=31.5
)


def header_text(width: int, totals: Totals | None = TOTALS, **how: object) -> str:
    return "".join(cell.text for cell in header_line(width, totals, **how))  # type: ignore[arg-type]


def test_everything_is_said_where_there_is_room() -> None:
    line = header_text(170, demo=True)
    for part in (
        "eternal-tui", "DEMO · nothing is charged", "1 unconfirmed", "3 running", "2 failed today",
        "12 done today", "1,629.32 credits", "−0.42 today · −31.50 total",
    ):  # fmt: skip
        assert part in line


def test_what_was_spent_in_all_is_said_once_every_job_is_counted() -> None:
    """Seen to fail with the sum of the jobs read so far."""
    assert "total" not in header_text(140, msgspec.structs.replace(TOTALS, is_complete=False))


def test_money_that_is_not_sure_is_said_to_be() -> None:
    """Seen to fail with an estimate written like a sum of balances."""
    unsure = msgspec.structs.replace(TOTALS, is_spent_exact=False, unexplained_today=0.08, account="ab12cd34")
    assert "1,629.32 credits (ab12)  ~0.42 today · 0.08 unexplained · ~31.50 total" in header_text(170, unsure)


def test_narrow_lines_keep_what_is_about_money() -> None:
    assert "DEMO" in header_text(40, demo=True)
    line = header_text(60)
    assert "1 unconfirmed" in line
    assert "credits" in line
    assert "done today" not in line


def test_a_request_on_its_way_is_said() -> None:
    """Seen to fail as it was: at 80 columns the form covers the list, and a send without an answer showed nothing."""
    line = header_text(80, msgspec.structs.replace(TOTALS, sending=1), other_host="127.0.0.1")
    assert "1 sending" in line


def test_another_host_is_named_and_made_safe() -> None:
    line = header_text(120, other_host="evil.example\x1b[2J")
    assert "sends to evil.example" in line
    assert "\x1b" not in line


def test_ascii_terminals_get_ascii() -> None:
    assert header_text(140, demo=True, other_host="bücher.example", glyphs=ASCII).isascii()


@given(st.integers(1, 220), st.booleans(), st.text(max_size=80), st.sampled_from([None, TOTALS, Totals()]))
def test_the_line_is_exactly_as_wide_as_asked(width: int, demo: bool, host: str, totals: Totals | None) -> None:
    assert cell_len(header_text(width, totals, demo=demo, other_host=host)) == width


class HeaderApp(App[None]):
    def compose(self) -> ComposeResult:
        yield CountingHeader(demo=True)


class CountingHeader(HeaderLine):
    """Writes down what it was asked to repaint."""

    repainted_regions: list[Region]

    def refresh(self, *regions: Region, **how: bool) -> CountingHeader:
        self.repainted_regions = [*getattr(self, "repainted_regions", []), *regions]
        super().refresh(*regions, **how)
        return self


async def test_only_what_changed_is_repainted() -> None:
    """Seen to fail with a bare refresh() in show."""
    app = HeaderApp()
    async with app.run_test(size=(140, 3)) as pilot:
        header = app.query_one(CountingHeader)
        header.set_totals(TOTALS)
        await pilot.pause()
        header.repainted_regions.clear()
        header.set_totals(msgspec.structs.replace(TOTALS, running=4))
        assert [region.width for region in header.repainted_regions] == [1]
        await pilot.pause()
        header.repainted_regions.clear()
        header.set_totals(msgspec.structs.replace(TOTALS, running=4, waiting=9))
        assert not header.repainted_regions


@pytest.mark.parametrize("width", [40, 80, 140])
def test_no_totals_yet_is_no_figures(width: int) -> None:
    assert "credits" not in header_text(width, None)
