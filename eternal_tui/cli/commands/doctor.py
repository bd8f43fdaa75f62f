"""`doctor`: check everything the program needs, and say how to fix it."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from eternal_tui.cli.context import Context, UsageError, new_file
from eternal_tui.cli.exit_codes import ExitCode
from eternal_tui.cli.output import is_terminal
from eternal_tui.core.sanitize import SafeText, format_safe, join_safe, sanitize

if TYPE_CHECKING:
    from eternal_tui.cli.commands.doctor import Check


EPILOG = """\
examples:
  eternal-tui doctor
  eternal-tui doctor --json
  eternal-tui doctor --report                      for bug reports
  eternal-tui doctor --report report.txt           the same, to a new private file

exit codes: 0 all ok, 2 configuration or data folder unusable, 3 no key or key rejected, 4 service unreachable.
Free; never prints the key.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `doctor`."""
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument(
        "--report",
        metavar="PATH",
        nargs="?",
        const="-",
        help="full redacted report for bug reports; PATH writes it to a file",
    )


def run(context: Context) -> int:
    """Print the checks and return the most severe code."""
    from eternal_tui.cli.commands.doctor import run_checks
    from eternal_tui.cli.doctor_report import build_report

    path = context.arguments.report
    if path is not None and (context.arguments.json or not path.strip()):
        raise UsageError("--report takes a file name, and not --json.")
    checks = run_checks(context)
    code = _exit_code(checks)
    if context.arguments.json:
        context.output.print_json({"exit_code": code, "findings": [_check_to_json(check) for check in checks]})
        return code
    lines = [*(_check_line(one) for one in checks), *_test_card_lines(context), SafeText(""), *_advice_lines(checks)]
    if path is not None:
        report = build_report(checks, _advice_lines(checks), context)
        if path != "-":
            with new_file(Path(path)) as file:
                file.writelines(f"{line}\n" for line in report)
            lines.append(format_safe("{path} written (contains no key, URL or prompt).", path=path))
        else:
            lines = report
    for line in lines:
        context.output.print_line(line)
    return code


def _exit_code(checks: list[Check]) -> int:
    met = {check.exit_code for check in checks}
    return next(
        (code for code in (ExitCode.USAGE, ExitCode.KEY_ERROR, ExitCode.UNREACHABLE) if code in met), ExitCode.SUCCESS
    )


def _check_to_json(check: Check) -> dict[str, object]:
    return {"name": check.name, "ok": check.ok, "detail": check.detail, "advice": check.advice or None}


def _check_line(check: Check) -> SafeText:
    word = "ok" if check.ok else "!!" if check.exit_code else "--"
    return format_safe("{word}  {name}  {detail}", word=f"{word:<2}", name=f"{check.name:<13}", detail=check.detail)


def _test_card_lines(context: Context) -> list[SafeText]:
    """Return a line for each set of block symbols, for a person at a terminal to see which it draws right."""
    if not is_terminal(context.output.stdout):
        return []
    from eternal_tui.tui.graphics.symbol_support import SYMBOL_TEST_CARD

    card = [join_safe("    ", SafeText(""), line) for line in SYMBOL_TEST_CARD]
    return [*card, SafeText("    Use the last that is a staircase without gaps: --images symbols:NAME")]


def _advice_lines(checks: list[Check]) -> list[SafeText]:
    wanted = [check.advice for check in checks if check.advice]
    if not wanted:
        return [sanitize("No problems found.")]
    return [sanitize("To fix:"), *(sanitize(f"  {number}. {advice}") for number, advice in enumerate(wanted, 1))]
