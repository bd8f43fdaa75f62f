"""Puts the parts together for a face: history, desk, characters and service from one set of settings."""

from __future__ import annotations

import asyncio
import logging
import os
import random
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from eternal_tui import __version__
from eternal_tui.api.models import Character, CreateAnswer, GenerateRequest, MediaType, PollAnswer, SubmitAnswer
from eternal_tui.characters.catalog import CharacterBook
from eternal_tui.config import Settings, is_loopback
from eternal_tui.config.credentials import FoundKey, KeyProblem, find_key, keys_in, stop_commands
from eternal_tui.core.clock import SystemClock
from eternal_tui.core.files import open_to_others, tighten
from eternal_tui.core.logging import open_log
from eternal_tui.core.secret import Secret
from eternal_tui.history.history import History
from eternal_tui.history.lock import Instance
from eternal_tui.jobs.engine import JobDesk
from eternal_tui.jobs.policy import Policy
from eternal_tui.media.download.result import SavedResult

if TYPE_CHECKING:
    from eternal_tui.api.client import EternalClient
    from eternal_tui.media.download.avatars import Avatars
    from eternal_tui.media.download.downloader import ResultFetcher
    from eternal_tui.sandbox.launch import DemoService

_log = logging.getLogger(__name__)

_OURS = ("history.json", "history.journal", "characters.json", "draft.json", "presets.json")
"""Files that a copy from elsewhere may have left open to others."""

DEMO_SPEED = 3.0
"""How much faster the demo's jobs run than the service's: long enough to watch, short enough to wait for."""


def service_name(base_url: str) -> str:
    """Return the name jobs are filed under: the host, and one name for everything on this machine."""
    host = urlsplit(base_url).hostname or ""
    return "loopback" if is_loopback(host) else host


class Connection:
    """The service as the desk sees it, connected at the first call: finding a key may run a command or a demo.

    `hide` is told every key that is found, so that no log shows it.
    """

    def __init__(
        self,
        settings: Settings,
        environ: Mapping[str, str],
        demo: DemoService | None,
        *,
        hide: Callable[[Secret], None],
    ) -> None:
        self.found: FoundKey | None = None
        self.key_problem = ""
        self._settings = settings
        self._environ = environ
        self._demo = demo
        self._hide = hide
        self._client: EternalClient | None = None
        self._connecting = asyncio.Lock()

    async def client(self) -> EternalClient:
        """Return the connected client, making it at the first call."""
        async with self._connecting:
            if self._client is None:
                self._client = await self._connect()
            return self._client

    async def _connect(self) -> EternalClient:
        from eternal_tui.api.client import EternalClient

        if self._demo is not None:
            await self._demo.wait_ready()
            return EternalClient(self._demo.api_url, Secret(self._demo.key))
        self.found, self.key_problem = None, ""
        try:
            self.found = await asyncio.to_thread(find_key, self._settings, self._environ)
        except KeyProblem as problem:
            self.key_problem = str(problem)
            _log.warning("no usable key", extra={"reason": self.key_problem})
        key = self.found.key if self.found is not None else None
        if key is not None:
            self._hide(key)
        return EternalClient(self._settings.base_url, key, header=self._settings.key_header)

    async def has_key(self) -> bool:
        """Tell whether there is a key to pay with."""
        await self.client()
        return self._demo is not None or self.found is not None

    async def look_for_key_again(self) -> None:
        """Forget the client, so that a key given meanwhile is found at the next call."""
        await self.close()

    async def generate(self, request: GenerateRequest) -> SubmitAnswer:
        """Send one paid POST, once."""
        return await (await self.client()).generate(request)

    async def poll(self, request_id: str) -> PollAnswer:
        """Look once at a running request."""
        return await (await self.client()).poll(request_id)

    async def characters(self) -> AsyncIterator[Character]:
        """Yield the service's public list."""
        async for character in (await self.client()).list_characters():
            yield character

    async def create_character(self, prompt: str) -> CreateAnswer:
        """Ask for a new character, once. Costs credits."""
        return await (await self.client()).create_character(prompt)

    async def close(self) -> None:
        """Close every connection, and wait for no key any more."""
        stop_commands()
        async with self._connecting:
            client, self._client = self._client, None
        if client is not None:
            await client.close()


