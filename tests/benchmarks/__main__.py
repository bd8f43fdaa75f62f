"""``python -m tests.benchmarks [--peers] [--json FILE] [--quick]``: every figure of this program in one table.

Figures hold for one machine and one hour; ratios within a run last longer. With ``--peers`` posting and harlequin are
installed into ``~/.cache/eternal-tui-benchmarks`` and started in turns with the app. Nothing else needs a network.
"""

from __future__ import annotations

import argparse
import compileall
import json
import platform
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Mapping
from pathlib import Path

from tests.benchmarks import app_figures
from tests.benchmarks.row import Row
from tests.terminal.pseudo_terminal import ROOT

PEERS = {
    # Its Textual crashes in tree-sitter 0.26, which it does not rule out.
    "posting": (("posting", "tree-sitter<0.26"), "Collection"),
    "harlequin": (("harlequin",), "Query Editor"),
}
"""What is installed for a command, and words of its first full frame."""

OTHERS = (("bench_history",), ("bench_pictures",), ("cadence_simulation", "--jobs", "2000"))
"""Tables of their own, with what keeps them within a minute or two."""


def install_peers() -> dict[str, tuple[tuple[str, ...], str]]:
    """Install the peers where they are missing and return how each is started and what it then shows."""
    cache = Path.home() / ".cache" / "eternal-tui-benchmarks"
    found: dict[str, tuple[tuple[str, ...], str]] = {}
    for name, (distributions, text) in PEERS.items():
        program = cache / name / "bin" / name
        if not program.exists():
            venv.create(cache / name, with_pip=True)
            command = [str(cache / name / "bin" / "pip"), "install", "--quiet", *distributions]
            if subprocess.run(command, check=False).returncode:
                print(f"{name} could not be installed and is left out.", file=sys.stderr)
                continue
        found[name] = ((str(program),), text)
    return found


def table(rows: list[Row]) -> str:
    lines = ["| what | goal | measured |", "|---|---|---|"]
    for each in rows:
        figures: Mapping[str, object] = {name: value for name, value in each.items() if name not in ("what", "goal")}
        measured = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in figures.items())
        lines.append(f"| {each['what']} | {each['goal']} | {measured} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--peers", action="store_true", help="install posting and harlequin and start them too")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    parser.add_argument("--quick", action="store_true", help="leave out history, pictures and cadence")
    options = parser.parse_args()
    # A first start compiles; measured is what every other start costs.
    compileall.compile_dir(ROOT / "eternal_tui", quiet=2)
    peers = install_peers() if options.peers else {}
    machine = f"{platform.platform()}, Python {platform.python_version()}, {time.strftime('%Y-%m-%d')}"
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="eternal-tui-benchmarks-") as folder:
        for row in app_figures.figures(Path(folder), peers):
            rows.append(row)
            print(table([row]).splitlines()[-1], flush=True)
    print(f"\n{machine}\n\n{table(rows)}")
    more = {}
    for name, *arguments in () if options.quick else OTHERS:
        command = [sys.executable, "-m", f"tests.benchmarks.{name}", *arguments]
        more[name] = subprocess.run(command, check=True, cwd=ROOT, stdout=subprocess.PIPE, text=True).stdout
        print(f"\n{name}\n{more[name]}", flush=True)
    if options.json is not None:
        kept = {name: printed.splitlines() for name, printed in more.items()}
        options.json.write_text(json.dumps({"machine": machine, "rows": rows, **kept}, indent=2))


if __name__ == "__main__":
    main()
