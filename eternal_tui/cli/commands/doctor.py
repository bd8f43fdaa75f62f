"""`doctor`: check terminal, images, configuration, data folder, key and API, and the report for bug reports. Free."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import re
import shutil
import sys
import time
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from eternal_tui.cli.context import Command, Context, new_file, open_client
from eternal_tui.cli.errors import ExitCode, UsageError
from eternal_tui.cli.output import is_terminal
from eternal_tui.cli.parser import add_flag, add_option
from eternal_tui.core.files import is_accessible_to_others
from eternal_tui.core.formatting import format_bytes
from eternal_tui.core.sanitize import SafeText, format_safe, join_safe, sanitize

if TYPE_CHECKING:
    from eternal_tui.config.credentials import FoundKey
    from eternal_tui.config.settings import Settings


EPILOG = """\
examples:
  eternal-tui doctor
  eternal-tui doctor --json
  eternal-tui doctor --report                      for bug reports
  eternal-tui doctor --report report.txt           the same, to a new private file

exit codes: 0 all ok, 2 configuration or data folder unusable, 3 no key or key rejected, 4 service unreachable.
Free; never prints the key.
"""


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    add_flag(parser, "--json", "print one JSON object")
    add_option(
        parser, "--report PATH", "full redacted report for bug reports; PATH writes it to a file", nargs="?", const="-"
    )


def _run(context: Context) -> int:
    """Print the checks and return the most severe code."""
    path = context.arguments.report
    if path is not None and (context.arguments.json or not path.strip()):
        raise UsageError("--report takes a file name, and not --json.")
    checks = _run_checks(context)
    code = min((check.exit_code for check in checks if check.exit_code), default=ExitCode.SUCCESS)
    if context.arguments.json:
        context.output.print_json({"exit_code": code, "findings": [_check_to_json(check) for check in checks]})
        return code
    advice = _advice_lines(checks)
    if path == "-":
        lines = _build_report(checks, advice, context)
    else:
        lines = [*(_check_line(one) for one in checks), *_test_card_lines(context), SafeText(""), *advice]
        if path is not None:
            with new_file(Path(path)) as file:
                file.writelines(f"{line}\n" for line in _build_report(checks, advice, context))
            lines.append(format_safe("{path} written (contains no key, URL or prompt).", path=path))
    for line in lines:
        context.output.print_line(line)
    return code


def _check_to_json(check: Check) -> dict[str, object]:
    return {"name": check.name, "ok": check.ok, "detail": check.detail, "advice": check.advice or None}


def _check_line(check: Check) -> SafeText:
    word = "ok" if check.ok else "!!" if check.exit_code else "--"
    return format_safe("{word}  {name}  {detail}", word=f"{word:<2}", name=f"{check.name:<13}", detail=check.detail)


def _test_card_lines(context: Context) -> list[SafeText]:
    """Return a line for each set of block symbols; the user sees which the terminal draws right."""
    if not is_terminal(context.output.stdout):
        return []
    from eternal_tui.tui.graphics.select import SYMBOL_TEST_CARD

    card = [join_safe("    ", SafeText(""), line) for line in SYMBOL_TEST_CARD]
    return [*card, SafeText("    Use the last that is a staircase without gaps: --images symbols:NAME")]


def _advice_lines(checks: list[Check]) -> list[SafeText]:
    wanted = [check.advice for check in checks if check.advice]
    if not wanted:
        return [sanitize("No problems found.")]
    return [sanitize("To fix:"), *(sanitize(f"  {number}. {advice}") for number, advice in enumerate(wanted, 1))]


MIN_TERMINAL_SIZE = (60, 20)
"""Columns and rows below which the app shows only a message."""

LOW_DISK_SPACE_BYTES = 500 * 1024 * 1024
"""Bytes of free space below which clips may soon not fit."""

STORAGE_HOST = "cdn.eternalai.org"
"""Host of the results in the service's own examples."""

API_TIMEOUT_SECONDS = 10.0
"""Seconds to wait for the service."""


class Check(msgspec.Struct, frozen=True):
    """One check: what was found, how to fix it, and the exit code it calls for.

    Texts may be untrusted; they are sanitized where they are printed.
    """

    name: str
    detail: str
    advice: str = ""
    exit_code: ExitCode = ExitCode.SUCCESS
    is_notice: bool = False
    """A problem without advice."""

    @property
    def ok(self) -> bool:
        """Whether there is nothing to fix."""
        return not (self.advice or self.exit_code or self.is_notice)


