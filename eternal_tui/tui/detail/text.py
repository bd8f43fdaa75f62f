"""A job in words: every fact of it as labelled lines. Pure: one snapshot in, styled text out."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, NamedTuple

import msgspec
from textual.content import Content

from eternal_tui.core.sanitize import Shown, Untrusted, join, say, shown, shown_block
from eternal_tui.jobs.formatting import file_words, kind, who
from eternal_tui.jobs.model import POLLED, FileState, Job, JobState, Verdict
from eternal_tui.tui.job_list.row import took

LABEL_WIDTH = 11
"""Cells of the label column: the longest label and one space."""


MOST_EVENTS = 200
MOST_TAGS = 100
"""Turns and tags drawn of a job: several times what the program writes down, and nothing that stops the screen."""

LONGEST = 1e9
"""Seconds that are still a length of time: thirty years."""


class Fact(NamedTuple):
    """One line of the detail; `tone` is a style of the theme, empty for plain."""

    label: str
    text: Shown
    tone: str = ""


def span(seconds: float) -> Shown:
    """Return a length of time as minutes and seconds, with hours where there are any."""
    if not -LONGEST < seconds < LONGEST:
        return Shown("?")
    whole = max(0, round(seconds))
    hours, rest = divmod(whole, 3600)
    minutes, left = divmod(rest, 60)
    return say("{t}", t=f"{hours}:{minutes:02}:{left:02}" if hours else f"{minutes}:{left:02}")


def clock(at: float) -> Shown:
    """Return a local time of day, with the date when it is not today's."""
    return _moment(at, "%H:%M:%S")


def day_and_clock(at: float) -> Shown:
    """Return a local date and time."""
    return _moment(at, "%Y-%m-%d %H:%M")


def _moment(at: float, form: str) -> Shown:
    try:
        return say("{t}", t=datetime.fromtimestamp(at).astimezone().strftime(form))
    except (ValueError, OverflowError, OSError):
        # A number that is no time: the history is a file that others can write.
        return Shown("?")


def state_line(job: Job) -> Fact:
    """Return how the job stands, in one line."""
    state = str(job.state)
    if job.state is JobState.SUCCEEDED and job.is_creation:
        made = Shown("created") if job.request.character else Shown("taken · the list has it when it is made")
        return Fact("State", made, "$text-success")
    if job.state is JobState.SUCCEEDED:
        words = {
            FileState.SAVED: Shown("saved"),
            FileState.PENDING: Shown(
                "finished, the file is not here yet · t fetches now, free"
                if job.trouble
                else "finished, fetching the file"
            ),
            FileState.EXPIRED: Shown("finished, but the link has expired · t asks again, free"),
            FileState.BROKEN: Shown("finished, but the file is broken · t fetches again, free"),
        }
        tone = "$text-success" if job.file_state is FileState.SAVED else "$text-warning"
        return Fact("State", words[job.file_state or FileState.PENDING], tone)
    if job.state is JobState.SUBMITTING:
        return Fact("State", Shown("submitting · no answer yet"))
    if job.state is JobState.UNCONFIRMED:
        return Fact("State", Shown("unconfirmed · it may be charged · t decides"), "$text-warning")
    if job.state is JobState.LOST:
        return Fact("State", Shown("lost · the service no longer knows it · w asks again"), "$text-warning")
    if job.state in (JobState.FAILED, JobState.REJECTED):
        return Fact("State", shown(state), "$text-error")
    said = say(" · the service says “{word}”", word=shown(job.word, limit=40)) if job.word else Shown("")
    watched = Shown("") if job.watched else Shown(" · not watched here · w watches")
    return Fact(
        "State",
        say("{state} {progress} %{said}{watched}", state=state, progress=job.progress, said=said, watched=watched),
    )


def waiting_too(job: Job, reason: str) -> Job:
    """Return the job with why all looks at jobs wait, "" where they do not, if it is one of those."""
    if not reason or job.trouble or job.state not in POLLED or not job.watched:
        return job
    return msgspec.structs.replace(job, trouble=Untrusted(reason))


