"""The service for other programs: typed, asynchronous, with neither screen nor history."""

from __future__ import annotations

import asyncio
import hashlib
import os
import time
from collections.abc import AsyncIterator, Callable, Generator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

from eternal_tui.api import errors
from eternal_tui.api.client import ApiClient, Timeouts
from eternal_tui.api.models import (
    Character,
    GenerateRequest,
    InvalidRequest,
    PollResponse,
    Quality,
    SubmitResponse,
    normalize_character_id,
    validate,
)
from eternal_tui.config.credentials import keys_from_environ
from eternal_tui.config.settings import OFFICIAL_HOST
from eternal_tui.config.validation import validate_base_url
from eternal_tui.core.network import Network
from eternal_tui.core.secret import Secret
from eternal_tui.estimation.durations import DurationEstimator, JobKind
from eternal_tui.estimation.interval import backoff_seconds, next_poll
from eternal_tui.estimation.progress import Observation
from eternal_tui.media.decode.filetype import DownloadedFile
from eternal_tui.media.download.downloader import ResultDownloader
from eternal_tui.media.limits import LinkPolicy

DEFAULT_WAIT_SECONDS = 1800.0
"""Seconds `wait` waits at most: a job that is not done after half an hour rarely ends at all."""

GRACE_SECONDS = 60.0
"""Seconds for which an unknown id, a success without a link or an end without a reason is polled again."""

MAX_POLL_SECONDS = 5.0
"""Longest seconds between polls in `wait`: the upper end of the API's guidance of 2 to 5."""

_LATENESS_WEIGHT = 4.0
"""Requests that one second of lateness is worth in `wait`."""


class GenerationFailed(errors.ApiError):
    """The job has ended without a result; `service_message` is the service's reason. It may have been charged."""


class NoResultLink(errors.ApiError):
    """The job succeeded, but its response has no usable result URL; `raw` is that response."""


class CharacterList:
    """Usable characters: await it for a list, or iterate over it asynchronously, page by page."""

    def __init__(self, iterate: Callable[[], AsyncIterator[Character]]) -> None:
        self._iterate = iterate

    def __aiter__(self) -> AsyncIterator[Character]:
        """Iterate over the characters while pages are loaded."""
        return (each async for each in self._iterate() if each.is_allowed)

    def __await__(self) -> Generator[Any, None, list[Character]]:
        """Return all of them."""

        async def collect() -> list[Character]:
            # One listed twice is yielded again if its second age forbids it.
            found = {each.id: each async for each in self._iterate()}
            return [each for each in found.values() if each.is_allowed]

        return collect().__await__()


