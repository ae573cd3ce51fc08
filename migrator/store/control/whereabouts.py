"""Server that an account was last worked on.

A standby that was promoted, or a server that was restored, may lack the last commits.
"""

from sqlalchemy import Connection

from migrator.store.database.database import Database
from migrator.store.facts import fact, keep_fact

__all__ = ["arrived_on", "born_on", "note_server", "server_changed", "server_since"]

_NAME, _SINCE = "server", "server_since"


def born_on(server: str) -> list[dict[str, str]]:
    """Return the facts of a new store on a server.

    Nothing of it can be lost.
    """
    return [{"name": _NAME, "value": server}, {"name": _SINCE, "value": f"{server} 0.0"}]


def arrived_on(connection: Connection, server: str) -> None:
    """Note the server of a store that was copied there whole.

    Nothing of a file is lost by that. What came from another server keeps the name of that one, which may have lost
    something before: all SIMs are read again.
    """
    if server and fact(connection, _NAME) is None:
        for one in born_on(server):
            keep_fact(connection, one["name"], one["value"])


def server_changed(database: Database) -> bool:
    """True if the server is not the one noted last.

    Always False for a file.
    """
    here = database.server()
    if not here:
        return False
    with database.read() as connection:
        return bool(fact(connection, _NAME) != here)


def note_server(database: Database) -> None:
    """Note the server as it is now."""
    here = database.server()
    with database.write() as connection:
        keep_fact(connection, _NAME, here)


def server_since(database: Database, now: float) -> float | None:
    """Return since when an account is known to be on its server.

    The first call on a server notes `now` (UTC seconds).

    Returns: UTC seconds; None for a file, which is on no server.
    """
    here = database.server()
    if not here:
        return None
    with database.read() as connection:
        server, _, since = (fact(connection, _SINCE) or "").partition(" ")
    if server == here:
        return float(since)
    with database.write() as connection:
        keep_fact(connection, _SINCE, f"{here} {now!r}")
    return now
