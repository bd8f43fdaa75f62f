"""What a command that submits may spend: the confirmation, `--max-cost` and `--dry-run`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING

from eternal_tui.cli.errors import UsageError
from eternal_tui.cli.output import Output, is_terminal
from eternal_tui.cli.parser import add_flag, add_option
from eternal_tui.core.formatting import format_amount, format_cost
from eternal_tui.core.sanitize import SafeText, format_safe, join_safe, sanitize
from eternal_tui.jobs.billing.charges import to_amount
from eternal_tui.jobs.errors import ConfirmationRequired
from eternal_tui.jobs.formatting import pluralize

if TYPE_CHECKING:
    from eternal_tui.cli.request_input import PlannedRequest
    from eternal_tui.jobs.engine import JobEngine
    from eternal_tui.jobs.model import Job

UNATTENDED_MAX_REQUESTS = 10
"""Requests sent without --yes where there is no terminal to ask on: small scripts need no option."""

MAX_UNKNOWN_REQUESTS = 2
"""Requests of unknown price sent under --max-cost: the second reveals what both cost."""


def add_cost_options(parser: argparse.ArgumentParser) -> None:
    """Add the options about money."""
    add_flag(parser, "--yes", "do not ask, even above confirm_count and confirm_above")
    add_option(parser, "--max-cost X", "spend at most X credits; the rest is not sent", type=_parse_credits)
    add_flag(parser, "--dry-run", "print what would be sent and its cost; send nothing")


def _parse_credits(text: str) -> Decimal:
    amount = to_amount(text.strip())
    if amount is None:
        raise argparse.ArgumentTypeError(f"{text} is not an amount of credits, such as 1.5")
    return amount


class CostLimit:
    """The limits of one run. Amounts are credits."""

    def __init__(self, engine: JobEngine, output: Output, given: argparse.Namespace) -> None:
        self._engine = engine
        self._output = output
        self._is_confirmed: bool = given.yes
        self._max_cost: Decimal | None = given.max_cost

    async def check(self, planned: Sequence[PlannedRequest]) -> None:
        """Raise UsageError or SubmitRejected where these may not be sent together; ask on a terminal."""
        requests = [one.request for one in planned]
        total = self._total(planned)
        if self._max_cost is not None and total is not None and total > self._max_cost:
            raise UsageError(
                f"{pluralize(len(planned), 'request')} would cost {format_cost(total)}, more than --max-cost "
                f"{format_amount(self._max_cost)}."
            )
        try:
            await self._engine.submitter.check(requests, confirmed=self._is_confirmed)
        except ConfirmationRequired as question:
            is_dear = question.limit is not None
            if not may_send(self._output, _question(question), count=len(planned), is_dear=is_dear):
                most = "" if is_dear else f" Without a terminal at most {UNATTENDED_MAX_REQUESTS}."
                raise UsageError(f"{question}{most} Add --yes to send it.") from None
            await self._engine.submitter.check(requests, confirmed=True)

    def refusal(self, one: PlannedRequest, jobs: Sequence[Job]) -> SafeText | None:
        """Return why --max-cost forbids the next request after these jobs."""
        if self._max_cost is None:
            return None
        spent = sum((to_amount(job.cost) or Decimal(0) for job in jobs), Decimal(0))
        price = to_amount(self._engine.billing.estimate(one.request))
        unknown = sum(job.cost is None for job in jobs)
        if spent + (price or Decimal(0)) <= self._max_cost and (price is not None or unknown < MAX_UNKNOWN_REQUESTS):
            return None
        cost = "an unknown amount" if price is None else format_amount(price, is_exact=False)
        return sanitize(
            f"--max-cost {format_amount(self._max_cost)} is reached: {format_cost(spent)} are spent and the next "
            f"request costs {cost}."
        )

    def print_plan(self, planned: Sequence[PlannedRequest], *, as_json: bool) -> None:
        """Print what would be sent, with the estimated cost."""
        for one in planned:
            request, estimate = one.request, self._engine.billing.estimate(one.request)
            if as_json:
                fields = {name: getattr(request, name) for name in request.__struct_fields__}
                self._output.print_json({**fields, "character_name": one.name, "estimate": estimate})
                continue
            kind = [request.type, request.quality or "", f"{request.duration} s" if request.duration else ""]
            self._output.print_line(
                join_safe(
                    "  ",
                    sanitize(" ".join(part for part in kind if part)),
                    sanitize(one.name or request.character),
                    sanitize(format_cost(estimate)),
                    sanitize(request.prompt),
                )
            )
        count = pluralize(len(planned), "request")
        self._output.info(sanitize(f"{count}, {format_cost(self._total(planned))}. Nothing was sent."))

    def _total(self, planned: Sequence[PlannedRequest]) -> Decimal | None:
        estimates = [to_amount(self._engine.billing.estimate(one.request)) for one in planned]
        known = [price for price in estimates if price is not None]
        return sum(known, Decimal(0)) if len(known) == len(estimates) else None


def may_send(output: Output, question: SafeText, *, count: int, is_dear: bool) -> bool:
    """Ask on a terminal, where "no" raises UsageError; without one return whether this needs no `--yes`.

    `is_dear` stands for a cost above `confirm_above`, or for an unknown one.
    """
    if is_terminal(output.stdin) and is_terminal(output.stderr):
        if not output.confirm(question):
            raise UsageError("Nothing was sent.") from None
        return True
    return not is_dear and count <= UNATTENDED_MAX_REQUESTS


def _question(error: ConfirmationRequired) -> SafeText:
    requests, price = pluralize(error.count, "request"), format_cost(error.estimate)
    return format_safe("Send {requests} ({price})?", requests=requests, price=price)
