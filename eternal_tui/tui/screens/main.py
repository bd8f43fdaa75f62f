"""The main screen: its panes, the refresh from the engine's snapshots, and the actions of keys and messages."""

from __future__ import annotations

import gc
import shutil
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, Literal

from textual import events, on, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Container, Horizontal
from textual.css.query import QueryType
from textual.widget import MountError, Widget

from eternal_tui.core.sanitize import SafeText, format_safe, sanitize
from eternal_tui.jobs.formatting import pluralize
from eternal_tui.jobs.model import Job, JobState
from eternal_tui.services import Services
from eternal_tui.tui.config_watch import effective_keymap
from eternal_tui.tui.context import TerminalContext
from eternal_tui.tui.detail import DetailPane, with_pause_reason
from eternal_tui.tui.graphics.base import FaceSource
from eternal_tui.tui.input.actions import Scope
from eternal_tui.tui.input.keymap import bindings
from eternal_tui.tui.job_list.pane import JobListPane
from eternal_tui.tui.job_list.widget import JobList
from eternal_tui.tui.notifications import Notifier, Severity
from eternal_tui.tui.refresh import Debouncer, RefreshTimer
from eternal_tui.tui.request_form.messages import (
    CharactersRequested,
    PromptHistoryRequested,
    RequestsChanged,
    SubmitRequested,
)
from eternal_tui.tui.request_form.pane import RequestFormPane
from eternal_tui.tui.screens.form_requests import FormRequests
from eternal_tui.tui.screens.view_state import MIN_SIDE_BY_SIDE_COLUMNS, ScreenView
from eternal_tui.tui.terminal.compositor import DiffScreen
from eternal_tui.tui.terminal.textual_internals import is_exiting, set_toasts_visible, watch_toast_height
from eternal_tui.tui.widgets.footer import FooterLine, HelpMixin, footer_keys, tour_hint, without_action
from eternal_tui.tui.widgets.header import HeaderLine

if TYPE_CHECKING:
    from eternal_tui.tui.gallery import Gallery
    from eternal_tui.tui.picture.picture import MediaView
    from eternal_tui.tui.screens.job_commands import JobCommands
    from eternal_tui.tui.screens.job_dialogs import JobDialogs
    from eternal_tui.tui.widgets.dialog import ConfirmDialog

FULL_RELOAD_JOBS = 10_000
"""Changed jobs from which the list is rebuilt instead of updated: more than one slice of a history."""

MIN_WIDE_COLUMNS = 140
"""Columns from which form and list are side by side."""

MIN_HIGH_ROWS = 36
"""Rows from which the detail gets more of them than the list."""

ROW_BREAKPOINTS = [(0, "-low"), (MIN_HIGH_ROWS, "-high")]


class Workspace(Container):
    """Jobs and detail together: single-letter keys work here, and nowhere that text is typed."""

    BINDINGS: ClassVar[list[BindingType]] = [*bindings("jobs")]


BREAKPOINTS = [(0, "-tiny"), (80, "-normal"), (MIN_WIDE_COLUMNS, "-wide"), (MIN_SIDE_BY_SIDE_COLUMNS, "-widest")]
"""Columns from which the screen has these classes."""


def _size_classes() -> str:
    columns, rows = shutil.get_terminal_size()
    return " ".join(
        max(each for each in breakpoints if each[0] <= size)[1]
        for breakpoints, size in ((BREAKPOINTS, columns), (ROW_BREAKPOINTS, rows))
    )


MAX_HISTORY_PROMPTS = 2_000
"""Earlier prompts the search offers: few enough to search between two keys."""


