"""Carrier and account whose SIMs the inventory lists.

A store has the SIMs of one carrier. Its name, and the account as far as a pull told it, stand among the facts of the
store; a store without a name is 1NCE's. A pull that is under way has facts of its own.
"""

from sqlalchemy import Connection

from migrator.core.fleet.sims import ONENCE, SourceAccount
from migrator.store.facts import fact, keep_fact

__all__ = ["account_kept", "keep_pulled", "keep_reader", "keep_source", "reader_kept", "source_kept"]

_NAME, _ACCOUNT = "source", "source_account"
_PULLED_NAME, _PULLED_ACCOUNT = "pulled_source", "pulled_account"


def source_kept(connection: Connection) -> str | None:
    """Return the carrier's name; None for 1NCE."""
    return fact(connection, _NAME)


def account_kept(connection: Connection) -> SourceAccount:
    """Return carrier and account of the inventory in force."""
    return SourceAccount(fact(connection, _NAME) or ONENCE, fact(connection, _ACCOUNT))


def keep_source(connection: Connection, source: str) -> None:
    """Keep the carrier's name, within the caller's transaction.

    Another carrier's account is forgotten.
    """
    if source != (source_kept(connection) or ONENCE):
        keep_fact(connection, _ACCOUNT, None)
    keep_fact(connection, _NAME, None if source == ONENCE else source)


def reader_kept(connection: Connection) -> SourceAccount | None:
    """Return from whom the latest pull has read; None if unknown."""
    name, account = fact(connection, _PULLED_NAME), fact(connection, _PULLED_ACCOUNT)
    return None if name is None else SourceAccount(name, account)


def keep_reader(connection: Connection, reader: SourceAccount) -> None:
    """Keep from whom a pull reads that is under way."""
    keep_fact(connection, _PULLED_NAME, reader.name)
    keep_fact(connection, _PULLED_ACCOUNT, reader.account)


def keep_pulled(connection: Connection) -> None:
    """Keep from whom the pull has read that comes into force."""
    reader = reader_kept(connection)
    if reader is not None:
        keep_source(connection, reader.name)
        keep_fact(connection, _ACCOUNT, reader.account)
