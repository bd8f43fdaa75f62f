"""Composition root: history, engine, characters and API client from one set of settings."""

from __future__ import annotations

import asyncio
import logging
import random
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import msgspec

from eternal_tui import __version__
from eternal_tui.api.models import (
    Character,
    CreateCharacterResponse,
    GenerateRequest,
    MediaType,
    PollResponse,
    SubmitResponse,
)
from eternal_tui.characters.catalog import CharacterCatalog
from eternal_tui.config.credentials import (
    ApiKeyError,
    FoundKey,
    find_key,
    keys_from_environ,
    kill_key_commands,
    overriding_key_source,
)
from eternal_tui.config.settings import Settings
from eternal_tui.core.clock import Clock
from eternal_tui.core.files import is_accessible_to_others, restrict_to_owner
from eternal_tui.core.logging import open_log
from eternal_tui.core.network import Network, is_loopback
from eternal_tui.core.secret import Secret, account_fingerprint
from eternal_tui.history.history import History
from eternal_tui.history.lock import InstanceLock
from eternal_tui.jobs.context import Ports
from eternal_tui.jobs.copies import CopyOptions, parse_output_path
from eternal_tui.jobs.engine import JobEngine
from eternal_tui.jobs.ports import JobPolicy
from eternal_tui.jobs.result_actions import HookPolicy, HookRunner, ResultActions
from eternal_tui.media.decode.filetype import DownloadedFile
from eternal_tui.media.limits import OPEN_POLICY, LinkPolicy

if TYPE_CHECKING:
    from eternal_tui.api.client import ApiClient
    from eternal_tui.media.download.avatars import AvatarCache
    from eternal_tui.media.download.downloader import ResultDownloader
    from eternal_tui.sandbox.launch import DemoService

_log = logging.getLogger(__name__)

_PRIVATE_FILE_NAMES = ("history.json", "history.journal", "characters.json", "draft.json", "presets.json")
"""Files that a copy from elsewhere may have left open to others."""

DEMO_SPEED = 3.0
"""Speed of the demo's jobs relative to the service's: slow enough to watch, fast enough to wait for."""


def service_name(base_url: str) -> str:
    """Return the name jobs are filed under: the host, and one name for everything on this machine."""
    host = urlsplit(base_url).hostname or ""
    return "loopback" if is_loopback(host) else host


class LazyClient:
    """The service, connected at the first call: finding a key may run a command or a demo.

    `add_secret` receives every key that is found, so that no log shows it.
    """

    def __init__(
        self,
        settings: Settings,
        environ: Mapping[str, str],
        demo: DemoService | None,
        network: Network,
        *,
        add_secret: Callable[[Secret], None],
        salt_path: Path,
    ) -> None:
        self.account = ""
        self.found_key: FoundKey | None = None
        self.key_error = ""
        self._settings = settings
        self._environ = environ
        self._demo = demo
        self._network = network
        self._add_secret = add_secret
        self._salt_path = salt_path
        self._client: ApiClient | None = None
        self._connect_lock = asyncio.Lock()

    @property
    def overriding_key_source(self) -> str:
        """Source of a key that takes precedence over a stored one, "" where there is none."""
        return overriding_key_source(self._settings, self._environ)

    async def get_client(self) -> ApiClient:
        """Return the connected client, making it at the first call."""
        async with self._connect_lock:
            if self._client is None:
                self._client = await self._connect()
            return self._client

    async def _connect(self) -> ApiClient:
        from eternal_tui.api.client import ApiClient

        if self._demo is not None:
            await self._demo.wait_ready()
            self.account = "demo"
            return ApiClient(self._demo.api_url, Secret(self._demo.key), network=self._network)
        self.found_key, self.key_error, self.account = None, "", ""
        try:
            self.found_key = await asyncio.to_thread(find_key, self._settings, self._environ)
        except ApiKeyError as problem:
            self.key_error = str(problem)
            _log.warning("no usable key", extra={"reason": self.key_error})
        key = self.found_key.key if self.found_key is not None else None
        if key is not None:
            self._add_secret(key)
            try:
                self.account = account_fingerprint(key, self._settings.base_url, self._salt_path)
            except OSError as error:
                # A full disk: charges then belong to no account, and count for all.
                _log.warning("no account fingerprint", extra={"reason": str(error)})
        return ApiClient(self._settings.base_url, key, header=self._settings.key_header, network=self._network)

    async def has_key(self) -> bool:
        """Whether there is an API key."""
        await self.get_client()
        return self._demo is not None or self.found_key is not None

    async def submit(self, request: GenerateRequest) -> SubmitResponse:
        """Send one paid POST, once."""
        return await (await self.get_client()).submit(request)

    async def poll(self, request_id: str) -> PollResponse:
        """Poll a running request once."""
        return await (await self.get_client()).poll(request_id)

    async def list_characters(self) -> AsyncIterator[Character]:
        """Yield the service's public list."""
        async for character in (await self.get_client()).list_characters():
            yield character

    async def create_character(self, prompt: str) -> CreateCharacterResponse:
        """Ask for a new character, once. Costs credits."""
        return await (await self.get_client()).create_character(prompt)

    async def close(self) -> None:
        """Close every connection and stop searching for a key; the next call searches again."""
        kill_key_commands()
        async with self._connect_lock:
            client, self._client = self._client, None
        if client is not None:
            await client.close()


