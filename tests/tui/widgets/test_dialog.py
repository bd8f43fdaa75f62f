"""Screens that close with a result, closed by something that took a while."""

from __future__ import annotations

from pathlib import Path

from eternal_tui.core.sanitize import SafeText
from eternal_tui.tui.screens.characters import CharactersScreen
from eternal_tui.tui.widgets.dialog import ConfirmDialog, Dialog
from tests.tui.request_form.form_app import CHARACTERS
from tests.tui.screens.stage import ScreenApp, open_services, terminal_context


async def test_dismiss_closes_only_its_own_screen() -> None:
    below, dialog = Dialog[str](SafeText("below")), Dialog[str](SafeText("dialog"))
    stage = ScreenApp(below)
    async with stage.run_test() as pilot:
        await stage.push_screen(dialog)
        dialog.dismiss("first")
        dialog.dismiss("late")
        await pilot.pause()
        assert stage.screen is below
        assert stage.results == []


async def test_dismiss_of_a_covered_screen_waits_until_it_is_uncovered() -> None:
    dialog = Dialog[str](SafeText("dialog"))
    stage = ScreenApp(dialog)
    async with stage.run_test() as pilot:
        await stage.push_screen(ConfirmDialog(SafeText("?"), title=SafeText("t"), yes=SafeText("y"), no=SafeText("n")))
        dialog.dismiss("saved")
        dialog.dismiss("twice")
        await pilot.pause()
        assert isinstance(stage.screen, ConfirmDialog)
        await pilot.press("n")
        assert stage.results == ["saved"]


async def test_keys_between_creation_and_its_result_do_not_choose(tmp_path: Path) -> None:
    async with open_services(tmp_path) as services:
        screen = CharactersScreen(services, terminal_context([]))
        stage = ScreenApp(screen)
        async with stage.run_test() as pilot:
            screen.set_characters(CHARACTERS)
            await pilot.press("n")
            dialog = stage.screen
            assert isinstance(dialog, Dialog)
            dialog.dismiss("990001")
            screen.action_choose()
            screen.action_leave()
            await pilot.pause()
            assert stage.results == ["990001"]
