"""The documented shell command: read whole, written safely."""

from __future__ import annotations

import contextlib
import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eternal_tui.api.curl import CurlError, is_curl_command, parse_curl, to_curl, to_json, to_python
from eternal_tui.api.models import GenerateRequest, InvalidRequest, validation_errors

BASE_URL = "https://open.eternalai.org"
DOCUMENTED = """curl --location 'https://open.eternalai.org/v2/base/generate' \\
--header 'Content-Type: application/json' \\
--header 'x-api-key: <YOUR_API_KEY>' \\
--data '{
"images": ["6870"],
"prompt": "The person waves and smiles",
"type": "video",
"duration": 4
}'"""
DOCUMENTED_BODY = DOCUMENTED.rpartition("--data '")[2].rstrip("'").replace("\n", "")
DOCUMENTED_REQUEST = GenerateRequest(character="6870", prompt="The person waves and smiles", type="video", duration=4)
HOSTILE = "it's $(touch pwned) `id` \\ \"quoted\" $HOME ; | & \n'\\''\u202e\x1b[31m\x9b é 日本 👩‍🚀 !! %s {}"

REQUESTS = st.one_of(
    st.builds(
        GenerateRequest,
        character=st.from_regex(r"[A-Za-z0-9_-]{1,64}", fullmatch=True),
        prompt=st.text(min_size=1),
        type=st.just("video"),
        duration=st.none() | st.integers(1, 5),
        audio=st.none() | st.booleans(),
    ),
    st.builds(
        GenerateRequest,
        character=st.from_regex(r"[0-9]{1,9}", fullmatch=True),
        prompt=st.text(min_size=1),
        type=st.just("image"),
        quality=st.sampled_from([None, "low", "high"]),
    ),
).filter(lambda request: not validation_errors(request))


def test_reads_the_documented_command() -> None:
    assert parse_curl(DOCUMENTED) == DOCUMENTED_REQUEST


