"""The viewer: one result on the whole screen, or up to four side by side, playing and scrubbing together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import Static

from eternal_tui.core.sanitize import Shown, join, say, shown
from eternal_tui.jobs.files import result_path
from eternal_tui.jobs.formatting import file_words, kind, who
from eternal_tui.jobs.model import FileState, Job
from eternal_tui.services import Workbench
from eternal_tui.tui.context import Surroundings
from eternal_tui.tui.detail.text import state_line
from eternal_tui.tui.input.actions import bindings
from eternal_tui.tui.picture.picture import Picture
from eternal_tui.tui.picture.position_bar import PositionLine
from eternal_tui.tui.screens.help import KeyHelp
from eternal_tui.tui.terminal.compositor import CellScreen
from eternal_tui.tui.widgets.footer import FooterLine, Hint

if TYPE_CHECKING:
    from eternal_tui.tui.screens.job_commands import JobActions


def differing(jobs: Sequence[Job]) -> list[Shown]:
    """Return, job by job, what sets it apart from the others: settings first, prompts where they differ."""
    facets = (who, kind, lambda job: shown(job.request.prompt, limit=160))
    told: list[list[Shown]] = [[] for _ in jobs]
    for facet in facets:
        values = [facet(job) for job in jobs]
        if len(set(values)) > 1 or len(jobs) == 1:
            for lines, value in zip(told, values, strict=True):
                lines.append(value)
    return [join(" · ", *lines) if lines else Shown("the same request") for lines in told]


class Panel(Vertical):
    """Shows snapshots of one job; a picture appears once its file is there."""

    DEFAULT_CSS = """
    Panel { width: 1fr; height: 1fr; }
    Panel > Picture { height: 1fr; }
    Panel > PositionLine { display: none; }
    Panel.-clip > PositionLine { display: block; }
    Panel > Static { height: auto; max-height: 4; text-align: center; color: $text-muted; padding: 0 1; }
    """

    def __init__(self, job: Job, caption: Shown, around: Surroundings, results: Path) -> None:
        super().__init__()
        self.job = job
        self.picture = Picture(around.graphics, pace=around.pace, cache=around.frames)
        self._line = PositionLine(around.glyphs)
        self._star = around.glyphs.star
        self._caption = caption
        self._facts = Static(markup=False)
        self._results = results
        self._broken = Shown("")

    def compose(self) -> ComposeResult:
        """Lay out the picture over the position and the caption."""
        yield self.picture
        yield self._line
        yield self._facts

    def on_mount(self) -> None:
        """Show the file, or say why there is none."""
        self.update(self.job)

    def become(self, job: Job, caption: Shown) -> None:
        """Show another job."""
        self._caption, self._broken = caption, Shown("")
        self.update(job)
        self.tell_position()

    def update(self, job: Job) -> None:
        """Show a newer snapshot of the job."""
        self.job = job
        path = result_path(job, self._results)
        if path is None or path != self.picture.path:
            self.picture.show(path, self._words(path))
        facts = file_words(job.facts) if job.facts is not None else Shown("")
        star = say("{star} ", star=self._star) if job.starred else Shown("")
        words = say("{star}Job {id} · {caption}", star=star, id=job.id, caption=self._caption)
        self._facts.update(Content("\n".join(line for line in (words, facts, self._broken) if line)))

    def _words(self, path: Path | None) -> Shown:
        job = self.job
        if path is None:
            return join("\n", *self._standing(job))
        if not any(self.picture.graphics.cell):
            return join("\n", kind(job), Shown("Pictures are off here. o opens the file outside."))
        return Shown("")

    def _standing(self, job: Job) -> list[Shown]:
        lines = [state_line(job).text]
        if reason := job.error or job.trouble:
            lines.append(shown(reason, limit=200))
        if job.file_state is FileState.SAVED and job.encrypted:
            lines.append(Shown("The service encrypted it, so it cannot be drawn. o opens the file outside."))
        return lines

    def tell_position(self) -> None:
        """Show where the clip stands now."""
        picture = self.picture
        self.set_class(picture.seconds > 0, "-clip")
        # The last frame begins before the end, but who sees it has seen the whole clip.
        at = picture.seconds if picture.at_end else picture.position
        self._line.show(at, picture.seconds, playing=picture.playing)

    @on(Picture.Failed)
    def _failed(self, event: Picture.Failed) -> None:
        event.stop()
        self._broken = shown(event.sentence)
        self.update(self.job)

    @on(Picture.Loaded)
    @on(Picture.Moved)
    def _moved(self) -> None:
        self.tell_position()


SCRUB = 0.05
"""Share of a clip's length by which `[` and `]` move."""

MOST_COMPARED = 4
"""Results side by side: of more none is large enough to tell anything."""


