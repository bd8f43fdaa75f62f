"""Looking at terminal, pictures, configuration, data folder, key and service: nothing is changed, nothing paid."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from eternal_tui.cli.context import Invocation
from eternal_tui.cli.exit_codes import Exit
from eternal_tui.cli.findings import Finding
from eternal_tui.cli.output import is_terminal
from eternal_tui.core.files import open_to_others

if TYPE_CHECKING:
    from eternal_tui.config import Settings
    from eternal_tui.config.credentials import FoundKey

SMALLEST = (60, 20)
"""Columns and rows below which the app says that it needs more room."""

LITTLE_SPACE = 500 * 1024 * 1024
"""Bytes of free space below which clips may soon not fit."""

SERVICE_SECONDS = 10.0
"""How long the service may take to answer."""


def examine(invocation: Invocation) -> list[Finding]:
    """Return everything there is to know, in the order in which it is best mended."""
    from eternal_tui.config import SettingsError

    findings = [versions(), terminal(invocation)]
    try:
        settings = invocation.settings
    except SettingsError as error:
        return [*findings, _bad("configuration", str(error), "Mend the configuration as said above.", Exit.USAGE)]
    findings += [_configuration(settings), _pictures(invocation, settings), *_folder(invocation, settings)]
    key, found = _key(settings, invocation.environ)
    return [*findings, key, *asyncio.run(_service(invocation, settings, found))]


def versions() -> Finding:
    """Return what runs here."""
    import platform

    from eternal_tui import __version__

    detail = f"eternal-tui {__version__}, Python {platform.python_version()}, {platform.system()} {platform.machine()}"
    return Finding(name="versions", detail=detail)


def terminal(invocation: Invocation) -> Finding:
    """Return what the terminal is, by its size and by what the environment says."""
    environ, stdout = invocation.environ, invocation.streams.stdout
    encoding = (getattr(stdout, "encoding", None) or "unknown").upper()
    size = shutil.get_terminal_size()
    words = [f"{size.columns}×{size.lines}" if is_terminal(stdout) else "output is no terminal"]
    words += [environ.get("TERM", "") or "TERM is not set", _colours(environ), encoding]
    words += [word for word, variable in (("tmux", "TMUX"), ("screen", "STY"), ("over SSH", "SSH_CONNECTION"))
              if environ.get(variable)]  # fmt: skip
    advice = ""
    if is_terminal(stdout):
        if (size.columns, size.lines) < SMALLEST or size.lines < SMALLEST[1]:
            advice = f"Make the terminal at least {SMALLEST[0]}×{SMALLEST[1]}."
        elif environ.get("TERM", "dumb") == "dumb":
            advice = "This terminal cannot show the app; the verbs work. Another terminal, or TERM, may help."
        elif "UTF" not in encoding:
            advice = "Set a UTF-8 locale, such as LANG=C.UTF-8: without it, pictures and lines are drawn in ASCII."
    return Finding(name="terminal", detail=", ".join(words), ok=not advice, advice=advice)


def _colours(environ: Mapping[str, str]) -> str:
    if environ.get("NO_COLOR"):
        return "no colours (NO_COLOR)"
    if environ.get("COLORTERM", "") in ("truecolor", "24bit"):
        return "16 million colours"
    return "256 colours" if "256color" in environ.get("TERM", "") else "16 colours"


def _pictures(invocation: Invocation, settings: Settings) -> Finding:
    try:
        from eternal_tui.tui.graphics.probe import TerminalFacts, probe
        from eternal_tui.tui.graphics.select import choose
    except ImportError as error:
        return Finding(name="pictures", detail=f"cannot be told: {error}", ok=False)
    facts = TerminalFacts(why="output is no terminal")
    if invocation.streams.stdout is sys.stdout and invocation.streams.stdin is sys.stdin:
        facts = probe(environ=invocation.environ)
    return Finding(name="pictures", detail=choose(settings.images, facts, invocation.environ).why)


def _configuration(settings: Settings) -> Finding:
    path = settings.config_path
    detail = f"{path}" if path.exists() else f"{path} (not there; defaults hold)"
    if not settings.official:
        detail += f"; the service is {settings.base_url}, not EternalAI's own"
    return Finding(name="configuration", detail=detail)


def _folder(invocation: Invocation, settings: Settings) -> list[Finding]:
    from eternal_tui.history.errors import HistoryError
    from eternal_tui.history.history import History
    from eternal_tui.jobs.formatting import counted

    if invocation.throw_away:
        return [Finding(name="data folder", detail="a temporary one, as --demo without --data-dir has")]
    folder = settings.data_dir
    try:
        history = History.open(folder)
        try:
            notices = list(history.notices)
            count = history.count()
        finally:
            history.close(fold=False)
        free = shutil.disk_usage(folder).free
        writable = os.access(folder, os.W_OK | os.X_OK)
    except (HistoryError, OSError) as error:
        return [_bad("data folder", f"{folder}: {error}", "Make the data folder usable, or name another.", Exit.USAGE)]
    if not writable:
        return [_bad("data folder", f"{folder} may not be written", f"chmod u+rwx {folder}", Exit.USAGE)]
    advice = "Free some space: clips may soon not fit." if free < LITTLE_SPACE else ""
    if open_to_others(folder):
        advice = f"Others on this machine can look into the data folder. Run: chmod 700 {folder}"
    detail = f"{folder}, writable, {_size(free)} free, locks work"
    size = sum(_bytes_of(folder / name) for name in ("history.json", "history.journal"))
    found = [
        Finding(name="data folder", detail=detail, ok=not advice, advice=advice),
        Finding(name="history", detail=f"{counted(count, 'job')}, {_size(size)}"),
    ]
    return found + [Finding(name="history", detail=notice, ok=False) for notice in notices]


def _key(settings: Settings, environ: Mapping[str, str]) -> tuple[Finding, FoundKey | None]:
    from eternal_tui.config.credentials import KeyProblem, find_key

    advice = "Run `eternal-tui login`, or set ETERNALAI_API_KEY. `eternal-tui --demo` needs no key."
    try:
        found = find_key(settings, environ)
    except KeyProblem as problem:
        return _bad("key", str(problem), "Mend what is said about the key, or set ETERNALAI_API_KEY.", Exit.KEY), None
    if found is None:
        return _bad("key", "none was found", advice, Exit.KEY), None
    return Finding(name="key", detail=f"found: {found.source}"), found


async def _service(invocation: Invocation, settings: Settings, found: FoundKey | None) -> list[Finding]:
    from eternal_tui.api.client import EternalClient
    from eternal_tui.api.errors import ApiError, KeyRefused

    demo = await asyncio.to_thread(invocation.launch_demo) if invocation.demo else None
    base_url = demo.api_url if demo is not None else settings.base_url
    client = EternalClient(base_url, found.key if found else None, header=settings.key_header)
    try:
        async with asyncio.timeout(SERVICE_SECONDS):
            await client.characters(1, 1)
            begin = time.monotonic()
            await client.characters(1, 1)
            took = time.monotonic() - begin
            answered = Finding(name="service", detail=f"{base_url} answers in {took * 1000:.0f} ms")
            if found is None or demo is not None:
                return [answered]
            try:
                # Free: asks about a job that cannot exist, which tells whether the key opens the door.
                await client.poll("00000000-0000-0000-0000-000000000000")
            except KeyRefused as error:
                return [answered, _bad("key", f"{error} {error.said}", "Check the key at EternalAI.", Exit.KEY)]
            except ApiError:
                return [answered]
            return [answered]
    except (ApiError, TimeoutError) as error:
        detail = str(error) or f"{base_url} did not answer within {SERVICE_SECONDS:.0f} s"
        return [_bad("service", detail, "Check the connection, the base URL and the proxy.", Exit.UNREACHABLE)]
    finally:
        await client.close()
        if demo is not None:
            await asyncio.to_thread(demo.close)


def _bad(name: str, detail: str, advice: str, code: Exit) -> Finding:
    return Finding(name=name, detail=detail, ok=False, advice=advice, code=code)


def _bytes_of(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _size(count: float) -> str:
    for unit in ("B", "KB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"
