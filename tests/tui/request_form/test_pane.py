"""What the form starts from: the draft that was left, else the default preset."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from textual.app import App, ComposeResult

from eternal_tui.core.files import write_atomic
from eternal_tui.drafts.draft import Draft
from eternal_tui.drafts.stores import Presets, PresetStore
from eternal_tui.tui.request_form.pane import RequestFormPane
from eternal_tui.tui.terminal.glyphs import UNICODE

PRESET = Draft(prompt="waves", type="video", duration=2)


class PaneApp(App[None]):
    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.pane = RequestFormPane(folder, environ={}, glyphs=UNICODE, monotonic=lambda: 0.0)

    def compose(self) -> ComposeResult:
        yield self.pane


@pytest.mark.parametrize(
    ("left", "started_from"),
    [(None, PRESET), (Draft(), PRESET), (Draft(prompt="half a"), Draft(prompt="half a"))],
    ids=["nothing", "an empty form", "a draft"],
)
async def test_a_form_starts_from_the_draft_or_else_the_default_preset(
    tmp_path: Path, left: Draft | None, started_from: Draft
) -> None:
    """Seen to fail with the draft loaded behind the presets: an empty one hid the default."""
    PresetStore(tmp_path).save(Presets().with_preset("waving", PRESET).toggle_default("waving"))
    if left is not None:
        write_atomic(tmp_path / "draft.json", msgspec.json.encode(left))
    app = PaneApp(tmp_path)
    async with app.run_test():
        assert (await app.pane.mount_form()).draft == started_from
