"""The server of a rehearsal, before it runs and beside a client that keeps its connections."""

import socket
from contextlib import closing

from migrator.carriers.hologram.simulator import HologramSimulator
from migrator.carriers.onence.simulator import OnenceSimulator
from migrator.wiring.rehearsal.rehearsal import Rehearsal

CLIENT_KEEPS_S = 5.0
"""Seconds after which httpx gives up an idle connection."""


def test_a_connection_waits_for_the_server_that_is_about_to_start() -> None:
    """The address is told first: on a busy machine a command may be quicker than the server."""
    rehearsal = Rehearsal(OnenceSimulator(sims=1), HologramSimulator())
    with (
        socket.create_connection(("127.0.0.1", rehearsal.port), timeout=10) as early,
        rehearsal.running(),
    ):
        early.sendall(b"GET /nothing HTTP/1.1\r\nHost: here\r\n\r\n")
        assert early.recv(12) == b"HTTP/1.1 404"


def test_the_server_keeps_a_connection_longer_than_a_client_uses_it_again() -> None:
    """Else a write may leave at the very moment at which the connection is closed, and its answer is lost."""
    rehearsal = Rehearsal(OnenceSimulator(sims=1), HologramSimulator())
    with closing(rehearsal._socket):
        server = rehearsal._server()
    assert server.config.timeout_keep_alive > 2 * CLIENT_KEEPS_S


def test_a_reply_does_not_wait_for_the_client_to_confirm_its_head() -> None:
    """The event loop switches that wait off (Nagle's) for sockets that name their protocol alone: 40 ms a reply."""
    rehearsal = Rehearsal(OnenceSimulator(sims=1), HologramSimulator())
    with closing(rehearsal._socket):
        assert rehearsal._socket.proto == socket.IPPROTO_TCP
