"""Jobs as text: a line, an error, and how to resume."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from eternal_tui.core.sanitize import SafeText, format_safe, join_safe, rstrip_safe, sanitize
from eternal_tui.core.text_width import pad_to_width, truncate_to_width
from eternal_tui.jobs.formatting import absolute_result_path, job_to_json, state_label
from eternal_tui.jobs.model import Job, JobState

if TYPE_CHECKING:
    from eternal_tui.cli.context import Context
    from eternal_tui.services import Services


def print_changed_jobs(context: Context, jobs: Iterable[Job], done: str = "") -> None:
    """Print the jobs that a command changed: what was done, or how they are; the whole job with --json."""
    for job in jobs:
        if context.arguments.json:
            context.output.print_json(job_to_json(job, context.results_dir))
        elif done:
            context.output.print_line(format_safe("job {id} · {done}", id=job.id, done=done))
        else:
            context.output.print_line(format_job_line(job, context.results_dir))


def print_job(context: Context, services: Services, job: Job, output: str | None = None, **event: str) -> None:
    """Print a job and the path of its copy: one JSON object, after the fields of an event, or a line."""
    if context.arguments.json:
        context.output.print_json({**event, **job_to_json(job, services.results_dir), "output": output})
    else:
        context.output.print_line(format_job_line(job, services.results_dir, output), state=state_label(job))


def print_job_error(context: Context, job: Job) -> None:
    """Print why a job has no result, where something went wrong."""
    if (sentence := job_error_message(job)) is not None:
        context.output.error(sentence)


def format_job_line(job: Job, results_dir: Path, output: str | None = None) -> SafeText:
    """Return one line on a job: number, state, and its copy, file or request id; errors go to stderr."""
    tail = output or absolute_result_path(job, results_dir) or job.request_id or ""
    if not job.is_ended and job.progress:
        tail = f"{tail} · {job.progress}%"
    line = format_safe("job {id} · {word}", id=job.id, word=state_label(job))
    return join_safe(" · ", line, sanitize(tail)) if tail else line


def format_value(value: object) -> str:
    """Return a value of a JSON object as text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else " ".join(map(str, value)) if isinstance(value, list) else str(value)


def table_row(cells: Sequence[str], widths: Sequence[int], columns: int | None) -> SafeText:
    """Return cells of these widths and a last one of any width, for a terminal of `columns`; width 0 leaves one out."""
    padded = [pad_to_width(sanitize(cell), width) for cell, width in zip(cells, widths, strict=False) if width]
    line = rstrip_safe(join_safe("  ", *padded, sanitize(cells[-1])))
    return line if columns is None else truncate_to_width(line, columns)


def job_error_message(job: Job) -> SafeText | None:
    """Return the sentence on a job without a result, None where nothing went wrong."""
    fields = {"id": job.id, "error": job.error or job.waiting_reason}
    match job.state:
        case JobState.REJECTED:
            return format_safe("Job {id} rejected: {error}", **fields)
        case JobState.UNCONFIRMED:
            return format_safe("Job {id} unconfirmed: {error} It will not be retried automatically.", **fields)
        case JobState.FAILED:
            return format_safe("Job {id} failed: {error}", **fields)
        case JobState.LOST:
            return format_safe("Job {id} lost: {error} `eternal-tui watch {id}` polls again (free).", **fields)
        case JobState.SUCCEEDED if not job.is_delivered:
            return format_safe("Job {id} has no file: {error} `eternal-tui fetch {id}` tries again (free).", **fields)
        case _:
            return None


def closing_line(reason: str, jobs: Sequence[Job]) -> SafeText:
    """Return why waiting ended, and how to come back to the unfinished of these jobs."""
    rest = describe_unfinished(jobs)
    return join_safe(" ", sanitize(reason), rest or SafeText("No unfinished jobs."))


def describe_unfinished(jobs: Sequence[Job]) -> SafeText:
    """Return how to come back to unfinished jobs; "" where there are none."""
    queued = [str(job.id) for job in jobs if job.state is JobState.QUEUED]
    running = [str(job.id) for job in jobs if not job.is_ended and job.state is not JobState.QUEUED]
    finished = [str(job.id) for job in jobs if job.needs_download]
    facts = [
        *([format_safe("Still running: job {ids}", ids=", ".join(running))] if running else ()),
        *([format_safe("Not downloaded yet: job {ids}", ids=", ".join(finished))] if finished else ()),
    ]
    sentences = []
    if facts:
        numbers = " ".join(running + finished)
        stand = join_safe(". ", *facts)
        sentences.append(format_safe("{stand}. Resume with `eternal-tui watch {ids}`.", stand=stand, ids=numbers))
    if queued:
        ids = ", ".join(queued)
        sentences.append(format_safe("Queued, not sent: job {ids}. Send with `eternal-tui queue run`.", ids=ids))
    return join_safe(" ", *sentences)
