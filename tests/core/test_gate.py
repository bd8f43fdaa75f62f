"""SafeText is made of untrusted text in one module only."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import eternal_tui

PACKAGE = Path(eternal_tui.__file__).parent
SANITIZE_MODULE = PACKAGE / "core" / "sanitize.py"
TEMPLATE_FUNCTIONS = {"format_safe", "join_safe"}


def find_violations(source: str) -> Iterator[str]:
    """Yield each call that makes displayable text of something that is not the program's own literal."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.module == "eternal_tui.core.sanitize":
            for alias in node.names:
                if alias.asname and alias.name in {"SafeText", *TEMPLATE_FUNCTIONS}:
                    yield f"line {node.lineno}: {alias.name} under another name"
        if not isinstance(node, ast.Call):
            continue
        name = _called_name(node.func)
        if name == "SafeText" and not (len(node.args) == 1 and not node.keywords and _is_literal(node.args[0])):
            yield f"line {node.lineno}: SafeText() of something that is no literal"
        if name == "format_safe" and not (node.args and _is_literal(node.args[0])):
            yield f"line {node.lineno}: format_safe() with a template that is no literal"
        if name == "cast" and node.args and "SafeText" in ast.dump(node.args[0]):
            yield f"line {node.lineno}: cast() to SafeText"


def _called_name(called: ast.expr) -> str:
    if isinstance(called, ast.Attribute):
        return called.attr
    return called.id if isinstance(called, ast.Name) else ""


def _is_literal(node: ast.expr) -> bool:
    if isinstance(node, ast.IfExp):
        return _is_literal(node.body) and _is_literal(node.orelse)
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def test_only_sanitize_makes_safe_text_of_untrusted_text() -> None:
    found = {
        str(path.relative_to(PACKAGE)): told
        for path in sorted(PACKAGE.rglob("*.py"))
        if path != SANITIZE_MODULE and (told := list(find_violations(path.read_text(encoding="utf-8"))))
    }
    assert found == {}


@pytest.mark.parametrize(
    "source",
    [
        "SafeText(job.error)", "SafeText(f'{x}')", "SafeText('a' + x)", "sanitize.SafeText(x)", "SafeText(str(3))",
        "SafeText()", "SafeText('a', 'b')", "format_safe(template)", "sanitize.format_safe(template)",
        "format_safe(f'{x}')", "format_safe('a' + x)", "format_safe()", "cast(SafeText, x)",
        "typing.cast('SafeText', x)", "from eternal_tui.core.sanitize import SafeText as S",
        "from eternal_tui.core.sanitize import format_safe as f", "SafeText('a' if x else y)",
    ],
)  # fmt: skip
def test_bypass_is_found(source: str) -> None:
    assert list(find_violations(source))


@pytest.mark.parametrize(
    "source",
    [
        "SafeText('a')", "format_safe('{x}', x=y)", "sanitize(x)", "SafeText('a' if x else 'b')",
        "join_safe(', ', *parts)",
    ],
)  # fmt: skip
def test_intended_use_is_allowed(source: str) -> None:
    assert not list(find_violations(source))
