"""Server that an account was last worked on.

A standby that was promoted, or a server that was restored, may lack the last commits.
"""

from sqlalchemy import select

from migrator.store.database.database import Database
from migrator.store.database.sql import insert
from migrator.store.tables.fleet import meta

__all__ = ["has_moved", "note_server"]

_NAME = "server"
_NOTED = select(meta.c.value).where(meta.c.name == _NAME)


def has_moved(database: Database) -> bool:
    """True if the server is not the one noted last.

    Always False for a file.
    """
    here = database.server()
    if not here:
        return False
    with database.read() as connection:
        return bool(connection.scalar(_NOTED) != here)


def note_server(database: Database) -> None:
    """Note the server as it is now."""
    here = database.server()
    put = insert(meta).values(name=_NAME, value=here)
    with database.write() as connection:
        connection.execute(put.on_conflict_do_update(index_elements=[meta.c.name], set_={"value": put.excluded.value}))
