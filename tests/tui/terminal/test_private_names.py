"""Private names of Textual and rich: used only in `tui/terminal` and `graphics/half_blocks`, and each still exists."""

from __future__ import annotations

import ast
import functools
import importlib
import inspect
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest
import rich
import textual

ROOT = Path(__file__).resolve().parents[3]
TUI = ROOT / "eternal_tui" / "tui"
MODULES = [path for path in sorted(TUI.rglob("*.py")) if path.name != "__init__.py"]

USES = {
    "_GATHER_COMMANDS_GROUP": "palette",
    "_ansi": "colours as SGR",
    "_ansi_sequences": "keys",
    "_app": "driver",
    "_attributes": "cheap styles",
    "_batch_count": "painting",
    "_bgcolor": "cheap styles",
    "_character_to_key": "keys",
    "_close_messages_no_wait": "crash",
    "_color": "cheap styles",
    "_compositor": "painting",
    "_compositor_refresh": "painting",
    "_dirty_regions": "painting",
    "_display": "painting",
    "_driver": "driver",
    "_exit": "quitting",
    "_expire": "notifications",
    "_fatal_error": "crash",
    "_file": "driver",
    "_filters": "themes",
    "_get_renders": "painting",
    "_get_terminal_size": "size",
    "_handle_exception": "crash",
    "_hash": "cheap styles",
    "_keyboard_protocol": "keys",
    "_layout_required": "painting",
    "_link": "cheap styles",
    "_link_id": "cheap styles",
    "_loop": "driver",
    "_meta": "cheap styles",
    "_notification": "notifications",
    "_notifications": "notifications",
    "_null": "cheap styles",
    "_query_in_band_window_resize": "size",
    "_regions_to_spans": "painting",
    "_repaint_required": "painting",
    "_run_input_thread": "keys",
    "_segments": "painting",
    "_select_or_command": "palette",
    "_sequence_to_key_events": "keys",
    "_set_attributes": "cheap styles",
    "_style_definition": "cheap styles",
    "_styles_cache": "memory",
    "_toast": "notifications",
    "_unnotify": "notifications",
    "_update_auto_focus": "focus",
    "_writer_thread": "driver",
    "_xterm_parser": "keys",
}
"""What each is used for."""


def is_private(name: str) -> bool:
    public = ("_", "_replace", "_asdict", "_fields")  # of a NamedTuple
    return name.startswith("_") and not name.startswith("__") and name not in public


def defined_names(tree: ast.AST) -> set[str]:
    """Return the private names that a source defines: functions, classes, and attributes it assigns."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Attribute | ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.attr if isinstance(node, ast.Attribute) else node.id)
    return {name for name in found if is_private(name)}


@functools.cache
def library_names() -> frozenset[str]:
    """Every private name of the installed Textual and rich, modules included."""
    found: set[str] = set()
    for package in (textual, rich):
        for path in Path(package.__path__[0]).rglob("*.py"):
            found |= {path.stem} if is_private(path.stem) else set()
            found |= defined_names(ast.parse(path.read_text(encoding="utf-8")))
    return frozenset(found)


@functools.cache
def inherited_names(cls: type) -> frozenset[str]:
    """The private names that a class has of the library classes it derives from."""
    found: set[str] = set()
    for base in cls.__mro__[1:]:
        if base.__module__.split(".")[0] in ("textual", "rich"):
            found |= {name for name in vars(base) if is_private(name)}
            found |= defined_names(ast.parse(textwrap.dedent(inspect.getsource(base))))
    return frozenset(found)


@functools.cache
def own_names() -> frozenset[str]:
    return frozenset().union(*(defined_names(ast.parse(path.read_text(encoding="utf-8"))) for path in MODULES))


def used_names(path: Path) -> Iterator[str]:
    """Yield the private names of the libraries that a module imports, reads, overrides or, by chance, takes again."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    module = importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in ("textual", "rich"):
            names = [*(node.module or "").split("."), *(alias.name for alias in node.names)]
            yield from (name for name in names if is_private(name))
        elif isinstance(node, ast.Import):
            for alias in node.names:
                parts = alias.name.split(".")
                yield from (name for name in parts if parts[0] in ("textual", "rich") and is_private(name))
        elif isinstance(node, ast.Attribute) and is_private(node.attr):
            if node.attr in library_names() and node.attr not in own_names():
                yield node.attr
        elif isinstance(node, ast.ClassDef) and isinstance(cls := getattr(module, node.name, None), type):
            used = {each.attr for each in ast.walk(node) if isinstance(each, ast.Attribute)} | defined_names(node)
            yield from used & inherited_names(cls)


def may_use_private_names(path: Path) -> bool:
    return path.parent.name == "terminal" or path.name == "half_blocks.py"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(TUI)))
def test_private_names_are_used_in_terminal_alone(path: Path) -> None:
    names = set(used_names(path))
    if not may_use_private_names(path):
        assert not names
    assert names <= set(USES)


def test_private_names_exist_and_are_used() -> None:
    used = {name for path in MODULES if may_use_private_names(path) for name in used_names(path)}
    assert set(USES) == used
    assert set(USES) <= library_names()
