"""Spending by the command line: several processes, accounts, deletions, kills and lost responses."""

from __future__ import annotations

import json
import re
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from eternal_tui.sandbox import state as sandbox_state
from eternal_tui.sandbox.faults import Fault, FaultPlace
from eternal_tui.sandbox.server import Sandbox
from tests.cli.program import FAST_SETTINGS, GENERATE, TIMEOUT_SECONDS, Program, a_job, threaded_sandbox, wait_until


@pytest.fixture(autouse=True)
def prices(monkeypatch: pytest.MonkeyPatch) -> dict[str, Decimal]:
    """The price of every request, which a test may change."""
    current = {"price": Decimal("0.04")}
    monkeypatch.setattr(sandbox_state, "price", lambda _order: current["price"])
    return current


@pytest.fixture
def slow(tmp_path: Path) -> Iterator[tuple[Program, Sandbox]]:
    """A program whose service answers slowly once it has the fault: long enough for all processes to start."""
    with threaded_sandbox(msgspec.structs.replace(FAST_SETTINGS, slow_seconds=5.0)) as sandbox:
        yield Program(tmp_path, sandbox.api_url, sandbox.key), sandbox


def capped(program: Program, cap: str) -> Program:
    return program.with_environ({"ETERNAL_TUI_DAILY_CAP": cap})


def taken(sandbox: Sandbox) -> Decimal:
    return Decimal(str(sandbox.settings.credits)) - sandbox.state.credits


def totals(program: Program) -> dict[str, float]:
    return one_object(program, "jobs", "--totals")


def one_object(program: Program, *arguments: str) -> dict[str, Any]:
    (found,) = program.run(*arguments).json_objects
    return found


def test_cap_and_totals_outlive_deleted_jobs(program: Program, sandbox: Sandbox) -> None:
    program = capped(program, "0.12")
    for _ in range(3):
        assert program.run(*GENERATE).code == 0
    assert program.run(*GENERATE).code == 2
    assert program.run("delete", "1", "2", "3", "--yes").code == 0
    assert program.run(*GENERATE).code == 2
    assert program.run("jobs", "--json").out == ""
    assert totals(program)["spent_today"] == totals(program)["spent_in_all"] == 0.12
    stats = one_object(program, "stats", "--json")
    assert (stats["jobs"], stats["spent"], stats["days"][-1]["spent"]) == (0, 0.12, 0.12)
    assert "0.12" in program.run("stats").out
    assert taken(sandbox) == Decimal("0.12")
    with program.open_history() as history:
        rows = [row for _, row in history.charges()]
    assert all(isinstance(row["amount"], str) for row in rows if "amount" in row)
    assert sandbox.key not in json.dumps(rows)


@pytest.mark.parametrize(("cap", "price"), [("0.7", "0.1"), ("0.06", "0.02")])
def test_cap_of_whole_prices_is_used_up(
    program: Program, sandbox: Sandbox, prices: dict[str, Decimal], cap: str, price: str
) -> None:
    prices["price"] = Decimal(price)
    program = capped(program, cap)
    codes = [program.run(*GENERATE).code for _ in range(int(Decimal(cap) / Decimal(price)) + 1)]
    assert codes == [0] * (len(codes) - 1) + [2]
    assert taken(sandbox) == Decimal(cap)


def test_processes_at_once_send_at_most_two_of_unknown_price(
    slow: tuple[Program, Sandbox], prices: dict[str, Decimal]
) -> None:
    program, sandbox = slow
    prices["price"] = Decimal("1.0")
    program = capped(program, "0.05")
    sandbox.inject(Fault.SLOW, times=None, on=FaultPlace.POST)
    with ExitStack() as stack:
        processes = [stack.enter_context(program.start_process(*GENERATE)) for _ in range(8)]
        codes = sorted(process.wait(TIMEOUT_SECONDS) for process in processes)
    assert len(sandbox.posts) == 2
    assert codes == [0, 0, *[2] * 6]
    assert totals(program)["spent_today"] in (2.0, 1.0)


