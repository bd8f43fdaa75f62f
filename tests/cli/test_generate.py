"""`generate` against a real service on loopback: requests, output, records and exit codes."""

from __future__ import annotations

import json
import socket
import time
from pathlib import Path

import pytest

from eternal_tui.sandbox.faults import Fault, FaultPlace
from eternal_tui.sandbox.server import Sandbox
from tests.cli.program import GENERATE, Program, a_job, json_server
from tests.known_characters import write_character_list


def sent_bodies(sandbox: Sandbox) -> list[dict[str, object]]:
    return [json.loads(call.body) for call in sandbox.posts]


def test_it_ends_once_the_id_is_on_disk(program: Program, sandbox: Sandbox) -> None:
    ran = program.run(*GENERATE)
    (request_id,) = sandbox.charged
    assert (ran.code, ran.out, ran.err) == (0, f"job 1 · running · {request_id}\n", "")
    assert sent_bodies(sandbox) == [{"images": ["6870"], "prompt": "At sea", "type": "image"}]
    assert [record["request_id"] for record in program.records()] == [request_id]
    (job,) = program.run(*GENERATE, "--json").json_objects
    assert (job["state"], job["request_id"], job["character"]) == ("running", sandbox.charged[1], "6870")
    assert (job["file"], job["error"], job["finished_at"], job["created_at"][-1]) == (None, None, None, "Z")
    assert job["credits_remaining"] == pytest.approx(sandbox.credits)


def test_options_prompts_and_names_are_sent_as_documented(program: Program, sandbox: Sandbox) -> None:
    assert program.run(*GENERATE, "--type", "video", "--duration", "2", "--no-audio").code == 0
    assert sent_bodies(sandbox) == [
        {"images": ["6870"], "prompt": "At sea", "type": "video", "duration": 2, "audio": False}
    ]
    ran = program.run("generate", "--character", "astrid", "--json", stdin="At sea\r\n\n  \nIn snow, – ü\n")
    assert [(job["character"], job["name"]) for job in ran.json_objects] == [("6870", "Astrid")] * 2
    assert [body["prompt"] for body in sent_bodies(sandbox)[1:]] == ["At sea", "In snow, – ü"]


def test_a_character_listed_as_under_18_is_not_submitted(program: Program, sandbox: Sandbox) -> None:
    minor = str(6870 + 3 * 23)
    assert [program.run("generate", "--character", each, "--prompt", "x").code for each in (minor, "Pip")] == [2, 2]
    assert sandbox.posts == []


def test_an_id_without_list_needs_a_list_of_the_last_30_days(program: Program, sandbox: Sandbox) -> None:
    sandbox.inject(Fault.HTML_502, on=FaultPlace.LIST, times=None)
    refused = program.run(*GENERATE)
    assert (refused.code, sandbox.posts) == (2, [])
    assert "Could not load the character list to check the age of character 6870: " in refused.err
    named = program.run("generate", "--character", "Astrid", "--prompt", "x")
    assert (named.code, "Use an ID" in named.err, sandbox.posts) == (2, True, [])
    write_character_list(program.data_dir, sandbox.api_url, "6870", days_old=3)
    sent = program.run(*GENERATE)
    assert (sent.code, len(sandbox.posts)) == (0, 1)
    assert "cached 3 days ago shows 6870 as an adult" in sent.err


def test_wait_saves_a_verified_file(program: Program, sandbox: Sandbox) -> None:
    program.add_fast_jobs()
    ran = program.run(*GENERATE, "--wait", "--json")
    (job,) = ran.json_objects
    assert (ran.code, job["state"], job["file_state"], job["progress"]) == (0, "succeeded", "saved", 100)
    assert Path(job["file"]).read_bytes().startswith(b"\xff\xd8\xff")
    assert job["finished_at"].endswith("Z")
    assert len(sandbox.posts) == 1


