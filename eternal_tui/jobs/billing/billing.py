"""Billing: estimates, limits, the balance and what each request costs, behind one class."""

from __future__ import annotations

import re
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from eternal_tui.api.models import GenerateRequest
from eternal_tui.core.clock import StopSignal
from eternal_tui.core.sanitize import sanitize
from eternal_tui.history.errors import HistoryError
from eternal_tui.history.journal import FIRST_CHARGE_ID, Change
from eternal_tui.jobs.billing.charges import (
    Charge,
    PossibleRefunds,
    PriceKey,
    Row,
    RowKind,
    add_known,
    from_row_record,
    intent_row,
    price_key,
    rows_of_old_jobs,
    to_amount,
    to_row_record,
)
from eternal_tui.jobs.billing.ledger import PAGE_SIZE, Ledger, NumberedRow, Spending, read_ledger, read_rows
from eternal_tui.jobs.billing.statistics import RunningTotals, Totals, day_bounds
from eternal_tui.jobs.errors import CapUndeterminable, ConfirmationRequired, DailyCapExceeded
from eternal_tui.jobs.model import UNFINISHED_STATES, Job, JobState, Verdict, from_record, with_event

if TYPE_CHECKING:
    from eternal_tui.jobs.billing.accounts import Account
    from eternal_tui.jobs.context import JobContext
    from eternal_tui.jobs.ports import Record, Transaction

MAX_UNKNOWN_CHARGES = 2
"""Requests of unknown price per day under a cap: the second response reveals both prices."""

MAX_IN_FLIGHT_UNDER_CAP = 2
"""Requests of an account in flight at once under a cap: each known price may have risen."""

CAP_WAIT_SECONDS = 60.0
"""Seconds a request waits under a cap for earlier ones in flight, in any process."""

CAP_POLL_SECONDS = 0.2
"""Seconds between two checks for responses."""

REFUND_SECONDS = 86_400.0
"""Seconds within which a failed job counts as possibly refunded."""

DELETED_RUN_SECONDS = 3_600.0
"""Seconds for which a job that was deleted counts as possibly running: a multiple of the longest observed run."""

MIN_LOADED_ROWS = 1_000
"""Newest rows to read at start, at least: enough to know the prices."""

AddIntent = Callable[["Transaction", Job], int]
"""Adds the intent to a transaction and returns its id; what it raises, the submit raises."""

_BALANCE_PATTERN = r'"credits_remaining"\s*:\s*("[^"]{0,60}"?|[^,}\]\s]{1,60})'

_KINDS = {JobState.REJECTED: RowKind.FREE, JobState.QUEUED: RowKind.FREE, JobState.UNCONFIRMED: RowKind.UNCONFIRMED}