class LazyDownloader:
    """The result fetcher, made at the first result: its libraries are large and a start needs none of them."""

    def __init__(self, settings: Settings, results_dir: Path, policy: LinkPolicy, network: Network) -> None:
        self._settings = settings
        self._results_dir = results_dir
        self._policy = policy
        self._network = network
        self._downloader: ResultDownloader | None = None

    async def fetch(
        self, url: str, *, name: str, expect: MediaType, encrypted: bool, on_slow: Callable[[], None] | None = None
    ) -> DownloadedFile:
        """Fetch, check and save one result."""
        if self._downloader is None:
            self._downloader = await asyncio.to_thread(self._open_downloader)
        return await self._downloader.fetch(url, name=name, expect=expect, encrypted=encrypted, on_slow=on_slow)

    def _open_downloader(self) -> ResultDownloader:
        from eternal_tui.media.download.downloader import ResultDownloader
        from eternal_tui.media.limits import MIB, DownloadLimits

        limits = DownloadLimits(
            image_bytes=int(self._settings.max_image_megabytes * MIB),
            video_bytes=int(self._settings.max_clip_megabytes * MIB),
        )
        return ResultDownloader(self._results_dir, limits, self._policy, self._network)

    async def close(self) -> None:
        """Close every connection."""
        if self._downloader is not None:
            await self._downloader.close()


