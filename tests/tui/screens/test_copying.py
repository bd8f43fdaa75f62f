"""What is copied of a job: the real text, never the key, never what a shell would act on."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eternal_tui.api.curl import parse_curl
from eternal_tui.core.sanitize import SafeText, UntrustedText, sanitize
from eternal_tui.jobs.model import FileState, Job, JobState
from eternal_tui.tui.screens.copy import CopyItem, copied_message, copy_items, copy_rejection, too_long_message
from tests.tui.jobs import make_job

RESULTS_DIR = Path("/data/results")


def items_by_id(job: Job, header: str = "x-api-key") -> dict[str, CopyItem]:
    items = copy_items(job, results_dir=RESULTS_DIR, base_url="https://open.eternalai.org", key_header=header)
    return {one.id: one for one in items}


def finished_job(**fields: object) -> Job:
    given: dict[str, object] = {
        "state": JobState.SUCCEEDED,
        "file": "12.jpg",
        "file_state": FileState.SAVED,
        "result_url": UntrustedText("https://cdn.example/r?sig=1"),
        "request_id": "req-1",
    }
    return make_job(12, **{**given, **fields})  # type: ignore[arg-type]


def test_a_finished_job_has_everything_to_copy() -> None:
    texts = {name: one.text for name, one in items_by_id(finished_job()).items()}
    assert list(texts) == ["path", "link", "prompt", "request_id", "curl", "python", "json"]
    assert texts["path"] == "/data/results/12.jpg"
    assert texts["link"] == "https://cdn.example/r?sig=1"
    assert texts["request_id"] == "req-1"


def test_only_what_exists_is_offered() -> None:
    """Seen to fail with a path made for every job, whether its file was kept or not."""
    assert set(items_by_id(make_job(state=JobState.REJECTED))) == {"prompt", "curl", "python", "json"}
    assert "path" not in items_by_id(finished_job(file_state=FileState.BROKEN))
    assert "path" not in items_by_id(finished_job(file="../../.ssh/id_rsa"))


def test_the_prompt_is_copied_as_it_is() -> None:
    """Seen to fail with the prompt as it is shown, where a newline is a sign and a flag is two letters."""
    prompt = "Zwölf Boxkämpfer\n\tan der Förde 🇳🇴 — ‘quoted’ $HOME `date`"
    one = items_by_id(finished_job(prompt=prompt))["prompt"]
    assert one.text == prompt
    assert copy_rejection(one) == ""


@pytest.mark.parametrize("header", ["x-api-key", "Authorization"])
def test_the_key_stays_a_variable(header: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Seen to fail against a curl command with the key filled in from the environment."""
    monkeypatch.setenv("ETERNALAI_API_KEY", "sk_secret_of_somebody")
    for one in items_by_id(finished_job(), header).values():
        assert "sk_secret" not in one.text
    assert "$ETERNALAI_API_KEY" in items_by_id(finished_job(), header)["curl"].text
    assert "ETERNALAI_API_KEY" in items_by_id(finished_job(), header)["python"].text


@given(st.text(max_size=60))
def test_what_is_copied_holds_nothing_a_shell_acts_on(prompt: str) -> None:
    """Seen to fail with a refusal that knew only ESC: CR runs the pasted line."""
    for one in items_by_id(finished_job(prompt=prompt)).values():
        if not copy_rejection(one):
            assert not any(ord(sign) < 32 and sign not in "\n\t" for sign in one.text)
            assert not any(0x7F <= ord(sign) <= 0x9F for sign in one.text)


@given(st.text(max_size=60))
def test_commands_and_json_can_be_copied_whatever_the_prompt_holds(prompt: str) -> None:
    items = items_by_id(finished_job(prompt=prompt))
    assert [copy_rejection(items[name]) for name in ("curl", "json")] == ["", ""]


def test_the_curl_command_comes_back_as_the_same_request() -> None:
    job = finished_job(prompt='It\'s "quoted" \\ $HOME\nand goes on')
    text = items_by_id(job)["curl"].text
    assert parse_curl(text) == job.request
    assert len(shlex.split(text.replace("\\\n", ""))) == 8


@pytest.mark.parametrize("sign", ["\x1b", "\r", "\x00", "\x7f", "\x9b", "\x08"])
def test_a_control_character_in_the_prompt_is_refused_and_named(sign: str) -> None:
    told = copy_rejection(items_by_id(finished_job(prompt=f"a{sign}b"))["prompt"])
    assert f"U+{ord(sign):04X}" in told
    assert told == sanitize(told)


def test_a_link_or_an_id_of_several_lines_is_refused() -> None:
    """Seen to fail where links could hold newlines, as prompts may: the shell would run the second line."""
    items = items_by_id(finished_job(result_url=UntrustedText("https://a\nrm -rf x"), request_id="a\tb"))
    assert copy_rejection(items["link"])
    assert copy_rejection(items["request_id"])


def test_the_sentences_count() -> None:
    assert copied_message(CopyItem("path", SafeText("path"), "x" * 1043)) == "Copied the path, 1,043 characters."
    assert copied_message(CopyItem("path", SafeText("path"), "é")) == "Copied the path, 1 character."
    assert too_long_message(CopyItem("prompt", SafeText("prompt"), "é" * 40_000), 74_994) == (
        "Too long for the terminal's clipboard: the prompt is 80,000 bytes, the limit is 74,994."
    )