class Billing:
    """Estimates and checks the cost of requests and records charges in the ledger.

    Around a paid request: `check`, `record_intent`, `record_outcome`; after a poll: `record_free_reading`. Amounts are
    credits: decimals in the ledger, floats for frontends.
    """

    def __init__(self, context: JobContext) -> None:
        self.ledger = Ledger()
        self._context = context
        self._store = context.store
        self._history = context.ports.history
        self._clock = context.ports.clock
        self._counts = RunningTotals(context.ports.clock.time, self._store.newest_first)
        # The history's thread changes the ledger inside transactions; the event loop reads it.
        self._lock = threading.RLock()
        self._is_stale = False
        self._is_deciding = False
        self._first_number = 0
        self._outcomes: list[tuple[int, RowKind, Decimal | None]] = []
        self._today: tuple[int, float, str, Spending] | None = None
        self._reserved: Counter[PriceKey] = Counter()
        self._store.subscribe_changes(self._counts.apply_change)
        self._store.subscribe_changes(self._follow_end)

    # Figures

    def totals(self) -> Totals:
        """Return the totals of the header."""
        with self._lock:
            account, today = self._account(), self._spending_today()
            accounts = self.ledger.accounts()
            same = [each for each in accounts if each.service == account.service and each.name in ("", account.name)]
            spent_total = sum((each.total for each in same), today.spent - today.recorded)
            several = sum(bool(each.name) for each in accounts) > 1
        return msgspec.structs.replace(
            self._counts.totals(),
            credits=_to_number(account.balance),
            spent_today=float(today.spent),
            spent_total=float(spent_total),
            unexplained_today=float(today.unexplained),
            unconfirmed_today=float(today.unconfirmed),
            is_spent_exact=today.is_exact,
            account=account.name if several else "",
            is_complete=self._store.is_fully_loaded,
        )

    def estimate(self, request: GenerateRequest) -> float | None:
        """Return the likely cost of the request, None while this account has no comparable price."""
        with self._lock:
            return _to_number(self._account().prices.estimate(price_key(request)))

    def reserve(self, request: GenerateRequest, count: int) -> None:
        """Count `count` more queued requests like this one, fewer where it is negative: the cap reserves their cost."""
        with self._lock:
            self._reserved[price_key(request)] += count

    def reserved_cost(self) -> float | None:
        """Return the likely cost of what is queued, None where a price is not known."""
        with self._lock:
            prices = self._reserved_prices()
        costs = [None if price is None else price * count for price, count in prices]
        return None if None in costs else float(add_known(costs))

    def _reserved_prices(self) -> list[tuple[Decimal | None, int]]:
        prices = self._account().prices
        return [(prices.estimate(key), count) for key, count in self._reserved.items() if count]

    def today_start(self) -> float:
        """Return the start of the local day in seconds since the epoch."""
        return day_bounds(self._clock.time())[0]

    def _account(self) -> Account:
        """Return the account in use; before a key is read, the last one used at this service."""
        service, name = self._context.ports.service_name, self._context.ports.service.account
        if not name:
            used = [each.name for each in self.ledger.accounts() if each.service == service]
            name = used[-1] if used else ""
        return self.ledger.account(service, name)

    def _spending_today(self) -> Spending:
        account, begin = self._account(), self.today_start()
        if self._today is None or self._today[:3] != (self.ledger.version, begin, account.name):
            charges = self.ledger.charges_of(account.service, account.name)
            spending = self.ledger.spending(charge for charge in charges if charge.sent_at >= begin)
            self._today = (self.ledger.version, begin, account.name, spending)
        return self._today[3]

    async def read_full_ledger(self) -> Ledger:
        """Read and return the ledger with every row; `ledger` holds the newest rows only."""
        return await self._store.call_history(read_ledger, self._history, self._context.ports.registry.is_alive)

    # Before a paid request

    def check(self, requests: Sequence[GenerateRequest], *, confirmed: bool) -> None:
        """Raise DailyCapExceeded, CapUndeterminable or ConfirmationRequired if these may not be sent together."""
        policy = self._context.policy
        with self._lock:
            estimates = [self._account().prices.estimate(price_key(request)) for request in requests]
            refusal = self._cap_refusal(estimates, count_queued=True)
        if refusal is not None:
            raise refusal
        total = None if None in estimates else add_known(estimates)
        limit = to_amount(policy.confirm_above)
        is_dear = policy.confirm_above is not None and (total is None or limit is None or total > limit)
        is_many = policy.confirm_count is not None and len(requests) > policy.confirm_count
        if not confirmed and (is_dear or is_many):
            raise ConfirmationRequired(
                len(requests), _to_number(total), policy.confirm_above if is_dear else None, policy.confirm_count
            )

    def _cap_refusal(self, estimates: Sequence[Decimal | None], *, count_queued: bool) -> DailyCapExceeded | None:
        """Return why the cap forbids these, with or without what is queued; a cap that is no amount allows nothing."""
        daily_cap = self._context.policy.daily_cap
        if daily_cap is None:
            return None
        cap = to_amount(daily_cap) or Decimal(0)
        spending = self._spending_today()
        known = add_known(estimates)
        queued = self._reserved_prices() if count_queued else []
        reserved = add_known(None if price is None else price * count for price, count in queued)
        if spending.spent >= cap or spending.spent + reserved + known > cap:
            total = None if None in estimates else float(known)
            return DailyCapExceeded(float(spending.spent), total, daily_cap, reserved=float(reserved))
        # Those in doubt are counted apart: one killed process must not prevent learning the price.
        unknown = max(spending.unknown_count - spending.doubtful_count, spending.doubtful_count)
        if None in estimates and unknown >= MAX_UNKNOWN_CHARGES:
            return CapUndeterminable(float(spending.spent), spending.unknown_count, daily_cap)
        return None

    async def record_intent(self, intent: Job, add: AddIntent, stop: StopSignal) -> Job:
        """Write the intent and its charge in one transaction if the cap allows it; return the job with its id.

        Under a cap it waits while two requests of the account are in flight, over all processes. Raises
        DailyCapExceeded, HistoryError, or what `add` raises; nothing is written then.
        """
        until = self._clock.monotonic() + CAP_WAIT_SECONDS
        while True:
            job_id, refusal, in_flight = await self._store.call_with_news(self._reserve, intent, add)
            if refusal is None:
                return self._store[job_id]
            if in_flight == 0 or self._clock.monotonic() >= until:
                raise refusal
            await stop.run_until_stopped(self._clock.sleep(CAP_POLL_SECONDS))

    def _reserve(self, intent: Job, add: AddIntent) -> tuple[tuple[int, DailyCapExceeded | None, int], list[Change]]:
        """Return the job's id, or why the cap forbids it and how many requests are in flight."""
        with self._transaction() as transaction:
            account = self._account()
            estimate = account.prices.estimate(price_key(intent.request))
            refusal = self._cap_refusal([estimate], count_queued=intent.id == 0)
            in_flight = len(account.in_flight) if self._context.policy.daily_cap is not None else 0
            if refusal is None and in_flight >= MAX_IN_FLIGHT_UNDER_CAP:
                spent = float(self._spending_today().spent)
                refusal = DailyCapExceeded(spent, _to_number(estimate), self._context.policy.daily_cap or 0.0)
            if refusal is not None:
                return (0, refusal, in_flight), transaction.changes
            quiet = not account.since
            placed = msgspec.structs.replace(
                intent,
                account=account.name,
                cost=_to_number(estimate),
                credits_before=_to_number(account.settled_balance) if quiet else None,
            )
            job_id = add(transaction, placed)
            row = intent_row(msgspec.structs.replace(placed, id=job_id), account.name, estimate)
            self._write(transaction, [row])
        return (job_id, None, in_flight), transaction.changes

    # After it, and around a poll

    async def record_outcome(self, job: Job, credits_left: float | None = None) -> None:
        """Record the outcome of a request whose job has left `submitting`, and the balance of its response.

        After a disk error it is written with the next outcome, or by `flush`.
        """
        self._outcomes.append((job.id, _KINDS.get(job.state, RowKind.CHARGED), to_amount(credits_left)))
        await self.flush()

    def warn_of_unusable_balance(self, raw: str, credits_left: float | None) -> None:
        """Warn of a balance that is no amount; the cost of the request is then unknown."""
        reported = re.search(_BALANCE_PATTERN, raw)
        if reported is not None and reported[1] != "null" and to_amount(credits_left) is None:
            value = sanitize(reported[1], limit=40)
            self._context.events.warning.emit(
                f"The API reported a balance that is no amount ({value}). It is ignored; the cost is unknown."
            )

    async def flush(self) -> None:
        """Write pending outcomes and read the rows of other processes."""
        try:
            self._show(await self._store.call_with_news(self._write_outcomes))
        except HistoryError:
            return
        self._decide_verdicts()

    def _write_outcomes(self) -> tuple[list[Row], list[Change]]:
        pending = list(self._outcomes)
        if not pending:
            with self._lock:
                self._catch_up()
            return [], []
        written = self._write_events(lambda: self._outcome_events(pending))
        del self._outcomes[: len(pending)]
        return written

    def _outcome_events(self, pending: Sequence[tuple[int, RowKind, Decimal | None]]) -> Iterator[list[Row]]:
        for job_id, kind, reading in pending:
            charge = self.ledger.charges.get(job_id)
            if charge is not None:
                account, now = self.ledger.account(charge.service, charge.account), self._clock.time()
                yield self.ledger.outcome(charge, kind, reading, now, self._possible_refunds(account, charge))
                yield self.ledger.newly_priced(account, now)

    def record_free_reading(self, credits_left: float, version_at_send: int) -> None:
        """Record the balance of a poll, unless a row was added to the ledger while it was in flight."""
        reading = to_amount(credits_left)

        def events() -> Iterator[list[Row]]:
            if version_at_send == self.ledger.version:
                account, now = self._account(), self._clock.time()
                yield self.ledger.free_reading(account, reading or Decimal(0), now, self._possible_refunds(account))
                yield self.ledger.newly_priced(account, now)

        with self._lock:
            if reading is None or version_at_send != self.ledger.version:
                return
            is_new = bool(self.ledger.free_reading(self._account(), reading, self._clock.time(), PossibleRefunds()))
        if is_new:
            self._context.background.start(self._record_events(events))

    async def _record_events(self, events: Callable[[], Iterable[list[Row]]]) -> None:
        """Write the rows of events and update the jobs from them."""
        self._show(await self._store.call_with_news(self._write_events, events))

    def _write_events(self, events: Callable[[], Iterable[list[Row]]]) -> tuple[list[Row], list[Change]]:
        """Write the rows of events in one transaction; the rows of each depend on those before."""
        written: list[Row] = []
        with self._transaction() as transaction:
            for rows in events():
                self._write(transaction, rows)
                written += rows
        return written, transaction.changes

    def _possible_refunds(self, account: Account, cause: Charge | None = None) -> PossibleRefunds:
        """Return what the service may have refunded; `cause` is the request whose response carried the balance."""
        failed, unfinished, now = list[Charge](), list[int](), self._clock.time()
        for charge in self.ledger.charges_of(account.service, account.name):
            if charge is cause or charge.kind is not RowKind.CHARGED or charge.is_refunded or charge.amount == 0:
                continue
            job = self._store.get(charge.job)
            if job is None or job.state is not JobState.FAILED:
                if self._is_refundable(charge, job):
                    unfinished.append(charge.job)
            elif job.finished_at is None or job.finished_at >= now - REFUND_SECONDS:
                failed.append(charge)
        return PossibleRefunds(failed, tuple(unfinished))

    def _is_refundable(self, charge: Charge, job: Job | None) -> bool:
        age = self._clock.time() - charge.sent_at
        if job is None:
            return age < DELETED_RUN_SECONDS
        return job.state is not JobState.SUCCEEDED and (age < REFUND_SECONDS or (not job.is_ended and job.watched))

    def _was_refunded(self, job_id: int) -> bool | None:
        job = self._store.get(job_id)
        if job is None:
            return True if self._store.is_fully_loaded else None
        if job.state in UNFINISHED_STATES and job.watched:
            return None
        return job.state is not JobState.SUCCEEDED

    def _follow_end(self, old: Job | None, new: Job | None) -> None:
        if old is None or new is None or old.state is not new.state or old.watched is not new.watched:
            self._decide_verdicts()

    def _decide_verdicts(self) -> None:
        """Decide open verdicts whose jobs have ended."""
        if not self.ledger.open_verdicts or self._is_deciding:
            return
        with self._lock:
            can_decide = bool(self.ledger.decided_verdicts(self._was_refunded, 0.0))
        if can_decide:
            self._is_deciding = True
            self._context.background.start(self._write_decided_verdicts())

    async def _write_decided_verdicts(self) -> None:
        try:
            await self._record_events(lambda: [self.ledger.decided_verdicts(self._was_refunded, self._clock.time())])
        finally:
            self._is_deciding = False

    def _show(self, rows: Sequence[Row]) -> None:
        """Update the jobs from their rows."""
        for row in rows:
            if row.job not in self._store:
                continue
            if row.kind in (RowKind.VERDICT, RowKind.REFUND):
                self._context.background.start(self._store.change(row.job, partial(_corrected, row=row)))
            elif row.kind in (RowKind.PRICE, RowKind.CHARGED) and row.amount is not None:
                self._store.change_in_memory(row.job, partial(msgspec.structs.replace, cost=float(row.amount)))

    # The rows on disk

    async def load(self) -> None:
        """Read the newest rows, at least those of the day; create rows for jobs of older versions."""
        await self._store.call_history(self._load)
        begin = self.today_start()
        unbilled = [
            job for job in self._store.newest_first() if job.created_at >= begin and job.id not in self.ledger.charges
        ]
        if unbilled or not self.ledger.last_number:
            await self._store.call_history(self._migrate, unbilled)

    async def load_older(self) -> None:
        """Add the rows that `load` left unread to the totals."""
        before = self._first_number
        while before:
            page = await self._store.call_history(self._history.charges, before, PAGE_SIZE)
            with self._lock:
                for _, record in page:
                    if (row := from_row_record(record)) is not None:
                        self.ledger.account(row.service, row.account).total += row.change
                self._first_number = before = page[-1][0] if page else 0

    def _load(self) -> None:
        begin = self.today_start() - 3_600

        def is_enough(rows: list[NumberedRow]) -> bool:
            last = rows[-1][1]
            return len(rows) >= MIN_LOADED_ROWS and last is not None and last.at < begin

        rows = read_rows(self._history, is_enough)
        with self._lock:
            self._first_number = rows[-1][0] if rows else 0
            for number, row in reversed(rows):
                self.ledger.apply(number, row)

    def _migrate(self, unbilled: Sequence[Job]) -> None:
        """Create charges for jobs without any: for all if there is no charge at all, else for those of the day."""
        service = self._context.ports.service_name
        with self._transaction() as transaction:
            if self.ledger.last_number:
                pages: Iterable[Iterable[Job]] = [[job for job in unbilled if job.id not in self.ledger.charges]]
            else:
                pages = map(_valid_jobs, self._history.iter_pages())
            rows = (row for page in pages for row in rows_of_old_jobs(page, service))
            self._write(transaction, sorted(rows, key=lambda row: row.job))
        self._is_stale = True
        with self._lock:
            self._catch_up()

    @contextmanager
    def _transaction(self) -> Iterator[Transaction]:
        """Hold the history's lock with every row applied; after an error the ledger is read again."""
        try:
            with self._history.transaction(keep_concurrent=True) as transaction, self._lock:
                self._catch_up()
                is_alive = self._context.ports.registry.is_alive
                self._write(transaction, self.ledger.lost_intents(is_alive, self._clock.time()))
                yield transaction
        except BaseException:
            self._is_stale = True
            raise

    def _catch_up(self) -> None:
        """Apply the rows that other processes added."""
        if self._is_stale:
            self.ledger, self._is_stale, self._first_number = Ledger(), False, 0
            self._load()
            return
        known = max(self.ledger.last_number, FIRST_CHARGE_ID - 1)
        if self._history.last_charge_id <= known:
            return
        for number, row in reversed(read_rows(self._history, lambda rows: rows[-1][0] <= known)):
            self.ledger.apply(number, row)

    def _write(self, transaction: Transaction, rows: Iterable[Row]) -> None:
        for row in rows:
            self.ledger.apply(transaction.add_charge(to_row_record(row)), row)


def _valid_jobs(page: Iterable[tuple[int, Record]]) -> Iterator[Job]:
    for job_id, record in page:
        with suppress(msgspec.ValidationError):
            yield from_record(job_id, record)


def _corrected(job: Job, *, row: Row) -> Job:
    """Return the job with the verdict or the refund of a row; unchanged if its response arrived meanwhile."""
    cost = None if row.amount is None else float(row.amount)
    if row.kind is RowKind.REFUND:
        return with_event(msgspec.structs.replace(job, cost=cost), row.at, "refund seen")
    if job.state is not JobState.UNCONFIRMED:
        return job
    note = " Unknown until the jobs that were running have ended: a failed one may be refunded."
    return msgspec.structs.replace(
        job,
        verdict=None if row.waits_for else row.verdict,
        verdict_reason=row.reason + (note if row.waits_for else ""),
        credits_after=float(row.balance) if row.balance is not None else job.credits_after,
        cost=job.cost if row.verdict is Verdict.NOT_CHARGED else cost,
    )


def _to_number(amount: Decimal | None) -> float | None:
    return None if amount is None else float(amount)
