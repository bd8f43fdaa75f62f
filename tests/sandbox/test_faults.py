"""Every fault, at every place it can strike."""

from __future__ import annotations

import io
import json

import httpx
import msgspec
import pytest
from PIL import Image, UnidentifiedImageError

from eternal_tui.sandbox.faults import (
    Fault,
    FaultPlace,
    FaultPlan,
    FaultRule,
    allowed_places,
    default_places,
    parse_rule,
)
from eternal_tui.sandbox.server import Sandbox
from eternal_tui.sandbox.settings import seeded_rng
from tests.sandbox.client import IMAGE_BODY, TINY_SETTINGS, VIDEO_BODY, api_client, finish_job, poll, submit

GENERATE_PATH = "/v2/base/generate"
DISCONNECT_ERRORS = (httpx.RemoteProtocolError, httpx.ReadError)


@pytest.mark.parametrize(("fault", "charges"), [(Fault.LOST_ANSWER, 1), (Fault.DROP_BEFORE, 0)])
async def test_a_dropped_connection_is_charged_only_after_the_request(
    sandbox: Sandbox, api: httpx.AsyncClient, fault: Fault, charges: int
) -> None:
    sandbox.inject(fault)
    with pytest.raises(DISCONNECT_ERRORS):
        await api.post(GENERATE_PATH, json=IMAGE_BODY)
    assert len(sandbox.charged) == charges
    assert (sandbox.posts[0].status, bool(sandbox.posts[0].body)) == (None, charges == 1)
    await submit(api)


@pytest.mark.parametrize("place", [FaultPlace.POST, FaultPlace.POLL, FaultPlace.CDN, FaultPlace.LIST])
@pytest.mark.parametrize(
    ("fault", "status"),
    [(Fault.RATE_LIMITED, 429), (Fault.SERVER_ERROR, 500), (Fault.HTML_502, 502), (Fault.REDIRECT, 302)],
)
async def test_refusals_at_every_place(
    sandbox: Sandbox, api: httpx.AsyncClient, cdn: httpx.AsyncClient, fault: Fault, status: int, place: FaultPlace
) -> None:
    link = await finish_job(sandbox, api)
    request_id = sandbox.charged[0]
    sandbox.inject(fault, on=place, times=2)
    for expected in (status, status, 200):
        match place:
            case FaultPlace.POST:
                answer = await api.post(GENERATE_PATH, json=IMAGE_BODY)
            case FaultPlace.CDN:
                answer = await cdn.get(link)
            case _:
                path = "characters" if place is FaultPlace.LIST else f"poll-result/{request_id}"
                answer = await api.get(f"/v2/{path}")
        assert answer.status_code == expected
        assert answer.headers.get("retry-after") == ("2" if expected == 429 else None)
        assert (answer.headers.get("content-type") == "text/html; charset=utf-8") == (expected == 502)
    assert len(sandbox.charged) == (2 if place is FaultPlace.POST else 1)


@pytest.mark.parametrize("written", ["Wed, 21 Oct 2037 07:28:00 GMT", "NaN", ""])
async def test_retry_after_is_any_text(written: str) -> None:
    settings = msgspec.structs.replace(TINY_SETTINGS, retry_after=written)
    async with Sandbox(settings) as sandbox, api_client(sandbox) as api:
        sandbox.inject(Fault.RATE_LIMITED)
        answer = await api.post(GENERATE_PATH, json=IMAGE_BODY)
        assert answer.headers.get("retry-after", "") == written


async def test_redirects_lead_to_another_origin_that_sees_leaked_keys(sandbox: Sandbox, api: httpx.AsyncClient) -> None:
    """Even httpx carries x-api-key along: this is the leak a client must prevent."""
    sandbox.inject(Fault.REDIRECT)
    answer = await api.post(GENERATE_PATH, json=IMAGE_BODY, follow_redirects=True)
    assert answer.json()["request_id"] == "from-elsewhere"
    assert [call.path for call in sandbox.leaks] == [f"/elsewhere{GENERATE_PATH}"]
    assert sandbox.charged == []


@pytest.mark.parametrize(
    "fault", [Fault.CHARGED_502, Fault.GARBAGE_JSON, Fault.HUGE_BODY, Fault.NO_CREDITS, Fault.SLOW]
)
async def test_spoiled_answers_are_charged(sandbox: Sandbox, api: httpx.AsyncClient, fault: Fault) -> None:
    sandbox.inject(fault)
    answer = await api.post(GENERATE_PATH, json=VIDEO_BODY)
    assert len(sandbox.charged) == 1
    if fault is Fault.CHARGED_502:
        assert answer.status_code == 502
    elif fault is Fault.GARBAGE_JSON:
        with pytest.raises(ValueError, match=r"utf-8|JSON|delimiter|value|column"):
            json.loads(answer.content)
    elif fault is Fault.HUGE_BODY:
        assert len(answer.content) >= TINY_SETTINGS.huge_body_bytes
    elif fault is Fault.NO_CREDITS:
        assert "credits_remaining" not in answer.json()
        assert answer.json()["data"]["status"] == "pending"
    else:
        assert answer.elapsed.total_seconds() >= TINY_SETTINGS.slow_seconds


