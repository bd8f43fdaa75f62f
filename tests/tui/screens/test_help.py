"""Help: what the keys do where the focus is, remapped ones too, and what is said about money."""

from __future__ import annotations

from pathlib import Path

from eternal_tui.core.sanitize import SafeText
from eternal_tui.tui.input.actions import MAIN_SCREEN_ACTIONS
from eternal_tui.tui.input.keymap import key_label
from eternal_tui.tui.screens.help import (
    BILLING_NOTES,
    HelpRow,
    HelpSection,
    filter_sections,
    help_sections,
    render_sections,
)
from eternal_tui.tui.screens.main import MainScreen
from eternal_tui.tui.widgets.search_dialog import SearchInput
from tests.tui.screens.stage import make_app, make_services, screen_text, wait_idle

SECTIONS = [
    HelpSection(
        SafeText("Here"),
        [HelpRow("r", "Again", "Run the job again"), HelpRow("V shift+space", "Mark range", "Mark many")],
    ),
    HelpSection(SafeText("Everywhere"), [HelpRow("^q", "Quit", "Leave")]),
]


async def test_the_list_comes_first_when_it_has_focus_and_everything_of_the_registry_is_there(tmp_path: Path) -> None:
    app = make_app(make_services(tmp_path))
    async with app.run_test(size=(120, 40)) as pilot:
        await wait_idle(pilot)
        assert isinstance(app.screen, MainScreen)
        app.screen.job_pane.job_list.focus()
        sections = help_sections(app.screen)
    assert [section.title for section in sections][:2] == ["In the list of jobs", "Everywhere"]
    rows = {
        (key, row.title, row.description) for section in sections for row in section.rows for key in row.keys.split()
    }
    assert {(key_label(action.keys), action.title, action.description) for action in MAIN_SCREEN_ACTIONS} <= rows


async def test_in_the_form_single_letters_are_letters(tmp_path: Path) -> None:
    app = make_app(make_services(tmp_path))
    async with app.run_test(size=(120, 40)) as pilot:
        await wait_idle(pilot)
        assert isinstance(app.screen, MainScreen)
        await app.screen.action_new_request()
        await pilot.pause()
        sections = help_sections(app.screen)
    assert sections[0].title == "In the request"
    assert sections[-1].title == "The same wherever no text is typed"
    keys = {key for section in sections[:-1] for row in section.rows for key in row.keys.split()}
    assert not {"r", "d", "q", "?"} & keys
    assert {"^e", "^s", "f1"} <= keys


async def test_a_remapped_key_is_shown(tmp_path: Path) -> None:
    app = make_app(make_services(tmp_path, keys={"jobs.again": "x", "app.quit": "ctrl+y"}))
    async with app.run_test(size=(120, 40)) as pilot:
        await wait_idle(pilot)
        assert isinstance(app.screen, MainScreen)
        app.screen.job_pane.job_list.focus()
        rows = {row.title: row.keys for section in help_sections(app.screen) for row in section.rows}
    assert rows["Again"] == "x"


async def test_typing_narrows_and_escape_closes(tmp_path: Path) -> None:
    app = make_app(make_services(tmp_path))
    async with app.run_test(size=(80, 24)) as pilot:
        await wait_idle(pilot)
        await pilot.press("escape", "question_mark")
        await wait_idle(pilot)
        assert app.screen.query_one("#help-line", SearchInput).has_focus
        await pilot.press(*"undo")
        await wait_idle(pilot)
        assert "Restore the last deleted jobs" in screen_text(app)
        assert "Put the job" not in screen_text(app)
        await pilot.press(*"zzz")
        await wait_idle(pilot)
        assert "No matching keys." in screen_text(app)
        await pilot.press("escape")
        assert len(app.screen_stack) == 1


async def test_money_is_at_the_end(tmp_path: Path) -> None:
    app = make_app(make_services(tmp_path))
    async with app.run_test(size=(120, 40)) as pilot:
        await wait_idle(pilot)
        await pilot.press("escape", "question_mark")
        await wait_idle(pilot)
        await pilot.press(*["pagedown"] * 8)
        await wait_idle(pilot)
        text = screen_text(app)
    for sentence in BILLING_NOTES:
        assert sentence[:40] in text


def test_all_words_must_fit() -> None:
    assert [row.title for section in filter_sections(SECTIONS, "mark many") for row in section.rows] == ["Mark range"]
    assert filter_sections(SECTIONS, "mark quit") == []
    assert filter_sections(SECTIONS, "") == SECTIONS


def test_no_line_is_wider_than_the_screen() -> None:
    for width in (24, 34, 47, 48, 66, 100):
        for line in render_sections(SECTIONS, width).split("\n"):
            assert line.cell_length <= width
