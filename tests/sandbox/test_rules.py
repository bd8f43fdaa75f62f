"""The documented rules of the API, over a real socket."""

from __future__ import annotations

import json
from typing import Any

import httpx
import msgspec
import pytest

from eternal_tui.sandbox.server import Sandbox
from tests.sandbox.client import IMAGE_BODY, TINY_SETTINGS, VIDEO_BODY, api_client, submit

GENERATE_PATH = "/v2/base/generate"


async def test_answers_have_the_documented_shapes(sandbox: Sandbox, api: httpx.AsyncClient) -> None:
    answer = await api.post(GENERATE_PATH, json=IMAGE_BODY)
    assert answer.headers["date"].endswith(" GMT")
    started = {"request_id": sandbox.charged[0], "status": "pending", "result": "", "progress": 0}
    assert answer.json() == started | {"credits_remaining": 629.32}
    answer = await api.post(GENERATE_PATH, json=VIDEO_BODY | {"duration": 4})
    request_id = sandbox.charged[1]
    started = {"request_id": request_id, "status": "pending", "result": "", "progress": 0}
    assert answer.json() == {"status": 1, "data": started, "request_id": request_id, "credits_remaining": 629.12}


@pytest.mark.parametrize(
    ("body", "cost"),
    [
        (IMAGE_BODY | {"quality": "low"}, 0.04),
        (IMAGE_BODY | {"quality": "high"}, 0.08),
        (VIDEO_BODY | {"duration": 1}, 0.05),
        (VIDEO_BODY | {"duration": 5, "audio": False}, 0.25),
    ],
)
async def test_price(sandbox: Sandbox, api: httpx.AsyncClient, body: dict[str, Any], cost: float) -> None:
    for count in (1, 2):
        answer = await api.post(GENERATE_PATH, json=body)
        assert answer.json()["credits_remaining"] == round(629.36 - count * cost, 2)


def without_field(body: dict[str, Any], name: str) -> dict[str, Any]:
    return {field: value for field, value in body.items() if field != name}


BAD_BODIES: list[tuple[str, object, str]] = [
    ("array", [], "JSON object"),
    ("null", None, "JSON object"),
    ("unknown field", IMAGE_BODY | {"seed": 1}, "Unknown field: seed"),
    ("no images", without_field(IMAGE_BODY, "images"), "images is required"),
    ("no prompt", without_field(IMAGE_BODY, "prompt"), "prompt is required"),
    ("no type", without_field(IMAGE_BODY, "type"), "type is required"),
    ("images a string", IMAGE_BODY | {"images": "6870"}, "must be an array"),
    ("no image", IMAGE_BODY | {"images": []}, "exactly one"),
    ("two images", IMAGE_BODY | {"images": ["6870", "6873"]}, "exactly one"),
    ("a number", IMAGE_BODY | {"images": [6870]}, "must be a string"),
    ("a URL", IMAGE_BODY | {"images": ["https://example.org/a.png"]}, "URLs are not supported"),
    ("a data URL", IMAGE_BODY | {"images": ["data:image/png;base64,AAAA"]}, "data: URIs and base64 are not supported"),
    ("base64", IMAGE_BODY | {"images": ["/9j/4AAQSkZJRgABAQ"]}, "not base64"),
    ("other digits", IMAGE_BODY | {"images": ["٦٨٧٠"]}, "only character IDs"),
    ("unknown character", IMAGE_BODY | {"images": ["1"]}, "no character"),
    ("prompt a number", IMAGE_BODY | {"prompt": 5}, "prompt must be a string"),
    ("blank prompt", IMAGE_BODY | {"prompt": " \n\t"}, "blank"),
    ("prompt no Unicode", IMAGE_BODY | {"prompt": "\ud83d"}, "valid Unicode"),
    ("type", IMAGE_BODY | {"type": "gif"}, "type must be"),
    ("type a list", IMAGE_BODY | {"type": ["image"]}, "type must be"),
    ("quality", IMAGE_BODY | {"quality": "ultra"}, "quality must be"),
    ("quality null", IMAGE_BODY | {"quality": None}, "quality must be"),
    ("duration 0", VIDEO_BODY | {"duration": 0}, "from 1 to 5"),
    ("duration 6", VIDEO_BODY | {"duration": 6}, "from 1 to 5"),
    ("duration true", VIDEO_BODY | {"duration": True}, "integer"),
    ("duration 2.0", VIDEO_BODY | {"duration": 2.0}, "integer"),
    ("duration text", VIDEO_BODY | {"duration": "2"}, "integer"),
    ("audio 1", VIDEO_BODY | {"audio": 1}, "true or false"),
]


