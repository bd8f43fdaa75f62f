"""The filter language of the job list: words, "phrases", -negations and facets such as state:failed or since:2d."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable
from datetime import datetime
from operator import attrgetter
from typing import cast

import msgspec

from eternal_tui.core.sanitize import BLOCK_LIMIT, say
from eternal_tui.jobs.model import FileState, Job, JobState
from eternal_tui.tui.job_list.row import state_words

_WORD = r'(?i)(-?)(?:([a-z]+):)?(?:"([^"]*)"?|(\S+))?'
"""Compiled when a filter is typed: a start needs none, and it is the longest pattern of all."""

_SPAN = re.compile(r"(\d{1,6})\s*([smhdw])")
_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}

ATTENTION = frozenset({JobState.FAILED, JobState.REJECTED, JobState.UNCONFIRMED, JobState.STALLED, JobState.LOST})
"""States in which a person may have something to do."""

_RUNNING = frozenset({JobState.SUBMITTING, JobState.RUNNING, JobState.STALLED})


def needs_attention(job: Job) -> bool:
    """Tell whether the job ended badly or waits for a decision, and nobody has settled it yet."""
    if job.dismissed or job.retried_by is not None:
        return False
    return job.state in ATTENTION or job.file_state in (FileState.EXPIRED, FileState.BROKEN)


FACETS: dict[str, Callable[[Job], bool]] = {
    "all": lambda _: True,
    "running": lambda job: job.state in _RUNNING or job.wants_file,
    "done": lambda job: job.state is JobState.SUCCEEDED and not job.wants_file,
    "attention": needs_attention,
}
"""The facets that one key cycles through, in that order."""


def _in_state(state: JobState) -> Callable[[Job], bool]:
    return lambda job: job.state is state


def _reads(word: str) -> Callable[[Job], bool]:
    return lambda job: state_words(job)[0] == word


_STATES: dict[str, Callable[[Job], bool]] = {
    **{str(state): _in_state(state) for state in JobState},
    **{word: _reads(word) for word in ("saved", "fetching", "expired", "broken")},
    **{name: FACETS[name] for name in ("running", "done", "attention")},
}
_TYPES = {"image": "image", "picture": "image", "video": "video", "clip": "video", "character": "character"}
_YES = {"yes": True, "no": False, "true": True, "false": False}


class Term(msgspec.Struct, frozen=True):
    """One condition: a facet's name, or "" for a word, its value in lower case, and whether it is negated."""

    facet: str
    value: str
    negated: bool = False

    def implies(self, other: Term) -> bool:
        """Tell whether what meets this condition certainly meets the other."""
        words = not (self.facet or other.facet or self.negated or other.negated)
        return self == other or (words and other.value in self.value)


class JobFilter(msgspec.Struct, frozen=True):
    """A parsed filter; `problems` are sentences about what could not be read, and those parts are left out."""

    text: str = ""
    terms: tuple[Term, ...] = ()
    problems: tuple[str, ...] = ()
    facet: str = "all"

    @property
    def everything(self) -> bool:
        """Whether no job is left out."""
        return not self.terms and self.facet == "all"

    def within(self, other: JobFilter) -> bool:
        """Tell whether every job that passes here certainly passes `other` too."""
        return self.facet == other.facet and all(any(mine.implies(term) for mine in self.terms) for term in other.terms)

    def matches(self, job: Job, now: float) -> bool:
        """Tell whether the job passes; `now` is in seconds since the epoch."""
        return bool(self.select((job,), now, {job.id: haystack(job)}))

    def select(self, jobs: Iterable[Job], now: float, haystacks: dict[int, str]) -> list[Job]:
        """Return the jobs that pass, in their order; `haystacks` is filled with the texts that were needed."""
        chosen = list(jobs) if self.facet == "all" else [job for job in jobs if FACETS[self.facet](job)]
        for term in sorted(self.terms, key=lambda term: not term.facet):
            if term.facet:
                test = _test(term, now)
                chosen = [job for job in chosen if test(job) is not term.negated]
                continue
            texts = _texts(haystacks, chosen)
            word, found = term.value, not term.negated
            chosen = [job for job, text in zip(chosen, texts, strict=True) if (word in text) is found]
        return chosen


