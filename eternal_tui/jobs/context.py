"""JobContext, shared by all parts of the engine, and JobEvents, the signals between them."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeVar

from eternal_tui.core.clock import Clock
from eternal_tui.history.errors import HistoryError
from eternal_tui.jobs.errors import JobNotFound
from eternal_tui.jobs.model import Job
from eternal_tui.jobs.ports import Downloader, History, InstanceRegistry, JobPolicy, Service
from eternal_tui.jobs.store import JobStore

T = TypeVar("T")


class Signal(Generic[T]):
    """One kind of event; listeners are called on the event loop in the order they connected."""

    def __init__(self) -> None:
        self._listeners: list[Callable[[T], None]] = []

    def connect(self, listener: Callable[[T], None]) -> Callable[[], None]:
        """Call `listener` at every event; return the function that disconnects it."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def emit(self, value: T) -> None:
        """Call every listener."""
        for listener in tuple(self._listeners):
            listener(value)


class JobEvents:
    """Signals between the parts of the engine. `JobStore.subscribe_changes` reports the changes of jobs themselves.

    `rate_limited` and `unreachable` carry seconds to wait, `queue_held` the reason, `warning` a sentence for the user.
    `submitted` fires when a job leaves `submitting`, back to `queued` included, `finished` when polling ends, `settled`
    when nothing more will soon happen to it, file included.
    """

    def __init__(self) -> None:
        self.rate_limited: Signal[float] = Signal()
        self.unreachable: Signal[float] = Signal()
        self.queue_held: Signal[str] = Signal()
        self.submitted: Signal[Job] = Signal()
        self.finished: Signal[Job] = Signal()
        self.settled: Signal[Job] = Signal()
        self.warning: Signal[str] = Signal()


class BackgroundTasks:
    """Runs coroutines that write to the history; each kind of failure is reported once until it succeeds again."""

    def __init__(self, warning: Signal[str]) -> None:
        self._warning = warning
        self._reported_errors: dict[str, str] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def is_busy(self) -> bool:
        """Whether a task is still running."""
        return bool(self._tasks)

    def start(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        """Run the coroutine in a task of its own."""
        task = asyncio.create_task(self.run_guarded(coroutine))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def run_guarded(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        """Await the coroutine; a disk error becomes a warning, and a job deleted meanwhile needs nothing."""
        name = getattr(coroutine, "__name__", "")
        try:
            await coroutine
        except JobNotFound:
            return
        except HistoryError as error:
            if self._reported_errors.get(name) != str(error):
                self._reported_errors[name] = str(error)
                self._warning.emit(str(error))
        else:
            self._reported_errors.pop(name, None)

    async def wait(self) -> None:
        """Wait for the tasks that were started."""
        if self._tasks:
            await asyncio.wait(tuple(self._tasks))


class Ports(NamedTuple):
    """The outside of the engine: disk, other processes, network, time."""

    history: History
    registry: InstanceRegistry
    service: Service
    downloader: Downloader
    clock: Clock
    rng: random.Random
    service_name: str


class JobContext(NamedTuple):
    """The parts of the engine that all others share."""

    ports: Ports
    policy: JobPolicy
    store: JobStore
    events: JobEvents
    background: BackgroundTasks

    def owns(self, job: Job) -> bool:
        """Whether this process polls and downloads the job."""
        return job.owner == self.ports.registry.id

    def is_same_service(self, job: Job) -> bool:
        """Whether the job runs at the service this process talks to.

        Another host does not know its id: the 404 would end a job that was paid for elsewhere.
        """
        return job.service in ("", self.ports.service_name)


def build_context(ports: Ports, policy: JobPolicy, results_dir: Path) -> JobContext:
    """Return a context with an empty store over the history."""
    events = JobEvents()
    return JobContext(ports, policy, JobStore(ports.history, results_dir), events, BackgroundTasks(events.warning))
