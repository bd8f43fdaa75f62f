"""The one screen: form, jobs and detail, and the messages between them and the desk."""

from __future__ import annotations

import gc
import shutil
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import msgspec
from textual import events, on, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.command import Provider
from textual.containers import Container, Horizontal
from textual.widget import MountError

from eternal_tui.api.answers import Character
from eternal_tui.jobs.job import Job, JobState
from eternal_tui.tui import actions
from eternal_tui.tui.announcer import Announcer, Severity
from eternal_tui.tui.at_rest import AtRest
from eternal_tui.tui.compositor import CellScreen
from eternal_tui.tui.confirm import Confirm
from eternal_tui.tui.detail_pane import DetailPane
from eternal_tui.tui.footer import FooterLine, Hint, key_words
from eternal_tui.tui.form_pane import FormPane
from eternal_tui.tui.header import HeaderLine
from eternal_tui.tui.job_actions import ANOTHER_CHARACTER, JobActions
from eternal_tui.tui.job_list import JobList
from eternal_tui.tui.job_pane import JobPane
from eternal_tui.tui.key_help import KeyHelp
from eternal_tui.tui.preferences import keymap
from eternal_tui.tui.split import Split
from eternal_tui.tui.surroundings import Surroundings
from eternal_tui.tui.tick import Tick
from eternal_tui.untrusted import Shown, shown
from eternal_tui.workbench import Workbench

MANY = 10_000
"""Changed jobs from which the list is made anew instead of brought up to date: more than one slice of a history."""


BESIDE = 190
"""Columns from which list and detail stand side by side."""

PROMPTS_OFFERED = 2_000
"""Earlier prompts the search offers: more than anybody scrolls through, few enough to search at a key's pace."""


def _finder() -> type[Provider]:
    from eternal_tui.tui.palette import Finder

    return Finder


class Workspace(Container):
    """Jobs and detail together: single-letter keys work here, and nowhere that text is typed."""

    BINDINGS: ClassVar[list[BindingType]] = [*actions.bindings("jobs")]


BREAKPOINTS = [
    (0, "-tiny"),
    (80, "-normal"),
    (140, "-wide"),
    (BESIDE, "-widest"),
]
"""Columns from which the screen has these classes."""


def _breakpoint(columns: int) -> str:
    return max(found for found in BREAKPOINTS if found[0] <= columns)[1]


