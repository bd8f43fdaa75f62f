"""CopyMenu: copies one text of a job to the clipboard."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import ClassVar, NamedTuple

from textual import on, work
from textual.binding import BindingType
from textual.widget import Widget

from eternal_tui.api.curl import to_curl, to_json, to_python
from eternal_tui.core.sanitize import SafeText, format_safe, sanitize
from eternal_tui.jobs.files import result_path
from eternal_tui.jobs.model import Job
from eternal_tui.services import Services
from eternal_tui.tui.config_watch import effective_keymap
from eternal_tui.tui.context import TerminalContext
from eternal_tui.tui.input.actions import ACTIONS_BY_ID
from eternal_tui.tui.input.keymap import bindings, effective_keys, key_label
from eternal_tui.tui.terminal import escape_codes
from eternal_tui.tui.terminal.clipboard import clipboard_command, copy
from eternal_tui.tui.widgets.dialog import Dialog
from eternal_tui.tui.widgets.option_table import Column, VirtualList

# A shell reads pasted control characters as keys pressed: ESC and its C1 kin begin commands to the line editor, CR
# runs the line. Newline and tab belong to prompts; a terminal's bracketed paste takes them as text.
_CONTROL_PATTERN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_CONTROL_OR_BREAK_PATTERN = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")


class CopyItem(NamedTuple):
    """One text of a job: `label` follows "Copied the"; `text` is complete and unsanitized.

    One of a single line, such as a link, is copied only where it really is one.
    """

    id: str
    label: SafeText
    text: str
    is_multiline: bool = False


def copy_items(job: Job, *, results_dir: Path, base_url: str, key_header: str) -> list[CopyItem]:
    """Return the texts of the job that can be copied, most wanted first."""
    request = job.request
    found: list[CopyItem] = []
    if (path := result_path(job, results_dir)) is not None:
        found.append(CopyItem("path", SafeText("path"), str(path.resolve())))
    if job.result_url:
        found.append(CopyItem("link", SafeText("link"), job.result_url))
    found.append(CopyItem("prompt", SafeText("prompt"), request.prompt, is_multiline=True))
    if job.request_id:
        found.append(CopyItem("request_id", SafeText("request id"), job.request_id))
    if job.is_creation:
        return [*found, CopyItem("json", SafeText("JSON body"), to_json(request, indent=2), is_multiline=True)]
    found += [
        CopyItem("curl", SafeText("curl command"), to_curl(request, base_url, key_header), is_multiline=True),
        CopyItem("python", SafeText("Python snippet"), to_python(request, base_url, key_header), is_multiline=True),
        CopyItem("json", SafeText("JSON body"), to_json(request, indent=2), is_multiline=True),
    ]
    return found


def copy_rejection(item: CopyItem) -> SafeText:
    """Return why this text must not be copied, "" where it may be: a shell could act on it when it is pasted."""
    found = (_CONTROL_PATTERN if item.is_multiline else _CONTROL_OR_BREAK_PATTERN).search(item.text)
    if found is None:
        return SafeText("")
    sign = f"U+{ord(found[0]):04X}"
    return format_safe(
        "Not copied: the {what} contains a control character ({sign}) that a shell would act on when pasted.",
        what=item.label,
        sign=sign,
    )


def copied_message(item: CopyItem) -> SafeText:
    """Return the sentence that confirms the copy."""
    count = len(item.text)
    return format_safe(
        "Copied the {what}, {count} {word}.",
        what=item.label,
        count=f"{count:,}",
        word="character" if count == 1 else "characters",
    )


def too_long_message(item: CopyItem, max_bytes: int) -> SafeText:
    """Return the sentence for a text longer than a terminal takes, in bytes of UTF-8."""
    return format_safe(
        "Too long for the terminal's clipboard: the {what} is {size} bytes, the limit is {limit}.",
        what=item.label,
        size=f"{len(item.text.encode('utf-8', 'replace')):,}",
        limit=f"{max_bytes:,}",
    )


class CopyMenu(Dialog[SafeText]):
    """Copies one text of a job and leaves with a sentence on it, or with None."""

    KEYS_HINT = SafeText("letter or enter: copy · esc: cancel")
    DEFAULT_CSS = """
    CopyMenu VirtualList { margin-bottom: 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("copy")]

    def __init__(self, job: Job, services: Services, terminal: TerminalContext) -> None:
        super().__init__(format_safe("Copy of job {id}", id=job.id))
        self._terminal = terminal
        self._keymap = effective_keymap(services.settings)
        self._items = copy_items(
            job,
            results_dir=services.jobs.results_dir,
            base_url=services.settings.base_url,
            key_header=services.settings.key_header,
        )
        self._list = VirtualList((Column(3), Column(18), Column(0, dim=True)), self._row_cells, id="copies")

    def body(self) -> Iterable[Widget]:
        self._list.styles.height = len(self._items)
        return (self._list,)

    def on_mount(self) -> None:
        self._list.set_rows(range(len(self._items)))

    def _row_cells(self, row: int) -> Sequence[str]:
        one = self._items[row]
        action = ACTIONS_BY_ID[f"copy.{one.id}"]
        return (
            key_label(effective_keys(action, self._keymap)),
            action.title,
            " ".join(sanitize(one.text, limit=200).replace("⏎", " ").split()),
        )

    def action_move(self, by: int) -> None:
        self._list.move_cursor(by)

    def action_choose(self) -> None:
        if self._list.current_row is not None:
            self._copy_item(self._items[self._list.current_row])

    def action_copy(self, what: str) -> None:
        """Copy the text of this name, where the job has one."""
        for one in self._items:
            if one.id == what:
                self._copy_item(one)
                return
        self.set_footer_text(format_safe("This job has no {what}.", what=what.replace("_", " ")))

    @on(VirtualList.RowClicked)
    def _row_clicked(self, event: VirtualList.RowClicked) -> None:
        self._copy_item(self._items[event.row])

    @work(exclusive=True)
    async def _copy_item(self, item: CopyItem) -> None:
        if why := copy_rejection(item):
            self.set_footer_text(why, is_error=True)
            return
        self.dismiss(await copy_to_clipboard(item, self._terminal))


async def copy_to_clipboard(item: CopyItem, terminal: TerminalContext) -> SafeText:
    """Copy the text by every available way and return a sentence on it.

    OSC 52 works over SSH too; the command of this machine is used only in a local session.
    """
    sequence = escape_codes.clipboard_sequence(item.text, terminal.environ)
    if sequence is not None:
        terminal.write_sequence(sequence)
    command = None if terminal.is_remote else clipboard_command(terminal.environ)
    taken = command is not None and await copy(item.text, command, terminal.environ)
    if sequence is None and not taken:
        return too_long_message(item, escape_codes.MAX_OSC52_BYTES)
    return copied_message(item)
