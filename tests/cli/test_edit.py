"""Jobs named on the command line, and the commands that mark, delete, restore, retry, adopt, copy and open them."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from eternal_tui.api.models import GenerateRequest
from eternal_tui.history.lock import InstanceLock
from eternal_tui.sandbox.server import Sandbox
from tests.cli.program import GENERATE, Program, a_job, wait_until, write_script


@pytest.fixture
def four(program: Program) -> Program:
    program.add_jobs(
        a_job(request_id="abcd-1", ended_after=1.0, batch="5e1f00aa", tags=("winter",)),
        a_job(request_id="abcd-2", state="failed", error="no", batch="5e1f00aa"),
        a_job(request_id="beef-3", request=GenerateRequest(character="7", prompt="In snow", type="video")),
        a_job(request_id="12345678", state="unconfirmed"),
    )
    return program


REFERENCES: dict[str, tuple[tuple[str, ...], str, list[int]]] = {
    "several, each once": (("2", "1", "2"), "", [2, 1]),
    "last": (("last",), "", [4]),
    "a request id": (("abcd-1",), "", [1]),
    "a request id of digits": (("12345678",), "", [4]),
    "the beginning of a request id": (("beef",), "", [3]),
    "the beginning of an id of digits": (("1234",), "", [4]),
    "a batch": (("5e1f00aa",), "", [2, 1]),
    "a filter": (("state:failed,unconfirmed",), "", [4, 2]),
    "a filter of words": (("in snow",), "", [3]),
    "ids on stdin": (("-",), "3 1\n2\n", [3, 1, 2]),
    "JSON on stdin": (("-",), '{"id": 3, "x": 1}\n{"id": 1}\n', [3, 1]),
}


@pytest.mark.parametrize("name", REFERENCES)
def test_references_name_jobs(four: Program, name: str) -> None:
    arguments, stdin, ids = REFERENCES[name]
    ran = four.run("show", "--json", *arguments, stdin=stdin)
    assert (ran.code, [job["id"] for job in ran.json_objects]) == (0, ids)


@pytest.mark.parametrize("command", ["show", "delete", "star", "watch"])
def test_an_ambiguous_reference_and_one_without_an_id_change_nothing(four: Program, command: str) -> None:
    for reference, stdin, words in (("abcd", "", "2 request ids begin with"), ("-", '{"ip": 3}', "no job ids")):
        ran = four.run(command, reference, stdin=stdin)
        assert (ran.code, ran.out, words in ran.err, len(four.records())) == (2, "", True, 4)


MARKS: dict[str, tuple[tuple[tuple[str, ...], ...], list[int], dict[str, object]]] = {
    "star": ((("star", "1", "2"),), [1, 2], {"starred": True}),
    "star --off": ((("star", "1"), ("star", "1", "--off")), [1], {"starred": False}),
    "tag": ((("tag", "2", "snow", "#sea,sky", "Snow"),), [2], {"tags": ["snow", "sea", "sky"]}),
    "tag --remove": ((("tag", "1", "sea"), ("tag", "1", "WINTER", "--remove")), [1], {"tags": ["sea"]}),
    "tag --remove all": ((("tag", "tag:winter", "--remove"),), [1], {"tags": []}),
    "note": ((("note", "3", "for the cover"),), [3], {"note": "for the cover"}),
    "note removed": ((("note", "3", "x"), ("note", "3", "")), [3], {"note": ""}),
}


@pytest.mark.parametrize("name", MARKS)
def test_marks_are_set_and_reach_an_open_history(four: Program, name: str) -> None:
    runs, ids, fields = MARKS[name]
    with four.open_history() as history:
        for arguments in runs:
            assert four.run(*arguments).code == 0
        assert history.read_changes()
        for job_id in ids:
            record = history.get(job_id) or {}
            assert {key: record.get(key) for key in fields} == fields


def test_delete_is_undone_by_a_later_run(four: Program) -> None:
    before = four.records()
    assert four.run("delete", "1", "2").out.startswith("Deleted 2 jobs")
    assert len(four.records()) == 2
    assert four.run("delete", "4", "--yes").code == 0
    assert four.run("undo").out == "job 4 · restored\n"
    assert four.run("undo").code == 0
    assert four.records() == before
    assert (four.run("undo").code, four.run("undo").err) == (1, "Nothing to undo.\n")
    (four.data_dir / "deleted.json").write_text(json.dumps([{"at": 1.0, "jobs": {"x": {}}}]))
    assert four.run("undo").code == 1


@pytest.mark.parametrize("job", ["3", "4"])
def test_delete_asks_before_it_drops_what_is_charged(four: Program, job: str) -> None:
    refused = four.run("delete", job)
    assert (refused.code, "--yes" in refused.err, len(four.records())) == (2, True, 4)
    assert four.run("delete", job, "--yes").code == 0


def test_a_job_being_sent_is_not_deleted(four: Program) -> None:
    sender = InstanceLock.acquire(four.data_dir, time.time)
    four.add_jobs(a_job(state="submitting", owner=sender.id))
    assert four.run("delete", "5", "--yes").code == 2
    assert len(four.records()) == 5
    sender.release()


def test_retry_links_both_jobs_and_works_once(program: Program, sandbox: Sandbox) -> None:
    program.add_jobs(a_job(state="failed", error="no", batch="5e1f00aa", batch_index=4, tags=("winter",)))
    (job,) = program.run("retry", "1", "--json").json_objects
    assert (job["id"], job["retry_of"], job["batch"], job["index"], job["tags"]) == (2, 1, "5e1f00aa", 4, ["winter"])
    assert program.run("show", "1", "--json").json_objects[0]["retried_by"] == 2
    again = program.run("retry", "1")
    assert (again.code, "already retried as job 2" in again.err, len(sandbox.posts)) == (2, True, 1)


def test_retry_for_a_character_under_18_sends_nothing(program: Program, sandbox: Sandbox) -> None:
    program.add_jobs(a_job(state="failed", request=GenerateRequest(character="6939", prompt="At sea", type="image")))
    refused = program.run("retry", "1", "--yes")
    assert (refused.code, "under 18" in refused.err, sandbox.posts) == (2, True, [])


def test_retry_of_an_unconfirmed_job_wants_yes(program: Program, sandbox: Sandbox) -> None:
    program.add_jobs(a_job(state="unconfirmed", request_id=None))
    refused = program.run("retry", "last")
    assert (refused.code, "--yes" in refused.err, sandbox.posts) == (2, True, [])
    assert program.run("retry", "last", "--yes").code == 0


def test_again_repeats_a_request_but_no_creation(program: Program, sandbox: Sandbox) -> None:
    program.run(*GENERATE, "--quality", "high", "--tag", "sea")
    ran = program.run("again", "last", "--json")
    first, second = (json.loads(call.body) for call in sandbox.posts)
    assert (ran.code, first == second, ran.json_objects[0]["tags"]) == (0, True, ["sea"])
    created = program.run("create-character", "A keeper", "--yes", "--json")
    assert (created.code, created.json_objects[0]["state"], len(program.records())) == (0, "succeeded", 3)
    refused = program.run("again", "last")
    assert (refused.code, "create-character" in refused.err, len(program.records())) == (2, True, 3)


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


def test_save_copies_and_never_overwrites(program: Program, tmp_path: Path) -> None:
    program.add_fast_jobs()
    program.run(*GENERATE, "--wait", "--tag", "winter")
    for expected in ("9.jpg", "9-2.jpg"):
        ran = program.run("save", "tag:winter", "-o", "{id}{ext}", "--sidecar", "xmp")
        assert (ran.code, ran.out) == (0, f"{tmp_path}/{expected}\n")
        assert b"At sea" in (tmp_path / f"{expected}.xmp").read_bytes()
    program.add_jobs(a_job(state="failed"))
    assert program.run("save", "last", "-o", "x.jpg").code == 1
    assert not (tmp_path / "x.jpg").exists()


def test_export_copies_what_matches_into_a_folder(program: Program, tmp_path: Path) -> None:
    program.add_fast_jobs()
    program.run(*GENERATE, "--wait", "--tag", "winter")
    program.run("star", "tag:winter")
    program.add_jobs(a_job(state="failed"))
    export = ("export", "--format", "folder")
    for expected in (1, 2):
        ran = program.run(*export, "best/{type}", "--sidecar", "json", "star:yes")
        assert (ran.code, ran.out) == (0, "1 result copied to best/{type}.\n")
        assert len(list((tmp_path / "best" / "image").glob("*.jpg.json"))) == expected
    # All of them: what has no result is left out, but not where it was named.
    assert program.run(*export, "all").code == 0
    assert program.run(*export, "named", "last").code == 1
    (tmp_path / "file").touch()
    assert [program.run(*export, path).code for path in ("-", "", "file")] == [2, 2, 2]
    assert not (tmp_path / "named").exists()


def test_open_starts_the_viewer_without_the_key(program: Program, tmp_path: Path) -> None:
    program.add_fast_jobs()
    program.run(*GENERATE, "--wait")
    seen = tmp_path / "seen"
    write_script(tmp_path / "bin" / "xdg-open", f'{{ echo "$1"; env; }} > "{seen}.new"; mv "{seen}.new" "{seen}"')
    path = f"{tmp_path}/bin:{program.environ['PATH']}"
    ran = program.with_environ({"PATH": path}).run_process("open", "last")
    assert (ran.code, ran.out) == (0, "")
    wait_until(seen.exists)
    assert "0000009.jpg" in seen.read_text()
    assert program.environ["ETERNALAI_API_KEY"] not in seen.read_text()
    program.add_jobs(a_job(state="failed"))
    assert program.run("open", "last").code == 1


def test_a_result_is_fetched_from_a_url_found_elsewhere(program: Program) -> None:
    program.add_fast_jobs()
    (job,) = program.run(*GENERATE, "--wait", "--json").json_objects
    Path(job["file"]).unlink()
    with program.start_process("show", "last", "--json", "--raw") as process:
        out, _ = process.communicate(timeout=60)
    raw = json.loads(json.loads(out)["last_answer"])
    url = next(value for value in raw.values() if isinstance(value, str) and value.startswith("http"))
    assert program.run("fetch", "1", "2", "--url", url).code == 2
    refused = program.run("fetch", "last", "--url", "ftp://127.0.0.1/x.jpg")
    assert (refused.code, program.run("show", "last", "--json").json_objects[0]["file"]) == (2, None)
    fetched = program.run("fetch", "last", "--url", url, "--json")
    assert (fetched.code, fetched.json_objects[-1]["file_state"]) == (0, "saved")
