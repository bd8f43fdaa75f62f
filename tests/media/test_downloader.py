"""Fetching from storages that behave, and from those that do not."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import hashlib
import stat
import zlib
from pathlib import Path

import pytest

from eternal_tui.core.http import MAX_RETRY_AFTER_SECONDS
from eternal_tui.media.decode.filetype import MediaKind
from eternal_tui.media.errors import BrokenFile, DiskFull, LinkExpired, LinkRejected, ResultError, StorageUnreachable
from eternal_tui.media.limits import DownloadLimits
from tests.media.fetching import FakeSleep, file_names, open_downloader
from tests.media.files import encode_image, make_image
from tests.media.server import Handler, ReceivedRequest, respond_with, response_head, serve_storage


async def test_a_picture_is_saved_whole_private_and_under_our_own_name(tmp_path: Path, jpeg: bytes) -> None:
    results = tmp_path / "results"
    async with serve_storage(respond_with(jpeg)) as host, open_downloader(results) as fetch:
        saved = await fetch.fetch(host.url(), name="0000012", expect="image")
    assert saved.path == results / "0000012.jpg"
    assert saved.path.read_bytes() == jpeg
    assert (saved.kind, saved.bytes, saved.width, saved.height) == ("image", len(jpeg), 96, 64)
    assert (saved.codec, saved.sha256) == ("jpeg", hashlib.sha256(jpeg).hexdigest())
    assert stat.S_IMODE(saved.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(results.stat().st_mode) == 0o700
    assert file_names(results) == ["0000012.jpg"]


async def test_a_clip_is_saved_with_its_facts(tmp_path: Path, clip: bytes) -> None:
    async with serve_storage(respond_with(clip)) as host, open_downloader(tmp_path) as fetch:
        saved = await fetch.fetch(host.url(), name="7", expect="video")
    assert saved.path.name == "7.mp4"
    assert (saved.kind, saved.width, saved.height, saved.codec) == ("video", 96, 64, "h264")
    assert saved.seconds == pytest.approx(1.0)
    assert not saved.has_sound


async def test_an_encrypted_result_is_kept_as_it_came(tmp_path: Path) -> None:
    """Also when it looks like a web page: nobody can say what a cipher's first bytes are."""
    sealed = b"<html>" + bytes(range(256))
    async with serve_storage(respond_with(sealed)) as host, open_downloader(tmp_path) as fetch:
        saved = await fetch.fetch(host.url(), name="7", expect="image", encrypted=True)
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

    async with serve_storage(handler) as host, open_downloader(tmp_path / "results") as fetch:
        await fetch.fetch(host.url(), name="7", expect="image")
    assert [asked.path for asked in host.requests] == ["/result", "/there"]
    for asked in host.requests:
        assert b"canary" not in asked.raw
        assert set(asked.headers) == {"host", "accept", "accept-encoding", "user-agent"}


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410])
async def test_an_expired_link_says_so(tmp_path: Path, status: int) -> None:
    async with serve_storage(respond_with(b"<Error/>", f"{status} No")) as host, open_downloader(tmp_path) as fetch:
        with pytest.raises(LinkExpired, match="Not charged again") as caught:
            await fetch.fetch(host.url(), name="7", expect="image")
    assert caught.value.status == status
    assert file_names(tmp_path) == []


@pytest.mark.parametrize(
    ("status", "value", "wait"),
    [
        (429, "7", 7.0),
        (429, "1.5", 1.5),
        (503, "Thu, 01 Jan 1970 00:01:00 GMT", 50.0),
        (503, "Thu, 01 Jan 1970 00:00:00 GMT", 0.0),
        (429, "-5", None),
        pytest.param(429, "9" * 400, MAX_RETRY_AFTER_SECONDS, id="huge"),
        (429, "nan", None),
        (429, "soon", None),
        (500, "", None),
    ],
)
async def test_a_busy_storage_is_to_be_asked_later(tmp_path: Path, status: int, value: str, wait: float | None) -> None:
    async with (
        serve_storage(respond_with(b"", f"{status} No", retry_after=value)) as host,
        open_downloader(tmp_path, now=lambda: 10.0) as fetch,
    ):
        with pytest.raises(StorageUnreachable) as caught:
            await fetch.fetch(host.url(), name="7", expect="image")
    assert caught.value.retry_after == wait
    assert len(host.requests) == 1


