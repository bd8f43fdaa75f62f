"""The viewer: one result on the whole screen, or up to four side by side, playing and scrubbing together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from rich.cells import cell_len
from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from eternal_tui.core.formatting import format_duration
from eternal_tui.core.sanitize import SafeText, format_safe, join_safe, sanitize
from eternal_tui.jobs.files import result_path
from eternal_tui.jobs.formatting import character_label, file_label, request_label
from eternal_tui.jobs.model import FileState, Job
from eternal_tui.services import Services
from eternal_tui.tui.context import TerminalContext
from eternal_tui.tui.detail import state_row
from eternal_tui.tui.input.keymap import bindings
from eternal_tui.tui.picture.picture import MediaView
from eternal_tui.tui.terminal.compositor import DiffScreen
from eternal_tui.tui.widgets.footer import FooterLine, HelpMixin, KeyHint

MAX_BAR_COLUMNS = 40
"""Cells of the bar at most: longer ones are no easier to read."""

MIN_BAR_COLUMNS = 6
"""Cells below which there is no bar, only the words."""


def position_text(position: float, duration: float, *, playing: bool, seeking: bool = False) -> SafeText:
    """Return the position, the length and whether the clip plays, as text."""
    state = SafeText("seeking" if seeking else "playing" if playing else "paused")
    return format_safe(
        "{at} / {length} {state}", at=format_duration(int(position)), length=format_duration(duration), state=state
    )


def split_bar(position: float, duration: float, width: int) -> tuple[str, str]:
    """Return the part of the bar that is played and the part that is left, `width` cells together."""
    share = min(max(position / duration, 0.0), 1.0) if duration > 0 else 0.0
    played = round(share * width)
    return "━" * played, "╌" * (width - played)


class PositionBar(Widget):
    """One line under a clip."""

    DEFAULT_CSS = "PositionBar { height: 1; color: $text-muted; text-align: center; text-wrap: nowrap; }"
    _position = (0.0, 0.0, False, False)

    def set_position(self, position: float, duration: float, *, playing: bool, seeking: bool = False) -> None:
        """Show this moment of a clip of `duration`, nothing where it has no length."""
        self._position = (position, duration, playing, seeking)
        self.refresh()

    def render(self) -> Content:
        position, duration, playing, seeking = self._position
        if duration <= 0:
            return Content("")
        words = position_text(position, duration, playing=playing, seeking=seeking)
        room = min(MAX_BAR_COLUMNS, self.size.width - cell_len(words) - 3)
        if room < MIN_BAR_COLUMNS:
            return Content(words)
        played, rest = split_bar(position, duration, room)
        return Content.assemble((played, "$accent"), (rest, "$text-disabled"), f" {words}")


if TYPE_CHECKING:
    from eternal_tui.tui.screens.job_commands import JobCommands


def distinguishing_captions(jobs: Sequence[Job]) -> list[SafeText]:
    """Return, job by job, what sets it apart from the others: settings first, prompts where they differ."""
    facets = (character_label, request_label, lambda job: sanitize(job.request.prompt, limit=160))
    columns = [[facet(job) for job in jobs] for facet in facets]
    different = [values for values in columns if len(set(values)) > 1 or len(jobs) == 1]
    if not different:
        return [SafeText("the same request")] * len(jobs)
    return [join_safe(" · ", *values) for values in zip(*different, strict=True)]


class ViewerPanel(Vertical):
    """Shows snapshots of one job; a picture appears once its file is there."""

    DEFAULT_CSS = """
    ViewerPanel { width: 1fr; height: 1fr; }
    ViewerPanel > MediaView { height: 1fr; }
    ViewerPanel > PositionBar { display: none; }
    ViewerPanel.-clip > PositionBar { display: block; }
    ViewerPanel.-marked > Static { text-style: bold underline; }
    ViewerPanel > Static { height: auto; max-height: 4; text-align: center; color: $text-muted; padding: 0 1; }
    """

    def __init__(
        self, job: Job, caption: SafeText, terminal: TerminalContext, results_dir: Path, *, is_compared: bool
    ) -> None:
        super().__init__()
        self.job = job
        self.media_view = MediaView(terminal.graphics, frame_budget=terminal.frame_budget, cache=terminal.frame_cache)
        self._position_bar = PositionBar()
        self._caption = caption
        # Colour the values that distinguish a result.
        self._caption_style = "$text-accent" if is_compared else ""
        self._description = Static(markup=False)
        self._results_dir = results_dir
        self._error = SafeText("")

    def compose(self) -> ComposeResult:
        """Lay out the picture over the position and the caption."""
        yield self.media_view
        yield self._position_bar
        yield self._description

    def on_mount(self) -> None:
        """Show the file, or the reason why there is none."""
        self.update_job(self.job)

    def set_job(self, job: Job, caption: SafeText) -> None:
        """Show another job."""
        self._caption, self._error = caption, SafeText("")
        self.update_job(job)
        self.update_position()

    def update_job(self, job: Job) -> None:
        """Show a newer snapshot of the job."""
        self.job = job
        path = result_path(job, self._results_dir)
        if path is None or path != self.media_view.path:
            self.media_view.set_file(path, self._message_text(path))
        facts, note = SafeText(""), SafeText("")
        if job.file_info is not None:
            facts, note = file_label(job.file_info), sanitize(job.file_info.note)
        star = SafeText("★ ") if job.starred else SafeText("")
        reject = SafeText("rejected · ") if job.rating < 0 else SafeText("")
        title = format_safe("{star}Job {id} · {reject}", star=star, id=job.id, reject=reject)
        words = Content(title) + Content.styled(self._caption, self._caption_style)
        lines = [words, *(Content(line) for line in (facts, self._error or note) if line)]
        self._description.update(Content("\n").join(lines))

    def _message_text(self, path: Path | None) -> SafeText:
        job = self.job
        if path is None:
            return join_safe("\n", *self._state_lines(job))
        if not any(self.media_view.graphics.cell_size):
            return join_safe("\n", request_label(job), SafeText("Pictures are off here. o opens the file outside."))
        if job.file_info is not None and job.file_info.note:
            return join_safe("\n", sanitize(job.file_info.note), SafeText("o opens the file outside, s saves a copy."))
        return SafeText("")

    def _state_lines(self, job: Job) -> list[SafeText]:
        lines = [state_row(job).text]
        if reason := job.error or job.waiting_reason:
            lines.append(sanitize(reason, limit=200))
        if job.file_state is FileState.SAVED and job.encrypted:
            lines.append(SafeText("The service encrypted it, so it cannot be drawn. s saves a copy."))
        return lines

    def update_position(self) -> None:
        """Show the position of the clip."""
        picture = self.media_view
        self.set_class(picture.duration_seconds > 0, "-clip")
        # The last frame begins before the end, but who sees it has seen the whole clip.
        at = picture.duration_seconds if picture.is_at_end and not picture.playing else picture.position
        self._position_bar.set_position(
            at, picture.duration_seconds, playing=picture.playing, seeking=picture.is_seeking
        )

    @on(MediaView.Failed)
    def _show_failure(self, event: MediaView.Failed) -> None:
        event.stop()
        self._error = sanitize(event.reason)
        self.update_job(self.job)

    @on(MediaView.Loaded)
    @on(MediaView.PlaybackChanged)
    def _playback_changed(self) -> None:
        self.update_position()


SCRUB_SHARE = 0.05
"""Share of a clip's length by which `[` and `]` move."""

