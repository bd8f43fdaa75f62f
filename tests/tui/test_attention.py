"""Toasts that replace one another, keys after a lost focus, and the hints of the footer."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.events import AppBlur
from textual.widgets._toast import Toast, ToastHolder

from eternal_tui.tui.screens.main import MainScreen
from eternal_tui.tui.widgets.footer import footer_keys
from tests.tui.screens.stage import make_app, make_services, screen_text, wait_idle


async def test_the_newest_word_takes_the_place_of_the_one_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A warning stays its time; no word lies over a frame."""
    app = make_app(make_services(tmp_path))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await wait_idle(pilot)
        app.notify("A warning.", severity="warning", markup=False)
        for number in range(5):
            app.notify(f"Word {number}.", markup=False)
        app.notify("A warning.", severity="warning", markup=False)
        await wait_idle(pilot)
        assert sorted(str(toast.render()) for toast in app.screen.query(Toast)) == ["A warning.", "Word 4."]
        assert {toast.region.height for toast in app.screen.query(Toast)} == {1}
        assert max(toast.region.bottom for toast in app.screen.query(Toast)) == 22
        assert screen_text(app).splitlines()[22].startswith("╰───")
        for number in range(3):
            app.notify(f"Later {number}.", markup=False)
            await wait_idle(pilot)
            assert f"Later {number}." in screen_text(app)
        assert len(app.screen.query(ToastHolder)) == 2


async def test_an_error_is_said_once(tmp_path: Path) -> None:
    """In the sentence that says most, whichever comes first."""
    reason, whole = "Could not connect.", "Could not load the characters: Could not connect. Nothing was sent."
    app = make_app(make_services(tmp_path))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await wait_idle(pilot)
        for texts in ((reason, whole), (whole, reason)):
            for text in texts:
                app.notify(text, severity="error", markup=False)
            await wait_idle(pilot)
            assert [str(toast.render()) for toast in app.screen.query(Toast)] == [whole]
            app.clear_notifications()
            await wait_idle(pilot)


async def test_keys_act_though_the_terminal_said_that_nobody_is_there(tmp_path: Path) -> None:
    app = make_app(make_services(tmp_path))
    async with app.run_test(size=(80, 24)) as pilot:
        await wait_idle(pilot)
        app.post_message(AppBlur())
        await wait_idle(pilot)
        assert app.screen.focused is None
        app._last_focused_on_app_blur = None  # as after a start behind somebody's back
        await pilot.press("question_mark")
        await wait_idle(pilot)
        assert not isinstance(app.screen, MainScreen)


def test_the_footer_names_what_works_here() -> None:
    bare = [hint.title for hint in footer_keys("list", {}, has_job=False)]
    assert bare == ["new", "help", "quit", "palette"]
    tiles = [(hint.key, hint.title) for hint in footer_keys("gallery", {}, has_job=True)]
    assert tiles[2:4] == [("*", "star"), ("x", "reject")]
    full = {hint.title: hint.key for hint in footer_keys("list", {"jobs.again": "R"}, has_job=True)}
    assert full["again"] == "R"
    assert {"open", "filter", "copy"} <= full.keys()
    assert ("esc", "jobs") in [(hint.key, hint.title) for hint in footer_keys("form", {}, has_job=True)]