def facts(job: Job) -> Iterator[Fact]:
    """Yield the labelled facts of a job, most wanted first."""
    yield state_line(job)
    if job.trouble:
        yield Fact("Waiting", shown(job.trouble, limit=400), "$text-warning")
    if job.error:
        yield Fact("Reason", shown(job.error, limit=600), "$text-error")
    yield Fact("Character", who(job))
    yield Fact("Asked", kind(job))
    if job.facts is not None:
        yield Fact("File", file_words(job.facts))
    if job.encrypted:
        yield Fact("", Shown("The service marked this file as encrypted; it is kept as it came."), "$text-warning")
    yield from _money(job)
    yield from _times(job)
    if job.request_id:
        yield Fact("Request id", shown(job.request_id))
    if job.retry_of is not None:
        yield Fact("Retry of", say("job {id}", id=job.retry_of))
    if job.retried_by is not None:
        yield Fact("Retried by", say("job {id}", id=job.retried_by))
    if job.tags or job.starred:
        stars = [Shown("★")] if job.starred else []
        yield Fact("Tags", join(" ", *stars, *(shown(tag, limit=40) for tag in job.tags[:MOST_TAGS])))
    if job.note:
        yield Fact("Note", shown(job.note, limit=400))


def _money(job: Job) -> Iterator[Fact]:
    if job.verdict is not None:
        tone = "$text-warning" if job.verdict is not Verdict.NOT_CHARGED else "$text-success"
        yield Fact("Charged?", shown(job.verdict), tone)
        yield Fact("", shown(job.verdict_reason, limit=300), "$text-muted")
    elif job.state is JobState.UNCONFIRMED:
        yield Fact("Charged?", Shown("not known yet; the next answer with a credits counter tells"), "$text-muted")
    if job.cost is not None and job.state is not JobState.REJECTED and job.verdict is not Verdict.NOT_CHARGED:
        left = (
            say(", {left} left after", left=f"{job.credits_after:.2f}") if job.credits_after is not None else Shown("")
        )
        yield Fact("Cost", say("about {cost} credits{left}", cost=f"{job.cost:.2f}", left=left))
    elif job.state is JobState.REJECTED:
        yield Fact("Cost", Shown("nothing was charged"))


def _times(job: Job) -> Iterator[Fact]:
    yield Fact("Sent", day_and_clock(job.submitted_at or job.created_at))
    if job.submitted_at is not None and (seconds := took(job)) is not None:
        yield Fact("Took", span(seconds))


def timeline(job: Job) -> list[Fact]:
    """Return what happened when, oldest first."""
    return [
        Fact(
            clock(event.at),
            join(" ", shown(event.what), shown(event.detail, limit=160)) if event.detail else shown(event.what),
            "$text-muted",
        )
        for event in job.timeline[-MOST_EVENTS:]
    ]


def request_json(job: Job) -> Shown:
    """Return the body that was sent, on lines a person can read."""
    return shown_block(json.dumps(job.request.body(), ensure_ascii=False, indent=1))


def answer_text(raw: str) -> Shown:
    """Return an answer as it came, laid out where it is JSON."""
    try:
        parsed: Any = json.loads(raw)
    except (ValueError, RecursionError):
        return shown_block(raw, limit=2_000)
    return shown_block(json.dumps(parsed, ensure_ascii=False, indent=1), limit=4_000)


def describe(job: Job, answers: Mapping[str, Any], *, width: int) -> Content:
    """Return the whole detail as styled text wrapped for `width` cells: prompt, facts, timeline, request, answers."""
    prompt = shown_block(job.request.prompt, limit=4_000)
    lines = [Content.styled(line, "$foreground bold") for line in _wrap(prompt, width)]
    lines += [Content(""), *_laid_out(list(facts(job)), width)]
    lines += [Content(""), _heading(Shown("What happened")), *_laid_out(timeline(job), width)]
    lines += [Content(""), _heading(Shown("Request")), *_quiet(request_json(job), width)]
    titles = {"submit_answer": Shown("Answer to the request"), "last_answer": Shown("Last answer")}
    for name, title in titles.items():
        if isinstance(raw := answers.get(name), str):
            lines += [Content(""), _heading(title), *_quiet(answer_text(raw), width)]
    return Content("\n").join(lines)


def _heading(text: Shown) -> Content:
    return Content.styled(text, "$text-accent")


def _quiet(block: Shown, width: int) -> list[Content]:
    return [Content.styled(line, "$text-muted") for line in _wrap(block, width)]


def _laid_out(rows: list[Fact], width: int) -> Iterator[Content]:
    """Yield labelled lines, long texts going on under their beginning."""
    room = max(12, width - LABEL_WIDTH)
    for fact in rows:
        label = f"{fact.label:<{LABEL_WIDTH}}"
        for line in _wrap(fact.text, room):
            yield Content.styled(label, "$text-muted") + Content.styled(line, fact.tone or "$foreground")
            label = " " * LABEL_WIDTH


def _wrap(text: Shown, width: int) -> list[str]:
    """Break text into lines of at most `width` cells, at spaces where there are any."""
    lines: list[str] = []
    for line in text.split("\n"):
        lines += [str(part.plain) for part in Content(line).wrap(width)] or [""]
    return lines