class Services:
    """Everything a frontend needs, opened on one data folder; close it when done.

    Raises HistoryError where the folder cannot be used. With `demo` the service is the sandbox; with `ephemeral`
    the history lives in a temporary folder that is removed at the end.
    """

    def __init__(
        self,
        settings: Settings,
        environ: Mapping[str, str],
        *,
        demo: DemoService | None = None,
        ephemeral: bool = False,
    ) -> None:
        self.settings = settings
        self.demo = demo
        self._network = Network(environ)
        self._policy = (
            OPEN_POLICY
            if demo is not None
            else LinkPolicy.of_service(settings.base_url, allow_http=settings.allow_http_links)
        )
        self._temporary_dir = tempfile.TemporaryDirectory(prefix="eternal-tui-demo-") if ephemeral else None
        self.data_dir = Path(self._temporary_dir.name) if self._temporary_dir else settings.data_dir
        clock = Clock()
        self.clock = clock
        self.history = History.open(self.data_dir, now=clock.time)
        try:
            self.instance = InstanceLock.acquire(self.data_dir, clock.time)
        except BaseException:
            self.history.close(compact=False)
            raise
        for name in _PRIVATE_FILE_NAMES:
            restrict_to_owner(self.data_dir / name)
        if is_accessible_to_others(self.data_dir):
            self.history.notices.append(
                f"Others on this machine can look into the data folder {self.data_dir}. Run: chmod 700 {self.data_dir}"
            )
        self.log = open_log(self.data_dir / "logs")
        for secret in keys_from_environ(environ):
            self.log.add_secret(secret)
        self.service_name = "loopback" if demo is not None else service_name(settings.base_url)
        _log.info("opened", extra={"version": __version__, "service": self.service_name, "demo": demo is not None})
        self.client = LazyClient(
            settings,
            environ,
            demo,
            self._network,
            add_secret=self.log.add_secret,
            salt_path=self.data_dir / "account.salt",
        )
        self.downloader = LazyDownloader(settings, self.data_dir / "results", self._policy, self._network)
        self.characters = CharacterCatalog(
            self.client.list_characters, self.data_dir / "characters.json", clock, service=self.service_name
        )
        self.jobs = JobEngine(
            Ports(
                history=self.history,
                registry=self.instance,
                service=self.client,
                downloader=self.downloader,
                clock=clock,
                rng=random.SystemRandom(),
                service_name=self.service_name,
            ),
            JobPolicy(
                daily_cap=settings.daily_cap,
                confirm_above=settings.confirm_above,
                confirm_count=settings.confirm_count,
                workers=settings.workers,
                requests_per_second=settings.requests_per_second,
                max_running=settings.max_running,
                queue_round_robin=settings.queue_round_robin,
                stall_after_seconds=settings.stall_after_minutes * 60.0,
            ),
            results_dir=self.results_dir,
            check_character=self.characters.check_allowed,
        )
        self.result_actions = ResultActions(
            self.jobs.context,
            HookRunner(HookPolicy(**msgspec.structs.asdict(settings.hooks)), environ, self.results_dir),
            self.results_dir,
            self._copy_options(),
        )

    def _copy_options(self) -> CopyOptions | None:
        """Return what `auto_save_to` asks for; None and a notice where its folder cannot be used."""
        settings = self.settings
        if not settings.auto_save_to:
            return None
        try:
            output = parse_output_path(
                settings.auto_save_to, settings.save_template, base=self.data_dir, is_folder=True
            )
        except ValueError as error:
            self.jobs.notices.append(f"auto_save_to: {error} Results are saved in the data folder only.")
            return None
        return CopyOptions(output=output, sidecar=settings.sidecar, embed=settings.embed)

    @property
    def results_dir(self) -> Path:
        """The folder of result files."""
        return self.data_dir / "results"

    @cached_property
    def avatars(self) -> AvatarCache:
        """The characters' avatars."""
        from eternal_tui.media.download.avatars import AvatarCache

        return AvatarCache(self.data_dir / "avatars", self._open_avatar_downloader)

    def _open_avatar_downloader(self) -> ResultDownloader:
        from eternal_tui.media.download.avatars import AVATAR_LIMITS
        from eternal_tui.media.download.downloader import ResultDownloader

        return ResultDownloader(self.data_dir / "avatars", AVATAR_LIMITS, self._policy, self._network)

    async def close(self, *, compact: bool = True, grace_seconds: float = 1.0) -> None:
        """Stop the engine, close connections and files, end the demo and remove its temporary folder.

        Submits under way have `grace_seconds` seconds to be answered, and then the demo as many to end by itself.
        """
        try:
            await self.result_actions.close(grace_seconds)
            await self.jobs.close(compact=compact, grace_seconds=grace_seconds)
        finally:
            if "avatars" in vars(self):
                await self.avatars.close()
            await self.characters.close()
            await self.downloader.close()
            await self.client.close()
            if self.demo is not None:
                await asyncio.to_thread(self.demo.close, grace_seconds)
            _log.info("closed")
            self.log.close()
            if self._temporary_dir is not None:
                self._temporary_dir.cleanup()

    def abandon(self) -> None:
        """Leave nothing of a demo behind where there was no time to close; called from any thread, just before the end.

        Of anything else whatever must survive is on disk already.
        """
        kill_key_commands()
        if self.demo is not None:
            self.demo.kill()
        if self._temporary_dir is not None:
            shutil.rmtree(self.data_dir, ignore_errors=True)
