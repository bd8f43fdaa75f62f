"""Nobody goes round the gate: `Shown` is made of outside text in one module only."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import eternal_tui

PACKAGE = Path(eternal_tui.__file__).parent
GATE = PACKAGE / "core" / "sanitize.py"
TEMPLATES = {"say", "join"}


def offences(source: str) -> Iterator[str]:
    """Yield each call that makes displayable text of something that is not the program's own literal."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.module == "eternal_tui.core.sanitize":
            for alias in node.names:
                if alias.asname and alias.name in {"Shown", *TEMPLATES}:
                    yield f"line {node.lineno}: {alias.name} under another name"
        if not isinstance(node, ast.Call):
            continue
        name = _name(node.func)
        if name == "Shown" and not (len(node.args) == 1 and not node.keywords and _literal(node.args[0])):
            yield f"line {node.lineno}: Shown() of something that is no literal"
        if name == "say" and not (node.args and _literal(node.args[0])):
            yield f"line {node.lineno}: say() with a template that is no literal"
        if name == "cast" and node.args and "Shown" in ast.dump(node.args[0]):
            yield f"line {node.lineno}: cast() to Shown"


def _name(called: ast.expr) -> str:
    if isinstance(called, ast.Attribute):
        # Widgets have methods called say(), which are their own.
        return called.attr if called.attr != "say" or _name(called.value) == "untrusted" else ""
    return called.id if isinstance(called, ast.Name) else ""


def _literal(node: ast.expr) -> bool:
    if isinstance(node, ast.IfExp):
        return _literal(node.body) and _literal(node.orelse)
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def test_only_the_gate_makes_shown_text_of_strangers_text() -> None:
    """Seen to fail against a widget that wrapped a job's error in Shown() to please mypy."""
    found = {
        str(path.relative_to(PACKAGE)): told
        for path in sorted(PACKAGE.rglob("*.py"))
        if path != GATE and (told := list(offences(path.read_text(encoding="utf-8"))))
    }
    assert found == {}


@pytest.mark.parametrize(
    "source",
    [
        "Shown(job.error)",
        "Shown(f'{x}')",
        "Shown('a' + x)",
        "untrusted.Shown(x)",
        "Shown(str(3))",
        "Shown()",
        "Shown('a', 'b')",
        "say(template)",
        "untrusted.say(template)",
        "say(f'{x}')",
        "say('a' + x)",
        "say()",
        "cast(Shown, x)",
        "typing.cast('Shown', x)",
        "from eternal_tui.core.sanitize import Shown as S",
        "Shown('a' if x else y)",
    ],
)
def test_a_way_round_is_noticed(source: str) -> None:
    assert list(offences(source))


@pytest.mark.parametrize(
    "source", ["Shown('a')", "say('{x}', x=y)", "shown(x)", "Shown('a' if x else 'b')", "join(', ', *parts)"]
)
def test_the_ways_that_are_meant_are_let_through(source: str) -> None:
    assert not list(offences(source))
