"""Reading settings from a file, the environment and flags, with errors a person can act on."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from eternal_tui.config import validation
from eternal_tui.config.settings import Notify, Settings, SettingsError

PREFIX = "ETERNAL_TUI_"
APP = "eternal-tui"

_NOT_SET_BY_PEOPLE = frozenset({"config_path", "sources"})
FIELDS = tuple(name for name in Settings.__struct_fields__ if name not in _NOT_SET_BY_PEOPLE)
NOTIFY_FIELDS = Notify.__struct_fields__
_TABLES = frozenset({"notify", "keys"})
_CONFIG_LIMIT = 1024 * 1024


def default_config_path(environ: Mapping[str, str]) -> Path:
    """Return where config.toml is looked for when nobody says otherwise."""
    return _folder(environ, "XDG_CONFIG_HOME", ".config", "user_config_path") / "config.toml"


def default_data_dir(environ: Mapping[str, str]) -> Path:
    """Return where the data are kept when nobody says otherwise."""
    return _folder(environ, "XDG_DATA_HOME", ".local/share", "user_data_path")


def _folder(
    environ: Mapping[str, str],
    variable: str,
    beneath_home: str,
    elsewhere: str,
    *,
    platform: str = sys.platform,
) -> Path:
    if platform.startswith("linux"):
        # What platformdirs does on Linux, without the 20 ms of its import at every start.
        told = environ.get(variable, "").strip()
        base = Path(told) if told.startswith("/") else home_folder(environ) / beneath_home
        return base / APP
    import platformdirs

    return Path(getattr(platformdirs, elsewhere)(APP, appauthor=False))


def home_folder(environ: Mapping[str, str]) -> Path:
    """Return the person's own folder: HOME, or what the system knows where HOME names none from the root.

    One that is relative would be another folder, and another history, in each where the program is started.
    """
    told = environ.get("HOME", "")
    if told.startswith("/") or not told or sys.platform == "win32":
        return Path(told) if told else Path.home()
    import pwd

    try:
        return Path(pwd.getpwuid(os.getuid()).pw_dir)
    except KeyError:
        return Path("/")


def load_settings(flags: Mapping[str, Any] | None = None, environ: Mapping[str, str] | None = None) -> Settings:
    """Return the settings: defaults, then the config file, then the environment, then flags.

    `flags` maps field names, and `config` for the file, to values or texts; None means the flag was not given.
    Raises SettingsError.
    """
    environ = os.environ if environ is None else environ
    given = {name: value for name, value in (flags or {}).items() if value is not None}
    path, asked_for = _config_path(given.pop("config", None), environ)
    values: dict[str, Any] = {}
    sources: dict[str, str] = {}
    for layer in (
        _from_file(path, asked_for=asked_for, environ=environ),
        _from_environment(environ),
        _from_flags(given, environ),
    ):
        for name, (value, source) in layer.items():
            values[name] = {**values.get(name, {}), **value} if name in _TABLES else value
            sources[name] = source
    notify = msgspec.convert(values.pop("notify", {}), Notify)
    values.setdefault("data_dir", default_data_dir(environ))
    return Settings(**values, notify=notify, config_path=path, sources=sources)


def config_path(flag: str | None, environ: Mapping[str, str]) -> Path:
    """Return where config.toml is looked for, whether or not it is there: the flag, the variable, or the default."""
    return _config_path(flag, environ)[0]


Layer = dict[str, tuple[Any, str]]


def _config_path(flag: object, environ: Mapping[str, str]) -> tuple[Path, bool]:
    if flag is not None:
        return validation.folder(str(flag), Path.cwd(), home_folder(environ)), True
    if told := environ.get(f"{PREFIX}CONFIG", "").strip():
        return validation.folder(told, Path.cwd(), home_folder(environ)), True
    return default_config_path(environ), False


def _from_file(path: Path, *, asked_for: bool, environ: Mapping[str, str]) -> Layer:
    text = _read(path, asked_for=asked_for)
    if not text.strip():
        return {}
    import tomllib

    try:
        table = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise SettingsError(f"{path}: this is not valid TOML: {error}") from None
    layer: Layer = {}
    for name, value in table.items():
        where = f"{path}{_line(text, name)}: {name}"
        if name not in FIELDS:
            raise SettingsError(f"{where} is not a setting. {validation.nearest(name, FIELDS)}")
        if name == "notify":
            checked: Any = _notify(value, text, path)
        elif name == "keys":
            checked = validation.keys(value, where)
        else:
            checked = validation.value(name, value, where, base=path.parent, home=home_folder(environ))
        layer[name] = (checked, str(path))
    return layer


def _notify(table: object, text: str, path: Path) -> dict[str, Any]:
    where = f"{path}{_line(text, 'notify')}: notify"
    if not isinstance(table, dict):
        raise SettingsError(f"{where} is {validation.found(table)}, but it is a table: [notify].")
    checked = {}
    for name, value in table.items():
        where = f"{path}{_line(text, name, 'notify')}: notify.{name}"
        if name not in NOTIFY_FIELDS:
            raise SettingsError(f"{where} is not a setting. {validation.nearest(name, NOTIFY_FIELDS)}")
        checked[name] = validation.notify_value(name, value, where)
    return checked


def _read(path: Path, *, asked_for: bool) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(_CONFIG_LIMIT + 1)
    except FileNotFoundError:
        if asked_for:
            raise SettingsError(f"{path}: there is no such file. Create it, or leave the option out.") from None
        return ""
    except OSError as error:
        raise SettingsError(f"{path}: the file cannot be read: {error.strerror}.") from None
    if len(data) > _CONFIG_LIMIT:
        raise SettingsError(f"{path}: the file is larger than 1 MB, which no configuration is.")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise SettingsError(f"{path}, line {line}: the file is not UTF-8 text.") from None


def _line(text: str, name: str, table: str = "") -> str:
    """Return ", line N" for the line that sets `name` in `table`, or nothing where it cannot be found."""
    import re

    key = re.compile(rf"""\s*["']?{re.escape(name)}["']?\s*[=.]|\s*\[+\s*["']?{re.escape(name)}["']?\s*[\].]""")
    dotted = re.compile(rf"""\s*{re.escape(table)}\s*\.\s*["']?{re.escape(name)}["']?\s*=""")
    current = ""
    for number, line in enumerate(text.splitlines(), 1):
        heading = re.match(r"\s*\[+([^\]]*)\]", line)
        if heading and not key.match(line):
            current = heading[1].strip().strip("\"'")
        elif (current == table and key.match(line)) or (table and dotted.match(line)):
            return f", line {number}"
    return ""


