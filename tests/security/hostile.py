"""Jobs whose every word is a stranger's, their neutralised twins, and what may stand in anything that is shown."""

from __future__ import annotations

import random
import re
import unicodedata
from functools import cache
from typing import Any

import msgspec
from rich.cells import cell_len

from eternal_tui.api.models import GenerateRequest
from eternal_tui.core.sanitize import Untrusted, shown, shown_block
from eternal_tui.jobs.model import Event, FileState, Job, JobState, Verdict
from tests.payloads import PAYLOADS, markup_strings

LONGEST = 20
"""Characters of a payload that a screen and its twin are compared with: shorter than every cut on any screen."""

STATES: list[dict[str, Any]] = [
    {"state": JobState.FAILED},
    {"state": JobState.RUNNING, "progress": 40, "owner": "0123abcd"},
    {"state": JobState.UNCONFIRMED, "verdict": Verdict.CHARGED},
    {"state": JobState.SUCCEEDED, "file_state": FileState.SAVED},
    {"state": JobState.REJECTED, "cause": "refused"},
    {"state": JobState.SUCCEEDED, "file_state": FileState.BROKEN},
    {"state": JobState.LOST},
    {"state": JobState.STALLED, "owner": "0123abcd"},
]


def payloads(count: int = 1_000, *, longest: int | None = None) -> list[str]:
    """Return the recorded payloads, then markup, then mixtures of both, the same in every run."""
    chance = random.Random(4)
    pieces = [each for each in PAYLOADS if len(each) < 40]
    found = [*PAYLOADS, *markup_strings(300)]
    while len(found) < count:
        found.append("".join(chance.choices(pieces, k=3)))
    cut = [each if longest is None else each[:longest] for each in found]
    return [each.encode("utf-8", "replace").decode() for each in cut]


_SPACE = re.compile("[\t\x0b\x0c\x1c-\x1f\x85\u2028\u2029]")
"""Space that a line is rid of before it is gated, so that it leaves no sign: the twin would show one."""


@cache
def pieces(count: int = 1_000, *, longest: int = LONGEST) -> tuple[str, ...]:
    """Return that many different payloads, each short enough to be seen whole, without space that leaves no sign."""
    found = (_SPACE.sub("", each.replace("before", "").replace("after", ""))[:longest] for each in payloads(4 * count))
    # Asked about before it was put into one line: half a surrogate pair is a payload too.
    return tuple(each for each in dict.fromkeys((*HALVES, *found)) if each.strip())[:count]


HALVES = ("\ud800", "a\udfffb", "\udc80\ud83d")


def packs(longest: int, count: int = 1_000, *, cut: int = LONGEST) -> list[str]:
    """Return the pieces again, as many to a text as fit into `longest` characters, and cells once gated."""
    found, text, cells = [], "|", 1
    for each in pieces(count, longest=cut):
        # Asked piece by piece: no sign joins another across a bar, and a text asked about whole grows with each.
        more = _cells(f"{each}|")
        if max(len(text) + len(each) + 1, cells + more) > longest:
            found.append(text)
            text, cells = "|", 1
        text, cells = f"{text}{each}|", cells + more
    return [*found, text]


@cache
def _cells(words: str) -> int:
    return cell_len(shown(words))


def job_of(words: str, number: int = 0, **fields: Any) -> Job:
    """Return a job that holds `words` wherever a service, a person or another program can write some."""
    outside = Untrusted(words)
    given: dict[str, Any] = {
        "id": number,
        "request": GenerateRequest(character=words, prompt=words, type="image"),
        "created_at": 1_700_000_000.0 + number,
        "submitted_at": 1_700_000_000.0 + number,
        "service": "elsewhere.example",
        "name": outside,
        "request_id": words,
        "word": outside,
        "trouble": outside,
        "error": outside,
        "verdict_reason": words,
        "result_url": outside,
        "effect_type": outside,
        "file": words,
        # Of its own: jobs of one batch share a line, and two hostile names may have one neutral form.
        "batch": f"{words}{number}",
        "tags": (words,),
        "note": outside,
        "timeline": (Event(1_700_000_000.0, words, outside),),
        **STATES[number % len(STATES)],
        **fields,
    }
    return Job(**given)


def twin_of(job: Job) -> Job:
    """Return the same job with every word already gated."""
    given = {name: _gated(getattr(job, name)) for name in Job.__struct_fields__ if name not in ("id", "request")}
    request = msgspec.structs.replace(
        job.request, character=shown(job.request.character), prompt=shown_block(job.request.prompt)
    )
    return Job(id=job.id, request=request, **given)


def _gated(value: Any) -> Any:
    if type(value) is str:
        return shown(value)
    if isinstance(value, tuple):
        return tuple(_gated(each) for each in value)
    if isinstance(value, Event):
        return Event(value.at, shown(value.what), Untrusted(shown(value.detail)))
    return value


def unsafe(text: str) -> list[str]:
    """Return what in `text` a terminal must not be given; line ends are the program's own."""
    return [line for line in dict.fromkeys(text.split("\n")) if not _calm(line)]


def _calm(line: str) -> bool:
    # The gate leaves alone what it let through once. Where nothing depends on its neighbours, each sign is asked once.
    return all(map(_alone, set(line))) or shown(line, limit=len(line) + 1) == line


@cache
def _alone(character: str) -> bool:
    return shown(character) == character and unicodedata.category(character)[0] != "M"
