"""DownloadQueue: fetches results at once, as signed links expire. One free poll for an expired link, never a POST."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import msgspec

from eternal_tui.api.errors import ApiError, NotFound
from eternal_tui.api.models import MediaType
from eternal_tui.core.sanitize import UntrustedText
from eternal_tui.estimation.interval import backoff_seconds
from eternal_tui.jobs.context import JobContext
from eternal_tui.jobs.errors import JobNotFound
from eternal_tui.jobs.model import NO_LINK_MESSAGE, FileInfo, FileState, Job, JobState, with_event, with_state
from eternal_tui.jobs.polling.monitor import JobMonitor
from eternal_tui.jobs.polling.scheduler import sleep_until_set
from eternal_tui.media.decode.filetype import DownloadedFile
from eternal_tui.media.errors import BrokenFile, LinkExpired, LinkRejected, ResultError, StorageUnreachable

MAX_CONCURRENT_DOWNLOADS = 4
"""Downloads at full speed: enough to fill a home line, few enough to leave polling alone."""

MAX_SLOW_DOWNLOADS = 32
"""Slow downloads that run in addition."""

MAX_QUICK_TRIES = 6
"""Tries in quick succession before a result counts as not reachable."""

SLOW_RETRY_SECONDS = 300.0
"""Seconds between further tries: links live about a day."""


class NoUsableLink(Exception):
    """The service reports success for the job and names no link that can be followed."""


class DownloadQueue:
    """Fetches the files of succeeded jobs and settles each as saved, expired, broken, or pending with a reason."""

    def __init__(self, context: JobContext, monitor: JobMonitor) -> None:
        self._store = context.store
        self._downloader = context.ports.downloader
        self._clock = context.ports.clock
        self._settled = context.events.settled
        self._monitor = monitor
        self._slots = asyncio.Semaphore(MAX_CONCURRENT_DOWNLOADS)
        self._slow_count = 0
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._retry_events: dict[int, asyncio.Event] = {}
        self._abandoned_ids: set[int] = set()

    @property
    def active_count(self) -> int:
        """Number of results being fetched or queued, without those whose storage cannot be reached."""
        return len(self._tasks) - len(self._retry_events)

    def fetch(self, job: Job) -> None:
        """Begin to fetch the job's result, or try again at once where it waits for its storage."""
        if job.id in self._retry_events:
            self._retry_events[job.id].set()
        if job.id in self._tasks:
            return
        self._abandoned_ids.discard(job.id)
        task = asyncio.create_task(self._run_download(job.id), name=f"fetch-{job.id}")
        self._tasks[job.id] = task
        task.add_done_callback(lambda _: self._tasks.pop(job.id, None))

    def cancel(self, job_id: int) -> None:
        """Stop fetching the job's result."""
        if (task := self._tasks.get(job_id)) is not None:
            task.cancel()

    def is_abandoned(self, job_id: int) -> bool:
        """Return whether the file should not be waited for: its storage cannot be reached."""
        return job_id in self._abandoned_ids

    async def close(self) -> None:
        """Stop every fetch; unfinished ones stay pending and resume at the next start."""
        tasks = tuple(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run_download(self, job_id: int) -> None:
        attempt = 0
        try:
            while (wait := await self._try_download(job_id, attempt := attempt + 1)) is not None:
                await self._wait_for_retry(job_id, wait)
        except JobNotFound:
            # Deleted meanwhile; an undo fetches it again.
            self._abandoned_ids.discard(job_id)

    async def _try_download(self, job_id: int, attempt: int) -> float | None:
        """Try once; return the seconds until the next try, None where there is no automatic one."""
        try:
            async with self._slot() as give_up_slot:
                saved = await self._fetch_with_relink(job_id, give_up_slot)
        except StorageUnreachable as error:
            self._mark_pending(job_id, error)
            if attempt < MAX_QUICK_TRIES:
                return error.retry_after or backoff_seconds(attempt)
            self._abandon(job_id)
            return SLOW_RETRY_SECONDS
        except LinkExpired as error:
            await self._mark_unavailable(job_id, FileState.EXPIRED, str(error))
        except NoUsableLink:
            await self._mark_unavailable(job_id, FileState.MISSING, NO_LINK_MESSAGE)
        except (BrokenFile, LinkRejected) as error:
            await self._mark_unavailable(job_id, FileState.BROKEN, str(error))
        except ResultError as error:
            self._mark_pending(job_id, error)
            self._abandon(job_id)
        else:
            await self.mark_saved(job_id, saved)
        return None

    @asynccontextmanager
    async def _slot(self) -> AsyncIterator[Callable[[], None]]:
        """Hold one of the slots; the function yielded releases it early, for a slow body."""
        await self._slots.acquire()
        is_slow = False

        def give_up() -> None:
            nonlocal is_slow
            if not is_slow and self._slow_count < MAX_SLOW_DOWNLOADS:
                is_slow = True
                self._slow_count += 1
                self._slots.release()

        try:
            yield give_up
        finally:
            if is_slow:
                self._slow_count -= 1
            else:
                self._slots.release()

    async def _wait_for_retry(self, job_id: int, seconds: float) -> None:
        self._retry_events[job_id] = asyncio.Event()
        try:
            await sleep_until_set(self._clock, seconds, self._retry_events[job_id])
        finally:
            del self._retry_events[job_id]

    def _abandon(self, job_id: int) -> None:
        if job_id not in self._abandoned_ids:
            self._abandoned_ids.add(job_id)
            self._settled.emit(self._store[job_id])

    def _mark_pending(self, job_id: int, error: ResultError) -> None:
        reason = UntrustedText(str(error))
        self._store.change_in_memory(job_id, lambda job: with_state(job, job.state, waiting_reason=reason))

    async def _fetch_with_relink(self, job_id: int, on_slow: Callable[[], None]) -> DownloadedFile:
        job = self._store[job_id]
        try:
            if job.result_url is not None:
                return await self.fetch_url(job, job.result_url, on_slow)
            expired = None
        except LinkExpired as error:
            expired = error
        fresh = await self._request_fresh_link(job)
        if fresh is None:
            raise expired or NoUsableLink
        if fresh == self._store[job_id].result_url:
            # The same link again: the storage may have been late.
            return await self.fetch_url(job, fresh, on_slow)
        now = self._clock.time()
        relinked = await self._store.apply_remote(
            job_id,
            lambda job: with_event(
                msgspec.structs.replace(job, result_url=fresh), now, "link had expired, asked for a fresh one"
            ),
        )
        return await self.fetch_url(relinked, fresh, on_slow)

    async def _request_fresh_link(self, job: Job) -> UntrustedText | None:
        """Poll for another link; None where there is none, StorageUnreachable where the API cannot be reached."""
        if job.request_id is None:
            return None
        try:
            answer = await self._monitor.poll_once(job.request_id)
        except ApiError as error:
            if isinstance(error, NotFound):
                return None
            raise StorageUnreachable(
                "its link has expired, and the service could not be asked for a fresh one"
            ) from error
        return answer.result_url

    async def fetch_url(self, job: Job, url: str, on_slow: Callable[[], None] | None = None) -> DownloadedFile:
        """Download and verify a link of the job's result; raises ResultError. The job is not changed."""
        expect: MediaType = "video" if job.request.type == "video" else "image"
        return await self._downloader.fetch(
            url, name=f"{job.id:07d}", expect=expect, encrypted=job.encrypted, on_slow=on_slow
        )

    async def mark_saved(self, job_id: int, downloaded: DownloadedFile) -> Job:
        """Record the verified file as the job's result and return the job."""
        facts = FileInfo(**{name: getattr(downloaded, name) for name in FileInfo.__struct_fields__})
        now = self._clock.time()

        def settle(job: Job) -> Job:
            kept = with_state(
                job,
                JobState.SUCCEEDED,
                file=downloaded.path.name,
                file_state=FileState.SAVED,
                file_info=facts,
                waiting_reason=UntrustedText(""),
                error=UntrustedText(""),
                finished_at=job.finished_at if job.state is JobState.SUCCEEDED else now,
                progress=100,
            )
            what = "saved encrypted, as it came" if job.encrypted else "saved"
            kept = with_event(kept, now, what, downloaded.path.name)
            return with_event(kept, now, downloaded.note) if downloaded.note else kept

        saved = await self._store.apply_remote(job_id, settle)
        self._settled.emit(saved)
        return saved

    async def _mark_unavailable(self, job_id: int, file_state: FileState, reason: str) -> None:
        now = self._clock.time()

        def settle(job: Job) -> Job:
            without = with_state(
                job, job.state, file_state=file_state, error=UntrustedText(reason), waiting_reason=UntrustedText("")
            )
            return with_event(without, now, f"file {file_state}", reason)

        self._settled.emit(await self._store.apply_remote(job_id, settle))
