"""Tables of the store, as SQLAlchemy describes them."""

from migrator.store.tables import fleet, plans, sightings

__all__ = ["METADATA"]

METADATA = fleet.metadata
"""All tables of the modules here."""

assert plans.plans.metadata is sightings.source_imeis.metadata is METADATA  # noqa: S101
