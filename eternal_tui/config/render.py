"""The settings written down: as a config.toml with comments, and as a JSON schema for editors."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import msgspec

from eternal_tui.config import validation
from eternal_tui.config.loader import SETTING_NAMES
from eternal_tui.config.settings import HookSettings, NotifySettings, Settings


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
