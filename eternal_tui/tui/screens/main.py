"""The one screen at work: what its panes say goes to the desk as wishes, and what a person does is done."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import msgspec
from textual import events, on, work
from textual.binding import BindingType

from eternal_tui.api.models import Character
from eternal_tui.core.sanitize import SafeText, format_safe, sanitize
from eternal_tui.jobs.model import POLLED_STATES, Job, JobState
from eternal_tui.tui.input import actions
from eternal_tui.tui.job_list.widget import JobList
from eternal_tui.tui.request_form.pane import RequestFormPane
from eternal_tui.tui.screens.main_view import MainView
from eternal_tui.tui.widgets.footer import FooterLine
from eternal_tui.tui.widgets.help_keys import HelpMixin

if TYPE_CHECKING:
    from eternal_tui.tui.screens.note import Annotations

MAX_HISTORY_PROMPTS = 2_000
"""Earlier prompts the search offers: more than anybody scrolls through, few enough to search at a key's pace."""


class MainScreen(HelpMixin, MainView):
    """Answers the messages of the panes and the keys of the registry."""

    AUTO_FOCUS = "JobList"
    BINDINGS: ClassVar[list[BindingType]] = [*actions.bindings("anywhere")]

    # Messages of the panes

    @on(JobList.OpenRequested)
    def _open_requested(self, event: JobList.OpenRequested) -> None:
        self._open_viewer([event.job_id])

    @on(RequestFormPane.SubmitRequested)
    @work
    async def _submit_requested(self, event: RequestFormPane.SubmitRequested) -> None:
        try:
            sent = await self.commands.submit(event.requests, event.character_names)
        finally:
            self.form_pane.finish_submit(event.requests)
        if sent:
            self._confirm_sent(len(event.requests))
            if not all(event.character_names):
                await self._fill_in_character_names()
        else:
            await self._ask_for_missing_key()

    def _confirm_sent(self, count: int) -> None:
        """Say that it was sent where the form covers the list, in which it would be seen."""
        covered = self.form_pane.region.width == self.size.width
        sent = self.services.jobs.store.newest_first()[:count]
        if covered and all(job.state in (*POLLED_STATES, JobState.SUCCEEDED) for job in sent):
            what = format_safe("{n} requests", n=count) if count > 1 else SafeText("the request")
            self.notify_user(format_safe("Sent {what}. esc goes to the list.", what=what))

    @on(RequestFormPane.PriceRequested)
    def _price_requested(self, event: RequestFormPane.PriceRequested) -> None:
        self.form_pane.set_estimate(self.commands.mean_price(event.requests))

    @on(RequestFormPane.CharactersRequested)
    @work(group="characters", exclusive=True)
    async def _characters_requested(self) -> None:
        await self.load_characters()

    async def load_characters(self) -> Sequence[Character]:
        """Give the form the service's characters: the stored ones at once, fresh ones when they come."""
        from eternal_tui.api.errors import ApiError

        book = self.services.characters
        if book.fetched_at is None:
            book.load_stored()
            self.form_pane.set_characters(book.allowed, book.rejection_reason)
        try:
            self.form_pane.set_characters(await book.load(), book.rejection_reason)
        except ApiError as error:
            self.notify_user(sanitize(str(error)), "warning")
        self.services.jobs.fill_in_character_names(book.name_of)
        return book.allowed

    @work(group="characters", exclusive=True)
    async def _reload_characters(self) -> None:
        await self._fill_in_character_names(force_refresh=True)

    async def _fill_in_character_names(self, *, force_refresh: bool = False) -> None:
        """Name what was sent before the characters were here; without a service they keep their numbers."""
        from eternal_tui.api.errors import ApiError

        with contextlib.suppress(ApiError):
            self.form_pane.set_characters(
                await self.services.characters.load(force_refresh=force_refresh),
                self.services.characters.rejection_reason,
            )
        self.services.jobs.fill_in_character_names(self.services.characters.name_of)

    @on(RequestFormPane.PromptHistoryRequested)
    def _prompt_history_requested(self) -> None:
        prompts = dict.fromkeys(job.request.prompt for job in self.services.jobs.store.newest_first())
        self.form_pane.show_history(list(prompts)[:MAX_HISTORY_PROMPTS])

    @on(RequestFormPane.NotificationRequested)
    def _form_notification_requested(self, event: RequestFormPane.NotificationRequested) -> None:
        self.notify_user(event.text, "warning")

    @on(FooterLine.Clicked)
    async def _footer_clicked(self, event: FooterLine.Clicked) -> None:
        if event.textual_action:
            await (self.focused or self).run_action(event.textual_action)

    # Actions of the registry

    def _selected_ids(self) -> list[int]:
        return self.job_pane.job_list.selected_ids()

    async def action_job(self, name: str) -> None:
        """Do something with the marked jobs, or the one under the cursor."""
        chosen = self._selected_ids()
        opening = {
            "edit": self._edit_request,
            "copy": self._open_copy_menu,
            "save": self._open_save_as,
            "note": self._open_note,
            "compare": self._open_viewer,
        }
        if name in opening and chosen:
            # Not in a worker: keys typed ahead wait for what the handler of the one before has opened.
            await _await_if_awaitable(opening[name](chosen))
        else:
            self._run_command(chosen, name)

    @work
    async def _run_command(self, job_ids: list[int], command: str) -> None:
        await self.commands.run(job_ids, command)
        if command in ("delete", "again"):
            self.job_pane.job_list.clear_marks()

    async def _edit_request(self, job_ids: list[int]) -> None:
        job = self.services.jobs.store.get(job_ids[0])
        if job is not None and job.is_creation:
            from eternal_tui.tui.screens.job_commands import CREATION_RERUN_MESSAGE

            self.notify_user(CREATION_RERUN_MESSAGE, "warning")
        elif job is not None:
            await self.form_pane.load_request(job.request)
            await self._open_form()

    def _open_copy_menu(self, job_ids: list[int]) -> None:
        from eternal_tui.tui.screens.copy import CopyMenu

        job = self.services.jobs.store.get(job_ids[0])
        if job is not None:
            self.app.push_screen(CopyMenu(job, self.services, self.terminal), self.commands.notify_result)

    def _open_save_as(self, job_ids: list[int]) -> None:
        from eternal_tui.tui.screens.save_as import SaveAs

        jobs = self._get_jobs(job_ids)
        self.app.push_screen(
            SaveAs(jobs, self.commands, self.services.settings.save_template), self.commands.notify_result
        )

    def _open_note(self, job_ids: list[int]) -> None:
        from eternal_tui.tui.screens.note import NoteScreen

        if jobs := self._get_jobs(job_ids):
            self.app.push_screen(NoteScreen(*jobs), self._note_closed)

    def _note_closed(self, annotations: dict[int, Annotations] | None) -> None:
        if annotations:
            self._save_annotations(annotations)

    @work
    async def _save_annotations(self, annotations: dict[int, Annotations]) -> None:
        for job_id, (note, tags) in annotations.items():
            await self.services.jobs.annotate(job_id, note=note, tags=tags)

    def _get_jobs(self, job_ids: Sequence[int]) -> list[Job]:
        return [job for job_id in job_ids if (job := self.services.jobs.store.get(job_id)) is not None]

    def _open_viewer(self, job_ids: list[int]) -> None:
        from eternal_tui.tui.screens.viewer import Viewer

        if jobs := self._get_jobs(job_ids[:4]):
            listed = self.job_pane.job_list.listed_ids()
            self.app.push_screen(Viewer(jobs, self.services, self.terminal, self.commands, listed))

    @work
    async def action_undo(self) -> None:
        """Bring the last deleted jobs back."""
        back = await self.services.jobs.undo_delete()
        self.notify_user(SafeText("There is nothing to undo.") if not back else SafeText("Brought back."))

    @work
    async def action_retry_failed(self) -> None:
        """Run every job of the list that failed or was not taken again, after a question with the cost."""
        listed = (self.services.jobs.store.get(job_id) for job_id in self.job_pane.job_list.listed_ids())
        await self.commands.retry_failed([job for job in listed if job is not None])

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
            self.detail_pane.focus_text()

    def action_gallery(self) -> None:
        """Show the jobs as thumbnails, or as lines again."""
        self.job_pane.toggle_gallery()
        self.set_class(self.job_pane.is_gallery, "-gallery")

    def action_play(self) -> None:
        """Play the clip of the detail in place, or pause it."""
        self.detail_pane.media_view.toggle_playback()

    def action_scrub(self, direction: int) -> None:
        """Move the clip of the detail by a twentieth of its length."""
        self.detail_pane.media_view.scrub(direction / 20)

    def action_json(self) -> None:
        """Show or hide the JSON of the job in the detail."""
        self.detail_pane.toggle_json()

    def action_zoom(self) -> None:
        """Give the focused pane all the room, or give it back."""
        focused = self.focused
        target = "-zoom-detail" if focused is not None and self.detail_pane in focused.ancestors else "-zoom-jobs"
        zoomed = self.has_class("-zoom-detail") or self.has_class("-zoom-jobs")
        self.remove_class("-zoom-detail", "-zoom-jobs")
        if not zoomed:
            self.add_class(target)

    def action_split(self, tenths: int) -> None:
        """Give the list more of the room, or the detail."""
        self._pane_split.resize_list(tenths)

    def action_statistics(self) -> None:
        """Show what the history says in figures."""
        from eternal_tui.jobs.billing.statistics import compute_statistics
        from eternal_tui.tui.screens.statistics import StatisticsScreen

        figures = compute_statistics(self.services.jobs.store.newest_first(), self.services.clock.time())
        self.app.push_screen(StatisticsScreen(figures, self.terminal.glyphs))

    def action_jump(self) -> None:
        """Label every control and go to the one whose letter is pressed."""
        from eternal_tui.tui.screens.jump import JumpScreen

        self.app.push_screen(JumpScreen.for_screen(self))

    def action_characters(self) -> None:
        """Browse the characters; the chosen one goes into the form."""
        from eternal_tui.tui.screens.characters import CharactersScreen

        if any(isinstance(screen, CharactersScreen) for screen in self.app.screen_stack):
            return
        self.app.push_screen(CharactersScreen(self.services, self.terminal), self._character_chosen)

    async def _character_chosen(self, character_id: str | None) -> None:
        self.form_pane.set_characters(self.services.characters.allowed, self.services.characters.rejection_reason)
        if character_id is not None:
            await self.use_character(character_id)
            if self.services.characters.by_id(character_id) is None:
                # It was just created; the form shows its ID until the list names it.
                self._reload_characters()

    async def use_character(self, character_id: str) -> None:
        """Put a character into the form, and go there."""
        from eternal_tui.characters.resolver import format_label

        character = self.services.characters.by_id(character_id)
        form = await self.form_pane.mount_form()
        named = format_label(character) if character is not None else character_id
        form.load(msgspec.structs.replace(form.draft, character=named))
        await self._open_form()

    @work
    async def action_leave(self) -> None:
        """End the app; asks only while a request is being sent."""
        sending = sum(job.state is JobState.SUBMITTING for job in self.services.jobs.store.newest_first())
        if sending:
            from eternal_tui.tui.widgets.dialog import ConfirmDialog

            asked = ConfirmDialog(
                SafeText("A request is being sent right now. Leaving makes its outcome unclear."),
                title=SafeText("Leave?"),
                yes=SafeText("leave"),
                no=SafeText("stay until it is answered"),
            )
            if not await self.ask_confirmation(asked):
                return
        self.app.exit()

    def key_escape(self, event: events.Key) -> None:
        """Stop what is looked up; else close the drawer or the zoom and go to the list. Esc never quits."""
        if self._character_check is not None and self._character_check.cancel():
            event.stop()
            return
        zoomed = self.has_class("-zoom-detail") or self.has_class("-zoom-jobs")
        if zoomed or self._focus_scope() in ("form", "detail"):
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


async def _await_if_awaitable(result: Any) -> None:
    if result is not None:
        await result