class WorkbenchScreen(KeyHelp, CellScreen):
    """Wires widgets to the desk: messages go down as wishes, snapshots come up on the tick."""

    AUTO_FOCUS = "JobList"
    COMMANDS = {_finder}  # noqa: RUF012 - Textual's own declaration
    BINDINGS: ClassVar[list[BindingType]] = [*actions.bindings("anywhere")]
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
        self.actions = JobActions(desk, self, around.environ)
        self.announcer = Announcer(
            bench.settings,
            around.environ,
            toast=self._toast,
            write=around.write,
            focused=lambda: self.app.app_focus,
        )
        self.tick = Tick(
            interval=around.interval,
            alive=self.job_pane.jobs.has_clocks,
            monotonic=bench.clock.monotonic,
            wall=bench.clock.time,
        )
        # The list is painted first: where the cursor is matters more than all about its job.
        self._at_rest = AtRest(lambda: self.call_after_refresh(self._describe), bench.clock.monotonic)
        self._split = Split(bench.folder, self.job_pane, self.detail)
        self._was_shown = False
        self._told_notices = 0
        self._credits: float | None = None
        self._answers: dict[int, Mapping[str, Any]] = {}

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
        await self.bench.desk.start()
        self._show_all()
        try:
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
        self._was_shown = True

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
        if not self._at_rest.hurried:
            self.detail.show(desk.job(jobs.current) if jobs.current is not None else None)
        desk.attend(self.job_pane.visible_ids(), jobs.current)
        self._tell_notices()

    def _tell_notices(self) -> None:
        fresh = self.bench.desk.notices[self._told_notices :]
        self._told_notices += len(fresh)
        for notice in fresh:
            self.tell(shown(notice), "warning")

    def _footer(self) -> None:
        focused = self.focused
        typing = focused is not None and self.form_pane in focused.ancestors
        wanted = ("anywhere",) if typing else ("jobs", "anywhere")
        keys = keymap(self.bench.settings)
        hints = [
            Hint(key_words(keys.get(action.id, action.keys)), action.title.lower(), action.run)
            for where in wanted
            for action in actions.ACTIONS
            if action.where == where and action.footer
        ]
        if typing:
            hints += [
                Hint("tab", "next field", ""),
                Hint("esc", "back to jobs", "screen.pane(2)"),
                Hint("f1", "help", "screen.help"),
            ]
        self.footer.show(hints)

    def keys_changed(self) -> None:
        """Name the keys as they are now."""
        self.refresh_bindings()
        self._footer()

    # Telling and asking

    def tell(self, text: Shown, severity: Severity = "information") -> None:
        """Show one sentence for a while."""
        self._toast(text, severity)

    def _toast(self, text: str, severity: Severity) -> None:
        self.app.notify(text, severity=severity, markup=False, timeout=8 if severity == "error" else 5)

    async def ask(self, question: Confirm) -> bool:
        """Show a question and return the answer."""
        answer: bool = await self.app.push_screen_wait(question)
        return answer

    def _ended(self, job: Job) -> None:
        if job.state is JobState.REJECTED and job.cause == "key":
            self._key_refused()

    @work
    async def _key_refused(self) -> None:
        from eternal_tui.tui.key_screen import REFUSED

        await self._ask_for_key(REFUSED)

    async def _ask_where_no_key_is(self) -> None:
        if self.bench.demo is None and not await self.bench.connection.has_key():
            from eternal_tui.tui.key_screen import WELCOME

            await self._ask_for_key(WELCOME)

    async def _ask_for_key(self, why: Shown) -> None:
        from eternal_tui.tui.key_screen import KeyScreen

        # A batch may be refused as a whole, and is asked about once.
        if any(isinstance(screen, KeyScreen) for screen in self.app.screen_stack):
            return
        if told := await self.app.push_screen_wait(KeyScreen(self.bench, why)):
            self.tell(told)

    # Messages of the panes

    @on(JobList.Highlighted)
    def _highlighted(self, _: JobList.Highlighted) -> None:
        self._at_rest.moved()

    def _describe(self) -> None:
        current = self.job_pane.jobs.current
        job = self.bench.desk.job(current) if current is not None else None
        self.detail.show(job, self._answers.get(job.id) if job is not None else None)
        if job is not None and job.ended:
            self._read_answers(job.id)

    @work(group="answers", exclusive=True)
    async def _read_answers(self, job_id: int) -> None:
        answers = await self.bench.desk.answers(job_id)
        if self.detail.job_id == job_id:
            self.detail.show(self.bench.desk.job(job_id), answers)

    @on(JobList.Opened)
    def _opened(self, event: JobList.Opened) -> None:
        self._view([event.job_id])

    @on(FormPane.Sent)
    @work
    async def _submitted(self, event: FormPane.Sent) -> None:
        if await self.actions.submit(event.requests, event.names):
            self.form_pane.sent()
        else:
            await self._ask_where_no_key_is()

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
        return book.known

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
            await self.run_action(event.run)

    # Actions of the registry

    def _chosen(self) -> list[int]:
        return self.job_pane.jobs.chosen()

    @work
    async def action_job(self, name: str) -> None:
        """Do something with the marked jobs, or the one under the cursor."""
        chosen = self._chosen()
        special = {
            "edit": self._edit,
            "copy": self._copy,
            "save": self._save,
            "note": self._note,
            "compare": self._view,
        }
        if name in special and chosen:
            await _maybe(special[name](chosen))
            return
        await self.actions.guarded(chosen, name)
        if name in ("delete", "again"):
            self.job_pane.jobs.clear_marks()

    async def _edit(self, chosen: list[int]) -> None:
        job = self.bench.desk.job(chosen[0])
        if job is not None and job.is_creation:
            self.tell(ANOTHER_CHARACTER, "warning")
        elif job is not None:
            await self.form_pane.take(job.request)
            await self._open_form()

    async def _copy(self, chosen: list[int]) -> None:
        from eternal_tui.tui.copy_menu import CopyMenu

        job = self.bench.desk.job(chosen[0])
        if job is not None:
            told = await self.app.push_screen_wait(CopyMenu(job, self.bench, self.around))
            if told:
                self.tell(told)

    async def _save(self, chosen: list[int]) -> None:
        from eternal_tui.tui.save_as import SaveAs

        jobs = [job for job_id in chosen if (job := self.bench.desk.job(job_id)) is not None]
        if told := await self.app.push_screen_wait(SaveAs(jobs, self.actions, self.bench.settings.save_template)):
            self.tell(told)

    async def _note(self, chosen: list[int]) -> None:
        from eternal_tui.tui.note import NoteScreen

        jobs = [job for job_id in chosen if (job := self.bench.desk.job(job_id)) is not None]
        marks = await self.app.push_screen_wait(NoteScreen(*jobs)) if jobs else None
        for job_id, (note, tags) in (marks or {}).items():
            await self.bench.desk.annotate(job_id, note=note, tags=tags)

    def _view(self, chosen: list[int]) -> None:
        from eternal_tui.tui.viewer import Viewer

        jobs = [job for job_id in chosen[:4] if (job := self.bench.desk.job(job_id)) is not None]
        if jobs:
            listed = self.job_pane.jobs.listed_ids()
            self.app.push_screen(Viewer(jobs, self.bench, self.around, self.actions, listed))

    @work
    async def action_undo(self) -> None:
        """Bring the last deleted jobs back."""
        back = await self.bench.desk.undo_delete()
        self.tell(Shown("There is nothing to undo.") if not back else Shown("Brought back."))

    @work
    async def action_retry_failed(self) -> None:
        """Run every failed job of the list again, after a question with the cost."""
        listed = (self.bench.desk.job(job_id) for job_id in self.job_pane.jobs.listed_ids())
        failed = [job for job in listed if job is not None and job.state is JobState.FAILED]
        if failed:
            await self.actions.again(failed)
        else:
            self.tell(Shown("No job in this list has failed."))

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
        from eternal_tui.jobs.statistics import statistics
        from eternal_tui.tui.statistics_screen import StatisticsScreen

        figures = statistics(self.bench.desk.listing(), self.bench.clock.time())
        self.app.push_screen(StatisticsScreen(figures, self.around.glyphs))

    def action_jump(self) -> None:
        """Label every control and go to the one whose letter is pressed."""
        from eternal_tui.tui.jump import JumpScreen

        self.app.push_screen(JumpScreen.over(self))

    @work
    async def action_characters(self) -> None:
        """Browse the characters; the chosen one goes into the form."""
        from eternal_tui.tui.character_browser import CharacterBrowser

        if any(isinstance(screen, CharacterBrowser) for screen in self.app.screen_stack):
            return
        chosen = await self.app.push_screen_wait(CharacterBrowser(self.bench, self.around))
        self.form_pane.set_characters(self.bench.book.known, self.bench.book.refusal)
        if chosen is not None:
            await self.use_character(chosen)

    async def use_character(self, identifier: str) -> None:
        """Put a character into the form, and go there."""
        from eternal_tui.jobs.drafts.character_lookup import label

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
            asked = Confirm(
                Shown("A request is being sent right now. Leaving makes its outcome unclear."),
                title=Shown("Leave?"),
                yes=Shown("leave"),
                no=Shown("stay until it is answered"),
            )
            if not await self.ask(asked):
                return
        self.app.exit()

    def key_escape(self) -> None:
        """Close the drawer or the zoom; Esc never quits."""
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
