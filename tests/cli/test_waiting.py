"""`watch`: every job to its end, never a POST. `queue` and `--queue`: nothing is sent before it is released."""

from __future__ import annotations

import json
from decimal import Decimal

from eternal_tui.sandbox.faults import Fault
from eternal_tui.sandbox.server import Sandbox
from tests.cli.program import GENERATE, TIMEOUT_SECONDS, Program, a_job, wait_until


def test_watch_follows_what_is_unfinished_to_its_file(program: Program, sandbox: Sandbox) -> None:
    program.add_fast_jobs()
    program.run(*GENERATE, "--count", "2")
    ran = program.run("watch", "--json")
    assert ran.code == 0
    events = ran.json_objects
    assert {event["event"] for event in events} >= {"state", "finished"}
    assert all(event["time"].endswith("Z") for event in events)
    news = [(job["id"], job["state"], job["file_state"]) for job in events if job["event"] != "progress"]
    expected = [("running", None), ("succeeded", "pending"), ("succeeded", "saved")]
    assert [[one[1:] for one in news if one[0] == job_id] for job_id in (9, 10)] == [expected] * 2
    assert len(sandbox.posts) == 2
    again = program.run("watch")
    assert (again.code, again.out, "No unfinished jobs" in again.err) == (0, "", True)


def test_a_named_job_that_ended_is_printed_with_its_code(program: Program) -> None:
    program.add_jobs(
        a_job(ended_after=1.0),
        a_job(state="failed", error="The service said no."),
        a_job(state="unconfirmed", error="Lost.", request_id=None),
        a_job(state="rejected", cause="key", request_id=None),
    )
    assert [program.run("watch", str(number)).code for number in (1, 2, 3, 4)] == [0, 1, 5, 3]
    assert program.run("watch", "1", "2", "4").code == 3
    ran = program.run("watch", "2", "2", "--json")
    assert [job["state"] for job in ran.json_objects] == ["failed"]
    assert "The service said no." in ran.err


def test_watch_polls_lost_jobs_and_fetches_broken_files(program: Program, sandbox: Sandbox) -> None:
    program.add_fast_jobs()
    program.run(*GENERATE, "--count", "2")
    first, second = sandbox.charged
    sandbox.inject(Fault.WRONG_TYPE, times=1)
    assert program.run("watch", "9").code == 1
    with program.open_history() as history:
        history.update(10, {"state": "lost", "error": "gone"})
    ran = program.run("watch", first, second, "--json")
    finished = [job["file_state"] for job in ran.json_objects if job["event"] == "finished"]
    assert (ran.code, finished, len(sandbox.posts)) == (0, ["saved", "saved"], 2)


def test_watch_without_a_key_is_3(program: Program, sandbox: Sandbox) -> None:
    program.add_jobs(a_job())
    ran = program.run("watch", environ={"ETERNALAI_API_KEY": None})
    assert (ran.code, "login" in ran.err, sandbox.requests) == (3, True, [])


def test_a_key_rejected_while_watching_is_3(program: Program) -> None:
    program.run(*GENERATE)
    ran = program.run("watch", environ={"ETERNALAI_API_KEY": "not-the-key"})
    assert (ran.code, "set a new key" in ran.err) == (3, True)
    assert "Resume with `eternal-tui watch 1`." in ran.err
    assert program.records()[0]["state"] == "running"


def test_watch_skips_jobs_of_another_service(program: Program, sandbox: Sandbox) -> None:
    program.add_jobs(a_job(service="open.eternalai.org"))
    ran = program.run("watch")
    assert (ran.code, "open.eternalai.org" in ran.err) == (0, True)
    assert program.run("watch", "1").code == 2
    assert sandbox.requests == []


def test_two_instances_watch_and_one_polls(program: Program, sandbox: Sandbox) -> None:
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
    assert (len(sandbox.downloads), len(sandbox.posts)) == (1, 1)


def test_a_job_that_is_deleted_is_waited_for_no_longer(program: Program, sandbox: Sandbox) -> None:
    with program.start_process("generate", "--character", "6870", "--prompt", "fault:stuck", "--wait") as process:
        wait_until(sandbox.polls)
        assert program.run("delete", "1", "--yes").code == 0
        _, err = process.communicate(timeout=TIMEOUT_SECONDS)
    assert (process.returncode, b"It was deleted meanwhile." in err, b"Nothing was sent" in err) == (0, True, False)