@pytest.mark.parametrize(
    "command",
    [
        DOCUMENTED.replace("\n", "\r\n"), DOCUMENTED.replace("\n", "\r"), "$ " + DOCUMENTED, DOCUMENTED + " | jq .",
        DOCUMENTED + " > out.json", DOCUMENTED + "\nrm -rf /tmp/x",
        DOCUMENTED.replace("--data", "-d").replace("--header", "-H").replace("--location", "-sSL"),
        DOCUMENTED.replace("--data ", "--data-raw $").replace("curl", "curl.exe", 1),
        DOCUMENTED.replace('["6870"]', "[6870]"), DOCUMENTED.replace("--location ", "-X POST --url "),
        f'curl "https://h/v2/base/generate" -d {json.dumps(DOCUMENTED_BODY)}',
    ],
)  # fmt: skip
def test_reads_its_common_spellings(command: str) -> None:
    assert parse_curl(command) == DOCUMENTED_REQUEST


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        ("wget https://x/v2/base/generate", "Not a curl"),
        ("curl https://open.eternalai.org/v2/characters", "does not call"),
        ("curl https://open.eternalai.org/v2/base/generate", "no --data"), (DOCUMENTED[:-1], "unclosed quote"),
        ("curl https://h/v2/base/generate -d @body.json", "from a file"),
        ("curl https://h/v2/base/generate -d 'hello'", "not JSON"),
        ("curl https://h/v2/base/generate -d '[1]'", "not a JSON object"),
        ("curl https://h/v2/base/generate -d '" + "[" * 60_000 + "'", "not JSON"),
        (DOCUMENTED.replace('["6870"]', '["6870", "6871"]'), "exactly one"),
        (DOCUMENTED.replace("4\n", '"4"\n'), "duration"), (DOCUMENTED.replace("4\n", "true\n"), "duration"),
        (DOCUMENTED.replace('"type": "video",', ""), "lacks"), ("curl " + "x" * 200_000, "too long"),
    ],
)  # fmt: skip
def test_says_why_a_command_cannot_be_read(command: str, sentence: str) -> None:
    with pytest.raises(CurlError, match=sentence):
        parse_curl(command)


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        ('["6870"]', '["https://example.org/a.png"]', "character"),
        ("waves", "\\ud800", "prompt"),
        ("4\n", "9\n", "duration"),
        ('"duration": 4', '"quality": "high"', "quality"),
    ],
)
def test_a_broken_rule_is_told_by_field(old: str, new: str, field: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse_curl(DOCUMENTED.replace(old, new))
    assert set(caught.value.field_errors) == {field}


@given(st.text(alphabet=st.sampled_from("curl -dH'\"\\$@{}[]:/,|;\n\r generate\u202e"), max_size=80))
def test_any_text_is_read_or_refused_in_words(text: str) -> None:
    for command in (text, f"curl {text}", f"curl https://h/v2/base/generate -d {text}"):
        with contextlib.suppress(CurlError, InvalidRequest):
            assert not validation_errors(parse_curl(command))


def test_a_prompt_that_begins_with_the_word_is_a_prompt() -> None:
    assert not is_curl_command("curl her hair and let it shine")
    assert is_curl_command(DOCUMENTED)
    assert is_curl_command("  $ " + DOCUMENTED)


@given(REQUESTS)
def test_what_is_copied_can_be_pasted(request: GenerateRequest) -> None:
    assert parse_curl(to_curl(request, BASE_URL)).body() == request.body()


@given(REQUESTS)
def test_copied_text_holds_nothing_a_terminal_would_obey(request: GenerateRequest) -> None:
    for text in (to_json(request), to_curl(request, BASE_URL), to_python(request, BASE_URL)):
        assert text.replace("\n", "").isprintable()
    assert json.loads(to_json(request)) == request.body()


@pytest.fixture
def fake_curl(tmp_path: Path) -> dict[str, str]:
    """An environment whose `curl` prints its arguments as JSON."""
    program = tmp_path / "curl"
    program.write_text(f"#!{sys.executable}\nimport json, sys\nprint(json.dumps(sys.argv[1:]))\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return {"PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}", "ETERNALAI_API_KEY": "the-key"}


def _run_and_read_arguments(command: str, environment: dict[str, str], folder: Path) -> list[str]:
    done = subprocess.run(
        ["sh", "-c", command], env=environment, capture_output=True, check=True, cwd=folder, timeout=30
    )
    assert done.stderr == b""
    found: list[str] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("prompt", [HOSTILE, "'", "'; echo pwned; '", "@/etc/passwd", "-o x", "\na", "\\"])
def test_a_shell_hands_a_hostile_prompt_over_unchanged(prompt: str, fake_curl: dict[str, str], tmp_path: Path) -> None:
    """Run by a real shell."""
    request = GenerateRequest(character="6870", prompt=prompt, type="image", quality="low")
    before = sorted(tmp_path.iterdir())
    arguments = _run_and_read_arguments(to_curl(request, BASE_URL), fake_curl, tmp_path)
    assert arguments[0] == "https://open.eternalai.org/v2/base/generate"
    assert "x-api-key: the-key" in arguments
    assert json.loads(arguments[arguments.index("--data-raw") + 1]) == request.body()
    assert sorted(tmp_path.iterdir()) == before


def test_the_key_stays_a_variable_and_is_not_carried_along_redirects() -> None:
    command = to_curl(DOCUMENTED_REQUEST, BASE_URL + "/", "Authorization")
    assert '"Authorization: Bearer $ETERNALAI_API_KEY"' in command
    assert "--location" not in command


@pytest.mark.parametrize("header", ["x-api-key: a", 'x"; rm', "x\nb", "", "$(id)"])
def test_a_header_name_that_is_none_is_refused(header: str) -> None:
    with pytest.raises(ValueError, match="header"):
        to_curl(DOCUMENTED_REQUEST, BASE_URL, header)
    with pytest.raises(ValueError, match="header"):
        to_python(DOCUMENTED_REQUEST, BASE_URL, header)


@settings(max_examples=50)
@given(REQUESTS)
def test_the_python_is_a_program_that_posts_the_same_body(request: GenerateRequest) -> None:
    """The program is run with a stand-in for httpx that records the call."""
    calls: list[dict[str, object]] = []

    class Answer:
        def raise_for_status(self) -> None: ...
        def json(self) -> dict[str, object]:
            return {}

    class Httpx:
        @staticmethod
        def post(url: str, **options: object) -> Answer:
            calls.append({"url": url, **options})
            return Answer()

    program = to_python(request, BASE_URL).replace("import httpx\n", "").replace("print(", "str(")
    code = compile(program.replace('os.environ["ETERNALAI_API_KEY"]', '"k"'), "copied.py", "exec")
    exec(code, {"httpx": Httpx})
    assert calls[0]["url"] == f"{BASE_URL}/v2/base/generate"
    assert calls[0]["json"] == request.body()
    assert calls[0]["headers"] == {"x-api-key": "k"}
