"""Exit codes, the errors that carry them, and the sentence for every expected error."""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum
from typing import TYPE_CHECKING

from eternal_tui.cli.output import OutputError
from eternal_tui.core.sanitize import SafeText, format_safe, join_safe, sanitize
from eternal_tui.jobs.model import Job, JobState

if TYPE_CHECKING:
    from eternal_tui.cli.context import Context


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


class CommandError(Exception):
    """A command fails: its exit code, and the sentence for stderr, which is sanitized where it is printed."""

    def __init__(self, exit_code: int, message: str) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class UsageError(CommandError):
    """Invalid arguments or input."""

    def __init__(self, message: str) -> None:
        super().__init__(ExitCode.USAGE, message)


_PAID_COMMANDS = frozenset({"generate", "retry", "again", "create-character"})
_UNSENT_CODES = frozenset({ExitCode.USAGE, ExitCode.KEY_ERROR, ExitCode.UNREACHABLE})


def describe_error(error: Exception, context: Context) -> tuple[int, SafeText] | None:
    """Return exit code and sentence, or None for an internal error."""
    found = _describe(error, context)
    if found is None or context.arguments.command not in _PAID_COMMANDS:
        return found
    code, sentence = found
    if isinstance(error, OutputError):
        return code, join_safe(" ", sentence, SafeText("What was sent is in the history; see `eternal-tui jobs`."))
    if code in _UNSENT_CODES and "othing was sent" not in sentence:
        return code, join_safe(" ", sentence, SafeText("Nothing was sent."))
    return found


def _describe(error: Exception, context: Context) -> tuple[int, SafeText] | None:
    if isinstance(error, CommandError):
        return error.exit_code, sanitize(str(error))
    if isinstance(error, OutputError):
        return ExitCode.FAILED, format_safe("Cannot write the output: {why}.", why=error)
    # Imported only after an error.
    from eternal_tui.api.models import InvalidRequest
    from eternal_tui.config.credentials import ApiKeyError
    from eternal_tui.config.settings import SettingsError
    from eternal_tui.drafts.editor import EditorNotFound
    from eternal_tui.history.errors import HistoryError
    from eternal_tui.jobs.errors import InvalidJobState, JobNotFound, NoApiKey, SubmitRejected
    from eternal_tui.jobs.filter import FilterError
    from eternal_tui.media.errors import LinkRejected, ResultError
    from eternal_tui.sandbox.launch import DemoStartError

    text = sanitize(str(error))
    match error:
        case ApiKeyError() | NoApiKey():
            return ExitCode.KEY_ERROR, text
        case HistoryError():
            folder = context.settings.data_dir
            return ExitCode.USAGE, format_safe("{error} The data folder is {folder}.", error=error, folder=folder)
        case SettingsError() | EditorNotFound() | InvalidRequest() | SubmitRejected():
            return ExitCode.USAGE, text
        case FilterError() | JobNotFound() | InvalidJobState():
            return ExitCode.USAGE, text
        case ResultError():
            # Only `fetch --url` raises it: an address that is never followed is invalid input.
            return ExitCode.USAGE if type(error) is LinkRejected else ExitCode.FAILED, text
        case DemoStartError():
            return ExitCode.UNREACHABLE, text
    return None
