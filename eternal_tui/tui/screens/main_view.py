"""What the one screen shows, drawn from the desk's snapshots: header, form, jobs, detail, footer; and what it asks."""

from __future__ import annotations

import gc
import shutil
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from textual import events, on, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Container, Horizontal
from textual.widget import MountError

from eternal_tui.api.models import GenerateRequest
from eternal_tui.core.sanitize import SafeText, format_safe, sanitize
from eternal_tui.jobs.model import Job, JobState
from eternal_tui.services import Services
from eternal_tui.tui.config_watch import effective_keymap
from eternal_tui.tui.context import TerminalContext
from eternal_tui.tui.detail.pane import DetailPane
from eternal_tui.tui.detail.text import with_pause_reason
from eternal_tui.tui.input import actions
from eternal_tui.tui.input.actions import Scope
from eternal_tui.tui.job_list.pane import JobListPane
from eternal_tui.tui.job_list.widget import JobList
from eternal_tui.tui.notifications import Notifier, Severity
from eternal_tui.tui.refresh import Debouncer, RefreshTimer
from eternal_tui.tui.request_form.pane import RequestFormPane
from eternal_tui.tui.screens.main_layout import PaneSplit
from eternal_tui.tui.terminal.compositor import DiffScreen
from eternal_tui.tui.terminal.later import load_deferred
from eternal_tui.tui.widgets.footer import FooterLine, footer_keys
from eternal_tui.tui.widgets.header import HeaderLine

if TYPE_CHECKING:
    from eternal_tui.tui.request_form.character_check import CharacterCheck
    from eternal_tui.tui.screens.job_commands import JobCommands
    from eternal_tui.tui.widgets.dialog import ConfirmDialog

FULL_RELOAD_JOBS = 10_000
"""Changed jobs from which the list is made anew instead of brought up to date: more than one slice of a history."""

MIN_WIDE_COLUMNS = 140
"""Columns from which the form stands beside the list."""

MIN_SIDE_BY_SIDE_COLUMNS = 190
"""Columns from which list and detail stand side by side."""


MIN_HIGH_ROWS = 36
"""Rows from which the detail gets more of them than the list."""

ROW_BREAKPOINTS = [(0, "-low"), (MIN_HIGH_ROWS, "-high")]


class Workspace(Container):
    """Jobs and detail together: single-letter keys work here, and nowhere that text is typed."""

    BINDINGS: ClassVar[list[BindingType]] = [*actions.bindings("jobs")]


BREAKPOINTS = [
    (0, "-tiny"),
    (80, "-normal"),
    (MIN_WIDE_COLUMNS, "-wide"),
    (MIN_SIDE_BY_SIDE_COLUMNS, "-widest"),
]
"""Columns from which the screen has these classes."""


def _breakpoint_class(columns: int) -> str:
    return max(found for found in BREAKPOINTS if found[0] <= columns)[1]


def _size_classes() -> str:
    columns, rows = shutil.get_terminal_size()
    return f"{_breakpoint_class(columns)} {'-high' if rows >= MIN_HIGH_ROWS else '-low'}"


