"""The commands that act on jobs: retry, again, adopt, create-character, save, open; and hooks."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from eternal_tui.sandbox.faults import Fault
from eternal_tui.sandbox.server import Sandbox
from tests.cli.program import Program, a_job, wait_until

GENERATE = ("generate", "--character", "6870", "--prompt", "At sea")


def write_script(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(stat.S_IRWXU)
    return path


def test_retry_links_both_jobs_and_works_once(program: Program, sandbox: Sandbox) -> None:
    program.add_jobs(a_job(state="failed", error="no", batch="5e1f00aa", batch_index=4, tags=("winter",)))
    (job,) = program.run("retry", "1", "--json").json_objects
    assert (job["id"], job["retry_of"], job["batch"], job["index"], job["tags"]) == (2, 1, "5e1f00aa", 4, ["winter"])
    assert program.run("show", "1", "--json").json_objects[0]["retried_by"] == 2
    again = program.run("retry", "1")
    assert (again.code, "already retried as job 2" in again.err, len(sandbox.posts)) == (2, True, 1)


def test_retry_of_an_unconfirmed_job_wants_yes(program: Program, sandbox: Sandbox) -> None:
    program.add_jobs(a_job(state="unconfirmed", request_id=None))
    refused = program.run("retry", "last")
    assert (refused.code, "--yes" in refused.err, sandbox.posts) == (2, True, [])
    assert program.run("retry", "last", "--yes").code == 0


REFUSED = {"a job with a result": (("retry", "1"), "again"), "a creation": (("again", "3"), "create-character")}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_done_is_2_and_nothing_is_sent(program: Program, sandbox: Sandbox, name: str) -> None:
    arguments, words = REFUSED[name]
    creation = {"character": "", "prompt": "x", "type": "character"}
    program.add_jobs(a_job(ended_after=1.0), a_job())
    with program.open_history() as history:
        history.add({"request": creation, "state": "succeeded", "created_at": 1.0})
    ran = program.run(*arguments)
    assert (ran.code, words in ran.err, sandbox.posts) == (2, True, [])


def test_again_repeats_a_request(program: Program, sandbox: Sandbox) -> None:
    program.run(*GENERATE, "--quality", "high", "--tag", "sea")
    ran = program.run("again", "last", "--json")
    first, second = (json.loads(call.body) for call in sandbox.posts)
    assert (ran.code, first == second, ran.json_objects[0]["tags"]) == (0, True, ["sea"])


def test_adopted_requests_are_watched_to_their_files(program: Program, sandbox: Sandbox, tmp_path: Path) -> None:
    """Sent with another history, as from another machine; adopting and watching cost nothing."""
    program.run("--data-dir", str(tmp_path / "elsewhere"), *GENERATE)
    (request_id,) = sandbox.charged
    ran = program.run("adopt", request_id, "--character", "6870", "--prompt", "At sea", "--json")
    assert (ran.code, ran.json_objects[0]["request_id"], ran.json_objects[0]["charge"]) == (0, request_id, 0.0)
    again = program.run("adopt", "-", stdin=f"{request_id}\n")
    assert (again.out, "is job 1 already" in again.err) == ("", True)
    assert program.run("watch", request_id[:8], "-o", str(tmp_path / "x.jpg")).code == 0
    assert (tmp_path / "x.jpg").read_bytes().startswith(b"\xff\xd8\xff")
    assert len(sandbox.posts) == 1


def test_a_character_is_created_once(program: Program, sandbox: Sandbox) -> None:
    ran = program.run("create-character", "A keeper", "--yes", "--json")
    assert (ran.code, ran.json_objects[0]["state"], len(program.records())) == (0, "succeeded", 1)


def test_save_copies_and_never_overwrites(program: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program.add_fast_jobs()
    program.run(*GENERATE, "--wait", "--tag", "winter")
    monkeypatch.chdir(tmp_path)
    for expected in ("9.jpg", "9-2.jpg"):
        ran = program.run("save", "tag:winter", "-o", "{id}{ext}", "--sidecar", "xmp")
        assert (ran.code, ran.out) == (0, f"{tmp_path}/{expected}\n")
        assert b"At sea" in (tmp_path / f"{expected}.xmp").read_bytes()
    program.add_jobs(a_job(state="failed"))
    assert program.run("save", "last", "-o", "x.jpg").code == 1
    assert not (tmp_path / "x.jpg").exists()


def test_export_copies_what_matches_into_a_folder(
    program: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program.add_fast_jobs()
    program.run(*GENERATE, "--wait", "--tag", "winter")
    program.run(*GENERATE, "--wait")
    program.run("star", "tag:winter")
    program.add_jobs(a_job(state="failed"))
    monkeypatch.chdir(tmp_path)
    export = ("export", "--format", "folder")
    for expected in (1, 2):
        ran = program.run(*export, "best/{type}", "--sidecar", "json", "star:yes")
        assert (ran.code, ran.out) == (0, "1 result copied to best/{type}.\n")
        assert len(list((tmp_path / "best" / "image").glob("*.jpg"))) == expected
        assert len(list((tmp_path / "best" / "image").glob("*.jpg.json"))) == expected
    # All of them: what has no result is passed over, but not where it was named.
    assert program.run(*export, "all").code == 0
    assert len(list((tmp_path / "all").iterdir())) > 2
    assert program.run(*export, "named", "last").code == 1
    assert program.run(*export, "none", "tag:nowhere").code == 2
    (tmp_path / "file").touch()
    assert [program.run(*export, path).code for path in ("-", "", "file")] == [2, 2, 2]
    assert not {"named", "none"} & {path.name for path in tmp_path.iterdir()}
    assert [each["id"] for each in json.loads(program.run("export", "-", "star:yes").out)] == [9]


def test_open_starts_the_viewer_without_the_key(program: Program, tmp_path: Path) -> None:
    program.add_fast_jobs()
    program.run(*GENERATE, "--wait")
    seen = tmp_path / "seen"
    (tmp_path / "bin").mkdir()
    write_script(tmp_path / "bin", "xdg-open", f'{{ echo "$1"; env; }} > "{seen}.new"; mv "{seen}.new" "{seen}"')
    path = f"{tmp_path}/bin:{program.environ['PATH']}"
    ran = program.with_environ({"PATH": path}).run_process("open", "last")
    assert (ran.code, ran.out) == (0, "")
    wait_until(seen.exists)
    assert "0000009.jpg" in seen.read_text()
    assert program.environ["ETERNALAI_API_KEY"] not in seen.read_text()
    program.add_jobs(a_job(state="failed"))
    assert program.run("open", "last").code == 1


HOOK_RUNS = {
    "on_finished": (GENERATE, "on_finished", ["saved"]),
    "on_failed": (("generate", "--character", "6870", "--prompt", "fault:failed"), "on_failed", ["failed"]),
}


@pytest.mark.parametrize("name", HOOK_RUNS)
def test_a_hook_is_given_the_job_and_no_key(program: Program, tmp_path: Path, name: str) -> None:
    arguments, event, states = HOOK_RUNS[name]
    program.add_fast_jobs()
    seen = tmp_path / "seen"
    script = write_script(tmp_path, "hook", f'echo "$1" >> "{seen}.args"; cat >> "{seen}.json"; env >> "{seen}.env"')
    write_config(program, f'[hooks]\n{event} = ["{script}", "{{prompt}} of {{id}}"]\n')
    program.run(*arguments, "--wait")
    job = json.loads(Path(f"{seen}.json").read_text())
    assert (job["event"], job["file_state"] or job["state"]) == (event, states[0])
    assert Path(f"{seen}.args").read_text() == f"{job['prompt']} of {job['id']}\n"
    assert program.environ["ETERNALAI_API_KEY"] not in Path(f"{seen}.env").read_text()
    (record, *_) = program.records()
    assert any(summary == f"{event} command" and "exit 0" in detail for _, summary, detail in record["timeline"])


def test_hooks_of_a_batch_and_of_a_call_run_once(program: Program, tmp_path: Path) -> None:
    program.add_fast_jobs()
    seen = tmp_path / "seen"
    script = write_script(tmp_path, "hook", f'cat >> "{seen}"')
    other = write_script(tmp_path, "other", f'echo "$@" >> "{seen}.call"')
    write_config(program, f'[hooks]\non_batch = ["{script}"]\n')
    ran = program.run(*GENERATE, "--count", "3", "--wait", "--yes", "--on-finished", f"{other} {{id}}")
    assert ran.code == 0
    (batch,) = (json.loads(line) for line in seen.read_text().splitlines())
    assert (batch["event"], len(batch["jobs"])) == ("on_batch", 3)
    assert sorted(Path(f"{seen}.call").read_text().split()) == ["10", "11", "9"]


BAD_HOOKS = {"exit 3": ("exit 3", "exit 3"), "too slow": ("sleep 60", "stopped after 0.3 s")}


@pytest.mark.parametrize("name", BAD_HOOKS)
def test_a_hook_that_fails_changes_nothing_for_the_job(program: Program, tmp_path: Path, name: str) -> None:
    text, outcome = BAD_HOOKS[name]
    program.add_fast_jobs()
    script = write_script(tmp_path, "hook", text)
    write_config(program, f'[hooks]\non_finished = ["{script}"]\ntimeout_seconds = 0.3\n')
    assert program.run(*GENERATE, "--wait").code == 0
    assert any(detail.startswith(outcome) for _, _, detail in program.records()[0]["timeline"])


def test_a_hook_that_is_not_there_is_in_the_timeline(program: Program) -> None:
    program.add_fast_jobs()
    write_config(program, '[hooks]\non_finished = ["/nowhere/hook"]\n')
    assert program.run(*GENERATE, "--wait").code == 0
    assert "could not start: No such file or directory" in program.run("show", "last").out


BAD_CONFIG = {
    "a text": 'on_finished = "notify-send"',
    "an unknown field": 'on_finished = ["x", "{nope}"]',
    "a field as command": 'on_finished = ["{file}"]',
    "an unknown hook": 'on_start = ["x"]',
}


@pytest.mark.parametrize("name", BAD_CONFIG)
def test_bad_hooks_are_2_and_nothing_is_sent(program: Program, sandbox: Sandbox, name: str) -> None:
    write_config(program, f"[hooks]\n{BAD_CONFIG[name]}\n")
    ran = program.run(*GENERATE)
    assert (ran.code, "line 2" in ran.err, sandbox.posts) == (2, True, [])


def test_results_are_copied_by_the_setting(program: Program, tmp_path: Path) -> None:
    program.add_fast_jobs()
    write_config(program, f'auto_save_to = "{tmp_path}/out"\nsidecar = "json"\nembed = true\n')
    (job,) = program.run(*GENERATE, "--wait", "--json").json_objects
    copy = Path(job["output"])
    assert (copy.parent, copy.suffix) == (tmp_path / "out", ".jpg")
    assert b"At sea" in copy.read_bytes()
    assert Path(f"{copy}.json").exists()


def test_a_folder_for_copies_that_cannot_be_used_is_said(program: Program) -> None:
    program.add_fast_jobs()
    write_config(program, 'auto_save_to = "/dev/null/out"\n')
    ran = program.run(*GENERATE, "--wait", "--json")
    assert (ran.code, ran.json_objects[0]["output"]) == (0, None)
    assert "auto_save_to: /dev/null is not a folder" in ran.err


@pytest.mark.parametrize("fault", [Fault.LOST_ANSWER])
def test_on_failed_runs_for_an_unconfirmed_job(
    program: Program, sandbox: Sandbox, tmp_path: Path, fault: Fault
) -> None:
    seen = tmp_path / "seen"
    script = write_script(tmp_path, "hook", f'cat > "{seen}"')
    write_config(program, f'[hooks]\non_failed = ["{script}"]\n')
    sandbox.inject(fault, times=1)
    assert program.run(*GENERATE, "--wait").code == 5
    assert json.loads(seen.read_text())["state"] == "unconfirmed"


def write_config(program: Program, text: str) -> None:
    path = Path(program.environ["XDG_CONFIG_HOME"]) / "eternal-tui" / "config.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_hooks_run_once_across_instances(program: Program, sandbox: Sandbox, tmp_path: Path) -> None:
    """Three processes wait for one batch: who saves a file runs its command, and one runs that of the batch."""
    seen = tmp_path / "seen"
    finished = write_script(tmp_path, "finished", f'echo "$1" >> "{seen}"')
    batch = write_script(tmp_path, "batch", f'echo batch >> "{seen}"')
    program.add_fast_jobs()
    program.run(*GENERATE, "--count", "4", "--yes")
    write_config(program, f'[hooks]\non_finished = ["{finished}", "{{id}}"]\non_batch = ["{batch}"]\n')
    with (
        program.start_process("watch", "9", "10", "--json") as first,
        program.start_process("watch", "11", "--json") as second,
        program.start_process("watch", "--json") as third,
    ):
        assert [process.wait(60) for process in (first, second, third)] == [0, 0, 0]
    assert sorted(seen.read_text().split()) == ["10", "11", "12", "9", "batch"]


def test_a_result_is_fetched_from_a_url_found_elsewhere(program: Program, sandbox: Sandbox) -> None:
    program.add_fast_jobs()
    (job,) = program.run(*GENERATE, "--wait", "--json").json_objects
    Path(job["file"]).unlink()
    raw = json.loads(run_unchecked(program, "show", "last", "--json", "--raw")["last_answer"])
    url = next(value for value in raw.values() if isinstance(value, str) and value.startswith("http"))
    assert program.run("fetch", "1", "2", "--url", url).code == 2
    refused = program.run("fetch", "last", "--url", "ftp://127.0.0.1/x.jpg")
    assert (refused.code, program.run("show", "last", "--json").json_objects[0]["file"]) == (2, None)
    fetched = program.run("fetch", "last", "--url", url, "--json")
    assert fetched.code == 0, fetched.err
    assert fetched.json_objects[-1]["file_state"] == "saved"


def run_unchecked(program: Program, *arguments: str) -> dict[str, str]:
    """Run as a process whose output may contain a signed URL."""
    with program.start_process(*arguments) as process:
        out, _ = process.communicate(timeout=60)
    found: dict[str, str] = json.loads(out)
    return found


def test_at_most_so_many_hooks_run_at_once(program: Program, tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    script = write_script(tmp_path, "hook", f'echo begin >> "{seen}"; sleep 0.1; echo end >> "{seen}"')
    program.add_fast_jobs()
    write_config(program, f'[hooks]\non_finished = ["{script}"]\nmax_running = 1\n')
    assert program.run(*GENERATE, "--count", "4", "--wait", "--yes").code == 0
    assert seen.read_text().split() == ["begin", "end"] * 4