async def test_a_client_that_gives_up_on_a_slow_answer_was_charged() -> None:
    settings = msgspec.structs.replace(TINY_SETTINGS, slow_seconds=60)
    async with Sandbox(settings) as sandbox, api_client(sandbox) as api:
        sandbox.inject(Fault.SLOW)
        with pytest.raises(httpx.ReadTimeout):
            await api.post(GENERATE_PATH, json=IMAGE_BODY, timeout=httpx.Timeout(60, read=0.05))
        await sandbox.wait_until(lambda: len(sandbox.charged) == 1)


@pytest.mark.parametrize(
    ("fault", "running", "ended", "has_link"),
    [
        (Fault.FAILED, "pending", "failed", False),
        (Fault.ERROR_WORD, "pending", "error", False),
        (Fault.CANCELLED_WORD, "pending", "cancelled", False),
        (Fault.DONE_WORD, "pending", "done", True),
        (Fault.COMPLETED_WORD, "pending", "completed", True),
        (Fault.UNKNOWN_WORD, "transmogrifying", "success", True),
        (Fault.UNKNOWN_END, "pending", "transmogrified", True),
        (Fault.STUCK, "pending", "pending", False),
        (Fault.URL_WITHOUT_SUCCESS, "pending", "pending", True),
        (Fault.SUCCESS_WITHOUT_URL, "pending", "success", False),
        (Fault.ENCRYPTED, "pending", "success", True),
    ],
)
async def test_a_job_fault_decides_status_and_link_of_its_job_alone(
    sandbox: Sandbox, api: httpx.AsyncClient, fault: Fault, running: str, ended: str, has_link: bool
) -> None:
    request_id, other = await submit(api, IMAGE_BODY | {"prompt": f"A boat. fault:{fault}"}), await submit(api)
    assert (await poll(api, request_id))["status"] == running
    sandbox.advance(100_000)
    answer = await poll(api, request_id)
    assert answer["status"] == ended
    assert bool(answer["result_url"]) is has_link
    assert bool(answer.get("error")) is (ended in ("failed", "error", "cancelled"))
    assert bool(answer["encrypted_aes_key"]) is (fault is Fault.ENCRYPTED)
    assert (await poll(api, other))["status"] == "success"


async def test_an_encrypted_file_is_no_picture(
    sandbox: Sandbox, api: httpx.AsyncClient, cdn: httpx.AsyncClient
) -> None:
    plain = (await cdn.get(await finish_job(sandbox, api))).content
    sandbox.inject(Fault.ENCRYPTED)
    content = (await cdn.get(await finish_job(sandbox, api))).content
    assert len(content) == len(plain)
    with pytest.raises(UnidentifiedImageError):
        Image.open(io.BytesIO(content))


async def test_progress_faults(sandbox: Sandbox, api: httpx.AsyncClient) -> None:
    request_id = await submit(api)
    sandbox.inject(Fault.NULL_PROGRESS, request_id=request_id)
    assert (await poll(api, request_id))["progress"] is None
    sandbox.heal()
    sandbox.inject(Fault.BACKWARDS_PROGRESS, request_id=request_id)
    sandbox.advance(sandbox.state.jobs[request_id].run_seconds * 0.9)
    shown = [(await poll(api, request_id))["progress"] for _ in range(6)]
    assert shown != sorted(shown)


async def test_hostile_text_everywhere(sandbox: Sandbox, api: httpx.AsyncClient) -> None:
    hostile = sandbox.settings.hostile_text
    sandbox.inject(Fault.HOSTILE_TEXT)
    request_id = await submit(api)
    assert (await poll(api, request_id))["status"] == hostile
    sandbox.finish()
    answer = await poll(api, request_id)
    assert (answer["status"], answer["error"], answer["effect_type"]) == ("failed", hostile, hostile)
    sandbox.inject(Fault.HOSTILE_TEXT, on=FaultPlace.LIST)
    assert (await api.get("/v2/characters")).json()["result"][0]["display_name"] == hostile
    sandbox.inject(Fault.HOSTILE_TEXT, on=FaultPlace.POST)
    refused = await api.post(GENERATE_PATH, json=IMAGE_BODY)
    assert (refused.status_code, refused.json()["error"]) == (400, hostile)