@pytest.mark.parametrize("status", [204, 206, 300, 304, 402, 416, 451])
async def test_answers_without_a_file_are_refused(tmp_path: Path, status: int) -> None:
    async with serve_storage(respond_with(b"", f"{status} What")) as host, open_downloader(tmp_path) as fetch:
        with pytest.raises((LinkRejected, BrokenFile)):
            await fetch.fetch(host.url(), name="7", expect="image")
    assert file_names(tmp_path) == []


async def test_a_storage_that_is_not_there_is_not_reachable(tmp_path: Path) -> None:
    async with serve_storage(respond_with(b"")) as host:
        pass
    async with open_downloader(tmp_path) as fetch:
        with pytest.raises(StorageUnreachable):
            await fetch.fetch(host.url(), name="7", expect="image")
    assert file_names(tmp_path) == []


def pad(body: bytes) -> bytes:
    return body + b" " * 200


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff",
        pad(b"<!doctype html><title>Please log in</title>"),
        pad(b"\xef\xbb\xbf\n <?xml version='1.0'?><Error/>"),
        pad(b'{"error": "expired"}'),
        pad(b"\x00\x00\x00\x20ftypavif"),
        b"\xff\xd8\xff\xe0" + b"\x00" * 500,
        pad(b"\x89PNG\r\n\x1a\n"),
        pad(b"RIFF\x00\x00\x00\x00WEBPVP8 "),
    ],
)
async def test_what_is_no_picture_never_gets_the_final_name(tmp_path: Path, body: bytes) -> None:
    async with serve_storage(respond_with(body, content_type="image/jpeg")) as host, open_downloader(tmp_path) as fetch:
        with pytest.raises(BrokenFile):
            await fetch.fetch(host.url(), name="7", expect="image")
    assert file_names(tmp_path) == []


async def test_an_avif_picture_is_saved(tmp_path: Path) -> None:
    body = encode_image(make_image(), "AVIF")
    async with serve_storage(respond_with(body, content_type="image/avif")) as host, open_downloader(tmp_path) as fetch:
        result = await fetch.fetch(host.url(), name="7", expect="image")
    assert file_names(tmp_path) == ["7.avif"]
    assert (result.width, result.height) == (96, 64)


ZIP = b"PK\x03\x04" + bytes(60)


@pytest.mark.parametrize(
    ("kind", "expect", "suffix", "note"),
    [
        ("clip", "image", "mp4", "An MP4 video came where an image was asked for."),
        ("jpeg", "video", "jpg", "A JPEG image came where a video was asked for."),
        (ZIP, "video", "zip", "A zip archive came, where a video was asked for. It is kept unopened: "),
        (gzip.compress(b"x", mtime=0) + bytes(40), "image", "gz", "A gzip-packed file came, where an image was asked"),
        (b"\x00\x00\x00 ftypheic" + bytes(60), "image", "heic", "A HEIC image came. It is kept unopened: "),
        (b"%PDF-1.7" + bytes(60), "image", "pdf", "A PDF document came, where an image was asked for."),
    ],
)
async def test_what_was_not_expected_is_kept_and_named(
    tmp_path: Path, clip: bytes, jpeg: bytes, kind: str | bytes, expect: MediaKind, suffix: str, note: str
) -> None:
    body = {"clip": clip, "jpeg": jpeg}[kind] if isinstance(kind, str) else kind
    async with serve_storage(respond_with(body)) as host, open_downloader(tmp_path) as fetch:
        saved = await fetch.fetch(host.url(), name="7", expect=expect)
    assert saved.path.read_bytes() == body
    assert (saved.path.name, saved.note[: len(note)]) == (f"7.{suffix}", note)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"\x7fELF" + bytes(60), "of no kind this program knows"),
        (b"", "it is empty"),
        (b"BM" + bytes(62), "is damaged"),
    ],
)
async def test_what_is_no_result_is_broken(tmp_path: Path, body: bytes, reason: str) -> None:
    async with serve_storage(respond_with(body)) as host, open_downloader(tmp_path) as fetch:
        with pytest.raises(BrokenFile, match=reason):
            await fetch.fetch(host.url(), name="7", expect="image")


async def test_a_storage_that_refuses_is_not_called_a_link_that_was_not_followed(tmp_path: Path) -> None:
    async with (
        serve_storage(respond_with(b"", "416 Range Not Satisfiable")) as host,
        open_downloader(tmp_path) as fetch,
    ):
        with pytest.raises(LinkRejected, match=r"refused the file \(HTTP 416\)") as raised:
            await fetch.fetch(host.url(), name="7", expect="image")
    assert "not followed" not in str(raised.value)


