"""The detail of a job: its result, and its facts as styled text below or left of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import msgspec
from rich.cells import cell_len, set_cell_size
from textual import events, on
from textual.binding import BindingType
from textual.containers import Container, VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Static

from eternal_tui.core.formatting import format_amount, format_datetime, format_duration
from eternal_tui.core.sanitize import SafeText, UntrustedText, format_safe, join_safe, sanitize, sanitize_block
from eternal_tui.jobs.files import result_path
from eternal_tui.jobs.formatting import character_label, cost_label, file_label, request_label, state_label
from eternal_tui.jobs.model import POLLED_STATES, Job, JobState, Verdict
from eternal_tui.tui.input.keymap import bindings
from eternal_tui.tui.widgets.jobs import run_seconds

LABEL_WIDTH = 11
"""Cells of the label column: the longest label and one space."""


MAX_SHOWN_EVENTS = 200
MAX_SHOWN_TAGS = 100
"""Events and tags drawn of a job: more than the program records."""


class DetailRow(NamedTuple):
    """One line of the detail; `style` is a style of the theme, empty for plain."""

    label: str
    text: SafeText
    style: str = ""


_STATE_TEXTS = {
    "saved": ("", "$text-success"),
    "created": ("", "$text-success"),
    "fetching": ("downloading the result", "$text-warning"),
    "expired": ("link expired before the download · t: refresh (free)", "$text-warning"),
    "broken": ("t: download again (free)", "$text-warning"),
    "missing": ("t: download again (free)", "$text-warning"),
    "queued": ("not sent yet · d: cancel (free)", ""),
    "submitting": ("no response yet", ""),
    "unconfirmed": ("may have been charged · t: retry or dismiss", "$text-warning"),
    "lost": ("unknown to the API · w: poll again", "$text-warning"),
    "failed": ("", "$text-error"),
    "rejected": ("by the API", "$text-error"),
    "unsent": ("never reached the API", "$text-error"),
}
"""Text behind the label of a state, and its style."""


def state_row(job: Job) -> DetailRow:
    """Return the row of the job's state: the label that the list shows, and what the user can do."""
    if job.state is JobState.SUCCEEDED and job.is_creation and not job.request.character:
        return DetailRow("State", SafeText("accepted · listed once it is created"), "$text-success")
    if job.state in POLLED_STATES:
        progress = format_safe("{state} {progress} %", state=str(job.state), progress=job.progress)
        status = format_safe("API: “{text}”", text=sanitize(job.status_text, limit=40)) if job.status_text else ""
        parts = [progress, status, "" if job.watched else SafeText("not polled · w: poll")]
        return DetailRow("State", join_safe(" · ", *map(SafeText, filter(None, parts))))
    label = state_label(job)
    text, style = _STATE_TEXTS.get(label, ("", ""))
    if job.needs_download and job.waiting_reason:
        text = "not downloaded yet · t: retry now (free)"
    return DetailRow("State", sanitize(f"{label} · {text}" if text else label), style)


def with_pause_reason(job: Job, reason: str) -> Job:
    """Return the job with the reason why it waits, "" for none: all polls pause, or others are queued before it."""
    if not reason or job.waiting_reason or job.state not in (*POLLED_STATES, JobState.QUEUED) or not job.watched:
        return job
    return msgspec.structs.replace(job, waiting_reason=UntrustedText(reason))


def detail_rows(job: Job) -> list[DetailRow]:
    """Return the labelled facts of a job, most wanted first."""
    file, nothing = job.file_info, SafeText("")
    encrypted = SafeText("Marked as encrypted by the API; saved as received.") if job.encrypted else nothing
    rows = (
        state_row(job),
        DetailRow("Status", sanitize(job.waiting_reason, limit=400), "$text-warning"),
        DetailRow("Reason", sanitize(job.error, limit=600), "$text-error"),
        *_cost_rows(job),
        DetailRow("Character", character_label(job)),
        DetailRow("Request", request_label(job)),
        DetailRow("File", file_label(file) if file is not None else nothing),
        DetailRow("", sanitize(file.note, limit=300) if file is not None else nothing, "$text-warning"),
        DetailRow("", encrypted, "$text-warning"),
        _time_row(job),
        DetailRow("Retry of", format_safe("job {id}", id=job.retry_of) if job.retry_of is not None else nothing),
        DetailRow("Retried by", format_safe("job {id}", id=job.retried_by) if job.retried_by is not None else nothing),
        DetailRow("Tags", _marks_text(job)),
        DetailRow("Note", sanitize(job.note, limit=400)),
        DetailRow("Template", sanitize(job.template, limit=400)),
        DetailRow("Request id", sanitize(job.request_id or "")),
    )
    return [row for row in rows if row.text]


