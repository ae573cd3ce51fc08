"""Tables of the store, as SQLAlchemy describes them."""

from migrator.store.tables import campaigns, fleet, outbox, plans, sightings

__all__ = ["METADATA"]

METADATA = fleet.metadata
"""All tables of the modules here, which are imported for that."""

_FIRST_OF_EACH = (plans.plans, sightings.source_imeis, outbox.notices, campaigns.campaigns)