async def test_an_id_can_be_forgotten_for_a_while(sandbox: Sandbox, api: httpx.AsyncClient) -> None:
    request_id, other = await submit(api), await submit(api)
    sandbox.inject(Fault.POLL_404, request_id=request_id, times=2)
    url = f"/v2/poll-result/{request_id}"
    assert (await api.get(f"/v2/poll-result/{other}")).status_code == 200
    assert [(await api.get(url)).status_code for _ in range(3)] == [404, 404, 200]
    lost = await submit(api, IMAGE_BODY | {"prompt": "fault:poll-404"})
    assert {(await api.get(f"/v2/poll-result/{lost}")).status_code for _ in range(5)} == {404}


async def test_an_expired_link_is_followed_by_a_good_one(
    sandbox: Sandbox, api: httpx.AsyncClient, cdn: httpx.AsyncClient
) -> None:
    request_id = await submit(api, IMAGE_BODY | {"prompt": "A hill, fault:expired-link:1"})
    sandbox.finish()
    assert (await cdn.get((await poll(api, request_id))["result_url"])).status_code == 403
    assert (await cdn.get((await poll(api, request_id))["result_url"])).status_code == 200


async def test_broken_files(sandbox: Sandbox, api: httpx.AsyncClient, cdn: httpx.AsyncClient) -> None:
    link = await finish_job(sandbox, api)
    whole = (await cdn.get(link)).content
    for fault, promised, received in (
        (Fault.TRUNCATED, len(whole), whole[: len(whole) // 2]),
        (Fault.WRONG_LENGTH, len(whole) + 97, whole),
    ):
        sandbox.inject(fault)
        got = b""
        async with cdn.stream("GET", link) as answer:
            assert int(answer.headers["content-length"]) == promised
            broken = False
            try:
                async for chunk in answer.aiter_raw():
                    got += chunk
            except httpx.RemoteProtocolError:
                broken = True
        assert (got, broken) == (received, True)
    sandbox.inject(Fault.CUT)
    cut = await cdn.get(link)
    assert cut.content == whole[: len(whole) // 2]
    sandbox.inject(Fault.WRONG_TYPE)
    page = await cdn.get(link)
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    sandbox.inject(Fault.HUGE_BODY, on=FaultPlace.CDN)
    assert len((await cdn.get(link)).content) >= TINY_SETTINGS.huge_body_bytes
    sandbox.inject(Fault.REDIRECT)
    moved = await cdn.get(link, follow_redirects=True)
    assert moved.content == whole
    assert [hop.status_code for hop in moved.history] == [302]


async def test_prompt_faults_of_the_submit(sandbox: Sandbox, api: httpx.AsyncClient) -> None:
    with pytest.raises(DISCONNECT_ERRORS):
        await api.post(GENERATE_PATH, json=IMAGE_BODY | {"prompt": "fault:lost-answer"})
    assert len(sandbox.charged) == 1
    assert (await api.post(GENERATE_PATH, json=IMAGE_BODY | {"prompt": "x fault:500"})).status_code == 500
    assert len(sandbox.charged) == 1
    await submit(api, IMAGE_BODY | {"prompt": "It is not my fault:nonsense"})


def test_every_fault_is_in_the_table_with_its_places() -> None:
    assert all(allowed_places(fault) for fault in Fault)


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("500", FaultRule(fault=Fault.SERVER_ERROR, places=default_places(Fault.SERVER_ERROR))),
        ("500@poll:3", FaultRule(fault=Fault.SERVER_ERROR, places=(FaultPlace.POLL,), times=3)),
        ("stuck:10%", FaultRule(fault=Fault.STUCK, places=(FaultPlace.JOB,), probability=0.1)),
        ("stuck:2.5%", FaultRule(fault=Fault.STUCK, places=(FaultPlace.JOB,), probability=0.025)),
    ],
)
def test_written_rules(text: str, rule: FaultRule) -> None:
    assert parse_rule(text) == rule


@pytest.mark.parametrize("text", ["", "nonsense", "500:", "500:x", "500:1.5", "stuck@cdn", "500@moon", "500:-1"])
def test_badly_written_rules_say_why(text: str) -> None:
    with pytest.raises(ValueError, match=r"fault|strike|whole number"):
        parse_rule(text)


def test_chance_strikes_about_as_often_as_asked_and_repeats_with_its_seed() -> None:
    def struck(seed: int) -> list[bool]:
        plan = FaultPlan((parse_rule("500:20%"),), seeded_rng(seed))
        return [plan.next_fault(FaultPlace.POLL) is not None for _ in range(1000)]

    assert 150 < sum(struck(1)) < 250
    assert struck(1) == struck(1)
    assert struck(1) != struck(2)