def _run_checks(context: Context) -> list[Check]:
    """Run all checks, in the order in which problems are best fixed."""
    from eternal_tui.config.settings import SettingsError

    findings = [_check_versions(), _check_terminal(context)]
    try:
        settings = context.settings
    except SettingsError as error:
        advice = "Fix the configuration errors above."
        return [*findings, Check("configuration", str(error), advice, ExitCode.USAGE)]
    findings += [_check_config(settings), _check_graphics(context, settings), *_check_data_dir(context, settings)]
    key, found = _check_key(settings, context.environ)
    return [*findings, key, _check_routes(context, settings), *asyncio.run(_check_api(context, found))]


def _check_versions() -> Check:
    """Describe program, interpreter and system."""
    import platform

    from eternal_tui import __version__

    detail = f"eternal-tui {__version__}, Python {platform.python_version()}, {platform.system()} {platform.machine()}"
    return Check("versions", detail)


def _check_terminal(context: Context) -> Check:
    """Describe the terminal by its size and the environment."""
    environ, stdout = context.environ, context.output.stdout
    encoding = (getattr(stdout, "encoding", None) or "unknown").upper()
    size = shutil.get_terminal_size()
    words = [f"{size.columns}×{size.lines}" if is_terminal(stdout) else "stdout is not a terminal"]
    words += [environ.get("TERM", "") or "TERM is not set", _colour_support(environ), encoding]
    words += [word for word, variable in (("tmux", "TMUX"), ("screen", "STY"), ("over SSH", "SSH_CONNECTION"))
              if environ.get(variable)]  # fmt: skip
    advice = ""
    if is_terminal(stdout):
        if (size.columns, size.lines) < MIN_TERMINAL_SIZE or size.lines < MIN_TERMINAL_SIZE[1]:
            advice = f"Make the terminal at least {MIN_TERMINAL_SIZE[0]}×{MIN_TERMINAL_SIZE[1]}."
        elif environ.get("TERM", "dumb") == "dumb":
            advice = "TERM=dumb cannot show the app. Set TERM; commands work."
        elif "UTF" not in encoding:
            advice = "Set a UTF-8 locale, such as LANG=C.UTF-8; images and lines are drawn in ASCII without it."
    return Check("terminal", ", ".join(words), advice)


def _colour_support(environ: Mapping[str, str]) -> str:
    if environ.get("NO_COLOR"):
        return "no colours (NO_COLOR)"
    if environ.get("COLORTERM", "") in ("truecolor", "24bit"):
        return "16 million colours"
    return "256 colours" if "256color" in environ.get("TERM", "") else "16 colours"


def _check_graphics(context: Context, settings: Settings) -> Check:
    from eternal_tui.tui.graphics.probe import TerminalInfo, probing
    from eternal_tui.tui.graphics.select import select_backend

    facts = TerminalInfo(why="stdout is not a terminal")
    if context.output.stdout is sys.stdout and context.output.stdin is sys.stdin:
        with probing(environ=context.environ) as read_info:
            facts = read_info()
    return Check("images", select_backend(settings.images, facts, context.environ).reason)


def _check_config(settings: Settings) -> Check:
    path = settings.config_path
    detail = f"{path}" if path.exists() else f"{path} (not found, using defaults)"
    if not settings.is_official:
        detail += f"; base_url is {settings.base_url}, not EternalAI"
    return Check("configuration", detail)