class MainScreen(HelpMixin, DiffScreen):
    """Header, form, jobs, detail and footer: draws the engine's snapshots and handles keys and messages."""

    AUTO_FOCUS = "JobList"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("anywhere")]
    HORIZONTAL_BREAKPOINTS = BREAKPOINTS
    VERTICAL_BREAKPOINTS = ROW_BREAKPOINTS

    def __init__(self, services: Services, terminal: TerminalContext) -> None:
        # With the classes it will have, the screen is not styled a second time before its first frame.
        super().__init__(classes=_size_classes())
        self.services = services
        self.terminal = terminal
        engine = services.jobs
        self.header = HeaderLine(
            demo=services.demo is not None,
            other_host="" if services.settings.is_official or services.demo else services.settings.host,
        )
        self.form_pane = RequestFormPane(
            services.data_dir,
            environ=terminal.environ,
            monotonic=services.clock.monotonic,
            # The store of avatars is opened with the first of them.
            faces=FaceSource(terminal.graphics, lambda url: services.avatars.get(url)),  # noqa: PLW0108
        )
        self.job_pane = JobListPane(
            estimate_remaining=engine.monitor.estimate_remaining,
            clock_step=terminal.clock_step_seconds,
            make_gallery=self._make_gallery,
        )
        self.detail_pane = DetailPane(engine.results_dir, shows_media=any(terminal.graphics.cell_size))
        self.footer = FooterLine()
        self.tour_action_ids: list[str] = []
        self.notifier = Notifier(
            services.settings,
            terminal.environ,
            show_toast=self.notify_user,
            write=terminal.write_sequence,
            has_focus=lambda: self.app.app_focus,
            is_batch_active=engine.active_batches.is_active,
        )
        self.refresh_timer = RefreshTimer(
            self._refresh_jobs,
            interval_seconds=terminal.refresh_seconds,
            needs_clock=self.job_pane.job_list.has_clocks,
            monotonic=services.clock.monotonic,
        )
        # The list is painted first: where the cursor is matters more than all about its job.
        self._detail_debouncer = Debouncer(
            lambda: self.call_after_refresh(self._show_new_job), services.clock.monotonic
        )
        self.form_requests = FormRequests(self)
        self.check_characters = self.form_requests.check_characters
        self._view = ScreenView(self, services.data_dir)
        self._was_resumed = False
        self._last_credits: float | None = None

    def _make_gallery(self, jobs: JobList) -> Gallery:
        from eternal_tui.tui.gallery import Gallery

        return Gallery(jobs, self.terminal.graphics, self.services.jobs.results_dir)

    @cached_property
    def media_view(self) -> MediaView:
        # Imported after the first frame, which has no picture.
        from eternal_tui.tui.picture.picture import MediaView

        terminal = self.terminal
        return MediaView(terminal.graphics, frame_budget=terminal.frame_budget, cache=terminal.frame_cache)

    @cached_property
    def commands(self) -> JobCommands:
        from eternal_tui.tui.screens.job_commands import JobCommands

        return JobCommands(self.services.jobs, self, self.terminal.environ)

    @cached_property
    def dialogs(self) -> JobDialogs:
        from eternal_tui.tui.screens.job_dialogs import JobDialogs

        return JobDialogs(self)

    def compose(self) -> ComposeResult:
        yield self.header
        with Horizontal(id="body"):
            yield self.form_pane
            with Workspace(id="workspace"):
                yield self.job_pane
                yield self.detail_pane
        yield self.footer

    def on_mount(self) -> None:
        engine = self.services.jobs
        self._view.restore()
        self._unsubscribe = engine.store.subscribe(self.refresh_timer.mark_changed)
        engine.events.settled.connect(self.notifier.notify_soon)
        engine.events.submitted.connect(self.form_requests.job_submitted)
        self._set_jobs()
        self._update_footer()
        self.header.set_totals(engine.billing.totals(), engine.queue.summary())
        self.watch(self, "focused", self._update_footer, init=False)
        # Everything else is loaded after the first frame.
        self.call_after_refresh(self._start_after_first_frame)

    @work(exit_on_error=True)
    async def _start_after_first_frame(self) -> None:
        watch_toast_height(self, self._reserve_toast_rows)
        try:
            await self.detail_pane.mount_content(self.media_view, self.media_view.set_file)
            self._show_current_job()
            await self.services.jobs.start()
            self._set_jobs()
            self._refresh_jobs(frozenset())
            if held := self.services.jobs.queue.summary().held:
                what = pluralize(held, "queued request")
                self.notify_user(format_safe("{what} held: nothing is sent until H.", what=what))
            self._view.start_saving()
            await self.form_pane.mount_form()
        except MountError:
            if not is_exiting(self.app):
                raise
            return
        # These objects live to the end: the garbage collector need not scan them.
        gc.freeze()
        gc.enable()
        await self.form_requests.ask_key_if_missing()

    @on(events.ScreenResume)
    @on(events.ScreenSuspend)
    def _covered_or_uncovered(self, event: events.ScreenResume | events.ScreenSuspend) -> None:
        """Leave notifications to the screen above, which shows them too."""
        if isinstance(event, events.ScreenResume):
            # At the first time the styles are as they are: every widget got its own when it was mounted.
            event.refresh_styles = self._was_resumed
        if self._was_resumed:
            set_toasts_visible(self, isinstance(event, events.ScreenResume))
        self._was_resumed = True

    def on_resize(self) -> None:
        self._view.apply_split()

    def on_unmount(self) -> None:
        self._view.save()
        self._unsubscribe()
        self.refresh_timer.stop()
        self._detail_debouncer.stop()
        self.notifier.stop()

    def _set_jobs(self) -> None:
        self.job_pane.job_list.set_jobs(self.services.jobs.store.newest_first(), self.services.clock.time())

    def _refresh_jobs(self, changed: frozenset[int]) -> None:
        engine, jobs, now = self.services.jobs, self.job_pane.job_list, self.services.clock.time()
        if len(changed) > FULL_RELOAD_JOBS:
            self._set_jobs()
        elif changed:
            found = engine.store.get_many(changed)
            here = {job.id for job in found}
            jobs.apply_changes(found, now, changed - here)
        else:
            jobs.tick(now)
        totals = engine.billing.totals()
        if totals.credits != self._last_credits:
            self._last_credits = totals.credits
            self.form_pane.refresh_price()
        self.header.set_totals(totals, engine.queue.summary())
        self.notifier.update_title(totals)
        self._update_footer()
        if not self._detail_debouncer.is_pending:
            self._show_current_job()
        engine.monitor.set_visible(self.job_pane.visible_ids(), jobs.current_id)
        while engine.notices:
            self.notify_user(sanitize(engine.notices.pop(0)), "warning")

    def _show_current_job(self) -> Job | None:
        """Show and return the job under the cursor, with the reason why it waits."""
        engine = self.services.jobs
        job = engine.store.get(self.job_pane.job_list.current_id or 0)
        if job is not None:
            queued = engine.queue.place_text(job)
            job = with_pause_reason(job, queued or engine.monitor.pause_reason)
        self.detail_pane.set_job(job)
        return job

    @on(JobList.TitleChanged)
    def _update_footer(self) -> None:
        keymap, jobs = effective_keymap(self.services.settings), self.job_pane.job_list
        has_job = jobs.current_id is not None
        hints = footer_keys(self._focus_scope(), keymap, has_job=has_job, is_searching=jobs.is_searching)
        tour = [tour_hint(self.tour_action_ids, keymap)] if self.tour_action_ids else []
        self.footer.set_hints([*tour, *hints])

    def leave_out_of_tour(self, textual_action: str) -> None:
        self.tour_action_ids = without_action(self.tour_action_ids, textual_action)
        self._update_footer()

    def _focus_scope(self) -> Scope:
        nodes = list(self.focused.ancestors_with_self) if self.focused is not None else []
        if self.form_pane in nodes:
            return "form"
        if self.detail_pane in nodes:
            return "detail"
        if self.job_pane.contains_filter_bar(nodes):
            return "filter"
        return "gallery" if self.job_pane.is_gallery else "list"

    def refresh_keys(self) -> None:
        self.refresh_bindings()
        self._update_footer()

    @on(JobList.Highlighted)
    def _job_highlighted(self, _: JobList.Highlighted) -> None:
        self._detail_debouncer.trigger()

    def _show_new_job(self) -> None:
        job = self._show_current_job()
        if job is not None and job.is_ended:
            self._load_raw_responses(job.id)

    @work(group="answers", exclusive=True)
    async def _load_raw_responses(self, job_id: int) -> None:
        answers = await self.services.jobs.load_raw_responses(job_id)
        if self.detail_pane.job_id == job_id:
            self.detail_pane.set_job(self.services.jobs.store.get(job_id), answers)

    def _reserve_toast_rows(self, rows: int) -> None:
        """Let form or zoomed pane end above the notifications; otherwise they cover the foot of the detail."""
        covering = bool(self._view.zoomed_pane) or (self.has_class("-drawer") and self.size.width < MIN_WIDE_COLUMNS)
        body = self.query_one("#body")
        below = rows if covering else 0
        if body.styles.margin.bottom != below:
            body.styles.margin = (0, 0, below, 0)
            body.set_class(bool(below), "-less")

    def focus_next(self, selector: str | type[QueryType] = "*") -> Widget | None:
        return super().focus_next(self._visible_controls(selector))

    def focus_previous(self, selector: str | type[QueryType] = "*") -> Widget | None:
        return super().focus_previous(self._visible_controls(selector))

    def _visible_controls(self, selector: str | type[QueryType]) -> str | type[QueryType]:
        """Keep Tab within the form while it covers the list: letters would act on hidden jobs."""
        covered = self.has_class("-drawer") and self.size.width < MIN_WIDE_COLUMNS
        return "#form *" if covered and selector == "*" else selector

    def notify_user(self, text: SafeText, severity: Severity = "information") -> None:
        self.app.notify(text, severity=severity, markup=False, timeout=8 if severity == "error" else 5)

    async def ask_confirmation(self, dialog: ConfirmDialog) -> bool:
        answer: bool = await self.app.push_screen_wait(dialog)
        return answer

    # Messages of the panes

    @on(JobList.OpenRequested)
    def _open_requested(self, event: JobList.OpenRequested) -> None:
        self.dialogs.open_viewer([event.job_id])

    @on(SubmitRequested)
    @work
    async def _submit_requested(self, event: SubmitRequested) -> None:
        await self.form_requests.submit(event)

    @on(RequestsChanged)
    def _price_requested(self, event: RequestsChanged) -> None:
        if self.form_pane.form is not None:
            self.form_pane.form.set_estimate(self.commands.mean_price(event.requests))

    @on(CharactersRequested)
    @work(group="characters", exclusive=True)
    async def _characters_requested(self) -> None:
        await self.form_requests.load_characters()

    @on(PromptHistoryRequested)
    def _prompt_history_requested(self) -> None:
        prompts = dict.fromkeys(job.request.prompt for job in self.services.jobs.store.newest_first())
        if self.form_pane.form is not None:
            self.form_pane.form.show_history(list(prompts)[:MAX_HISTORY_PROMPTS])

    @on(JobList.Notice)
    @on(RequestFormPane.NotificationRequested)
    def _notification_requested(self, event: JobList.Notice | RequestFormPane.NotificationRequested) -> None:
        self.notify_user(event.text, "information" if isinstance(event, JobList.Notice) else "warning")

    # Actions of the registry

    def selected_jobs(self) -> list[Job]:
        return self.services.jobs.store.get_many(self.job_pane.job_list.selected_ids())

    def show_filter(self, text: str) -> None:
        jobs = self.job_pane.job_list
        jobs.clear_marks()
        filter_errors = jobs.set_filter(text, "all").errors
        self.job_pane.focus_jobs()
        if filter_errors:
            self.notify_user(sanitize(filter_errors[0]), "warning")

    async def action_job(self, name: str) -> None:
        if name == "star" and self._focus_scope() == "gallery":
            await self.action_cull("star")
            return
        jobs, open_dialog = self.selected_jobs(), self.dialogs.openers.get(name)
        if jobs and open_dialog is not None:
            # Not in a worker: keys typed ahead wait for the screen that this opens.
            await open_dialog(jobs)
        else:
            self._run_command(self.job_pane.job_list.selected_ids(), name)

    async def action_cull(self, command: Literal["star", "reject"]) -> None:
        """Star or reject the job of a tile and go to the next, or all marked ones."""
        jobs = self.job_pane.job_list
        chosen, current = jobs.selected_ids(), jobs.current_id
        # A filter may have hidden the job meanwhile: then the cursor is on the next already.
        if await self.commands.cull(chosen, command) and jobs.current_id == current == chosen[0]:
            await self.job_pane.gallery.run_action("go(1, 0)")

    @work
    async def _run_command(self, job_ids: list[int], command: str) -> None:
        await self.commands.run(job_ids, command)
        if command in ("delete", "again"):
            self.job_pane.job_list.clear_marks()

    @work
    async def action_hold_queue(self) -> None:
        await self.commands.toggle_queue()

    @work
    async def action_move_queued(self, places: int) -> None:
        await self.commands.move_queued(self.job_pane.job_list.selected_ids(), places)

    @work
    async def action_run_next(self) -> None:
        await self.commands.run_next(self.job_pane.job_list.selected_ids())

    @work
    async def action_undo(self) -> None:
        back = await self.services.jobs.undo_delete()
        self.notify_user(SafeText("Restored.") if back else SafeText("Nothing to undo."))

    @work
    async def action_retry_failed(self) -> None:
        listed = self.services.jobs.store.get_many(self.job_pane.job_list.listed_ids())
        await self.commands.retry_failed(listed)

    async def action_new_request(self) -> None:
        (await self.form_pane.mount_form()).start_new()
        await self.open_form()

    async def action_submit(self) -> None:
        if not await self.form_pane.submit():
            self.add_class("-drawer")

    async def action_pane(self, number: int) -> None:
        if number == 1:
            await self.open_form()
            return
        self._close_drawer()
        if number == 2:
            self.job_pane.focus_jobs()
        else:
            self.detail_pane.focus_text()

    def action_gallery(self) -> None:
        self.job_pane.toggle_gallery()

    @on(JobListPane.GalleryToggled)
    def _gallery_toggled(self) -> None:
        self.set_class(self.job_pane.is_gallery, "-gallery")

    def action_play(self) -> None:
        self.media_view.toggle_playback()

    def action_scrub(self, direction: int) -> None:
        self.media_view.scrub(direction / 20)

    def action_json(self) -> None:
        if any(job.state is JobState.QUEUED for job in self.selected_jobs()):
            self.action_move_queued(1)
        else:
            self.detail_pane.toggle_json()

    def action_zoom(self) -> None:
        pane = "detail" if self.focused is not None and self.detail_pane in self.focused.ancestors else "jobs"
        self._view.set_zoom("" if self._view.zoomed_pane else pane)

    def action_split(self, tenths: int) -> None:
        self._view.resize_list(tenths)

    async def action_statistics(self) -> None:
        await self.dialogs.open_statistics()

    def action_jump(self) -> None:
        from eternal_tui.tui.screens.jump import JumpScreen

        self.app.push_screen(JumpScreen(self))

    def action_characters(self) -> None:
        self.form_requests.browse_characters()

    @work
    async def action_leave(self) -> None:
        sending = any(job.state is JobState.SUBMITTING for job in self.services.jobs.store.newest_first())
        if not sending or await self.dialogs.confirm_quit():
            self.app.exit()

    def key_escape(self, event: events.Key) -> None:
        """Cancel a running character check; else close the drawer or the zoom and go to the list. Esc never quits."""
        if self.form_requests.cancel_check():
            event.stop()
            return
        if self._view.zoomed_pane or self._focus_scope() in ("form", "detail"):
            # Otherwise the list, focused then, would handle the same key and clear the filter.
            event.stop()
        self._view.set_zoom("")
        self._close_drawer()
        self.job_pane.focus_jobs()

    async def open_form(self) -> None:
        self._view.set_zoom("")
        self.add_class("-drawer")
        (await self.form_pane.mount_form()).focus_first()

    def _close_drawer(self) -> None:
        self.remove_class("-drawer")
