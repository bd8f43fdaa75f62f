"""Jump mode: letters over what can be seen, and nowhere else."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from eternal_tui.tui.app import EternalApp
from eternal_tui.tui.screens.jump import JumpLabel, JumpScreen, jump_targets
from eternal_tui.tui.screens.main import MainScreen
from eternal_tui.tui.themes import THEMES
from tests.drawn import screen_strips
from tests.tui.screens.stage import make_app, make_services, screen_text, wait_idle, wait_until


def main_screen(app: EternalApp) -> MainScreen:
    screen = app.screen_stack[0]
    assert isinstance(screen, MainScreen)
    return screen


def jump_letter(app: EternalApp, identifier: str) -> str:
    assert isinstance(app.screen, JumpScreen)
    return next(label.target.letter for label in app.screen.query(JumpLabel) if label.target.widget.id == identifier)


async def wait_for_form(app: EternalApp, pilot: Pilot[None]) -> None:
    """Wait until the form is there too: it comes behind the first frame."""
    await wait_idle(pilot)
    await wait_until(pilot, lambda: "prompt" in [target.widget.id for target in jump_targets(app.screen)])


async def wait_for_labels(app: EternalApp, pilot: Pilot[None]) -> None:
    """Wait until the letters stand where they belong."""
    await wait_until(pilot, lambda: any(label.region for label in app.screen.query(JumpLabel)))


@pytest.mark.parametrize("theme", [theme.name for theme in THEMES])
async def test_what_is_below_is_seen_dimmed(tmp_path: Path, theme: str) -> None:
    app = make_app(make_services(tmp_path, theme=theme))
    async with app.run_test(size=(100, 30)) as pilot:
        await wait_idle(pilot)
        await pilot.press("ctrl+o")
        await wait_for_labels(app, pilot)
        await wait_until(pilot, lambda: "2 Jobs" in screen_text(app))
        below = [each for strip in screen_strips(app.screen) for each in strip if "2 Jobs" in each.text]
        assert all(each.style is not None and (each.style.dim or "ansi" not in theme) for each in below)


async def test_a_letter_goes_to_its_control_by_key_and_by_click(tmp_path: Path) -> None:
    app = make_app(make_services(tmp_path))
    async with app.run_test(size=(160, 40)) as pilot:
        await wait_for_form(app, pilot)
        await pilot.press("ctrl+o")
        await wait_for_labels(app, pilot)
        await pilot.press(jump_letter(app, "prompt"))
        await wait_until(pilot, lambda: app.screen is main_screen(app))
        assert app.focused is not None
        assert app.focused.id == "prompt"
        main_screen(app).job_pane.job_list.focus()
        await pilot.press("ctrl+o")
        await wait_for_labels(app, pilot)
        label = next(each for each in app.screen.query(JumpLabel) if each.target.widget.id == "prompt")
        await pilot.click(label)
        await wait_until(pilot, lambda: app.screen is main_screen(app))
        assert app.focused is not None
        assert app.focused.id == "prompt"


async def test_any_other_key_goes_back_to_where_one_was(tmp_path: Path) -> None:
    app = make_app(make_services(tmp_path))
    async with app.run_test(size=(160, 40)) as pilot:
        await wait_idle(pilot)
        main_screen(app).job_pane.job_list.focus()
        for key in ("escape", "f1"):
            await pilot.press("ctrl+o")
            await wait_for_labels(app, pilot)
            await pilot.press(key)
            await wait_until(pilot, lambda: len(app.screen_stack) == 1)
            assert app.focused is main_screen(app).job_pane.job_list


async def test_a_control_that_is_not_laid_out_yet_has_no_letter(tmp_path: Path) -> None:
    """Keys come faster than frames."""
    app = make_app(make_services(tmp_path))
    async with app.run_test(size=(160, 40)) as pilot:
        await wait_idle(pilot)
        screen, late = main_screen(app), Input()
        screen.mount(late)
        assert late in screen.focus_chain
        assert late not in [target.widget for target in jump_targets(screen)]


async def test_a_closed_drawer_has_no_letters(tmp_path: Path) -> None:
    app = make_app(make_services(tmp_path))
    async with app.run_test(size=(80, 24)) as pilot:
        await wait_idle(pilot)
        await pilot.press("ctrl+o")
        await wait_for_labels(app, pilot)
        assert isinstance(app.screen, JumpScreen)
        widgets = [label.target.widget for label in app.screen.query(JumpLabel)]
        assert widgets[0] is main_screen(app).job_pane.job_list
        assert not any(main_screen(app).form_pane in widget.ancestors for widget in widgets)


async def test_no_letter_stands_where_its_control_is_covered(tmp_path: Path) -> None:
    app = make_app(make_services(tmp_path))
    async with app.run_test(size=(80, 24)) as pilot:
        await wait_idle(pilot)
        await main_screen(app).action_new_request()
        await wait_idle(pilot)
        await pilot.press("ctrl+o")
        await wait_for_labels(app, pilot)
        assert isinstance(app.screen, JumpScreen)
        labels = list(app.screen.query(JumpLabel))
        assert {label.target.letter for label in labels} == set("asdfgjkl"[: len(labels)])
        for label in labels:
            seen, _ = main_screen(app).get_widget_at(*label.target.offset)
            assert label.target.widget in seen.ancestors_with_self
