"""Help: what the keys do where the focus is, remapped ones too, and what is said about money."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from eternal_tui.core.sanitize import SafeText
from eternal_tui.tui.config_watch import effective_keymap
from eternal_tui.tui.input.actions import MAIN_SCREEN_ACTIONS
from eternal_tui.tui.input.keymap import effective_keys, key_label
from eternal_tui.tui.screens.help import (
    BILLING_NOTES,
    HelpRow,
    HelpSection,
    filter_sections,
    help_sections,
    render_sections,
)
from tests.tui.screens.stage import make_services, open_app, screen_text, wait_idle

SECTIONS = [
    HelpSection(
        SafeText("Here"),
        [HelpRow("r", "Again", "Run the job again"), HelpRow("V shift+space", "Mark range", "Mark many")],
    ),
    HelpSection(SafeText("Everywhere"), [HelpRow("^q", "Quit", "Leave")]),
]


def rows_of(sections: Sequence[HelpSection]) -> set[tuple[str, str, str]]:
    rows = [row for section in sections for row in section.rows]
    return {(key, row.title, row.description) for row in rows for key in row.keys.split()}


async def test_the_list_comes_first_where_it_has_the_focus_and_every_action_is_there(tmp_path: Path) -> None:
    services = make_services(tmp_path, keys={"jobs.again": "x", "app.quit": "ctrl+y"})
    async with open_app(services, size=(120, 40)) as (screen, pilot):
        sections = help_sections(screen)
        assert [section.title for section in sections][:2] == ["In the list of jobs", "Everywhere"]
        keymap = effective_keymap(services.settings)
        actions = {
            (key_label(effective_keys(action, keymap)), action.title, action.description)
            for action in MAIN_SCREEN_ACTIONS
        }
        assert actions <= rows_of(sections)
        await screen.action_new_request()
        await pilot.pause()
        sections = help_sections(screen)
        assert sections[0].title == "In the request"
        assert sections[-1].title == "The same wherever no text is typed"
        keys = {key for key, _, _ in rows_of(sections[:-1])}
        assert not {"r", "d", "q", "?"} & keys
        assert {"^e", "^s", "f1"} <= keys


async def test_typing_narrows_and_escape_closes(tmp_path: Path) -> None:
    async with open_app(make_services(tmp_path), size=(120, 40)) as (_, pilot):
        app = pilot.app
        await pilot.press("escape", "question_mark")
        await wait_idle(pilot)
        await pilot.press(*["pagedown"] * 8)
        await wait_idle(pilot)
        text = screen_text(app)
        assert all(sentence[:40] in text for sentence in BILLING_NOTES)
        await pilot.press(*"undo")
        await wait_idle(pilot)
        assert "Restore the last deleted jobs" in screen_text(app)
        assert "Put the job" not in screen_text(app)
        await pilot.press(*"zzz")
        await wait_idle(pilot)
        assert "No matching keys." in screen_text(app)
        await pilot.press("escape")
        assert len(app.screen_stack) == 1


def test_all_words_must_fit() -> None:
    assert [row.title for section in filter_sections(SECTIONS, "mark many") for row in section.rows] == ["Mark range"]
    assert filter_sections(SECTIONS, "mark quit") == []
    assert filter_sections(SECTIONS, "") == SECTIONS


def test_no_line_is_wider_than_the_screen() -> None:
    for width in (24, 34, 47, 48, 66, 100):
        for line in render_sections(SECTIONS, width).split("\n"):
            assert line.cell_length <= width
