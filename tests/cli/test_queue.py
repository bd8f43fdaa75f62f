"""`queue` and `--queue`: nothing is sent before it is released."""

from __future__ import annotations

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
