"""Save as: a copy of a verified file under a name of the person's own, wherever they like."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import ClassVar

from textual import on, work
from textual.binding import BindingType
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Input, Static

from eternal_tui.core.sanitize import Shown, join, say
from eternal_tui.jobs.files import proposed_name
from eternal_tui.jobs.model import Job
from eternal_tui.tui.input.actions import bindings
from eternal_tui.tui.screens.job_commands import JobActions
from eternal_tui.tui.widgets.dialog import Dialog
from eternal_tui.tui.widgets.search_dialog import SearchLine


def default_folder(home: Path, here: Path) -> Path:
    """Return where copies go unless told otherwise: the person's downloads, or where they started the program."""
    downloads = home / "Downloads"
    return downloads if downloads.is_dir() else here


def tilde(path: Path, home: Path) -> str:
    """Return a path as people write it."""
    return f"~/{path.relative_to(home)}" if path.is_relative_to(home) and path != home else str(path)


class SaveAs(Dialog[Shown]):
    """Asks where to, for several jobs for a folder, and leaves with the sentence that tells where the copies are."""

    KEYS_WORD = Shown("enter saves · esc back · a name that is taken gets -2")
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("save")]

    def __init__(
        self,
        jobs: Sequence[Job],
        actions: JobActions,
        template: str,
        *,
        home: Path | None = None,
        here: Path | None = None,
    ) -> None:
        """Offer to save the verified files of `jobs`; `home` and `here` are the person's own by default."""
        self._jobs = [job for job in jobs if actions.file_of(job) is not None]
        self._left_out = len(jobs) - len(self._jobs)
        self._first = jobs[0] if jobs else None
        count = len(self._jobs)
        super().__init__(say("Save job {id} as", id=self._jobs[0].id) if count == 1 else say("Save {n} files", n=count))
        self._actions = actions
        self._template = template
        self._home = home if home is not None else Path.home()
        self._folder = default_folder(self._home, here if here is not None else Path.cwd())
        self._busy = False
        self.line = SearchLine(compact=True, select_on_focus=False, id="save-line")
        self._label = Static(Content("File" if count == 1 else "Into the folder"), classes="label", markup=False)

    def _file_name(self, job: Job) -> str:
        file = self._actions.file_of(job)
        return proposed_name(job, self._template, file.suffix if file is not None else "")

    def _proposal(self) -> str:
        if len(self._jobs) != 1:
            return tilde(self._folder, self._home)
        return tilde(self._folder / self._file_name(self._jobs[0]), self._home)

    def body(self) -> Iterable[Widget]:
        """Show the line to write in."""
        return (self._label, self.line)

    def on_mount(self) -> None:
        """Go to the line; leave at once where there is nothing to save."""
        if self._jobs:
            self.line.value = self._proposal()
            self.line.focus()
        else:
            self.call_after_refresh(self._leave_at_once)

    def _leave_at_once(self) -> None:
        if self._first is not None and self._left_out == 1:
            self.dismiss(say("Job {id} has no verified file to save.", id=self._first.id))
        else:
            self.dismiss(Shown("None of these jobs has a verified file to save."))

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        if not self._busy:
            self.tell()

    @on(Input.Submitted)
    def _entered(self, event: Input.Submitted) -> None:
        event.stop()
        if not self._busy:
            self._busy = True
            self._save(event.value.strip())

    def _targets(self, text: str) -> list[Path]:
        """Return where each file goes; a bare name stays in the folder that was proposed."""
        given = Path(
            text[:1].replace("~", str(self._home)) + text[1:] if text.startswith("~/") or text == "~" else text
        )
        place = given if given.is_absolute() or "/" in text else self._folder / given
        if len(self._jobs) != 1 or place.is_dir():
            return [place / self._file_name(job) for job in self._jobs]
        file = self._actions.file_of(self._jobs[0])
        return [place if place.suffix or file is None else place.with_name(place.name + file.suffix)]

    @work
    async def _save(self, text: str) -> None:
        if not text:
            self._wrong(Shown("Write a name first."))
            return
        saved: list[Path] = []
        self.tell(Shown("Saving …"))
        try:
            targets = await asyncio.to_thread(self._targets, text)
            if not await asyncio.to_thread(targets[0].parent.is_dir):
                self._wrong(say("There is no folder {path}. Nothing was saved.", path=targets[0].parent))
                return
            for job, target in zip(self._jobs, targets, strict=True):
                saved.append(await asyncio.to_thread(self._actions.save_copy, job, target))
        except OSError as error:
            done = say(" {n} were saved before.", n=len(saved)) if saved else Shown("")
            self._wrong(join("", say("It could not be saved: {why}.", why=error.strerror or error), done))
            return
        self.dismiss(self._said(saved))

    def _wrong(self, words: Shown) -> None:
        self._busy = False
        self.tell(words, problem=True)

    def _said(self, saved: Sequence[Path]) -> Shown:
        if len(saved) == 1 and not self._left_out:
            return say("Saved as {path}.", path=tilde(saved[0], self._home))
        told = say("Saved {n} files in {path}.", n=len(saved), path=tilde(saved[0].parent, self._home))
        if not self._left_out:
            return told
        return join(" ", told, say("{n} had no verified file.", n=self._left_out))
