"""A peer of the list: a thousand jobs in Textual's own DataTable, BUSY cells of which change every second."""

from __future__ import annotations

import os
import random

from textual.app import App, ComposeResult
from textual.widgets import DataTable

BEATS = 20
"""Times a second at which cells are changed, as in the busy app."""

COUNT = 1_000


class TableApp(App[None]):
    """The table and nothing else; the newest job comes first."""

    def compose(self) -> ComposeResult:
        """Lay out the table alone."""
        yield DataTable(cursor_type="row")

    def on_mount(self) -> None:
        """Fill the table, and begin to change it."""
        table = self.query_one(DataTable)
        table.add_columns("state", "type", "name", "prompt", "clock")
        self._progress = table.add_column("progress")
        self._rows = [
            table.add_row("running", "pic", "Astrid", f"At sea, number {number}", "0:01", "0 %")
            for number in range(COUNT - 1, -1, -1)
        ]
        self._chance, self._a_second = random.Random(7), int(os.environ["BUSY"])
        if self._a_second:
            self.set_interval(1 / BEATS, self._change)

    def _change(self) -> None:
        table = self.query_one(DataTable)
        for row in self._chance.sample(self._rows, self._a_second // BEATS):
            table.update_cell(row, self._progress, f"{self._chance.randrange(100)} %")


if __name__ == "__main__":
    TableApp().run()
