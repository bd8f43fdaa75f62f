"""`generate` against a real service on loopback: requests, output, records and exit codes."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest

from eternal_tui.sandbox.faults import Fault, FaultPlace
from eternal_tui.sandbox.server import Sandbox
from tests.cli.program import Program, a_job, json_server
from tests.known_characters import write_character_list

IMAGE_ARGUMENTS = ("generate", "--character", "6870", "--prompt", "At sea")
REQUIRED_FIELDS = {
    "id", "request_id", "state", "type", "character", "prompt", "progress", "file", "error", "created_at",
    "finished_at", "credits_remaining",
}  # fmt: skip


def sent_bodies(sandbox: Sandbox) -> list[dict[str, object]]:
    return [json.loads(call.body) for call in sandbox.posts]


def test_ends_once_the_id_is_on_disk(program: Program, sandbox: Sandbox) -> None:
    ran = program.run(*IMAGE_ARGUMENTS)
    assert ran.code == 0
    assert sent_bodies(sandbox) == [{"images": ["6870"], "prompt": "At sea", "type": "image"}]
    (record,) = program.records()
    assert record["request_id"] == sandbox.charged[0]
    assert ran.out == f"job 1 · running · {sandbox.charged[0]}\n"
    assert ran.err == ""


def test_json_is_one_object_with_every_promised_field(program: Program, sandbox: Sandbox) -> None:
    (job,) = program.run(*IMAGE_ARGUMENTS, "--json").json_objects
    assert set(job) >= REQUIRED_FIELDS
    assert (job["state"], job["request_id"], job["character"]) == ("running", sandbox.charged[0], "6870")
    assert job["file"] is None
    assert job["error"] is None
    assert job["finished_at"] is None
    assert job["created_at"].endswith("Z")
    assert job["credits_remaining"] == pytest.approx(sandbox.credits)


def test_options_of_a_video_go_out_as_documented(program: Program, sandbox: Sandbox) -> None:
    ran = program.run(*IMAGE_ARGUMENTS, "--type", "video", "--duration", "2", "--no-audio")
    assert ran.code == 0
    assert sent_bodies(sandbox) == [
        {"images": ["6870"], "prompt": "At sea", "type": "video", "duration": 2, "audio": False}
    ]


def test_prompts_from_stdin_one_a_line(program: Program, sandbox: Sandbox) -> None:
    ran = program.run("generate", "--character", "6870", "--json", stdin="At sea\r\n\n  \nIn snow, – ü\n")
    assert ran.code == 0
    assert [body["prompt"] for body in sent_bodies(sandbox)] == ["At sea", "In snow, – ü"]
    assert [job["prompt"] for job in ran.json_objects] == ["At sea", "In snow, – ü"]


def test_a_name_is_looked_up(program: Program, sandbox: Sandbox) -> None:
    (job,) = program.run("generate", "--character", "astrid", "--prompt", "x", "--json").json_objects
    assert (job["character"], job["name"]) == ("6870", "Astrid")
    assert sent_bodies(sandbox)[0]["images"] == ["6870"]


def test_a_character_listed_as_under_18_is_not_submitted(program: Program, sandbox: Sandbox) -> None:
    """Seen to fail with a catalog that rejected no one: a minor's ID was sent."""
    minor = str(6870 + 3 * 23)
    for wanted in (minor, "Pip"):
        ran = program.run("generate", "--character", wanted, "--prompt", "x")
        assert ran.code == 2
    assert sandbox.posts == []


@pytest.mark.parametrize("fault", [Fault.HTML_502, Fault.DROP_BEFORE, Fault.GARBAGE_JSON])
def test_id_without_list_needs_a_list_of_the_last_30_days(program: Program, sandbox: Sandbox, fault: Fault) -> None:
    """Seen to fail with any ID sent where the list could not be loaded."""
    sandbox.inject(fault, on=FaultPlace.LIST, times=None)
    refused = program.run(*IMAGE_ARGUMENTS)
    assert refused.code == 2
    assert "Could not load the character list to check the age of character 6870: " in refused.err
    named = program.run("generate", "--character", "Astrid", "--prompt", "x")
    assert named.code == 2
    assert "Use an ID" in named.err
    assert sandbox.posts == []
    write_character_list(program.data_dir, sandbox.api_url, "6870", days_old=3)
    sent = program.run(*IMAGE_ARGUMENTS)
    assert sent.code == 0
    assert "cached 3 days ago shows 6870 as an adult" in sent.err
    assert len(sandbox.posts) == 1