@pytest.mark.parametrize("said", [1, 5000])
async def test_a_wrong_length_is_never_a_file(tmp_path: Path, jpeg: bytes, said: int) -> None:
    async def handler(asked: ReceivedRequest, writer: asyncio.StreamWriter) -> None:
        writer.write(response_head(content_length=len(jpeg) + said) + jpeg)

    naps = FakeSleep()
    async with serve_storage(handler) as host, open_downloader(tmp_path, sleep=naps) as fetch:
        with pytest.raises(StorageUnreachable, match="broke off 4 times"):
            await fetch.fetch(host.url(), name="7", expect="image")
    assert file_names(tmp_path) == []
    assert len(host.requests) == 4
    assert naps.calls == [1.0, 2.0, 4.0]


async def test_a_body_shorter_than_the_picture_is_broken(tmp_path: Path, big_jpeg: bytes) -> None:
    """A storage that lies consistently: length and body agree, the picture is cut."""
    async with serve_storage(respond_with(big_jpeg[: len(big_jpeg) // 2])) as host, open_downloader(tmp_path) as fetch:
        with pytest.raises(BrokenFile):
            await fetch.fetch(host.url(), name="7", expect="image")


def interrupt_every(step: int, body: bytes, *, etag: str = '"v1"', ranges: str = "bytes") -> Handler:
    """Return a storage that breaks off after each `step` bytes and serves ranges of `body`."""

    async def handler(asked: ReceivedRequest, writer: asyncio.StreamWriter) -> None:
        start = 0
        extra = {"etag": etag, "accept_ranges": ranges}
        if asked.headers.get("if-range") == etag and "range" in asked.headers:
            start = int(asked.headers["range"].removeprefix("bytes=").removesuffix("-"))
            whole = f"bytes {start}-{len(body) - 1}/{len(body)}"
            writer.write(response_head("206 Partial", content_length=len(body) - start, content_range=whole, **extra))
        else:
            writer.write(response_head(content_length=len(body), **extra))
        writer.write(body[start : start + step])
        await writer.drain()

    return handler


async def test_a_cut_transfer_goes_on_where_it_broke_off(tmp_path: Path, big_jpeg: bytes) -> None:
    step = len(big_jpeg) // 3
    async with serve_storage(interrupt_every(step, big_jpeg)) as host, open_downloader(tmp_path) as fetch:
        saved = await fetch.fetch(host.url(), name="7", expect="image")
    assert saved.path.read_bytes() == big_jpeg
    assert [asked.headers.get("range") for asked in host.requests] == [
        None, *(f"bytes={step * cut}-" for cut in range(1, len(host.requests)))
    ]  # fmt: skip
    assert file_names(tmp_path) == ["7.jpg"]


async def test_what_three_cuts_left_is_gone_on_with_by_the_next_fetch(tmp_path: Path, big_jpeg: bytes) -> None:
    async with serve_storage(interrupt_every(64 * 1024, big_jpeg)) as host, open_downloader(tmp_path) as fetch:
        saved = None
        while saved is None and len(host.requests) < 40:
            with contextlib.suppress(StorageUnreachable):
                saved = await fetch.fetch(host.url(), name="7", expect="image")
            assert saved is not None or "7.jpg" not in file_names(tmp_path)
        assert saved is not None
        assert saved.path.read_bytes() == big_jpeg
    assert len(host.requests) == -(-len(big_jpeg) // (64 * 1024))
    assert file_names(tmp_path) == ["7.jpg"]


@pytest.mark.parametrize(("etag", "ranges"), [('W/"v1"', "bytes"), ("", "bytes"), ('"v1"', "none")])
async def test_no_rest_is_asked_of_a_storage_that_offers_none(
    tmp_path: Path, big_jpeg: bytes, etag: str, ranges: str
) -> None:
    handler = interrupt_every(len(big_jpeg) // 3, big_jpeg, etag=etag, ranges=ranges)
    async with serve_storage(handler) as host, open_downloader(tmp_path) as fetch:
        with pytest.raises(StorageUnreachable):
            await fetch.fetch(host.url(), name="7", expect="image")
    assert len(host.requests) == 4
    assert all("range" not in asked.headers for asked in host.requests)
    assert file_names(tmp_path) == []


@pytest.mark.parametrize("second", ["200 OK", "416 Range Not Satisfiable"])
async def test_a_file_that_changed_meanwhile_is_fetched_from_the_start(
    tmp_path: Path, big_jpeg: bytes, jpeg: bytes, second: str
) -> None:

    async def handler(asked: ReceivedRequest, writer: asyncio.StreamWriter) -> None:
        match len(host.requests):
            case 1:
                writer.write(response_head(content_length=len(big_jpeg), etag='"v1"', accept_ranges="bytes"))
                writer.write(big_jpeg[:70_000])
            case 2 if second.startswith("416"):
                writer.write(response_head(second, content_length=0))
            case _:
                writer.write(response_head(content_length=len(jpeg), etag='"v2"') + jpeg)

    async with serve_storage(handler) as host, open_downloader(tmp_path) as fetch:
        saved = await fetch.fetch(host.url(), name="7", expect="image")
    assert saved.path.read_bytes() == jpeg
    assert host.requests[1].headers["range"].startswith("bytes=")
    assert len(host.requests) == (2 if second.startswith("200") else 3)


@pytest.mark.parametrize("sent", ["bytes 0-9/10", "bytes 70001-99999/100000", "nonsense", ""])
async def test_a_part_that_was_not_asked_for_is_refused(tmp_path: Path, big_jpeg: bytes, sent: str) -> None:
    async def handler(asked: ReceivedRequest, writer: asyncio.StreamWriter) -> None:
        if len(host.requests) == 1:
            writer.write(response_head(content_length=len(big_jpeg), etag='"v1"', accept_ranges="bytes"))
            writer.write(big_jpeg[:65_536])
        else:
            writer.write(response_head("206 Partial", content_range=sent, content_length=10) + b"0123456789")

    async with serve_storage(handler) as host, open_downloader(tmp_path) as fetch:
        with pytest.raises(BrokenFile):
            await fetch.fetch(host.url(), name="7", expect="image")
    assert file_names(tmp_path) == []


async def test_an_endless_body_ends_at_the_cap(tmp_path: Path, jpeg: bytes) -> None:
    async def handler(asked: ReceivedRequest, writer: asyncio.StreamWriter) -> None:
        writer.write(response_head() + jpeg)
        while True:
            writer.write(b"\x00" * 65_536)
            await writer.drain()

    async with (
        serve_storage(handler) as host,
        open_downloader(tmp_path, DownloadLimits(image_bytes=1_000_000)) as fetch,
    ):
        with pytest.raises(BrokenFile, match="larger than the limit"):
            await fetch.fetch(host.url(), name="7", expect="image")
    assert file_names(tmp_path) == []


async def test_a_length_beyond_the_cap_is_refused_before_the_body(tmp_path: Path) -> None:
    async def handler(asked: ReceivedRequest, writer: asyncio.StreamWriter) -> None:
        writer.write(response_head(content_length=10**15))
        await writer.drain()
        await asyncio.Event().wait()

    async with serve_storage(handler) as host, open_downloader(tmp_path) as fetch:
        with pytest.raises(BrokenFile, match="larger than the limit"):
            await fetch.fetch(host.url(), name="7", expect="image")


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "identity, gzip", "GZIP", "x-gzip"])
async def test_fetch_unpacks_a_body_that_came_packed(tmp_path: Path, jpeg: bytes, encoding: str) -> None:
    """A storage that packs unasked is no reason to lose what was paid."""
    packed = zlib.compress(jpeg) if encoding == "deflate" else gzip.compress(jpeg, mtime=0)
    handler = respond_with(packed, content_encoding=encoding, etag='"a"', accept_ranges="bytes")
    async with serve_storage(handler) as host, open_downloader(tmp_path) as fetch:
        saved = await fetch.fetch(host.url(), name="7", expect="image")
    assert saved.path.read_bytes() == jpeg


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
    handler = respond_with(body, content_encoding=encoding)
    async with serve_storage(handler) as host, open_downloader(tmp_path, limits) as fetch:
        with pytest.raises(BrokenFile, match=why):
            await fetch.fetch(host.url(), name="7", expect="image")
    assert file_names(tmp_path) == []


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
    told = {"content_range": content_range.format(last=len(jpeg) - 1, size=len(jpeg))} if content_range else {}
    async with serve_storage(respond_with(jpeg, status, **told)) as host, open_downloader(tmp_path) as fetch:
        if taken:
            assert (await fetch.fetch(host.url(), name="7", expect="image")).path.read_bytes() == jpeg
        else:
            with pytest.raises(BrokenFile):
                await fetch.fetch(host.url(), name="7", expect="image")


async def test_fetch_tells_of_a_body_that_drips_and_goes_on(tmp_path: Path, jpeg: bytes) -> None:
    slow = asyncio.Event()

    async def drip(asked: ReceivedRequest, writer: asyncio.StreamWriter) -> None:
        writer.write(response_head(content_length=len(jpeg)) + jpeg[:1])
        await slow.wait()
        writer.write(jpeg[1:])

    limits = DownloadLimits(slow_window_seconds=0.05)
    async with serve_storage(drip) as host, open_downloader(tmp_path, limits) as fetch:
        await fetch.fetch(host.url(), name="7", expect="image", on_slow=slow.set)
    assert file_names(tmp_path) == ["7.jpg"]


async def test_a_slow_drip_ends_with_the_overall_time(tmp_path: Path, jpeg: bytes) -> None:
    """Each byte comes in time, the file never would: the clock moves a minute with every reading."""
    hours = iter(range(0, 10**6, 60))

    async def handler(asked: ReceivedRequest, writer: asyncio.StreamWriter) -> None:
        writer.write(response_head() + jpeg[:100])
        while True:
            writer.write(b"\x00")
            await writer.drain()
            await asyncio.sleep(0)  # draining alone does not let the reader run

    async with serve_storage(handler) as host, open_downloader(tmp_path, clock=lambda: float(next(hours))) as fetch:
        with pytest.raises(StorageUnreachable, match="too long"):
            await fetch.fetch(host.url(), name="7", expect="image")
    assert len(host.requests) == 1


async def test_a_silent_storage_is_given_up(tmp_path: Path) -> None:
    async def handler(asked: ReceivedRequest, writer: asyncio.StreamWriter) -> None:
        await asyncio.Event().wait()

    async with serve_storage(handler) as host, open_downloader(tmp_path, DownloadLimits(stall_seconds=0.05)) as fetch:
        with pytest.raises(StorageUnreachable, match="in time"):
            await fetch.fetch(host.url(), name="7", expect="image")


async def test_no_room_is_seen_before_a_byte_is_written(tmp_path: Path, jpeg: bytes) -> None:
    limits = DownloadLimits(reserve_bytes=10**18)
    async with serve_storage(respond_with(jpeg)) as host, open_downloader(tmp_path, limits) as fetch:
        with pytest.raises(DiskFull, match="Not charged again"):
            await fetch.fetch(host.url(), name="7", expect="image")
    assert file_names(tmp_path) == []


async def test_a_length_beyond_the_room_on_the_disk_is_seen_before_a_byte_is_written(tmp_path: Path) -> None:

    async def handler(asked: ReceivedRequest, writer: asyncio.StreamWriter) -> None:
        writer.write(response_head(content_length=10**17))
        await writer.drain()
        await asyncio.Event().wait()

    limits = DownloadLimits(image_bytes=10**18)
    async with serve_storage(handler) as host, open_downloader(tmp_path, limits) as fetch, asyncio.timeout(60):
        with pytest.raises(DiskFull, match="Not charged again"):
            await fetch.fetch(host.url(), name="7", expect="image")
    assert file_names(tmp_path) == []


async def test_a_cancelled_fetch_leaves_nothing(tmp_path: Path, jpeg: bytes) -> None:
    begun = asyncio.Event()

    async def handler(asked: ReceivedRequest, writer: asyncio.StreamWriter) -> None:
        writer.write(response_head(content_length=len(jpeg), etag='"v1"', accept_ranges="bytes") + jpeg[:-1])
        await writer.drain()
        begun.set()
        await asyncio.Event().wait()

    async with serve_storage(handler) as host, open_downloader(tmp_path) as fetch:
        task = asyncio.create_task(fetch.fetch(host.url(), name="7", expect="image"))
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert file_names(tmp_path) == []


async def test_no_error_carries_the_link_or_the_server_s_words(tmp_path: Path) -> None:
    """Signed links are secrets, and a stranger's words do not go into our sentences."""
    for status in ("403 CANARY", "500 CANARY", "302 CANARY", "200 CANARY"):
        handler = respond_with(b"<CANARY>", status, location="http://user:CANARY@CANARY/")
        async with serve_storage(handler) as host, open_downloader(tmp_path) as fetch:
            with pytest.raises(ResultError) as caught:
                await fetch.fetch(host.url("/?signature=CANARY"), name="7", expect="image")
        assert "CANARY" not in str(caught.value)
        assert "Not charged again" in str(caught.value)
