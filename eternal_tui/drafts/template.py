"""Prompt templates: `a {red|blue} coat` stands for one prompt per alternative, `@name` for a saved snippet."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import product
from math import prod

from eternal_tui.drafts.matrix import MAX_REQUESTS, TooManyRequests

MAX_DEPTH = 8
"""Groups nested in one another; a pasted prompt with more braces than that was not written as a template."""

SNIPPET_PATTERN = re.compile(r"(?<![\w@])@([\w][\w-]*)")
"""A snippet's name in a prompt: a word behind an @ that no letter precedes, so that addresses are none."""

_SPECIAL_PATTERN = re.compile(r"\{\{|\}\}|[{|}]")


class TemplateError(ValueError):
    """A template that cannot be expanded; the sentence says where and how to fix it."""


_Part = str | tuple["_Sequence", ...]
"""Literal text, or the alternatives of a group."""

_Sequence = tuple[_Part, ...]


def expand_prompts(template: str) -> tuple[str, ...]:
    """Return the prompts of a template, the last group varying fastest.

    Groups may be nested. `{{` and `}}` are literal braces; a group without `|` is literal text. Raises TemplateError
    for a group that is not closed, TooManyRequests beyond MAX_REQUESTS prompts.
    """
    sequence = _parse(template)
    if (count := _count(sequence)) > MAX_REQUESTS:
        many = f"{count:,}" if count < 1_000_000 else "over a million"
        raise TooManyRequests(f"That makes {many} prompts; one submit sends {MAX_REQUESTS} at most.")
    return tuple(_expand(sequence))


def count_prompts(template: str) -> int:
    """Return how many prompts a template makes, however many; raises TemplateError."""
    return _count(_parse(template))


def is_template(text: str) -> bool:
    """Tell whether the text is sent as anything other than itself."""
    try:
        return expand_prompts(text) != (text,)
    except ValueError:
        return True


def escape_prompt(prompt: str) -> str:
    """Return the template that expands to exactly this prompt."""
    return prompt.replace("{", "{{").replace("}", "}}") if is_template(prompt) else prompt


def insert_snippets(text: str, snippets: Mapping[str, str]) -> str:
    """Return the text with each `@name` of a saved snippet replaced; other words behind an @ stay."""
    return SNIPPET_PATTERN.sub(lambda found: snippets.get(found[1], found[0]), text)


def _parse(text: str) -> _Sequence:
    # For each open group, outermost first: finished alternatives, the unfinished one, and where the group starts.
    open_groups: list[tuple[list[_Sequence], list[_Part], int]] = [([], [], 0)]
    position = 0
    while found := _SPECIAL_PATTERN.search(text, position):
        alternatives, parts, _ = open_groups[-1]
        parts.append(text[position : found.start()])
        position, sign, depth = found.end(), found[0], len(open_groups) - 1
        if sign == "}}" and depth:
            sign, position = "}", position - 1
        if sign in ("{{", "}}") or (depth == 0 and sign != "{"):
            parts.append(sign[0])
        elif sign == "{":
            if depth == MAX_DEPTH:
                raise TemplateError(f"Groups are nested more than {MAX_DEPTH} deep. Write {{{{ for a brace.")
            open_groups.append(([], [], found.start()))
        elif sign == "|":
            alternatives.append(tuple(parts))
            parts.clear()
        else:
            open_groups.pop()
            group = ((*alternatives, tuple(parts)),) if alternatives else ("{", *parts, "}")
            open_groups[-1][1].extend(group)
    open_groups[-1][1].append(text[position:])
    while len(open_groups) > 1:
        alternatives, parts, start = open_groups.pop()
        if alternatives:
            raise TemplateError(f"The group opened at character {start + 1} is not closed. Add }}, or write {{{{.")
        open_groups[-1][1].extend(("{", *parts))
    return tuple(open_groups[0][1])


def _count(sequence: _Sequence) -> int:
    return prod(sum(map(_count, part)) for part in sequence if not isinstance(part, str))


def _expand(sequence: _Sequence) -> Iterator[str]:
    choices = (
        (part,) if isinstance(part, str) else [text for alternative in part for text in _expand(alternative)]
        for part in sequence
    )
    return map("".join, product(*choices))
