"""Tables of the store, as SQLAlchemy describes them."""

from migrator.store.tables import fleet, outbox, plans, sightings

__all__ = ["METADATA"]

METADATA = fleet.metadata
"""All tables of the modules here."""

assert all(one.metadata is METADATA for one in (plans.plans, sightings.source_imeis, outbox.notices))  # noqa: S101
