"""The server: one socket, one process, connections that are bounded in number and in seconds."""

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from ssgan.types import UserError
from ssgan.web.security import Access, AsgiApp, Gate

if TYPE_CHECKING:
    import uvicorn

FIRST_PORT = 8300
MOST_CONNECTIONS = 48
HEADER_SECONDS = 10.0  # until the head of a request is complete
WRITE_SECONDS = 20.0  # in which a client must take what was sent
_HEADER_BYTES = 2**15
_LATE = b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
_FULL = b"HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"


def require_web() -> None:
    """Raise UserError when the libraries of the page are missing."""
    try:
        import fastapi  # noqa: F401
        import uvicorn  # noqa: F401
    except ImportError as error:
        raise UserError(
            f"the page needs {error.name}, which is not installed: pip install 'ssgan[web]'"
        ) from None


def open_socket(host: str, port: int | None) -> socket.socket:
    """A listening socket; without a port it is 8300, or a free one where that is taken.

    Raises UserError for a port that is in use, and for an address that this machine has not.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, FIRST_PORT if port is None else port), family=family)
    except OSError as error:
        if port is None:
            return open_socket(host, 0)
        reason = error.strerror or error
        raise UserError(f"--host {host} --port {port} cannot be served: {reason}") from None
    except OverflowError:
        raise UserError(f"--port must be at most 65535, not {port}") from None


def format_address(access: Access, port: int) -> str:
    """The address to open, with the token."""
    host = "127.0.0.1" if access.host in ("0.0.0.0", "::") else access.host
    host = f"[{host}]" if ":" in host else host
    return f"http://{host}:{port}/{access.token}/"


def build_server(
    app: AsgiApp, access: Access, on_end: Callable[[], Awaitable[None]]
) -> "uvicorn.Server":
    """The server of an application behind the gate; `run(sockets=[...])` serves.

    `on_end` ends the responses that have no end, before open connections are closed.
    """
    import uvicorn

    class PageServer(uvicorn.Server):
        """Ends open pages first."""

        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            await on_end()
            await super().shutdown(sockets)

    config = uvicorn.Config(
        Gate(app, access),
        http=bounded_protocol(),
        loop="asyncio",
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="error",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=1,
        h11_max_incomplete_event_size=_HEADER_BYTES,
    )
    return PageServer(config)


def bounded_protocol() -> type[asyncio.Protocol]:
    """Uvicorn's HTTP protocol with limits on connections and on slow clients."""
    from uvicorn.protocols.http.h11_impl import H11Protocol

    class BoundedProtocol(H11Protocol):
        """Cuts a client that is slow to ask or slow to take the answer."""

        _late: asyncio.TimerHandle | None = None  # fires when a head takes too long
        _stuck: asyncio.TimerHandle | None = None  # fires when a client takes nothing

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            if len(self.connections) > MOST_CONNECTIONS:
                transport.write(_FULL)
                transport.close()
            else:
                self._late = self.loop.call_later(HEADER_SECONDS, self._cut_late)

        def data_received(self, data: bytes) -> None:
            if self.transport.is_closing():
                return
            super().data_received(data)
            waits = self.cycle is None or self.cycle.response_complete
            if not waits:
                _cancel(self._late)
                self._late = None
            elif self._late is None:
                self._late = self.loop.call_later(HEADER_SECONDS, self._cut_late)

        def pause_writing(self) -> None:
            super().pause_writing()
            _cancel(self._stuck)
            self._stuck = self.loop.call_later(WRITE_SECONDS, self.transport.abort)

        def resume_writing(self) -> None:
            _cancel(self._stuck)
            super().resume_writing()

        def connection_lost(self, exc: Exception | None) -> None:
            _cancel(self._late)
            _cancel(self._stuck)
            super().connection_lost(exc)

        def _cut_late(self) -> None:
            self.transport.write(_LATE)
            self.transport.close()
            self.loop.call_later(1.0, self.transport.abort)  # where it is not taken either

    return BoundedProtocol


def _cancel(timer: asyncio.TimerHandle | None) -> None:
    """Cancel a timer, if there is one."""
    if timer is not None:
        timer.cancel()


def lower_priority(by: int) -> None:
    """Let other processes run first, where the system has priorities.

    On Linux it is the calling thread's own priority, and that of threads it starts.
    """
    nice = getattr(os, "nice", None)  # Windows has none
    if nice is not None:
        nice(by)
