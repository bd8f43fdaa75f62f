"""Answers and the outcome each must have: documented, seen in public clients, plausible, and hostile ones.

`corpus/` has one JSON object a line: `json` or `text` is the body, `status` the HTTP status where it is not 200.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest

from eternal_tui.api import errors, parsing

T = TypeVar("T")

REQUEST_ID = "4860079c-90c2-4a96-b715-d521712ce21d"


def read_corpus(name: str) -> list[Any]:
    lines = (Path(__file__).parent / "corpus" / f"{name}.jsonl").read_text().splitlines()
    return [pytest.param(json.loads(line), id=f"{name}-{number}") for number, line in enumerate(lines, 1)]


def body_of(row: dict[str, Any]) -> bytes:
    return (row["text"] if "text" in row else json.dumps(row["json"])).encode()


def parse(parser: Callable[..., T], row: dict[str, Any], *, paid: bool, **options: str) -> T:
    """Return the response, as the client does."""
    if not 200 <= (status := row.get("status", 200)) <= 299:
        raise errors.error_from_response(status, {}, body_of(row), paid=paid)
    return parser(body_of(row), **options)


@pytest.mark.parametrize("row", read_corpus("errors"))
def test_error_corpus_gives_its_kind_and_reason(row: dict[str, Any]) -> None:
    error = errors.error_from_response(row["status"], {}, body_of(row), paid=True)
    assert (type(error).__name__, error.service_message) == (row["kind"], row.get("reason", ""))


@pytest.mark.parametrize("row", read_corpus("submits"))
def test_submit_corpus_gives_its_request_id_or_error(row: dict[str, Any]) -> None:
    if row["kind"] == "accepted":
        assert parse(parsing.parse_submit, row, paid=True).request_id == row["request_id"]
        return
    with pytest.raises(getattr(errors, row["kind"])) as caught:
        parse(parsing.parse_submit, row, paid=True)
    assert (type(caught.value).__name__, caught.value.service_message) == (row["kind"], row.get("reason", ""))
    assert ("may have been charged" in str(caught.value)) == isinstance(caught.value, errors.OutcomeUnknown)


@pytest.mark.parametrize("row", read_corpus("polls"))
def test_poll_corpus_gives_its_outcome(row: dict[str, Any]) -> None:
    if row["outcome"] not in ("alive", "succeeded", "failed"):
        with pytest.raises(errors.ApiError) as caught:
            parse(parsing.parse_poll, row, paid=False, expected_id=REQUEST_ID)
        assert type(caught.value).__name__ == row["outcome"]
        return
    answer = parse(parsing.parse_poll, row, paid=False, expected_id=REQUEST_ID)
    assert (answer.outcome, answer.ending, answer.result_url) == (row["outcome"], row.get("ending", ""), row.get("url"))
    if answer.ending != "success":
        assert answer.error == row.get("error", "")
    for name, value in (
        ("progress", answer.progress),
        ("encrypted", answer.encrypted),
        ("unusable", answer.unusable_link),
    ):
        assert row.get(name, value) == value


def test_corpus_holds_as_many_rows_as_it_promises() -> None:
    assert len(read_corpus("errors")) >= 60
    assert len(read_corpus("errors") + read_corpus("submits") + read_corpus("polls")) >= 200