def _check_data_dir(context: Context, settings: Settings) -> list[Check]:
    from eternal_tui.history.errors import HistoryError
    from eternal_tui.history.history import History
    from eternal_tui.jobs.formatting import pluralize

    if context.is_ephemeral:
        return [Check("data folder", "temporary (--demo without --data-dir)")]
    folder = settings.data_dir
    try:
        history = History.open(folder)
        try:
            notices = list(history.notices)
            count = history.count()
        finally:
            history.close(compact=False)
        free = shutil.disk_usage(folder).free
        writable = os.access(folder, os.W_OK | os.X_OK)
    except (HistoryError, OSError) as error:
        remedy = "Fix the folder, or name another with --data-dir."
        return [Check("data folder", f"{folder}: {error}", remedy, ExitCode.USAGE)]
    if not writable:
        return [Check("data folder", f"{folder} is not writable", f"chmod u+rwx {folder}", ExitCode.USAGE)]
    advice = ["Free some disk space."] if free < LOW_DISK_SPACE_BYTES else []
    if is_accessible_to_others(folder):
        advice.append(f"The data folder is readable by others. Run: chmod 700 {folder}")
    detail = f"{folder}, writable, {format_bytes(free)} free, locks work"
    files = (folder / "history.json", folder / "history.journal")
    size = sum(path.stat().st_size for path in files if path.exists())
    found = [
        Check("data folder", detail, " ".join(advice)),
        Check("history", f"{pluralize(count, 'job')}, {format_bytes(size)}"),
    ]
    return found + [Check("history", notice, is_notice=True) for notice in notices]


def _check_key(settings: Settings, environ: Mapping[str, str]) -> tuple[Check, FoundKey | None]:
    from eternal_tui.config.credentials import ApiKeyError, find_key, key_header_advice

    advice = "Run `eternal-tui login`, or set ETERNALAI_API_KEY. `eternal-tui --demo` needs no key."
    try:
        found = find_key(settings, environ)
    except ApiKeyError as problem:
        advice = "Fix the key problem above, or set ETERNALAI_API_KEY."
        return Check("key", str(problem), advice, ExitCode.KEY_ERROR), None
    if found is None:
        return Check("key", "not found", advice, ExitCode.KEY_ERROR), None
    wrong_header = key_header_advice(found.key, settings.key_header)
    return Check("key", f"found: {found.source}", wrong_header), found


def _check_routes(context: Context, settings: Settings) -> Check:
    """Return how the service and the storage of results are reached: directly, or through which proxy."""
    from eternal_tui.core.network import Network, NetworkSetupError

    network = Network(context.environ)
    urls = {settings.host: settings.base_url}
    if settings.is_remote:
        urls[STORAGE_HOST] = f"https://{STORAGE_HOST}"
    detail = "; ".join(f"{host}: {network.describe(url)}" for host, url in urls.items())
    try:
        network.check()
    except NetworkSetupError as error:
        return Check("network", detail, str(error), ExitCode.UNREACHABLE)
    return Check("network", detail)


async def _check_api(context: Context, found_key: FoundKey | None) -> list[Check]:
    from eternal_tui.api.errors import ApiError, KeyRejected

    key, base_url = found_key.key if found_key else None, ""
    try:
        async with open_client(context, key) as (client, base_url), asyncio.timeout(API_TIMEOUT_SECONDS):
            await client.get_character_page(1, 1)
            begin = time.monotonic()
            await client.get_character_page(1, 1)
            took = time.monotonic() - begin
            checks = [Check("service", f"{base_url} responds in {took * 1000:.0f} ms")]
            if key is not None and not context.arguments.demo:
                try:
                    # Free: polls a job that cannot exist, which shows whether the key is accepted.
                    await client.poll("00000000-0000-0000-0000-000000000000")
                except KeyRejected as error:
                    detail = f"{error} {error.service_message}"
                    checks.append(Check("key", detail, "Check the key at EternalAI.", ExitCode.KEY_ERROR))
                except ApiError:
                    pass  # any other response says nothing about the key
            return checks
    except (ApiError, TimeoutError) as error:
        detail = str(error) or f"{base_url} did not respond within {API_TIMEOUT_SECONDS:.0f} s"
        return [Check("service", detail, "Check connection, base_url and proxy.", ExitCode.UNREACHABLE)]


MAX_LOG_LINES = 40
_MAX_LOG_BYTES = 64 * 1024
_PACKAGES = ("textual", "httpx", "tinydb", "msgspec", "pillow", "av", "keyring", "starlette", "uvicorn")
_SAFE_LOG_FIELDS = (
    "at", "level", "logger", "event", "version", "service", "job", "was", "state", "file", "cause", "signal",
)  # fmt: skip
"""Log fields that contain only the program's own words and numbers."""

_HIDDEN_SETTINGS = frozenset({"api_key_command", "data_dir"})
"""Settings whose values are left out: a command line may contain a secret, a path a name."""


