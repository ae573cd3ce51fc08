"""Outboxes of accounts, by short reads in one session."""

from collections.abc import Iterable

from sqlalchemy import ColumnElement, select, text

from migrator.errors import StoreError, StoreLost
from migrator.store.campaigns.outbox import is_due
from migrator.store.database.database import Database
from migrator.store.database.postgresql.address import schema_of
from migrator.store.moved import MARK
from migrator.store.register.stores import reading_store
from migrator.store.tables.outbox import deliveries

__all__ = ["names_with_due_notices"]

_THERE = text(
    "SELECT n.nspname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relname = :outbox "
    "AND n.nspname = ANY(:names) AND has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT')"
)


def names_with_due_notices(database: Database, names: Iterable[str], now: float) -> set[str]:
    """Return the accounts in whose outbox a notice may be delivered now.

    An account without a store, or whose store this user may not read, is none of them.

    Args:
        database: the register's, which has the stores of all accounts beside it.
        names: of the accounts to look at.
        now: UTC seconds, by the clock of the machine that would deliver.

    Raises: StoreLost.
    """
    wanted = {schema_of(name): name for name in names}
    with database.read() as connection:
        judged = database.time(connection, now)
        there = connection.execute(_THERE, {"outbox": deliveries.name, "names": list(wanted)}).scalars().all()
    return {wanted[schema] for schema in there if _has_due(database, schema, is_due(now, judged))}


def _has_due(database: Database, schema: str, condition: ColumnElement[bool]) -> bool:
    """True if a notice is due in a schema.

    A store in trouble has none: its next turn tells of the trouble, and the others are looked at.

    Raises: StoreLost.
    """
    one = select(deliveries.c.notice_no).where(condition, ~MARK.exists()).limit(1)  # a store that moved tells nobody
    try:
        with reading_store(database, schema) as connection:
            return connection.execute(one).first() is not None
    except StoreLost:
        raise  # no other account can be read either
    except StoreError:
        return False
