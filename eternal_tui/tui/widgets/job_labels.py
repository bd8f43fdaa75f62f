"""Words and signs of a job that list, gallery and detail share."""

from __future__ import annotations

from eternal_tui.jobs.formatting import state_label
from eternal_tui.jobs.model import Job, JobState
from eternal_tui.tui.terminal.glyphs import Glyphs

LIVE_STATES = frozenset({JobState.SUBMITTING, JobState.RUNNING, JobState.STALLED})

_STATE_ROLES = {
    "queued": "live", "submitting": "live", "running": "live", "fetching": "live", "saved": "ok", "created": "ok",
    "failed": "bad", "rejected": "bad", "unsent": "bad", "broken": "bad",
}  # fmt: skip
_GLYPH_ALIASES = {"created": "saved", "unsent": "rejected", "missing": "broken", "queued": "submitting"}
_SHORT_LABELS = {"submitting": "sending", "unconfirmed": "charged?"}


def state_labels(job: Job) -> tuple[str, str, str]:
    """Return the word for the job's state, one of at most eight cells, and its role."""
    label = state_label(job)
    return label, _SHORT_LABELS.get(label, label), _STATE_ROLES.get(label, "warn")


def state_glyph(job: Job, glyphs: Glyphs) -> str:
    """Return the sign of the job's state, one cell wide."""
    if job.state in LIVE_STATES and not job.watched:
        return glyphs.unwatched
    label = state_label(job)
    return str(getattr(glyphs, _GLYPH_ALIASES.get(label, label)))


def run_seconds(job: Job) -> float | None:
    """Return the whole seconds a job took, None where that is not known."""
    if job.submitted_at is None and job.observed_seconds is None:
        return (job.finished_at - job.created_at) // 1 if job.finished_at is not None else None
    return None if job.run_seconds is None else job.run_seconds // 1
