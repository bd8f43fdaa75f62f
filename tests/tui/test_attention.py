"""Toasts that replace one another, keys after a lost focus, and the hints of the footer."""

from __future__ import annotations

from pathlib import Path

from textual.events import AppBlur
from textual.widgets._toast import Toast, ToastHolder

from eternal_tui.tui.screens.main import MainScreen
from eternal_tui.tui.widgets.footer import footer_keys
from tests.tui.screens.stage import make_services, open_app, screen_text, wait_idle


def toast_texts(screen: MainScreen) -> list[str]:
    return sorted(str(toast.render()) for toast in screen.query(Toast))


async def test_a_notification_replaces_the_one_before(tmp_path: Path) -> None:
    """A warning is shown its time, and nothing is left of earlier notifications."""
    async with open_app(make_services(tmp_path), size=(80, 24), notifications=True) as (screen, pilot):
        app = pilot.app
        app.notify("A warning.", severity="warning", markup=False)
        for number in range(5):
            app.notify(f"Word {number}.", markup=False)
        app.notify("A warning.", severity="warning", markup=False)
        await wait_idle(pilot)
        assert toast_texts(screen) == ["A warning.", "Word 4."]
        assert {toast.region.height for toast in screen.query(Toast)} == {1}
        assert max(toast.region.bottom for toast in screen.query(Toast)) == 22
        assert screen_text(app).splitlines()[22].startswith("╰───")
        for number in range(3):
            app.notify(f"Later {number}.", markup=False)
            await wait_idle(pilot)
            assert f"Later {number}." in screen_text(app)
        assert len(screen.query(ToastHolder)) == 2


async def test_an_error_is_shown_once_in_its_longest_sentence(tmp_path: Path) -> None:
    reason, whole = "Could not connect.", "Could not load the characters: Could not connect. Nothing was sent."
    async with open_app(make_services(tmp_path), size=(80, 24), notifications=True) as (screen, pilot):
        for texts in ((reason, whole), (whole, reason)):
            for text in texts:
                pilot.app.notify(text, severity="error", markup=False)
            await wait_idle(pilot)
            assert toast_texts(screen) == [whole]
            pilot.app.clear_notifications()
            await wait_idle(pilot)


async def test_keys_act_though_the_terminal_reported_a_lost_focus(tmp_path: Path) -> None:
    async with open_app(make_services(tmp_path), size=(80, 24)) as (screen, pilot):
        pilot.app.post_message(AppBlur())
        await wait_idle(pilot)
        assert screen.focused is None
        pilot.app._last_focused_on_app_blur = None  # as after a start in the background
        await pilot.press("question_mark")
        await wait_idle(pilot)
        assert pilot.app.screen is not screen


def test_the_footer_names_what_works_here() -> None:
    bare = [hint.title for hint in footer_keys("list", {}, has_job=False)]
    assert bare == ["new", "help", "quit", "palette"]
    tiles = [(hint.key, hint.title) for hint in footer_keys("gallery", {}, has_job=True)]
    assert tiles[2:4] == [("*", "star"), ("x", "reject")]
    full = {hint.title: hint.key for hint in footer_keys("list", {"jobs.again": "R"}, has_job=True)}
    assert full["again"] == "R"
    assert {"open", "filter", "copy"} <= full.keys()
    assert ("esc", "jobs") in [(hint.key, hint.title) for hint in footer_keys("form", {}, has_job=True)]
