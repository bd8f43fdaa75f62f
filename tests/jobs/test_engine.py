"""The whole way of a job through the engine, over real sockets and a real history."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from tinydb import TinyDB

from eternal_tui.api.models import InvalidRequest
from eternal_tui.jobs.errors import CharacterNotAllowed, NoApiKey
from eternal_tui.jobs.model import JobState
from eternal_tui.jobs.submit.submitter import SubmitDetails
from eternal_tui.sandbox.server import Sandbox
from tests.jobs.bench import IMAGE_REQUEST, VIDEO_REQUEST, Bench, Engines, run_engine
from tests.jobs.clock import FakeClock


async def test_a_picture_goes_the_whole_way(bench: Bench) -> None:
    job = await bench.engine.submit(IMAGE_REQUEST, SubmitDetails(character_name="Astrid"))
    assert job.state is JobState.RUNNING
    assert job.request_id == bench.sandbox.charged[0]
    saved = await bench.wait_for_state(job.id, "saved")
    assert saved.progress == 100
    assert saved.file is not None
    assert (bench.engine.results_dir / saved.file).read_bytes().startswith(b"\xff\xd8\xff")
    assert [event.summary for event in saved.timeline] == ["queued", "accepted", "finished", "saved"]
    assert len(bench.sandbox.posts) == 1


async def test_plain_tinydb_reads_every_job_after_a_clean_exit(
    tmp_path: Path, sandbox: Sandbox, clock: FakeClock
) -> None:
    async with run_engine(tmp_path, sandbox, clock=clock) as bench:
        first = await bench.engine.submit(IMAGE_REQUEST)
        await bench.wait_for_state(first.id, "saved")
        await bench.engine.submit(VIDEO_REQUEST)
    with TinyDB(tmp_path / "history.json") as database:
        records = database.table("jobs").all()
    assert [(record["state"], record["request_id"]) for record in records] == [
        ("succeeded", sandbox.charged[0]),
        ("running", sandbox.charged[1]),
    ]


async def test_unfinished_jobs_go_on_after_a_restart_without_a_post(engines: Engines, sandbox: Sandbox) -> None:
    async with engines() as bench:
        ids = [(await bench.engine.submit(request)).id for request in (IMAGE_REQUEST, VIDEO_REQUEST)]
    async with engines() as bench:
        _, clip = [await bench.wait_for_state(job_id, "saved") for job_id in ids]
        assert clip.file_info is not None
        assert clip.file_info.seconds == pytest.approx(1.0, abs=0.2)
    assert len(sandbox.posts) == 2


async def test_invalid_request_or_no_key_sends_and_records_nothing(bench: Bench) -> None:
    with pytest.raises(InvalidRequest):
        await bench.engine.submit(IMAGE_REQUEST.__class__(character="", prompt=" ", type="image"))
    bench.client.has_api_key = False
    with pytest.raises(NoApiKey):
        await bench.engine.submit(IMAGE_REQUEST)
    assert bench.engine.store.newest_first() == []
    assert bench.sandbox.posts == []


async def test_a_character_that_is_not_allowed_sends_and_records_nothing(engines: Engines, sandbox: Sandbox) -> None:
    async def reject(character: str) -> str:
        return f"Character {character} is listed as under 18."

    async with engines(check_character=reject) as bench:
        with pytest.raises(CharacterNotAllowed, match="6870 is listed as under 18"):
            await bench.engine.submit(IMAGE_REQUEST)
        assert bench.engine.store.newest_first() == []
    assert sandbox.posts == []


async def test_undone_a_moment_after_it_was_deleted(bench: Bench) -> None:
    ids = [(await bench.engine.submit(IMAGE_REQUEST)).id for _ in range(3)]
    begun = asyncio.Event()
    unsubscribe = bench.engine.store.subscribe(lambda changed: begun.set() if ids[0] in changed else None)
    deleting = asyncio.create_task(bench.engine.delete(ids))
    await begun.wait()
    unsubscribe()
    assert sorted(await bench.engine.undo_delete()) == sorted(ids)
    await deleting
    assert {job.id for job in bench.engine.store.newest_first()} >= set(ids)
    assert (await bench.engine.load_raw_responses(ids[0]))["submit_answer"]


async def test_a_batch_goes_on_from_its_first_request_to_its_last_file(bench: Bench) -> None:
    ended: list[bool] = []
    bench.engine.events.settled.connect(lambda job: ended.append(bench.engine.active_batches.is_active(job.batch)))
    heard: list[bool] = []
    through = False

    def hear(_: frozenset[int]) -> None:
        done = through and all(job.is_delivered for job in bench.engine.store.newest_first())
        heard.append(done or bench.engine.active_batches.is_active("b"))

    bench.engine.store.subscribe(hear)
    jobs = await bench.engine.submit_many([IMAGE_REQUEST, VIDEO_REQUEST, IMAGE_REQUEST], [SubmitDetails(batch="b")] * 3)
    through = True
    assert bench.engine.active_batches.is_active("b")
    assert not bench.engine.active_batches.is_active("")
    for job in jobs:
        await bench.wait_for_state(job.id, "saved")
    await bench.advance_until(lambda: len(ended) == len(jobs))
    assert ended == [True, True, False]
    assert all(heard)
    assert not bench.engine.active_batches.is_active("b")


async def test_a_job_sent_before_the_characters_were_known_gets_its_name(bench: Bench) -> None:
    unnamed = await bench.engine.submit(IMAGE_REQUEST)
    named = await bench.engine.submit(IMAGE_REQUEST, SubmitDetails(character_name="Astrid, as she was"))
    bench.engine.fill_in_character_names(lambda each: {"6870": "Astrid"}.get(each, ""))
    names = {job.id: job.name for job in bench.engine.store.newest_first()}
    assert names == {unnamed.id: "Astrid", named.id: "Astrid, as she was"}
