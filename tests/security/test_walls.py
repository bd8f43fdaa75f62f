"""Rules of the source on untrusted text: one module makes SafeText of it, and only that is shown."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import eternal_tui

PACKAGE = Path(eternal_tui.__file__).parent
SANITIZE_MODULE = PACKAGE / "core" / "sanitize.py"
FRONTENDS = (PACKAGE / "tui", PACKAGE / "cli")
UNTRUSTED_NAMES = {"job", "character", "request", "answer", "error", "event", "one", "each", "preset"}
"""Names under which the frontends hold what others wrote."""

SINKS = {
    *("notify", "update", "styled", "Content", "print_line", "info", "error", "show_progress", "notify_user"),
    *("set_footer_text", "Static"),
}


def find_gate_violations(source: str) -> Iterator[str]:
    """Yield each call that makes SafeText of something that is not the program's own literal."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.module == "eternal_tui.core.sanitize":
            for alias in node.names:
                if alias.asname and alias.name in {"SafeText", "format_safe", "join_safe"}:
                    yield f"line {node.lineno}: {alias.name} under another name"
        if not isinstance(node, ast.Call):
            continue
        name = _called_name(node)
        if name == "SafeText" and not (len(node.args) == 1 and not node.keywords and _is_literal(node.args[0])):
            yield f"line {node.lineno}: SafeText() of something that is no literal"
        if name == "format_safe" and not (node.args and _is_literal(node.args[0])):
            yield f"line {node.lineno}: format_safe() with a template that is no literal"
        if name == "cast" and node.args and "SafeText" in ast.dump(node.args[0]):
            yield f"line {node.lineno}: cast() to SafeText"


def _is_literal(node: ast.expr) -> bool:
    if isinstance(node, ast.IfExp):
        return _is_literal(node.body) and _is_literal(node.orelse)
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def find_frontend_violations(source: str) -> Iterator[str]:
    """Yield each call by which unsanitized text, or markup of any kind, could be shown."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            yield from _call_violations(node)
        if isinstance(node, ast.Assign) and _assigns_title(node) and not _is_content(node.value):
            yield f"line {node.lineno}: a title that is no Content is read as markup"


def _call_violations(node: ast.Call) -> Iterator[str]:
    name = _called_name(node)
    options = {option.arg: option.value for option in node.keywords}
    if name in ("from_markup", "from_ansi", "print", "open_url"):
        yield f"line {node.lineno}: {name}()"
    if (markup := options.get("markup")) is not None and not (
        isinstance(markup, ast.Constant) and markup.value is False
    ):
        yield f"line {node.lineno}: markup"
    if name in ("notify", "Static") and "markup" not in options and node.args and not _is_content(node.args[0]):
        yield f"line {node.lineno}: {name}() without markup=False"
    if name in SINKS:
        for part in ast.walk(ast.Module([ast.Expr(each) for each in node.args], [])):
            if isinstance(part, ast.FormattedValue) and _is_untrusted(part.value):
                yield f"line {node.lineno}: an outside word in the text of {name}()"


def _assigns_title(node: ast.Assign) -> bool:
    names = {target.attr for target in node.targets if isinstance(target, ast.Attribute)}
    return not names.isdisjoint({"border_title", "border_subtitle"})


def _is_content(value: ast.expr) -> bool:
    return isinstance(value, ast.Call) and _called_name(value) == "Content"


def _is_untrusted(value: ast.expr) -> bool:
    return (
        isinstance(value, ast.Attribute)
        and isinstance(value.value, ast.Name)
        and value.value.id in UNTRUSTED_NAMES
        and value.attr not in ("id", "letter")
    )


def _called_name(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def test_the_source_keeps_the_rules() -> None:
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        source = path.read_text(encoding="utf-8")
        told = list(find_gate_violations(source)) if path != SANITIZE_MODULE else []
        if any(path.is_relative_to(folder) for folder in FRONTENDS):
            told += find_frontend_violations(source)
        if told:
            found[str(path.relative_to(PACKAGE))] = told
    assert found == {}


@pytest.mark.parametrize(
    "source",
    [
        "SafeText(job.error)", "SafeText(f'{x}')", "SafeText('a' + x)", "sanitize.SafeText(x)", "SafeText(str(3))",
        "SafeText()", "SafeText('a', 'b')", "format_safe(template)", "sanitize.format_safe(template)",
        "format_safe(f'{x}')", "format_safe('a' + x)", "format_safe()", "cast(SafeText, x)",
        "typing.cast('SafeText', x)", "from eternal_tui.core.sanitize import SafeText as S",
        "from eternal_tui.core.sanitize import format_safe as f", "SafeText('a' if x else y)",
        "self.notify(text)", "self.notify(text, markup=True)", "Static('[b]x')", "Content.from_markup(x)",
        "Text.from_markup('a')", "print(x)", "box.border_title = name", "box.border_title = f'{x}'",
        "w.update(f'{job.error}')", "output.print_line(f'{one.name}')", "Content(f'a {job.name} b')", "open_url(x)",
        "self.notify(x, markup=wanted)",
    ],
)  # fmt: skip
def test_bypass_is_found(source: str) -> None:
    assert [*find_gate_violations(source), *find_frontend_violations(source)]


@pytest.mark.parametrize(
    "source",
    [
        "SafeText('a')", "format_safe('{x}', x=y)", "sanitize(x)", "SafeText('a' if x else 'b')",
        "join_safe(', ', *parts)", "notify(t, markup=False)", "Static(Content(t))", "b.border_title = Content(t)",
        "line(say('{x}', x=job.name))",
    ],
)  # fmt: skip
def test_intended_use_is_allowed(source: str) -> None:
    assert not [*find_gate_violations(source), *find_frontend_violations(source)]
