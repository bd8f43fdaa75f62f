"""Jobs of hostile text, their sanitized twins, and a check of what is shown."""

from __future__ import annotations

import random
import re
import unicodedata
from functools import cache
from typing import Any

import msgspec
from rich.cells import cell_len

from eternal_tui.api.models import GenerateRequest
from eternal_tui.core.sanitize import UntrustedText, sanitize, sanitize_block
from eternal_tui.jobs.model import FileState, Job, JobState, TimelineEvent, Verdict
from tests.payloads import PAYLOADS, make_markup_strings

MAX_PIECE_CHARS = 20
"""Characters of a payload that a screen and its twin are compared with: shorter than every cut on any screen."""

JOB_STATES: list[dict[str, Any]] = [
    {"state": JobState.FAILED},
    {"state": JobState.RUNNING, "progress": 40, "owner": "0123abcd"},
    {"state": JobState.UNCONFIRMED, "verdict": Verdict.CHARGED},
    {"state": JobState.SUCCEEDED, "file_state": FileState.SAVED},
    {"state": JobState.REJECTED, "cause": "refused"},
    {"state": JobState.SUCCEEDED, "file_state": FileState.BROKEN},
    {"state": JobState.LOST},
    {"state": JobState.STALLED, "owner": "0123abcd"},
]


def make_payloads(count: int = 1_000, *, max_chars: int | None = None) -> list[str]:
    """Return the recorded payloads, then markup, then mixtures of both, the same in every run."""
    chance = random.Random(4)
    pieces = [each for each in PAYLOADS if len(each) < 40]
    found = [*PAYLOADS, *make_markup_strings(300)]
    while len(found) < count:
        found.append("".join(chance.choices(pieces, k=3)))
    cut = [each if max_chars is None else each[:max_chars] for each in found]
    return [each.encode("utf-8", "replace").decode() for each in cut]


_SPACE_PATTERN = re.compile("[\t\x0b\x0c\x1c-\x1f\x85\u2028\u2029]")
"""Space that a line is rid of before it is gated, so that it leaves no sign: the twin would show one."""


@cache
def payload_pieces(max_chars: int = MAX_PIECE_CHARS) -> tuple[str, ...]:
    """Return a thousand different payloads, each short enough to be seen whole, without space that leaves no sign."""
    found = (
        _SPACE_PATTERN.sub("", each.replace("before", "").replace("after", ""))[:max_chars]
        for each in make_payloads(4_000)
    )
    # Asked about before it was put into one line: half a surrogate pair is a payload too.
    return tuple(each for each in dict.fromkeys((*LONE_SURROGATES, *found)) if each.strip())[:1_000]


LONE_SURROGATES = ("\ud800", "a\udfffb", "\udc80\ud83d")


def pack_payloads(max_width: int) -> list[str]:
    """Return the pieces again, as many to a text as fit into `max_width` characters, and cells once gated."""
    found, text, cells = [], "|", 1
    for each in payload_pieces():
        # Asked piece by piece: no sign joins another across a bar, and a text asked about whole grows with each.
        more = _cell_width(f"{each}|")
        if max(len(text) + len(each) + 1, cells + more) > max_width:
            found.append(text)
            text, cells = "|", 1
        text, cells = f"{text}{each}|", cells + more
    return [*found, text]


@cache
def _cell_width(words: str) -> int:
    return cell_len(sanitize(words))


def hostile_job(text: str, number: int = 0, **fields: Any) -> Job:
    """Return a job that holds `text` in every field that a service, a user or another program can write."""
    outside = UntrustedText(text)
    given: dict[str, Any] = {
        "id": number,
        "request": GenerateRequest(character=text, prompt=text, type="image"),
        "created_at": 1_700_000_000.0 + number,
        "submitted_at": 1_700_000_000.0 + number,
        "service": "elsewhere.example",
        "name": outside,
        "request_id": text,
        "status_text": outside,
        "waiting_reason": outside,
        "error": outside,
        "verdict_reason": text,
        "result_url": outside,
        "effect_type": outside,
        "file": text,
        # Of its own: jobs of one batch share a line, and two hostile names may have one neutral form.
        "batch": f"{text}{number}",
        "tags": (text,),
        "note": outside,
        "timeline": (TimelineEvent(1_700_000_000.0, text, outside),),
        **JOB_STATES[number % len(JOB_STATES)],
        **fields,
    }
    return Job(**given)


def sanitized_twin(job: Job) -> Job:
    """Return the same job with every word already gated."""
    given = {
        name: _sanitize_value(getattr(job, name)) for name in Job.__struct_fields__ if name not in ("id", "request")
    }
    request = msgspec.structs.replace(
        job.request, character=sanitize(job.request.character), prompt=sanitize_block(job.request.prompt)
    )
    return Job(id=job.id, request=request, **given)


def _sanitize_value(value: Any) -> Any:
    if type(value) is str:
        return sanitize(value)
    if isinstance(value, tuple):
        return tuple(_sanitize_value(each) for each in value)
    if isinstance(value, TimelineEvent):
        return TimelineEvent(value.at, sanitize(value.summary), UntrustedText(sanitize(value.detail)))
    return value


def find_unsafe_lines(text: str) -> list[str]:
    """Return what in `text` a terminal must not be given; line ends are the program's own."""
    return [line for line in dict.fromkeys(text.split("\n")) if not _is_safe_line(line)]


def _is_safe_line(line: str) -> bool:
    # The gate leaves alone what it let through once. Where nothing depends on its neighbours, each sign is asked once.
    return all(map(_is_safe_character, set(line))) or sanitize(line, limit=len(line) + 1) == line


@cache
def _is_safe_character(character: str) -> bool:
    return sanitize(character) == character and unicodedata.category(character)[0] != "M"
