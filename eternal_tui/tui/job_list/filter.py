"""The filter language of the job list: words, "phrases", -negations and facets such as state:failed or since:2d."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable
from datetime import datetime
from operator import attrgetter
from typing import cast

import msgspec

from eternal_tui.core.sanitize import MAX_BLOCK_CHARS, format_safe
from eternal_tui.jobs.model import FileState, Job, JobState
from eternal_tui.tui.job_list.row import state_labels

_TERM_PATTERN = r'(?i)(-?)(?:([a-z]+):)?(?:"([^"]*)"?|(\S+))?'
"""Compiled when a filter is typed: a start needs none, and it is the longest pattern of all."""

_AGE_PATTERN = re.compile(r"(\d{1,6})\s*([smhdw])")
_UNIT_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}

ATTENTION_STATES = frozenset(
    {JobState.FAILED, JobState.REJECTED, JobState.UNCONFIRMED, JobState.STALLED, JobState.LOST}
)
"""States in which a person may have something to do."""

_RUNNING_STATES = frozenset({JobState.SUBMITTING, JobState.RUNNING, JobState.STALLED})


def needs_attention(job: Job) -> bool:
    """Tell whether the job ended badly or waits for a decision, and nobody has settled it yet."""
    if job.dismissed or job.retried_by is not None:
        return False
    return job.state in ATTENTION_STATES or job.file_state in (FileState.EXPIRED, FileState.BROKEN)


FACETS: dict[str, Callable[[Job], bool]] = {
    "all": lambda _: True,
    "running": lambda job: job.state in _RUNNING_STATES or job.needs_download,
    "done": lambda job: job.state is JobState.SUCCEEDED and not job.needs_download,
    "attention": needs_attention,
}
"""The facets that one key cycles through, in that order."""


def _has_state(state: JobState) -> Callable[[Job], bool]:
    return lambda job: job.state is state


def _has_state_label(label: str) -> Callable[[Job], bool]:
    return lambda job: state_labels(job)[0] == label


_STATE_TESTS: dict[str, Callable[[Job], bool]] = {
    **{str(state): _has_state(state) for state in JobState},
    **{word: _has_state_label(word) for word in ("saved", "fetching", "expired", "broken")},
    **{name: FACETS[name] for name in ("running", "done", "attention")},
}
_TYPE_ALIASES = {"image": "image", "picture": "image", "video": "video", "clip": "video", "character": "character"}
_YES_NO_WORDS = {"yes": True, "no": False, "true": True, "false": False}


class FilterTerm(msgspec.Struct, frozen=True):
    """One condition: a facet's name, or "" for a word, its value in lower case, and whether it is negated."""

    field: str
    value: str
    negated: bool = False

    def implies(self, other: FilterTerm) -> bool:
        """Tell whether what meets this condition certainly meets the other."""
        words = not (self.field or other.field or self.negated or other.negated)
        return self == other or (words and other.value in self.value)


class JobFilter(msgspec.Struct, frozen=True):
    """A parsed filter; `errors` are sentences about what could not be read, and those parts are left out."""

    text: str = ""
    terms: tuple[FilterTerm, ...] = ()
    errors: tuple[str, ...] = ()
    facet: str = "all"

    @property
    def is_empty(self) -> bool:
        """Whether no job is left out."""
        return not self.terms and self.facet == "all"

    def is_narrower_than(self, other: JobFilter) -> bool:
        """Tell whether every job that passes here certainly passes `other` too."""
        return self.facet == other.facet and all(any(mine.implies(term) for mine in self.terms) for term in other.terms)

    def matches(self, job: Job, now: float) -> bool:
        """Tell whether the job passes; `now` is in seconds since the epoch."""
        return bool(self.select((job,), now, {job.id: search_text(job)}))

    def select(self, jobs: Iterable[Job], now: float, search_texts: dict[int, str]) -> list[Job]:
        """Return the jobs that pass, in their order; `search_texts` is filled with the texts that were needed."""
        chosen = list(jobs) if self.facet == "all" else [job for job in jobs if FACETS[self.facet](job)]
        for term in sorted(self.terms, key=lambda term: not term.field):
            if term.field:
                test = _term_test(term, now)
                chosen = [job for job in chosen if test(job) is not term.negated]
                continue
            texts = _get_search_texts(search_texts, chosen)
            word, found = term.value, not term.negated
            chosen = [job for job, text in zip(chosen, texts, strict=True) if (word in text) is found]
        return chosen


def normalize_text(text: str) -> str:
    """Return `text` as it is compared: compatible forms unified, case folded."""
    return text.lower() if text.isascii() else unicodedata.normalize("NFKC", text).casefold()


