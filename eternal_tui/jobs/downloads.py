"""Fetching results at once, because signed links expire: never a POST, at most one re-poll for a fresh link."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import msgspec

from eternal_tui.api.errors import ApiError
from eternal_tui.jobs.cadence import backoff
from eternal_tui.jobs.job import FileState, Job, JobState, MediaFacts, advance, with_event
from eternal_tui.jobs.ports import Clock, Fetcher, Service
from eternal_tui.jobs.roster import Roster
from eternal_tui.media.errors import BrokenFile, LinkExpired, LinkRefused, NotReachable, ResultError
from eternal_tui.media.result import SavedResult
from eternal_tui.untrusted import Untrusted

FETCHES_AT_ONCE = 2
"""Downloads under way: enough to fill a home line, few enough to leave polling alone."""

MOST_TRIES = 6
"""Tries of a result whose storage cannot be reached before it waits for a person or the next start."""


class Downloads:
    """Fetches the files of succeeded jobs and settles each as saved, expired, broken, or pending with a reason."""

    def __init__(
        self,
        roster: Roster,
        service: Service,
        fetcher: Fetcher,
        clock: Clock,
        *,
        on_settled: Callable[[Job], None],
    ) -> None:
        self._roster = roster
        self._service = service
        self._fetcher = fetcher
        self._clock = clock
        self._on_settled = on_settled
        self._places = asyncio.Semaphore(FETCHES_AT_ONCE)
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._given_up: set[int] = set()

    @property
    def under_way(self) -> int:
        """How many results are being fetched or wait for their turn."""
        return len(self._tasks)

    def fetch(self, job: Job) -> None:
        """Begin to fetch the job's result, unless that is under way."""
        if job.id in self._tasks:
            return
        self._given_up.discard(job.id)
        task = asyncio.create_task(self._settle(job.id), name=f"fetch-{job.id}")
        self._tasks[job.id] = task
        task.add_done_callback(lambda _: self._tasks.pop(job.id, None))

    def gave_up(self, job_id: int) -> bool:
        """Tell whether fetching ended without a file, to go on only when a person or the next start asks."""
        return job_id in self._given_up

    async def close(self) -> None:
        """Stop every fetch; what was not finished stays pending and goes on at the next start."""
        tasks = tuple(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _settle(self, job_id: int) -> None:
        for attempt in range(1, MOST_TRIES + 1):
            try:
                async with self._places:
                    saved = await self._fetch_with_fresh_link(job_id)
            except NotReachable as error:
                self._waiting(job_id, error)
                if attempt < MOST_TRIES:
                    await self._clock.sleep(error.retry_after or backoff(attempt))
            except LinkExpired as error:
                return await self._ended(job_id, FileState.EXPIRED, str(error))
            except (BrokenFile, LinkRefused) as error:
                return await self._ended(job_id, FileState.BROKEN, str(error))
            except ResultError as error:
                self._waiting(job_id, error)
                break
            else:
                return await self._saved(job_id, saved)
        self._given_up.add(job_id)
        self._on_settled(self._roster[job_id])
        return None

    def _waiting(self, job_id: int, error: ResultError) -> None:
        reason = Untrusted(str(error))
        self._roster.touch(job_id, lambda job: advance(job, job.state, trouble=reason))

    async def _fetch_with_fresh_link(self, job_id: int) -> SavedResult:
        try:
            return await self._fetch(self._roster[job_id])
        except LinkExpired:
            fresh = await self._fresh_link(job_id)
            if fresh is None or fresh == self._roster[job_id].result_url:
                raise
        now = self._clock.time()
        relinked = await self._roster.change(
            job_id,
            lambda job: with_event(
                msgspec.structs.replace(job, result_url=fresh), now, "link had expired, asked for a fresh one"
            ),
        )
        return await self._fetch(relinked)

    async def _fresh_link(self, job_id: int) -> Untrusted | None:
        request_id = self._roster[job_id].request_id
        if request_id is None:
            return None
        try:
            answer = await self._service.poll(request_id)
        except ApiError:
            return None
        return answer.result_url

    async def _fetch(self, job: Job) -> SavedResult:
        assert job.result_url is not None
        return await self._fetcher.fetch(
            job.result_url, name=f"{job.id:07d}", expect=job.request.type, encrypted=job.encrypted
        )

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

        self._on_settled(await self._roster.change(job_id, settle))

    async def _ended(self, job_id: int, file_state: FileState, reason: str) -> None:
        now = self._clock.time()

        def settle(job: Job) -> Job:
            without = advance(job, job.state, file_state=file_state, error=Untrusted(reason), trouble=Untrusted(""))
            return with_event(without, now, f"file {file_state}", reason)

        self._on_settled(await self._roster.change(job_id, settle))
