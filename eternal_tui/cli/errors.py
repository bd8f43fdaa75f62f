"""Trouble that was foreseen: which exit code it calls for, and the sentence a person is told."""

from __future__ import annotations

from eternal_tui.cli.context import Invocation, Refused
from eternal_tui.cli.exit_codes import Exit
from eternal_tui.cli.output import OutputLost
from eternal_tui.core.sanitize import Shown, say, shown


def foreseen(error: Exception, invocation: Invocation) -> tuple[int, Shown] | None:
    """Return exit code and sentence, or None for what is a defect of the program."""
    if isinstance(error, Refused):
        return error.code, shown(str(error))
    if isinstance(error, OutputLost):
        return Exit.FAILED, say(
            "The output could not be written: {why}. What was sent stands in the history; `eternal-tui jobs` lists it.",
            why=error,
        )
    # Imported only when something went wrong: a verb that goes well needs few of them.
    from eternal_tui.api.models import InvalidRequest
    from eternal_tui.config import SettingsError
    from eternal_tui.config.credentials import KeyProblem
    from eternal_tui.history.errors import HistoryError
    from eternal_tui.jobs.errors import NoKey, NoSuchJob, NotPossible, SubmitRefused
    from eternal_tui.sandbox.launch import DemoStartError

    if isinstance(error, KeyProblem | NoKey):
        return Exit.KEY, shown(str(error))
    if isinstance(error, SettingsError | InvalidRequest | SubmitRefused | NoSuchJob | NotPossible):
        return Exit.USAGE, shown(str(error))
    if isinstance(error, HistoryError):
        folder = invocation.settings.data_dir
        unsent = " Nothing was sent." if invocation.arguments.verb == "generate" else ""
        return Exit.USAGE, say(
            "{error}{unsent} The data folder is {folder}.", error=error, unsent=unsent, folder=folder
        )
    if isinstance(error, DemoStartError):
        return Exit.UNREACHABLE, shown(str(error))
    return None