def _marks_text(job: Job) -> SafeText:
    marks = [SafeText("★")] if job.starred else []
    if job.rating:
        marks.append(format_safe("rating {n}", n=job.rating) if job.rating > 0 else SafeText("rejected"))
    return join_safe(" ", *marks, *(sanitize(tag, limit=40) for tag in job.tags[:MAX_SHOWN_TAGS]))


def _cost_rows(job: Job) -> Iterator[DetailRow]:
    if job.verdict is not None:
        tone = "$text-warning" if job.verdict is not Verdict.NOT_CHARGED else "$text-success"
        yield DetailRow("Charged?", sanitize(job.verdict), tone)
        yield DetailRow("", sanitize(job.verdict_reason, limit=300), "$text-muted")
    elif job.state is JobState.UNCONFIRMED:
        waits = SafeText("unknown until running jobs end") if job.verdict_reason else None
        yield DetailRow("Charged?", waits or SafeText("unknown until the next response"), "$text-muted")
    if job.state is JobState.REJECTED:
        yield DetailRow("Cost", SafeText("not charged"))
    elif cost := cost_label(job):
        left = "" if job.credits_after is None else f", {format_amount(job.credits_after)} left after"
        yield DetailRow("Cost", format_safe("{cost} credits{left}", cost=cost, left=left))


def _time_row(job: Job) -> DetailRow:
    sent = format_datetime(job.submitted_at or job.created_at, "%Y-%m-%d %H:%M")
    if job.state is JobState.QUEUED:
        return DetailRow("Queued", sent)
    if job.submitted_at is not None and (seconds := run_seconds(job)) is not None:
        sent = format_safe("{sent}, took {duration}", sent=sent, duration=format_duration(seconds))
    return DetailRow("Sent", sent)


def timeline_rows(job: Job) -> list[DetailRow]:
    """Return the events, oldest first."""
    rows = []
    for event in job.timeline[-MAX_SHOWN_EVENTS:]:
        # The request id has a row of its own.
        detail = "" if event.detail == job.request_id else event.detail
        text = join_safe(" ", sanitize(event.summary), *([sanitize(detail, limit=160)] if detail else ()))
        rows.append(DetailRow(format_datetime(event.at, "%H:%M:%S"), text, "$text-muted"))
    return rows


def request_json(job: Job) -> SafeText:
    """Return the body that was sent, as indented JSON."""
    return sanitize_block(json.dumps(job.request.body(), ensure_ascii=False, indent=1))


def response_text(raw: str) -> SafeText:
    """Return a response as it came, indented where it is JSON."""
    try:
        parsed: Any = json.loads(raw)
    except (ValueError, RecursionError):
        return sanitize_block(raw, limit=2_000)
    return sanitize_block(json.dumps(parsed, ensure_ascii=False, indent=1), limit=4_000)


