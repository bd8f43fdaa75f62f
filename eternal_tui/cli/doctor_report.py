"""A report fit to be pasted into an issue: findings, versions, settings and the log's end, without secrets."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from eternal_tui.cli.context import Invocation, Refused
from eternal_tui.cli.exit_codes import Exit
from eternal_tui.cli.findings import Finding
from eternal_tui.core.files import create
from eternal_tui.core.sanitize import Shown, shown

if TYPE_CHECKING:
    from eternal_tui.core.logging import Redactor
    from eternal_tui.core.secret import Secret

LOG_LINES = 40
_LOG_BYTES = 64 * 1024
_PACKAGES = ("textual", "httpx", "tinydb", "msgspec", "pillow", "av", "keyring", "starlette", "uvicorn")
_LOGGED = ("at", "level", "logger", "event", "version", "service", "job", "was", "state", "file", "cause", "signal")
"""Facts of the log that are the program's own words and numbers."""

_UNTOLD = frozenset({"api_key_command", "data_dir"})
"""Settings of which only that they are set is told: a command line may hold a secret, a path a name."""


def write_report(path: Path, lines: list[Shown]) -> None:
    """Write the report as a new 0600 file; raise Refused where it cannot be made or something stands there."""
    try:
        with os.fdopen(create(path), "w", encoding="utf-8") as file:
            file.writelines(f"{line}\n" for line in lines)
    except FileExistsError:
        raise Refused(Exit.USAGE, f"{path} exists already and is not overwritten. Name another file.") from None
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise Refused(Exit.USAGE, f"{path} cannot be made: {why}.") from None


def report_lines(findings: list[Finding], advice: list[Shown], invocation: Invocation) -> list[Shown]:
    """Return the report; the key, signed links, prompts, and the names of person and folders are not in it."""
    from eternal_tui.config import SettingsError
    from eternal_tui.core.logging import Redactor

    redactor = Redactor()
    for secret in _secrets(invocation):
        redactor.hide(secret)
    lines = [f"{'ok' if one.ok else '!!'}  {one.name:<13}  {one.detail}" for one in findings]
    lines += ["", *(f"{name} {_version(name)}" for name in _PACKAGES)]
    try:
        lines += ["", *_settings(invocation), "", *_log(invocation.settings.data_dir / "logs")]
    except SettingsError:
        lines += ["", "The settings cannot be read."]
    lines += ["", *advice]
    names = _Names(invocation)
    return [_clean(line, redactor, names) for line in lines]


class _Names:
    """Signs in place of folders that are the person's own, and of the person's name."""

    def __init__(self, invocation: Invocation) -> None:
        places = dict(_places(invocation))
        # The longest first: a folder inside another is called by its own sign.
        paths = sorted(places, key=len, reverse=True)
        self._places = [(re.compile(rf"{re.escape(path)}(?![\w.-])"), places[path]) for path in paths]
        users = sorted(_users(invocation.environ), key=len, reverse=True)
        self._users = [re.compile(rf"(?<![^\W_]){re.escape(user)}(?![^\W_])", re.IGNORECASE) for user in users]

    def hidden(self, text: str) -> str:
        """Return the text with the signs."""
        for path, sign in self._places:
            text = path.sub(sign, text)
        for user in self._users:
            text = user.sub("[user]", text)
        return text


def _places(invocation: Invocation) -> Iterator[tuple[str, str]]:
    """Yield each folder of the person, and the same with links resolved, with its sign."""
    from eternal_tui.config import SettingsError

    environ = invocation.environ
    found = [(value, f"${name}") for name, value in environ.items() if name.startswith("XDG_")]
    found += [(value, f"${name}") for name in ("TMPDIR", "PWD") if (value := environ.get(name))]
    found.append((environ.get("HOME", ""), "~"))
    try:
        settings = invocation.settings
    except SettingsError:
        pass
    else:
        found += [(str(settings.config_path.parent), "[config folder]"), (str(settings.data_dir), "[data folder]")]
    for value, sign in found:
        folder = os.path.normpath(value) if value else ""
        if folder.startswith("/") and len(folder) > 1:
            ways = (value.rstrip("/"), folder, os.path.realpath(folder))
            yield from ((way, sign) for one in ways for way in (one, shown(one)))


def _users(environ: Mapping[str, str]) -> set[str]:
    """Return what the person is called on this machine, by every source there is."""
    names = {environ.get(name, "") for name in ("USER", "LOGNAME", "USERNAME", "SUDO_USER")}
    try:
        import pwd

        known = pwd.getpwuid(os.geteuid())
        names |= {known.pw_name, known.pw_gecos.partition(",")[0]}
    except (ImportError, KeyError, AttributeError):
        pass
    names.add(Path(environ.get("HOME", "")).name)
    # A single letter would be found in every second word.
    return {name for name in names if len(name) > 1}


def _clean(line: str, redactor: Redactor, names: _Names) -> Shown:
    return shown(names.hidden(redactor.clean(line)))


def _secrets(invocation: Invocation) -> list[Secret]:
    from eternal_tui.config.credentials import KeyProblem, find_key, keys_in

    found = keys_in(invocation.environ)
    try:
        key = find_key(invocation.settings, invocation.environ)
    except (KeyProblem, ValueError):
        key = None
    return [*found, key.key] if key is not None else found


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "is not installed"


def _settings(invocation: Invocation) -> Iterator[str]:
    settings = invocation.settings
    for name, source in sorted(settings.sources.items()):
        value = "set" if name in _UNTOLD else getattr(settings, name)
        yield f"{name} = {value} (from {'a flag' if source.startswith('--') else 'file or environment'})"


def _log(folder: Path) -> list[str]:
    from eternal_tui.core.logging import FILE_NAME

    try:
        with (folder / FILE_NAME).open("rb") as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - _LOG_BYTES))
            lines = file.read().decode("utf-8", "replace").splitlines()[-LOG_LINES:]
    except OSError:
        return ["There is no log."]
    return [told for line in lines if (told := _told(line))]


def _told(line: str) -> str:
    """Return of a line of the log what holds nobody's words: the service's reasons may repeat the prompt."""
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        return ""
    if not isinstance(entry, dict):
        return ""
    return " ".join(f"{name}={entry[name]}" for name in _LOGGED if isinstance(entry.get(name), str | int | float))
