"""NoteScreen: the note and the tags of jobs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from textual import on
from textual.binding import BindingType
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Input, Static

from eternal_tui.core.sanitize import SafeText, format_safe, sanitize
from eternal_tui.jobs.model import MAX_TAGS, Job, parse_tags
from eternal_tui.tui.input.keymap import bindings
from eternal_tui.tui.widgets.dialog import Dialog
from eternal_tui.tui.widgets.search_dialog import SearchInput

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
            return
        self.dismiss({job.id: (self._note_for(job), self._tags_for(job)) for job in self._jobs})

    # Untouched lines keep the text as it is stored, not as it is shown.

    def _note_for(self, job: Job) -> str:
        return job.note if self.note_input.value == self._initial_values[0] else self.note_input.value.strip()

    def _tags_for(self, job: Job) -> tuple[str, ...]:
        if self.tags_input.value == self._initial_values[1]:
            return job.tags
        own = tuple(tag for tag in job.tags if tag not in self._shared_tags)
        return tuple(dict.fromkeys((*parse_tags(self.tags_input.value), *own)))[:MAX_TAGS]
