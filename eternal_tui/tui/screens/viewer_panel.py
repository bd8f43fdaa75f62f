"""One result in the viewer: its picture over where it stands and what it is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Static

from eternal_tui.core.sanitize import Shown, join, say, shown
from eternal_tui.jobs.files import result_path
from eternal_tui.jobs.formatting import file_words, kind, who
from eternal_tui.jobs.model import FileState, Job
from eternal_tui.tui.context import Surroundings
from eternal_tui.tui.detail.text import state_line
from eternal_tui.tui.picture.picture import Picture
from eternal_tui.tui.picture.position_bar import PositionLine


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
