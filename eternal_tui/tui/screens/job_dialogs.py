"""The dialogs about jobs: CopyMenu, SaveAs and NoteScreen; JobDialogs opens them over the main screen."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from textual import on, work
from textual.binding import BindingType
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Input, Static

from eternal_tui.api.curl import to_curl, to_json, to_python
from eternal_tui.config.settings import Settings
from eternal_tui.core.sanitize import SafeText, format_safe, join_safe, sanitize
from eternal_tui.jobs.copies import copy_to, suggest_filename
from eternal_tui.jobs.files import result_path
from eternal_tui.jobs.model import MAX_TAGS, Job, parse_tags
from eternal_tui.services import Services
from eternal_tui.tui.config_watch import effective_keymap
from eternal_tui.tui.context import TerminalContext
from eternal_tui.tui.input.actions import ACTIONS_BY_ID
from eternal_tui.tui.input.keymap import bindings, effective_keys, key_label
from eternal_tui.tui.terminal import desktop
from eternal_tui.tui.terminal.desktop import clipboard_command, copy
from eternal_tui.tui.widgets.dialog import ConfirmDialog, Dialog
from eternal_tui.tui.widgets.option_table import Column, VirtualList
from eternal_tui.tui.widgets.search_dialog import SearchInput

if TYPE_CHECKING:
    from eternal_tui.tui.screens.main import MainScreen

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


def copy_items(job: Job, results_dir: Path, settings: Settings) -> list[CopyItem]:
    """Return the texts of the job that can be copied, most wanted first."""
    request, path = job.request, result_path(job, results_dir)
    found = [
        CopyItem("path", SafeText("path"), str(path.resolve()) if path is not None else ""),
        CopyItem("link", SafeText("link"), job.result_url or ""),
        CopyItem("prompt", SafeText("prompt"), request.prompt, is_multiline=True),
        CopyItem("request_id", SafeText("request id"), job.request_id or ""),
    ]
    if not job.is_creation:
        target = (request, settings.base_url, settings.key_header)
        found += [
            CopyItem("curl", SafeText("curl command"), to_curl(*target), is_multiline=True),
            CopyItem("python", SafeText("Python snippet"), to_python(*target), is_multiline=True),
        ]
    found.append(CopyItem("json", SafeText("JSON body"), to_json(request, indent=2), is_multiline=True))
    return [item for item in found if item.text or item.id == "prompt"]


def copy_rejection(item: CopyItem) -> SafeText:
    """Return why this text must not be copied, "" where it may be: a shell could act on it when it is pasted."""
    found = (_CONTROL_PATTERN if item.is_multiline else _CONTROL_OR_BREAK_PATTERN).search(item.text)
    if found is None:
        return SafeText("")
    return format_safe(
        "Not copied: the {what} contains a control character ({sign}) that a shell would act on when pasted.",
        what=item.label,
        sign=f"U+{ord(found[0]):04X}",
    )


async def copy_to_clipboard(item: CopyItem, terminal: TerminalContext) -> SafeText:
    """Copy the text by every available way and return a sentence on it.

    OSC 52 works over SSH too; the command of this machine is used only in a local session.
    """
    sequence = desktop.clipboard_sequence(item.text, terminal.environ)
    if sequence is not None:
        terminal.write_sequence(sequence)
    command = None if terminal.is_remote else clipboard_command(terminal.environ)
    taken = command is not None and await copy(item.text, command, terminal.environ)
    if sequence is None and not taken:
        return format_safe(
            "Too long for the terminal's clipboard: the {what} is {size} bytes, the limit is {limit}.",
            what=item.label,
            size=f"{len(item.text.encode('utf-8', 'replace')):,}",
            limit=f"{desktop.MAX_OSC52_BYTES:,}",
        )
    count, s = len(item.text), "" if len(item.text) == 1 else "s"
    return format_safe("Copied the {what}, {count} character{s}.", what=item.label, count=f"{count:,}", s=s)


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
        self._items = copy_items(job, services.jobs.results_dir, services.settings)
        self._list = VirtualList((Column(3), Column(18), Column(0, dim=True)), self._row_cells, id="copies")

    def body(self) -> Iterable[Widget]:
        self._list.styles.height = len(self._items)
        return (self._list,)

    def on_mount(self) -> None:
        self._list.set_rows(range(len(self._items)))

    def _row_cells(self, row: int) -> Sequence[str]:
        item = self._items[row]
        action = ACTIONS_BY_ID[f"copy.{item.id}"]
        return (
            key_label(effective_keys(action, self._keymap)),
            action.title,
            " ".join(sanitize(item.text, limit=200).replace("⏎", " ").split()),
        )

    def action_move(self, by: int) -> None:
        self._list.move_cursor(by)

    def action_choose(self) -> None:
        if self._list.current_row is not None:
            self._copy_item(self._items[self._list.current_row])

    def action_copy(self, what: str) -> None:
        """Copy the text of this name, where the job has one."""
        for item in self._items:
            if item.id == what:
                self._copy_item(item)
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


def default_save_dir(home: Path) -> Path:
    """Return the default folder of copies: Downloads, else the working folder, unless it was deleted."""
    downloads = home / "Downloads"
    try:
        return downloads if downloads.is_dir() else Path.cwd()
    except OSError:
        return home


def abbreviate_home(path: Path, home: Path) -> str:
    """Return the path with ~ for the home folder."""
    return f"~/{path.relative_to(home)}" if path.is_relative_to(home) and path != home else str(path)


class SaveAs(Dialog[SafeText]):
    """Asks for a path, or a folder for several jobs, and leaves with a sentence on the copies of the verified files."""

    KEYS_HINT = SafeText("enter: save · esc: cancel · existing names get a -2 suffix")
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("save")]

    def __init__(self, jobs: Sequence[Job], services: Services) -> None:
        self._results_dir = services.jobs.results_dir
        self._template = services.settings.save_template
        found = [(job, result_path(job, self._results_dir, encrypted=True)) for job in jobs]
        self._files = [(job, path) for job, path in found if path is not None]
        self._skipped = [job for job, path in found if path is None]
        self._is_single = len(self._files) == 1
        super().__init__(
            format_safe("Save job {id} as", id=self._files[0][0].id)
            if self._is_single
            else format_safe("Save {n} files", n=len(self._files))
        )
        self._home = Path(os.path.expanduser("~"))  # noqa: PTH111 - a user may have no home folder
        self._default_dir = default_save_dir(self._home)
        self._is_saving = False
        self.path_input = SearchInput(compact=True, select_on_focus=False, id="save-line")

    def body(self) -> Iterable[Widget]:
        label = Content("File" if self._is_single else "Into the folder")
        return (Static(label, classes="label", markup=False), self.path_input)

    def on_mount(self) -> None:
        if self._files:
            suggested = self._in_folder(self._default_dir)[0] if self._is_single else self._default_dir
            self.path_input.value = abbreviate_home(suggested, self._home)
            self.path_input.focus()
        else:
            self.call_after_refresh(self._dismiss_without_files)

    def _dismiss_without_files(self) -> None:
        if len(self._skipped) == 1:
            self.dismiss(format_safe("Job {id} has no verified file to save.", id=self._skipped[0].id))
        else:
            self.dismiss(SafeText("None of these jobs has a verified file to save."))

    @on(Input.Changed)
    def _input_changed(self) -> None:
        if not self._is_saving:
            self.set_footer_text()

    @on(Input.Submitted)
    def _input_submitted(self, event: Input.Submitted) -> None:
        if not self._is_saving:
            self._is_saving = True
            self._save_copies(event.value.strip())

    def _in_folder(self, folder: Path) -> list[Path]:
        return [folder / suggest_filename(job, self._template, path.suffix) for job, path in self._files]

    def _target_paths(self, text: str) -> list[Path]:
        """Return the path of each copy; a bare name is one in the default folder."""
        text = os.path.expandvars(os.path.expanduser(text))  # noqa: PTH111 - before it is a path
        place = Path(text) if "/" in text else self._default_dir / text
        if not self._is_single or place.is_dir():
            return self._in_folder(place)
        return [place if place.suffix else place.with_name(place.name + self._files[0][1].suffix)]

    @work
    async def _save_copies(self, text: str) -> None:
        if not text:
            self._show_error(SafeText("File name is required."))
            return
        saved: list[Path] = []
        self.set_footer_text(SafeText("Saving …"))
        try:
            targets = await asyncio.to_thread(self._target_paths, text)
            if not await asyncio.to_thread(targets[0].parent.is_dir):
                self._show_error(
                    format_safe("Folder {path} does not exist. Nothing was saved.", path=targets[0].parent)
                )
                return
            for (job, _), target in zip(self._files, targets, strict=True):
                saved.append(await asyncio.to_thread(self._copy_file, job, target))
        except OSError as error:
            done = format_safe(" {n} were saved.", n=len(saved)) if saved else SafeText("")
            self._show_error(join_safe("", format_safe("Could not save: {why}.", why=error.strerror or error), done))
            return
        self.dismiss(self._result_message(saved))

    def _copy_file(self, job: Job, target: Path) -> Path:
        # Asked again: another process may have put a link in the file's place.
        path = result_path(job, self._results_dir, encrypted=True)
        if path is None:
            raise FileNotFoundError(f"job {job.id} has no verified file")
        return copy_to(path, target)

    def _show_error(self, message: SafeText) -> None:
        self._is_saving = False
        self.set_footer_text(message, is_error=True)

    def _result_message(self, saved: Sequence[Path]) -> SafeText:
        if self._is_single and not self._skipped:
            path, suffix = abbreviate_home(saved[0], self._home), self._files[0][1].suffix
            if len({each.lower().replace(".jpeg", ".jpg") for each in (suffix, saved[0].suffix)}) > 1:
                return format_safe("Saved as {path}. Its content is {type}.", path=path, type=suffix[1:].upper())
            return format_safe("Saved as {path}.", path=path)
        folder = abbreviate_home(saved[0].parent, self._home)
        message = format_safe("Saved {n} files in {path}.", n=len(saved), path=folder)
        if not self._skipped:
            return message
        return join_safe(" ", message, format_safe("{n} had no verified file.", n=len(self._skipped)))


Annotations = tuple[str, tuple[str, ...]]


class NoteScreen(Dialog[dict[int, Annotations]]):
    """Leaves with the note and the tags of each job, or with None where nothing changed.

    Of several jobs it shows what they share; the note is written to all, tags are added to and removed from all.
    """

    KEYS_HINT = SafeText("enter: save · tab: next field · esc: cancel")
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("note")]

    def __init__(self, *jobs: Job) -> None:
        one = len(jobs) == 1
        super().__init__(
            format_safe("Note for job {id}", id=jobs[0].id) if one else format_safe("Note for {n} jobs", n=len(jobs))
        )
        self._jobs = jobs
        note = jobs[0].note if len({job.note for job in jobs}) == 1 else ""
        self._shared_tags = tuple(tag for tag in jobs[0].tags if all(tag in job.tags for job in jobs))
        self._initial_values = (sanitize(note), sanitize(" ".join(self._shared_tags)))
        self.note_input = SearchInput(compact=True, select_on_focus=False, id="note-line")
        self.tags_input = SearchInput(
            compact=True, select_on_focus=False, id="tags-line", placeholder="space-separated tags"
        )

    def body(self) -> Iterable[Widget]:
        yield Static(Content("Note"), classes="label", markup=False)
        yield self.note_input
        yield Static(Content("Tags"), classes="label", markup=False)
        yield self.tags_input

    def on_mount(self) -> None:
        self.note_input.value, self.tags_input.value = self._initial_values
        self.note_input.focus()

    @on(Input.Submitted)
    def _input_submitted(self) -> None:
        if (self.note_input.value, self.tags_input.value) == self._initial_values:
            self.dismiss(None)
        else:
            self.dismiss({job.id: (self._note_for(job), self._tags_for(job)) for job in self._jobs})

    # Unedited lines keep the stored text, not the sanitized one.

    def _note_for(self, job: Job) -> str:
        return job.note if self.note_input.value == self._initial_values[0] else self.note_input.value.strip()

    def _tags_for(self, job: Job) -> tuple[str, ...]:
        if self.tags_input.value == self._initial_values[1]:
            return job.tags
        own = tuple(tag for tag in job.tags if tag not in self._shared_tags)
        return tuple(dict.fromkeys((*parse_tags(self.tags_input.value), *own)))[:MAX_TAGS]


MAX_COMPARED_JOBS = 4
"""Results the viewer shows side by side: with more, each would be too small."""


class JobDialogs:
    """Opens the form with a job's request, its copy menu, save-as, note or viewer over the main screen."""

    def __init__(self, screen: MainScreen) -> None:
        self._screen = screen
        self.openers = {
            "edit": self._edit_request,
            "copy": self._open_copy_menu,
            "save": self._open_save_as,
            "note": self._open_note,
            "compare": self._compare,
        }

    async def _edit_request(self, jobs: Sequence[Job]) -> None:
        if jobs[0].is_creation:
            from eternal_tui.tui.screens.job_commands import CREATION_RERUN_MESSAGE

            self._screen.notify_user(CREATION_RERUN_MESSAGE, "warning")
            return
        form = await self._screen.form_pane.mount_form()
        # One job of a template is edited as it was sent, all of them as the template.
        template = jobs[0].template if len(jobs) > 1 and len({job.template for job in jobs}) == 1 else ""
        form.load_request(jobs[0].request, f"from job {jobs[0].id}", template)
        await self._screen.open_form()

    async def _open_copy_menu(self, jobs: Sequence[Job]) -> None:
        screen = self._screen
        screen.app.push_screen(CopyMenu(jobs[0], screen.services, screen.terminal), screen.commands.notify_result)

    async def _open_save_as(self, jobs: Sequence[Job]) -> None:
        self._screen.app.push_screen(SaveAs(jobs, self._screen.services), self._screen.commands.notify_result)

    async def _open_note(self, jobs: Sequence[Job]) -> None:
        self._screen.app.push_screen(NoteScreen(*jobs), self._save_annotations)

    async def _save_annotations(self, annotations: dict[int, Annotations] | None) -> None:
        for job_id, (note, tags) in (annotations or {}).items():
            await self._screen.services.jobs.annotate(job_id, note=note, tags=tags)

    async def _compare(self, jobs: Sequence[Job]) -> None:
        if len(jobs) == 1:
            self._screen.notify_user(SafeText("Nothing to compare: mark 2 to 4 jobs with space, then press c."))
            return
        if len(jobs) > MAX_COMPARED_JOBS:
            self._screen.notify_user(format_safe("Comparing the first 4 of {n} jobs.", n=len(jobs)))
        self.open_viewer([job.id for job in jobs])

    def open_viewer(self, job_ids: Sequence[int]) -> None:
        """Show up to four results side by side."""
        from eternal_tui.tui.screens.viewer import Viewer

        screen = self._screen
        if jobs := screen.services.jobs.store.get_many(job_ids[:MAX_COMPARED_JOBS]):
            listed = screen.job_pane.job_list.listed_ids()
            screen.app.push_screen(Viewer(jobs, screen.services, screen.terminal, screen.commands, listed))

    async def open_statistics(self) -> None:
        """Show the figures of the history; a chosen line lists the jobs behind it."""
        from eternal_tui.jobs.batch import group_jobs
        from eternal_tui.jobs.billing.statistics import compute_statistics
        from eternal_tui.tui.screens.statistics import StatisticsScreen

        screen, engine = self._screen, self._screen.services.jobs
        # Not in a worker: keys typed ahead are for the screen that this opens.
        ledger = await engine.billing.read_full_ledger()
        jobs = engine.store.newest_first()
        figures = compute_statistics(jobs, screen.services.clock.time(), ledger)
        opened = StatisticsScreen(figures, group_jobs(jobs, figures))
        screen.app.push_screen(opened, lambda text: screen.show_filter(text) if text is not None else None)

    async def confirm_quit(self) -> bool:
        """Ask whether to quit while a request is being sent."""
        return await self._screen.ask_confirmation(
            ConfirmDialog(
                SafeText("A request is being sent. Quitting now leaves its outcome unclear."),
                title=SafeText("Quit?"),
                yes=SafeText("quit"),
                no=SafeText("wait for the response"),
            )
        )