def _build_report(checks: list[Check], advice: list[SafeText], context: Context) -> list[SafeText]:
    """Return the report, without key, signed URLs, prompts, user name and folder names."""
    from eternal_tui.config.credentials import known_keys
    from eternal_tui.config.settings import SettingsError
    from eternal_tui.core.logging import Redactor

    # The checks have read the key, wherever it is.
    redactor = Redactor(known_keys(context.environ))
    lines = [f"{'ok' if one.ok else '!!'}  {one.name:<13}  {one.detail}" for one in checks]
    lines += ["", *(f"{name} {_package_version(name)}" for name in _PACKAGES)]
    try:
        lines += ["", *_setting_lines(context), "", *_log_tail(context.settings.data_dir / "logs")]
    except SettingsError:
        lines += ["", "The settings cannot be read."]
    patterns = _private_patterns(context)

    def redact(line: str) -> SafeText:
        line = redactor.redact(line)
        for pattern, sign in patterns:
            line = pattern.sub(sign, line)
        return sanitize(line)

    return [redact(line) for line in (*lines, "", *advice)]


def _private_patterns(context: Context) -> list[tuple[re.Pattern[str], str]]:
    """Return what matches the user's folders and names, and their placeholders."""
    places = dict(_private_dirs(context))
    # Longest first: a folder inside another has its own placeholder.
    paths, users = (sorted(names, key=len, reverse=True) for names in (places, _user_names(context.environ)))
    patterns = [(re.compile(rf"{re.escape(path)}(?![\w.-])"), places[path]) for path in paths]
    words = [re.compile(rf"(?<![^\W_]){re.escape(user)}(?![^\W_])", re.IGNORECASE) for user in users]
    return [*patterns, *((word, "[user]") for word in words)]


def _private_dirs(context: Context) -> Iterator[tuple[str, str]]:
    """Yield each of the user's folders, also with links resolved, and its placeholder."""
    from eternal_tui.config.settings import SettingsError

    environ = context.environ
    found = [(value, f"${name}") for name, value in environ.items() if name.startswith("XDG_")]
    found += [(value, f"${name}") for name in ("TMPDIR", "PWD") if (value := environ.get(name))]
    found.append((environ.get("HOME", ""), "~"))
    try:
        settings = context.settings
    except SettingsError:
        pass
    else:
        found += [(str(settings.config_path.parent), "[config folder]"), (str(settings.data_dir), "[data folder]")]
    for value, sign in found:
        folder = os.path.normpath(value) if value else ""
        if folder.startswith("/") and len(folder) > 1:
            ways = (value.rstrip("/"), folder, os.path.realpath(folder))
            yield from ((way, sign) for one in ways for way in (one, sanitize(one)))


def _user_names(environ: Mapping[str, str]) -> set[str]:
    """Return the user's names on this machine, from environment and password database."""
    import pwd

    names = {environ.get(name, "") for name in ("USER", "LOGNAME", "USERNAME", "SUDO_USER")}
    with contextlib.suppress(KeyError):
        known = pwd.getpwuid(os.geteuid())
        names |= {known.pw_name, known.pw_gecos.partition(",")[0]}
    names.add(Path(environ.get("HOME", "")).name)
    # A single letter would match everywhere.
    return {name for name in names if len(name) > 1}


def _package_version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _setting_lines(context: Context) -> Iterator[str]:
    settings = context.settings
    for name, source in sorted(settings.sources.items()):
        value = "set" if name in _HIDDEN_SETTINGS else getattr(settings, name)
        yield f"{name} = {value} (from {'a flag' if source.startswith('--') else 'file or environment'})"


def _log_tail(log_dir: Path) -> list[str]:
    from eternal_tui.core.logging import LOG_FILE_NAME

    try:
        tail = (log_dir / LOG_FILE_NAME).read_bytes()[-_MAX_LOG_BYTES:]
    except OSError:
        return ["No log."]
    lines = tail.decode("utf-8", "replace").splitlines()[-MAX_LOG_LINES:]
    return [safe for line in lines if (safe := _safe_log_line(line))]


def _safe_log_line(line: str) -> str:
    """Return the safe fields of a log line: the API's reasons may repeat the prompt."""
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        return ""
    if not isinstance(entry, dict):
        return ""
    return " ".join(
        f"{name}={entry[name]}" for name in _SAFE_LOG_FIELDS if isinstance(entry.get(name), str | int | float)
    )


COMMANDS = {"doctor": Command(EPILOG, _add_arguments, _run)}
