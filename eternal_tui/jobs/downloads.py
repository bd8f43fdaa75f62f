"""Fetching results at once, because signed links expire: never a POST, one re-poll for a link that is dead."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import msgspec

from eternal_tui.api.errors import ApiError, NotKnown
from eternal_tui.api.models import MediaType, PollAnswer
from eternal_tui.core.clock import Clock
from eternal_tui.core.sanitize import Untrusted
from eternal_tui.jobs.errors import NoSuchJob
from eternal_tui.jobs.model import FileState, Job, JobState, MediaFacts, advance, with_event
from eternal_tui.jobs.polling.interval import backoff
from eternal_tui.jobs.polling.scheduler import sleep_or_wake
from eternal_tui.jobs.ports import Fetcher
from eternal_tui.jobs.store import Roster
from eternal_tui.media.download.result import SavedResult
from eternal_tui.media.errors import BrokenFile, LinkExpired, LinkRefused, NotReachable, ResultError

FETCHES_AT_ONCE = 2
"""Downloads under way: enough to fill a home line, few enough to leave polling alone."""

MOST_TRIES = 6
"""Tries in quick succession of a result whose storage cannot be reached, before those who wait for it are told."""

SLOW_RETRY = 300.0
"""Seconds between further tries: links live about a day, and an outage ends when it ends."""

Ask = Callable[[str], Awaitable[PollAnswer]]
"""Asks the service about a request id; raises ApiError."""


class Downloads:
    """Fetches the files of succeeded jobs and settles each as saved, expired, broken, or pending with a reason."""

    def __init__(
        self,
        roster: Roster,
        ask: Ask,
        fetcher: Fetcher,
        clock: Clock,
        *,
        on_settled: Callable[[Job], None],
    ) -> None:
        self._roster = roster
        self._ask = ask
        self._fetcher = fetcher
        self._clock = clock
        self._on_settled = on_settled
        self._places = asyncio.Semaphore(FETCHES_AT_ONCE)
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._waiting: dict[int, asyncio.Event] = {}
        self._given_up: set[int] = set()

    @property
    def under_way(self) -> int:
        """How many results are being fetched or wait for their turn, not for a storage to come back."""
        return len(self._tasks) - len(self._waiting)

    def fetch(self, job: Job) -> None:
        """Begin to fetch the job's result, or try again at once where it waits for its storage."""
        if job.id in self._waiting:
            self._waiting[job.id].set()
        if job.id in self._tasks:
            return
        self._given_up.discard(job.id)
        task = asyncio.create_task(self._settle(job.id), name=f"fetch-{job.id}")
        self._tasks[job.id] = task
        task.add_done_callback(lambda _: self._tasks.pop(job.id, None))

    def drop(self, job_id: int) -> None:
        """Stop fetching a result that another instance fetches now, or nobody wants any more."""
        if (task := self._tasks.get(job_id)) is not None:
            task.cancel()

    def gave_up(self, job_id: int) -> bool:
        """Tell whether nobody should wait for the file: it comes when a person, time or the next start helps."""
        return job_id in self._given_up

    async def close(self) -> None:
        """Stop every fetch; what was not finished stays pending and goes on at the next start."""
        tasks = tuple(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _settle(self, job_id: int) -> None:
        attempt = 0
        try:
            while (wait := await self._attempt(job_id, attempt := attempt + 1)) is not None:
                await self._wait(job_id, wait)
        except NoSuchJob:
            # Deleted meanwhile; bringing it back fetches it again.
            self._given_up.discard(job_id)

    async def _attempt(self, job_id: int, attempt: int) -> float | None:
        """Try once; return the seconds until the next try, None when there is none by itself."""
        try:
            async with self._places:
                saved = await self._fetch_with_fresh_link(job_id)
        except NotReachable as error:
            self._pending(job_id, error)
            if attempt < MOST_TRIES:
                return error.retry_after or backoff(attempt)
            self._give_up(job_id)
            return SLOW_RETRY
        except LinkExpired as error:
            await self._ended(job_id, FileState.EXPIRED, str(error))
        except (BrokenFile, LinkRefused) as error:
            await self._ended(job_id, FileState.BROKEN, str(error))
        except ResultError as error:
            self._pending(job_id, error)
            self._give_up(job_id)
        else:
            await self._saved(job_id, saved)
        return None

    async def _wait(self, job_id: int, seconds: float) -> None:
        self._waiting[job_id] = asyncio.Event()
        try:
            await sleep_or_wake(self._clock, seconds, self._waiting[job_id])
        finally:
            del self._waiting[job_id]

    def _give_up(self, job_id: int) -> None:
        if job_id not in self._given_up:
            self._given_up.add(job_id)
            self._on_settled(self._roster[job_id])

    def _pending(self, job_id: int, error: ResultError) -> None:
        reason = Untrusted(str(error))
        self._roster.touch(job_id, lambda job: advance(job, job.state, trouble=reason))

    async def _fetch_with_fresh_link(self, job_id: int) -> SavedResult:
        job = self._roster[job_id]
        try:
            return await self._fetch(job)
        except LinkExpired:
            fresh = await self._fresh_link(job)
            if fresh is None:
                raise
        if fresh == self._roster[job_id].result_url:
            # The same link again: a storage that was not ready yet has had the time of one poll.
            return await self._fetch(job)
        now = self._clock.time()
        relinked = await self._roster.settle(
            job_id,
            lambda job: with_event(
                msgspec.structs.replace(job, result_url=fresh), now, "link had expired, asked for a fresh one"
            ),
        )
        return await self._fetch(relinked)

    async def _fresh_link(self, job: Job) -> Untrusted | None:
        """Ask for another link; None where there is none to be had, NotReachable where nobody could be asked."""
        if job.request_id is None:
            return None
        try:
            answer = await self._ask(job.request_id)
        except ApiError as error:
            if isinstance(error, NotKnown):
                return None
            raise NotReachable("its link has expired, and the service could not be asked for a fresh one") from error
        return answer.result_url

    async def _fetch(self, job: Job) -> SavedResult:
        if job.result_url is None:
            raise LinkExpired(404)
        expect: MediaType = "video" if job.request.type == "video" else "image"
        return await self._fetcher.fetch(job.result_url, name=f"{job.id:07d}", expect=expect, encrypted=job.encrypted)

    async def _saved(self, job_id: int, saved: SavedResult) -> None:
        facts = MediaFacts(
            bytes=saved.bytes,
            width=saved.width,
            height=saved.height,
            seconds=saved.seconds,
            codec=saved.codec,
            sound=saved.has_sound,
        )
        now = self._clock.time()

        def settle(job: Job) -> Job:
            kept = advance(
                job,
                JobState.SUCCEEDED,
                file=saved.path.name,
                file_state=FileState.SAVED,
                facts=facts,
                trouble=Untrusted(""),
                error=Untrusted(""),
            )
            return with_event(kept, now, "saved encrypted, as it came" if job.encrypted else "saved", saved.path.name)

        self._on_settled(await self._roster.settle(job_id, settle))

    async def _ended(self, job_id: int, file_state: FileState, reason: str) -> None:
        now = self._clock.time()

        def settle(job: Job) -> Job:
            without = advance(job, job.state, file_state=file_state, error=Untrusted(reason), trouble=Untrusted(""))
            return with_event(without, now, f"file {file_state}", reason)

        self._on_settled(await self._roster.settle(job_id, settle))
