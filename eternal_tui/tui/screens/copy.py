"""The copy menu: what there is of a job, each under a letter, put on the person's own clipboard."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import ClassVar, NamedTuple

from textual import on, work
from textual.binding import BindingType
from textual.widget import Widget

from eternal_tui.api.curl import to_curl, to_json, to_python
from eternal_tui.core.sanitize import Shown, say, shown
from eternal_tui.jobs.files import result_path
from eternal_tui.jobs.model import Job
from eternal_tui.services import Workbench
from eternal_tui.tui.config_watch import keymap
from eternal_tui.tui.context import Surroundings
from eternal_tui.tui.input.actions import bindings
from eternal_tui.tui.input.keymap import key_words
from eternal_tui.tui.terminal import escape_codes
from eternal_tui.tui.terminal.clipboard import clipboard_command, give
from eternal_tui.tui.widgets.dialog import Dialog
from eternal_tui.tui.widgets.option_table import Column, PickList

# A shell reads pasted control characters as keys pressed: ESC and its C1 kin begin commands to the line editor, CR
# runs the line. Newline and tab belong to prompts; a terminal's bracketed paste takes them as text.
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_CONTROL_OR_BREAK = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")


class Copyable(NamedTuple):
    """One text of a job: `what` stands after "Copied the", and the text is the real one, not what is shown of it.

    One of a single line, such as a link, is copied only where it really is one.
    """

    id: str
    what: Shown
    text: str
    lines: bool = False


def copyables(job: Job, *, results: Path, base_url: str, header: str) -> list[Copyable]:
    """Return what there is to copy of the job, most wanted first."""
    request = job.request
    found: list[Copyable] = []
    if (path := result_path(job, results)) is not None:
        found.append(Copyable("path", Shown("path"), str(path.resolve())))
    if job.result_url:
        found.append(Copyable("link", Shown("link"), job.result_url))
    found.append(Copyable("prompt", Shown("prompt"), request.prompt, lines=True))
    if job.request_id:
        found.append(Copyable("request_id", Shown("request id"), job.request_id))
    if job.is_creation:
        return [*found, Copyable("json", Shown("JSON body"), to_json(request, indent=2), lines=True)]
    found += [
        Copyable("curl", Shown("curl command"), to_curl(request, base_url, header), lines=True),
        Copyable("python", Shown("Python snippet"), to_python(request, base_url, header), lines=True),
        Copyable("json", Shown("JSON body"), to_json(request, indent=2), lines=True),
    ]
    return found


def refusal(one: Copyable) -> Shown:
    """Return why this text is not copied, empty when it is: a shell could act on what it holds when it is pasted."""
    found = (_CONTROL if one.lines else _CONTROL_OR_BREAK).search(one.text)
    if found is None:
        return Shown("")
    sign = f"U+{ord(found[0]):04X}"
    return say(
        "The {what} holds a control character ({sign}) that a shell would act on when pasted; it is not copied.",
        what=one.what,
        sign=sign,
    )


def copied(one: Copyable) -> Shown:
    """Return the sentence that tells it was copied."""
    count = len(one.text)
    return say(
        "Copied the {what}, {count} {word}.",
        what=one.what,
        count=f"{count:,}",
        word="character" if count == 1 else "characters",
    )


def too_long(one: Copyable, limit: int) -> Shown:
    """Return the sentence for a text longer than a terminal takes, in bytes of UTF-8."""
    return say(
        "Too long for the terminal's clipboard: the {what} is {size} bytes, and {limit} is the most it takes.",
        what=one.what,
        size=f"{len(one.text.encode('utf-8', 'replace')):,}",
        limit=f"{limit:,}",
    )


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
