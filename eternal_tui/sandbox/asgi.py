"""Recording of requests, and answers that HTTP libraries do not offer: dropped, short, endless."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from email.utils import formatdate
from typing import TYPE_CHECKING

from starlette.responses import HTMLResponse, JSONResponse, Response, StreamingResponse

from eternal_tui.sandbox.faults import Fault
from eternal_tui.sandbox.state import RecordedRequest, SandboxState

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    HangUp = Callable[[Scope, bool], None]

_BAD_GATEWAY_PAGE = (
    "<!DOCTYPE html><html><head><title>502 Bad Gateway</title></head>"
    "<body><center><h1>502 Bad Gateway</h1></center><hr><center>nginx</center></body></html>"
)
_FIREWALL_PAGE = (
    "<!DOCTYPE html><html><head><title>Attention Required! | Firewall</title></head>"
    "<body><h1>Sorry, you have been blocked</h1></body></html>"
)
_CHUNK = b" " * 65536


class RequestRecorder:
    """Records every request of one port first, and lets responses close their connection."""

    def __init__(self, app: ASGIApp, state: SandboxState, port: str, hang_up: HangUp) -> None:
        self._app = app
        self._state = state
        self._port = port
        self._hang_up = hang_up

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Record one request and pass it on."""
        call = RecordedRequest(
            port=self._port,
            method=scope["method"],
            path=scope["path"],
            query=scope["query_string"].decode("latin-1"),
            headers={name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]},
            received_at=self._state.now(),
        )
        self._state.requests.append(call)
        self._state.notify_activity()
        texts = (call.path, call.query, *call.headers.values())
        has_key_header = not {"x-api-key", "api-key", "authorization"}.isdisjoint(call.headers)
        if self._port == "cdn" and (has_key_header or any(self._state.settings.key in text for text in texts)):
            self._state.leaks.append(call)

        async def noted(message: Message) -> None:
            if message["type"] == "http.response.start":
                call.status = message["status"]
                date = formatdate(self._state.now(), usegmt=True)
                message = {**message, "headers": [*message["headers"], (b"date", date.encode())]}
                self._state.notify_activity()
            await send(message)

        async def read() -> Message:
            message = await receive()
            call.body += message.get("body", b"")
            return message

        scope["sandbox.hang_up"] = self._hang_up
        scope["sandbox.unrecorded"] = receive
        await self._app(scope, read, noted)


class DroppedResponse(Response):
    """No response: the connection is closed."""

    async def __call__(self, scope: Scope, _receive: Receive, _send: Send) -> None:
        """Cut the connection and wait for its end; an unread body is not recorded."""
        scope["sandbox.hang_up"](scope, True)
        while (await scope["sandbox.unrecorded"]())["type"] != "http.disconnect":
            pass


class ShortResponse(Response):
    """Promises more bytes than it sends, then closes the connection."""

    def __init__(self, sent: bytes, promised: int, media_type: str) -> None:
        super().__init__(sent, media_type=media_type)
        self.headers["content-length"] = str(promised)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send what there is and hang up after it was written."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": bytes(self.body), "more_body": True})
        scope["sandbox.hang_up"](scope, False)
        while (await receive())["type"] != "http.disconnect":
            pass


def error_response(status: int, reason: str) -> JSONResponse:
    """An error in the shape of the newer API."""
    return JSONResponse({"status": False, "error": reason, "result": None}, status_code=status)


def padded_response(state: SandboxState, start: bytes, media_type: str) -> StreamingResponse:
    """A response that continues for ``huge_body_bytes`` after its beginning."""

    async def chunks() -> AsyncIterator[bytes]:
        yield start
        sent = len(start)
        while sent < state.settings.huge_body_bytes and not state.closing.is_set():
            yield _CHUNK
            sent += len(_CHUNK)

    return StreamingResponse(chunks(), media_type=media_type)


def dripping_response(state: SandboxState, content: bytes, media_type: str) -> StreamingResponse:
    """The whole file with its right length, a byte a second."""

    async def chunks() -> AsyncIterator[bytes]:
        for at in range(len(content)):
            yield content[at : at + 1]
            await state.delay(1.0)

    return StreamingResponse(chunks(), media_type=media_type, headers={"content-length": str(len(content))})


_REFUSALS: dict[Fault, tuple[int, object]] = {
    Fault.SERVER_ERROR: (500, {"status": False, "error": "Internal error.", "result": None}),
    Fault.HTML_502: (502, _BAD_GATEWAY_PAGE),
    Fault.PROXY_403: (403, _FIREWALL_PAGE),
    Fault.NOT_YOURS: (403, {"status": False, "error": "This request is not yours.", "result": None}),
    Fault.MODERATED_403: (403, {"status": False, "error": "The prompt was rejected by moderation.", "result": None}),
    Fault.REFUSED_200: (200, {"status": False, "error": "insufficient credits", "result": None}),
    Fault.FIELDS_422: (422, {"errors": {"prompt": ["is too long"], "duration": ["must be from 1 to 5"]}}),
    Fault.DETAIL_422: (
        422,
        {
            "detail": [
                {"type": "missing", "loc": ["body", "prompt"], "msg": "Field required"},
                {"type": "int_parsing", "loc": ["body", "duration"], "msg": "Input should be a valid integer"},
            ]
        },
    ),
}


def early_fault_response(fault: Fault | None, state: SandboxState, redirect_url: str) -> Response | None:
    """Return the response of a fault that strikes before the request is read; None where it does not."""
    settings = state.settings
    if fault in _REFUSALS:
        status, content = _REFUSALS[fault]
        return (HTMLResponse if isinstance(content, str) else JSONResponse)(content, status_code=status)
    if fault is Fault.DROP_BEFORE:
        return DroppedResponse()
    if fault is Fault.RATE_LIMITED:
        answer = error_response(429, "Too many requests; slow down.")
        if settings.retry_after:
            answer.headers["retry-after"] = settings.retry_after
        return answer
    if fault is Fault.ECHO_KEY:
        key = json.dumps(settings.key).replace("/", "\\/")[1:-1]
        return Response(f'{{"error":"{key} is not accepted here"}}', status_code=401, media_type="application/json")
    if fault is Fault.REDIRECT:
        return Response(status_code=302, headers={"location": redirect_url})
    return None


def apply_fault(fault: Fault | None, state: SandboxState, response: JSONResponse) -> Response:
    """The finished answer as this fault lets it arrive."""
    text = bytes(response.body)
    if fault is Fault.LOST_ANSWER:
        return DroppedResponse()
    if fault is Fault.CHARGED_502:
        return HTMLResponse(_BAD_GATEWAY_PAGE, status_code=502)
    if fault is Fault.GARBAGE_JSON:
        return Response(text[: len(text) * 2 // 3] + b"\x00\xff{", media_type="application/json")
    if fault is Fault.HUGE_BODY:
        return padded_response(state, text, "application/json")
    if fault is Fault.EMPTY_ANSWER:
        return Response(b"", media_type="application/json")
    return response
