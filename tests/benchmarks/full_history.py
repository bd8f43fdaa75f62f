"""A data folder with many jobs in its history, as years of use would leave it."""

from __future__ import annotations

import time
from pathlib import Path

from eternal_tui.api.models import GenerateRequest
from eternal_tui.core.sanitize import UntrustedText
from eternal_tui.history.history import History
from eternal_tui.jobs.model import FileInfo, FileState, Job, JobState, TimelineEvent, to_record

PLACES = ("at the harbour", "in the library", "on a mountain path", "in a sunlit kitchen", "under a street lamp")
DOINGS = ("reads a letter", "waves and smiles", "plays chess", "waters the plants", "ties a scarf")
NAMES = ("Astrid", "Elara", "Julia", "Marguerite", "Tomas")


def ended_job(number: int, count: int, now: float) -> Job:
    """Return one of `count` jobs, an hour apart, every ninth failed, every fifth a clip."""
    begun = now - 3600.0 * (count - number + 1)
    failed, clip = number % 9 == 0, number % 5 == 0
    place, doing = PLACES[number % 5], DOINGS[number // 5 % 5]
    return Job(
        id=number,
        request=GenerateRequest(
            character=str(6800 + number % 40),
            prompt=f"Take {number}: she {doing} {place}, morning light, seen from the left",
            type="video" if clip else "image",
            duration=4 if clip else None,
            quality=None if clip else "low",
        ),
        state=JobState.FAILED if failed else JobState.SUCCEEDED,
        created_at=begun,
        name=UntrustedText(NAMES[number % 5]),
        request_id=f"7c9e6679-7425-40de-944b-{number:012x}",
        status_text=UntrustedText("failed" if failed else "success"),
        progress=60 if failed else 99,
        error=UntrustedText("The prompt could not be drawn." if failed else ""),
        submitted_at=begun + 0.4,
        finished_at=begun + 38.2,
        credits_before=900.0,
        credits_after=899.9,
        cost=0.1,
        result_url=None
        if failed
        else UntrustedText(f"https://cdn.eternalai.org/results/{number:012x}.mp4?sig={number:064x}"),
        effect_type=UntrustedText("video" if clip else "image"),
        file=None if failed else f"{number:06d}-{NAMES[number % 5].lower()}.{'mp4' if clip else 'jpg'}",
        file_state=None if failed else FileState.SAVED,
        file_info=None if failed else FileInfo(bytes=0, width=480, height=720, codec="h264"),
        owner="an-earlier-run",
        service="open.eternalai.org",
        polls=4,
        timeline=(
            TimelineEvent(begun, "sent"),
            TimelineEvent(begun + 0.4, "accepted"),
            TimelineEvent(begun + 9.0, "said", UntrustedText("processing")),
            TimelineEvent(begun + 38.2, "ended", UntrustedText("success")),
            TimelineEvent(begun + 39.0, "saved"),
        ),
    )


def fill(folder: Path, count: int, *, now: float | None = None) -> None:
    """Write `count` ended jobs into the history of a folder, folded as a closed app leaves it."""
    now = time.time() if now is None else now
    history = History.open(folder)
    for start in range(1, count + 1, 5_000):
        history.add_many(
            to_record(ended_job(number, count, now)) for number in range(start, min(start + 5_000, count + 1))
        )
    history.close(compact=True)
