"""How jobs run, end and are polled."""

from __future__ import annotations

import math
import re
import statistics
from typing import Any

import httpx
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eternal_tui.sandbox.server import Sandbox
from eternal_tui.sandbox.settings import SandboxSettings
from eternal_tui.sandbox.state import ProgressShape, SandboxState, progress_at
from eternal_tui.sandbox.validation import ParsedRequest
from tests.sandbox.client import TINY_SETTINGS, VIDEO_BODY, api_client, poll, submit


async def test_a_job_runs_and_ends_at_99(sandbox: Sandbox, api: httpx.AsyncClient) -> None:
    request_id = await submit(api)
    first = await poll(api, request_id)
    expected = {"request_id": request_id, "status": "pending", "result_url": "", "effect_type": "image"}
    assert first == expected | {"encrypted_aes_key": "", "progress": first["progress"]}
    seen = []
    while (answer := await poll(api, request_id))["status"] == "pending":
        seen.append(answer["progress"])
        sandbox.advance(1.0)
    assert seen == sorted(seen)
    assert all(isinstance(progress, int) and 0 <= progress < 99 for progress in seen)
    assert answer["status"] == "success"
    assert answer["progress"] == 99
    assert answer["result_url"].startswith(f"{sandbox.cdn_url}/agent_data/")


async def test_a_poll_needs_no_key_but_a_right_one_and_a_known_id(
    sandbox: Sandbox, api: httpx.AsyncClient, cdn: httpx.AsyncClient
) -> None:
    request_id = await submit(api, VIDEO_BODY)
    sandbox.finish(request_id)
    url = f"{sandbox.api_url}/v2/poll-result/{request_id}"
    answer = (await cdn.get(url)).json()
    assert answer["effect_type"] == "video"
    assert re.search(rf"/vid-generated-{request_id}_\d+\.mp4\?", answer["result_url"])
    assert (await cdn.get(url, headers={"x-api-key": "wrong"})).status_code == 401
    unknown = await api.get("/v2/poll-result/453ead2d-a09f-44fb-81df-b37dac9e401a")
    assert (unknown.status_code, unknown.json()["status"], unknown.json()["result"]) == (404, False, None)


async def test_finish_ends_all_and_time_can_be_given() -> None:
    moment = [1_800_000_000.0]
    settings = msgspec.structs.replace(TINY_SETTINGS, clock=lambda: moment[0])
    async with Sandbox(settings) as sandbox, api_client(sandbox) as api:
        ids = [await submit(api) for _ in range(3)]
        assert {(await poll(api, request_id))["status"] for request_id in ids} == {"pending"}
        moment[0] += 3600
        assert (await poll(api, ids[0]))["status"] == "success"
        late = await submit(api)
        assert (await poll(api, late))["status"] == "pending"
        sandbox.finish()
        assert (await poll(api, late))["status"] == "success"
        assert sandbox.requests[0].received_at == 1_800_000_000.0


async def test_one_seed_gives_one_row_of_ids_and_no_seed_gives_others() -> None:
    rows = []
    for seed in (3, 3, 4, None, None):
        async with Sandbox(SandboxSettings(seed=seed)) as sandbox, api_client(sandbox) as api:
            rows.append(tuple([await submit(api) for _ in range(3)]))
    assert rows[0] == rows[1]
    assert len(set(rows)) == 4


@pytest.mark.parametrize(("kind", "median"), [("image", 12.0), ("video", 60.0)])
def test_durations_are_lognormal_around_their_median(kind: Any, median: float) -> None:
    state = SandboxState(SandboxSettings(speed=20.0, seed=1, credits=1e6))
    order = ParsedRequest(character="6870", prompt="x", kind=kind)
    takes = [math.log(state.accept(order).run_seconds * 20) for _ in range(2000)]
    assert abs(statistics.median(takes) - math.log(median)) < 0.05
    assert abs(statistics.stdev(takes) - 0.35) < 0.03


@given(
    st.sampled_from(ProgressShape),
    st.lists(st.floats(min_value=0, max_value=2), min_size=2, max_size=30),
    st.integers(),
)
def test_progress_never_falls_and_never_claims_the_end(shape: ProgressShape, shares: list[float], noise: int) -> None:
    shown = [progress_at(shape, share, str(noise)) for share in sorted(shares)]
    assert shown == sorted(shown)
    assert all(0 <= progress <= 98 for progress in shown)


def test_every_shape_moves() -> None:
    for shape in ProgressShape:
        shown = {progress_at(shape, step / 50, "x") for step in range(51)}
        assert len(shown) >= 5
        assert max(shown) >= 80
