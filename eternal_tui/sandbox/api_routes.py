"""The API port: generate, poll-result, characters, character/create."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import partial
from typing import Any

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from eternal_tui.sandbox.asgi import apply_fault, early_fault_response, error_response
from eternal_tui.sandbox.faults import Fault, FaultPlace, rules_in_prompt
from eternal_tui.sandbox.state import DONE_PROGRESS, SandboxJob, SandboxState
from eternal_tui.sandbox.validation import ParsedRequest, parse_create, parse_generate

MAX_PAGE_LIMIT = 100
_DEFAULT_PAGE_LIMIT = 50
_FAILURE: dict[str, object] = {"error": "The model could not follow the prompt."}
_FAILURES: dict[Fault, tuple[str, dict[str, object]]] = {
    Fault.ERROR_WORD: ("error", _FAILURE),
    Fault.FAILED: ("failed", _FAILURE),
    Fault.CANCELLED_WORD: ("cancelled", _FAILURE),
    Fault.MODERATED_WORD: ("moderated", {"result": {"error": "The picture was held back by moderation."}}),
    Fault.END_WORD: ("expired", {}),
}
"""Status and reason of a job that fails."""
_SUCCESS_WORDS = {
    Fault.DONE_WORD: "done",
    Fault.COMPLETED_WORD: "completed",
    Fault.UNKNOWN_END: "transmogrified",
    Fault.URL_WITHOUT_SUCCESS: "pending",
}
_SETBACK_PERCENT = 30
_PRERENDER_FROM_PERCENT = 40  # per cent: the file is there before it is asked for, however slow the machine


async def _read_json_body(request: Request) -> object:
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise HTTPException(415, "Content-Type must be application/json.")
    try:
        body: object = json.loads(await request.body())
    except (ValueError, RecursionError):
        raise HTTPException(400, "The body is not valid JSON.") from None
    return body


def _integer_parameter(request: Request, name: str, default: int, maximum: int) -> int:
    text = request.query_params.get(name)
    if text is None:
        return default
    if not re.fullmatch("0*[1-9][0-9]{0,8}", text, re.ASCII) or int(text) > maximum:
        raise HTTPException(400, f"{name} must be a whole number from 1 to {maximum}.")
    return int(text)


class ApiRoutes:
    """The handlers of one sandbox."""

    def __init__(self, state: SandboxState) -> None:
        self._state = state

    def routes(self) -> list[Route]:
        """Starlette routes, each with the one method it takes."""
        return [
            Route("/v2/base/generate", self._generate, methods=["POST"]),
            Route("/v2/poll-result/{request_id}", self._poll, methods=["GET"]),
            Route("/v2/characters", self._characters, methods=["GET"]),
            Route("/v2/character/create", self._create_character, methods=["POST"]),
        ]

    def _early_fault_response(self, fault: Fault | None, request: Request) -> Response | None:
        if fault is Fault.HOSTILE_TEXT:
            return error_response(400, self._state.settings.hostile_text)
        return early_fault_response(fault, self._state, f"{self._state.cdn_url}/elsewhere{request.url.path}")

    async def _apply_late_fault(self, fault: Fault | None, response: JSONResponse) -> Response:
        if fault is Fault.SLOW:
            await self._state.delay(self._state.settings.slow_seconds)
        return apply_fault(fault, self._state, response)

    async def _answer_post(
        self, request: Request, parse: Callable[[object], Any], charge: Callable[[Any, Fault | None], object]
    ) -> Response:
        """Answer with what `charge` makes of the body that `parse` reads, unless a fault or the key forbids it."""
        fault = self._state.faults.next_fault(FaultPlace.POST)
        if fault is not Fault.DROP_BEFORE:
            await request.body()
        if early := self._early_fault_response(fault, request):
            return early
        self._state.check_key(request.headers, required=True)
        parsed = parse(await _read_json_body(request))
        if fault is None:
            rules = rules_in_prompt(parsed if isinstance(parsed, str) else parsed.prompt)
            fault = next((rule.fault for rule in rules if FaultPlace.POST in rule.places), None)
            if early := self._early_fault_response(fault, request):
                return early
        return await self._apply_late_fault(fault, JSONResponse(charge(parsed, fault)))

    async def _generate(self, request: Request) -> Response:
        state = self._state
        parse = partial(parse_generate, find=state.find_character, strict=state.settings.strict)
        return await self._answer_post(request, parse, self._submit)

    async def _create_character(self, request: Request) -> Response:
        def create(prompt: str, _fault: Fault | None) -> object:
            return {"status": 1, "data": {"id": self._state.create_character(prompt).id}}

        return await self._answer_post(request, parse_create, create)

    def _submit(self, parsed: ParsedRequest, fault: Fault | None) -> object:
        job = self._state.accept(parsed)
        for rule in rules_in_prompt(parsed.prompt):
            if FaultPlace.JOB in rule.places:
                job.faults.add(rule.fault)
            elif FaultPlace.POST not in rule.places:
                self._state.faults.rules.append(msgspec.structs.replace(rule, request_id=job.request_id))
        body: dict[str, object] = {"request_id": job.request_id, "status": "pending", "result": "", "progress": 0}
        if parsed.kind == "video":
            body = {"status": 1, "data": body, "request_id": job.request_id}
        return body if fault is Fault.NO_CREDITS else body | {"credits_remaining": float(self._state.credits)}

    async def _poll(self, request: Request) -> Response:
        state = self._state
        request_id = request.path_params["request_id"]
        fault = state.faults.next_fault(FaultPlace.POLL, request_id)
        if early := self._early_fault_response(fault, request):
            return early
        state.check_key(request.headers, required=False)
        job = state.jobs.get(request_id)
        if job is None or fault is Fault.POLL_404:
            raise HTTPException(404, "There is no request with this ID.")
        job.polls += 1
        if fault is Fault.WRONG_ID:
            return JSONResponse(self._poll_body(job) | {"request_id": "00000000-0000-4000-8000-000000000000"})
        return await self._apply_late_fault(fault, JSONResponse(self._poll_body(job)))

    def _poll_body(self, job: SandboxJob) -> dict[str, object]:
        ended = self._state.has_ended(job)
        answer = self._ended_body(job) if ended else self._pending_body(job)
        if self._state.settings.prerender and self._state.progress(job) >= _PRERENDER_FROM_PERCENT:
            self._state.renderer.prerender(job.request)
        if Fault.NULL_PROGRESS in job.faults:
            answer["progress"] = None
        return answer

    def _status_body(self, job: SandboxJob, status: str, progress: int, url: str = "") -> dict[str, object]:
        return {
            "request_id": job.request_id,
            "status": status,
            "progress": progress,
            "result_url": url,
            "effect_type": job.request.kind,
            "encrypted_aes_key": "",
        }

    def _pending_body(self, job: SandboxJob) -> dict[str, object]:
        progress = self._state.progress(job)
        if Fault.BACKWARDS_PROGRESS in job.faults and job.polls % 2 == 0:
            progress = max(0, progress - _SETBACK_PERCENT)
        status = "transmogrifying" if Fault.UNKNOWN_WORD in job.faults else "pending"
        if Fault.HOSTILE_TEXT in job.faults:
            status = self._state.settings.hostile_text
        return self._status_body(job, status, progress)

    def _ended_body(self, job: SandboxJob) -> dict[str, object]:
        state, progress = self._state, self._state.progress(job)
        if Fault.HOSTILE_TEXT in job.faults:
            hostile = state.settings.hostile_text
            return self._status_body(job, "failed", progress) | {"error": hostile, "effect_type": hostile}
        if Fault.FALSE_STATUS in job.faults:
            return {"request_id": job.request_id, "status": False, **_FAILURE, "result": None}
        for fault, (word, reason) in _FAILURES.items():
            if fault in job.faults:
                return self._status_body(job, word, progress) | reason
        word = next((word for fault, word in _SUCCESS_WORDS.items() if fault in job.faults), "success")
        body = self._status_body(job, word, DONE_PROGRESS, self._sign_link(job))
        if Fault.ENCRYPTED in job.faults:
            body["encrypted_aes_key"] = "c2FuZGJveC1hZXMta2V5LW5vdC1hLXNlY3JldA=="
        if Fault.FTP_LINK in job.faults:
            body["result_url"] = f"ftp://cdn.example.org/{job.request_id}.jpg"
        if Fault.OBJECT_LINK in job.faults:
            body["result_url"] = {"path": f"/agent_data/{job.request_id}"}
        if Fault.PRIVATE_LINK in job.faults:
            body["result_url"] = "http://169.254.169.254./latest/meta-data"
        if Fault.OTHER_LINK_NAME in job.faults:
            url = body.pop("result_url")
            body |= {"result": {"video_url": url}} if job.request.kind == "video" else {"output": [{"url": url}]}
        return body

    def _sign_link(self, job: SandboxJob) -> str:
        if Fault.SUCCESS_WITHOUT_URL in job.faults:
            return ""
        expired = self._state.faults.next_fault(FaultPlace.LINK, job.request_id) is Fault.EXPIRED_LINK
        return self._state.result_url(
            job, lifetime_seconds=-60.0 if expired else self._state.settings.link_lifetime_seconds
        )

    async def _characters(self, request: Request) -> Response:
        state = self._state
        fault = state.faults.next_fault(FaultPlace.LIST)
        if fault is not Fault.HOSTILE_TEXT and (early := self._early_fault_response(fault, request)):
            return early
        state.check_key(request.headers, required=False)
        page = _integer_parameter(request, "page", 1, 1_000_000)
        limit = _integer_parameter(request, "limit", _DEFAULT_PAGE_LIMIT, MAX_PAGE_LIMIT)
        listed: list[dict[str, object]] = []
        rows = state.characters[(page - 1) * limit : page * limit]
        if fault is Fault.ENDLESS_LIST:
            rows = [
                msgspec.structs.replace(each, id=1_000_000 + page * limit + number)
                for number, each in enumerate(state.characters[:limit])
            ]
        for character in rows:
            entry = msgspec.structs.asdict(character)
            entry["avatar_url"] = f"{state.cdn_url}/avatars/{character.id}.jpg"
            if fault is Fault.HOSTILE_TEXT:
                entry |= dict.fromkeys(("username", "display_name", "description"), state.settings.hostile_text)
            listed.append(entry)
            if fault is Fault.MINOR_TWICE:
                listed.append(entry | {"age": "sixteen"})
        return await self._apply_late_fault(fault, JSONResponse({"result": listed}))


async def http_error(_request: Request, error: Exception) -> Response:
    """404 and 405 of the router, in the API's error shape."""
    if not isinstance(error, HTTPException):
        raise error
    answer = error_response(error.status_code, error.detail)
    answer.headers.update(error.headers or {})
    return answer
