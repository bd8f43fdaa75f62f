"""Effects of each fault on the response and the credits."""

from __future__ import annotations

import io
from typing import Any

import httpx
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
from tests.sandbox.client import IMAGE_BODY, TINY_SETTINGS, Download, finish_job, poll, submit

GENERATE_PATH = "/v2/base/generate"
DROPPED = 0
UNCHARGED_FAULTS = {
    Fault.DROP_BEFORE: DROPPED,
    Fault.RATE_LIMITED: 429,
    Fault.SERVER_ERROR: 500,
    Fault.HTML_502: 502,
    Fault.REDIRECT: 302,
    Fault.NOT_YOURS: 403,
    Fault.MODERATED_403: 403,
    Fault.PROXY_403: 403,
    Fault.FIELDS_422: 422,
    Fault.DETAIL_422: 422,
    Fault.ECHO_KEY: 401,
    Fault.REFUSED_200: 200,
}
CHARGED_FAULTS = {
    Fault.LOST_ANSWER: DROPPED,
    Fault.CHARGED_502: 502,
    Fault.GARBAGE_JSON: 200,
    Fault.HUGE_BODY: 200,
    Fault.NO_CREDITS: 200,
    Fault.SLOW: 200,
    Fault.EMPTY_ANSWER: 200,
}


@pytest.mark.parametrize("by_prompt", [False, True])
@pytest.mark.parametrize(("fault", "status"), [*UNCHARGED_FAULTS.items(), *CHARGED_FAULTS.items()])
async def test_a_fault_of_a_submit_decides_answer_and_charge(
    sandbox: Sandbox, api: httpx.AsyncClient, fault: Fault, status: int, by_prompt: bool
) -> None:
    if not by_prompt:
        sandbox.inject(fault)
    try:
        prompt = f"A boat. fault:{fault}@post" if by_prompt else "A boat"
        answer = await api.post(GENERATE_PATH, json=IMAGE_BODY | {"prompt": prompt})
        assert answer.status_code == status
        assert ("retry-after" in answer.headers) == (status == 429)
        assert ("credits_remaining" in answer.text) == (fault in (Fault.SLOW, Fault.HUGE_BODY))
    except (httpx.RemoteProtocolError, httpx.ReadError):
        assert status == DROPPED
        assert sandbox.posts[0].status is None
    assert len(sandbox.charged) == (fault in CHARGED_FAULTS)
    assert sandbox.credits == (629.32 if fault in CHARGED_FAULTS else 629.36)
    await submit(api)


async def test_a_fault_strikes_so_often_at_its_place(
    sandbox: Sandbox, api: httpx.AsyncClient, cdn: httpx.AsyncClient
) -> None:
    link = await finish_job(sandbox, api)
    for place, client, url in (
        (FaultPlace.POLL, api, f"/v2/poll-result/{sandbox.charged[0]}"),
        (FaultPlace.LIST, api, "/v2/characters"),
        (FaultPlace.CDN, cdn, link),
    ):
        sandbox.inject(Fault.SERVER_ERROR, on=place, times=2)
        assert [(await client.get(url)).status_code for _ in range(3)] == [500, 500, 200]


async def test_redirects_lead_to_another_origin_that_sees_leaked_keys(sandbox: Sandbox, api: httpx.AsyncClient) -> None:
    """Even httpx carries x-api-key along: this is the leak a client must prevent."""
    sandbox.inject(Fault.REDIRECT)
    answer = await api.post(GENERATE_PATH, json=IMAGE_BODY, follow_redirects=True)
    assert answer.json()["request_id"] == "from-elsewhere"
    assert [call.path for call in sandbox.leaks] == [f"/elsewhere{GENERATE_PATH}"]


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


@pytest.mark.parametrize(
    ("fault", "fields"),
    [
        (Fault.FALSE_STATUS, {"status": False, "result": None}),
        (Fault.MODERATED_WORD, {"result": {"error": "The picture was held back by moderation."}}),
        (Fault.FTP_LINK, {"result_url": "ftp://cdn.example.org/{}.jpg"}),
        (Fault.OBJECT_LINK, {"result_url": {"path": "/agent_data/{}"}}),
        (Fault.PRIVATE_LINK, {"result_url": "http://169.254.169.254./latest/meta-data"}),
        (Fault.HOSTILE_TEXT, {"error": TINY_SETTINGS.hostile_text, "effect_type": TINY_SETTINGS.hostile_text}),
        (Fault.NULL_PROGRESS, {"progress": None}),
        (Fault.WRONG_ID, {"request_id": "00000000-0000-4000-8000-000000000000"}),
    ],
)
async def test_a_fault_changes_fields_of_the_answer(
    sandbox: Sandbox, api: httpx.AsyncClient, fault: Fault, fields: dict[str, Any]
) -> None:
    request_id = await submit(api, IMAGE_BODY | {"prompt": f"A boat. fault:{fault}"})
    sandbox.finish()
    answer = await poll(api, request_id)
    assert str({name: answer[name] for name in fields}) == str(fields).replace("{}", request_id)


async def test_an_encrypted_file_is_no_image(sandbox: Sandbox, download: Download) -> None:
    plain = (await download()).content
    sandbox.inject(Fault.ENCRYPTED)
    content = (await download()).content
    assert len(content) == len(plain)
    with pytest.raises(UnidentifiedImageError):
        Image.open(io.BytesIO(content))


async def test_broken_files(sandbox: Sandbox, api: httpx.AsyncClient, cdn: httpx.AsyncClient) -> None:
    link = await finish_job(sandbox, api)
    whole = (await cdn.get(link)).content
    half = whole[: len(whole) // 2]

    async def receive(answer: httpx.Response, received: bytearray) -> None:
        async for chunk in answer.aiter_raw():
            received += chunk

    for fault, promised, sent in ((Fault.TRUNCATED, len(whole), half), (Fault.WRONG_LENGTH, len(whole) + 97, whole)):
        sandbox.inject(fault)
        received = bytearray()
        async with cdn.stream("GET", link) as answer:
            assert int(answer.headers["content-length"]) == promised
            with pytest.raises(httpx.RemoteProtocolError):
                await receive(answer, received)
        assert received == sent
    for fault, content in ((Fault.CUT, half), (Fault.GZIP, whole), (Fault.REDIRECT, whole)):
        sandbox.inject(fault)
        assert (await cdn.get(link, follow_redirects=True)).content == content
    sandbox.inject(Fault.WRONG_TYPE)
    assert (await cdn.get(link)).headers["content-type"] == "text/html; charset=utf-8"
    sandbox.inject(Fault.HUGE_BODY, on=FaultPlace.CDN)
    assert len((await cdn.get(link)).content) >= TINY_SETTINGS.huge_body_bytes


async def test_what_names_no_fault_is_ordinary_prompt_text(api: httpx.AsyncClient) -> None:
    await submit(api, IMAGE_BODY | {"prompt": "It is not my fault:nonsense"})


def test_every_fault_is_in_the_table_with_its_places() -> None:
    assert all(allowed_places(fault) for fault in Fault)


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("500", FaultRule(fault=Fault.SERVER_ERROR, places=default_places(Fault.SERVER_ERROR))),
        ("500@poll:3", FaultRule(fault=Fault.SERVER_ERROR, places=(FaultPlace.POLL,), times=3)),
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
