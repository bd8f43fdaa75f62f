"""Why a submit did not happen: each of these is raised before anything is sent."""

from __future__ import annotations

from eternal_tui.core.formatting import format_amount, format_cost


class SubmitRejected(Exception):
    """This client declined to send. Nothing was sent or charged; the message says what to do."""


class NoApiKey(SubmitRejected):
    """There is no API key to pay with."""

    def __init__(self) -> None:
        super().__init__(
            "No API key was found, so nothing was sent. Set ETERNALAI_API_KEY or run `eternal-tui login`; "
            "`eternal-tui --demo` needs none."
        )


class CharacterNotAllowed(SubmitRejected):
    """The character is one this client does not submit."""


class ConfirmationRequired(SubmitRejected):
    """More requests than `confirm_count`, or a cost above `confirm_above` or unknown: ask, then pass `confirmed=True`.

    `limit` is the cost that is exceeded, None where only the number of requests asks.
    """

    def __init__(self, count: int, estimate: float | None, limit: float | None, confirm_count: int | None) -> None:
        what = "1 request" if count == 1 else f"{count} requests"
        price = format_cost(estimate)
        setting = (
            f"confirm_count ({confirm_count})" if limit is None else f"confirm_above ({format_amount(limit)} credits)"
        )
        super().__init__(f"This sends {what} ({price}), above {setting}. Nothing was sent.")
        self.question = f"This sends {what} ({price})."
        self.count = count
        self.estimate = estimate
        self.limit = limit


class DailyCapExceeded(SubmitRejected):
    """The submit would go past the spend cap of the day. Not even a confirmation lifts it."""

    def __init__(self, spent: float, estimate: float | None, cap: float, *, reserved: float = 0.0) -> None:
        queued = f", ~{format_amount(reserved)} are queued" if reserved else ""
        price = "an unknown amount" if estimate is None else f"~{format_amount(estimate)}"
        super().__init__(
            f"daily_cap is {format_amount(cap)} credits: ~{format_amount(spent)} are spent today{queued} and this "
            f"costs {price}. Nothing was sent. Raise daily_cap in the configuration, or wait until tomorrow."
        )
        self.spent = spent
        self.estimate = estimate
        self.cap = cap


class CapUndeterminable(DailyCapExceeded):
    """The cost of today's jobs is not known, so the cap cannot be enforced with another of unknown price."""

    def __init__(self, spent: float, unpriced: int, cap: float) -> None:
        super().__init__(spent, None, cap)
        self._unpriced = unpriced

    def __str__(self) -> str:
        return (
            f"daily_cap ({format_amount(self.cap)} credits) cannot be checked: the cost of {self._unpriced} requests "
            "of today and of this one is unknown. Nothing was sent. Remove daily_cap from the configuration to go on."
        )


class ShuttingDown(SubmitRejected):
    """The program is on its way out."""

    def __init__(self) -> None:
        super().__init__("The program is closing, so nothing was sent. Submit it again after the next start.")


class JobNotFound(LookupError):
    """No job has this id here."""

    def __init__(self, job_id: object) -> None:
        super().__init__(f"There is no job {job_id} in this history.")


class InvalidJobState(Exception):
    """The job is in a state in which this cannot be done; the sentence names both."""
