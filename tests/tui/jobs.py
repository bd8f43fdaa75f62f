"""Jobs to draw: plain ones, one of every kind, and many."""

from __future__ import annotations

from typing import Any

from eternal_tui.api.models import GenerateRequest, RequestType
from eternal_tui.core.sanitize import UntrustedText
from eternal_tui.jobs.model import FileInfo, FileState, Job, JobState, Verdict

NOW = 1_700_000_000.0


def make_job(
    job_id: int = 1, *, prompt: str = "The person waves and smiles", kind: RequestType = "image", **fields: Any
) -> Job:
    fields.setdefault("name", "Astrid")
    fields.setdefault("created_at", NOW - 60)
    return Job(id=job_id, request=GenerateRequest(character="6870", prompt=prompt, type=kind), **fields)


def charged(cost: float) -> dict[str, Any]:
    """Return the fields of a job whose cost the balances before and after it show."""
    return {"cost": cost, "credits_before": 100.0, "credits_after": 100.0 - cost}


def make_jobs(count: int, *, now: float = NOW) -> list[Job]:
    """Return `count` jobs, newest first: every seventh failed, every eleventh a clip."""
    return [
        make_job(
            job_id,
            prompt=f"Scene number {job_id} with a {('red', 'blue', 'green')[job_id % 3]} umbrella",
            kind="video" if job_id % 11 == 0 else "image",
            state=JobState.FAILED if job_id % 7 == 0 else JobState.SUCCEEDED,
            file_state=None if job_id % 7 == 0 else FileState.SAVED,
            name=UntrustedText(("Astrid", "Elara", "Julia")[job_id % 3]),
            created_at=now - 60.0 * (count - job_id),
            finished_at=now - 60.0 * (count - job_id) + 38,
        )
        for job_id in range(count, 0, -1)
    ]


def jobs_of_every_kind() -> list[Job]:
    """Return a job of every kind that the list distinguishes, newest first."""
    facts = FileInfo(bytes=91_000, width=480, height=720, seconds=4.0)
    kinds: list[dict[str, Any]] = [
        {"state": JobState.SUBMITTING, "prompt": "At the harbour, morning light"},
        {"state": JobState.RUNNING, "progress": 68, "submitted_at": NOW - 41, "kind": "video"},
        {"state": JobState.RUNNING, "progress": 24, "status_text": "rendering", "starred": True, "name": "Elara"},
        {"state": JobState.RUNNING, "progress": 34, "waiting_reason": "service away, next look in 12 s"},
        {"state": JobState.RUNNING, "progress": 50, "watched": False, "prompt": "Playing chess in the park"},
        {"state": JobState.STALLED, "progress": 90, "submitted_at": NOW - 4_000},
        {"state": JobState.UNCONFIRMED, "prompt": "In a rain coat", "kind": "video"},
        {"state": JobState.UNCONFIRMED, "verdict": Verdict.CHARGED, "prompt": "港で本を読む、朝の光、猫が一匹いる"},
        {"state": JobState.UNCONFIRMED, "dismissed": True, "prompt": "Reading in a café"},
        {"state": JobState.SUCCEEDED, "file_state": FileState.PENDING, "progress": 99, "finished_at": NOW - 2},
        {
            "state": JobState.SUCCEEDED, "file_state": FileState.SAVED, "progress": 99, **charged(0.04),
            "finished_at": NOW - 22, "file_info": facts, "name": "Marguerite-Élise",
        },
        {"state": JobState.SUCCEEDED, "file_state": FileState.EXPIRED, **charged(0.2), "finished_at": NOW - 10},
        {"state": JobState.SUCCEEDED, "file_state": FileState.BROKEN, "error": "the file was cut short"},
        {"state": JobState.FAILED, "error": "The prompt could not be drawn.", "cost": 0.2, "finished_at": NOW - 1},
        {"state": JobState.REJECTED, "error": "No credits are left.", "finished_at": NOW - 59},
        {"state": JobState.REJECTED, "cause": "unreachable", "error": "Could not connect.", "finished_at": NOW - 59},
        {"state": JobState.LOST, "finished_at": NOW - 5},
    ]  # fmt: skip
    return [make_job(len(kinds) - place, **kind) for place, kind in enumerate(kinds)]
