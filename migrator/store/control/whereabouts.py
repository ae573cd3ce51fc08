"""Server that an account was last worked on.

A standby that was promoted, or a server that was restored, may lack the last commits.
"""

from migrator.store.database.database import Database
from migrator.store.facts import fact, keep_fact

__all__ = ["note_server", "server_changed"]

_NAME = "server"


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
