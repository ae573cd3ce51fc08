"""Tables of the store, as SQLAlchemy describes them."""

from migrator.store.tables import fleet, plans, sightings

__all__ = ["METADATA"]

METADATA = fleet.metadata
"""All tables of the modules here."""

assert plans.metadata is sightings.metadata is METADATA  # noqa: S101
