"""Prompt templates: what multiplies, what stays as it was typed, and what is refused."""

from __future__ import annotations

import pytest

from eternal_tui.drafts.expansion import (
    TemplateError,
    TooManyRequests,
    escape_prompt,
    expand_prompts,
    insert_snippets,
    is_template,
)

TEMPLATES = {
    "a {red|blue} coat": ("a red coat", "a blue coat"),
    "{a|b} {1|2}": ("a 1", "a 2", "b 1", "b 2"),
    "{a|b {c|d}} e": ("a e", "b c e", "b d e"),
    "{|red }coat": ("coat", "red coat"),
    "{{a|b}}": ("{a|b}",),
    "{{{a|b}}}": ("{a}", "{b}"),
    "{single} a|b } {": ("{single} a|b } {",),
    "{in {a|b} out}": ("{in a out}", "{in b out}"),
    "line\n{one|two}": ("line\none", "line\ntwo"),
    "": ("",),
}


@pytest.mark.parametrize(("template", "prompts"), TEMPLATES.items())
def test_expand_prompts_multiplies_groups(template: str, prompts: tuple[str, ...]) -> None:
    assert expand_prompts(template) == prompts
    assert is_template(template) == (prompts != (template,))
    assert expand_prompts(escape_prompt(template)) == (template,)


@pytest.mark.parametrize("template", ["a {red|blue coat", "{a|{b|c}", "{ " * 9])
def test_expand_prompts_refuses_unclosed_groups(template: str) -> None:
    with pytest.raises(TemplateError, match=r"\{\{"):
        expand_prompts(template)
    assert is_template(template)


@pytest.mark.parametrize(("template", "count"), [("{a|b}" * 7, "128"), ("{a|b}" * 4_000, "over a million")])
def test_expand_prompts_refuses_too_many_prompts(template: str, count: str) -> None:
    with pytest.raises(TooManyRequests, match=count):
        expand_prompts(template)


def test_insert_snippets_replaces_saved_names_only() -> None:
    snippets = {"coat": "a red coat", "dusk-light": "warm light"}
    text = "@coat, in @dusk-light. mail me@coat.org @unknown @@coat"
    assert insert_snippets(text, snippets) == "a red coat, in warm light. mail me@coat.org @unknown @@coat"
