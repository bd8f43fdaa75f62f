"""The service's words for the state of a job, documented, seen and plausible."""

from __future__ import annotations

import re
from itertools import pairwise

SUCCESS_WORDS = frozenset({"success", "done", "completed", "succeeded", "successful", "complete", "finished"})
FAILURE_WORDS = frozenset({"failed", "error", "failure", "fail", "errored"})
"""`success`, `done`, `completed`, `failed` and `error` are documented or seen; the others are their other forms."""

PENDING_WORDS = frozenset(
    {
        *("pending", "queued", "queue", "in_queue", "processing", "running", "in_progress", "started", "starting"),
        *("waiting", "submitted", "created", "accepted", "preparing", "generating", "rendering", "scheduled", "active"),
    }
)

_END_WORDS = frozenset(
    {
        *("cancelled", "canceled", "rejected", "moderated", "expired", "timeout", "timedout", "aborted", "blocked"),
        *("refunded", "terminated", "stopped", "killed", "denied", "forbidden", "flagged", "nsfw", "censored"),
        *("filtered", "invalid", "declined", "dropped", "deleted", "removed", "revoked", "crashed", "interrupted"),
        *(
            "abandoned",
            "violated",
            "violation",
            "banned",
            "prohibited",
            "refused",
            "unsupported",
            "discarded",
            "voided",
        ),
        *("withdrawn", "ended", "dead", "failed", "failure", "errored", "error", "unsafe", "lost", "disallowed"),
    }
)
"""English words for an end, alone or as a part, as in `content_moderated`: with a reason beside it, a failure."""

_STILL_ALIVE_WORDS = frozenset({"not", "no", "non", "un", "never", "retry", "retrying", "retried", "recovering", "pre"})


def is_success_word(word: str) -> bool:
    """Tell whether `word` says that a job is finished."""
    return word.casefold() in SUCCESS_WORDS


def is_failure_word(word: str) -> bool:
    """Tell whether `word` alone says that a job has failed."""
    return word.casefold() in FAILURE_WORDS


def is_pending_word(word: str) -> bool:
    """Tell whether `word` says in so many words that a job goes on."""
    return re.sub(r"[\s-]+", "_", word.casefold()) in PENDING_WORDS


def is_end_word(word: str) -> bool:
    """Tell whether `word` means in English that a job has ended without a result."""
    parts = re.findall("[a-z]+", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", word).casefold())
    joined = {"".join(pair) for pair in pairwise(parts)}
    return bool(_END_WORDS & {*parts, *joined}) and not _STILL_ALIVE_WORDS & set(parts)