def test_wait_saves_a_verified_file(program: Program, sandbox: Sandbox) -> None:
    program.add_fast_jobs()
    ran = program.run(*IMAGE_ARGUMENTS, "--wait", "--json")
    assert ran.code == 0
    (job,) = ran.json_objects
    assert (job["state"], job["file_state"], job["progress"]) == ("succeeded", "saved", 100)
    assert Path(job["file"]).read_bytes().startswith(b"\xff\xd8\xff")
    assert job["finished_at"].endswith("Z")
    assert len(sandbox.posts) == 1


def test_wait_tells_each_job_twice_in_words(program: Program, sandbox: Sandbox) -> None:
    program.add_fast_jobs()
    ran = program.run(*IMAGE_ARGUMENTS, "--wait")
    assert ran.code == 0
    first, second = ran.out.splitlines()
    assert first == f"job 9 · running · {sandbox.charged[0]}"
    assert second == f"job 9 · saved · {program.data_dir.absolute()}/results/0000009.jpg"


def test_a_failed_job_is_1_with_its_reason(program: Program, sandbox: Sandbox) -> None:
    program.add_fast_jobs()
    ran = program.run("generate", "--character", "6870", "--prompt", "fault:failed", "--wait", "--json")
    assert ran.code == 1
    (job,) = ran.json_objects
    assert job["state"] == "failed"
    assert job["error"]
    assert "failed" in ran.err


@pytest.mark.parametrize("fault", [Fault.WRONG_TYPE, Fault.EXPIRED_LINK])
def test_a_result_that_is_no_picture_is_1(program: Program, sandbox: Sandbox, fault: Fault) -> None:
    program.add_fast_jobs()
    sandbox.inject(fault, times=None)
    ran = program.run(*IMAGE_ARGUMENTS, "--wait", "--json")
    assert ran.code == 1
    (job,) = ran.json_objects
    assert job["file_state"] in ("broken", "expired")
    assert job["file"] is None
    assert len(sandbox.posts) == 1


def test_no_key_is_3_and_nothing_is_sent(program: Program, sandbox: Sandbox) -> None:
    ran = program.run(*IMAGE_ARGUMENTS, environ={"ETERNALAI_API_KEY": None})
    assert ran.code == 3
    assert "eternal-tui login" in ran.err
    assert sandbox.requests == []


def test_a_refused_key_is_3_and_the_rest_is_not_sent(program: Program, sandbox: Sandbox) -> None:
    """Seen to fail with the loop going on after the first refusal: three POSTs with a key that is no good."""
    ran = program.run(*IMAGE_ARGUMENTS, "--count", "3", "--json", environ={"ETERNALAI_API_KEY": "not-the-key"})
    assert ran.code == 3
    (job,) = ran.json_objects
    assert job["state"] == "rejected"
    assert job["error"]
    assert len(sandbox.posts) == 1
    assert "2 more requests were not sent" in ran.err
    assert program.records()[0]["state"] == "rejected"


def test_an_unreachable_service_is_4(program: Program) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    write_character_list(program.data_dir, url, "6870")
    ran = program.run("--base-url", url, *IMAGE_ARGUMENTS, "--json")
    assert ran.code == 4
    (job,) = ran.json_objects
    assert job["state"] == "rejected"
    assert "Nothing was sent" in ran.err


@pytest.mark.parametrize("fault", [Fault.LOST_ANSWER, Fault.CHARGED_502, Fault.GARBAGE_JSON, Fault.HTML_502])
def test_lost_response_is_5_and_the_rest_is_not_sent(program: Program, sandbox: Sandbox, fault: Fault) -> None:
    """Seen to fail with the outbox sending again after ResponseLost: two POSTs, both charged."""
    sandbox.inject(fault, on=FaultPlace.POST, times=1)
    ran = program.run(*IMAGE_ARGUMENTS, "--json", "--wait", "--count", "3")
    assert ran.code == 5
    (job,) = ran.json_objects
    assert job["state"] == "unconfirmed"
    assert "2 more requests were not sent" in ran.err
    assert "may have been charged" in ran.err
    assert len(sandbox.posts) == 1
    assert [record["state"] for record in program.records()] == ["unconfirmed"]


def test_429_is_waited_out_and_sent_again(program: Program, sandbox: Sandbox) -> None:
    sandbox.inject(Fault.RATE_LIMITED, on=FaultPlace.POST, times=1)
    ran = program.run(*IMAGE_ARGUMENTS, "--json")
    assert ran.code == 0
    assert len(sandbox.posts) == 2
    assert len(sandbox.charged) == 1
    assert ran.json_objects[0]["state"] == "running"


