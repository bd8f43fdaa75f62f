"""A report for bug reports: checks, versions, settings and the end of the log, without secrets."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from eternal_tui.cli.commands.doctor import Check
from eternal_tui.cli.context import Context
from eternal_tui.core.sanitize import SafeText, sanitize

if TYPE_CHECKING:
    from eternal_tui.cli.commands.doctor import Check
    from eternal_tui.core.logging import Redactor
    from eternal_tui.core.secret import Secret

MAX_LOG_LINES = 40
_MAX_LOG_BYTES = 64 * 1024
_PACKAGES = ("textual", "httpx", "tinydb", "msgspec", "pillow", "av", "keyring", "starlette", "uvicorn")
_SAFE_LOG_FIELDS = [
    "at",
    "level",
    "logger",
    "event",
    "version",
    "service",
    "job",
    "was",
    "state",
    "file",
    "cause",
    "signal",
]
"""Log fields that contain only the program's own words and numbers."""

_HIDDEN_SETTINGS = frozenset({"api_key_command", "data_dir"})
"""Settings whose values are left out: a command line may contain a secret, a path a name."""


def build_report(checks: list[Check], advice: list[SafeText], context: Context) -> list[SafeText]:
    """Return the report, without key, signed URLs, prompts, user name and folder names."""
    from eternal_tui.config import SettingsError
    from eternal_tui.core.logging import Redactor

    redactor = Redactor()
    for secret in _known_secrets(context):
        redactor.add_secret(secret)
    lines = [f"{'ok' if one.ok else '!!'}  {one.name:<13}  {one.detail}" for one in checks]
    lines += ["", *(f"{name} {_package_version(name)}" for name in _PACKAGES)]
    try:
        lines += ["", *_setting_lines(context), "", *_log_tail(context.settings.data_dir / "logs")]
    except SettingsError:
        lines += ["", "The settings cannot be read."]
    lines += ["", *advice]
    names = _NameRedactor(context)
    return [_redact_line(line, redactor, names) for line in lines]


class _NameRedactor:
    """Replaces the user's folders and names by placeholders."""

    def __init__(self, context: Context) -> None:
        places = dict(_private_dirs(context))
        # Longest first: a folder inside another has its own placeholder.
        paths = sorted(places, key=len, reverse=True)
        self._dir_patterns = [(re.compile(rf"{re.escape(path)}(?![\w.-])"), places[path]) for path in paths]
        users = sorted(_user_names(context.environ), key=len, reverse=True)
        self._user_patterns = [re.compile(rf"(?<![^\W_]){re.escape(user)}(?![^\W_])", re.IGNORECASE) for user in users]

    def redact(self, text: str) -> str:
        """Return the text with placeholders."""
        for path, sign in self._dir_patterns:
            text = path.sub(sign, text)
        for user in self._user_patterns:
            text = user.sub("[user]", text)
        return text


def _private_dirs(context: Context) -> Iterator[tuple[str, str]]:
    """Yield each of the user's folders, also with links resolved, and its placeholder."""
    from eternal_tui.config import SettingsError

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
    names = {environ.get(name, "") for name in ("USER", "LOGNAME", "USERNAME", "SUDO_USER")}
    try:
        import pwd

        known = pwd.getpwuid(os.geteuid())
        names |= {known.pw_name, known.pw_gecos.partition(",")[0]}
    except (ImportError, KeyError, AttributeError):
        pass
    names.add(Path(environ.get("HOME", "")).name)
    # A single letter would match everywhere.
    return {name for name in names if len(name) > 1}


def _redact_line(line: str, redactor: Redactor, name_redactor: _NameRedactor) -> SafeText:
    return sanitize(name_redactor.redact(redactor.redact(line)))


def _known_secrets(context: Context) -> list[Secret]:
    from eternal_tui.config.credentials import ApiKeyError, find_key, keys_from_environ

    found = keys_from_environ(context.environ)
    try:
        key = find_key(context.settings, context.environ)
    except (ApiKeyError, ValueError):
        key = None
    return [*found, key.key] if key is not None else found


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
        with (log_dir / LOG_FILE_NAME).open("rb") as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - _MAX_LOG_BYTES))
            lines = file.read().decode("utf-8", "replace").splitlines()[-MAX_LOG_LINES:]
    except OSError:
        return ["No log."]
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
