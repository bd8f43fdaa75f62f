"""The one screen at work: what its panes say goes to the desk as wishes, and what a person does is done."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import msgspec
from textual import events, on, work
from textual.binding import BindingType

from eternal_tui.api.models import Character
from eternal_tui.core.sanitize import Shown, say, shown
from eternal_tui.jobs.model import POLLED, Job, JobState
from eternal_tui.tui.input import actions
from eternal_tui.tui.job_list.widget import JobList
from eternal_tui.tui.request_form.pane import FormPane
from eternal_tui.tui.screens.help import KeyHelp
from eternal_tui.tui.screens.main_view import WorkbenchView
from eternal_tui.tui.widgets.footer import FooterLine

if TYPE_CHECKING:
    from eternal_tui.tui.screens.note import Marks

PROMPTS_OFFERED = 2_000
"""Earlier prompts the search offers: more than anybody scrolls through, few enough to search at a key's pace."""


class WorkbenchScreen(KeyHelp, WorkbenchView):
    """Answers the messages of the panes and the keys of the registry."""

    AUTO_FOCUS = "JobList"
    BINDINGS: ClassVar[list[BindingType]] = [*actions.bindings("anywhere")]

    # Messages of the panes

    @on(JobList.Opened)
    def _opened(self, event: JobList.Opened) -> None:
        self._view([event.job_id])

    @on(FormPane.Sent)
    @work
    async def _submitted(self, event: FormPane.Sent) -> None:
        try:
            sent = await self.actions.submit(event.requests, event.names)
        finally:
            self.form_pane.answered(event.requests)
        if sent:
            self._tell_sent(len(event.requests))
            if not all(event.names):
                await self._learn_names()
        else:
            await self._ask_where_no_key_is()

    def _tell_sent(self, count: int) -> None:
        """Say that it was sent where the form covers the list, in which it would be seen."""
        covered = self.form_pane.region.width == self.size.width
        sent = self.bench.desk.listing()[:count]
        if covered and all(job.state in (*POLLED, JobState.SUCCEEDED) for job in sent):
            what = say("{n} requests", n=count) if count > 1 else Shown("the request")
            self.tell(say("Sent {what}. esc goes to the list.", what=what))

    @on(FormPane.Priced)
    def _priced(self, event: FormPane.Priced) -> None:
        self.form_pane.set_estimate(self.actions.mean_price(event.requests))

    @on(FormPane.CharactersWanted)
    @work(group="characters", exclusive=True)
    async def _characters(self) -> None:
        await self.load_characters()

    async def load_characters(self) -> Sequence[Character]:
        """Give the form the service's characters: the stored ones at once, fresh ones when they come."""
        from eternal_tui.api.errors import ApiError

        book = self.bench.book
        if book.fetched_at is None:
            book.open_stored()
            self.form_pane.set_characters(book.known, book.refusal)
        try:
            self.form_pane.set_characters(await book.load(), book.refusal)
        except ApiError as error:
            self.tell(shown(str(error)), "warning")
        self.bench.desk.learn_names(book.name_of)
        return book.known

    async def _learn_names(self) -> None:
        """Name what was sent before the characters were here; without a service they keep their numbers."""
        from eternal_tui.api.errors import ApiError

        with contextlib.suppress(ApiError):
            self.form_pane.set_characters(await self.bench.book.load(), self.bench.book.refusal)
        self.bench.desk.learn_names(self.bench.book.name_of)

    @on(FormPane.HistoryWanted)
    def _prompts(self) -> None:
        prompts = dict.fromkeys(job.request.prompt for job in self.bench.desk.listing())
        self.form_pane.show_history(list(prompts)[:PROMPTS_OFFERED])

    @on(FormPane.Told)
    def _form_told(self, event: FormPane.Told) -> None:
        self.tell(event.text, "warning")

    @on(FooterLine.Clicked)
    async def _clicked(self, event: FooterLine.Clicked) -> None:
        if event.run:
            await (self.focused or self).run_action(event.run)

    # Actions of the registry

    def _chosen(self) -> list[int]:
        return self.job_pane.jobs.chosen()

    async def action_job(self, name: str) -> None:
        """Do something with the marked jobs, or the one under the cursor."""
        chosen = self._chosen()
        opening = {
            "edit": self._edit,
            "copy": self._copy,
            "save": self._save,
            "note": self._note,
            "compare": self._view,
        }
        if name in opening and chosen:
            # Not in a worker: keys typed ahead wait for what the handler of the one before has opened.
            await _maybe(opening[name](chosen))
        else:
            self._act(chosen, name)

    @work
    async def _act(self, chosen: list[int], name: str) -> None:
        await self.actions.guarded(chosen, name)
        if name in ("delete", "again"):
            self.job_pane.jobs.clear_marks()

    async def _edit(self, chosen: list[int]) -> None:
        job = self.bench.desk.job(chosen[0])
        if job is not None and job.is_creation:
            from eternal_tui.tui.screens.job_commands import ANOTHER_CHARACTER

            self.tell(ANOTHER_CHARACTER, "warning")
        elif job is not None:
            await self.form_pane.take(job.request)
            await self._open_form()

    def _copy(self, chosen: list[int]) -> None:
        from eternal_tui.tui.screens.copy import CopyMenu

        job = self.bench.desk.job(chosen[0])
        if job is not None:
            self.app.push_screen(CopyMenu(job, self.bench, self.around), self.actions.tell)

    def _save(self, chosen: list[int]) -> None:
        from eternal_tui.tui.screens.save_as import SaveAs

        jobs = self._jobs(chosen)
        self.app.push_screen(SaveAs(jobs, self.actions, self.bench.settings.save_template), self.actions.tell)

    def _note(self, chosen: list[int]) -> None:
        from eternal_tui.tui.screens.note import NoteScreen

        if jobs := self._jobs(chosen):
            self.app.push_screen(NoteScreen(*jobs), self._keep_marks)

    def _keep_marks(self, marks: dict[int, Marks] | None) -> None:
        if marks:
            self._annotate(marks)

    @work
    async def _annotate(self, marks: dict[int, Marks]) -> None:
        for job_id, (note, tags) in marks.items():
            await self.bench.desk.annotate(job_id, note=note, tags=tags)

    def _jobs(self, chosen: Sequence[int]) -> list[Job]:
        return [job for job_id in chosen if (job := self.bench.desk.job(job_id)) is not None]

    def _view(self, chosen: list[int]) -> None:
        from eternal_tui.tui.screens.viewer import Viewer

        if jobs := self._jobs(chosen[:4]):
            listed = self.job_pane.jobs.listed_ids()
            self.app.push_screen(Viewer(jobs, self.bench, self.around, self.actions, listed))

    @work
    async def action_undo(self) -> None:
        """Bring the last deleted jobs back."""
        back = await self.bench.desk.undo_delete()
        self.tell(Shown("There is nothing to undo.") if not back else Shown("Brought back."))

    @work
    async def action_retry_failed(self) -> None:
        """Run every job of the list that failed or was not taken again, after a question with the cost."""
        listed = (self.bench.desk.job(job_id) for job_id in self.job_pane.jobs.listed_ids())
        await self.actions.retry_failed([job for job in listed if job is not None])

    async def action_new_request(self) -> None:
        """Go to the form, opening its drawer where it is one."""
        await self._open_form()

    async def action_submit(self) -> None:
        """Send what the form holds."""
        if not await self.form_pane.submit():
            self.add_class("-drawer")

    async def action_pane(self, number: int) -> None:
        """Go to a pane: 1 the form, 2 the jobs, 3 the detail."""
        if number == 1:
            await self._open_form()
            return
        self._close_drawer()
        if number == 2:
            self.job_pane.focus_jobs()
        else:
            self.detail.focus_words()

    def action_gallery(self) -> None:
        """Show the jobs as thumbnails, or as lines again."""
        self.job_pane.toggle_gallery()
        self.set_class(self.job_pane.in_gallery, "-gallery")

    def action_play(self) -> None:
        """Play the clip of the detail in place, or pause it."""
        self.detail.picture.toggle()

    def action_scrub(self, direction: int) -> None:
        """Move the clip of the detail by a twentieth of its length."""
        self.detail.picture.scrub(direction / 20)

    def action_zoom(self) -> None:
        """Give the focused pane all the room, or give it back."""
        focused = self.focused
        target = "-zoom-detail" if focused is not None and self.detail in focused.ancestors else "-zoom-jobs"
        zoomed = self.has_class("-zoom-detail") or self.has_class("-zoom-jobs")
        self.remove_class("-zoom-detail", "-zoom-jobs")
        if not zoomed:
            self.add_class(target)

    def action_split(self, tenths: int) -> None:
        """Give the list more of the room, or the detail."""
        self._split.move(tenths)

    def action_statistics(self) -> None:
        """Show what the history says in figures."""
        from eternal_tui.jobs.billing.statistics import statistics
        from eternal_tui.tui.screens.statistics import StatisticsScreen

        figures = statistics(self.bench.desk.listing(), self.bench.clock.time())
        self.app.push_screen(StatisticsScreen(figures, self.around.glyphs))

    def action_jump(self) -> None:
        """Label every control and go to the one whose letter is pressed."""
        from eternal_tui.tui.screens.jump import JumpScreen

        self.app.push_screen(JumpScreen.over(self))

    def action_characters(self) -> None:
        """Browse the characters; the chosen one goes into the form."""
        from eternal_tui.tui.screens.characters import CharacterBrowser

        if any(isinstance(screen, CharacterBrowser) for screen in self.app.screen_stack):
            return
        self.app.push_screen(CharacterBrowser(self.bench, self.around), self._chose_character)

    async def _chose_character(self, chosen: str | None) -> None:
        self.form_pane.set_characters(self.bench.book.known, self.bench.book.refusal)
        if chosen is not None:
            await self.use_character(chosen)

    async def use_character(self, identifier: str) -> None:
        """Put a character into the form, and go there."""
        from eternal_tui.characters.resolver import label

        character = self.bench.book.by_id(identifier)
        form = await self.form_pane.fill()
        named = label(character) if character is not None else identifier
        form.load(msgspec.structs.replace(form.draft, character=named))
        await self._open_form()

    @work
    async def action_leave(self) -> None:
        """End the app; asks only while a request is being sent."""
        sending = sum(job.state is JobState.SUBMITTING for job in self.bench.desk.listing())
        if sending:
            from eternal_tui.tui.widgets.dialog import Confirm

            asked = Confirm(
                Shown("A request is being sent right now. Leaving makes its outcome unclear."),
                title=Shown("Leave?"),
                yes=Shown("leave"),
                no=Shown("stay until it is answered"),
            )
            if not await self.ask(asked):
                return
        self.app.exit()

    def key_escape(self, event: events.Key) -> None:
        """Stop what is looked up; else close the drawer or the zoom and go to the list. Esc never quits."""
        if self._look_up is not None and self._look_up.stop():
            event.stop()
            return
        zoomed = self.has_class("-zoom-detail") or self.has_class("-zoom-jobs")
        if zoomed or self._place() in ("form", "detail"):
            # Or the list, which has the focus then, would take the same key for its own and clear the filter.
            event.stop()
        self.remove_class("-zoom-detail", "-zoom-jobs")
        self._close_drawer()
        self.job_pane.focus_jobs()

    async def _open_form(self) -> None:
        self.remove_class("-zoom-detail", "-zoom-jobs")
        self.add_class("-drawer")
        await self.form_pane.focus_first()

    def _close_drawer(self) -> None:
        self.remove_class("-drawer")


async def _maybe(result: Any) -> None:
    if result is not None:
        await result