def search_text(job: Job) -> str:
    """Return everything of the job that a word may be found in."""
    request = job.request
    prompt = request.prompt[:MAX_BLOCK_CHARS]
    return normalize_text(
        "\n".join((prompt, job.name, request.character, job.request_id or "", job.note, job.error, *job.tags))
    )


def prebuild_search_texts(search_texts: dict[int, str], jobs: Iterable[Job]) -> None:
    """Add the texts of those jobs that have none yet."""
    for job in jobs:
        if job.id not in search_texts:
            search_texts[job.id] = search_text(job)


def _get_search_texts(search_texts: dict[int, str], jobs: list[Job]) -> list[str]:
    texts = list(map(search_texts.get, map(attrgetter("id"), jobs)))
    if None in texts:
        prebuild_search_texts(search_texts, jobs)
        return _get_search_texts(search_texts, jobs)
    return cast("list[str]", texts)


def parse_filter(text: str, facet: str = "all") -> JobFilter:
    """Return what `text` asks for; what cannot be read becomes a sentence in `errors`, never an error."""
    terms: list[FilterTerm] = []
    problems: list[str] = []
    for found in re.finditer(_TERM_PATTERN, text):
        minus, name, phrase, word = found.groups()
        value = normalize_text(phrase if phrase is not None else word or "").strip()
        name = (name or "").lower()
        # A facet or a minus with nothing behind it is somebody still typing.
        if not value:
            continue
        if problem := _term_error(name, value):
            problems.append(problem)
        else:
            terms.append(FilterTerm(name, value, bool(minus)))
    return JobFilter(text, tuple(terms), tuple(problems), facet)


def _term_error(field: str, value: str) -> str:
    if not field or field in ("char", "tag", "batch"):
        return ""
    if field == "state":
        wrong = [part for part in value.split(",") if part and not _names_starting_with(part, _STATE_TESTS)]
        return (
            format_safe("No state begins with {word}. Try running, done, failed or attention.", word=wrong[0])
            if wrong
            else ""
        )
    if field == "type":
        return (
            ""
            if _names_starting_with(value, _TYPE_ALIASES)
            else format_safe("{word} is no type. Try type:image or type:video.", word=value)
        )
    if field == "star":
        return "" if _names_starting_with(value, _YES_NO_WORDS) else "star: takes yes or no."
    if field == "since":
        fine = (
            _AGE_PATTERN.fullmatch(value)
            or value.isdecimal()
            or _parse_date(value) is not None
            or re.fullmatch(r"\d{4}-[\d-]{0,5}", value)
        )
        return (
            "" if fine else format_safe("{word} is no time. Try since:30m, since:2d or since:2025-01-31.", word=value)
        )
    return format_safe(
        "{name}: is no facet. There are state: type: char: since: tag: star: batch: — quote the text to search for it.",
        name=field,
    )


def _names_starting_with(value: str, known: Iterable[str]) -> list[str]:
    return [value] if value in known else [word for word in known if word.startswith(value)]


def _term_test(term: FilterTerm, now: float) -> Callable[[Job], bool]:
    value = term.value
    if term.field == "state":
        tests = [
            _STATE_TESTS[word] for part in value.split(",") if part for word in _names_starting_with(part, _STATE_TESTS)
        ]
        return tests[0] if len(tests) == 1 else lambda job: any(test(job) for test in tests)
    if term.field == "type":
        types = {_TYPE_ALIASES[word] for word in _names_starting_with(value, _TYPE_ALIASES)}
        return lambda job: job.request.type in types
    if term.field == "char":
        return lambda job: job.request.character == value or value in normalize_text(job.name)
    if term.field == "tag":
        return lambda job: any(normalize_text(tag).startswith(value) for tag in job.tags)
    if term.field == "batch":
        return lambda job: bool(job.batch) and (value == "any" or job.batch.startswith(value))
    if term.field == "star":
        wanted = _YES_NO_WORDS[_names_starting_with(value, _YES_NO_WORDS)[0]]
        return lambda job: job.starred is wanted
    least = _since_timestamp(value, now)
    return lambda job: job.created_at >= least


def _since_timestamp(value: str, now: float) -> float:
    if span := _AGE_PATTERN.fullmatch(value):
        return now - int(span[1]) * _UNIT_SECONDS[span[2]]
    day = _parse_date(value)
    # A number without its unit, or half a date, is somebody still typing: nothing is left out yet.
    return day.timestamp() if day is not None else float("-inf")


def _parse_date(value: str) -> datetime | None:
    try:
        return datetime.strptime(value, "%Y-%m-%d").astimezone()
    except (ValueError, OverflowError, OSError):
        return None
