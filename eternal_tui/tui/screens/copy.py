"""The copy menu: what there is of a job, each under a letter, put on the person's own clipboard."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

from textual import on, work
from textual.binding import BindingType
from textual.widget import Widget

from eternal_tui.core.sanitize import Shown, say, shown
from eternal_tui.jobs.model import Job
from eternal_tui.services import Workbench
from eternal_tui.tui.config_watch import keymap
from eternal_tui.tui.context import Surroundings
from eternal_tui.tui.input.app_actions import bindings
from eternal_tui.tui.input.keymap import key_words
from eternal_tui.tui.screens.copying import Copyable, copied, copyables, refusal, too_long
from eternal_tui.tui.terminal import escape_codes
from eternal_tui.tui.terminal.clipboard import clipboard_command, give
from eternal_tui.tui.widgets.dialog import Dialog
from eternal_tui.tui.widgets.option_table import Column, PickList

# j is "down" in every list here, so the JSON body is copied by b.
_KEYS = {"path": "p", "link": "l", "prompt": "t", "request_id": "i", "curl": "c", "python": "h", "json": "b"}
_TITLES = {
    "path": "path of the file",
    "link": "link to the result",
    "prompt": "prompt",
    "request_id": "request id",
    "curl": "curl command",
    "python": "Python, httpx",
    "json": "JSON body",
}


class CopyMenu(Dialog[Shown]):
    """Copies one text of a job and leaves with the sentence that tells so; Esc leaves with None."""

    KEYS_WORD = Shown("a letter, or enter, copies · esc back")
    DEFAULT_CSS = """
    CopyMenu PickList { margin-bottom: 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("copy")]

    def __init__(self, job: Job, bench: Workbench, around: Surroundings) -> None:
        super().__init__(say("Copy of job {id}", id=job.id))
        self._around = around
        self._keymap = keymap(bench.settings)
        self._items = copyables(
            job, results=bench.desk.results, base_url=bench.settings.base_url, header=bench.settings.key_header
        )
        self._list = PickList((Column(3), Column(18), Column(0, dim=True)), self._cells, id="copies")

    def body(self) -> Iterable[Widget]:
        """Show one line for each text."""
        self._list.styles.height = len(self._items)
        return (self._list,)

    def on_mount(self) -> None:
        """Fill the list."""
        self._list.show(range(len(self._items)))

    def _cells(self, row: int) -> Sequence[str]:
        one = self._items[row]
        key = key_words(self._keymap.get(f"copy.{one.id}", _KEYS[one.id]))
        return (key, _TITLES[one.id], " ".join(shown(one.text, limit=200).replace("⏎", " ").split()))

    def action_move(self, by: int) -> None:
        """Move the cursor."""
        self._list.move(by)

    def action_choose(self) -> None:
        """Copy what is under the cursor."""
        if self._list.row is not None:
            self._copy(self._items[self._list.row])

    def action_copy(self, what: str) -> None:
        """Copy one text by its name, where the job has it."""
        for one in self._items:
            if one.id == what:
                self._copy(one)
                return
        self.tell(say("This job has no {what}.", what=what.replace("_", " ")))

    @on(PickList.Clicked)
    def _clicked(self, event: PickList.Clicked) -> None:
        event.stop()
        self._copy(self._items[event.row])

    @work(exclusive=True)
    async def _copy(self, one: Copyable) -> None:
        if why := refusal(one):
            self.tell(why, problem=True)
            return
        self.dismiss(await put_on_clipboard(one, self._around))


async def put_on_clipboard(one: Copyable, around: Surroundings) -> Shown:
    """Put the text on the clipboard by every way there is and return the sentence for it.

    The terminal's own way works over SSH too; that of the machine is used only where the person sits at it.
    """
    sequence = escape_codes.clipboard(one.text, around.environ)
    if sequence is not None:
        around.write(sequence)
    command = None if around.remote else clipboard_command(around.environ)
    taken = command is not None and await give(one.text, command, around.environ)
    if sequence is None and not taken:
        return too_long(one, escape_codes.CLIPBOARD_LIMIT)
    return copied(one)
