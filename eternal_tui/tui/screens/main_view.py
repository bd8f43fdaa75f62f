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
from eternal_tui.core.sanitize import Shown, say, shown
from eternal_tui.jobs.model import Job, JobState
from eternal_tui.services import Workbench
from eternal_tui.tui.config_watch import keymap
from eternal_tui.tui.context import Surroundings
from eternal_tui.tui.detail.pane import DetailPane
from eternal_tui.tui.detail.text import waiting_too
from eternal_tui.tui.input import actions
from eternal_tui.tui.input.actions import Where
from eternal_tui.tui.job_list.pane import JobPane
from eternal_tui.tui.job_list.widget import JobList
from eternal_tui.tui.notifications import Announcer, Severity
from eternal_tui.tui.refresh import AtRest, Tick
from eternal_tui.tui.request_form.pane import FormPane
from eternal_tui.tui.screens.main_layout import Split
from eternal_tui.tui.terminal.compositor import CellScreen
from eternal_tui.tui.terminal.later import arrive
from eternal_tui.tui.widgets.footer import FooterLine, hints_for
from eternal_tui.tui.widgets.header import HeaderLine

if TYPE_CHECKING:
    from eternal_tui.tui.request_form.character_check import LookUp
    from eternal_tui.tui.screens.job_commands import JobActions
    from eternal_tui.tui.widgets.dialog import Confirm

MANY = 10_000
"""Changed jobs from which the list is made anew instead of brought up to date: more than one slice of a history."""

WIDE = 140
"""Columns from which the form stands beside the list."""

BESIDE = 190
"""Columns from which list and detail stand side by side."""


class Workspace(Container):
    """Jobs and detail together: single-letter keys work here, and nowhere that text is typed."""

    BINDINGS: ClassVar[list[BindingType]] = [*actions.bindings("jobs")]


BREAKPOINTS = [
    (0, "-tiny"),
    (80, "-normal"),
    (WIDE, "-wide"),
    (BESIDE, "-widest"),
]
"""Columns from which the screen has these classes."""


def _breakpoint(columns: int) -> str:
    return max(found for found in BREAKPOINTS if found[0] <= columns)[1]