def queue_status(program: Program) -> dict[str, object]:
    (status,) = program.run("queue", "--json").json_objects
    return status


def test_queued_requests_wait_for_run(program: Program, sandbox: Sandbox) -> None:
    for _ in range(3):
        assert program.run(*GENERATE, "--queue").code == 0
    assert sandbox.posts == []
    assert queue_status(program)["jobs"] == [1, 2, 3]
    assert program.run("queue", "move", "3", "2", "first").code == 0
    assert queue_status(program)["jobs"] == [3, 2, 1]
    assert program.run("queue", "clear", "2").code == 0
    assert queue_status(program)["jobs"] == [3, 1]
    ran = program.run("queue", "run", "--until-empty", "--yes")
    assert (ran.code, len(sandbox.posts)) == (0, 2)
    assert ran.out.index("job 3") < ran.out.index("job 1")
    assert "empty" in program.run("queue").err


def test_a_held_queue_keeps_what_is_generated(program: Program, sandbox: Sandbox) -> None:
    """Exit code 6 says that the job goes on later; a batch is queued whole."""
    assert program.run("queue", "hold").code == 0
    ran = program.run("generate", "--character", "6870", "--prompt", "-", "--yes", stdin="At sea\nIn snow\nIn rain\n")
    assert (ran.code, ran.err.count("the queue is held"), sandbox.posts) == (6, 1, [])
    status = queue_status(program)
    assert (status["jobs"], status["held"]) == ([1, 2, 3], True)
    ran = program.run(*GENERATE, "--wait", "--timeout", "0.2")
    assert (ran.code, "Queued, not sent: job 4." in ran.err, sandbox.posts) == (6, True, [])
    ran = program.run("watch")
    assert (ran.code, "Queued, not sent: job 4, 3, 2, 1." in ran.err) == (0, True)
    assert program.run("queue", "run").code == 0
    assert len(sandbox.posts) == 4


def test_a_batch_that_has_to_wait_is_queued_whole(program: Program, sandbox: Sandbox) -> None:
    """A process that is killed while the first of them waits loses none."""
    assert program.run("generate", "--character", "6870", "--prompt", "fault:stuck").code == 0
    batch = ("generate", "--character", "6870", "--prompt", "At sea", "--prompt", "In snow", "--prompt", "In rain")
    with program.start_process(*batch, environ={"ETERNAL_TUI_MAX_RUNNING": "1"}):
        wait_until(lambda: len(program.records()) > 1)
    assert [record["state"] for record in program.records()] == ["queued"] * 3 + ["running"]
    assert len(sandbox.posts) == 1


def test_without_a_terminal_run_sends_what_generate_would(program: Program, sandbox: Sandbox) -> None:
    """More than ten, or above `confirm_above`, need --yes."""
    prompts = "".join(f"At sea {number}\n" for number in range(11))
    ran = program.run("generate", "--character", "6870", "--prompt", "-", "--queue", "--yes", stdin=prompts)
    assert (ran.code, "11 queued (held) · price unknown" in ran.err) == (0, True)
    assert program.run("queue", "run", "--until-empty").code == 2
    assert program.run("queue", "clear", "1").code == 0
    assert program.run("queue", "run", environ={"ETERNAL_TUI_CONFIRM_ABOVE": "0.01"}).code == 2
    assert sandbox.posts == []
    assert program.run("queue", "run").code == 0
    assert len(sandbox.charged) == 10


def test_no_credits_hold_the_queue_and_are_printed_once(program: Program, sandbox: Sandbox) -> None:
    for _ in range(2):
        program.run(*GENERATE, "--queue")
    before, sandbox.state.credits = sandbox.state.credits, Decimal(0)
    ran = program.run("queue", "run", "--until-empty", "--yes")
    assert (ran.code, ran.err.count("Not enough credits"), len(sandbox.posts)) == (1, 1, 1)
    assert "2 queued (held)" in ran.err
    sandbox.state.credits = before
    assert program.run("queue", "run", "--yes").code == 0
    assert len(sandbox.charged) == 2