def render_detail(job: Job, raw_responses: Mapping[str, Any], *, width: int, with_json: bool = False) -> Content:
    """Return the whole detail as styled text wrapped for `width` cells: prompt, facts, events, and the JSON sent."""
    prompt = sanitize_block(job.request.prompt, limit=4_000)
    lines = [Content.styled(line, "$foreground bold") for line in _wrap(prompt, width)]
    lines += [Content(""), *_render_rows(detail_rows(job), width)]
    sections: list[tuple[SafeText, Iterable[Content]]] = []
    if job.timeline:
        sections.append((SafeText("Events"), _render_rows(timeline_rows(job), width)))
    if with_json:
        sections.append((SafeText("Request body"), _json_lines(request_json(job), width)))
        titles = {"submit_answer": SafeText("Response"), "last_answer": SafeText("Last poll response")}
        for name, title in titles.items():
            if isinstance(raw := raw_responses.get(name), str):
                sections.append((title, _json_lines(response_text(raw), width)))
    for title, content in sections:
        lines += [Content(""), Content.styled(title, "$text-accent"), *content]
    if not with_json:
        hint = SafeText("J: show the JSON sent and received")
        lines += [Content(""), *(Content.styled(line, "$text-muted") for line in _wrap(hint, width))]
    return Content("\n").join(lines)


def _json_lines(text: SafeText, width: int) -> Iterator[Content]:
    """Yield indented JSON; longer lines are wrapped between words and indented by two more."""
    for line in text.split("\n"):
        indent = len(line) - len(line.lstrip())
        first, *rest = _split_at_structure(line, max(12, width), max(12, width - indent - 2))
        yield Content.styled(first, "$text-muted")
        for part in rest:
            yield Content.styled(" " * (indent + 2) + part, "$text-muted")


