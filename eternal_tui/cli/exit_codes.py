"""Exit codes: what scripts are told, and which of several counts."""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum

from eternal_tui.jobs.model import Job, JobState


class Exit(IntEnum):
    """What a verb ended in. Scripts depend on these numbers."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    KEY = 3
    UNREACHABLE = 4
    UNCONFIRMED = 5
    DEFECT = 70
    """A defect of the program, as EX_SOFTWARE of sysexits.h."""


_GRAVEST_FIRST = (Exit.UNCONFIRMED, Exit.KEY, Exit.UNREACHABLE, Exit.FAILED)
_REJECTED = {"key": Exit.KEY, "unreachable": Exit.UNREACHABLE}


def code_of(job: Job) -> Exit:
    """Return the exit code one job stands for; a job still under way is no failure."""
    match job.state:
        case JobState.UNCONFIRMED:
            return Exit.UNCONFIRMED
        case JobState.REJECTED:
            return _REJECTED.get(job.cause, Exit.FAILED)
        case JobState.FAILED | JobState.LOST:
            return Exit.FAILED
        case JobState.SUCCEEDED:
            return Exit.DONE if job.delivered else Exit.FAILED
        case JobState.SUBMITTING | JobState.RUNNING | JobState.STALLED:
            return Exit.DONE


def gravest(codes: Iterable[Exit]) -> Exit:
    """Return the code that counts for several jobs: 5, then 3, then 4, then 1."""
    met = set(codes)
    return next((code for code in _GRAVEST_FIRST if code in met), Exit.DONE)
