"""Preview: the JSON body of one request, or the numbered requests of a batch."""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec
from rich.cells import cell_len, chop_cells, set_cell_size
from rich.segment import Segment
from textual import events
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from eternal_tui.api.curl import to_json
from eternal_tui.api.models import GenerateRequest
from eternal_tui.core.sanitize import sanitize


class Preview(ScrollView, can_focus=True):
    """Fits one request into the rows there are, shortening its prompt; a batch has rows for each request."""

    DEFAULT_CSS = """
    Preview {
        height: 3; width: 1fr; color: $text-muted; background: transparent; border-left: blank;
        scrollbar-size-vertical: 1; overflow-x: hidden;
        &:focus { border-left: outer $accent; }
    }
    """

    def __init__(self) -> None:
        super().__init__(id="preview")
        self._requests: Sequence[GenerateRequest] = ()
        self._names: Sequence[str] = ()
        self._rows: list[str] = []

    def set_requests(self, requests: Sequence[GenerateRequest], names: Sequence[str]) -> None:
        """Draw the requests; costs a repaint of these cells and no layout."""
        if (requests, names) != (self._requests, self._names):
            self._requests, self._names = requests, names
            self._update_rows()

    def on_resize(self, _event: events.Resize) -> None:
        self._update_rows()

    def _update_rows(self) -> None:
        width, height = max(1, self.scrollable_content_region.width), max(1, self.size.height)
        if len(self._requests) == 1:
            self._rows = json_rows(self._requests[0], width, height)
        else:
            self._rows = batch_rows(self._requests, self._names, width, height)
        self.virtual_size = Size(width, len(self._rows))
        # Tab stops here only where there is something to scroll to.
        self.can_focus = len(self._rows) > height
        self.refresh()

    def render_line(self, y: int) -> Strip:
        row = y + self.scroll_offset.y
        text = self._rows[row] if row < len(self._rows) else ""
        width = self.scrollable_content_region.width
        return Strip([Segment(text, self.rich_style)]).adjust_cell_length(width, self.rich_style)


def batch_rows(requests: Sequence[GenerateRequest], names: Sequence[str], width: int, height: int) -> list[str]:
    """Return the numbered requests, each in as many rows as all of them have room for."""
    per_request = max(1, height // max(1, len(requests)))
    indent = len(str(len(requests))) + 1
    room = max(1, width - indent)
    rows = []
    for number, (request, name) in enumerate(zip(requests, names, strict=True), start=1):
        lines = _fill(describe_request(request, name, room * per_request).split(" "), room, indent="")
        if len(lines) > per_request:
            lines[per_request - 1] = f"{set_cell_size(lines[per_request - 1], room - 1)}…"
        rows += [
            f"{number if not place else '':>{indent - 1}} {line}" for place, line in enumerate(lines[:per_request])
        ]
    return rows


def describe_request(request: GenerateRequest, name: str, limit: int) -> str:
    """Return a request in one line: what differs within a batch first."""
    settings = " high" if request.quality == "high" else ""
    if request.type == "video":
        settings = f" {request.duration} s{' silent' if request.audio is False else ''}"
    prompt = " ".join(request.prompt[: limit * 2].split())
    return sanitize(" · ".join((name or request.character, f"{request.type}{settings}", prompt)), limit=limit * 2)


def json_rows(request: GenerateRequest, width: int, height: int) -> list[str]:
    """Return the request body with a field a row, or as running text where that is too high; no word is broken.

    Where neither fits, the prompt ends in an ellipsis: the settings after it are what costs money.
    """
    shown = request.prompt[: width * height]
    while True:
        is_whole = shown == request.prompt
        cut = request if is_whole else msgspec.structs.replace(request, prompt=f"{shown.rstrip()} …")
        character, prompt, *settings = _json_fields(cut)
        first, *words = prompt.split(" ")
        rows = [character, *_fill([f" {first}", *words], width), *(f" {field}" for field in settings)]
        if len(rows) <= height:
            return rows
        rows = _fill([character, first, *words, *settings], width, indent="")
        if len(rows) <= height or not shown:
            return rows[:height]
        surplus = sum(map(cell_len, rows[height:]))
        shown = shown[: -max(1, surplus // 2)]
        shown = shown[: shown.rfind(" ") + 1] or shown


def _json_fields(request: GenerateRequest) -> list[str]:
    """Return the fields of the body as JSON, the braces on the first and the last."""
    text = re.sub(r"\[\n *(.*)\n *\]", r"[\1]", to_json(request, indent=0))
    # Cut first and sanitize after: sanitize reads every character.
    return [sanitize(line) for line in f"{{{text[2:-2]}}}".split("\n")]


def _fill(words: Sequence[str], width: int, indent: str = "   ") -> list[str]:
    """Fill rows of `width` cells with words, later rows indented. Only a word wider than a row is broken."""
    rows = [""]
    for word in words:
        line = f"{rows[-1]} {word}" if rows[-1].strip() else rows[-1] + word
        if cell_len(line) > width and rows[-1].strip():
            line = indent + word
            rows.append("")
        rows[-1:] = chop_cells(line, width) or [""]
    return rows
