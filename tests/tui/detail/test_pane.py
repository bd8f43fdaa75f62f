"""The detail pane at its size: no line is broken a second time by the screen."""

from __future__ import annotations

from pathlib import Path

from textual.app import App, ComposeResult
from textual.widgets import Static

from eternal_tui.core.sanitize import UntrustedText
from eternal_tui.tui.detail.pane import DetailPane, DetailText
from tests.cli.program import a_job


class DetailApp(App[None]):
    """The pane on a screen of its own."""

    def compose(self) -> ComposeResult:
        """Show nothing else."""
        yield DetailPane(Path("results"), Static, lambda _: None, shows_media=False)


async def test_no_line_is_broken_a_second_time_beside_the_scroll_bar() -> None:
    """Seen to fail with the bar's column counted as room: a long reason put a word of its own at the left edge."""
    async with DetailApp().run_test(size=(80, 15)) as pilot:
        pane = pilot.app.query_one(DetailPane)
        await pane.mount_content()
        for letters in range(1, 12):
            pane.set_job(a_job(error=UntrustedText(f"{'m' * letters} " * 60)))
            await pilot.pause()
            words = pane.query_one(DetailText).query_one(Static)
            assert words.size.height == str(words.content).count("\n") + 1


async def test_text_is_wrapped_again_when_its_room_changes() -> None:
    """Without another snapshot. Seen to fail with a zoomed pane, whose JSON was broken a second time by the screen."""
    async with DetailApp().run_test(size=(120, 15)) as pilot:
        pane = pilot.app.query_one(DetailPane)
        await pane.mount_content()
        pane.set_job(a_job(error=UntrustedText("word " * 60)))
        await pilot.pause()
        for columns in (60, 30, 100):
            pane.query_one(DetailText).styles.width = columns
            await pilot.pause()
            words = pane.query_one(DetailText).query_one(Static)
            assert words.size.height == str(words.content).count("\n") + 1
            assert columns - 20 < max(map(len, str(words.content).splitlines())) < columns