def _from_environment(environ: Mapping[str, str]) -> Layer:
    variables = {f"{PREFIX}{name.upper()}": name for name in FIELDS if name not in _TABLES}
    nested = {f"{PREFIX}NOTIFY_{name.upper()}": name for name in NOTIFY_FIELDS}
    layer: Layer = {}
    notify: dict[str, Any] = {}
    for variable, text in environ.items():
        if not variable.startswith(PREFIX) or variable == f"{PREFIX}CONFIG" or not text.strip():
            continue
        if name := variables.get(variable):
            checked = validation.text_value(name, text, variable, base=Path.cwd(), home=home_folder(environ))
            layer[name] = (checked, variable)
        elif name := nested.get(variable):
            notify[name] = validation.notify_value(name, text, variable, as_text=True)
            layer["notify"] = (notify, f"{PREFIX}NOTIFY_…")
        elif near := validation.typing_slip(variable, [*variables, *nested, f"{PREFIX}CONFIG"]):
            # A cap with a slip in its name would silently be no cap. Names far from ours may be somebody else's.
            raise SettingsError(f"{variable} is not a setting. Did you mean {near}?")
    return layer


def _from_flags(given: Mapping[str, Any], environ: Mapping[str, str]) -> Layer:
    layer: Layer = {}
    for name, value in given.items():
        flag = "--" + name.replace("_", "-")
        if name not in FIELDS or name in _TABLES:
            raise SettingsError(f"{flag} is not a setting. {validation.nearest(name, FIELDS)}")
        read = validation.text_value if isinstance(value, str) else validation.value
        layer[name] = (read(name, value, flag, base=Path.cwd(), home=home_folder(environ)), flag)
    return layer