def test_price_rise_under_concurrency_counts_against_the_cap(
    program: Program, sandbox: Sandbox, prices: dict[str, Decimal]
) -> None:
    for _ in range(2):
        assert program.run(*GENERATE).code == 0
    program = capped(program, "1.0")
    prices["price"] = Decimal("4.0")
    with ExitStack() as stack:
        for process in [stack.enter_context(program.start_process(*GENERATE)) for _ in range(8)]:
            process.wait(TIMEOUT_SECONDS)
    assert taken(sandbox) <= Decimal("8.08")
    assert totals(program)["spent_today"] == pytest.approx(float(taken(sandbox)), abs=0.01)
    assert program.run(*GENERATE).code == 2


def test_unexplained_drop_in_flight_is_spending(slow: tuple[Program, Sandbox], prices: dict[str, Decimal]) -> None:
    program, sandbox = slow
    for _ in range(2):
        assert program.run(*GENERATE).code == 0
    prices["price"] = Decimal("4.0")
    sandbox.inject(Fault.SLOW, times=None, on=FaultPlace.POST)
    with ExitStack() as stack:
        processes = [stack.enter_context(program.start_process(*GENERATE)) for _ in range(4)]
        wait_until(lambda: len(sandbox.posts) == 6)
        assert [process.wait(TIMEOUT_SECONDS) for process in processes] == [0] * 4
    sandbox.heal()
    stats = one_object(program, "stats", "--json")
    assert stats["spent"] == pytest.approx(16.08, abs=0.001)
    # One that starts late, on a busy machine, has its price measured.
    assert stats["days"][-1]["unexplained"] == stats["unexplained"]
    assert stats["unexplained"] in (pytest.approx(4 * 3.96), pytest.approx(3 * 3.96), pytest.approx(2 * 3.96))
    assert "unexplained" in program.run("stats").out
    assert capped(program, "17").run(*GENERATE).code == 0
    assert capped(program, "17").run(*GENERATE).code == 2


def test_accounts_are_counted_apart(program: Program, sandbox: Sandbox) -> None:
    with threaded_sandbox() as other:
        elsewhere = program.with_environ({"ETERNAL_TUI_BASE_URL": other.api_url})
        sandbox.state.credits = Decimal(1000)
        other.state.credits = Decimal("4.08")
        for _ in range(3):
            assert program.run(*GENERATE).code == 0
            assert elsewhere.run(*GENERATE).code == 0
        sandbox.inject(Fault.LOST_ANSWER, times=1)
        assert program.run(*GENERATE).code == 5
        assert elsewhere.run(*GENERATE).code == 0
        stats = one_object(program, "stats", "--json")
        assert stats["spent"] == pytest.approx(0.32)
        assert [group["spent"] for group in stats["accounts"]] == pytest.approx([0.16, 0.16])
        (printed, *_) = [group["name"] for group in stats["accounts"] if group["unconfirmed"] == 0]
        for name in (printed, printed.split()[-1][:6]):
            assert one_object(program, "stats", "--json", "--account", name)["spent"] == pytest.approx(0.16)
        lost = next(job for job in program.records() if job["state"] == "unconfirmed")
        assert lost.get("verdict") is None
        assert capped(program, "0.21").run(*GENERATE).code == 0
        assert capped(program, "0.21").run(*GENERATE).code == 2
        assert program.run("stats", "--account", "zz").code == 2


def test_killed_submit_is_unconfirmed_everywhere(program: Program, sandbox: Sandbox) -> None:
    program = capped(program, "50")
    sandbox.inject(Fault.SLOW, times=1, on=FaultPlace.POST)
    with program.start_process(*GENERATE) as process:
        wait_until(lambda: len(sandbox.posts) == 1)
        process.send_signal(signal.SIGKILL)
    sandbox.heal()
    assert json.loads(program.run("jobs", "--json").out.splitlines()[0])["state"] == "unconfirmed"
    assert one_object(program, "show", "1", "--json")["state"] == "unconfirmed"
    assert [program.run(*GENERATE).code for _ in range(5)] == [0] * 5
    assert totals(program)["spent_today"] == pytest.approx(0.24)
    assert totals(program)["unconfirmed_today"] == pytest.approx(0.04)
    assert not totals(program)["is_exact"]
    assert "~" in program.run("jobs").out.splitlines()[-1]


def test_many_requests_need_a_confirmation(program: Program, sandbox: Sandbox) -> None:
    prompts = "".join(f"Prompt {number}\n" for number in range(130))
    refused = program.run("generate", "--character", "6870", "--prompt", "-", stdin=prompts)
    assert (refused.code, len(sandbox.posts)) == (2, 0)
    assert "130" in refused.err
    assert "--yes" in refused.err
    assert program.run(*GENERATE, "--count", "3").code == 0
    assert program.run(*GENERATE, "--count", "11").code == 2
    assert program.run(*GENERATE, "--count", "11", "--yes").code == 0
    assert len(sandbox.posts) == 14