class Viewer(KeyHelp, CellScreen):
    """Shows results large. Clips play, scrub and step together; arrows go to the neighbours, or pan what is zoomed."""

    CSS = """
    Viewer { background: $background; }
    Viewer Horizontal { height: 1fr; }
    Viewer.-several Panel > Static { height: 4; padding: 0; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("viewer")]

    def __init__(
        self,
        jobs: Sequence[Job],
        bench: Workbench,
        around: Surroundings,
        actions: JobActions,
        listed: Sequence[int] = (),
    ) -> None:
        """Show `jobs`, at most four; `listed` are the ids that left and right go through."""
        super().__init__()
        self._jobs = list(jobs[:MOST_COMPARED])
        self._bench = bench
        self._around = around
        self._actions = actions
        self._listed = listed
        self._footer = FooterLine()

    def compose(self) -> ComposeResult:
        """Lay the panels side by side."""
        yield Horizontal(*self._panels())
        yield self._footer

    def on_mount(self) -> None:
        """Name the keys, and follow the jobs: one of them may still be on its way."""
        # Captions of one height: pictures side by side are compared at one size.
        self.set_class(len(self._jobs) > 1, "-several")
        self._name_keys()
        self._unsubscribe = self._bench.desk.subscribe(self._changed)
        self._beat = self.set_interval(self._around.interval, self._tell_positions, pause=True)

    def on_unmount(self) -> None:
        """Follow nothing more."""
        self._unsubscribe()

    def _name_keys(self) -> None:
        hints = [Hint("esc", "back", "app.pop_screen"), self.HELP_HINT]
        seen = any(self._around.graphics.cell)
        if seen and any(job.request.type == "video" for job in self._jobs):
            hints += [Hint("p", "play", "screen.play"), Hint("[ ]", "scrub", ""), Hint(", .", "step", "")]
        if len(self._jobs) == 1 and self._jobs[0].id in self._listed:
            hints.append(Hint("← →", "jobs", ""))
        hints += [
            *([Hint("+ -", "zoom", "")] if seen else []),
            Hint("s", "save", "screen.save"),
            Hint("*", "star", "screen.star"),
            Hint("o", "outside", "screen.outside"),
            Hint("y", "copy", "screen.copy"),
            *([Hint("0", "whole", "screen.zoom(0)")] if seen else []),
        ]
        self._footer.show(hints)

    def _changed(self, job_ids: Iterable[int]) -> None:
        changed = set(job_ids)
        self._jobs = [self._bench.desk.job(job.id) or job for job in self._jobs]
        for panel in self.query(Panel):
            if panel.job.id in changed and (job := self._bench.desk.job(panel.job.id)) is not None:
                panel.update(job)

    @on(FooterLine.Clicked)
    async def _clicked(self, event: FooterLine.Clicked) -> None:
        if event.run:
            await self.run_action(event.run)

    def _panels(self) -> list[Panel]:
        captions = differing(self._jobs)
        results = self._bench.desk.results
        return [Panel(job, caption, self._around, results) for job, caption in zip(self._jobs, captions, strict=True)]

    def _pictures(self) -> list[Picture]:
        return [panel.picture for panel in self.query(Panel)]

    def _clips(self) -> list[Picture]:
        return [picture for picture in self._pictures() if picture.seconds > 0]

    def _tell_positions(self) -> None:
        for panel in self.query(Panel):
            panel.tell_position()

    @on(Picture.Moved)
    def _moved(self) -> None:
        if any(picture.playing for picture in self._pictures()):
            self._beat.resume()
        else:
            self._beat.pause()

    def action_play(self) -> None:
        """Play every clip from one common moment, or pause them all."""
        clips = self._clips()
        if any(clip.playing for clip in clips):
            self._stand_together(clips)
            return
        at = max((clip.position for clip in clips if not clip.at_end), default=0.0)
        for clip in clips:
            clip.play_from(at)

    def _stand_together(self, clips: Sequence[Picture]) -> None:
        """Pause clips, several at one common moment: what is compared must not be a frame apart."""
        at = max(clip.position for clip in clips)
        for clip in clips:
            clip.pause()
            if len(clips) > 1:
                clip.seek(at)

    def action_scrub(self, direction: int) -> None:
        """Move every clip to the same moment, a twentieth of the longest away."""
        clips = self._clips()
        longest = max((clip.seconds for clip in clips), default=0.0)
        at = max((clip.position for clip in clips), default=0.0) + direction * SCRUB * longest
        for clip in clips:
            clip.seek(at)

    def action_step(self, frames: int) -> None:
        """Move every clip by single frames."""
        clips = self._clips()
        if any(clip.playing for clip in clips):
            self._stand_together(clips)
        for clip in clips:
            clip.step(frames)

    def action_zoom(self, steps: int) -> None:
        """Look closer at everything by steps, or at all of it for 0."""
        for picture in self._pictures():
            picture.look_closer(steps)

    async def action_go(self, right: int, down: int) -> None:
        """Pan what is zoomed; else go to a neighbour."""
        zoomed = [picture for picture in self._pictures() if picture.zoom > 1]
        for picture in zoomed:
            picture.pan(right, down)
        if not zoomed:
            await self._show_neighbour(right + down)

    def action_outside(self) -> None:
        """Open every file in the system's viewer."""
        for job in self._jobs:
            self._actions.open_outside(job)

    # Not in workers: keys typed ahead wait for what the handler of the one before has opened.

    def action_save(self) -> None:
        """Save copies of the files elsewhere."""
        from eternal_tui.tui.screens.save_as import SaveAs

        template = self._bench.settings.save_template
        self.app.push_screen(SaveAs(self._jobs, self._actions, template), self._actions.tell)

    def action_copy(self) -> None:
        """Copy something of the job, the first where several are compared."""
        from eternal_tui.tui.screens.copy import CopyMenu

        self.app.push_screen(CopyMenu(self._jobs[0], self._bench, self._around), self._actions.tell)

    async def action_star(self) -> None:
        """Star the jobs, or take their stars away where all have one."""
        await self._actions.guarded([job.id for job in self._jobs], "star")

    async def _show_neighbour(self, direction: int) -> None:
        if len(self._jobs) != 1 or self._jobs[0].id not in self._listed:
            return
        at = list(self._listed).index(self._jobs[0].id) + direction
        job = self._bench.desk.job(self._listed[at]) if 0 <= at < len(self._listed) else None
        if job is None:
            return
        self._jobs = [job]
        self.query_one(Panel).become(job, differing([job])[0])
        self._name_keys()
