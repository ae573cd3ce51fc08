"""Tables of hardware, use of old SIMs, and corrected pairs.

`store.tables.fleet` explains the form of keys and times.
"""

from sqlalchemy import Column, Float, Index, Table

from migrator.store.tables.fleet import WITH_BLANKS, metadata
from migrator.store.tables.types import Integer, Text

__all__ = ["baselines", "old_uses", "pair_versions", "source_imeis"]

source_imeis = Table(  # every IMEI, as told, that an old SIM had in an inventory in force; rows are never dropped
    "source_imeis",
    metadata,
    Column("source_key", Text, primary_key=True),
    Column("imei", Text, primary_key=True, index=True),
    Column("first_seen_at", Float, nullable=False),
    Column("last_seen_at", Float, nullable=False),
    sqlite_with_rowid=False,
)
Index(
    "ix_source_imeis_imei_with_blanks",
    source_imeis.c.imei,
    **WITH_BLANKS,
)

pair_versions = Table(  # a row per correction; version 1 of a pair is `was` of its version 2; rows are only ever added
    "pair_versions",
    metadata,
    Column("source_key", Text, primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("source_iccid", Text, nullable=False),
    Column("was_target_key", Text),
    Column("was_target_iccid", Text),
    Column("was_origin", Text),
    Column("target_key", Text),
    Column("target_iccid", Text),
    Column("origin", Text, nullable=False),
    Column("evidence", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("corrected_by", Text, nullable=False),
    Column("corrected_at", Float, nullable=False),
    sqlite_with_rowid=False,
)
Index("ix_pair_versions_was", pair_versions.c.was_target_key)

old_uses = Table(  # the last answer about the use of an old SIM, day by day, that `pair discover` asked for
    "old_uses",
    metadata,
    Column("source_key", Text, primary_key=True),
    Column("asked_from", Text, nullable=False),
    Column("asked_to", Text, nullable=False),
    Column("used_on", Text),
    Column("is_told", Integer, nullable=False),
    Column("asked_at", Float, nullable=False),
    sqlite_with_rowid=False,
)

baselines = Table(  # each old SIM as it was first seen; is_first 0: as an upgrade found it; rows are only ever added
    "baselines",
    metadata,
    Column("source_key", Text, primary_key=True),
    Column("status", Text, nullable=False),
    Column("label", Text),
    Column("imei", Text),
    Column("seen_at", Float, nullable=False),
    Column("is_first", Integer, nullable=False),
    sqlite_with_rowid=False,
)
