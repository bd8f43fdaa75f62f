"""Settings from file, environment and flags; every error names its source and the remedy. And written as a file."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from eternal_tui.config import validation
from eternal_tui.config.settings import HookSettings, NotifySettings, Settings, SettingsError
from eternal_tui.core.files import open_regular
from eternal_tui.core.sanitize import sanitize

ENV_PREFIX = "ETERNAL_TUI_"
APP_NAME = "eternal-tui"

_INTERNAL_FIELDS = frozenset({"config_path", "sources"})
SETTING_NAMES = tuple(name for name in Settings.__struct_fields__ if name not in _INTERNAL_FIELDS)
_TABLES: dict[str, type[msgspec.Struct]] = {"notify": NotifySettings, "hooks": HookSettings}
_TABLE_NAMES = frozenset({*_TABLES, "keys", "views"})
_MAX_CONFIG_BYTES = 1024 * 1024


def default_config_path(environ: Mapping[str, str]) -> Path:
    """Return the default path of config.toml."""
    return _xdg_dir(environ, "XDG_CONFIG_HOME", ".config", "user_config_path") / "config.toml"


def default_data_dir(environ: Mapping[str, str]) -> Path:
    """Return the default data folder."""
    return _xdg_dir(environ, "XDG_DATA_HOME", ".local/share", "user_data_path")


def _xdg_dir(environ: Mapping[str, str], variable: str, home_subdir: str, platformdirs_name: str) -> Path:
    if not sys.platform.startswith("linux"):
        import platformdirs

        return Path(getattr(platformdirs, platformdirs_name)(APP_NAME, appauthor=False))
    # Same as platformdirs on Linux, without the 20 ms of its import.
    given = environ.get(variable, "").strip()
    return (Path(given) if given.startswith("/") else home_dir(environ) / home_subdir) / APP_NAME


def home_dir(environ: Mapping[str, str]) -> Path:
    """Return the home folder: HOME, or that of the account where HOME is no absolute path. Raises SettingsError.

    One that is relative would be another folder, and another history, in each where the program is started.
    """
    if (given := environ.get("HOME", "")).startswith("/"):
        return Path(given)
    import pwd

    try:
        return Path(pwd.getpwuid(os.getuid()).pw_dir)
    except KeyError:
        raise SettingsError(
            "There is no home folder: HOME is not set, and this user has no account here. "
            f"Set HOME, or name a folder by --data-dir or {ENV_PREFIX}DATA_DIR."
        ) from None


def _resolver(environ: Mapping[str, str], base: Path | None = None) -> validation.Resolve:
    """Return a function that makes paths absolute. It looks up home and working folder only when needed."""

    def resolve(text: str) -> Path:
        if text == "~" or text.startswith("~/"):
            return home_dir(environ) / text[2:]
        try:
            return Path(os.path.normpath(text if text.startswith("/") else (base or Path.cwd()) / text))
        except FileNotFoundError:
            raise SettingsError(
                f"The working folder no longer exists: give {sanitize(text)} as a path that begins with /."
            ) from None

    return resolve


def load_settings(
    options: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] | None = None,
    *,
    homeless_dir: Path | None = None,
) -> Settings:
    """Return the settings: defaults, then the config file, then the environment, then flags.

    `options` maps field names, and `config` for the file, to values or texts; None means the flag was not given.
    `homeless_dir` is used where there is no home folder and no data folder was named. Raises SettingsError with every
    error of file and environment.
    """
    environ = os.environ if environ is None else environ
    given = {name: value for name, value in (options or {}).items() if value is not None}
    data_dir = given.get("data_dir") or environ.get(f"{ENV_PREFIX}DATA_DIR", "").strip() or homeless_dir
    try:
        path, asked_for = _resolve_config_path(given.pop("config", None), environ)
    except SettingsError:
        if not data_dir:
            raise
        # Without a home folder everything is in the one that was named.
        path, asked_for = _resolver(environ)(str(data_dir)) / "config.toml", False
    values: dict[str, Any] = {}
    sources: dict[str, str] = {}
    errors: list[str] = []
    layers = (
        _from_file(path, errors, must_exist=asked_for, environ=environ),
        _from_environment(environ, errors),
        _from_options(given, environ),
    )
    if errors:
        raise SettingsError(*errors)
    for layer in layers:
        for name, (value, source) in layer.items():
            values[name] = {**values.get(name, {}), **value} if name in _TABLE_NAMES else value
            sources[name] = source
    tables: dict[str, Any] = {name: msgspec.convert(values.pop(name, {}), struct) for name, struct in _TABLES.items()}
    if "data_dir" not in values:
        try:
            values["data_dir"] = default_data_dir(environ)
        except SettingsError:
            if homeless_dir is None:
                raise
            values["data_dir"] = homeless_dir
    return Settings(**values, **tables, config_path=path, sources=sources)


def find_config_path(option: str | None, environ: Mapping[str, str]) -> Path:
    """Return the path of config.toml, whether or not it exists: the flag, the variable, or the default."""
    return _resolve_config_path(option, environ)[0]


Layer = dict[str, tuple[Any, str]]


def _resolve_config_path(option: object, environ: Mapping[str, str]) -> tuple[Path, bool]:
    if given := str(option) if option is not None else environ.get(f"{ENV_PREFIX}CONFIG", "").strip():
        return _resolver(environ)(given), True
    return default_config_path(environ), False


@contextmanager
def _collecting(errors: list[str]) -> Iterator[None]:
    try:
        yield
    except SettingsError as error:
        errors += error.errors


def _from_file(path: Path, errors: list[str], *, must_exist: bool, environ: Mapping[str, str]) -> Layer:
    text = _read_config(path, must_exist=must_exist)
    if not text.strip():
        return {}
    import tomllib

    try:
        table = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise SettingsError(f"{path}: this is not valid TOML: {error}") from None
    resolve = _resolver(environ, path.parent)

    def check(struct: type[msgspec.Struct], table: dict[str, Any], title: str = "") -> dict[str, Any]:
        checked: dict[str, Any] = {}
        names = [each for each in struct.__struct_fields__ if each not in _INTERNAL_FIELDS]
        for name, value in table.items():
            where = f"{path}{_line_suffix(text, name, title)}: {title and f'{title}.'}{name}"
            with _collecting(errors):
                if name not in names:
                    raise SettingsError(f"{where}: unknown setting. {validation.suggestion_sentence(name, names)}")
                if name in _TABLES:
                    if not isinstance(value, dict):
                        found = validation.describe_value(value)
                        raise SettingsError(f"{where} is {found}, but it is a table: [{name}].")
                    checked[name] = check(_TABLES[name], value, name)
                elif name in _TABLE_NAMES:
                    checked[name] = validation.parse_text_table(name, value, where)
                else:
                    checked[name] = validation.validate(struct, name, value, where, resolve=resolve)
        return checked

    return {name: (value, str(path)) for name, value in check(Settings, table).items()}


def _read_config(path: Path, *, must_exist: bool) -> str:
    shown = sanitize(str(path))
    try:
        with open_regular(path) as file:
            data = file.read(_MAX_CONFIG_BYTES + 1)
    except FileNotFoundError:
        if must_exist:
            raise SettingsError(f"{shown}: there is no such file. Create it, or leave the option out.") from None
        return ""
    except OSError as error:
        raise SettingsError(f"{shown}: the file cannot be read: {error.strerror}.") from None
    if len(data) > _MAX_CONFIG_BYTES:
        raise SettingsError(f"{shown}: the file is larger than 1 MB, which no configuration is.")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise SettingsError(f"{shown}, line {line}: the file is not UTF-8 text.") from None


def _line_suffix(text: str, name: str, table: str = "") -> str:
    """Return ", line N" for the line that sets `name` in `table`, or nothing where it cannot be found."""
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


def _from_environment(environ: Mapping[str, str], errors: list[str]) -> Layer:
    variables: dict[str, tuple[type[msgspec.Struct], str]] = {
        **{f"{ENV_PREFIX}{name.upper()}": (Settings, name) for name in SETTING_NAMES if name not in _TABLE_NAMES},
        **{f"{ENV_PREFIX}NOTIFY_{name.upper()}": (NotifySettings, name) for name in NotifySettings.__struct_fields__},
    }
    layer: Layer = {}
    notify: dict[str, Any] = {}
    for variable, text in environ.items():
        if not variable.startswith(ENV_PREFIX) or variable == f"{ENV_PREFIX}CONFIG" or not text.strip():
            continue
        with _collecting(errors):
            if variable in variables:
                struct, name = variables[variable]
                value = validation.validate(struct, name, text, variable, resolve=_resolver(environ), strict=False)
                if struct is Settings:
                    layer[name] = (value, variable)
                else:
                    notify[name] = value
                    layer["notify"] = (notify, f"{ENV_PREFIX}NOTIFY_…")
                continue
            import difflib

            # A misspelt daily_cap would silently be no cap. Names unlike any setting may belong to other programs.
            if near := difflib.get_close_matches(variable, [*variables, f"{ENV_PREFIX}CONFIG"], n=1, cutoff=0.88):
                raise SettingsError(f"{variable}: unknown setting. Did you mean {near[0]}?")
    return layer


def _from_options(given: Mapping[str, Any], environ: Mapping[str, str]) -> Layer:
    layer: Layer = {}
    for name, value in given.items():
        flag = "--" + name.replace("_", "-")
        if name not in SETTING_NAMES or name in _TABLE_NAMES:
            raise SettingsError(f"{flag}: unknown setting. {validation.suggestion_sentence(name, SETTING_NAMES)}")
        strict = not isinstance(value, str)
        found = validation.validate(Settings, name, value, flag, resolve=_resolver(environ), strict=strict)
        layer[name] = (found, flag)
    return layer


def config_schema() -> dict[str, Any]:
    """Return the JSON schema of config.toml."""
    schema = msgspec.json.schema(Settings, schema_hook=lambda kind: {"type": "string"} if kind is Path else {})
    properties = schema["$defs"]["Settings"]["properties"]
    for name in set(properties) - set(SETTING_NAMES):
        del properties[name]
    return schema


def render_config(settings: Settings) -> str:
    """Return the settings in force as a config.toml in which every line is explained.

    What has no value is written as a comment. Reading the text back gives the same settings.
    """
    lines: list[str] = []
    for name in SETTING_NAMES:
        if name not in ("notify", "hooks", "keys", "views"):
            lines += _setting_lines(Settings, name, getattr(settings, name), settings.sources.get(name, "default"))
    for title, struct in (("notify", NotifySettings), ("hooks", HookSettings)):
        lines += [f"[{title}]"]
        for name in struct.__struct_fields__:
            lines += _setting_lines(struct, name, getattr(getattr(settings, title), name), "")
    for title, table in (("keys", settings.keys), ("views", settings.views)):
        lines += [f"[{title}]", _comment(Settings, title)]
        lines += [f"{_toml_string(name)} = {_toml_string(value)}" for name, value in sorted(table.items())]
    return "\n".join(lines) + "\n"


def config_template() -> str:
    """Return a config.toml to begin with: every setting explained and, at its default, commented out."""
    lines = render_config(Settings()).splitlines()
    return "".join(f"{line}\n" if not line or line[0] in "#[" else f"# {line}\n" for line in lines)


def _setting_lines(struct: type[msgspec.Struct], name: str, value: object, source: str) -> list[str]:
    origin = "".join(each if each.isprintable() else "?" for each in f"# From {source}.")
    # An empty path means the default of the platform.
    line = f"# {name} =" if value is None or value == Path() else f"{name} = {_toml_value(value)}"
    return [_comment(struct, name), *([origin] if source not in ("", "default") else []), line, ""]


def _comment(struct: type[msgspec.Struct], name: str) -> str:
    described = msgspec.inspect.type_info(validation.field_types(struct)[name])
    extra = getattr(described, "extra_json_schema", None) or {}
    return f"# {extra.get('description', name)}"


def _toml_value(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return f"[{', '.join(map(_toml_value, value))}]"
    return repr(value) if isinstance(value, int | float) else _toml_string(str(value))


def _toml_string(text: str) -> str:
    # A path may hold bytes that are no text; TOML cannot.
    text = re.sub("[\ud800-\udfff]", "\ufffd", re.sub(r'(["\\])', r"\\\1", text))
    return '"' + "".join(each if each.isprintable() else f"\\U{ord(each):08x}" for each in text) + '"'
