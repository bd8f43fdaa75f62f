"""Title, position and empty state of the job list."""

from __future__ import annotations

from eternal_tui.core.sanitize import SafeText, format_safe, sanitize
from eternal_tui.jobs.filter import JobFilter

FACET_LABELS = {"attention": "needs attention"}
EMPTY_HISTORY_TEXT = SafeText("No jobs yet. Press n to create one.")


def list_title(
    job_filter: JobFilter,
    listed_count: int,
    known_count: int,
    marked_count: int = 0,
    order: str = "newest first",
    *,
    new_above_count: int = 0,
) -> SafeText:
    """Return the title: filter, counts of listed and marked jobs, order.

    `new_above_count` jobs came above those in view, and are named too.
    """
    words = (
        [] if job_filter.facet == "all" and job_filter.terms else [FACET_LABELS.get(job_filter.facet, job_filter.facet)]
    )
    if job_filter.terms:
        words.append(sanitize(job_filter.text.strip(), limit=24))
    parts = [format_safe("Jobs · {words}", words=" ".join(words))]
    if not job_filter.is_empty:
        parts[0] = format_safe(
            "{head} {listed} of {known}", head=parts[0], listed=f"{listed_count:,}", known=f"{known_count:,}"
        )
    if order != "newest first":
        parts.append(sanitize(order))
    if marked_count:
        parts.append(format_safe("{marked} marked", marked=f"{marked_count:,}"))
    if new_above_count:
        parts.append(format_safe("{above} new above", above=f"{new_above_count:,}"))
    return sanitize(" · ".join(parts))


def list_position(at: int | None, count: int, search: str = "") -> SafeText:
    """Return where the cursor is among the jobs found, such as 3/17; `at` is None where it is on none of them."""
    if not search.strip():
        return format_safe("{at}/{count}", at=at, count=count) if count else SafeText("")
    text = sanitize(search.strip(), limit=24)
    return format_safe("find {text} {at}/{count}", text=text, at=at or "-", count=count)


def empty_text(job_filter: JobFilter, known_count: int) -> SafeText:
    """Return why no job is listed and which key helps."""
    if not known_count:
        return EMPTY_HISTORY_TEXT
    if text := job_filter.text.strip():
        return format_safe("No job matches '{text}'. esc: clear the filter.", text=sanitize(text, limit=60))
    return format_safe(
        "No jobs under '{facet}'. f: next, esc: all.", facet=FACET_LABELS.get(job_filter.facet, job_filter.facet)
    )