WIPE_STEP, WIPE_EDGE = 0.05, 0.1
"""Shares of the width by which the line of a wipe moves, and that stay on each side of it."""


class Viewer(HelpMixin, DiffScreen):
    """Shows results large. Clips play, scrub and step together; arrows go to the neighbours, or pan what is zoomed."""

    CSS = """
    Viewer { background: $background; }
    Viewer Horizontal { height: 1fr; }
    Viewer.-several ViewerPanel > Static { height: 4; padding: 0; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("viewer")]

    def __init__(
        self,
        jobs: Sequence[Job],
        services: Services,
        terminal: TerminalContext,
        commands: JobCommands,
        listed_ids: Sequence[int] = (),
    ) -> None:
        """Show `jobs`, at most four; `listed_ids` are the ids that left and right go through."""
        super().__init__()
        self._jobs = list(jobs)
        self._services = services
        self._terminal = terminal
        self._commands = commands
        self._listed_ids = listed_ids
        self._footer = FooterLine()
        self._marked: int | None = None
        self._wipe_share: float | None = None

    def compose(self) -> ComposeResult:
        """Lay the panels side by side."""
        captions, results = distinguishing_captions(self._jobs), self._services.jobs.results_dir
        yield Horizontal(
            *(
                ViewerPanel(job, caption, self._terminal, results, is_compared=len(self._jobs) > 1)
                for job, caption in zip(self._jobs, captions, strict=True)
            )
        )
        yield self._footer

    def on_mount(self) -> None:
        """Name the keys, and follow the jobs: one of them may still be on its way."""
        # Captions of one height: pictures side by side are compared at one size.
        self.set_class(len(self._jobs) > 1, "-several")
        self._update_footer()
        self._unsubscribe = self._services.jobs.store.subscribe(self._apply_job_changes)
        self._position_timer = self.set_interval(self._terminal.refresh_seconds, self._update_positions, pause=True)

    def on_unmount(self) -> None:
        """Follow nothing more."""
        self._unsubscribe()

    def _update_footer(self) -> None:
        seen, several = any(self._terminal.graphics.cell_size), len(self._jobs) > 1
        moving = seen and any(job.request.type == "video" for job in self._jobs)
        hints = (
            (True, KeyHint("esc", "back", "app.pop_screen")),
            (True, self.HELP_HINT),
            (moving, KeyHint("p", "play", "screen.play")),
            (moving, KeyHint("[ ]", "scrub", "")),
            (moving, KeyHint(", .", "step", "")),
            (not several and self._jobs[0].id in self._listed_ids, KeyHint("← →", "jobs", "")),
            (seen, KeyHint("+ -", "zoom", "")),
            (True, KeyHint("s", "save", "screen.save")),
            (True, KeyHint("*", "star", "screen.star")),
            (True, KeyHint("x", "reject", "screen.reject")),
            (several, KeyHint("tab", "one", "screen.mark(1)")),
            (self._can_wipe, KeyHint("w", "wipe", "screen.wipe")),
            (True, KeyHint("o", "outside", "screen.outside")),
            (True, KeyHint("y", "copy", "screen.copy")),
            (seen, KeyHint("0", "whole", "screen.zoom(0)")),
        )
        self._footer.set_hints([hint for is_shown, hint in hints if is_shown])

    def _apply_job_changes(self, _changed: Iterable[int]) -> None:
        self._jobs = [self._services.jobs.store.get(job.id) or job for job in self._jobs]
        for panel, job in zip(self.query(ViewerPanel), self._jobs, strict=False):
            if job is not panel.job:
                panel.update_job(job)

    def _media_views(self) -> list[MediaView]:
        return [panel.media_view for panel in self.query(ViewerPanel)]

    def _videos(self) -> list[MediaView]:
        return [picture for picture in self._media_views() if picture.duration_seconds > 0]

    def _update_positions(self) -> None:
        for panel in self.query(ViewerPanel):
            panel.update_position()

    @on(MediaView.PlaybackChanged)
    def _playback_changed(self) -> None:
        if any(picture.playing for picture in self._media_views()):
            self._position_timer.resume()
        else:
            self._position_timer.pause()

    def action_play(self) -> None:
        """Play every clip from one common moment, or pause them all."""
        clips = self._videos()
        if any(clip.playing for clip in clips):
            self._sync_positions(clips)
            return
        at = max((clip.position for clip in clips if not clip.is_at_end), default=0.0)
        for clip in clips:
            clip.play_from(at)

    def _sync_positions(self, videos: Sequence[MediaView]) -> None:
        """Pause clips, several at one common moment: what is compared must not be a frame apart."""
        at = max(clip.position for clip in videos)
        for clip in videos:
            clip.pause()
            if len(videos) > 1:
                clip.seek(at)

    def action_scrub(self, direction: int) -> None:
        """Move every clip to the same moment, a twentieth of the longest away."""
        clips = self._videos()
        longest = max((clip.duration_seconds for clip in clips), default=0.0)
        at = max((clip.position for clip in clips), default=0.0) + direction * SCRUB_SHARE * longest
        for clip in clips:
            clip.seek(at)

    def action_step(self, frames: int) -> None:
        """Move every clip by single frames."""
        clips = self._videos()
        if any(clip.playing for clip in clips):
            self._sync_positions(clips)
        for clip in clips:
            clip.step(frames)

    def action_zoom(self, steps: int) -> None:
        """Zoom all results by steps, to the whole pictures for 0."""
        for picture in self._media_views():
            picture.zoom_by(steps)

    async def action_go(self, right: int, down: int) -> None:
        """Move the line of a wipe; pan what is zoomed; else go to a neighbour."""
        if self._wipe_share is not None and right:
            self._wipe_share = min(max(WIPE_EDGE, self._wipe_share + right * WIPE_STEP), 1 - WIPE_EDGE)
            self._lay_out_wipe()
            return
        zoomed = [picture for picture in self._media_views() if picture.zoom_factor > 1]
        for picture in zoomed:
            picture.pan(right, down)
        if not zoomed:
            await self._show_neighbour(right + down)

    async def action_outside(self) -> None:
        """Open the files in the system's viewer."""
        await self._commands.open_externally(self._meant_jobs)

    # Not in workers: keys typed ahead wait for what the handler of the one before has opened.

    def action_save(self) -> None:
        """Save copies of the files elsewhere."""
        from eternal_tui.tui.screens.job_dialogs import SaveAs

        self.app.push_screen(SaveAs(self._meant_jobs, self._services), self._commands.notify_result)

    def action_copy(self) -> None:
        """Copy something of the job, the first where several are compared."""
        from eternal_tui.tui.screens.job_dialogs import CopyMenu

        menu = CopyMenu(self._meant_jobs[0], self._services, self._terminal)
        self.app.push_screen(menu, self._commands.notify_result)

    async def action_star(self) -> None:
        """Star the jobs, or remove the stars where all have one; from a job now starred go to the next."""
        if await self._commands.cull([job.id for job in self._meant_jobs], "star"):
            await self._show_neighbour(1)

    async def action_reject(self) -> None:
        """Reject the jobs, or undo that where all are rejected; from a job now rejected go to the next."""
        if await self._commands.cull([job.id for job in self._meant_jobs], "reject"):
            await self._show_neighbour(1)

    # Side by side

    @property
    def _meant_jobs(self) -> list[Job]:
        """The jobs that keys mean: the marked one, or all."""
        return self._jobs if self._marked is None else [self._jobs[self._marked]]

    @property
    def _can_wipe(self) -> bool:
        return len(self._jobs) == 2 and self._terminal.graphics.name != "off"

    def action_mark(self, step: int) -> None:
        """Mark the next result, after the last none: what is marked is alone starred, rejected, copied and saved."""
        if len(self._jobs) > 1:
            places = [None, *range(len(self._jobs))]
            self._marked = places[(places.index(self._marked) + step) % len(places)]
            for place, panel in enumerate(self.query(ViewerPanel)):
                panel.set_class(place == self._marked, "-marked")

    def action_wipe(self) -> None:
        """Show two results in one place, the left part of one and the right part of the other, or side by side."""
        if self._can_wipe:
            self._wipe_share = 0.5 if self._wipe_share is None else None
            self._lay_out_wipe()

    def on_resize(self) -> None:
        """Keep the wipe at the same share of the width."""
        if self._wipe_share is not None:
            self._lay_out_wipe()

    def _lay_out_wipe(self) -> None:
        """Give both pictures the whole width, and each panel a part of it that cuts them."""
        width = self.size.width
        split = round(width * (self._wipe_share or 0))
        for panel, columns, shift in zip(self.query(ViewerPanel), (split, width - split), (0, split), strict=True):
            picture = panel.media_view.styles
            if self._wipe_share is None:
                panel.styles.width = picture.width = picture.offset = None
            else:
                panel.styles.width, picture.width, picture.offset = columns, width, (-shift, 0)

    async def _show_neighbour(self, direction: int) -> None:
        if len(self._jobs) != 1 or self._jobs[0].id not in self._listed_ids:
            return
        at = list(self._listed_ids).index(self._jobs[0].id) + direction
        job = self._services.jobs.store.get(self._listed_ids[at]) if 0 <= at < len(self._listed_ids) else None
        if job is None:
            return
        self._jobs = [job]
        self.query_one(ViewerPanel).set_job(job, distinguishing_captions([job])[0])
        self._update_footer()
