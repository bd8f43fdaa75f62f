"""The history, the form and the cursor that a demo starts with."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

from eternal_tui.api.models import GenerateRequest
from eternal_tui.core.files import JsonStore
from eternal_tui.core.sanitize import UntrustedText
from eternal_tui.drafts.draft import DEMO_DRAFT, Draft
from eternal_tui.drafts.stores import DraftStore, Presets, PresetStore, SnippetStore
from eternal_tui.jobs.model import Job, JobState, to_record, with_event
from eternal_tui.sandbox.settings import SAMPLE_JOBS, SandboxSettings
from eternal_tui.services import Services
from eternal_tui.tui.job_list.index import ListView
from eternal_tui.tui.screens.view_state import ViewState, view_store

T = TypeVar("T")

DEMO_PRESETS = Presets().with_preset("Short video", Draft(type="video", duration=2, audio=False))
DEMO_SNIPPETS = {"light": "soft morning light, light fog"}


def seed_demo(services: Services) -> bool:
    """Add the sample jobs, a draft, a preset and a snippet to a data folder without jobs; tell whether it was one.

    The cursor is on the video, so that `enter` and `p` have something to show.

    The sandbox has the same jobs. All but the unconfirmed one are recorded as running: the first poll finds them
    finished, and their files are downloaded as always.
    """
    if services.history.count():
        return False
    services.history.add_many(map(to_record, _sample_jobs(services)))
    folder = services.data_dir
    _save_new(DraftStore(folder), DEMO_DRAFT)
    _save_new(PresetStore(folder), DEMO_PRESETS)
    _save_new(SnippetStore(folder), DEMO_SNIPPETS)
    _save_new(view_store(folder), ViewState(jobs=ListView(cursor=_VIDEO_ID)))
    return True


def _save_new(store: JsonStore[T], content: T) -> None:
    if not store.path.exists():
        store.save(content)


_VIDEO_ID = 1 + next(place for place, each in enumerate(SAMPLE_JOBS) if each.kind == "video")


def _sample_jobs(services: Services) -> Iterator[Job]:
    now = services.clock.time()
    credits_left = SandboxSettings().credits + sum(sample.cost for sample in SAMPLE_JOBS)
    batches = [each.batch for each in SAMPLE_JOBS]
    for place, sample in enumerate(SAMPLE_JOBS):
        sent_at = now - sample.age_seconds
        is_unconfirmed = sample.state == "unconfirmed"
        request = GenerateRequest(
            character=sample.character,
            prompt=sample.prompt,
            type=sample.kind,
            duration=4 if sample.kind == "video" else None,
            quality="low" if sample.kind == "image" else None,
        )
        job = Job(
            id=0,
            request=request,
            state=JobState.UNCONFIRMED if is_unconfirmed else JobState.RUNNING,
            created_at=sent_at,
            name=UntrustedText(sample.name),
            request_id=None if is_unconfirmed else sample.request_id,
            error=UntrustedText("The response to the request was lost." if is_unconfirmed else ""),
            submitted_at=None if is_unconfirmed else sent_at,
            credits_before=credits_left,
            credits_after=None if is_unconfirmed else credits_left - sample.cost,
            cost=sample.cost,
            service=services.service_name,
            batch=sample.batch,
            batch_index=batches[:place].count(sample.batch) + 1 if sample.batch else None,
            template=sample.template,
        )
        credits_left -= sample.cost
        job = with_event(job, sent_at, "queued")
        yield with_event(job, sent_at + 1, "no response" if is_unconfirmed else "accepted", job.request_id or "")
