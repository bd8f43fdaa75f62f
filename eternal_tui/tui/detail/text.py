"""A job in words: every fact of it as labelled lines. Pure: one snapshot in, styled text out."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, NamedTuple

import msgspec
from textual.content import Content

from eternal_tui.core.sanitize import SafeText, UntrustedText, format_safe, join_safe, sanitize, sanitize_block
from eternal_tui.jobs.formatting import character_label, file_label, request_label
from eternal_tui.jobs.model import POLLED_STATES, FileState, Job, JobState, Verdict
from eternal_tui.tui.job_list.row import run_seconds

LABEL_WIDTH = 11
"""Cells of the label column: the longest label and one space."""


MAX_SHOWN_EVENTS = 200
MAX_SHOWN_TAGS = 100
"""Turns and tags drawn of a job: several times what the program writes down, and nothing that stops the screen."""

MAX_DURATION_SECONDS = 1e9
"""Seconds that are still a length of time: thirty years."""


class DetailRow(NamedTuple):
    """One line of the detail; `style` is a style of the theme, empty for plain."""

    label: str
    text: SafeText
    style: str = ""


def format_duration(seconds: float) -> SafeText:
    """Return a length of time as minutes and seconds, with hours where there are any."""
    if not -MAX_DURATION_SECONDS < seconds < MAX_DURATION_SECONDS:
        return SafeText("?")
    whole = max(0, round(seconds))
    hours, rest = divmod(whole, 3600)
    minutes, left = divmod(rest, 60)
    return format_safe("{t}", t=f"{hours}:{minutes:02}:{left:02}" if hours else f"{minutes}:{left:02}")


def format_time(timestamp: float) -> SafeText:
    """Return a local time of day, with the date when it is not today's."""
    return _format_local(timestamp, "%H:%M:%S")


def format_datetime(timestamp: float) -> SafeText:
    """Return a local date and time."""
    return _format_local(timestamp, "%Y-%m-%d %H:%M")


def _format_local(timestamp: float, strftime_format: str) -> SafeText:
    try:
        return format_safe("{t}", t=datetime.fromtimestamp(timestamp).astimezone().strftime(strftime_format))
    except (ValueError, OverflowError, OSError):
        # A number that is no time: the history is a file that others can write.
        return SafeText("?")


def state_row(job: Job) -> DetailRow:
    """Return how the job stands, in one line."""
    state = str(job.state)
    if job.state is JobState.SUCCEEDED and job.is_creation:
        made = SafeText("created") if job.request.character else SafeText("taken · the list has it when it is made")
        return DetailRow("State", made, "$text-success")
    if job.state is JobState.SUCCEEDED:
        words = {
            FileState.SAVED: SafeText("saved"),
            FileState.PENDING: SafeText(
                "finished, the file is not here yet · t fetches now, free"
                if job.trouble
                else "finished, fetching the file"
            ),
            FileState.EXPIRED: SafeText("finished, but the link has expired · t asks again, free"),
            FileState.BROKEN: SafeText("finished, but the file is broken · t fetches again, free"),
        }
        tone = "$text-success" if job.file_state is FileState.SAVED else "$text-warning"
        return DetailRow("State", words[job.file_state or FileState.PENDING], tone)
    if job.state is JobState.SUBMITTING:
        return DetailRow("State", SafeText("submitting · no answer yet"))
    if job.state is JobState.UNCONFIRMED:
        return DetailRow("State", SafeText("unconfirmed · it may be charged · t decides"), "$text-warning")
    if job.state is JobState.LOST:
        return DetailRow("State", SafeText("lost · the service no longer knows it · w asks again"), "$text-warning")
    if job.state in (JobState.FAILED, JobState.REJECTED):
        return DetailRow("State", sanitize(state), "$text-error")
    said = format_safe(" · the service says “{word}”", word=sanitize(job.word, limit=40)) if job.word else SafeText("")
    watched = SafeText("") if job.watched else SafeText(" · not watched here · w watches")
    return DetailRow(
        "State",
        format_safe(
            "{state} {progress} %{said}{watched}", state=state, progress=job.progress, said=said, watched=watched
        ),
    )


def with_pause_reason(job: Job, reason: str) -> Job:
    """Return the job with why all looks at jobs wait, "" where they do not, if it is one of those."""
    if not reason or job.trouble or job.state not in POLLED_STATES or not job.watched:
        return job
    return msgspec.structs.replace(job, trouble=UntrustedText(reason))


