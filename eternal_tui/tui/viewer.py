"""The viewer: one result on the whole screen, or up to four side by side, playing and scrubbing together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Static

from eternal_tui.jobs.job import Job
from eternal_tui.jobs.result_file import result_path
from eternal_tui.tui.actions import bindings
from eternal_tui.tui.detail_text import file_line, kind, state_line, who
from eternal_tui.tui.footer import FooterLine, Hint
from eternal_tui.tui.picture import Picture
from eternal_tui.tui.surroundings import Surroundings
from eternal_tui.untrusted import Shown, join, say, shown
from eternal_tui.workbench import Workbench

if TYPE_CHECKING:
    from eternal_tui.tui.job_actions import JobActions

SCRUB = 0.05
"""Share of a clip's length by which `[` and `]` move."""


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
    """One job of the viewer: its picture over two lines of words."""

    DEFAULT_CSS = """
    Panel { width: 1fr; height: 1fr; }
    Panel > Picture { height: 1fr; }
    Panel > Static { height: auto; max-height: 3; text-align: center; color: $text-muted; }
    """

    def __init__(self, job: Job, caption: Shown, around: Surroundings, bench: Workbench) -> None:
        super().__init__()
        self.job = job
        self.picture = Picture(around.graphics)
        self._caption = caption
        self._path = result_path(job, bench.desk.results)

    def compose(self) -> ComposeResult:
        """Lay out the picture over its caption."""
        yield self.picture
        yield Static(Content(self._words()), markup=False)

    def on_mount(self) -> None:
        """Show the file, or say why there is none."""
        waiting = state_line(self.job).text if self._path is None else self._without_pictures()
        self.picture.show(self._path, waiting)

    def _without_pictures(self) -> Shown:
        if self.picture.graphics.cell != (0, 0):
            return Shown("")
        return say("{kind}\nPictures are off here. o opens the file outside.", kind=kind(self.job))

    def _words(self) -> str:
        facts = file_line(self.job.facts) if self.job.facts is not None else Shown("")
        return f"{say('Job {id}', id=self.job.id)} · {self._caption}\n{facts}"

    @on(Picture.Failed)
    def _failed(self, event: Picture.Failed) -> None:
        self.picture.show(None, shown(event.sentence))


class Viewer(Screen[None]):
    """Shows results large. `p` plays, `[ ]` scrub, `, .` step, left and right go to the neighbours in the list."""

    CSS = """
    Viewer { background: $background; }
    Viewer Horizontal { height: 1fr; }
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
        self._jobs = list(jobs)
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
        """Name the keys."""
        hints = [Hint("esc", "back", "app.pop_screen"), Hint("o", "outside", "screen.outside")]
        if any(job.request.type == "video" for job in self._jobs):
            hints += [Hint("p", "play", "screen.play"), Hint("[ ]", "scrub", ""), Hint(", .", "step", "")]
        if self._listed:
            hints.append(Hint("← →", "other jobs", ""))
        self._footer.show(hints)

    @on(FooterLine.Clicked)
    async def _clicked(self, event: FooterLine.Clicked) -> None:
        if event.run:
            await self.run_action(event.run)

    def _panels(self) -> list[Panel]:
        captions = differing(self._jobs)
        return [
            Panel(job, caption, self._around, self._bench) for job, caption in zip(self._jobs, captions, strict=True)
        ]

    def _pictures(self) -> list[Picture]:
        return [panel.picture for panel in self.query(Panel)]

    def action_play(self) -> None:
        """Play every clip, or pause them all."""
        pictures = self._pictures()
        playing = any(picture.playing for picture in pictures)
        for picture in pictures:
            picture.pause() if playing else picture.play()

    def action_scrub(self, direction: int) -> None:
        """Move every clip by a twentieth of its length."""
        for picture in self._pictures():
            picture.scrub(direction * SCRUB)

    def action_step(self, frames: int) -> None:
        """Move every clip by single frames."""
        for picture in self._pictures():
            picture.step(frames)

    def action_outside(self) -> None:
        """Open every file in the system's viewer."""
        for job in self._jobs:
            self._actions.open_outside(job)

    async def action_neighbour(self, direction: int) -> None:
        """Go to the job beside this one in the list."""
        if len(self._jobs) != 1 or self._jobs[0].id not in self._listed:
            return
        at = list(self._listed).index(self._jobs[0].id) + direction
        job = self._bench.desk.job(self._listed[at]) if 0 <= at < len(self._listed) else None
        if job is None:
            return
        self._jobs = [job]
        row = self.query_one(Horizontal)
        await row.remove_children()
        await row.mount(*self._panels())
        self.on_mount()
