"""The CDN port: signed result files, avatars, and the place redirects lead to."""

from __future__ import annotations

import gzip
import hashlib
import re

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from eternal_tui.sandbox.asgi import (
    DroppedResponse,
    ShortResponse,
    dripping_response,
    early_fault_response,
    padded_response,
)
from eternal_tui.sandbox.faults import Fault, FaultPlace
from eternal_tui.sandbox.state import SandboxState

_FILE_PATH_PATTERN = re.compile(r".*/(?:img|vid)-generated-(?P<request_id>[0-9a-f-]{36})_\d+\.(?:jpg|mp4)")
_RANGE_PATTERN = re.compile(r"bytes=(\d*)-(\d*)")
_EXCESS_LENGTH_BYTES = 97
_LOGIN_PAGE = "<!DOCTYPE html><html><body><h1>Welcome to Airport Wi-Fi</h1></body></html>"


def _xml_error(status: int, code: str, message: str) -> Response:
    text = f'<?xml version="1.0" encoding="UTF-8"?><Error><Code>{code}</Code><Message>{message}</Message></Error>'
    return Response(text, status_code=status, media_type="application/xml")


def _parse_range(header: str, size: int) -> range | None:
    """The bytes that a Range header asks for, an empty range when it cannot be met; None to ignore it."""
    match = _RANGE_PATTERN.fullmatch(header.strip())
    if match is None or match[1] == match[2] == "":
        return None
    if match[1] == "":
        return range(max(0, size - int(match[2])), size)
    start = int(match[1])
    last = int(match[2] or max(start, size))
    return None if last < start else range(start, min(size, last + 1))


def _range_response(request: Request, content: bytes, media_type: str) -> Response:
    tag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    headers = {"etag": tag, "accept-ranges": "bytes", "cache-control": "private"}
    known_tags = re.split(r"\s*,\s*", request.headers.get("if-none-match", "").replace("W/", ""))
    if tag in known_tags or known_tags == ["*"]:
        return Response(status_code=304, headers=headers)
    has_range = request.method == "GET" and request.headers.get("if-range", tag) == tag
    span = _parse_range(request.headers.get("range", "") if has_range else "", len(content))
    if span is None:
        return Response(content, media_type=media_type, headers=headers)
    if not span:
        answer = _xml_error(416, "InvalidRange", "The requested range is not satisfiable")
        answer.headers.update(headers | {"content-range": f"bytes */{len(content)}"})
        return answer
    headers["content-range"] = f"bytes {span.start}-{span.stop - 1}/{len(content)}"
    return Response(content[span.start : span.stop], status_code=206, media_type=media_type, headers=headers)


class CdnRoutes:
    """The handlers of one sandbox's CDN."""

    def __init__(self, state: SandboxState) -> None:
        self._state = state

    def routes(self) -> list[Route]:
        """Starlette routes; anything else is an XML 403, as on a bucket that lists nothing."""
        every = ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"]
        return [
            Route("/agent_data/{rest:path}", self._result_file, methods=["GET", "HEAD"]),
            Route("/avatars/{character:int}.jpg", self._avatar, methods=["GET", "HEAD"]),
            Route("/elsewhere/{rest:path}", self._redirect_target, methods=every),
            Route("/{rest:path}", self._access_denied, methods=every),
        ]

    async def _access_denied(self, _request: Request) -> Response:
        return _xml_error(403, "AccessDenied", "Access denied")

    async def _redirect_target(self, request: Request) -> Response:
        await request.body()
        return JSONResponse({"request_id": "from-elsewhere", "status": "pending", "result": "", "progress": 0})

    async def _avatar(self, request: Request) -> Response:
        identity = request.path_params["character"]
        if self._state.find_character(str(identity)) is None:
            return await self._access_denied(request)
        return _range_response(request, await self._state.renderer.render(identity), "image/jpeg")

    async def _result_file(self, request: Request) -> Response:
        state = self._state
        path = request.url.path
        match = _FILE_PATH_PATTERN.fullmatch(path)
        job = state.jobs.get(match["request_id"]) if match else None
        if job is None or state.signer.path_of(job) != path:
            return await self._access_denied(request)
        if problem := state.signer.rejection_reason(path, request.query_params, state.now()):
            return _xml_error(403, "AccessDenied", problem)
        fault = state.faults.next_fault(FaultPlace.CDN, job.request_id)
        if early := early_fault_response(fault, state, f"{state.cdn_url}{path}?{request.url.query}&hop=1"):
            return early
        if fault is Fault.SLOW:
            await state.delay(state.settings.slow_seconds)
        if fault is Fault.NOT_READY:
            state.repeated_links[job.request_id] = f"{state.cdn_url}{path}?{request.url.query}"
            return await self._access_denied(request)
        if fault is Fault.WRONG_TYPE:
            return Response(_LOGIN_PAGE, media_type="text/html")
        content = await state.renderer.render(job.request)
        if Fault.ENCRYPTED in job.faults:
            # No readable bytes, in place of an undocumented cipher.
            pad = hashlib.shake_256(b"sandbox").digest(len(content))
            content = bytes(a ^ b for a, b in zip(content, pad, strict=True))
        media_type = "video/mp4" if job.request.kind == "video" else "image/jpeg"
        return self._deliver(request, fault, content, media_type)

    def _deliver(self, request: Request, fault: Fault | None, content: bytes, media_type: str) -> Response:
        half = content[: len(content) // 2]
        match fault:
            case Fault.TRUNCATED:
                return ShortResponse(half, len(content), media_type)
            case Fault.WRONG_LENGTH:
                return ShortResponse(content, len(content) + _EXCESS_LENGTH_BYTES, media_type)
            case Fault.CUT:
                return Response(half, media_type=media_type)
            case Fault.HUGE_BODY:
                return padded_response(self._state, content, media_type)
            case Fault.DRIP:
                return dripping_response(self._state, content, media_type)
            case Fault.GZIP:
                return Response(gzip.compress(content), media_type=media_type, headers={"content-encoding": "gzip"})
        return _range_response(request, content, media_type)


async def render_cancelled(_request: Request, _error: Exception) -> Response:
    """Drop the connection of a file that is no longer drawn."""
    return DroppedResponse()
