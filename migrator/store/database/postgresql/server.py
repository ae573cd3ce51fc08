"""Server of a database, as it looks from here."""

import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass

import psycopg

from migrator.store.database.postgresql.address import address_of
from migrator.store.database.postgresql.database import connected
from migrator.store.database.postgresql.faults import database_trouble

__all__ = ["ServerLook", "look_at_server"]

LOOKS = 5
_TOLD = """
SELECT current_setting('server_version'), current_setting('fsync'),
    (SELECT count(*) FROM pg_stat_replication),
    (SELECT count(*) FROM pg_stat_replication WHERE sync_state IN ('sync', 'quorum'))
"""


@dataclass(frozen=True, slots=True)
class ServerLook:
    """Version, distance, clock and safety of a server.

    Args:
        shown: its address, without any password.
        version: of PostgreSQL.
        away_s: seconds for a question and its answer, at best.
        ahead_s: seconds by which its clock is ahead of ours.
        keeps: False where a power cut may take back what was committed.
        standbys: number of standbys.
        synchronous: number of standbys that have each commit before it counts.
    """

    shown: str
    version: str
    away_s: float
    ahead_s: float
    keeps: bool
    standbys: int
    synchronous: int


def look_at_server(url: str, now: Callable[[], float]) -> ServerLook:
    """Ask a server what a person should know of it.

    `now` returns UTC seconds.

    Raises: InputError, StoreLost.
    """
    address = address_of(url)
    with closing(connected(address)) as session:
        try:
            version, fsync, standbys, synchronous = session.execute(_TOLD).fetchone() or ("", "", 0, 0)
            asked = [_asked(session, now) for _ in range(LOOKS)]
        except psycopg.Error as error:
            raise database_trouble(error, address.shown) from None
    away_s, ahead_s = min(asked)
    version = version.split(" ")[0]
    return ServerLook(address.shown, version, away_s, ahead_s, fsync == "on", standbys, synchronous)


def _asked(session: "psycopg.Connection[tuple[float]]", now: Callable[[], float]) -> tuple[float, float]:
    """Return the seconds of a question, and how far the clocks differ."""
    began, here = time.perf_counter(), now()
    found = session.execute("SELECT extract(epoch FROM clock_timestamp())::float8").fetchone()
    took_s = time.perf_counter() - began
    return took_s, (0.0 if found is None else found[0]) - here - took_s / 2
