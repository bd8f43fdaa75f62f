"""The API port: generate, poll-result, characters, character/create."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from eternal_tui.sandbox.asgi import refusal_of, refused, spoiled
from eternal_tui.sandbox.faults import UNCHARGED, Fault, Place, rules_in_prompt
from eternal_tui.sandbox.simulator import DONE_PROGRESS, SandboxJob
from eternal_tui.sandbox.state import Service
from eternal_tui.sandbox.validation import CHARACTER_PRICE, Refusal, check_create, check_generate

MAX_PAGE_LIMIT = 100
_DEFAULT_PAGE_LIMIT = 50
_END_WORDS = {
    Fault.ERROR_WORD: "error",
    Fault.FAILED: "failed",
    Fault.DONE_WORD: "done",
    Fault.COMPLETED_WORD: "completed",
    Fault.UNKNOWN_END: "transmogrified",
    Fault.URL_WITHOUT_SUCCESS: "pending",
}
_FAILURE_REASON = "The model could not follow the prompt."
_BACK_BY = 30
_DRAW_FROM = 40  # per cent: the file is there before it is asked for, however slow the machine

Handler = Callable[[Request], Awaitable[Response]]


async def _json_body(request: Request) -> object:
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise Refusal(415, "Content-Type must be application/json.")
    try:
        body: object = json.loads(await request.body())
    except (ValueError, RecursionError):
        raise Refusal(400, "The body is not valid JSON.") from None
    return body


def _whole_number(request: Request, name: str, default: int, highest: int) -> int:
    text = request.query_params.get(name)
    if text is None:
        return default
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:12]) <= highest:
        raise Refusal(400, f"{name} must be a whole number from 1 to {highest}.")
    return int(text)


class ApiRoutes:
    """The handlers of one sandbox."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def routes(self) -> list[Route]:
        """Starlette routes, each with the one method it takes."""
        return [
            Route("/v2/base/generate", self._answering(self._generate), methods=["POST"]),
            Route("/v2/poll-result/{request_id}", self._answering(self._poll), methods=["GET"]),
            Route("/v2/characters", self._answering(self._characters), methods=["GET"]),
            Route("/v2/character/create", self._answering(self._create_character), methods=["POST"]),
        ]

    def _answering(self, handler: Handler) -> Handler:
        async def answer(request: Request) -> Response:
            try:
                return await handler(request)
            except Refusal as refusal:
                return refused(refusal.status, refusal.reason)

        return answer

    def _early(self, fault: Fault | None, request: Request) -> Response | None:
        if fault is Fault.HOSTILE_TEXT:
            return refused(400, self._service.settings.hostile_text)
        return refusal_of(fault, self._service, f"{self._service.cdn_url}/elsewhere{request.url.path}")

    async def _late(self, fault: Fault | None, answer: JSONResponse) -> Response:
        if fault is Fault.SLOW:
            await self._service.pause(self._service.settings.slow_seconds)
        return spoiled(fault, self._service, answer)

    def _from_prompt(self, prompt: str) -> Fault | None:
        for rule in rules_in_prompt(prompt):
            if Place.POST in rule.places:
                return rule.fault
        return None

    async def _generate(self, request: Request) -> Response:
        service = self._service
        fault = service.faults.take(Place.POST)
        if fault is not Fault.DROP_BEFORE:
            await request.body()
        if early := self._early(fault, request):
            return early
        service.check_key(request.headers, required=True)
        order = check_generate(await _json_body(request), service.cast.find)
        if fault is None:
            fault = self._from_prompt(order.prompt)
            if fault in UNCHARGED and (early := self._early(fault, request)):
                return early
        job = service.accept(order)
        self._arm_from_prompt(job)
        return await self._late(fault, JSONResponse(self._accepted(job, fault)))

    def _arm_from_prompt(self, job: SandboxJob) -> None:
        for rule in rules_in_prompt(job.order.prompt):
            if Place.JOB in rule.places:
                job.faults.add(rule.fault)
            elif Place.POST not in rule.places:
                self._service.faults.arm(msgspec.structs.replace(rule, request_id=job.request_id))

    def _accepted(self, job: SandboxJob, fault: Fault | None) -> dict[str, object]:
        started: dict[str, object] = {
            "request_id": job.request_id,
            "status": "pending",
            "result": "",
            "progress": 0,
        }
        answer: dict[str, object] = started
        if job.order.kind == "video":
            answer = {"status": 1, "data": started, "request_id": job.request_id}
        if fault is Fault.NO_CREDITS:
            return answer
        return answer | {"credits_remaining": float(self._service.credits)}

    async def _poll(self, request: Request) -> Response:
        service = self._service
        request_id = request.path_params["request_id"]
        fault = service.faults.take(Place.POLL, request_id)
        if early := self._early(fault, request):
            return early
        service.check_key(request.headers, required=False)
        job = service.engine.jobs.get(request_id)
        if job is None or fault is Fault.POLL_404:
            raise Refusal(404, "There is no request with this ID.")
        job.polls += 1
        return await self._late(fault, JSONResponse(self._polled(job)))

    def _polled(self, job: SandboxJob) -> dict[str, object]:
        ended = self._service.engine.has_ended(job)
        answer = self._ended(job) if ended else self._pending(job)
        if self._service.settings.draw_ahead and self._service.engine.progress(job) >= _DRAW_FROM:
            self._service.studio.prepare(job.order)
        if Fault.NULL_PROGRESS in job.faults:
            answer["progress"] = None
        return answer

    def _answer(self, job: SandboxJob, status: str, progress: int, url: str = "") -> dict[str, object]:
        return {
            "request_id": job.request_id,
            "status": status,
            "progress": progress,
            "result_url": url,
            "effect_type": job.order.kind,
            "encrypted_aes_key": "",
        }

    def _pending(self, job: SandboxJob) -> dict[str, object]:
        progress = self._service.engine.progress(job)
        if Fault.BACKWARDS_PROGRESS in job.faults and job.polls % 2 == 0:
            progress = max(0, progress - _BACK_BY)
        status = "transmogrifying" if Fault.UNKNOWN_WORD in job.faults else "pending"
        if Fault.HOSTILE_TEXT in job.faults:
            status = self._service.settings.hostile_text
        return self._answer(job, status, progress)

    def _ended(self, job: SandboxJob) -> dict[str, object]:
        if Fault.HOSTILE_TEXT in job.faults:
            hostile = self._service.settings.hostile_text
            return self._answer(job, "failed", self._service.engine.progress(job)) | {
                "error": hostile,
                "effect_type": hostile,
            }
        word = next((word for fault, word in _END_WORDS.items() if fault in job.faults), "success")
        if word in ("failed", "error"):
            return self._answer(job, word, self._service.engine.progress(job)) | {"error": _FAILURE_REASON}
        answer = self._answer(job, word, DONE_PROGRESS, self._link(job))
        if Fault.ENCRYPTED in job.faults:
            answer["encrypted_aes_key"] = "c2FuZGJveC1hZXMta2V5LW5vdC1hLXNlY3JldA=="
        return answer

    def _link(self, job: SandboxJob) -> str:
        if Fault.SUCCESS_WITHOUT_URL in job.faults:
            return ""
        expired = self._service.faults.take(Place.LINK, job.request_id) is Fault.EXPIRED_LINK
        return self._service.result_url(job, life=-60.0 if expired else self._service.settings.link_life)

    async def _characters(self, request: Request) -> Response:
        service = self._service
        fault = service.faults.take(Place.LIST)
        if fault is not Fault.HOSTILE_TEXT and (early := self._early(fault, request)):
            return early
        service.check_key(request.headers, required=False)
        page = _whole_number(request, "page", 1, 1_000_000)
        limit = _whole_number(request, "limit", _DEFAULT_PAGE_LIMIT, MAX_PAGE_LIMIT)
        listed = []
        for character in service.cast.page(page, limit):
            entry = msgspec.structs.asdict(character)
            entry["avatar_url"] = f"{service.cdn_url}/avatars/{character.id}.jpg"
            if fault is Fault.HOSTILE_TEXT:
                entry |= dict.fromkeys(("username", "display_name", "description"), service.settings.hostile_text)
            listed.append(entry)
        return await self._late(fault, JSONResponse({"result": listed}))

    async def _create_character(self, request: Request) -> Response:
        service = self._service
        fault = service.faults.take(Place.POST)
        if fault is not Fault.DROP_BEFORE:
            await request.body()
        if early := self._early(fault, request):
            return early
        service.check_key(request.headers, required=True)
        prompt = check_create(await _json_body(request))
        if fault is None:
            fault = self._from_prompt(prompt)
            if fault in UNCHARGED and (early := self._early(fault, request)):
                return early
        service.spend(CHARACTER_PRICE)
        character = service.cast.create(prompt)
        service.created.append(str(character.id))
        return await self._late(fault, JSONResponse({"status": 1, "data": {"id": character.id}}))


async def http_error(_request: Request, error: Exception) -> Response:
    """404 and 405 of the router, in the API's error shape."""
    if not isinstance(error, HTTPException):
        raise error
    answer = refused(error.status_code, error.detail)
    answer.headers.update(error.headers or {})
    return answer
