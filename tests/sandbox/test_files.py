"""The CDN: signed links, ranges, and real files behind them."""

from __future__ import annotations

import asyncio
import io
from typing import Any

import av
import httpx
import msgspec
import pytest
from PIL import Image

from eternal_tui.sandbox.server import Sandbox
from tests.sandbox.client import IMAGE_BODY, TINY_SETTINGS, VIDEO_BODY, Download, api_client, finish_job, poll, submit


async def test_an_image_is_a_jpeg_of_the_set_size(sandbox: Sandbox, download: Download) -> None:
    for quality, size in (("low", (96, 128)), ("high", (144, 192))):
        answer = await download(quality=quality)
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "image/jpeg"
        assert int(answer.headers["content-length"]) == len(answer.content)
        with Image.open(io.BytesIO(answer.content)) as image:
            image.load()
            assert (image.format, image.size) == ("JPEG", size)
    assert sandbox.leaks == []


@pytest.mark.parametrize(("seconds", "audio"), [(1, True), (2, False)])
async def test_a_clip_is_h264_with_sound_if_wanted(download: Download, seconds: int, audio: bool) -> None:
    answer = await download(type="video", duration=seconds, audio=audio)
    assert answer.headers["content-type"] == "video/mp4"
    with av.open(io.BytesIO(answer.content), "r") as container:
        video = container.streams.video[0]
        assert video.codec_context.name == "h264"
        assert (video.width, video.height) == TINY_SETTINGS.video_size
        assert [stream.codec_context.name for stream in container.streams.audio] == (["aac"] if audio else [])
        frames = [bytes(frame.planes[0]) for frame in container.decode(video=0)]
    assert len(frames) == seconds * TINY_SETTINGS.video_fps
    assert frames[0] != frames[-1]


async def test_the_same_request_gives_the_same_image_and_another_prompt_another(
    download: Download, cdn: httpx.AsyncClient
) -> None:
    first = (await download()).content
    changes: list[dict[str, Any]] = [
        {"prompt": "At the harbour, evening"},
        {"prompt": "Dancing in the snow"},
        {"images": ["6873"]},
        {"quality": "high"},
    ]
    assert len({first, *[(await download(**change)).content for change in changes]}) == 5
    for seed, is_same in ((7, True), (8, False)):
        settings = msgspec.structs.replace(TINY_SETTINGS, seed=seed)
        async with Sandbox(settings) as again, api_client(again) as api:
            assert ((await cdn.get(await finish_job(again, api))).content == first) is is_same


async def test_every_poll_signs_afresh_and_links_run_out(
    sandbox: Sandbox, api: httpx.AsyncClient, cdn: httpx.AsyncClient
) -> None:
    request_id = await submit(api)
    sandbox.finish(request_id)
    links = {(await poll(api, request_id))["result_url"] for _ in range(3)}
    assert len(links) == 3
    assert len({httpx.URL(link).path for link in links}) == 1
    sandbox.advance(24 * 3600 - 60)
    assert [(await cdn.get(link)).status_code for link in links] == [200] * 3
    assert sandbox.state.renderer.render_count == 1
    sandbox.advance(120)
    expired = await cdn.get(links.pop())
    assert expired.status_code == 403
    assert expired.headers["content-type"].startswith("application/xml")
    assert "Request has expired" in expired.text
    assert (await cdn.get((await poll(api, request_id))["result_url"])).status_code == 200


async def test_a_forged_link_opens_nothing(sandbox: Sandbox, api: httpx.AsyncClient, cdn: httpx.AsyncClient) -> None:
    link = httpx.URL(await finish_job(sandbox, api))
    later = str(int(link.params["Expires"]) + 1)
    bare = link.copy_with(query=None)
    forged = [
        link.copy_set_param("Expires", later),
        link.copy_set_param("Expires", "never"),
        link.copy_set_param("Signature", "0" * 64),
        link.copy_set_param("Signature", "é"),
        link.copy_set_param("Nonce", "00"),
        bare,
        link.copy_with(path=link.path.replace("img-", "vid-")),
        link.copy_with(path=link.path.replace("agent_data", "agent_data/..")),
        link.copy_with(path="/"),
        link.copy_with(path="/avatars/1.jpg"),
    ]
    for url in forged:
        answer = await cdn.get(url)
        assert answer.status_code == 403, url
        assert "<Code>AccessDenied</Code>" in answer.text