class Results:
    """The result fetcher, made at the first result: its libraries are large and a start needs none of them."""

    def __init__(self, settings: Settings, folder: Path, environ: Mapping[str, str], *, public: bool) -> None:
        self._settings = settings
        self._folder = folder
        self._environ = environ
        self._public = public
        self._fetcher: ResultFetcher | None = None

    async def fetch(self, url: str, *, name: str, expect: MediaType, encrypted: bool) -> SavedResult:
        """Fetch, check and keep one result."""
        if self._fetcher is None:
            self._fetcher = await asyncio.to_thread(self._open)
        return await self._fetcher.fetch(url, name=name, expect=expect, encrypted=encrypted)

    def _open(self) -> ResultFetcher:
        from eternal_tui.media.download.downloader import ResultFetcher
        from eternal_tui.media.limits import MIB, FetchLimits

        limits = FetchLimits(
            image_bytes=int(self._settings.max_image_megabytes * MIB),
            clip_bytes=int(self._settings.max_clip_megabytes * MIB),
        )
        return ResultFetcher(self._folder, limits, public=self._public, environ=self._environ)

    async def close(self) -> None:
        """Close every connection."""
        if self._fetcher is not None:
            await self._fetcher.close()


class Workbench:
    """Everything a face needs, opened on one data folder. Close it when done.

    Raises HistoryError where the folder cannot be used. With `demo` the service is the sandbox; with `throw_away`
    the history lives in a temporary folder that is removed at the end.
    """

    def __init__(
        self,
        settings: Settings,
        environ: Mapping[str, str],
        *,
        demo: DemoService | None = None,
        throw_away: bool = False,
    ) -> None:
        self.settings = settings
        self.demo = demo
        self._environ = environ
        self._throw_away = tempfile.TemporaryDirectory(prefix="eternal-tui-demo-") if throw_away else None
        self.folder = Path(self._throw_away.name) if self._throw_away else settings.data_dir
        clock = SystemClock()
        self.clock = clock
        self.history = History.open(self.folder, now=clock.time)
        try:
            self.instance = Instance.acquire(self.folder, clock.time, os.getpid())
        except BaseException:
            self.history.close(fold=False)
            raise
        for name in _OURS:
            tighten(self.folder / name)
        if open_to_others(self.folder):
            self.history.notices.append(
                f"Others on this machine can look into the data folder {self.folder}. Run: chmod 700 {self.folder}"
            )
        self.log = open_log(self.folder / "logs")
        for secret in keys_in(environ):
            self.log.hide(secret)
        self.service = "loopback" if demo is not None else service_name(settings.base_url)
        _log.info("opened", extra={"version": __version__, "service": self.service, "demo": demo is not None})
        self.connection = Connection(settings, environ, demo, hide=self.log.hide)
        self.fetcher = Results(
            settings, self.folder / "results", environ, public=demo is None and self.service != "loopback"
        )
        self.book = CharacterBook(
            self.connection.characters, self.folder / "characters.json", clock, service=self.service
        )
        self.desk = JobDesk(
            history=self.history,
            presence=self.instance,
            service=self.connection,
            fetcher=self.fetcher,
            clock=clock,
            chance=random.SystemRandom(),
            results=self.folder / "results",
            service_name=self.service,
            policy=Policy(
                daily_cap=settings.daily_cap,
                confirm_above=settings.confirm_above,
                workers=settings.workers,
                requests_per_second=settings.requests_per_second,
                stall_after=settings.stall_after_minutes * 60.0,
            ),
            vouch=self.book.vouch,
        )

    @cached_property
    def avatars(self) -> Avatars:
        """The characters' small pictures, for whoever looks at characters."""
        from eternal_tui.media.download.avatars import Avatars

        return Avatars(self.folder / "avatars", self._open_avatar_fetcher)

    def _open_avatar_fetcher(self) -> ResultFetcher:
        from eternal_tui.media.download.avatars import LIMITS
        from eternal_tui.media.download.downloader import ResultFetcher

        public = self.demo is None and self.service != "loopback"
        return ResultFetcher(self.folder / "avatars", LIMITS, public=public, environ=self._environ)

    async def close(self, *, fold: bool = True, patience: float = 1.0) -> None:
        """Stop the desk, close connections and files, end the demo, and throw away what was only for it.

        Submits under way have `patience` seconds to be answered, and then the demo as many to end by itself.
        """
        try:
            await self.desk.close(fold=fold, patience=patience)
        finally:
            if "avatars" in vars(self):
                await self.avatars.close()
            await self.fetcher.close()
            await self.connection.close()
            if self.demo is not None:
                await asyncio.to_thread(self.demo.close, patience)
            _log.info("closed")
            self.log.close()
            if self._throw_away is not None:
                self._throw_away.cleanup()

    def abandon(self) -> None:
        """Leave nothing of a demo behind where there was no time to close; called from any thread, just before the end.

        Of anything else whatever must survive is on disk already.
        """
        stop_commands()
        if self.demo is not None:
            self.demo.kill()
        if self._throw_away is not None:
            shutil.rmtree(self.folder, ignore_errors=True)
