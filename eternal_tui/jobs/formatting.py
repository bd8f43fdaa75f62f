"""Labels of a job: state, character, request, file and cost."""

from __future__ import annotations

from eternal_tui.core.formatting import format_amount, format_bytes
from eternal_tui.core.sanitize import SafeText, format_safe, join_safe, sanitize
from eternal_tui.jobs.billing.charges import is_cost_measured
from eternal_tui.jobs.model import FileInfo, FileState, Job, JobState, Verdict

UNSENT_CAUSES = frozenset({"unreachable", "stopped", "cap", "cancelled"})
"""Causes of a rejection before anything was sent; every other is the API's."""


def pluralize(count: int, noun: str) -> SafeText:
    """Return how many there are of a regular noun: 1 job, 3 jobs."""
    return format_safe("{number} {noun}{s}", number=count, noun=noun, s="" if count == 1 else "s")


def state_label(job: Job) -> str:
    """Return the state in one word, in the app and on the command line; the filter `state:` takes it too."""
    if job.state is JobState.SUCCEEDED:
        if job.is_creation:
            return "created"
        return "fetching" if job.file_state is FileState.PENDING else str(job.file_state or FileState.SAVED)
    if job.state is JobState.REJECTED and job.cause in UNSENT_CAUSES:
        return "unsent"
    return str(job.state)


_UNSETTLED_STATES = frozenset({JobState.QUEUED, JobState.SUBMITTING, JobState.UNCONFIRMED})


def cost_label(job: Job) -> SafeText:
    """Return the job's cost in credits: 0.20 as measured by the balance, ~0.20 as estimated; "" where there is none."""
    if not job.cost or job.state is JobState.REJECTED or job.verdict is Verdict.NOT_CHARGED:
        return SafeText("")
    is_certain = job.state not in _UNSETTLED_STATES and is_cost_measured(job)
    return sanitize(format_amount(job.cost, is_exact=is_certain))


def character_label(job: Job) -> SafeText:
    """Return the job's character by name and id."""
    if not job.name:
        return sanitize(job.request.character) if job.request.character else SafeText("not known yet")
    return format_safe("{name} {id}", name=sanitize(job.name, limit=60), id=job.request.character)


def request_label(job: Job) -> SafeText:
    """Return type and settings of the request in words."""
    request = job.request
    if job.is_creation:
        return SafeText("new character")
    if request.type == "image":
        return (
            format_safe("image, {quality} quality", quality=request.quality) if request.quality else SafeText("image")
        )
    parts = [SafeText("video")]
    if request.duration is not None:
        parts.append(format_safe("{n} s", n=request.duration))
    if request.audio is not None:
        parts.append(SafeText("with sound") if request.audio else SafeText("no sound"))
    return join_safe(", ", *parts)


def file_label(file_info: FileInfo) -> SafeText:
    """Return what a verified file is: pixels, length, codec, sound, bytes."""
    parts: list[SafeText] = []
    if file_info.width:
        parts.append(format_safe("{w}×{h}", w=file_info.width, h=file_info.height))
    if file_info.seconds:
        parts.append(format_safe("{s} s", s=f"{file_info.seconds:.1f}"))
    if file_info.codec:
        parts.append(sanitize(file_info.codec, limit=20))
    if file_info.seconds:
        parts.append(SafeText("sound") if file_info.has_sound else SafeText("silent"))
    if file_info.bytes:
        parts.append(format_bytes(file_info.bytes))
    return join_safe(" · ", *parts)