@pytest.mark.parametrize(("body", "reason"), [case[1:] for case in BAD_BODIES], ids=[case[0] for case in BAD_BODIES])
async def test_a_bad_body_is_refused_with_a_reason_and_costs_nothing(
    sandbox: Sandbox, api: httpx.AsyncClient, body: object, reason: str
) -> None:
    answer = await api.post(GENERATE_PATH, content=json.dumps(body), headers={"content-type": "application/json"})
    error = answer.json()
    assert (answer.status_code, error["status"], error["result"]) == (400, False, None)
    assert reason in error["error"]
    assert (sandbox.charged, sandbox.credits) == ([], 629.36)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (IMAGE_BODY | {"duration": 3}, "duration applies to type video only."),
        (IMAGE_BODY | {"duration": None}, "duration applies to type video only."),
        (IMAGE_BODY | {"audio": "loud"}, "audio applies to type video only."),
        (VIDEO_BODY | {"quality": "ultra"}, "quality applies to type image only."),
    ],
)
async def test_fields_of_the_other_type_are_ignored_unless_strict(body: dict[str, object], reason: str) -> None:
    """As the service's page has it: "only used when the type is video"."""
    for strict, expected in ((False, (200, None)), (True, (400, reason))):
        settings = msgspec.structs.replace(TINY_SETTINGS, strict=strict)
        async with Sandbox(settings) as sandbox, api_client(sandbox) as api:
            answer = await api.post(GENERATE_PATH, json=body)
        assert (answer.status_code, answer.json().get("error")) == expected