class Client(ApiClient):
    """The generation API for other programs: submit, poll, wait, download.

        async with Client(api_key="…") as client:
            submitted = await client.generate(character="6870", prompt="At the harbour", type="image")
            finished = await client.wait(submitted.request_id)
            file = await client.download(finished.result_url, "results")

    `base_url` is https, or http on this machine. Without `api_key` the environment's ETERNALAI_API_KEY, then
    ETERNAL_AI_API_KEY is used. `key_header` is "x-api-key", "api-key" or "Authorization" (as a Bearer token, for keys
    that begin with sk_). Proxies and certificates come from `environ`, by default this process's environment.

    A POST is sent once and never again by itself. Network failures and refusals raise `api.errors.ApiError`: of its
    kinds, RequestNotSent and RequestRejected mean that nothing was charged, OutcomeUnknown that it may have been.
    Downloads raise `media.errors.ResultError`. Use one client per event loop, and close it: `async with`, or `close()`.
    """

    def __init__(
        self,
        base_url: str = f"https://{OFFICIAL_HOST}",
        *,
        api_key: str | None = None,
        key_header: Literal["x-api-key", "api-key", "Authorization"] = "x-api-key",
        timeouts: Timeouts | None = None,
        allow_http_links: bool = False,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        """Make a client; nothing is connected yet. Raises ValueError for a base URL that a key must not be sent to."""
        environ = os.environ if environ is None else environ
        key = Secret(api_key) if api_key else next(iter(keys_from_environ(environ)), None)
        base_url = validate_base_url(base_url)
        super().__init__(base_url, key, header=key_header, timeouts=timeouts, network=Network(environ))
        self._policy = LinkPolicy.of_service(base_url, allow_http=allow_http_links)
        self._downloaders: dict[Path, ResultDownloader] = {}
        self._durations = DurationEstimator()
        self._kinds: dict[str, tuple[JobKind, float]] = {}
        self._unavailable: dict[str, Character] | None = None
        self._listing_lock = asyncio.Lock()

    async def close(self) -> None:
        """Close every connection."""
        for downloader in self._downloaders.values():
            await downloader.close()
        await super().close()

    async def generate(
        self,
        *,
        character: str | int,
        prompt: str,
        type: Literal["image", "video"] = "image",  # noqa: A002  # the API's own name
        duration: int | None = None,
        audio: bool | None = None,
        quality: Quality | None = None,
    ) -> SubmitResponse:
        """Send one paid request, once, and return the answer with its `request_id` and `credits_remaining`.

        `character` is an ID of `characters()`. `duration` (1 to 5 seconds) and `audio` are for videos, `quality`
        ("low", or "high" at twice the price) for images; None leaves a field to the service's default. Raises
        InvalidRequest for what breaks a documented rule and for a character listed as under 18: nothing was sent then.
        """
        request = GenerateRequest(
            character=normalize_character_id(str(character)),
            prompt=prompt,
            type=type,
            duration=duration,
            audio=audio,
            quality=quality,
        )
        validate(request)
        if problem := await self._rejection_reason(request.character):
            raise InvalidRequest({"character": problem})
        response = await self.submit(request)
        kind = JobKind(type=request.type, quality=request.quality, duration=request.duration)
        self._kinds[response.request_id] = (kind, time.monotonic())
        return response

    async def wait(
        self,
        request_id: str,
        *,
        timeout: float = DEFAULT_WAIT_SECONDS,  # noqa: ASYNC109  # a plain number is what callers expect
        on_poll: Callable[[PollResponse], object] | None = None,
    ) -> PollResponse:
        """Poll until the job has succeeded and return its last answer, which has `result_url`.

        Polls are spaced by the durations of such jobs and the progress of this one. `on_poll` gets
        each response. Raises GenerationFailed, NoResultLink, KeyRejected, NotFound where the id stays unknown for a
        minute, and TimeoutError after `timeout` seconds: the job goes on, and stays charged.
        """
        kind, began = self._kinds.get(request_id, (JobKind(type="video"), time.monotonic()))
        waiting = _Waiting(self._durations, kind, began)
        async with asyncio.timeout(timeout):
            while True:
                try:
                    response = await self.poll(request_id)
                except errors.KeyRejected:
                    raise
                except errors.ApiError as error:
                    await asyncio.sleep(waiting.seconds_after_error(error))
                    continue
                if on_poll is not None:
                    on_poll(response)
                if waiting.is_finished(response):
                    self._kinds.pop(request_id, None)
                    return response
                await asyncio.sleep(waiting.seconds_to_next_poll())

    async def download(
        self,
        url: str | None,
        folder: str | Path,
        *,
        name: str = "",
        type: Literal["image", "video"] = "video",  # noqa: A002
        encrypted: bool = False,
    ) -> DownloadedFile:
        """Fetch a result into `folder`, which is made, and return what was saved: `path`, `kind`, `bytes` and more.

        The file is checked: whole, of a kind that its own bytes show, and decodable. It is named `name`, or else after
        its link, plus the suffix for its kind, and never overwrites another file. `type` chooses the limit of size:
        64 MiB for "image", 1 GiB for "video". Raises ResultError; the key is never sent there.
        """
        if not url:
            raise ValueError("there is no link to download")
        folder = Path(folder)
        if folder not in self._downloaders:
            self._downloaders[folder] = ResultDownloader(folder, None, self._policy, self._network)
        name = name or hashlib.sha256(url.partition("?")[0].encode("utf-8", "replace")).hexdigest()[:16]
        return await self._downloaders[folder].fetch(url, name=name, expect=type, encrypted=encrypted)

    def characters(self) -> CharacterList:
        """Return the public characters that may be used, approved adults: await it for a list, or iterate over it.

        No key is needed. Raises ApiError.
        """
        return CharacterList(self.list_characters)

    async def _rejection_reason(self, character_id: str) -> str:
        """Return why the list forbids the character, "" where it does not or cannot be loaded; it is read once."""
        for _ in range(2):
            async with self._listing_lock:
                unavailable = await self._read_unavailable() if self._unavailable is None else self._unavailable
            character = unavailable.get(character_id)
            if character is None:
                return ""
            if not character.is_adult:
                return "This character is listed as under 18, or its age cannot be read."
            # It may have been approved since.
            self._unavailable = None
        return "This character is not approved yet."

    async def _read_unavailable(self) -> dict[str, Character]:
        found: dict[str, Character] = {}
        # The service, whose list it is, judges the request where it cannot be loaded; the next one asks for it again.
        with suppress(errors.ApiError):
            async for character in self.list_characters():
                if not character.is_allowed:
                    found[character.id] = character
            self._unavailable = found
        return found


class _Waiting:
    """Polls of one job so far, and the time of the next."""

    def __init__(self, durations: DurationEstimator, kind: JobKind, began: float) -> None:
        self._durations = durations
        self._kind = kind
        self._began = began
        self._observations: list[Observation] = []
        self._failures = 0
        self._odd_polls = 0
        self._odd_since: float | None = None

    def is_finished(self, response: PollResponse) -> bool:
        """Record a response; return whether it has the result. Raises GenerationFailed or NoResultLink."""
        self._failures = 0
        age = time.monotonic() - self._began
        self._observations.append(Observation(age=age, progress=response.progress))
        if response.outcome == "succeeded":
            self._durations.learn_job(self._kind, self._observations, age)
            return True
        reason = response.error or (f"It says “{response.status_text}”." if response.status_text else "")
        if response.outcome == "failed":
            raise GenerationFailed("The generation has failed.", reason)
        if not response.ending:
            self._odd_since, self._odd_polls = None, 0
        elif self._has_lasted() and self._odd_polls >= 3:
            if response.ending == "success":
                error = NoResultLink("The job is finished, but the service sends no link that can be followed.")
                error.raw = response.raw
                raise error
            raise GenerationFailed("The generation has ended without a result.", reason)
        return False

    def seconds_to_next_poll(self) -> float:
        """Return how long to wait before the next poll."""
        if self._odd_since is not None:
            return min(2.0**self._odd_polls, GRACE_SECONDS / 3)
        return next_poll(
            age=time.monotonic() - self._began,
            observations=self._observations,
            model=self._durations.model(self._kind),
            lateness_weight=_LATENESS_WEIGHT,
            max_wait=MAX_POLL_SECONDS,
        )

    def seconds_after_error(self, error: errors.ApiError) -> float:
        """Return how long to wait after a failed poll; raise the error where the service keeps refusing to answer."""
        self._failures += 1
        if (
            isinstance(error, errors.RequestRejected)
            and not isinstance(error, errors.RateLimited)
            and self._has_lasted()
        ):
            raise error
        asked = error.retry_after if isinstance(error, errors.RateLimited | errors.ServerError) else None
        return max(asked or 0.0, backoff_seconds(self._failures))

    def _has_lasted(self) -> bool:
        self._odd_polls += 1
        self._odd_since = time.monotonic() if self._odd_since is None else self._odd_since
        return time.monotonic() - self._odd_since >= GRACE_SECONDS
