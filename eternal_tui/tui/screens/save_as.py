"""SaveAs: copies result files to a path of the user's choice."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import ClassVar

from textual import on, work
from textual.binding import BindingType
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Input, Static

from eternal_tui.core.sanitize import SafeText, format_safe, join_safe
from eternal_tui.jobs.copies import suggest_filename
from eternal_tui.jobs.model import Job
from eternal_tui.tui.input.keymap import bindings
from eternal_tui.tui.screens.job_commands import JobCommands
from eternal_tui.tui.widgets.dialog import Dialog
from eternal_tui.tui.widgets.search_dialog import SearchInput


def default_save_dir(home: Path, cwd: Path) -> Path:
    """Return the default folder of copies: Downloads, else the working folder."""
    downloads = home / "Downloads"
    return downloads if downloads.is_dir() else cwd


def abbreviate_home(path: Path, home: Path) -> str:
    """Return the path with ~ for the home folder."""
    return f"~/{path.relative_to(home)}" if path.is_relative_to(home) and path != home else str(path)


def _existing_dir(lookup: Callable[[], Path], instead: Path) -> Path:
    """Return `instead` where the working folder was deleted, or the user has no home folder."""
    try:
        return lookup()
    except (OSError, RuntimeError):
        return instead


def _same_kind(suffix: str, other: str) -> bool:
    first, second = (each.lower().replace(".jpeg", ".jpg") for each in (suffix, other))
    return first == second


class SaveAs(Dialog[SafeText]):
    """Asks for a path, or a folder for several jobs, and leaves with a sentence on the copies."""

    KEYS_HINT = SafeText("enter: save · esc: cancel · existing names get a -2 suffix")
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("save")]

    def __init__(
        self,
        jobs: Sequence[Job],
        commands: JobCommands,
        template: str,
        *,
        home: Path | None = None,
        cwd: Path | None = None,
    ) -> None:
        """Offer to save the verified files of `jobs`; `home` and `cwd` are the user's by default."""
        self._jobs = [job for job in jobs if commands.file_path(job) is not None]
        self._skipped_count = len(jobs) - len(self._jobs)
        self._first_job = jobs[0] if jobs else None
        count = len(self._jobs)
        super().__init__(
            format_safe("Save job {id} as", id=self._jobs[0].id)
            if count == 1
            else format_safe("Save {n} files", n=count)
        )
        self._commands = commands
        self._template = template
        self._home = home if home is not None else _existing_dir(Path.home, Path("/"))
        self._default_dir = default_save_dir(
            self._home, cwd if cwd is not None else _existing_dir(Path.cwd, self._home)
        )
        self._is_saving = False
        self.path_input = SearchInput(compact=True, select_on_focus=False, id="save-line")
        self._path_label = Static(Content("File" if count == 1 else "Into the folder"), classes="label", markup=False)

    def _suggested_filename(self, job: Job) -> str:
        file = self._commands.file_path(job)
        return suggest_filename(job, self._template, file.suffix if file is not None else "")

    def _suggested_path(self) -> str:
        if len(self._jobs) != 1:
            return abbreviate_home(self._default_dir, self._home)
        return abbreviate_home(self._default_dir / self._suggested_filename(self._jobs[0]), self._home)

    def body(self) -> Iterable[Widget]:
        return (self._path_label, self.path_input)

    def on_mount(self) -> None:
        if self._jobs:
            self.path_input.value = self._suggested_path()
            self.path_input.focus()
        else:
            self.call_after_refresh(self._dismiss_without_files)

    def _dismiss_without_files(self) -> None:
        if self._first_job is not None and self._skipped_count == 1:
            self.dismiss(format_safe("Job {id} has no verified file to save.", id=self._first_job.id))
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

    def _target_paths(self, text: str) -> list[Path]:
        """Return the path of each copy; a bare name is one in the default folder."""
        if text == "~" or text.startswith("~/"):
            text = f"{self._home}{text[1:]}"
        text = os.path.expandvars(os.path.expanduser(text))  # noqa: PTH111 - before it is a path
        entered = Path(text)
        place = entered if entered.is_absolute() or "/" in text else self._default_dir / entered
        if len(self._jobs) != 1 or place.is_dir():
            return [place / self._suggested_filename(job) for job in self._jobs]
        file = self._commands.file_path(self._jobs[0])
        return [place if place.suffix or file is None else place.with_name(place.name + file.suffix)]

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
            for job, target in zip(self._jobs, targets, strict=True):
                saved.append(await asyncio.to_thread(self._commands.save_copy, job, target))
        except OSError as error:
            done = format_safe(" {n} were saved.", n=len(saved)) if saved else SafeText("")
            self._show_error(join_safe("", format_safe("Could not save: {why}.", why=error.strerror or error), done))
            return
        self.dismiss(self._result_message(saved))

    def _show_error(self, message: SafeText) -> None:
        self._is_saving = False
        self.set_footer_text(message, is_error=True)

    def _result_message(self, saved: Sequence[Path]) -> SafeText:
        if len(saved) == 1 and not self._skipped_count:
            path = abbreviate_home(saved[0], self._home)
            file = self._commands.file_path(self._jobs[0])
            if file is not None and not _same_kind(file.suffix, saved[0].suffix):
                return format_safe("Saved as {path}. Its content is {type}.", path=path, type=file.suffix[1:].upper())
            return format_safe("Saved as {path}.", path=path)
        message = format_safe(
            "Saved {n} files in {path}.", n=len(saved), path=abbreviate_home(saved[0].parent, self._home)
        )
        if not self._skipped_count:
            return message
        return join_safe(" ", message, format_safe("{n} had no verified file.", n=self._skipped_count))
