"""`doctor`: look at everything the program needs, and end in what to do."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from eternal_tui.cli.context import Invocation
from eternal_tui.cli.exit_codes import Exit
from eternal_tui.core.sanitize import Shown, say, shown

if TYPE_CHECKING:
    from eternal_tui.cli.findings import Finding


EPILOG = """\
examples:
  eternal-tui doctor
  eternal-tui doctor --json
  eternal-tui doctor --report                      fit to be pasted into an issue
  eternal-tui doctor --report report.txt           the same as a new private file

exit codes: 0 all is well, 2 configuration or data folder cannot be used, 3 no key or a refused one, 4 service away.
Nothing it does costs anything, and it never prints the key.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `doctor`."""
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument(
        "--report",
        metavar="PATH",
        nargs="?",
        const="-",
        help="add versions, settings and the log's end, all redacted; to a new file where one is named",
    )


def run(invocation: Invocation) -> int:
    """Print the findings and return the code of the gravest."""
    from eternal_tui.cli.doctor_checks import examine
    from eternal_tui.cli.doctor_report import report_lines, write_report

    findings = examine(invocation)
    code = _code(findings)
    if invocation.arguments.json:
        invocation.streams.json({"exit_code": code, "findings": [_fields(finding) for finding in findings]})
        return code
    told = [*(_line(one) for one in findings), Shown(""), *_advice(findings)]
    if (path := invocation.arguments.report) is not None:
        report = report_lines(findings, _advice(findings), invocation)
        if path != "-":
            write_report(Path(path), report)
            told.append(say("The report is in {path}; it holds no key, no link and no prompt.", path=path))
        else:
            told = report
    for line in told:
        invocation.streams.line(line)
    return code


def _code(findings: list[Finding]) -> int:
    met = {finding.code for finding in findings}
    return next((code for code in (Exit.USAGE, Exit.KEY, Exit.UNREACHABLE) if code in met), Exit.DONE)


def _fields(finding: Finding) -> dict[str, object]:
    return {"name": finding.name, "ok": finding.ok, "detail": finding.detail, "advice": finding.advice or None}


def _line(finding: Finding) -> Shown:
    word = "ok" if finding.ok else "!!" if finding.code else "--"
    return say("{word}  {name}  {detail}", word=f"{word:<2}", name=f"{finding.name:<13}", detail=finding.detail)


def _advice(findings: list[Finding]) -> list[Shown]:
    wanted = [finding.advice for finding in findings if finding.advice]
    if not wanted:
        return [shown("All is well. `eternal-tui` opens the app.")]
    return [shown("What to do:"), *(shown(f"  {number}. {advice}") for number, advice in enumerate(wanted, 1))]
