"""Jump mode: letters over what can be seen, and nowhere else."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from eternal_tui.tui.screens.jump import JumpLabel, jump_labels
from eternal_tui.tui.themes import THEMES
from tests.drawn import screen_strips
from tests.tui.screens.stage import make_services, open_app, screen_text, wait_idle, wait_until


async def open_labels(pilot: Pilot[None]) -> list[JumpLabel]:
    """Open jump mode; return its labels once they are laid out."""
    await pilot.press("ctrl+o")
    await wait_until(pilot, lambda: any(label.region for label in pilot.app.screen.query(JumpLabel)))
    return list(pilot.app.screen.query(JumpLabel))


@pytest.mark.parametrize("theme", [theme.name for theme in THEMES])
async def test_the_screen_below_is_dimmed(tmp_path: Path, theme: str) -> None:
    async with open_app(make_services(tmp_path, theme=theme)) as (_, pilot):
        await open_labels(pilot)
        await wait_until(pilot, lambda: "2 Jobs" in screen_text(pilot.app))
        below = [each for strip in screen_strips(pilot.app.screen) for each in strip if "2 Jobs" in each.text]
        assert all(each.style is not None and (each.style.dim or "ansi" not in theme) for each in below)


async def test_a_letter_or_a_click_focuses_its_control_and_any_other_key_goes_back(tmp_path: Path) -> None:
    async with open_app(make_services(tmp_path), size=(160, 40)) as (screen, pilot):
        jobs = screen.job_pane.job_list
        # The form is mounted after the first frame.
        await wait_until(pilot, lambda: "prompt" in [label.control.id for label in jump_labels(screen)])
        for way in ("key", "click", "escape", "f1"):
            jobs.focus()
            label = next(each for each in await open_labels(pilot) if each.control.id == "prompt")
            if way == "click":
                await pilot.click(label)
            else:
                await pilot.press(label.letter if way == "key" else way)
            await wait_until(pilot, lambda: pilot.app.screen is screen)
            assert screen.focused is (label.control if way in ("key", "click") else jobs), way


async def test_only_what_is_laid_out_and_in_sight_has_a_letter(tmp_path: Path) -> None:
    """No control of a closed drawer, none below an open one, and none that is not laid out yet."""
    async with open_app(make_services(tmp_path), size=(80, 24)) as (screen, pilot):
        widgets = [label.control for label in await open_labels(pilot)]
        assert widgets[0] is screen.job_pane.job_list
        assert not any(screen.form_pane in widget.ancestors for widget in widgets)
        await pilot.press("escape")
        await screen.action_new_request()
        await wait_idle(pilot)
        labels = await open_labels(pilot)
        assert {label.letter for label in labels} == set("asdfgjkl"[: len(labels)])
        for label in labels:
            seen, _ = screen.get_widget_at(*label.region.offset)
            assert label.control in seen.ancestors_with_self
        await pilot.press("escape")
        late = Input()
        screen.mount(late)
        assert late in screen.focus_chain
        assert late not in [label.control for label in jump_labels(screen)]
