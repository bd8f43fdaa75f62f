"""Help: what the keys do where the focus is, remapped ones too, and what is said about money."""

from __future__ import annotations

from pathlib import Path

from eternal_tui.core.sanitize import Shown
from eternal_tui.tui.input.actions import ACTIONS
from eternal_tui.tui.input.keymap import key_words
from eternal_tui.tui.screens.help import MONEY, Row, Section, laid_out, matching, sections_of
from eternal_tui.tui.screens.main import WorkbenchScreen
from eternal_tui.tui.widgets.search_dialog import SearchLine
from tests.tui.screens.stage import bench_in, settle, text_of, the_app

SECTIONS = [
    Section(Shown("Here"), [Row("r", "Again", "Run the job again"), Row("V shift+space", "Mark range", "Mark many")]),
    Section(Shown("Everywhere"), [Row("^q", "Quit", "Leave")]),
]


async def test_the_list_comes_first_when_it_has_focus_and_everything_of_the_registry_is_there(tmp_path: Path) -> None:
    """Seen to fail with only the bindings that the footer shows."""
    app = the_app(bench_in(tmp_path))
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        assert isinstance(app.screen, WorkbenchScreen)
        app.screen.job_pane.jobs.focus()
        sections = sections_of(app.screen)
    assert [section.title for section in sections][:2] == ["In the list of jobs", "Everywhere"]
    rows = {(key, row.title, row.does) for section in sections for row in section.rows for key in row.keys.split()}
    assert {(key_words(action.keys), action.title, action.does) for action in ACTIONS} <= rows


async def test_in_the_form_single_letters_are_letters(tmp_path: Path) -> None:
    app = the_app(bench_in(tmp_path))
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        assert isinstance(app.screen, WorkbenchScreen)
        await app.screen.action_new_request()
        await pilot.pause()
        sections = sections_of(app.screen)
    assert sections[0].title == "In the request"
    keys = {key for section in sections for row in section.rows for key in row.keys.split()}
    assert not {"r", "d", "q", "?"} & keys
    assert {"^e", "^s", "f1"} <= keys


async def test_a_remapped_key_is_shown(tmp_path: Path) -> None:
    """Seen to fail with the keys read from the registry."""
    app = the_app(bench_in(tmp_path, keys={"jobs.again": "x", "app.quit": "ctrl+y"}))
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        assert isinstance(app.screen, WorkbenchScreen)
        app.screen.job_pane.jobs.focus()
        rows = {row.title: row.keys for section in sections_of(app.screen) for row in section.rows}
    assert rows["Again"] == "x"


async def test_typing_narrows_and_escape_closes(tmp_path: Path) -> None:
    app = the_app(bench_in(tmp_path))
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await pilot.press("escape", "question_mark")
        await settle(pilot)
        assert app.screen.query_one("#help-line", SearchLine).has_focus
        await pilot.press(*"undo")
        await settle(pilot)
        assert "Bring the last deleted jobs back" in text_of(app)
        assert "Put the job" not in text_of(app)
        await pilot.press(*"zzz")
        await settle(pilot)
        assert "No key does that here." in text_of(app)
        await pilot.press("escape")
        assert len(app.screen_stack) == 1


async def test_money_is_at_the_end(tmp_path: Path) -> None:
    app = the_app(bench_in(tmp_path))
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await pilot.press("escape", "question_mark")
        await settle(pilot)
        await pilot.press(*["pagedown"] * 8)
        await settle(pilot)
        text = text_of(app)
    for sentence in MONEY:
        assert sentence[:40] in text


def test_all_words_must_fit() -> None:
    assert [row.title for section in matching(SECTIONS, "mark many") for row in section.rows] == ["Mark range"]
    assert matching(SECTIONS, "mark quit") == []
    assert matching(SECTIONS, "") == SECTIONS


def test_no_line_is_wider_than_the_screen() -> None:
    for width in (24, 34, 47, 48, 66, 100):
        for line in laid_out(SECTIONS, width).split("\n"):
            assert line.cell_length <= width
