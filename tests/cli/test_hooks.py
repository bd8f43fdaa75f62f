"""Commands of the user that run when jobs end, and copies by the settings."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from eternal_tui.sandbox.faults import Fault
from eternal_tui.sandbox.server import Sandbox
from tests.cli.program import GENERATE, Program, write_script

EVENTS = [("saved", "on_finished", 0), ("failed", "on_failed", 1), ("unconfirmed", "on_failed", 5)]


@pytest.mark.parametrize(("state", "event", "code"), EVENTS)
def test_a_hook_is_given_the_job_and_no_key(
    program: Program, sandbox: Sandbox, tmp_path: Path, state: str, event: str, code: int
) -> None:
    program.add_fast_jobs()
    if state != "saved":
        sandbox.inject(Fault.FAILED if state == "failed" else Fault.LOST_ANSWER, times=1)
    seen = tmp_path / "seen"
    script = write_script(tmp_path / "hook", f'echo "$1" >> "{seen}.args"; cat >> "{seen}.json"; env >> "{seen}.env"')
    program.write_config(f'[hooks]\n{event} = ["{script}", "{{prompt}} of {{id}}"]\n')
    assert program.run(*GENERATE, "--wait").code == code
    job = json.loads(Path(f"{seen}.json").read_text())
    assert (job["event"], job["file_state"] or job["state"]) == (event, state)
    assert Path(f"{seen}.args").read_text() == f"{job['prompt']} of {job['id']}\n"
    assert program.environ["ETERNALAI_API_KEY"] not in Path(f"{seen}.env").read_text()
    (record, *_) = program.records()
    assert any(summary == f"{event} command" and "exit 0" in detail for _, summary, detail in record["timeline"])


def test_hooks_of_a_batch_and_of_a_call_run_once(program: Program, tmp_path: Path) -> None:
    program.add_fast_jobs()
    seen = tmp_path / "seen"
    batch = write_script(tmp_path / "hook", f'cat >> "{seen}"')
    call = write_script(tmp_path / "other", f'echo "$@" >> "{seen}.call"')
    program.write_config(f'[hooks]\non_batch = ["{batch}"]\n')
    assert program.run(*GENERATE, "--count", "3", "--wait", "--yes", "--on-finished", f"{call} {{id}}").code == 0
    (found,) = (json.loads(line) for line in seen.read_text().splitlines())
    assert (found["event"], len(found["jobs"])) == ("on_batch", 3)
    assert sorted(Path(f"{seen}.call").read_text().split()) == ["10", "11", "9"]


FAILING = {"exit 3": "exit 3", "sleep 60": "stopped after 0.3 s", "": "could not start: No such file or directory"}


@pytest.mark.parametrize("script", FAILING)
def test_a_hook_that_fails_changes_nothing_for_the_job(program: Program, tmp_path: Path, script: str) -> None:
    program.add_fast_jobs()
    if script:
        write_script(tmp_path / "hook", script)
    program.write_config(f'[hooks]\non_finished = ["{tmp_path}/hook"]\ntimeout_seconds = 0.3\n')
    assert program.run(*GENERATE, "--wait").code == 0
    assert any(detail.startswith(FAILING[script]) for _, _, detail in program.records()[0]["timeline"])


def test_hooks_run_once_across_instances(program: Program, tmp_path: Path) -> None:
    """Three processes wait for one batch: who saves a file runs its command, and one runs that of the batch."""
    seen = tmp_path / "seen"
    finished = write_script(tmp_path / "finished", f'echo "$1" >> "{seen}"')
    batch = write_script(tmp_path / "batch", f'echo batch >> "{seen}"')
    program.add_fast_jobs()
    program.run(*GENERATE, "--count", "4", "--yes")
    program.write_config(f'[hooks]\non_finished = ["{finished}", "{{id}}"]\non_batch = ["{batch}"]\n')
    with (
        program.start_process("watch", "9", "10", "--json") as first,
        program.start_process("watch", "11", "--json") as second,
        program.start_process("watch", "--json") as third,
    ):
        assert [process.wait(60) for process in (first, second, third)] == [0, 0, 0]
    assert sorted(seen.read_text().split()) == ["10", "11", "12", "9", "batch"]


def test_at_most_so_many_hooks_run_at_once(program: Program, tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    script = write_script(tmp_path / "hook", f'echo begin >> "{seen}"; sleep 0.1; echo end >> "{seen}"')
    program.add_fast_jobs()
    program.write_config(f'[hooks]\non_finished = ["{script}"]\nmax_running = 1\n')
    assert program.run(*GENERATE, "--count", "4", "--wait", "--yes").code == 0
    assert seen.read_text().split() == ["begin", "end"] * 4


def test_results_are_copied_by_the_settings(program: Program, tmp_path: Path) -> None:
    program.add_fast_jobs()
    program.write_config(f'auto_save_to = "{tmp_path}/out"\nsidecar = "json"\nembed = true\n')
    (job,) = program.run(*GENERATE, "--wait", "--json").json_objects
    copy = Path(job["output"])
    assert (copy.parent, copy.suffix) == (tmp_path / "out", ".jpg")
    assert b"At sea" in copy.read_bytes()
    assert Path(f"{copy}.json").exists()
    program.write_config('auto_save_to = "/dev/null/out"\n')
    ran = program.run(*GENERATE, "--wait", "--json")
    assert (ran.code, ran.json_objects[0]["output"]) == (0, None)
    assert "auto_save_to: /dev/null is not a folder" in ran.err