ENDS = [
    (Fault.FAILED, 1, "failed", ""),
    (Fault.CANCELLED_WORD, 1, "failed", "could not follow the prompt"),
    (Fault.MODERATED_WORD, 1, "failed", "held back by moderation"),
    (Fault.FALSE_STATUS, 1, "failed", "could not follow the prompt"),
    (Fault.PRIVATE_LINK, 1, "succeeded", "private network"),
    (Fault.WRONG_TYPE, 1, "succeeded", "File is damaged"),
    (Fault.EXPIRED_LINK, 1, "succeeded", "expired"),
    (Fault.OTHER_LINK_NAME, 0, "succeeded", ""),
]


@pytest.mark.parametrize(("fault", "code", "state", "reason"), ENDS)
def test_wait_ends_with_every_kind_of_last_response(
    program: Program, sandbox: Sandbox, fault: Fault, code: int, state: str, reason: str
) -> None:
    program.add_fast_jobs()
    sandbox.inject(fault, times=None)
    ran = program.run(*GENERATE, "--json", "--wait")
    job = ran.json_objects[-1]
    assert (ran.code, job["state"], job["file"] is None) == (code, state, code != 0)
    assert reason in (job["error"] or "")
    assert (job["error"] or "") in ran.err
    assert len(sandbox.posts) == 1


REFUSALS = [
    (Fault.REFUSED_200, 1, "Not enough credits", "insufficient credits"),
    (Fault.MODERATED_403, 1, "Content not allowed (HTTP 403)", "rejected by moderation"),
    (Fault.PROXY_403, 1, "Blocked by a proxy or firewall", "Attention Required!"),
    (Fault.FIELDS_422, 1, "Request rejected (HTTP 422)", "prompt: is too long; duration: must be from 1 to 5"),
    (Fault.DETAIL_422, 1, "Request rejected (HTTP 422)", "prompt: Field required; duration: Input should be"),
    (Fault.ECHO_KEY, 3, "API key rejected (HTTP 401)", "[hidden] is not accepted here"),
]


@pytest.mark.parametrize(("fault", "code", "sentence", "reason"), REFUSALS)
def test_a_rejected_request_names_the_reason_and_costs_nothing(
    program: Program, sandbox: Sandbox, fault: Fault, code: int, sentence: str, reason: str
) -> None:
    sandbox.inject(fault, on=FaultPlace.POST, times=None)
    ran = program.run(*GENERATE, "--json")
    (job,) = ran.json_objects
    assert (ran.code, job["state"], job["cost"]) == (code, "rejected", 0)
    for words in (sentence, "Not charged.", reason):
        assert words in job["error"]
        assert words in ran.err
    assert sandbox.charged == []
    assert sandbox.key not in "".join(map(str, program.records()))


def test_no_key_is_3_and_nothing_is_sent(program: Program, sandbox: Sandbox) -> None:
    ran = program.run(*GENERATE, environ={"ETERNALAI_API_KEY": None})
    assert (ran.code, "eternal-tui login" in ran.err, sandbox.requests) == (3, True, [])


def test_a_rejected_key_is_3_and_the_rest_is_not_sent(program: Program, sandbox: Sandbox) -> None:
    ran = program.run(*GENERATE, "--count", "3", "--json", environ={"ETERNALAI_API_KEY": "not-the-key"})
    (job,) = ran.json_objects
    assert (ran.code, job["state"], len(sandbox.posts)) == (3, "rejected", 1)
    assert "2 more requests were not sent" in ran.err
    assert [record["state"] for record in program.records()] == ["rejected"]


