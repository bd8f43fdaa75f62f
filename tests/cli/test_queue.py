"""`queue` and `--queue`: nothing is sent before it is released."""

from __future__ import annotations

from decimal import Decimal

from eternal_tui.sandbox.server import Sandbox
from tests.cli.program import Program

IMAGE_ARGUMENTS = ("generate", "--character", "6870", "--prompt", "At sea")


def test_queued_requests_wait_for_run(program: Program, sandbox: Sandbox) -> None:
    """Seen to fail with `--queue` ignored: the request was sent at once."""
    for _ in range(3):
        assert program.run(*IMAGE_ARGUMENTS, "--queue").code == 0
    assert sandbox.posts == []
    ran = program.run("queue", "--json")
    assert (ran.code, ran.json_objects[0]["queued"], ran.json_objects[0]["jobs"]) == (0, 3, [1, 2, 3])
    assert program.run("queue", "move", "3", "first").code == 0
    assert program.run("queue", "move", "3", "nowhere").code == 2
    assert program.run("queue", "clear", "2").code == 0
    assert program.run("queue", "--json").json_objects[0]["jobs"] == [3, 1]
    ran = program.run("queue", "run", "--until-empty", "--yes")
    assert ran.code == 0
    assert ran.out.index("job 3") < ran.out.index("job 1")
    assert len(sandbox.posts) == 2
    assert "empty" in program.run("queue").err


def test_a_held_queue_keeps_what_is_generated(program: Program, sandbox: Sandbox) -> None:
    """Seen to fail with the hold of another process unread. Exit code 6 says that the job goes on later."""
    assert program.run("queue", "hold").code == 0
    ran = program.run(*IMAGE_ARGUMENTS)
    assert (ran.code, sandbox.posts) == (6, [])
    assert "queue run" in ran.err
    ran = program.run(*IMAGE_ARGUMENTS, "--wait", "--timeout", "0.2")
    assert (ran.code, sandbox.posts) == (6, [])
    assert "Queued, not sent: job 2." in ran.err
    ran = program.run("watch")
    assert (ran.code, "Queued, not sent: job 2, 1." in ran.err) == (0, True)
    assert program.run("queue", "run").code == 0
    assert len(sandbox.posts) == 2
    assert program.run("watch").code == 0


def test_without_a_terminal_run_follows_generate(program: Program, sandbox: Sandbox) -> None:
    """More than ten, or above `confirm_above`, need --yes. Seen to fail with everything sent unasked."""
    prompts = "".join(f"At sea {number}\n" for number in range(11))
    ran = program.run("generate", "--character", "6870", "--prompt", "-", "--queue", "--yes", stdin=prompts)
    assert (ran.code, "11 queued (held) · price unknown" in ran.err) == (0, True)
    for arguments in (("run",), ("run", "--until-empty")):
        assert program.run("queue", *arguments).code == 2
    assert program.run("queue", "clear", "1").code == 0
    assert program.run("queue", "run", environ={"ETERNAL_TUI_CONFIRM_ABOVE": "0.01"}).code == 2
    assert sandbox.posts == []
    assert program.run("queue", "run").code == 0
    assert len(sandbox.charged) == 10


def test_no_credits_hold_the_queue_and_are_said_once(program: Program, sandbox: Sandbox) -> None:
    """Seen to fail with the reason printed three times, and with the rest of the queue rejected."""
    for _ in range(2):
        program.run(*IMAGE_ARGUMENTS, "--queue")
    before, sandbox.state.credits = sandbox.state.credits, Decimal(0)
    ran = program.run("queue", "run", "--until-empty", "--yes")
    assert (ran.code, ran.err.count("Not enough credits"), len(sandbox.posts)) == (1, 1, 1)
    assert "2 queued (held)" in ran.err
    sandbox.state.credits = before
    assert program.run("queue", "run", "--yes").code == 0
    assert len(sandbox.charged) == 2


def test_a_batch_is_queued_whole_where_the_queue_is_held(program: Program) -> None:
    """Seen to fail with one recorded after the other was sent: those behind it were lost with the process."""
    program.run("queue", "hold")
    ran = program.run("generate", "--character", "6870", "--prompt", "-", "--yes", stdin="At sea\nIn snow\nIn rain\n")
    assert (ran.code, ran.err.count("the queue is held")) == (6, 1)
    status = program.run("queue", "--json").json_objects[0]
    assert (status["jobs"], status["held"], status["seconds"] > 0) == ([1, 2, 3], True, True)
    program.run("queue", "move", "3", "2", "first")
    assert program.run("queue", "--json").json_objects[0]["jobs"] == [3, 2, 1]