@pytest.mark.parametrize(
    ("key", "headers", "status"),
    [
        ("sk_sandbox", {"x-api-key": "sk_sandbox"}, 401),
        ("sk_sandbox", {"api-key": "sk_sandbox"}, 200),
        ("sk_sandbox", {"authorization": "Bearer sk_sandbox"}, 200),
        ("older", {"authorization": "Bearer older"}, 200),
        ("older", {"authorization": "Bearer wrong"}, 401),
        ("older", {"x-api-key": "wrong"}, 401),
        ("older", {"x-api-key": ""}, 401),
        ("older", {}, 401),
    ],
)
async def test_the_key_is_needed_checked_and_in_its_own_header(
    cdn: httpx.AsyncClient, key: str, headers: dict[str, str], status: int
) -> None:
    async with Sandbox(msgspec.structs.replace(TINY_SETTINGS, key=key)) as sandbox:
        answer = await cdn.post(sandbox.api_url + GENERATE_PATH, json=IMAGE_BODY, headers=headers)
        assert answer.status_code == status
        assert len(sandbox.charged) == (status == 200)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[" * 100_000])
async def test_what_is_no_json_is_refused(api: httpx.AsyncClient, content: bytes) -> None:
    answer = await api.post(GENERATE_PATH, content=content, headers={"content-type": "application/json"})
    assert (answer.status_code, answer.json()["error"]) == (400, "The body is not valid JSON.")


async def test_content_type_and_method(api: httpx.AsyncClient) -> None:
    answer = await api.post(GENERATE_PATH, content=json.dumps(IMAGE_BODY), headers={"content-type": "text/plain"})
    assert answer.status_code == 415
    answer = await api.get(GENERATE_PATH)
    assert answer.status_code == 405
    assert answer.json()["status"] is False
    for path in ("/v2/nothing", "/v2/characters/", "/v2/poll-result/a%2Fb", "/v2/poll-result/a"):
        assert (await api.get(path)).status_code == 404


async def test_too_few_credits() -> None:
    async with Sandbox(TINY_SETTINGS.__class__(credits=0.07)) as sandbox, api_client(sandbox) as api:
        assert (await api.post(GENERATE_PATH, json=IMAGE_BODY | {"quality": "high"})).status_code == 402
        assert sandbox.credits == 0.07
        await submit(api)
        refused = await api.post(GENERATE_PATH, json=IMAGE_BODY)
        assert refused.status_code == 402
        assert "Not enough credits" in refused.json()["error"]
        assert sandbox.credits == 0.03
        assert len(sandbox.charged) == 1


async def test_characters_come_in_three_pages(sandbox: Sandbox, cdn: httpx.AsyncClient) -> None:
    async def page(**parameters: int) -> list[dict[str, Any]]:
        answer = await cdn.get(f"{sandbox.api_url}/v2/characters", params=parameters)
        characters: list[dict[str, Any]] = answer.json()["result"]
        return characters

    pages = [await page(page=number) for number in (1, 2, 3, 4)]
    assert [len(each) for each in pages] == [50, 50, 37, 0]
    assert (len(await page(page=2, limit=100)), len(await page(limit=1))) == (37, 1)
    listed = [character for each in pages for character in each]
    assert len({character["id"] for character in listed}) == 137
    assert len({character["username"] for character in listed}) == 137
    assert listed[0]["display_name"] == "Astrid"
    assert listed[0]["id"] == 6870
    under_age = [character for character in listed if character["age"] < 18]
    assert [character["display_name"] for character in under_age] == ["Pip", "Dot"]
    assert all(21 <= character["age"] <= 68 for character in listed if character not in under_age)
    assert {character["status"] for character in listed} == {"approved"}
    fields = "id username display_name description age gender status category avatar_url"
    assert set(listed[0]) == set(fields.split())


async def test_an_under_age_character_is_not_for_generation(api: httpx.AsyncClient) -> None:
    listed = (await api.get("/v2/characters")).json()["result"]
    mascot = next(character for character in listed if character["age"] < 18)
    answer = await api.post(GENERATE_PATH, json=IMAGE_BODY | {"images": [str(mascot["id"])]})
    assert answer.status_code == 400
    assert "not available" in answer.json()["error"]


@pytest.mark.parametrize(
    "query",
    ["page=0", "page=-1", "page=x", "limit=0", "limit=101", "limit=", "page=1.5", "page=%D9%A1", f"page={'9' * 5_000}"],
)
async def test_paging_has_bounds(api: httpx.AsyncClient, query: str) -> None:
    assert (await api.get(f"/v2/characters?{query}")).status_code == 400


async def test_a_created_character_costs_and_can_be_used(sandbox: Sandbox, api: httpx.AsyncClient) -> None:
    answer = await api.post("/v2/character/create", json={"prompt": "A clockmaker with a grey beard"})
    assert answer.json().keys() == {"status", "data"}
    identity = answer.json()["data"]["id"]
    assert sandbox.credits == 628.36
    listed = (await api.get("/v2/characters?page=3")).json()["result"]
    assert listed[-1]["id"] == identity
    await submit(api, IMAGE_BODY | {"images": [str(identity)]})
    bad_bodies: list[object] = [{}, {"prompt": " "}, {"prompt": "x", "name": "y"}, []]
    for body in bad_bodies:
        assert (await api.post("/v2/character/create", json=body)).status_code == 400
    del api.headers["x-api-key"]
    assert (await api.post("/v2/character/create", json={"prompt": "x"})).status_code == 401


async def test_every_call_is_recorded(sandbox: Sandbox, api: httpx.AsyncClient) -> None:
    await api.post(GENERATE_PATH, json=IMAGE_BODY)
    await api.get("/v2/poll-result/nobody")
    await api.get("/v2/characters?page=2")
    assert [(call.port, call.method, call.path, call.query, call.status) for call in sandbox.requests] == [
        ("api", "POST", GENERATE_PATH, "", 200),
        ("api", "GET", "/v2/poll-result/nobody", "", 404),
        ("api", "GET", "/v2/characters", "page=2", 200),
    ]
    assert json.loads(sandbox.requests[0].body) == IMAGE_BODY
    assert sandbox.requests[0].headers["x-api-key"] == sandbox.key
    assert len(sandbox.posts) == 1
    assert len(sandbox.polls("nobody")) == 1
