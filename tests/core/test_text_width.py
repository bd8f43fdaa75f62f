"""Columns and user-perceived characters of text, and inputs that go by them."""

from __future__ import annotations

import pytest
from rich.cells import cell_len
from textual.app import App, ComposeResult

from eternal_tui.core.sanitize import SafeText
from eternal_tui.core.text_width import display_width, grapheme_boundaries, pad_to_width
from eternal_tui.tui.widgets.grapheme_input import GraphemeInput, GraphemeTextArea

FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466"
FLAGS = "\U0001f1e9\U0001f1ea\U0001f1eb\U0001f1f7"
CLUSTERS = [
    ["a", "e\u0301", "b"],
    [FAMILY, "!"],
    [FLAGS[:2], FLAGS[2:], "x"],
    ["\U0001f44d\U0001f3fd", "\u2764\ufe0f", "1\ufe0f\u20e3"],
    ["\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f", "."],
    ["\u0928\u093f", "\u0e01\u0e33"[0], "\ud55c"],
]


@pytest.mark.parametrize("clusters", CLUSTERS, ids=range(len(CLUSTERS)))
def test_grapheme_boundaries(clusters: list[str]) -> None:
    ends = [len("".join(clusters[:count])) for count in range(len(clusters) + 1)]
    assert grapheme_boundaries("".join(clusters)) == ends


@pytest.mark.parametrize("clusters", CLUSTERS, ids=range(len(CLUSTERS)))
def test_display_width_equals_cell_len(clusters: list[str]) -> None:
    text = "".join(clusters)
    assert [display_width(each) for each in clusters] == [cell_len(each) for each in clusters]
    for columns in range(1, cell_len(text) + 2):
        assert cell_len(pad_to_width(SafeText(text), columns)) == columns


class Inputs(App[None]):
    def compose(self) -> ComposeResult:
        yield GraphemeInput(id="line", select_on_focus=False)
        yield GraphemeTextArea(id="area")


@pytest.mark.parametrize("clusters", CLUSTERS, ids=range(len(CLUSTERS)))
async def test_inputs_go_by_graphemes(clusters: list[str]) -> None:
    text = "".join(clusters)
    app = Inputs()
    async with app.run_test() as pilot:
        line = app.query_one("#line", GraphemeInput)
        line.value = text
        line.focus()
        await pilot.press("home", "right", "delete")
        assert line.value == "".join(clusters[:1] + clusters[2:])
        await pilot.press("backspace")
        assert line.value == "".join(clusters[2:])
        await pilot.press("end", "shift+left")
        assert line.selected_text == (clusters[2] if len(clusters) > 2 else "")
        area = app.query_one("#area", GraphemeTextArea)
        area.text = text
        area.focus()
        area.move_cursor(area.document.end)
        await pilot.press("left", "backspace")
        assert area.text == "".join(clusters[:-2] + clusters[-1:])
        await pilot.press("delete")
        assert area.text == "".join(clusters[:-2])
