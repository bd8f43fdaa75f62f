"""The filter language of the app's list, its palette and `jobs`: words, "phrases", -negations and key:value terms."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from operator import eq, ge, gt, le, lt
from typing import TypeVar

import msgspec

from eternal_tui.core.sanitize import MAX_BLOCK_CHARS, format_safe, join_safe, sanitize
from eternal_tui.jobs.billing.statistics import day_bounds
from eternal_tui.jobs.formatting import state_label
from eternal_tui.jobs.model import POLLED_STATES, UNFINISHED_STATES, FileState, Job, JobState

_TERM_PATTERN = r'(?i)(-?)(?:([a-z]+):)?(?:"([^"]*)"?|(\S+))?'
"""Compiled when a filter is typed: a start needs none, and it is the longest pattern of all."""

_AGE_PATTERN = re.compile(r"(\d{1,6})\s*([smhdw])")
_UNIT_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_RATING_PATTERN = re.compile(r"(<=|>=|<|>|)(-?\d)")
_COMPARISONS: dict[str, Callable[[int, int], bool]] = {"": eq, "<": lt, "<=": le, ">": gt, ">=": ge}

T = TypeVar("T")

ATTENTION_STATES = frozenset(
    {JobState.FAILED, JobState.REJECTED, JobState.UNCONFIRMED, JobState.STALLED, JobState.LOST}
)
"""States in which the user may have something to do."""


class FilterError(ValueError):
    """A filter that cannot be read; the message names the error and the correct form."""


def needs_attention(job: Job) -> bool:
    """Tell whether the job ended badly or waits for a decision, and was neither retried nor dismissed."""
    if job.dismissed or job.retried_by is not None:
        return False
    return job.state in ATTENTION_STATES or job.file_state in (FileState.EXPIRED, FileState.BROKEN)


FACETS: dict[str, Callable[[Job], bool]] = {
    "all": lambda _: True,
    "unfinished": lambda job: job.state in UNFINISHED_STATES or job.needs_download,
    "done": lambda job: job.state is JobState.SUCCEEDED,
    "attention": needs_attention,
}
"""The facets that one key cycles through, in that order; all but the first are values of `state:` too."""


def _has_label(label: str) -> Callable[[Job], bool]:
    return lambda job: state_label(job) == label


_STATE_TESTS: dict[str, Callable[[Job], bool]] = {
    **{str(state): _has_label(state) for state in (*JobState, *FileState)},
    **{label: _has_label(label) for label in ("fetching", "created", "unsent")},
    # As the header counts them: a stalled job is still running, whatever became of its file a done one is done.
    "running": lambda job: job.state in POLLED_STATES,
    "succeeded": FACETS["done"],
    "pending": lambda job: job.needs_download,
    **{name: FACETS[name] for name in ("unfinished", "done", "attention")},
}
_RESULT_LABELS = frozenset({"fetching", "created", *(str(state) for state in FileState)})
_STATE_WORDS = {
    **{label: frozenset({label}) for label in (*(str(state) for state in JobState), *_RESULT_LABELS, "unsent")},
    "done": _RESULT_LABELS,
    "sending": frozenset({str(JobState.SUBMITTING)}),
    "charged?": frozenset({str(JobState.UNCONFIRMED)}),
}
"""The words that lists show for states, with the state labels of the jobs they find."""

_TYPES = {"image": "image", "picture": "image", "video": "video", "clip": "video", "character": "character"}
_YES_NO = {"yes": True, "no": False, "true": True, "false": False}
_KEYS = {"char": "character"}
"""Short forms of keys."""

KEYS = (
    "state", "type", "character", "since", "until", "tag", "star", "rating", "batch", "template", "account"
)  # fmt: skip
SYNTAX_EXAMPLES = "state:failed type:video character:astrid since:2d tag:poster star:yes"


class FilterTerm(msgspec.Struct, frozen=True):
    """One condition: a key, or "" for a word; the values of which one is enough, in lower case."""

    key: str
    values: tuple[str, ...]
    negated: bool = False


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

    def matches(self, job: Job, now: float) -> bool:
        """Tell whether the job passes; `now` is in seconds since the epoch."""
        return bool(self.select((job,), now, {}))

    def select(self, jobs: Iterable[Job], now: float, search_texts: dict[int, str]) -> list[Job]:
        """Return the jobs that pass, in their order; `search_texts` is filled with the texts that were needed."""
        chosen = list(jobs) if self.facet == "all" else [job for job in jobs if FACETS[self.facet](job)]
        for term in sorted(self.terms, key=lambda term: not term.key):
            if term.key:
                tests = [_value_test(term.key, value, now) for value in term.values]
                chosen = [job for job in chosen if any(test(job) for test in tests) is not term.negated]
                continue
            prebuild_search_texts(search_texts, chosen)
            word, found = term.values[0], not term.negated
            labels = frozenset[str]().union(*(each for name, each in _STATE_WORDS.items() if name.startswith(word)))
            chosen = [
                job
                for job in chosen
                if (word in search_texts[job.id] or (bool(labels) and state_label(job) in labels)) is found
            ]
        return chosen


def normalize_text(text: str) -> str:
    """Return `text` as it is compared: compatible forms unified, case folded."""
    return text.lower() if text.isascii() else unicodedata.normalize("NFKC", text).casefold()


def search_text(job: Job) -> str:
    """Return everything of the job that a word may be found in."""
    request = job.request
    prompt = request.prompt[:MAX_BLOCK_CHARS]
    return normalize_text(
        "\n".join(
            (prompt, job.name, request.character, request.type, job.request_id or "", job.note, job.error, *job.tags)
        )
    )


def prebuild_search_texts(search_texts: dict[int, str], jobs: Iterable[Job]) -> None:
    """Add the texts of those jobs that have none yet."""
    for job in jobs:
        if job.id not in search_texts:
            search_texts[job.id] = search_text(job)


def compile_filter(*texts: str, now: float) -> Callable[[Job], bool]:
    """Return the test of jobs that these filters together ask for; raise FilterError where one cannot be read.

    Unlike `parse_filter` it accepts nothing half typed: `since:2` and `state:` are errors.
    """
    parsed = parse_filter(" ".join(texts), is_complete=True)
    if parsed.errors:
        raise FilterError(parsed.errors[0])
    return lambda job: parsed.matches(job, now)


def parse_filter(text: str, facet: str = "all", *, is_complete: bool = False) -> JobFilter:
    """Return what `text` asks for; what cannot be read becomes a sentence in `errors`, never an exception.

    Unless `is_complete`, what may still be being typed leaves no job out.
    """
    terms: list[FilterTerm] = []
    errors: list[str] = []
    for found in re.finditer(_TERM_PATTERN, text):
        minus, name, phrase, word = found.groups()
        value = normalize_text(phrase if phrase is not None else word or "").strip()
        key = _KEYS.get((name or "").lower(), (name or "").lower())
        values = tuple(part for part in value.split(",") if part) if key and phrase is None else (value,)
        if not value or not values:
            if key and is_complete:
                errors.append(format_safe("{key}: has no value. Write {key}:VALUE.", key=key))
            continue
        try:
            for each in values if key else ():
                _value_test(key, each, 1e6, is_complete=is_complete)
        except FilterError as error:
            errors.append(str(error))
        else:
            terms.append(FilterTerm(key, values, bool(minus)))
    return JobFilter(text, tuple(terms), tuple(errors), facet)


def _value_test(key: str, value: str, now: float, *, is_complete: bool = False) -> Callable[[Job], bool]:
    """Return the test of a value; raise FilterError for one that cannot be read.

    Unless `is_complete`, every job passes one that may still be being typed, such as a number without its unit.
    """
    match key:
        case "state":
            tests = _choices(key, value, _STATE_TESTS)
            return tests[0] if len(tests) == 1 else lambda job: any(test(job) for test in tests)
        case "type":
            types = _choices(key, value, _TYPES)
            return lambda job: job.request.type in types
        case "star":
            wanted = _choices(key, value, _YES_NO)[0]
            return lambda job: job.starred is wanted
        case "rating":
            if found := _RATING_PATTERN.fullmatch("-1" if value == "rejected" else value):
                compare, number = _COMPARISONS[found[1]], int(found[2])
                return lambda job: compare(job.rating, number)
            is_half_typed = value in "<>="
            problem = format_safe("Unknown rating {value}. Use rating:3, rating:>=3.", value=value)
        case "since" | "until":
            if bounds := _day_or_age(value, now):
                begin, end = bounds
                return (lambda job: job.created_at >= begin) if key == "since" else (lambda job: job.created_at < end)
            is_half_typed = bool(
                value.isdecimal() or re.fullmatch(r"\d{4}-[\d-]{0,5}", value) or "today".startswith(value)
            )
            problem = format_safe(
                "Unknown time {value}. Use {key}:30m, {key}:2d, {key}:today or {key}:2025-01-31.", value=value, key=key
            )
        case _ if key in _TEXT_TESTS:
            return lambda job: _TEXT_TESTS[key](job, value)
        case _:
            is_half_typed, known = False, join_safe(" ", *(sanitize(f"{name}:") for name in KEYS))
            problem = format_safe(
                'Unknown filter {key}:. Use {known}, or quote the text: "{key}:…"', key=key, known=known
            )
    if is_half_typed and not is_complete:
        return lambda _: True
    raise FilterError(problem)


def _choices(key: str, value: str, known: Mapping[str, T]) -> list[T]:
    """Return the values of the word, or of every word that begins with it; raise FilterError where none does."""
    found = [known[value]] if value in known else [known[word] for word in known if word.startswith(value)]
    if not found:
        raise FilterError(
            format_safe("Unknown {key} {value}. Use {known}.", key=key, value=value, known=", ".join(known))
        )
    return found


def _is_character(job: Job, value: str) -> bool:
    if value.startswith("="):
        return value[1:] in (job.request.character, normalize_text(job.name))
    return job.request.character == value or value in normalize_text(job.name)


def _starts_with(text: str, value: str) -> bool:
    """Tell whether the text starts with the value, or is the whole of one written with = before it."""
    return text == value[1:] if value.startswith("=") else text.startswith(value)


_TEXT_TESTS: dict[str, Callable[[Job, str], bool]] = {
    "character": _is_character,
    "tag": lambda job, value: any(_starts_with(normalize_text(tag), value) for tag in job.tags),
    "batch": lambda job, value: bool(job.batch) and (value == "any" or job.batch.startswith(value)),
    "template": lambda job, value: bool(job.template) and (value == "any" or value in normalize_text(job.template)),
    "account": lambda job, value: bool(job.account) and job.account.startswith(value),
}


def _day_or_age(value: str, now: float) -> tuple[float, float] | None:
    """Return the begin and end of a local day, or twice the moment of an age; None for neither."""
    if age := _AGE_PATTERN.fullmatch(value):
        moment = now - int(age[1]) * _UNIT_SECONDS[age[2]]
        return moment, moment
    try:
        if value in ("today", "yesterday"):
            today = day_bounds(now)
            return today if value == "today" else day_bounds(today[0] - 1)
        return day_bounds(datetime.strptime(value, "%Y-%m-%d").astimezone().timestamp())
    except (ValueError, OverflowError, OSError):
        return None
