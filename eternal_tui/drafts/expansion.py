"""Prompt templates: `a {red|blue} coat`, and `@name` for a snippet."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import product
from math import prod

MAX_COUNT = 20
"""Maximum of repetitions of each request of a form."""

MAX_REQUESTS = 100
"""Most requests of one submit: a typing error in a matrix must not empty an account."""


class TooManyRequests(ValueError):
    """More than MAX_REQUESTS requests. Nothing was sent."""


def split_lines(text: str) -> tuple[str, ...]:
    """Return the prompts of a text with one per line, without blank lines."""
    return tuple(line.strip() for line in text.splitlines() if line.strip())


MAX_DEPTH = 8
"""Most levels of nested groups; a pasted prompt with more braces is no template."""

SNIPPET_PATTERN = re.compile(r"(?<![\w@])@([\w][\w-]*)")
"""A snippet's name in a prompt: a word after an @ that follows no letter, so mail addresses do not match."""

_SPECIAL_PATTERN = re.compile(r"\{\{|\}\}|[{|}]")


class TemplateError(ValueError):
    """A template that cannot be expanded; the message says where and how to fix it."""


_Part = str | tuple["_Sequence", ...]
"""Literal text, or the alternatives of a group."""

_Sequence = tuple[_Part, ...]


def expand_prompts(template: str) -> tuple[str, ...]:
    """Return the prompts of a template, the last group varying fastest.

    Groups may be nested. `{{` and `}}` are literal braces; a group without `|` is literal text. Raises TemplateError
    for an unclosed group, TooManyRequests above MAX_REQUESTS prompts.
    """
    sequence = _parse(template)
    if (count := _count(sequence)) > MAX_REQUESTS:
        many = f"{count:,}" if count < 1_000_000 else "over a million"
        raise TooManyRequests(f"That makes {many} prompts; one submit sends {MAX_REQUESTS} at most.")
    return tuple(_expand(sequence))


def is_template(text: str) -> bool:
    """Whether the text expands to anything other than itself."""
    try:
        return expand_prompts(text) != (text,)
    except ValueError:
        return True


def escape_prompt(prompt: str) -> str:
    """Return the template that expands to exactly this prompt."""
    return prompt.replace("{", "{{").replace("}", "}}") if is_template(prompt) else prompt


def insert_snippets(text: str, snippets: Mapping[str, str]) -> str:
    """Return the text with each `@name` of a saved snippet replaced; other words after an @ stay."""
    return SNIPPET_PATTERN.sub(lambda found: snippets.get(found[1], found[0]), text)


def _parse(text: str) -> _Sequence:
    # For each open group, outermost first: its finished alternatives, the current one, and its position.
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
