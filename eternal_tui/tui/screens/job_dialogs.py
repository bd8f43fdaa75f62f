"""Dialogs about jobs: opened by keys, with callbacks for their results."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from eternal_tui.core.sanitize import SafeText, format_safe
from eternal_tui.jobs.model import Job

if TYPE_CHECKING:
    from eternal_tui.tui.screens.main import MainScreen
    from eternal_tui.tui.screens.note import Annotations

MAX_COMPARED_JOBS = 4
"""Results the viewer shows side by side."""


class JobDialogs:
    """Opens the form with a job's request, its copy menu, save-as, note or viewer over the main screen."""

    def __init__(self, screen: MainScreen) -> None:
        self._screen = screen
        self._openers = {
            "edit": self._edit_request,
            "copy": self._open_copy_menu,
            "save": self._open_save_as,
            "note": self._open_note,
            "compare": self._compare,
        }

    async def open(self, name: str, job_ids: Sequence[int]) -> bool:
        """Open the dialog of an action for these jobs, deleted ones left out; False for an action without one."""
        if name not in self._openers:
            return False
        if jobs := self.get_jobs(job_ids):
            await self._openers[name](jobs)
        return True

    def get_jobs(self, job_ids: Sequence[int]) -> list[Job]:
        store = self._screen.services.jobs.store
        return [job for job_id in job_ids if (job := store.get(job_id)) is not None]

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
        from eternal_tui.tui.screens.copy import CopyMenu

        screen = self._screen
        screen.app.push_screen(CopyMenu(jobs[0], screen.services, screen.terminal), screen.commands.notify_result)

    async def _open_save_as(self, jobs: Sequence[Job]) -> None:
        from eternal_tui.tui.screens.save_as import SaveAs

        template = self._screen.services.settings.save_template
        commands = self._screen.commands
        self._screen.app.push_screen(SaveAs(list(jobs), commands, template), commands.notify_result)

    async def _open_note(self, jobs: Sequence[Job]) -> None:
        from eternal_tui.tui.screens.note import NoteScreen

        self._screen.app.push_screen(NoteScreen(*jobs), self._note_closed)

    def _note_closed(self, annotations: dict[int, Annotations] | None) -> None:
        if annotations:
            self._screen.run_worker(self._save_annotations(annotations))

    async def _save_annotations(self, annotations: dict[int, Annotations]) -> None:
        for job_id, (note, tags) in annotations.items():
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
        if jobs := self.get_jobs(job_ids[:MAX_COMPARED_JOBS]):
            listed = screen.job_pane.job_list.listed_ids()
            screen.app.push_screen(Viewer(jobs, screen.services, screen.terminal, screen.commands, listed))

    async def open_statistics(self) -> None:
        """Show the figures of the history; a chosen line lists the jobs behind it."""
        from eternal_tui.jobs.billing.statistics import compute_statistics
        from eternal_tui.jobs.groups import group_jobs
        from eternal_tui.tui.screens.statistics import StatisticsScreen

        screen, engine = self._screen, self._screen.services.jobs
        # Not in a worker: keys typed ahead are for the screen that this opens.
        ledger = await engine.billing.read_full_ledger()
        jobs = engine.store.newest_first()
        figures = compute_statistics(jobs, screen.services.clock.time(), ledger=ledger)
        opened = StatisticsScreen(figures, group_jobs(jobs, figures))
        screen.app.push_screen(opened, lambda text: screen.show_filter(text) if text is not None else None)

    async def confirm_quit(self) -> bool:
        """Ask whether to quit while a request is being sent."""
        from eternal_tui.tui.widgets.dialog import ConfirmDialog

        return await self._screen.ask_confirmation(
            ConfirmDialog(
                SafeText("A request is being sent. Quitting now leaves its outcome unclear."),
                title=SafeText("Quit?"),
                yes=SafeText("quit"),
                no=SafeText("wait for the response"),
            )
        )