def test_an_unreachable_service_is_4(program: Program) -> None:
    """Also where the list, which is asked for first, is what cannot be loaded."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
    write_character_list(program.data_dir, url, "6870")
    ran = program.run("--base-url", url, *GENERATE, "--json")
    (job,) = ran.json_objects
    assert (ran.code, job["state"], "Nothing was sent" in ran.err) == (4, "rejected", True)
    environ = {"ETERNAL_TUI_BASE_URL": "https://service.invalid", "HTTPS_PROXY": "http://127.0.0.1:9"}
    for character in ("6870", "Astrid"):
        ran = program.run("generate", "--character", character, "--prompt", "x", environ=environ)
        assert (ran.code, "Nothing was sent" in ran.err) == (4, True)
        assert "Could not connect to the proxy http://127.0.0.1:9 (HTTPS_PROXY)" in ran.err


@pytest.mark.parametrize("fault", [Fault.LOST_ANSWER, Fault.CHARGED_502])
def test_a_lost_response_is_5_and_the_rest_is_not_sent(program: Program, sandbox: Sandbox, fault: Fault) -> None:
    sandbox.inject(fault, on=FaultPlace.POST, times=1)
    ran = program.run(*GENERATE, "--json", "--wait", "--count", "3")
    (job,) = ran.json_objects
    assert (ran.code, job["state"], len(sandbox.posts)) == (5, "unconfirmed", 1)
    assert "2 more requests were not sent" in ran.err
    assert "may have been charged" in ran.err
    assert [record["state"] for record in program.records()] == ["unconfirmed"]


def test_timeout_covers_a_rate_limit_that_does_not_end(program: Program, sandbox: Sandbox) -> None:
    sandbox.inject(Fault.RATE_LIMITED, on=FaultPlace.POST, times=None)
    ran = program.run(*GENERATE, "--wait", "--timeout", "1", "--json")
    assert (ran.code, "Queued, not sent: job 1" in ran.err, sandbox.charged) == (6, True, [])


def test_a_status_with_a_lone_surrogate_costs_no_id(program: Program) -> None:
    answer = b'{"request_id": "abc-1", "status": "pen\\ud800ding", "result": "", "progress": 0}'
    with json_server(answer) as url:
        write_character_list(program.data_dir, url, "6870")
        ran = program.run("--base-url", url, *GENERATE, "--json")
    assert (ran.code, ran.json_objects[0]["request_id"]) == (0, "abc-1")
    assert program.records()[0]["request_id"] == "abc-1"


def test_a_spend_cap_is_2_and_confirm_above_wants_yes(program: Program, sandbox: Sandbox) -> None:
    assert program.run(*GENERATE, environ={"ETERNAL_TUI_DAILY_CAP": "0"}).code == 2
    asked = program.run(*GENERATE, environ={"ETERNAL_TUI_CONFIRM_ABOVE": "0"})
    assert (asked.code, "--yes" in asked.err, sandbox.posts) == (2, True, [])
    assert program.run(*GENERATE, "--yes", environ={"ETERNAL_TUI_CONFIRM_ABOVE": "0"}).code == 0
    assert program.run(*GENERATE, "--yes", environ={"ETERNAL_TUI_DAILY_CAP": "0"}).code == 2
    assert len(sandbox.posts) == 1


def test_the_cap_counts_a_whole_day_however_many_jobs_it_had(program: Program, sandbox: Sandbox) -> None:
    now = time.time()
    program.add_jobs(*(a_job(created_at=now, ended_after=0.3, cost=1.0) for _ in range(300)))
    ran = program.run(*GENERATE, environ={"ETERNAL_TUI_DAILY_CAP": "250"})
    assert (ran.code, "300.00" in ran.err, sandbox.posts) == (2, True, [])


def test_an_unusable_data_folder_is_2(program: Program, sandbox: Sandbox) -> None:
    program.data_dir.write_text("a file, not a folder")
    ran = program.run(*GENERATE)
    assert (ran.code, str(program.data_dir) in ran.err, sandbox.posts) == (2, True, [])
    assert "Nothing was sent" in ran.err


def test_other_running_jobs_are_left_alone(program: Program, sandbox: Sandbox) -> None:
    program.add_jobs(a_job(owner="deadbeef"))
    assert program.run(*GENERATE).code == 0
    assert sandbox.polls("past") == []
    assert program.records()[1]["owner"] == "deadbeef"


def test_global_options_before_or_after_the_command(program: Program, tmp_path: Path) -> None:
    before, after = str(tmp_path / "before"), str(tmp_path / "after")
    assert program.run("--data-dir", before, *GENERATE).code == 0
    assert program.run(*GENERATE, "--data-dir", after).code == 0
    assert [(Path(folder) / "history.json").exists() for folder in (before, after)] == [True, True]
    assert not program.data_dir.exists()
