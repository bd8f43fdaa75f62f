"""One thing that was looked at."""

from __future__ import annotations

import msgspec

from eternal_tui.cli.exit_codes import ExitCode


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """What was looked at, how it is, and what to do about it.

    `exit_code` is the exit code it calls for; a finding may be worth advice and yet hinder nothing. Texts may hold
    outside words: they pass the gate where they are printed.
    """

    name: str
    detail: str
    ok: bool = True
    advice: str = ""
    exit_code: ExitCode = ExitCode.SUCCESS
