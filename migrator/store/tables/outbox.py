"""Tables of the outbox.

`store.tables.fleet` explains the form of keys, times and JSON.
"""

from sqlalchemy import Column, Float, ForeignKey, Index, Table

from migrator.store.tables.fleet import metadata
from migrator.store.tables.types import Integer, Text, only_where

__all__ = ["deliveries", "notices"]

notices = Table(  # what happened; the key names it, so that it is told once
    "notices",
    metadata,
    Column("notice_no", Integer, primary_key=True),
    Column("event", Text, nullable=False),
    Column("key", Text, nullable=False, unique=True),
    Column("made_at", Float, nullable=False),
    Column("plan_id", Text),
    Column("told", Text, nullable=False),
)

deliveries = Table(  # who is told; `document` is the receiver as its policy had it, without secrets
    "deliveries",
    metadata,
    Column("notice_no", ForeignKey(notices.c.notice_no), primary_key=True),
    Column("receiver", Text, primary_key=True),
    Column("document", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("next_at", Float, nullable=False),
    Column("delivered_at", Float),
    Column("last_error", Text, nullable=False),
    sqlite_with_rowid=False,
)
Index(
    "ix_deliveries_open",
    deliveries.c.next_at,
    **only_where("state IN ('waiting', 'sending')"),
)
