"""Connections of the pages, none of which may keep others out.

A client that is silent, sends slowly, or does not take its answer is cut off after a while, and at once where the
server is full and somebody else knocks.

Source: OWASP, "Denial of Service Cheat Sheet": bounds on time and connections. Read 2026-11-29.
"""

import asyncio
from typing import Any, ClassVar

from uvicorn.protocols.http.h11_impl import H11Protocol

__all__ = ["MOST_CONNECTIONS", "Connection"]

MOST_CONNECTIONS = 64
"""Connections at once; a request beyond them gets 503."""


class Connection(H11Protocol):
    """Connection with bounds on its time.

    Attributes:
        request_s: seconds for a whole request, from the connection's begin or from the last answer.
        answer_s: seconds for an answer, until the client took it.
    """

    request_s: ClassVar[float] = 10.0
    answer_s: ClassVar[float] = 300.0
    _end: asyncio.TimerHandle | None = None
    since: float = 0.0
    _is_asking: bool = True

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Begin, in the place of an idle one where all are taken."""
        super().connection_made(transport)
        self._within(self.request_s)
        if len(self.connections) >= MOST_CONNECTIONS:
            others = (one for one in self.connections if isinstance(one, Connection) and one is not self)
            idle = [one for one in others if one.waits_for_client]
            if idle:
                min(idle, key=lambda one: one.since).cut()

    def connection_lost(self, exc: Exception | None) -> None:
        """End, with the bound on its time."""
        if self._end is not None:
            self._end.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take a part of a request.

        Once it is whole, its answer has a time of its own.
        """
        super().data_received(data)
        self._note_request()

    def on_response_complete(self) -> None:
        """Wait for the next request.

        The client may still have to take what is left of the answer.
        """
        self._is_asking = True
        self._within(self.answer_s if self.transport.get_write_buffer_size() else self.request_s)
        super().on_response_complete()
        self._note_request()  # one that came before its turn

    @property
    def waits_for_client(self) -> bool:
        """True if it is the client's turn to ask, or to take."""
        return self._is_asking or bool(self.flow.write_paused)

    def _note_request(self) -> None:
        cycle = self.cycle
        if self._is_asking and cycle is not None and not cycle.more_body and not cycle.response_complete:
            self._is_asking = False
            self._within(self.answer_s)

    def _within(self, seconds: float) -> None:
        if self._end is not None:
            self._end.cancel()
        self.since = self.loop.time()
        self._end = self.loop.call_later(seconds, self.cut)

    def cut(self, *_: Any) -> None:
        """Cut the client off, and make room at once."""
        self.connections.discard(self)
        self.transport.abort()