def _split_at_structure(line: str, first_width: int, rest_width: int) -> list[str]:
    """Split after blanks and commas, else after the separators of URLs, else where the room ends."""
    parts, width = [], first_width
    while cell_len(line) > width:
        head = set_cell_size(line, width).rstrip()
        start = len(head) - len(head.lstrip())
        ends = [max(head.rfind(each, start) for each in group) for group in (" ,", "/&?=;:-_.")]
        # A value that fits on its own line is moved there, a longer one starts after its name.
        fits = cell_len(line[ends[0] + 1 :].lstrip()) <= rest_width
        end = next((end + 1 for end in ends if end > start and (fits or end > len(head) // 3)), len(head))
        parts.append(line[:end].rstrip())
        line, width = line[end:].lstrip(), rest_width
    return [*parts, line]


def _render_rows(rows: list[DetailRow], width: int) -> Iterator[Content]:
    """Yield labelled lines, long texts going on under their beginning."""
    room = max(12, width - LABEL_WIDTH)
    for fact in rows:
        label = f"{fact.label:<{LABEL_WIDTH}}"
        for line in _wrap(fact.text, room):
            yield Content.styled(label, "$text-muted") + Content.styled(line, fact.style or "$foreground")
            label = " " * LABEL_WIDTH


def _wrap(text: SafeText, width: int) -> list[str]:
    """Break text into lines of at most `width` cells, at spaces where there are any."""
    lines: list[str] = []
    for line in text.split("\n"):
        lines += [str(part.plain) for part in Content(line).wrap(width)] or [""]
    return lines


EMPTY_MESSAGE = SafeText("Select a job to see its result.")

EMPTY_TITLE = SafeText("3 Detail")
"""The pane's title where it shows no job, with the key that goes to it."""

MIN_STACKED_ROWS = 24
"""Rows from which the image is above the text; in a lower pane it is left of it."""

MIN_SIDE_BY_SIDE_COLUMNS = 80
"""Columns from which the image is left of the text, however high the pane is."""

PORTRAIT_COLUMNS_PER_ROW = 1.5
"""Columns a row of a 3:4 portrait takes: a cell is about half as wide as it is high."""


class DetailText(VerticalScroll):
    """The scrolling text of the detail."""

    BINDINGS: ClassVar[list[BindingType]] = [*bindings("detail")]

    class Resized(Message):
        """Text has other room now."""

    def on_resize(self) -> None:
        self.post_message(self.Resized())

    # Overrides: Textual does nothing while the text is not laid out, and animates what a slow line then shows.
    def action_scroll_home(self) -> None:
        self.scroll_home(animate=False, immediate=True)

    def action_scroll_end(self) -> None:
        self.scroll_end(animate=False)

    def action_scroll_half(self, direction: int) -> None:
        self.scroll_relative(y=direction * max(1, self.size.height // 2), animate=False)


class DetailPane(Container):
    """Draws snapshots of one job."""

    DEFAULT_CSS = """
    DetailPane {
        border: round $border-blurred;
        border-title-color: $text-muted;
        layout: vertical;
        padding: 0 1;
        &:focus-within { border: round $border; border-title-color: $foreground; }
        & > .media { height: 3fr; width: 1fr; }
        & > VerticalScroll {
            height: 2fr; width: 1fr; margin: 1 0 0 0; scrollbar-size-vertical: 1; scrollbar-gutter: stable;
        }
        & Static { width: 1fr; height: auto; }
        &.-beside { layout: horizontal; }
        &.-beside > .media { width: 24; height: 1fr; }
        &.-beside > VerticalScroll { height: 1fr; margin: 0 0 0 2; }
        &.-words > .media { display: none; }
        &.-words > VerticalScroll { height: 1fr; margin: 0; }
    }
    """

    def __init__(self, results_dir: Path, *, shows_media: bool = True) -> None:
        # Without a job there is no picture, and styling the pane twice would delay the first frame.
        super().__init__(id="detail", classes="-words")
        self.border_title = Content(EMPTY_TITLE)
        self._results_dir = results_dir
        self._shows_media = shows_media
        self._media_view: Widget | None = None
        self._shown_path: Path | None = None
        self._job: Job | None = None
        self._raw_responses: Mapping[str, Any] = {}
        self._text = Static(markup=False)
        self._scroll = DetailText(self._text)
        self._drawn_state: tuple[object, ...] | None = None
        self._shows_json = False

    async def mount_content(self, media_view: Widget, show_file: Callable[[Path | None], None]) -> None:
        """Mount text and `media_view`, in which `show_file` shows a result: after the first frame, they are empty."""
        self._media_view, self._show_file = media_view, show_file
        media_view.add_class("media")
        self._fit_media_view()
        await self.mount_all([media_view, self._scroll])

    @property
    def job_id(self) -> int | None:
        return self._job.id if self._job is not None else None

    def on_resize(self, event: events.Resize) -> None:
        """Lay the image out above the text or left of it."""
        beside = event.size.height < MIN_STACKED_ROWS or event.size.width >= MIN_SIDE_BY_SIDE_COLUMNS
        self.set_class(beside, "-beside")
        self._fit_media_view()

    def _fit_media_view(self) -> None:
        if self._media_view is not None:
            portrait = min(round(self.outer_size.height * PORTRAIT_COLUMNS_PER_ROW), self.outer_size.width // 2)
            self._media_view.styles.width = max(16, portrait) if self.has_class("-beside") else None

    def set_job(self, job: Job | None, raw_responses: Mapping[str, Any] | None = None) -> None:
        """Show this snapshot; `raw_responses` are the service's own, None when they have not been read yet."""
        moved = job is None or job.id != self.job_id
        if moved or raw_responses is not None:
            self._raw_responses = raw_responses or {}
        self._job = job
        if moved:
            self.border_title = Content(EMPTY_TITLE if job is None else format_safe("3 Job {id}", id=job.id))
            self._scroll.scroll_home(animate=False, immediate=True)
        self._redraw()

    def toggle_json(self) -> None:
        """Toggle the JSON sent and received."""
        self._shows_json = not self._shows_json
        self._redraw()

    def focus_text(self) -> None:
        self._scroll.focus()

    @on(DetailText.Resized)
    def _redraw(self) -> None:
        job, width = self._job, max(20, self._scroll.scrollable_content_region.width)
        state = (job, width, id(self._raw_responses), self._shows_json)
        if not self._scroll.is_attached or state == self._drawn_state:
            return
        self._drawn_state = state
        path = result_path(job, self._results_dir) if job is not None and self._shows_media else None
        self.set_class(path is None, "-words")
        if path != self._shown_path:
            self._shown_path = path
            self._show_file(path)
        if job is None:
            self._text.update(Content.styled(EMPTY_MESSAGE, "$text-muted"))
        else:
            self._text.update(render_detail(job, self._raw_responses, width=width, with_json=self._shows_json))
