"""The sandbox itself: two uvicorn servers on loopback around one service."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Self

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.routing import Route
from uvicorn.protocols.http.h11_impl import H11Protocol

from eternal_tui.sandbox.api_routes import ApiRoutes, http_error
from eternal_tui.sandbox.asgi import RequestRecorder
from eternal_tui.sandbox.cdn_routes import CdnRoutes, render_cancelled
from eternal_tui.sandbox.faults import Fault, FaultPlace, FaultRule, parse_places
from eternal_tui.sandbox.render import RenderCancelled
from eternal_tui.sandbox.settings import SandboxSettings
from eternal_tui.sandbox.state import RecordedRequest, SandboxState

if TYPE_CHECKING:
    from starlette.types import Scope

_STOP_TIMEOUT_SECONDS = 5.0
"""Seconds after which stopping fails; on a busy machine drawing the current frame may take two."""

_ACCEPT_TURNS = 5
"""Turns of the event loop after which uvicorn knows a connection that asyncio has accepted."""


def _open_listener(port: int) -> socket.socket:
    """A socket whose protocol is TCP: asyncio disables Nagle's delay, 40 ms a response, only for those."""
    opened = socket.create_server(("127.0.0.1", port), backlog=512)
    return socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, fileno=opened.detach())


class _Listener:
    """One listening socket and the uvicorn server behind it."""

    def __init__(self, state: SandboxState, name: str, routes: list[Route], port: int) -> None:
        handlers = {HTTPException: http_error, RenderCancelled: render_cancelled}
        app = Starlette(routes=routes, exception_handlers=handlers)
        app.router.redirect_slashes = False
        self._config = uvicorn.Config(
            RequestRecorder(app, state, name, self._hang_up),
            http="h11",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_keep_alive=60,
        )
        self._server = uvicorn.Server(self._config)
        self.socket = _open_listener(port)
        self.url = f"http://127.0.0.1:{self.socket.getsockname()[1]}"

    async def start(self) -> None:
        """Serve without uvicorn's own loop: it polls for its end ten times a second and takes the signals."""
        self._config.load()
        self._server.lifespan = self._config.lifespan_class(self._config)
        await self._server.startup(sockets=[self.socket])

    def cut(self) -> None:
        """Stop listening and cut what is open."""
        for listener in self._server.servers:
            listener.close()
        for connection in list(self._server.server_state.connections):
            if not connection.transport.is_closing():
                connection.shutdown()
            if not connection.transport.is_closing():
                connection.transport.abort()

    @property
    def busy(self) -> bool:
        """Return whether a client is connected or a request is being answered."""
        return bool(self._server.server_state.connections or self._server.server_state.tasks)

    async def stop(self) -> None:
        """Cut what was still opened, and wait for the handlers to notice."""
        async with asyncio.timeout(_STOP_TIMEOUT_SECONDS):
            while self.busy:
                self.cut()
                await asyncio.sleep(0.001)
        for listener in self._server.servers:
            await listener.wait_closed()

    def _hang_up(self, scope: Scope, at_once: bool) -> None:
        for connection in self._server.server_state.connections:
            if isinstance(connection, H11Protocol) and connection.client == scope["client"]:
                (connection.transport.abort if at_once else connection.transport.close)()


class Sandbox:
    """A running stand-in for the service: ``async with Sandbox(SandboxSettings(...)) as sandbox``.

    ``requests`` holds every request in order of arrival; ``charged`` the request ids that were paid for, and
    ``created`` those of characters; ``leaks`` requests that carried the key to the CDN's origin. ``finish(request_id)``
    ends one job, or all of them, now; ``advance(seconds)`` lets the clock jump ahead. ``api_url`` and
    ``cdn_url`` are base URLs without a slash at the end.
    """

    def __init__(self, settings: SandboxSettings | None = None) -> None:
        self.settings = settings or SandboxSettings()
        self.state = state = SandboxState(self.settings)
        self.key = self.settings.key
        self.api_url = self.cdn_url = ""
        self.requests, self.leaks = state.requests, state.leaks
        self.charged, self.created = state.charged, state.created
        self.finish, self.advance = state.finish, state.advance
        self._listeners: list[_Listener] = []

    async def __aenter__(self) -> Self:
        """Bind both ports and serve; raises OSError when a wanted port is taken."""
        service, settings = self.state, self.settings
        wanted = (
            ("api", ApiRoutes(service).routes(), settings.api_port),
            ("cdn", CdnRoutes(service).routes(), settings.cdn_port),
        )
        try:
            for name, routes, port in wanted:
                self._listeners.append(_Listener(service, name, routes, port))
        except OSError:
            for opened in self._listeners:
                opened.socket.close()
            raise
        self.api_url, self.cdn_url = service.api_url, service.cdn_url = [port.url for port in self._listeners]
        for opened in self._listeners:
            await opened.start()
        return self

    async def __aexit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        """Stop both servers and the renderer; open connections are cut."""
        # asyncio leaves a connection open that it accepted in the turns of the loop before its server is closed.
        for _ in range(_ACCEPT_TURNS):
            await asyncio.sleep(0)
        for port in self._listeners:
            port.cut()
        # Only now: a handler that waits would answer before its connection is cut, from Python 3.12 on.
        self.state.closing.set()
        self.state.renderer.cancel()
        await asyncio.gather(*(port.stop() for port in self._listeners))
        await self.state.renderer.close()

    @property
    def credits(self) -> float:
        """Credits left."""
        return float(self.state.credits)

    @property
    def posts(self) -> list[RecordedRequest]:
        """The generate requests that arrived, whatever became of them."""
        return [call for call in self.requests if call.method == "POST" and call.path == "/v2/base/generate"]

    def polls(self, request_id: str | None = None) -> list[RecordedRequest]:
        """The polls that arrived, of one job or of all."""
        prefix = f"/v2/poll-result/{request_id or ''}"
        return [call for call in self.requests if call.port == "api" and call.path.startswith(prefix)]

    @property
    def downloads(self) -> list[RecordedRequest]:
        """The requests for result files."""
        return [call for call in self.requests if call.port == "cdn" and call.path.startswith("/agent_data/")]

    async def wait_until(self, condition: Callable[[], bool], timeout_seconds: float = 60.0) -> None:
        """Wait until `condition` holds, checked when a request arrives or is answered; raises TimeoutError."""
        async with asyncio.timeout(timeout_seconds):
            while not condition():
                await self.state.activity.wait()

    def inject(
        self,
        fault: Fault,
        *,
        times: int | None = 1,
        on: FaultPlace | None = None,
        probability: float = 1.0,
        request_id: str | None = None,
    ) -> None:
        """Arm a fault; for a job that exists already, job faults apply from its next poll on.

        Raises ValueError when the fault cannot strike at ``on``.
        """
        places = parse_places(fault, on)
        if request_id is not None and FaultPlace.JOB in places:
            self.state.jobs[request_id].faults.add(fault)
            return
        rule = FaultRule(fault=fault, places=places, times=times, probability=probability, request_id=request_id)
        self.state.faults.rules.append(rule)

    def heal(self) -> None:
        """Disarm every fault, also those fixed to jobs."""
        self.state.faults.rules.clear()
        for job in self.state.jobs.values():
            job.faults.clear()
