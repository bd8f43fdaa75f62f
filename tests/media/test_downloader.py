"""Downloads from storages that behave, and from those that do not."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import hashlib
import zlib
from pathlib import Path

import pytest

from eternal_tui.core.http import MAX_RETRY_AFTER_SECONDS
from eternal_tui.media.decode.filetype import MediaKind
from eternal_tui.media.errors import BrokenFile, DiskFull, LinkExpired, LinkRejected, ResultError, StorageUnreachable
from eternal_tui.media.limits import DownloadLimits
from tests.media.files import encode_image, make_image
from tests.media.storage import (
    FakeSleep,
    Handler,
    ReceivedRequest,
    fetch_refused,
    fetch_result,
    file_names,
    open_downloader,
    open_storage,
    respond_with,
    response_head,
    serve_storage,
)


async def test_an_image_is_saved_whole_private_and_under_our_own_name(tmp_path: Path, jpeg: bytes) -> None:
    results = tmp_path / "results"
    saved, _ = await fetch_result(results, respond_with(jpeg))
    assert saved.path == results / "7.jpg"
    assert saved.path.read_bytes() == jpeg
    assert (saved.kind, saved.bytes, saved.width, saved.height) == ("image", len(jpeg), 96, 64)
    assert (saved.codec, saved.sha256) == ("jpeg", hashlib.sha256(jpeg).hexdigest())
    assert [path.stat().st_mode & 0o777 for path in (saved.path, results)] == [0o600, 0o700]
    assert file_names(results) == ["7.jpg"]


async def test_a_video_and_an_avif_are_saved_with_their_facts(tmp_path: Path, clip: bytes) -> None:
    saved, _ = await fetch_result(tmp_path, respond_with(clip), expect="video")
    assert (saved.path.name, saved.kind, saved.width, saved.height, saved.codec) == ("7.mp4", "video", 96, 64, "h264")
    assert saved.seconds == pytest.approx(1.0)
    assert not saved.has_sound
    saved, _ = await fetch_result(tmp_path, respond_with(encode_image(make_image(), "AVIF")))
    assert (saved.path.name, saved.width, saved.height) == ("7.avif", 96, 64)


async def test_an_encrypted_result_is_kept_as_it_came(tmp_path: Path) -> None:
    """Also when it looks like a web page: nothing can be known of a cipher's first bytes."""
    sealed = b"<html>" + bytes(range(256))
    saved, _ = await fetch_result(tmp_path, respond_with(sealed), encrypted=True)
    assert (saved.path.name, saved.kind, saved.path.read_bytes()) == ("7.bin", "encrypted", sealed)


