"""What is copied of a job: the real text, never the key, never what a shell would act on."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eternal_tui.api.curl import parse_curl
from eternal_tui.core.sanitize import Shown, Untrusted, shown
from eternal_tui.jobs.model import FileState, Job, JobState
from eternal_tui.tui.screens.copy import Copyable, copied, copyables, refusal, too_long
from tests.tui.jobs import a_job

RESULTS = Path("/data/results")


def found(job: Job, header: str = "x-api-key") -> dict[str, Copyable]:
    items = copyables(job, results=RESULTS, base_url="https://open.eternalai.org", header=header)
    return {one.id: one for one in items}


def finished(**fields: object) -> Job:
    given: dict[str, object] = {
        "state": JobState.SUCCEEDED,
        "file": "12.jpg",
        "file_state": FileState.SAVED,
        "result_url": Untrusted("https://cdn.example/r?sig=1"),
        "request_id": "req-1",
    }
    return a_job(12, **{**given, **fields})  # type: ignore[arg-type]


def test_a_finished_job_has_everything_to_copy() -> None:
    texts = {name: one.text for name, one in found(finished()).items()}
    assert list(texts) == ["path", "link", "prompt", "request_id", "curl", "python", "json"]
    assert texts["path"] == "/data/results/12.jpg"
    assert texts["link"] == "https://cdn.example/r?sig=1"
    assert texts["request_id"] == "req-1"


def test_only_what_exists_is_offered() -> None:
    """Seen to fail with a path made for every job, whether its file was kept or not."""
    assert set(found(a_job(state=JobState.REJECTED))) == {"prompt", "curl", "python", "json"}
    assert "path" not in found(finished(file_state=FileState.BROKEN))
    assert "path" not in found(finished(file="../../.ssh/id_rsa"))


def test_the_prompt_is_copied_as_it_is() -> None:
    """Seen to fail with the prompt as it is shown, where a newline is a sign and a flag is two letters."""
    prompt = "Zwölf Boxkämpfer\n\tan der Förde 🇳🇴 — ‘quoted’ $HOME `date`"
    one = found(finished(prompt=prompt))["prompt"]
    assert one.text == prompt
    assert refusal(one) == ""


@pytest.mark.parametrize("header", ["x-api-key", "Authorization"])
def test_the_key_stays_a_variable(header: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Seen to fail against a curl command with the key filled in from the environment."""
    monkeypatch.setenv("ETERNALAI_API_KEY", "sk_secret_of_somebody")
    for one in found(finished(), header).values():
        assert "sk_secret" not in one.text
    assert "$ETERNALAI_API_KEY" in found(finished(), header)["curl"].text
    assert "ETERNALAI_API_KEY" in found(finished(), header)["python"].text


@given(st.text(max_size=60))
def test_what_is_copied_holds_nothing_a_shell_acts_on(prompt: str) -> None:
    """Seen to fail with a refusal that knew only ESC: CR runs the pasted line."""
    for one in found(finished(prompt=prompt)).values():
        if not refusal(one):
            assert not any(ord(sign) < 32 and sign not in "\n\t" for sign in one.text)
            assert not any(0x7F <= ord(sign) <= 0x9F for sign in one.text)


@given(st.text(max_size=60))
def test_commands_and_json_can_be_copied_whatever_the_prompt_holds(prompt: str) -> None:
    items = found(finished(prompt=prompt))
    assert [refusal(items[name]) for name in ("curl", "json")] == ["", ""]


def test_the_curl_command_comes_back_as_the_same_request() -> None:
    job = finished(prompt='It\'s "quoted" \\ $HOME\nand goes on')
    text = found(job)["curl"].text
    assert parse_curl(text) == job.request
    assert len(shlex.split(text.replace("\\\n", ""))) == 8


@pytest.mark.parametrize("sign", ["\x1b", "\r", "\x00", "\x7f", "\x9b", "\x08"])
def test_a_control_character_in_the_prompt_is_refused_and_named(sign: str) -> None:
    told = refusal(found(finished(prompt=f"a{sign}b"))["prompt"])
    assert f"U+{ord(sign):04X}" in told
    assert told == shown(told)


def test_a_link_or_an_id_of_several_lines_is_refused() -> None:
    """Seen to fail where links could hold newlines, as prompts may: the shell would run the second line."""
    items = found(finished(result_url=Untrusted("https://a\nrm -rf x"), request_id="a\tb"))
    assert refusal(items["link"])
    assert refusal(items["request_id"])


def test_the_sentences_count() -> None:
    assert copied(Copyable("path", Shown("path"), "x" * 1043)) == "Copied the path, 1,043 characters."
    assert copied(Copyable("path", Shown("path"), "é")) == "Copied the path, 1 character."
    assert too_long(Copyable("prompt", Shown("prompt"), "é" * 40_000), 74_994) == (
        "Too long for the terminal's clipboard: the prompt is 80,000 bytes, and 74,994 is the most it takes."
    )