def folded(text: str) -> str:
    """Return `text` as it is compared: compatible forms unified, case folded."""
    return text.lower() if text.isascii() else unicodedata.normalize("NFKC", text).casefold()


def haystack(job: Job) -> str:
    """Return everything of the job that a word may be found in."""
    request = job.request
    prompt = request.prompt[:BLOCK_LIMIT]
    return folded(
        "\n".join((prompt, job.name, request.character, job.request_id or "", job.note, job.error, *job.tags))
    )


def fill(haystacks: dict[int, str], jobs: Iterable[Job]) -> None:
    """Add the texts of those jobs that have none yet."""
    for job in jobs:
        if job.id not in haystacks:
            haystacks[job.id] = haystack(job)


def _texts(haystacks: dict[int, str], jobs: list[Job]) -> list[str]:
    texts = list(map(haystacks.get, map(attrgetter("id"), jobs)))
    if None in texts:
        fill(haystacks, jobs)
        return _texts(haystacks, jobs)
    return cast("list[str]", texts)


def parse(text: str, facet: str = "all") -> JobFilter:
    """Return what `text` asks for; what cannot be read becomes a sentence in `problems`, never an error."""
    terms: list[Term] = []
    problems: list[str] = []
    for found in re.finditer(_WORD, text):
        minus, name, phrase, word = found.groups()
        value = folded(phrase if phrase is not None else word or "").strip()
        name = (name or "").lower()
        # A facet or a minus with nothing behind it is somebody still typing.
        if not value:
            continue
        if problem := _problem(name, value):
            problems.append(problem)
        else:
            terms.append(Term(name, value, bool(minus)))
    return JobFilter(text, tuple(terms), tuple(problems), facet)


def _problem(name: str, value: str) -> str:
    if not name or name in ("char", "tag", "batch"):
        return ""
    if name == "state":
        wrong = [part for part in value.split(",") if part and not _starting(part, _STATES)]
        return (
            say("No state begins with {word}. Try running, done, failed or attention.", word=wrong[0]) if wrong else ""
        )
    if name == "type":
        return "" if _starting(value, _TYPES) else say("{word} is no type. Try type:image or type:video.", word=value)
    if name == "star":
        return "" if _starting(value, _YES) else "star: takes yes or no."
    if name == "since":
        fine = (
            _SPAN.fullmatch(value)
            or value.isdecimal()
            or _date(value) is not None
            or re.fullmatch(r"\d{4}-[\d-]{0,5}", value)
        )
        return "" if fine else say("{word} is no time. Try since:30m, since:2d or since:2025-01-31.", word=value)
    return say(
        "{name}: is no facet. There are state: type: char: since: tag: star: batch: — quote the text to search for it.",
        name=name,
    )


def _starting(value: str, known: Iterable[str]) -> list[str]:
    return [value] if value in known else [word for word in known if word.startswith(value)]


def _test(term: Term, now: float) -> Callable[[Job], bool]:
    value = term.value
    if term.facet == "state":
        tests = [_STATES[word] for part in value.split(",") if part for word in _starting(part, _STATES)]
        return tests[0] if len(tests) == 1 else lambda job: any(test(job) for test in tests)
    if term.facet == "type":
        types = {_TYPES[word] for word in _starting(value, _TYPES)}
        return lambda job: job.request.type in types
    if term.facet == "char":
        return lambda job: job.request.character == value or value in folded(job.name)
    if term.facet == "tag":
        return lambda job: any(folded(tag).startswith(value) for tag in job.tags)
    if term.facet == "batch":
        return lambda job: bool(job.batch) and (value == "any" or job.batch.startswith(value))
    if term.facet == "star":
        wanted = _YES[_starting(value, _YES)[0]]
        return lambda job: job.starred is wanted
    least = _since(value, now)
    return lambda job: job.created_at >= least


def _since(value: str, now: float) -> float:
    if span := _SPAN.fullmatch(value):
        return now - int(span[1]) * _SECONDS[span[2]]
    day = _date(value)
    # A number without its unit, or half a date, is somebody still typing: nothing is left out yet.
    return day.timestamp() if day is not None else float("-inf")


def _date(value: str) -> datetime | None:
    try:
        return datetime.strptime(value, "%Y-%m-%d").astimezone()
    except (ValueError, OverflowError, OSError):
        return None
