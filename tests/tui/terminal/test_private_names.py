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
    "_GATHER_COMMANDS_GROUP", "_ansi", "_ansi_sequences", "_app", "_attributes", "_batch_count", "_bgcolor",
    "_character_to_key", "_close_messages_no_wait", "_color", "_compositor", "_compositor_refresh", "_dirty_regions",
    "_display", "_driver", "_exit", "_expire", "_fatal_error", "_file", "_filters", "_get_renders",
    "_get_terminal_size", "_handle_exception", "_hash", "_keyboard_protocol", "_layout_required", "_link", "_link_id",
    "_loop", "_meta", "_notification", "_notifications", "_null", "_query_in_band_window_resize", "_regions_to_spans",
    "_repaint_required", "_run_input_thread", "_segments", "_select_or_command", "_sequence_to_key_events",
    "_set_attributes", "_style_definition", "_styles_cache", "_toast", "_unnotify", "_update_auto_focus",
    "_writer_thread", "_xterm_parser",
}  # fmt: skip


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
    assert names <= USES


def test_private_names_exist_and_are_used() -> None:
    used = {name for path in MODULES if may_use_private_names(path) for name in used_names(path)}
    assert used == USES
    assert library_names() >= USES