def test_dry_run_prints_the_plan_and_sends_nothing(program: Program, sandbox: Sandbox) -> None:
    assert program.run(*GENERATE, "--count", "2").code == 0
    plan = program.run(*GENERATE, "--count", "3", "--dry-run")
    assert (plan.code, len(plan.out.splitlines()), "~0.12" in plan.err) == (0, 3, True)
    objects = program.run(*GENERATE, "--count", "3", "--dry-run", "--json").json_objects
    assert [(one["prompt"], one["estimate"]) for one in objects] == [("At sea", 0.04)] * 3
    assert (len(sandbox.posts), len(program.records())) == (2, 2)


def test_max_cost_ends_what_would_cost_more(program: Program, sandbox: Sandbox) -> None:
    unknown = program.run(*GENERATE, "--count", "9", "--max-cost", "0.1")
    assert (unknown.code, "--max-cost" in unknown.err, len(sandbox.posts)) == (1, True, 2)
    for limit, code, sent in (("0.1", 2, 0), ("0", 2, 0), ("0.12", 0, 3)):
        before = len(sandbox.posts)
        assert program.run(*GENERATE, "--count", "3", f"--max-cost={limit}").code == code
        assert len(sandbox.posts) - before == sent


def test_charges_are_built_once_from_older_histories(program: Program, sandbox: Sandbox) -> None:
    for _ in range(3):
        assert program.run(*GENERATE).code == 0
    with program.open_history() as history:
        jobs = {str(job_id): {**job, "account": ""} for job_id, job in history.find_all()}
    for path in program.data_dir.glob("history*"):
        path.unlink()
    (program.data_dir / "history.json").write_text(json.dumps({"jobs": jobs}))
    assert totals(program)["spent_today"] == 0.12
    assert capped(program, "0.15").run(*GENERATE).code == 2
    assert program.run(*GENERATE).code == 0
    assert program.run("delete", "1", "2", "3", "4", "--yes").code in (0, 2)
    for _ in range(2):
        assert totals(program)["spent_today"] == pytest.approx(0.16)
        assert capped(program, "0.19").run(*GENERATE).code == 2


@pytest.mark.parametrize("balance", ["-5", '"lots"', "NaN"])
def test_invalid_balance_is_reported_and_unknown(
    program: Program, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, balance: str
) -> None:
    write = json.dumps

    def spoiled(value: object, **options: Any) -> str:
        return re.sub(r'"credits_remaining": ?[^,}]+', f'"credits_remaining": {balance}', write(value, **options))

    monkeypatch.setattr(json, "dumps", spoiled)
    program = capped(program, "1")
    results = [program.run(*GENERATE) for _ in range(3)]
    monkeypatch.undo()
    assert [result.code for result in results] == [0, 0, 2]
    assert "no amount" in results[0].err
    assert len(sandbox.posts) == 2


def test_a_killed_submit_is_judged_by_the_next_process(program: Program, sandbox: Sandbox) -> None:
    for _ in range(2):
        assert program.run(*GENERATE).code == 0
    sandbox.inject(Fault.SLOW, times=1, on=FaultPlace.POST)
    with program.start_process(*GENERATE) as process:
        wait_until(lambda: len(sandbox.charged) == 3)
        process.send_signal(signal.SIGKILL)
    sandbox.heal()
    assert program.run(*GENERATE).code == 0
    job = one_object(program, "show", "3", "--json")
    assert (job["state"], job["verdict"]) == ("unconfirmed", "probably charged")


def test_what_deleted_jobs_cost_counts_also_where_there_was_no_ledger(program: Program) -> None:
    now = time.time()
    program.add_jobs(*(a_job(created_at=now, ended_after=0.1, cost=0.04) for _ in range(3)))
    assert [program.run("delete", *ids).code for ids in (("2", "3"), ("1",))] == [0, 0]
    assert totals(program)["spent_today"] == pytest.approx(0.12)
    assert capped(program, "0.12").run(*GENERATE).code == 2
    program.run("undo")
    assert totals(program)["spent_today"] == pytest.approx(0.12)
