"""Odd answers of the service through the whole command line: exit code, JSON and the sentence for each."""

from __future__ import annotations

import pytest

from eternal_tui.sandbox.faults import Fault, FaultPlace
from eternal_tui.sandbox.server import Sandbox
from tests.cli.program import Program

REFUSALS = [
    (Fault.REFUSED_200, 1, "Not enough credits", "insufficient credits"),
    (Fault.MODERATED_403, 1, "Content not allowed (HTTP 403)", "rejected by moderation"),
    (Fault.PROXY_403, 1, "Blocked by a proxy or firewall", "Attention Required!"),
    (Fault.FIELDS_422, 1, "Request rejected (HTTP 422)", "prompt: is too long; duration: must be from 1 to 5"),
    (Fault.DETAIL_422, 1, "Request rejected (HTTP 422)", "prompt: Field required; duration: Input should be"),
    (Fault.ECHO_KEY, 3, "API key rejected (HTTP 401)", "[hidden] is not accepted here"),
]
ENDS = [
    (Fault.CANCELLED_WORD, 1, "failed", "could not follow the prompt"),
    (Fault.MODERATED_WORD, 1, "failed", "held back by moderation"),
    (Fault.FALSE_STATUS, 1, "failed", "could not follow the prompt"),
    (Fault.PRIVATE_LINK, 1, "succeeded", "private network"),
    (Fault.OTHER_LINK_NAME, 0, "succeeded", ""),
]


@pytest.mark.parametrize(("fault", "code", "sentence", "reason"), REFUSALS)
def test_rejected_request_names_reason_and_no_charge(
    program: Program, sandbox: Sandbox, fault: Fault, code: int, sentence: str, reason: str
) -> None:
    sandbox.inject(fault, on=FaultPlace.POST, times=None)
    ran = program.run("generate", "--character", "6870", "--prompt", "x", "--json")
    (job,) = ran.json_objects
    assert (ran.code, job["state"], job["cost"]) == (code, "rejected", 0)
    for words in (sentence, "Not charged.", reason):
        assert words in job["error"]
        assert words in ran.err
    assert sandbox.charged == []
    assert sandbox.key not in "".join(map(str, program.records()))


@pytest.mark.parametrize(("fault", "code", "state", "reason"), ENDS)
def test_generate_wait_ends_with_every_kind_of_last_answer(
    program: Program, sandbox: Sandbox, fault: Fault, code: int, state: str, reason: str
) -> None:
    program.add_fast_jobs()
    sandbox.inject(fault)
    ran = program.run("generate", "--character", "6870", "--prompt", "x", "--json", "--wait")
    job = ran.json_objects[-1]
    assert (ran.code, job["state"]) == (code, state)
    assert reason in (job["error"] or "")
    assert (job["file"] is None) is (code != 0)
    assert len(sandbox.posts) == 1


@pytest.mark.parametrize("character", ["6870", "06870", "Astrid"])
def test_generate_sends_nothing_for_a_character_with_two_ages(
    program: Program, sandbox: Sandbox, character: str
) -> None:
    """Seen to fail as it was: the first of two entries counted, and 06870 was in no list."""
    sandbox.inject(Fault.MINOR_TWICE, times=None)
    assert program.run("generate", "--character", character, "--prompt", "x").code == 2
    assert sandbox.posts == []


def test_generate_without_service_is_4(program: Program) -> None:
    """Also where the list, which is asked for first, is what cannot be loaded."""
    environ = {"ETERNAL_TUI_BASE_URL": "https://service.invalid", "HTTPS_PROXY": "http://127.0.0.1:9"}
    for character in ("6870", "Astrid"):
        ran = program.run("generate", "--character", character, "--prompt", "x", environ=environ)
        assert ran.code == 4
        assert "Could not connect to the proxy http://127.0.0.1:9 (HTTPS_PROXY)" in ran.err
        assert "Nothing was sent" in ran.err
