"""What the job list says in words: its title, and what stands there when no job does."""

from __future__ import annotations

import textwrap

from eternal_tui.core.sanitize import Shown, say, shown
from eternal_tui.tui.job_list.filter import JobFilter
from eternal_tui.tui.terminal.glyphs import UNICODE, Glyphs
from eternal_tui.tui.widgets.cells import Cell, Line, fit

FACET_WORDS = {"attention": "needs attention"}
FIRST = "Nothing here yet. ctrl+n writes a request, ctrl+s sends it."


def title(
    chosen: JobFilter,
    listed: int,
    known: int,
    marked: int = 0,
    order: str = "newest first",
    glyphs: Glyphs = UNICODE,
    *,
    above: int = 0,
) -> Shown:
    """Return what is listed, how many of how many, what is marked, and how many came `above` what is in view."""
    words = [] if chosen.facet == "all" and chosen.terms else [FACET_WORDS.get(chosen.facet, chosen.facet)]
    if chosen.terms:
        words.append(shown(chosen.text.strip(), limit=24))
    parts = [say("Jobs · {words}", words=" ".join(words))]
    if not chosen.everything:
        parts[0] = say("{head} {listed} of {known}", head=parts[0], listed=f"{listed:,}", known=f"{known:,}")
    if order != "newest first":
        parts.append(shown(order))
    if marked:
        parts.append(say("{marked} marked", marked=f"{marked:,}"))
    if above:
        parts.append(say("{above} new above", above=f"{above:,}"))
    return shown(glyphs.text(" · ".join(parts).replace("·", glyphs.dot)))


def empty_lines(chosen: JobFilter, known: int, width: int, glyphs: Glyphs = UNICODE) -> tuple[Line, ...]:
    """Return lines that say why no job is listed and which key helps."""
    if not known:
        sentence = FIRST
    elif chosen.text.strip():
        sentence = say("No job matches '{text}'. esc clears the filter.", text=shown(chosen.text.strip(), limit=60))
    else:
        sentence = say(
            "No job is listed under '{facet}'. f goes on to the next, esc shows all.",
            facet=FACET_WORDS.get(chosen.facet, chosen.facet),
        )
    lines = ["", *textwrap.wrap(sentence, max(8, width - 4))]
    return tuple(
        (Cell(0, width, fit(glyphs.text(f"  {line}"), width, ellipsis=glyphs.ellipsis), "dim"),) for line in lines
    )
