"""Caps of a plan's policy: what is used up, what is left."""

from typing import TYPE_CHECKING, Any

from migrator.core.money.caps import caps_from, used_of, used_values
from migrator.core.plan.plan import PlanHeader

if TYPE_CHECKING:
    from migrator.store import Store

__all__ = ["caps_used"]


def caps_used(store: "Store", header: PlanHeader) -> dict[str, Any]:
    """Return caps, what is used, and what is left, as JSON.

    The values are JSON values. The journal shows what is used.
    """
    caps = caps_from(store.plans.policy_json(header.plan_id))
    return used_values(caps, used_of(store.journal.claims_made(header.org_id), caps, header.plan_id))