def test_timeout_covers_a_rate_limit_that_does_not_end(program: Program, sandbox: Sandbox) -> None:
    sandbox.inject(Fault.RATE_LIMITED, on=FaultPlace.POST, times=None)
    ran = program.run(*IMAGE_ARGUMENTS, "--wait", "--timeout", "1", "--json")
    assert ran.code == 6
    assert "Queued, not sent: job 1" in ran.err
    assert sandbox.charged == []


def test_the_service_refusing_a_request_is_1(program: Program, sandbox: Sandbox) -> None:
    sandbox.inject(Fault.HOSTILE_TEXT, on=FaultPlace.POST, times=1)
    ran = program.run(*IMAGE_ARGUMENTS)
    assert ran.code == 1
    assert not any(character in ran.out + ran.err for character in "\x1b\x07\x9b\u202e")


def test_a_spend_cap_is_2_and_confirm_above_wants_yes(program: Program, sandbox: Sandbox) -> None:
    """Seen to fail with `check_submit` called with confirmed=True."""
    capped = program.run(*IMAGE_ARGUMENTS, environ={"ETERNAL_TUI_DAILY_CAP": "0"})
    assert (capped.code, sandbox.posts) == (2, [])
    asked = program.run(*IMAGE_ARGUMENTS, environ={"ETERNAL_TUI_CONFIRM_ABOVE": "0"})
    assert (asked.code, sandbox.posts) == (2, [])
    assert "--yes" in asked.err
    assert program.run(*IMAGE_ARGUMENTS, "--yes", environ={"ETERNAL_TUI_CONFIRM_ABOVE": "0"}).code == 0
    assert program.run(*IMAGE_ARGUMENTS, "--yes", environ={"ETERNAL_TUI_DAILY_CAP": "0"}).code == 2
    assert len(sandbox.posts) == 1


def test_a_cap_counts_a_whole_day_however_many_jobs_it_had(program: Program, sandbox: Sandbox) -> None:
    """Seen to fail with only the newest 200 jobs read: 300 of a credit each then counted as 200."""
    import time

    now = time.time()
    program.add_jobs(*(a_job(created_at=now, ended_after=0.3, cost=1.0) for _ in range(300)))
    ran = program.run(*IMAGE_ARGUMENTS, environ={"ETERNAL_TUI_DAILY_CAP": "250"})
    assert ran.code == 2
    assert "300.00" in ran.err
    assert sandbox.posts == []


def test_unusable_data_folder_is_2(program: Program, sandbox: Sandbox) -> None:
    program.data_dir.write_text("a file, not a folder")
    ran = program.run(*IMAGE_ARGUMENTS)
    assert ran.code == 2
    assert str(program.data_dir) in ran.err
    assert "Nothing was sent" in ran.err
    assert sandbox.posts == []


def test_other_running_jobs_are_left_alone(program: Program, sandbox: Sandbox) -> None:
    """Seen to fail with `start()` taking over orphans: a generate that only sends then polled old jobs."""
    program.add_jobs(a_job(owner="deadbeef"))
    assert program.run(*IMAGE_ARGUMENTS).code == 0
    assert sandbox.polls("past") == []
    assert program.records()[1]["owner"] == "deadbeef"


def test_global_options_before_or_after_command(program: Program, tmp_path: Path, sandbox: Sandbox) -> None:
    for number, order in enumerate((("--data-dir", "{}", *IMAGE_ARGUMENTS), (*IMAGE_ARGUMENTS, "--data-dir", "{}"))):
        folder = tmp_path / f"other{number}"
        assert program.run(*(part.format(folder) for part in order)).code == 0
        assert (folder / "history.json").exists()
    assert not program.data_dir.exists()


def test_plain_tinydb_reads_the_history_afterwards(program: Program) -> None:
    from tinydb import TinyDB

    program.run(*IMAGE_ARGUMENTS)
    with TinyDB(program.data_dir / "history.json") as db:
        (document,) = db.table("jobs").all()
    assert document["state"] == "running"


def test_a_status_word_that_is_no_text_costs_no_id(program: Program) -> None:
    """Seen to fail before lone surrogates were taken out of answers: the record could not be written.

    The job was charged, its id was nowhere on disk, and the next start called it unconfirmed.
    """
    answer = b'{"request_id": "abc-1", "status": "pen\\ud800ding", "result": "", "progress": 0}'
    with json_server(answer) as url:
        write_character_list(program.data_dir, url, "6870")
        ran = program.run("--base-url", url, *IMAGE_ARGUMENTS, "--json")
    assert ran.code == 0
    assert ran.json_objects[0]["request_id"] == "abc-1"
    assert program.records()[0]["request_id"] == "abc-1"