class WorkbenchView(CellScreen):
    """The three panes between header and footer: snapshots come up from the desk on the tick."""

    HORIZONTAL_BREAKPOINTS = BREAKPOINTS

    def __init__(self, bench: Workbench, around: Surroundings) -> None:
        # With the classes it will have, the screen is not styled a second time before its first frame.
        super().__init__(classes=_breakpoint(shutil.get_terminal_size().columns))
        self.bench = bench
        self.around = around
        desk = bench.desk
        self.header = HeaderLine(
            demo=bench.demo is not None,
            other_host="" if bench.settings.official or bench.demo else bench.settings.host,
            glyphs=around.glyphs,
        )
        self.form_pane = FormPane(
            bench.folder, environ=around.environ, glyphs=around.glyphs, monotonic=bench.clock.monotonic, number=1
        )
        self.job_pane = JobPane(
            glyphs=around.glyphs,
            about_left=desk.about_left,
            clock_step=around.clock_step,
            number=2,
            graphics=around.graphics,
            results=desk.results,
            id="jobs",
        )
        self.detail = DetailPane(
            around.graphics, desk.results, pace=around.pace, frames=around.frames, number=3, id="detail"
        )
        self.footer = FooterLine()
        self.announcer = Announcer(
            bench.settings,
            around.environ,
            toast=self._toast,
            write=around.write,
            focused=lambda: self.app.app_focus,
            goes_on=desk.batch_goes_on,
        )
        self.tick = Tick(
            interval=around.interval,
            alive=self.job_pane.jobs.has_clocks,
            monotonic=bench.clock.monotonic,
            wall=bench.clock.time,
        )
        # The list is painted first: where the cursor is matters more than all about its job.
        self._at_rest = AtRest(lambda: self.call_after_refresh(self._describe), bench.clock.monotonic)
        self._look_up: LookUp | None = None
        self._split = Split(bench.folder, self.job_pane, self.detail)
        self._was_shown = False
        self._told_notices = 0
        self._footer_has_job = False
        self._credits: float | None = None
        self._answers: dict[int, Mapping[str, Any]] = {}

    @cached_property
    def actions(self) -> JobActions:
        """What is done with jobs, loaded when something is."""
        from eternal_tui.tui.screens.job_commands import JobActions

        return JobActions(self.bench.desk, self, self.around.environ)

    def compose(self) -> ComposeResult:
        """Lay out header, panes and footer."""
        yield self.header
        with Horizontal(id="body"):
            yield self.form_pane
            with Workspace(id="workspace"):
                yield self.job_pane
                yield self.detail
        yield self.footer

    def on_mount(self) -> None:
        """Begin to work once the first frame is on the screen."""
        desk = self.bench.desk
        self._split.load()
        self.tick.add(self._draw)
        self._unsubscribe = desk.subscribe(self.tick.changed)
        desk.on_ended(self.announcer.ended)
        desk.on_ended(self._ended)
        self.job_pane.jobs.show(desk.listing(), self.bench.clock.time())
        self._footer()
        self.header.show(desk.totals())
        self.watch(self, "focused", self._footer, init=False)
        # What is not in the first frame waits for it.
        self.call_after_refresh(self._start)

    @work(exit_on_error=True)
    async def _start(self) -> None:
        arrive()
        from eternal_tui.tui.terminal.line_memory import remember_few_lines
        from eternal_tui.tui.terminal.style_pairs import keep_pairs_without_widgets
        from eternal_tui.tui.terminal.toast_room import on_toast_rows

        remember_few_lines()
        keep_pairs_without_widgets()
        on_toast_rows(self, self._make_room)
        try:
            await self.detail.fill()
            self._show_current()
            await self.bench.desk.start()
            self._show_all()
            await self.form_pane.fill()
        except MountError:
            if not self.app._exit:
                raise
            return
        # What stands now stays: the garbage collector need not look through it for as long as the app runs.
        gc.freeze()
        gc.enable()
        await self._ask_where_no_key_is()

    @on(events.ScreenResume)
    def _styled_already(self, event: events.ScreenResume) -> None:
        """Leave the styles at the first time as they are: every widget got its own when it was mounted."""
        event.refresh_styles = self._was_shown
        if self._was_shown:
            self._show_toasts(True)
        self._was_shown = True

    @on(events.ScreenSuspend)
    def _went_below(self) -> None:
        """Leave what is said to the screen above, which says it too: under a dialog it would stand there twice."""
        self._show_toasts(False)

    def _show_toasts(self, shown: bool) -> None:
        from eternal_tui.tui.terminal.toast_room import show_toasts

        show_toasts(self, shown)

    def on_resize(self, event: events.Resize) -> None:
        """Share the room the way the panes stand."""
        self._split.turn(beside=event.size.width >= BESIDE)

    def on_unmount(self) -> None:
        """Draw and tell nothing more."""
        self._unsubscribe()
        self.tick.stop()
        self._at_rest.stop()
        self.announcer.stop()

    # Drawing

    def _show_all(self) -> None:
        now = self.bench.clock.time()
        self.job_pane.jobs.show(self.bench.desk.listing(), now)
        self._draw(frozenset(), now)

    def _draw(self, changed: frozenset[int], now: float) -> None:
        desk, jobs = self.bench.desk, self.job_pane.jobs
        if len(changed) > MANY:
            jobs.show(desk.listing(), now)
        elif changed:
            found = [job for job_id in changed if (job := desk.job(job_id)) is not None]
            here = {job.id for job in found}
            jobs.update(found, now, changed - here)
        else:
            jobs.tick(now)
        totals = desk.totals()
        if totals.credits != self._credits:
            self._credits = totals.credits
            self.form_pane.price_again()
        self.header.show(totals)
        self.announcer.totals(totals)
        if self._footer_has_job != (jobs.current is not None):
            self._footer()
        if not self._at_rest.hurried:
            self._show_current()
        desk.attend(self.job_pane.visible_ids(), jobs.current)
        self._tell_notices()

    def _show_current(self) -> None:
        self.detail.show(self._current())

    def _current(self) -> Job | None:
        """Return the job under the cursor, with why it waits where all looks wait and its own was not refused."""
        desk, current = self.bench.desk, self.job_pane.jobs.current
        job = desk.job(current) if current is not None else None
        return job if job is None else waiting_too(job, desk.pause_reason)

    def _tell_notices(self) -> None:
        fresh = self.bench.desk.notices[self._told_notices :]
        self._told_notices += len(fresh)
        for notice in fresh:
            self.tell(shown(notice), "warning")

    def _footer(self) -> None:
        self._footer_has_job = self.job_pane.jobs.current is not None
        self.footer.show(hints_for(self._place(), keymap(self.bench.settings), job=self._footer_has_job))

    def _place(self) -> Where:
        """Tell where the focus is, as the registry calls it."""
        nodes = list(self.focused.ancestors_with_self) if self.focused is not None else []
        if self.form_pane in nodes:
            return "form"
        if self.detail in nodes:
            return "detail"
        if self.job_pane.holds_filter(nodes):
            return "filter"
        return "gallery" if self.job_pane.in_gallery else "list"

    def keys_changed(self) -> None:
        """Name the keys as they are now."""
        self.refresh_bindings()
        self._footer()

    @on(JobList.Highlighted)
    def _highlighted(self, _: JobList.Highlighted) -> None:
        self._at_rest.moved()

    def _describe(self) -> None:
        job = self._current()
        self.detail.show(job, self._answers.get(job.id) if job is not None else None)
        if job is not None and job.ended:
            self._read_answers(job.id)

    @work(group="answers", exclusive=True)
    async def _read_answers(self, job_id: int) -> None:
        answers = await self.bench.desk.answers(job_id)
        if self.detail.job_id == job_id:
            self.detail.show(self.bench.desk.job(job_id), answers)

    # Telling and asking

    def _make_room(self, rows: int) -> None:
        """Let form or list end above what is said, where it covers more than their edge and the keys below it."""
        covering = self.has_class("-zoom-jobs") or (self.has_class("-drawer") and self.size.width < WIDE)
        body = self.query_one("#body")
        below = max(0, rows - 2) if covering else 0
        if body.styles.margin.bottom != below:
            body.styles.margin = (0, 0, below, 0)
            body.set_class(bool(below), "-less")

    def tell(self, text: Shown, severity: Severity = "information") -> None:
        """Show one sentence for a while."""
        self._toast(text, severity)

    def _toast(self, text: str, severity: Severity) -> None:
        self.app.notify(text, severity=severity, markup=False, timeout=8 if severity == "error" else 5)

    async def ask(self, question: Confirm) -> bool:
        """Show a question and return the answer."""
        answer: bool = await self.app.push_screen_wait(question)
        return answer

    async def looked_up(self, requests: Sequence[GenerateRequest]) -> bool:
        """Look up whose age is not known yet, where that may be of use; False where nothing may be sent."""
        if not await self.bench.connection.has_key():
            return True
        if self._look_up is None:
            from eternal_tui.tui.request_form.character_check import LookUp

            self._look_up = LookUp(self.bench.book, show=self._looking_up, tell=self.tell)
        return await self._look_up.done(request.character for request in requests)

    def _looking_up(self, words: Shown) -> None:
        self.form_pane.wait(words)
        if words and not self.form_pane.region:
            # Sent from the list, with the form out of sight.
            self.tell(say("Before it is sent: {words}. esc stops.", words=words))

    def _ended(self, job: Job) -> None:
        if job.state is JobState.REJECTED and job.cause == "key":
            self._key_refused()

    @work
    async def _key_refused(self) -> None:
        from eternal_tui.tui.screens.api_key import REFUSED

        await self._ask_for_key(REFUSED)

    async def _ask_where_no_key_is(self) -> None:
        if self.bench.demo is None and not await self.bench.connection.has_key():
            from eternal_tui.tui.screens.api_key import WELCOME

            await self._ask_for_key(WELCOME)

    async def _ask_for_key(self, why: Shown) -> None:
        from eternal_tui.tui.screens.api_key import KeyScreen

        # A batch may be refused as a whole, and is asked about once.
        if any(isinstance(screen, KeyScreen) for screen in self.app.screen_stack):
            return
        if told := await self.app.push_screen_wait(KeyScreen(self.bench, why)):
            self.tell(told)
