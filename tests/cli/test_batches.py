"""Batches: input files checked whole, what is sent of them, kills in the middle, copies of the results."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest

from eternal_tui.sandbox.server import Sandbox
from tests.cli.program import Program, wait_until

CSV = """\
character,prompt,type,duration,audio,quality,count,tags,output
6870,At sea,image,,,high,1,winter sea,
6870,"In snow,
at night",video,2,false,,2,,
"""
JSON_LINES = """\
{"character": "6870", "prompt": "At sea", "quality": "high", "tags": ["winter", "sea"]}

{"prompt": "In snow,\\nat night", "type": "video", "duration": 2, "audio": false, "count": 2}
"""


def bodies(sandbox: Sandbox) -> list[dict[str, object]]:
    # A process that is killed may leave a POST without its body.
    return [json.loads(call.body) for call in sandbox.posts if call.body.endswith(b"}")]


@pytest.mark.parametrize(
    ("name", "text"),
    [("a.csv", CSV), ("a.csv", "\ufeff" + CSV), ("a.txt", CSV.replace(",", ";").replace("snow;", "snow,")),
     ("a.jsonl", JSON_LINES), ("a", "\ufeff" + JSON_LINES), ("-", JSON_LINES), ("-", "\ufeff" + CSV)],
)  # fmt: skip
def test_input_is_sent_line_by_line(program: Program, sandbox: Sandbox, tmp_path: Path, name: str, text: str) -> None:
    path = str(tmp_path / name)
    if name != "-":
        Path(path).write_text(text)
    arguments = ("generate", "--character", "6870", "--tag", "all", "--json", "--input")
    ran = program.run(*arguments, "-", stdin=text) if name == "-" else program.run(*arguments, path)
    assert (ran.code, len(ran.err.splitlines())) == (0, 1)
    snow = {"images": ["6870"], "prompt": "In snow,\nat night", "type": "video", "duration": 2, "audio": False}
    sea = {"images": ["6870"], "prompt": "At sea", "type": "image", "quality": "high"}
    assert bodies(sandbox) == [sea, snow, snow]
    assert [(job["index"], job["tags"]) for job in ran.json_objects] == [
        (1, ["all", "winter", "sea"]), (2, ["all"]), (3, ["all"])
    ]  # fmt: skip
    (batch,) = {job["batch"] for job in ran.json_objects}
    assert batch in ran.err
    listed = program.run("jobs", f"batch:{batch}", "--json").json_objects
    assert [job["index"] for job in listed] == [3, 2, 1]


BAD_INPUT = {
    "two errors": ("a.jsonl", '{"prompt": ""}\n{"prompt": "x", "duration": 9, "type": "video"}\n',
                   ["line 1, column 12:", "line 2, column 29:", "2 errors"]),
    "not JSON": ("a.jsonl", '{"prompt": "x"}\n{"prompt": "x",}\n', ["line 2, column"]),
    "an array": ("a.json", '[{"prompt": "x"}]', ["line 1, column 1", "one JSON object per line"]),
    "an unknown field": ("a.jsonl", '{"promt": "x"}', ['unknown field "promt"', "line 1, column 2"]),
    "a field twice": ("a.jsonl", '{"prompt": "x", "prompt": "y"}', ["twice"]),
    "tags as text": ("a.jsonl", '{"prompt": "x", "tags": "a b"}', ["tags is a list"]),
    "a prompt that is no text": ("a.jsonl", '{"prompt": 7}', ["prompt is text"]),
    "a count": ("a.jsonl", '{"prompt": "x", "count": 0}', ["--count", "column 26"]),
    "an unknown column": ("a.csv", "promt\nx\n", ['unknown column "promt"', "line 1, column 1"]),
    "no prompt column": ("a.csv", "character\n6870\n", ["no column prompt"]),
    "too many cells": ("a.csv", "prompt,type\nx,image,3\n", ["line 2, column 3"]),
    "an open quote": ("a.csv", 'prompt\n"x\n', ["not valid CSV"]),
    "a wrong cell": ("a.csv", "prompt,audio,type\nx,maybe,video\n", ["line 2, column audio", "true or false"]),
    "no requests": ("a.csv", "prompt\n\n", ["no requests"]),
    "nothing at all": ("a.jsonl", "", ["no requests"]),
    "not UTF-8": ("a.jsonl", '{"prompt": "x"}\n{"prompt": "\udcff"}', ["line 2, column 13", "UTF-8"]),
    "an open template": ("a.jsonl", '{"prompt": "a {b|c"}', ["line 1, column 12"]),
    "an output with an unknown field": ("a.jsonl", '{"prompt": "a", "output": "{x}"}', ["line 1", "{x}"]),
    "no such file": ("", "", ["cannot be read"]),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD_INPUT)
def test_bad_input_is_reported_by_line_and_nothing_is_sent(
    program: Program, sandbox: Sandbox, tmp_path: Path, name: str
) -> None:
    file_name, text, words = BAD_INPUT[name]
    path = tmp_path / (file_name or "missing")
    if file_name:
        path.write_bytes(text.encode("utf-8", "surrogateescape"))
    ran = program.run("generate", "--input", str(path), "--character", "6870", "--wait")
    assert (ran.code, ran.out, sandbox.posts) == (2, "", [])
    assert [word for word in (*words, "Nothing was sent") if word not in ran.err] == []


MULTIPLIED = {
    "characters and prompts": (("--character", "6870", "--character", "Elara", "--prompt", "a", "--prompt", "b"), 4, 4),
    "count": (("--character", "6870", "--prompt", "a", "--prompt", "b", "--count", "2"), 4, 2),
    "a template": (("--character", "6870", "--prompt", "a {red|blue} {hat|coat}"), 4, 4),
    "literal braces": (("--character", "6870", "--prompt", "a {{red|blue}}"), 1, 1),
}


@pytest.mark.parametrize("name", MULTIPLIED)
def test_repeated_options_multiply(program: Program, sandbox: Sandbox, name: str) -> None:
    arguments, count, different = MULTIPLIED[name]
    ran = program.run("generate", *arguments, "--yes", "--json")
    assert (ran.code, len(sandbox.posts)) == (0, count)
    assert len({json.dumps(body) for body in bodies(sandbox)}) == different
    template = arguments[-1] if "{" in arguments[-1] else None
    assert {job["template"] for job in ran.json_objects} == {template}


def test_a_byte_order_mark_is_not_part_of_a_prompt(program: Program, sandbox: Sandbox) -> None:
    assert program.run("generate", "--character", "6870", stdin="\ufeffAt sea\n").code == 0
    assert bodies(sandbox)[0]["prompt"] == "At sea"


def test_bytes_that_are_no_text_are_not_sent_by_a_process(program: Program, sandbox: Sandbox, tmp_path: Path) -> None:
    path = tmp_path / "prompts"
    path.write_bytes(b"At sea \xff\n")
    with path.open("rb") as file:
        ran = program.run_process("generate", "--character", "6870", stdin=file)
    assert (ran.code, "UTF-8" in ran.err, sandbox.posts) == (2, True, [])


@pytest.mark.parametrize(
    ("count", "kills"), [(30, (5, 15, 22)), pytest.param(1_000, tuple(range(40, 1_000, 75)), marks=pytest.mark.long)]
)
def test_resume_sends_only_what_was_not_sent(
    program: Program, sandbox: Sandbox, tmp_path: Path, count: int, kills: tuple[int, ...]
) -> None:
    """Kills in the middle of a batch: every line is sent at most once, and all of them in the end."""
    lines = [f"line {number}" for number in range(count)]
    path = tmp_path / "batch.jsonl"
    path.write_text("".join(json.dumps({"prompt": line, "character": "6870"}) + "\n" for line in lines))
    arguments = ("generate", "--input", str(path), "--yes")
    for number, sent in enumerate(kills):
        with program.start_process(*arguments, *(["--resume"] if number else [])) as process:
            wait_until(lambda sent=sent: len(sandbox.posts) >= sent)  # type: ignore[misc]
            process.send_signal(signal.SIGKILL)
    last = program.run(*arguments, "--resume", "--json")
    assert last.code == 0
    prompts = [str(body["prompt"]) for body in bodies(sandbox)]
    assert len(prompts) == len(set(prompts))
    states = {record["request"]["prompt"]: record["state"] for record in program.records()}
    assert set(states) == set(lines)
    assert {record["batch"] for record in program.records()} == {last.json_objects[0]["batch"]}
    assert program.run(*arguments, "--resume").out == ""


def test_resume_finds_the_batch_of_the_same_input(program: Program, sandbox: Sandbox, tmp_path: Path) -> None:
    """Another input that shares a line was sent since: its batch is not mistaken for this one."""
    first, second = tmp_path / "a.jsonl", tmp_path / "b.jsonl"
    first.write_text('{"prompt": "a"}\n{"prompt": "b"}\n')
    second.write_text('{"prompt": "b"}\n{"prompt": "c"}\n')
    for path in (first, second):
        assert program.run("generate", "--input", str(path), "--character", "6870", "--yes").code == 0
    ran = program.run("generate", "--input", str(first), "--character", "6870", "--yes", "--resume")
    assert (ran.code, ran.out, len(sandbox.posts)) == (0, "", 4)
    first.write_text('{"prompt": "a"}\n{"prompt": "b"}\n{"prompt": "d"}\n')
    program.run("generate", "--input", str(first), "--character", "6870", "--yes", "--resume")
    assert [body["prompt"] for body in bodies(sandbox)] == ["a", "b", "b", "c", "d"]


def test_every_unknown_character_is_reported(program: Program, sandbox: Sandbox, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("character,prompt\nNobody,x\n6870,x\nNowhere,x\n")
    ran = program.run("generate", "--input", str(path), "--yes")
    assert (ran.code, sandbox.posts, len(ran.err.splitlines())) == (2, [], 2)
    assert all(word in ran.err for word in ("line 2", "line 4", "Nothing was sent"))


OUTPUTS = {
    "a file": ("x/sea.jpg", "x/sea.jpg"),
    "a folder": ("x/", "x/"),
    "a template": ("x/{character}/{n}-{prompt:6}{ext}", "x/6870/1-At-sea.jpg"),
    "without an ending": ("x/{id}", "x/9.jpg"),
    "a prompt with dots": ("x/{prompt}", "x/At-sea-.-harbour.jpg"),
    "braces": ("x/{{{id}}}{ext}", "x/{9}.jpg"),
}


@pytest.mark.parametrize("name", OUTPUTS)
def test_results_are_copied_where_output_says(program: Program, tmp_path: Path, name: str) -> None:
    template, expected = OUTPUTS[name]
    program.add_fast_jobs()
    ran = program.run(
        "generate", "--character", "6870", "--prompt", "At sea/../harbour", "--wait", "--json", "-o", template,
        "--sidecar", "json", "--embed",
    )  # fmt: skip
    assert (ran.code, ran.err) == (0, "")
    (job,) = ran.json_objects
    copy = Path(job["output"])
    assert str(copy).startswith(f"{tmp_path}/{expected}")
    assert b"At sea/../harbour" in copy.read_bytes()
    sidecar = json.loads(Path(f"{copy}.json").read_text())
    assert (sidecar["prompt"], sidecar["request_id"]) == ("At sea/../harbour", job["request_id"])
    again = program.run("fetch", "last", "--json", "-o", template)
    second = Path(again.json_objects[-1]["output"])
    assert (again.code, second.name) == (0, f"{copy.stem}-2{copy.suffix}")
    assert second.read_bytes() == Path(job["file"]).read_bytes()


def test_a_timeout_is_6_and_the_jobs_go_on(program: Program) -> None:
    arguments = ("generate", "--character", "6870", "--prompt", "fault:stuck", "--wait", "--timeout", "0.5", "--json")
    ran = program.run(*arguments)
    assert (ran.code, [job["state"] for job in ran.json_objects]) == (6, ["running"])
    watched = program.run("watch", "last", "--timeout", "0.3")
    assert (watched.code, "eternal-tui watch" in watched.err) == (6, True)
