"""`watch`: every job to its end, never a POST, beside other instances too."""

from __future__ import annotations

import json

from eternal_tui.sandbox.faults import Fault
from eternal_tui.sandbox.server import Sandbox
from tests.cli.program import TIMEOUT_SECONDS, Program, a_job, wait_until

IMAGE_ARGUMENTS = ("generate", "--character", "6870", "--prompt", "At sea")


def test_follows_what_is_unfinished_to_its_file(program: Program, sandbox: Sandbox) -> None:
    program.add_fast_jobs()
    program.run(*IMAGE_ARGUMENTS, "--count", "2")
    ran = program.run("watch", "--json")
    assert ran.code == 0
    events = ran.json_objects
    assert {event["event"] for event in events} >= {"state", "finished"}
    assert all(event["time"].endswith("Z") for event in events)
    news = [(job["id"], job["state"], job["file_state"]) for job in events if job["event"] != "progress"]
    for job_id in (9, 10):
        assert [one[1:] for one in news if one[0] == job_id] == [
            ("running", None), ("succeeded", "pending"), ("succeeded", "saved")
        ]  # fmt: skip
    assert len(sandbox.posts) == 2
    again = program.run("watch")
    assert (again.code, again.out) == (0, "")
    assert "No unfinished jobs" in again.err


def test_a_named_job_that_ended_is_told_with_its_code(program: Program) -> None:
    program.add_jobs(
        a_job(ended_after=1.0),
        a_job(state="failed", error="The service said no."),
        a_job(state="unconfirmed", error="Lost.", request_id=None),
        a_job(state="rejected", cause="key", request_id=None),
    )
    (program.data_dir / "results").mkdir(exist_ok=True)
    (program.data_dir / "results" / "0000001.jpg").write_bytes(b"\xff\xd8\xff")
    assert [program.run("watch", str(number)).code for number in (1, 2, 3, 4)] == [0, 1, 5, 3]
    assert program.run("watch", "1", "2", "4").code == 3
    ran = program.run("watch", "2", "2", "--json")
    assert [job["state"] for job in ran.json_objects] == ["failed"]
    assert "The service said no." in ran.err


def test_watch_polls_lost_jobs_and_fetches_broken_files(program: Program, sandbox: Sandbox) -> None:
    program.add_fast_jobs()
    program.run(*IMAGE_ARGUMENTS, "--count", "2")
    first, second = sandbox.charged
    sandbox.inject(Fault.WRONG_TYPE, times=1)
    assert program.run("watch", "9").code == 1
    with program.open_history() as history:
        history.update(10, {"state": "lost", "error": "gone"})
    ran = program.run("watch", first, second, "--json")
    assert ran.code == 0
    finished = [job for job in ran.json_objects if job["event"] == "finished"]
    assert [job["file_state"] for job in finished] == ["saved", "saved"]
    assert len(sandbox.posts) == 2


def test_without_a_key_a_running_job_is_3(program: Program, sandbox: Sandbox) -> None:
    program.add_jobs(a_job())
    ran = program.run("watch", environ={"ETERNALAI_API_KEY": None})
    assert ran.code == 3
    assert "login" in ran.err
    assert sandbox.requests == []


def test_a_key_refused_while_watching_is_3(program: Program, sandbox: Sandbox) -> None:
    """Seen to fail with the refusal only noted: watch waited for ever."""
    program.run(*IMAGE_ARGUMENTS)
    ran = program.run("watch", environ={"ETERNALAI_API_KEY": "not-the-key"})
    assert ran.code == 3
    assert "set a new key" in ran.err
    assert "Resume with `eternal-tui watch 1`." in ran.err
    assert program.records()[0]["state"] == "running"


def test_watch_skips_jobs_of_another_service(program: Program, sandbox: Sandbox) -> None:
    """Seen to fail with the service not compared: the sandbox was polled for a foreign id."""
    program.add_jobs(a_job(service="open.eternalai.org"))
    ran = program.run("watch")
    assert ran.code == 0
    assert "open.eternalai.org" in ran.err
    assert program.run("watch", "1").code == 2
    assert sandbox.requests == []


def test_unknown_and_ambiguous_names_are_2(program: Program) -> None:
    program.add_jobs(a_job(request_id="abcd-1"), a_job(request_id="abcd-2"), a_job(request_id="12345"))
    for name, words in (("77", "No job 77"), ("abcd", "2 request ids"), ("abc", "No job abc"), ("zzzzzz", "No job")):
        ran = program.run("show", name)
        assert (ran.code, words in ran.err) == (2, True)
    assert program.run("show", "abcd-1", "--json").json_objects[0]["id"] == 1
    assert program.run("show", "12345", "--json").json_objects[0]["id"] == 3
    assert program.run("show", "1234", "--json").json_objects[0]["id"] == 3
    assert program.run("show", "last", "--json").json_objects[0]["id"] == 3


def test_two_instances_watch_and_one_polls(program: Program, sandbox: Sandbox) -> None:
    """Seen to fail with the second taking the job over from a living owner: two downloads."""
    program.add_fast_jobs()
    program.run("generate", "--character", "6870", "--prompt", "fault:stuck")
    with program.start_process("watch", "--json") as first:
        wait_until(sandbox.polls)
        with program.start_process("watch", "last", "--json") as second:
            assert second.stdout is not None
            assert json.loads(second.stdout.readline())["state"] == "running"
            sandbox.heal()
            sandbox.finish()
            for process in (first, second):
                out, err = process.communicate(timeout=TIMEOUT_SECONDS)
                assert process.returncode == 0, err
                assert json.loads(out.splitlines()[-1])["file_state"] == "saved"
    assert len(sandbox.downloads) == 1
    assert len(sandbox.posts) == 1
