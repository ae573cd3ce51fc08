"""Tables of the register, in the schema `fleet`. PostgreSQL alone has them."""

from sqlalchemy import Boolean, Column, Float, Index, MetaData, Table

from migrator.store.tables.types import Integer, Text, filled_with_user

__all__ = ["METADATA", "accounts", "events", "meta", "workers"]

METADATA = MetaData(naming_convention={"pk": "pk_%(table_name)s"})

meta = Table(  # the row `writes` is locked by whoever writes, and counts what was written
    "meta",
    METADATA,
    Column("name", Text, primary_key=True),
    Column("value", Text, nullable=False),
)

# `order_json` is an order; `is_woken`: a person spoke during the job; `is_untold`: no notice says yet why it stands
accounts = Table(
    "accounts",
    METADATA,
    Column("name", Text, primary_key=True),
    Column("carrier", Text, nullable=False),
    Column("customer", Text, nullable=False),
    Column("organization", Integer),
    Column("state", Text, nullable=False),
    Column("due_at", Float),
    Column("words", Text, nullable=False),
    Column("is_held", Boolean, nullable=False),
    Column("order_json", Text),
    Column("is_woken", Boolean, nullable=False),
    Column("crashes", Integer, nullable=False),
    Column("is_untold", Boolean, nullable=False),
    Column("every_s", Float, nullable=False),
    Column("worker", Text),
    Column("since", Float),
    Column("last_worker", Text),
    Column("ended_at", Float),
    Column("added_at", Float, nullable=False),
    Column("added_by", Text, nullable=False),
)

workers = Table(  # `serves` is JSON: a list of names
    "workers",
    METADATA,
    Column("name", Text, primary_key=True),
    Column("host", Text, nullable=False),
    Column("version", Text, nullable=False),
    Column("slots", Integer, nullable=False),
    Column("started_at", Float, nullable=False),
    Column("seen_at", Float, nullable=False),
    Column("serves", Text, nullable=False),
)

events = Table(  # who did what to which account: rows are added, never changed
    "events",
    METADATA,
    Column("event_no", Integer, primary_key=True),
    Column("at", Float, nullable=False),
    Column("account", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("by_whom", Text, nullable=False),
    Column("db_user", Text, nullable=False),
    Column("words", Text, nullable=False),
)
filled_with_user(events, "db_user")
Index("ix_events_account", events.c.account, events.c.event_no)
