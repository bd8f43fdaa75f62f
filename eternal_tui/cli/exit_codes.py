"""Exit codes, and which of several wins."""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum

from eternal_tui.jobs.model import Job, JobState


class ExitCode(IntEnum):
    """Exit codes; scripts depend on these numbers."""

    SUCCESS = 0
    FAILED = 1
    USAGE = 2
    KEY_ERROR = 3
    UNREACHABLE = 4
    UNCONFIRMED = 5
    TIMEOUT = 6
    """`--timeout` passed; the jobs keep running."""

    INTERNAL_ERROR = 70
    """EX_SOFTWARE of sysexits.h."""


_WORST_FIRST = (ExitCode.UNCONFIRMED, ExitCode.KEY_ERROR, ExitCode.UNREACHABLE, ExitCode.TIMEOUT, ExitCode.FAILED)
_CODE_BY_REJECTION_CAUSE = {"key": ExitCode.KEY_ERROR, "unreachable": ExitCode.UNREACHABLE}


def exit_code_of(job: Job) -> ExitCode:
    """Return the exit code of one job; 0 for a job still under way."""
    match job.state:
        case JobState.UNCONFIRMED:
            return ExitCode.UNCONFIRMED
        case JobState.REJECTED:
            return _CODE_BY_REJECTION_CAUSE.get(job.cause, ExitCode.FAILED)
        case JobState.FAILED | JobState.LOST:
            return ExitCode.FAILED
        case JobState.SUCCEEDED:
            return ExitCode.SUCCESS if job.is_delivered else ExitCode.FAILED
        case JobState.QUEUED | JobState.SUBMITTING | JobState.RUNNING | JobState.STALLED:
            return ExitCode.SUCCESS


def worst_exit_code(codes: Iterable[ExitCode]) -> ExitCode:
    """Return the most severe code: 5, 3, 4, 6, 1."""
    met = set(codes)
    return next((code for code in _WORST_FIRST if code in met), ExitCode.SUCCESS)