class MainView(DiffScreen):
    """The three panes between header and footer: snapshots come up from the desk on the tick."""

    HORIZONTAL_BREAKPOINTS = BREAKPOINTS
    VERTICAL_BREAKPOINTS = ROW_BREAKPOINTS

    def __init__(self, services: Services, terminal: TerminalContext) -> None:
        # With the classes it will have, the screen is not styled a second time before its first frame.
        super().__init__(classes=_size_classes())
        self.services = services
        self.terminal = terminal
        desk = services.jobs
        self.header = HeaderLine(
            demo=services.demo is not None,
            other_host="" if services.settings.is_official or services.demo else services.settings.host,
            glyphs=terminal.glyphs,
        )
        self.form_pane = RequestFormPane(
            services.data_dir,
            environ=terminal.environ,
            glyphs=terminal.glyphs,
            monotonic=services.clock.monotonic,
            pane_number=1,
        )
        self.job_pane = JobListPane(
            glyphs=terminal.glyphs,
            estimate_remaining=desk.monitor.estimate_remaining,
            clock_step=terminal.clock_step_seconds,
            pane_number=2,
            graphics=terminal.graphics,
            results_dir=desk.results_dir,
            id="jobs",
        )
        self.detail_pane = DetailPane(
            terminal.graphics,
            desk.results_dir,
            frame_budget=terminal.frame_budget,
            frame_cache=terminal.frame_cache,
            pane_number=3,
            id="detail",
        )
        self.footer = FooterLine()
        self.notifier = Notifier(
            services.settings,
            terminal.environ,
            show_toast=self._show_toast,
            write=terminal.write_sequence,
            has_focus=lambda: self.app.app_focus,
            is_batch_active=desk.active_batches.is_active,
        )
        self.refresh_timer = RefreshTimer(
            interval_seconds=terminal.refresh_seconds,
            needs_clock=self.job_pane.job_list.has_clocks,
            monotonic=services.clock.monotonic,
            wall=services.clock.time,
        )
        # The list is painted first: where the cursor is matters more than all about its job.
        self._detail_debouncer = Debouncer(
            lambda: self.call_after_refresh(self._show_job_detail), services.clock.monotonic
        )
        self._character_check: CharacterCheck | None = None
        self._pane_split = PaneSplit(services.data_dir, self.job_pane, self.detail_pane)
        self._was_resumed = False
        self._notified_count = 0
        self._footer_has_job = False
        self._last_credits: float | None = None
        self._raw_responses: dict[int, Mapping[str, Any]] = {}

    @cached_property
    def commands(self) -> JobCommands:
        """What is done with jobs, loaded when something is."""
        from eternal_tui.tui.screens.job_commands import JobCommands

        return JobCommands(self.services.jobs, self, self.terminal.environ)

    def compose(self) -> ComposeResult:
        """Lay out header, panes and footer."""
        yield self.header
        with Horizontal(id="body"):
            yield self.form_pane
            with Workspace(id="workspace"):
                yield self.job_pane
                yield self.detail_pane
        yield self.footer

    def on_mount(self) -> None:
        """Begin to work once the first frame is on the screen."""
        desk = self.services.jobs
        self._pane_split.load()
        self.refresh_timer.subscribe(self._refresh_jobs)
        self._unsubscribe = desk.store.subscribe(self.refresh_timer.mark_changed)
        desk.events.settled.connect(self.notifier.notify_soon)
        desk.events.settled.connect(self._job_settled)
        self.job_pane.job_list.set_jobs(desk.store.newest_first(), self.services.clock.time())
        self._update_footer()
        self.header.set_totals(desk.billing.totals())
        self.watch(self, "focused", self._update_footer, init=False)
        # What is not in the first frame waits for it.
        self.call_after_refresh(self._start_after_first_frame)

    @work(exit_on_error=True)
    async def _start_after_first_frame(self) -> None:
        load_deferred()
        from eternal_tui.tui.terminal.line_memory import shrink_rich_caches
        from eternal_tui.tui.terminal.style_pairs import patch_style_pair_cache
        from eternal_tui.tui.terminal.toast_room import watch_toast_height

        shrink_rich_caches()
        patch_style_pair_cache()
        watch_toast_height(self, self._reserve_toast_rows)
        try:
            await self.detail_pane.mount_content()
            self._show_current_job()
            await self.services.jobs.start()
            self._reload_jobs()
            await self.form_pane.mount_form()
        except MountError:
            if not self.app._exit:
                raise
            return
        # What stands now stays: the garbage collector need not look through it for as long as the app runs.
        gc.freeze()
        gc.enable()
        await self._ask_for_missing_key()

    @on(events.ScreenResume)
    def _screen_resumed(self, event: events.ScreenResume) -> None:
        """Leave the styles at the first time as they are: every widget got its own when it was mounted."""
        event.refresh_styles = self._was_resumed
        if self._was_resumed:
            self._set_toasts_visible(True)
        self._was_resumed = True

    @on(events.ScreenSuspend)
    def _screen_suspended(self) -> None:
        """Leave what is said to the screen above, which says it too: under a dialog it would stand there twice."""
        self._set_toasts_visible(False)

    def _set_toasts_visible(self, visible: bool) -> None:
        from eternal_tui.tui.terminal.toast_room import set_toasts_visible

        set_toasts_visible(self, visible)

    def on_resize(self, event: events.Resize) -> None:
        """Share the room the way the panes stand."""
        self._pane_split.set_side_by_side(side_by_side=event.size.width >= MIN_SIDE_BY_SIDE_COLUMNS)

    def on_unmount(self) -> None:
        """Draw and tell nothing more."""
        self._unsubscribe()
        self.refresh_timer.stop()
        self._detail_debouncer.stop()
        self.notifier.stop()

    # Drawing

    def _reload_jobs(self) -> None:
        now = self.services.clock.time()
        self.job_pane.job_list.set_jobs(self.services.jobs.store.newest_first(), now)
        self._refresh_jobs(frozenset(), now)

    def _refresh_jobs(self, changed: frozenset[int], now: float) -> None:
        desk, jobs = self.services.jobs, self.job_pane.job_list
        if len(changed) > FULL_RELOAD_JOBS:
            jobs.set_jobs(desk.store.newest_first(), now)
        elif changed:
            found = [job for job_id in changed if (job := desk.store.get(job_id)) is not None]
            here = {job.id for job in found}
            jobs.apply_changes(found, now, changed - here)
        else:
            jobs.tick(now)
        totals = desk.billing.totals()
        if totals.credits != self._last_credits:
            self._last_credits = totals.credits
            self.form_pane.refresh_price()
        self.header.set_totals(totals)
        self.notifier.update_title(totals)
        if self._footer_has_job != (jobs.current_id is not None):
            self._update_footer()
        if not self._detail_debouncer.is_pending:
            self._show_current_job()
        desk.monitor.set_visible(self.job_pane.visible_ids(), jobs.current_id)
        self._show_notices()

    def _show_current_job(self) -> None:
        self.detail_pane.set_job(self._current_job())

    def _current_job(self) -> Job | None:
        """Return the job under the cursor, with why it waits where all looks wait and its own was not refused."""
        desk, current = self.services.jobs, self.job_pane.job_list.current_id
        job = desk.store.get(current) if current is not None else None
        return job if job is None else with_pause_reason(job, desk.monitor.pause_reason)

    def _show_notices(self) -> None:
        fresh = self.services.jobs.notices[self._notified_count :]
        self._notified_count += len(fresh)
        for notice in fresh:
            self.notify_user(sanitize(notice), "warning")

    def _update_footer(self) -> None:
        self._footer_has_job = self.job_pane.job_list.current_id is not None
        self.footer.set_hints(
            footer_keys(self._focus_scope(), effective_keymap(self.services.settings), has_job=self._footer_has_job)
        )

    def _focus_scope(self) -> Scope:
        """Tell where the focus is, as the registry calls it."""
        nodes = list(self.focused.ancestors_with_self) if self.focused is not None else []
        if self.form_pane in nodes:
            return "form"
        if self.detail_pane in nodes:
            return "detail"
        if self.job_pane.contains_filter_bar(nodes):
            return "filter"
        return "gallery" if self.job_pane.is_gallery else "list"

    def refresh_keys(self) -> None:
        """Name the keys as they are now."""
        self.refresh_bindings()
        self._update_footer()

    @on(JobList.Highlighted)
    def _job_highlighted(self, _: JobList.Highlighted) -> None:
        self._detail_debouncer.trigger()

    def _show_job_detail(self) -> None:
        job = self._current_job()
        self.detail_pane.set_job(job, self._raw_responses.get(job.id) if job is not None else None)
        if job is not None and job.is_ended:
            self._load_raw_responses(job.id)

    @work(group="answers", exclusive=True)
    async def _load_raw_responses(self, job_id: int) -> None:
        answers = await self.services.jobs.load_raw_responses(job_id)
        if self.detail_pane.job_id == job_id:
            self.detail_pane.set_job(self.services.jobs.store.get(job_id), answers)

    # Telling and asking

    def _reserve_toast_rows(self, rows: int) -> None:
        """Let form or list end above what is said, where it covers more than their edge and the keys below it."""
        covering = self.has_class("-zoom-jobs") or (self.has_class("-drawer") and self.size.width < MIN_WIDE_COLUMNS)
        body = self.query_one("#body")
        below = max(0, rows - 2) if covering else 0
        if body.styles.margin.bottom != below:
            body.styles.margin = (0, 0, below, 0)
            body.set_class(bool(below), "-less")

    def notify_user(self, text: SafeText, severity: Severity = "information") -> None:
        """Show one sentence for a while."""
        self._show_toast(text, severity)

    def _show_toast(self, text: str, severity: Severity) -> None:
        self.app.notify(text, severity=severity, markup=False, timeout=8 if severity == "error" else 5)

    async def ask_confirmation(self, dialog: ConfirmDialog) -> bool:
        """Show a question and return the answer."""
        answer: bool = await self.app.push_screen_wait(dialog)
        return answer

    async def check_characters(self, requests: Sequence[GenerateRequest]) -> bool:
        """Look up whose age is not known yet, where that may be of use; False where nothing may be sent."""
        if not await self.services.client.has_key():
            return True
        if self._character_check is None:
            from eternal_tui.tui.request_form.character_check import CharacterCheck

            self._character_check = CharacterCheck(
                self.services.characters, show_progress=self._show_check_progress, notify_user=self.notify_user
            )
        return await self._character_check.run(request.character for request in requests)

    def _show_check_progress(self, text: SafeText) -> None:
        self.form_pane.set_waiting_text(text)
        if text and not self.form_pane.region:
            # Sent from the list, with the form out of sight.
            self.notify_user(format_safe("Before it is sent: {words}. esc stops.", words=text))

    def _job_settled(self, job: Job) -> None:
        if job.state is JobState.REJECTED and job.cause == "key":
            self._ask_for_new_key()

    @work
    async def _ask_for_new_key(self) -> None:
        from eternal_tui.tui.screens.api_key import KEY_REJECTED_MESSAGE

        await self._ask_for_key(KEY_REJECTED_MESSAGE)

    async def _ask_for_missing_key(self) -> None:
        if self.services.demo is None and not await self.services.client.has_key():
            from eternal_tui.tui.screens.api_key import WELCOME_MESSAGE

            await self._ask_for_key(WELCOME_MESSAGE)

    async def _ask_for_key(self, reason: SafeText) -> None:
        from eternal_tui.tui.screens.api_key import ApiKeyScreen

        # A batch may be refused as a whole, and is asked about once.
        if any(isinstance(screen, ApiKeyScreen) for screen in self.app.screen_stack):
            return
        if told := await self.app.push_screen_wait(ApiKeyScreen(self.services, reason)):
            self.notify_user(told)
