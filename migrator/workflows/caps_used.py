"""The caps of a plan's policy as they stand now: what is used up of them, and what is left."""

from typing import TYPE_CHECKING, Any

from migrator.core.money.caps import caps_from, used_of, used_values
from migrator.core.plan.plan import PlanHeader

if TYPE_CHECKING:
    from migrator.store import Store

__all__ = ["caps_used"]


def caps_used(store: "Store", header: PlanHeader) -> dict[str, Any]:
    """Caps, what the journal shows as used up of them, and what is left, as JSON values."""
    caps = caps_from(store.plans.policy_json(header.plan_id))
    return used_values(caps, used_of(store.journal.claims_made(header.org_id), caps, header.plan_id))