def detail_rows(job: Job) -> Iterator[DetailRow]:
    """Yield the labelled facts of a job, most wanted first."""
    yield state_row(job)
    if job.trouble:
        yield DetailRow("Waiting", sanitize(job.trouble, limit=400), "$text-warning")
    if job.error:
        yield DetailRow("Reason", sanitize(job.error, limit=600), "$text-error")
    yield DetailRow("Character", character_label(job))
    yield DetailRow("Asked", request_label(job))
    if job.facts is not None:
        yield DetailRow("File", file_label(job.facts))
    if job.encrypted:
        yield DetailRow(
            "", SafeText("The service marked this file as encrypted; it is kept as it came."), "$text-warning"
        )
    yield from _cost_rows(job)
    yield from _time_rows(job)
    if job.request_id:
        yield DetailRow("Request id", sanitize(job.request_id))
    if job.retry_of is not None:
        yield DetailRow("Retry of", format_safe("job {id}", id=job.retry_of))
    if job.retried_by is not None:
        yield DetailRow("Retried by", format_safe("job {id}", id=job.retried_by))
    if job.tags or job.starred:
        stars = [SafeText("★")] if job.starred else []
        yield DetailRow("Tags", join_safe(" ", *stars, *(sanitize(tag, limit=40) for tag in job.tags[:MAX_SHOWN_TAGS])))
    if job.note:
        yield DetailRow("Note", sanitize(job.note, limit=400))


def _cost_rows(job: Job) -> Iterator[DetailRow]:
    if job.verdict is not None:
        tone = "$text-warning" if job.verdict is not Verdict.NOT_CHARGED else "$text-success"
        yield DetailRow("Charged?", sanitize(job.verdict), tone)
        yield DetailRow("", sanitize(job.verdict_reason, limit=300), "$text-muted")
    elif job.state is JobState.UNCONFIRMED:
        yield DetailRow(
            "Charged?", SafeText("not known yet; the next answer with a credits counter tells"), "$text-muted"
        )
    if job.cost is not None and job.state is not JobState.REJECTED and job.verdict is not Verdict.NOT_CHARGED:
        left = (
            format_safe(", {left} left after", left=f"{job.credits_after:.2f}")
            if job.credits_after is not None
            else SafeText("")
        )
        yield DetailRow("Cost", format_safe("about {cost} credits{left}", cost=f"{job.cost:.2f}", left=left))
    elif job.state is JobState.REJECTED:
        yield DetailRow("Cost", SafeText("nothing was charged"))


def _time_rows(job: Job) -> Iterator[DetailRow]:
    yield DetailRow("Sent", format_datetime(job.submitted_at or job.created_at))
    if job.submitted_at is not None and (seconds := run_seconds(job)) is not None:
        yield DetailRow("Took", format_duration(seconds))


def timeline_rows(job: Job) -> list[DetailRow]:
    """Return what happened when, oldest first."""
    return [
        DetailRow(
            format_time(event.at),
            join_safe(" ", sanitize(event.summary), sanitize(event.detail, limit=160))
            if event.detail
            else sanitize(event.summary),
            "$text-muted",
        )
        for event in job.timeline[-MAX_SHOWN_EVENTS:]
    ]


def request_json(job: Job) -> SafeText:
    """Return the body that was sent, on lines a person can read."""
    return sanitize_block(json.dumps(job.request.body(), ensure_ascii=False, indent=1))


def response_text(raw: str) -> SafeText:
    """Return an answer as it came, laid out where it is JSON."""
    try:
        parsed: Any = json.loads(raw)
    except (ValueError, RecursionError):
        return sanitize_block(raw, limit=2_000)
    return sanitize_block(json.dumps(parsed, ensure_ascii=False, indent=1), limit=4_000)


def render_detail(job: Job, raw_responses: Mapping[str, Any], *, width: int) -> Content:
    """Return the whole detail as styled text wrapped for `width` cells: prompt, facts, timeline, request, answers."""
    prompt = sanitize_block(job.request.prompt, limit=4_000)
    lines = [Content.styled(line, "$foreground bold") for line in _wrap(prompt, width)]
    lines += [Content(""), *_render_rows(list(detail_rows(job)), width)]
    lines += [Content(""), _heading(SafeText("What happened")), *_render_rows(timeline_rows(job), width)]
    lines += [Content(""), _heading(SafeText("Request")), *_muted_lines(request_json(job), width)]
    titles = {"submit_answer": SafeText("Answer to the request"), "last_answer": SafeText("Last answer")}
    for name, title in titles.items():
        if isinstance(raw := raw_responses.get(name), str):
            lines += [Content(""), _heading(title), *_muted_lines(response_text(raw), width)]
    return Content("\n").join(lines)


def _heading(text: SafeText) -> Content:
    return Content.styled(text, "$text-accent")


def _muted_lines(text: SafeText, width: int) -> list[Content]:
    return [Content.styled(line, "$text-muted") for line in _wrap(text, width)]


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
