"""The corpus of poll answers through a job: what scripts read as JSON and what the detail shows of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from eternal_tui.api import errors, parsing
from eternal_tui.api.models import GenerateRequest
from eternal_tui.core.sanitize import UntrustedText
from eternal_tui.jobs.formatting import job_to_json
from eternal_tui.jobs.model import Job, JobState, apply_poll, mark_waiting
from eternal_tui.tui.detail import render_detail
from tests.api.test_corpus import REQUEST_ID, body_of, parse, read_corpus

STATES = {"alive": "running", "succeeded": "succeeded", "failed": "failed"}


def running_job() -> Job:
    request = GenerateRequest(character="6870", prompt="At the harbour", type="image")
    return Job(id=1, request=request, created_at=1.0, state=JobState.RUNNING, request_id=REQUEST_ID, progress=30)


@pytest.mark.parametrize("row", read_corpus("polls"))
def test_poll_corpus_shows_as_json_and_as_detail(row: dict[str, Any]) -> None:
    """Progress never runs backwards, nothing raises, and a reason that was given is shown."""
    body = body_of(row)
    try:
        response = parse(parsing.parse_poll, row, paid=False, expected_id=REQUEST_ID)
    except errors.ApiError as error:
        job = mark_waiting(running_job(), error.full_message, 2.0)
    else:
        job = apply_poll(running_job(), response, 2.0, is_overdue=False)
    said = job_to_json(job, Path("/results"))
    json.dumps(said)
    assert said["state"] == STATES.get(row["outcome"], "running")
    assert said["progress"] >= 30
    reason = row.get("error", "")
    if reason:
        assert reason in (said["error"] if said["state"] == "failed" else said["trouble"])
    raw = {"last_answer": UntrustedText(body.decode())}
    shown = render_detail(job, raw, width=60, with_json=True).plain
    assert " ".join(reason.split())[:40] in " ".join(shown.split())
