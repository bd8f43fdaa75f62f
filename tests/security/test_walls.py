"""What the faces may do with words, told from their source: only gated text and literals reach a screen or a stream."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import eternal_tui

PACKAGE = Path(eternal_tui.__file__).parent
FRONTEND_FILES = [*sorted((PACKAGE / "tui").rglob("*.py")), *sorted((PACKAGE / "cli").rglob("*.py"))]
UNTRUSTED_NAMES = {"job", "character", "request", "answer", "error", "event", "one", "each", "preset"}
"""Names under which the faces hold what strangers wrote."""

SINKS = {
    "notify",
    "update",
    "styled",
    "Content",
    "print_line",
    "info",
    "error",
    "show_progress",
    "notify_user",
    "set_footer_text",
    "Static",
}


def find_violations(source: str) -> Iterator[str]:
    """Yield each call by which ungated words, or markup of any kind, could be shown."""
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


def test_no_face_shows_what_did_not_pass_the_gate() -> None:
    found = {
        str(path.relative_to(PACKAGE)): told
        for path in FRONTEND_FILES
        if (told := list(find_violations(path.read_text(encoding="utf-8"))))
    }
    assert found == {}


@pytest.mark.parametrize(
    "source",
    [
        "self.notify(text)", "self.notify(text, markup=True)", "Static('[b]x')", "Content.from_markup(x)",
        "Text.from_markup('a')", "print(x)", "box.border_title = name", "box.border_title = f'{x}'",
        "w.update(f'{job.error}')", "output.print_line(f'{one.name}')", "Content(f'a {job.name} b')", "open_url(x)",
        "self.notify(x, markup=wanted)",
    ],
)  # fmt: skip
def test_bypass_is_found(source: str) -> None:
    assert list(find_violations(source))


@pytest.mark.parametrize(
    "source",
    ["notify(t, markup=False)", "Static(Content(t))", "b.border_title = Content(t)", "line(say('{x}', x=job.name))"],
)
def test_intended_use_is_allowed(source: str) -> None:
    assert not list(find_violations(source))
