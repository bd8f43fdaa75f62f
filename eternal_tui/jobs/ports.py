"""Protocols of what the engine needs from lower layers, and the settings it obeys."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

import msgspec

from eternal_tui.api.models import CreateCharacterResponse, GenerateRequest, MediaType, PollResponse, SubmitResponse
from eternal_tui.history.journal import Change
from eternal_tui.media.decode.filetype import DownloadedFile

Record = dict[str, Any]


class JobPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """Settings the engine obeys. Money in credits, times in seconds; None means no limit."""

    daily_cap: float | None = None
    confirm_above: float | None = None
    confirm_count: int | None = None
    workers: int = 4
    requests_per_second: float = 10.0
    max_running: int = 0
    queue_round_robin: bool = False
    stall_after_seconds: float = 1800.0


class Service(Protocol):
    """The generation service. Every method raises `api.errors.ApiError`."""

    @property
    def account(self) -> str:
        """A fingerprint of the key, empty until one was found."""

    async def has_key(self) -> bool:
        """Whether there is an API key."""

    async def submit(self, request: GenerateRequest) -> SubmitResponse:
        """Send one paid POST, once."""

    async def create_character(self, prompt: str) -> CreateCharacterResponse:
        """Send one paid POST that makes a character, once."""

    async def poll(self, request_id: str) -> PollResponse:
        """Poll a running request once."""


class Downloader(Protocol):
    """Turns a signed link into a verified file. Raises `media.errors.ResultError`."""

    async def fetch(
        self, url: str, *, name: str, expect: MediaType, encrypted: bool, on_slow: Callable[[], None] | None = None
    ) -> DownloadedFile:
        """Fetch, check and save the result under a name made from `name` and its checked type.

        `on_slow` is called once where the body comes too slowly to hold up others for it.
        """


class Transaction(Protocol):
    """The history held under its exclusive lock, to read and then write as one step."""

    concurrent_changes: list[Change]
    unread_changes: list[Change]
    """Changes of others that are left for `read_changes`."""
    changes: list[Change]

    def get(self, job_id: int) -> Record | None:
        """Read the current record under the lock."""

    def add(self, record: Record) -> int:
        """Add a new record to what is written when the transaction ends, and return its id."""

    def add_charge(self, row: Record) -> int:
        """Add a row of the table `charges` to what is written when the transaction ends, and return its id."""

    def update(self, job_id: int, fields: Record) -> None:
        """Add a change to what is written when the transaction ends."""


class History(Protocol):
    """The durable record of every job. Every method may raise `history.errors.HistoryError`."""

    @property
    def folder(self) -> Path:
        """The data folder."""

    @property
    def notices(self) -> list[str]:
        """Sentences about what was found damaged and what became of it."""

    @property
    def journal_size(self) -> int:
        """Bytes of changes that are not in the document yet."""

    def compact(self) -> None:
        """Write the journal's changes into the document."""

    def recent(self, limit: int) -> list[tuple[int, Record]]:
        """Return the newest records, newest first."""

    @property
    def last_charge_id(self) -> int:
        """The id of the newest row of the table `charges` read so far."""

    def charges(self, before: int | None = None, limit: int = 500) -> list[tuple[int, Record]]:
        """Return rows of the table `charges` below an id, newest first."""

    def iter_pages(self, size: int = 500) -> Iterator[list[tuple[int, Record]]]:
        """Yield every record, newest first, in bounded slices."""

    def get(self, job_id: int) -> Record | None:
        """Return one record."""

    def add(self, record: Record) -> int:
        """Write a new record durably and return its id."""

    def update(self, job_id: int, fields: Record, *, durable: bool = True) -> None:
        """Write changed fields; durable ones are on disk when this returns."""

    def update_many(self, changes: Iterable[Change], *, durable: bool = True) -> None:
        """Make several changes with one write: all of them or none."""

    def put(self, job_id: int, record: Record) -> None:
        """Write a whole record under a known id durably."""

    def delete(self, job_id: int) -> None:
        """Remove a record durably."""

    def read_changes(self) -> list[Change]:
        """Return what other instances wrote since the last call."""

    def transaction(self, *, keep_concurrent: bool = False) -> AbstractContextManager[Transaction]:
        """Hold the lock for a read-then-write step."""

    def close(self, *, compact: bool) -> None:
        """Close the files, with `compact` after a compaction."""


class InstanceRegistry(Protocol):
    """Which instances of the program are alive on this history."""

    id: str

    def is_alive(self, other_id: str) -> bool:
        """Whether that instance is running."""

    def release(self) -> None:
        """Release the jobs of this instance to other instances."""