async def test_the_request_says_nothing_about_us(tmp_path: Path, jpeg: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a cookie set on the way nor a .netrc entry nor the key in the environment goes with a request."""
    monkeypatch.setenv("ETERNALAI_API_KEY", "canary-key")
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login canary password canary\n")

    async def handler(asked: ReceivedRequest, writer: asyncio.StreamWriter) -> None:
        if asked.path == "/result":
            writer.write(response_head("302 Found", location="/there", set_cookie="canary=1", content_length=0))
        else:
            writer.write(response_head(content_length=len(jpeg)) + jpeg)

    _, requests = await fetch_result(tmp_path / "results", handler)
    assert [asked.path for asked in requests] == ["/result", "/there"]
    for asked in requests:
        assert b"canary" not in asked.raw
        assert set(asked.headers) == {"host", "accept", "accept-encoding", "user-agent"}


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410])
async def test_an_expired_link_says_so(tmp_path: Path, status: int) -> None:
    error, _ = await fetch_refused(tmp_path, respond_with(b"<Error/>", f"{status} No"), LinkExpired)
    assert error.status == status


@pytest.mark.parametrize(
    ("status", "value", "wait"),
    [
        (429, "7", 7.0),
        (503, "Thu, 01 Jan 1970 00:01:00 GMT", 50.0),
        pytest.param(429, "9" * 400, MAX_RETRY_AFTER_SECONDS, id="huge"),
        (429, "soon", None),
        (500, "", None),
    ],
)
async def test_a_busy_storage_is_to_be_asked_later(tmp_path: Path, status: int, value: str, wait: float | None) -> None:
    handler = respond_with(b"", f"{status} No", retry_after=value)
    error, requests = await fetch_refused(tmp_path, handler, StorageUnreachable, now=lambda: 10.0)
    assert error.retry_after == wait
    assert len(requests) == 1


@pytest.mark.parametrize("status", [204, 206, 300, 304, 402, 416, 451])
async def test_answers_without_a_file_are_refused(tmp_path: Path, status: int) -> None:
    error, _ = await fetch_refused(tmp_path, respond_with(b"", f"{status} What"), ResultError)
    assert isinstance(error, (LinkRejected, BrokenFile))
    assert status != 416 or "refused the file (HTTP 416)" in str(error)


async def test_a_storage_that_is_not_there_is_not_reachable(tmp_path: Path) -> None:
    async with serve_storage(respond_with(b"")) as host:
        pass
    async with open_downloader(tmp_path) as downloader:
        with pytest.raises(StorageUnreachable):
            await downloader.fetch(host.url(), name="7", expect="image")
    assert file_names(tmp_path) == []


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "it is empty"),
        (b"\xff", "of no kind this program knows"),
        (b"\x7fELF" + bytes(60), "of no kind this program knows"),
        (b"BM" + bytes(62), "is damaged"),
        (b"<!doctype html><title>Please log in</title>" + b" " * 200, "a web page or a message"),
        (b"\xef\xbb\xbf\n <?xml version='1.0'?><Error/>" + b" " * 200, "a web page or a message"),
        (b'{"error": "expired"}' + b" " * 200, "a web page or a message"),
        (b"\x00\x00\x00\x20ftypavif" + b" " * 200, "is damaged"),
        (b"\xff\xd8\xff\xe0" + b"\x00" * 500, "is damaged"),
        (b"\x89PNG\r\n\x1a\n" + b" " * 200, "is damaged"),
        (b"RIFF\x00\x00\x00\x00WEBPVP8 " + b" " * 200, "is damaged"),
    ],
)
async def test_what_is_no_image_never_gets_the_final_name(tmp_path: Path, body: bytes, reason: str) -> None:
    await fetch_refused(tmp_path, respond_with(body, content_type="image/jpeg"), match=reason)


@pytest.mark.parametrize(
    ("body", "expect", "suffix", "note"),
    [
        ("clip", "image", "mp4", "An MP4 video came where an image was asked for."),
        ("jpeg", "video", "jpg", "A JPEG image came where a video was asked for."),
        (b"PK\x03\x04" + bytes(60), "video", "zip", "A zip archive came, where a video was asked for. It is kept un"),
        (gzip.compress(b"x", mtime=0) + bytes(40), "image", "gz", "A gzip-packed file came, where an image was asked"),
        (b"\x00\x00\x00 ftypheic" + bytes(60), "image", "heic", "A HEIC image came. It is kept unopened: "),
        (b"%PDF-1.7" + bytes(60), "image", "pdf", "A PDF document came, where an image was asked for."),
    ],
)
async def test_what_was_not_expected_is_kept_and_named(
    tmp_path: Path, request: pytest.FixtureRequest, body: str | bytes, expect: MediaKind, suffix: str, note: str
) -> None:
    data: bytes = request.getfixturevalue(body) if isinstance(body, str) else body
    saved, _ = await fetch_result(tmp_path, respond_with(data), expect=expect)
    assert saved.path.read_bytes() == data
    assert (saved.path.name, saved.note[: len(note)]) == (f"7.{suffix}", note)


@pytest.mark.parametrize("excess", [1, 5000])
async def test_a_wrong_length_is_never_a_file(tmp_path: Path, jpeg: bytes, excess: int) -> None:
    async def handler(asked: ReceivedRequest, writer: asyncio.StreamWriter) -> None:
        writer.write(response_head(content_length=len(jpeg) + excess) + jpeg)

    sleep = FakeSleep()
    _, requests = await fetch_refused(tmp_path, handler, StorageUnreachable, "broke off 4 times", sleep=sleep)
    assert len(requests) == 4
    assert sleep.calls == [1.0, 2.0, 4.0]


async def test_a_body_shorter_than_the_image_is_broken(tmp_path: Path, big_jpeg: bytes) -> None:
    """A storage that lies consistently: length and body agree, the image is cut."""
    await fetch_refused(tmp_path, respond_with(big_jpeg[: len(big_jpeg) // 2]))


def interrupt_every(
    step: int, body: bytes, *, etag: str = '"v1"', ranges: str = "bytes", in_parts: bool = False
) -> Handler:
    """Return a storage that breaks off after each `step` bytes, or serves parts of this size, of `body`."""

    async def handler(asked: ReceivedRequest, writer: asyncio.StreamWriter) -> None:
        start = 0
        extra = {"etag": etag, "accept_ranges": ranges}
        if asked.headers.get("if-range") == etag and "range" in asked.headers:
            start = int(asked.headers["range"].removeprefix("bytes=").removesuffix("-"))
            end = min(start + step, len(body)) if in_parts else len(body)
            part = f"bytes {start}-{end - 1}/{len(body)}"
            writer.write(response_head("206 Partial", content_length=end - start, content_range=part, **extra))
        else:
            writer.write(response_head(content_length=len(body), **extra))
        writer.write(body[start : start + step])

    return handler


@pytest.mark.parametrize("in_parts", [False, True])
async def test_a_cut_transfer_goes_on_where_it_broke_off(tmp_path: Path, big_jpeg: bytes, in_parts: bool) -> None:
    step = len(big_jpeg) // 3
    saved, requests = await fetch_result(tmp_path, interrupt_every(step, big_jpeg, in_parts=in_parts))
    assert saved.path.read_bytes() == big_jpeg
    resumed = [f"bytes={step * cut}-" for cut in range(1, len(requests))]
    assert [asked.headers.get("range") for asked in requests] == [None, *resumed]
    assert file_names(tmp_path) == ["7.jpg"]


async def test_what_three_cuts_left_is_gone_on_with_by_the_next_fetch(tmp_path: Path, big_jpeg: bytes) -> None:
    step = 64 * 1024
    async with open_storage(tmp_path, interrupt_every(step, big_jpeg)) as (host, fetch):
        while "7.jpg" not in file_names(tmp_path) and len(host.requests) < 40:
            with contextlib.suppress(StorageUnreachable):
                await fetch(host.url())
    assert (tmp_path / "7.jpg").read_bytes() == big_jpeg
    assert len(host.requests) == -(-len(big_jpeg) // step)
    assert file_names(tmp_path) == ["7.jpg"]


@pytest.mark.parametrize(("etag", "ranges"), [('W/"v1"', "bytes"), ("", "bytes"), ('"v1"', "none")])
async def test_no_rest_is_asked_of_a_storage_that_offers_none(
    tmp_path: Path, big_jpeg: bytes, etag: str, ranges: str
) -> None:
    handler = interrupt_every(len(big_jpeg) // 3, big_jpeg, etag=etag, ranges=ranges)
    _, requests = await fetch_refused(tmp_path, handler, StorageUnreachable)
    assert len(requests) == 4
    assert all("range" not in asked.headers for asked in requests)


@pytest.mark.parametrize("second", ["200 OK", "416 Range Not Satisfiable"])
async def test_a_file_that_changed_meanwhile_is_fetched_from_the_start(
    tmp_path: Path, big_jpeg: bytes, jpeg: bytes, second: str
) -> None:
    async def handler(asked: ReceivedRequest, writer: asyncio.StreamWriter) -> None:
        if asked.number == 1:
            writer.write(response_head(content_length=len(big_jpeg), etag='"v1"', accept_ranges="bytes"))
            writer.write(big_jpeg[:70_000])
        elif asked.number == 2 and second.startswith("416"):
            writer.write(response_head(second, content_length=0))
        else:
            writer.write(response_head(content_length=len(jpeg), etag='"v2"') + jpeg)

    saved, requests = await fetch_result(tmp_path, handler)
    assert saved.path.read_bytes() == jpeg
    assert requests[1].headers["range"].startswith("bytes=")
    assert len(requests) == (2 if second.startswith("200") else 3)


@pytest.mark.parametrize("sent", ["bytes 0-9/10", "bytes 70001-99999/100000", "nonsense", ""])
async def test_a_part_that_was_not_asked_for_is_refused(tmp_path: Path, big_jpeg: bytes, sent: str) -> None:
    async def handler(asked: ReceivedRequest, writer: asyncio.StreamWriter) -> None:
        if asked.number == 1:
            writer.write(response_head(content_length=len(big_jpeg), etag='"v1"', accept_ranges="bytes"))
            writer.write(big_jpeg[:65_536])
        else:
            writer.write(response_head("206 Partial", content_range=sent, content_length=10) + b"0123456789")

    await fetch_refused(tmp_path, handler)


def go_on_for_ever(start: bytes = b"") -> Handler:
    """Return a storage whose body of no length begins with `start` and never ends."""

    async def handler(asked: ReceivedRequest, writer: asyncio.StreamWriter) -> None:
        writer.write(response_head() + start)
        while True:
            writer.write(b"\x00" * 65_536)
            await writer.drain()
            await asyncio.sleep(0)  # draining alone does not let the reader run

    return handler


def fall_silent_after(head: bytes) -> Handler:
    async def handler(asked: ReceivedRequest, writer: asyncio.StreamWriter) -> None:
        writer.write(head)
        await writer.drain()
        await asyncio.Event().wait()

    return handler


async def test_limits_of_size_and_room_hold_before_and_during_the_body(tmp_path: Path, jpeg: bytes) -> None:
    small, no_room = DownloadLimits(image_bytes=1_000_000), DownloadLimits(reserve_bytes=10**18)
    await fetch_refused(tmp_path, go_on_for_ever(jpeg), match="larger than the limit", limits=small)
    announced = fall_silent_after(response_head(content_length=10**15))
    await fetch_refused(tmp_path, announced, match="larger than the limit")
    await fetch_refused(tmp_path, announced, DiskFull, limits=DownloadLimits(image_bytes=10**18))
    await fetch_refused(tmp_path, respond_with(jpeg), DiskFull, limits=no_room)


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "identity, gzip", "GZIP", "x-gzip"])
async def test_fetch_unpacks_a_body_that_came_packed(tmp_path: Path, jpeg: bytes, encoding: str) -> None:
    """A storage that packs unasked is no reason to lose what was paid."""
    packed = zlib.compress(jpeg) if encoding == "deflate" else gzip.compress(jpeg, mtime=0)
    handler = respond_with(packed, content_encoding=encoding, etag='"a"', accept_ranges="bytes")
    assert (await fetch_result(tmp_path, handler))[0].path.read_bytes() == jpeg


@pytest.mark.parametrize(
    ("encoding", "body", "why"),
    [
        ("gzip", gzip.compress(bytes(40_000_000), compresslevel=1, mtime=0), "larger than the limit"),
        ("gzip", b"no gzip at all" * 20, "cannot be unpacked"),
        ("br", b"x" * 200, "packed as br"),
        ("gzip, gzip", b"x" * 200, "packed as gzip, gzip"),
    ],
)
async def test_fetch_refuses_a_packed_body_it_cannot_or_must_not_unpack(
    tmp_path: Path, encoding: str, body: bytes, why: str
) -> None:
    limits = DownloadLimits(image_bytes=1_000_000)
    await fetch_refused(tmp_path, respond_with(body, content_encoding=encoding), match=why, limits=limits)


@pytest.mark.parametrize(
    ("status", "content_range", "taken"),
    [
        ("203 Touched", "", True),
        ("206 Part", "bytes 0-{last}/{size}", True),
        ("206 Part", "bytes 0-{last}/*", True),
        ("206 Part", "bytes 0-10/{size}", False),
        ("206 Part", "bytes 5-{last}/{size}", False),
        ("206 Part", "", False),
    ],
)
async def test_fetch_takes_the_whole_file_under_another_status(
    tmp_path: Path, jpeg: bytes, status: str, content_range: str, taken: bool
) -> None:
    headers = {"content_range": content_range.format(last=len(jpeg) - 1, size=len(jpeg))} if content_range else {}
    handler = respond_with(jpeg, status, **headers)
    if taken:
        assert (await fetch_result(tmp_path, handler))[0].path.read_bytes() == jpeg
    else:
        await fetch_refused(tmp_path, handler)


async def test_fetch_reports_a_body_that_drips_and_goes_on(tmp_path: Path, jpeg: bytes) -> None:
    slow = asyncio.Event()

    async def drip(asked: ReceivedRequest, writer: asyncio.StreamWriter) -> None:
        writer.write(response_head(content_length=len(jpeg)) + jpeg[:1])
        await slow.wait()
        writer.write(jpeg[1:])

    await fetch_result(tmp_path, drip, on_slow=slow.set, limits=DownloadLimits(slow_window_seconds=0.05))
    assert file_names(tmp_path) == ["7.jpg"]


async def test_a_body_that_never_ends_or_never_comes_is_given_up(tmp_path: Path, jpeg: bytes) -> None:
    """The clock moves a minute with every reading."""
    minutes = iter(range(0, 10**6, 60))
    clock = {"clock": lambda: float(next(minutes))}
    _, requests = await fetch_refused(tmp_path, go_on_for_ever(jpeg), StorageUnreachable, "too long", **clock)
    assert len(requests) == 1
    limits = DownloadLimits(stall_seconds=0.05)
    await fetch_refused(tmp_path, fall_silent_after(b""), StorageUnreachable, "in time", limits=limits)


async def test_a_cancelled_fetch_leaves_nothing(tmp_path: Path, jpeg: bytes) -> None:
    begun = asyncio.Event()

    async def handler(asked: ReceivedRequest, writer: asyncio.StreamWriter) -> None:
        writer.write(response_head(content_length=len(jpeg), etag='"v1"', accept_ranges="bytes") + jpeg[:-1])
        await writer.drain()
        begun.set()
        await asyncio.Event().wait()

    async with open_storage(tmp_path, handler) as (host, fetch):
        task = asyncio.ensure_future(fetch(host.url()))
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert file_names(tmp_path) == []


@pytest.mark.parametrize("status", ["403 CANARY", "500 CANARY", "302 CANARY", "200 CANARY"])
async def test_no_error_carries_the_link_or_the_server_s_text(tmp_path: Path, status: str) -> None:
    """Signed links are secrets, and the text of a storage is untrusted."""
    handler = respond_with(b"<CANARY>", status, location="http://user:CANARY@CANARY/")
    async with open_storage(tmp_path, handler) as (host, fetch):
        with pytest.raises(ResultError) as caught:
            await fetch(host.url("/?signature=CANARY"))
    assert "CANARY" not in str(caught.value)