async def test_ranges(sandbox: Sandbox, api: httpx.AsyncClient, cdn: httpx.AsyncClient) -> None:
    link = await finish_job(sandbox, api)
    whole = await cdn.get(link)
    content, tag = whole.content, whole.headers["etag"]
    size = len(content)
    assert whole.headers["accept-ranges"] == "bytes"

    async def part(wanted: str, **headers: str) -> httpx.Response:
        return await cdn.get(link, headers={"range": wanted} | headers)

    for wanted, start, end in (("0-9", 0, 10), ("10-", 10, size), ("-7", size - 7, size), (f"5-{size * 2}", 5, size)):
        answer = await part(f"bytes={wanted}")
        assert answer.status_code == 206
        assert answer.content == content[start:end]
        assert answer.headers["content-range"] == f"bytes {start}-{end - 1}/{size}"
        assert answer.headers["etag"] == tag
    for wanted in (f"bytes={size}-", "bytes=-0"):
        answer = await part(wanted)
        assert answer.status_code == 416
        assert answer.headers["content-range"] == f"bytes */{size}"
    for ignored in ("bytes=9-3", "bytes=-", "lines=1-2", "bytes=0-1,4-5"):
        assert (await part(ignored)).status_code == 200
    assert (await part("bytes=5-", **{"if-range": tag})).status_code == 206
    assert (await part("bytes=5-", **{"if-range": '"other"'})).content == content
    for known in (tag, f'"a", W/{tag}', "*"):
        assert (await cdn.get(link, headers={"if-none-match": known})).status_code == 304
    # A range is one of GET alone.
    head = await cdn.head(link, headers={"range": "bytes=0-9"})
    assert head.status_code == 200
    assert (head.headers["content-length"], head.content) == (str(size), b"")


async def test_avatars_are_small_portraits(sandbox: Sandbox, api: httpx.AsyncClient, cdn: httpx.AsyncClient) -> None:
    listed = (await api.get("/v2/characters?limit=4")).json()["result"]
    drawn = [(await cdn.get(character["avatar_url"])).content for character in listed]
    assert len(set(drawn)) == 4
    for content in drawn:
        with Image.open(io.BytesIO(content)) as image:
            assert image.size == TINY_SETTINGS.avatar_size


async def test_the_key_on_the_cdn_is_noticed(sandbox: Sandbox, cdn: httpx.AsyncClient) -> None:
    for headers in ({"x-api-key": "any"}, {"authorization": "Bearer any"}, {"referer": f"http://x/?{sandbox.key}"}):
        await cdn.get(sandbox.cdn_url, headers=headers)
    await cdn.get(f"{sandbox.cdn_url}/x?key={sandbox.key}")
    await cdn.get(sandbox.cdn_url)
    assert len(sandbox.leaks) == 4


async def test_the_cache_is_bounded_and_one_file_is_drawn_once() -> None:
    settings = msgspec.structs.replace(TINY_SETTINGS, cache_bytes=1)
    async with Sandbox(settings) as sandbox, api_client(sandbox) as api, httpx.AsyncClient(verify=False) as cdn:
        one = await finish_job(sandbox, api)
        two = await finish_job(sandbox, api, IMAGE_BODY | {"prompt": "Another"})
        await asyncio.gather(*(cdn.get(one) for _ in range(4)))
        assert sandbox.state.renderer.render_count == 1
        await cdn.get(two)
        await cdn.get(one)
        assert sandbox.state.renderer.render_count == 3


async def test_files_can_be_drawn_before_they_are_asked_for() -> None:
    settings = msgspec.structs.replace(TINY_SETTINGS, prerender=True)
    async with Sandbox(settings) as sandbox, api_client(sandbox) as api, httpx.AsyncClient(verify=False) as cdn:
        link = await finish_job(sandbox, api)
        assert (await cdn.get(link)).status_code == 200
        assert sandbox.state.renderer.render_count == 1
        await finish_job(sandbox, api, VIDEO_BODY)
    assert len(sandbox.downloads) == 1


async def test_polls_are_answered_while_a_clip_is_drawn(sandbox: Sandbox, api: httpx.AsyncClient) -> None:
    link = await finish_job(sandbox, api, VIDEO_BODY | {"duration": 5})
    async with httpx.AsyncClient(verify=False) as cdn:
        drawing = asyncio.create_task(cdn.get(link))
        await sandbox.wait_until(lambda: len(sandbox.downloads) == 1)
        request_id = await submit(api)
        assert (await poll(api, request_id))["status"] == "pending"
        assert not drawing.done()
        assert (await drawing).status_code == 200
