"""Operation of a campaign: ticks, notices, and use of its bounds."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from migrator.core.campaign.budget import Bound
from migrator.core.campaign.calendar import day_began_s
from migrator.core.campaign.notices import DeliveryState
from migrator.errors import InputError
from migrator.inputs.policy.file import stored_policy
from migrator.store import Store
from migrator.store.campaigns.ticks import KeptTick

__all__ = ["Operation", "Used", "operation", "used_of_bounds"]

Used = Mapping[Bound, tuple[Decimal, Decimal]]
"""Used of each bound of a campaign, and the bound."""


@dataclass(frozen=True, slots=True)
class Operation:
    """Ticks and notices of now.

    Args:
        ticks: by exit code; None for those that were killed.
        last: the last tick that ended; None if none did.
        notices: deliveries by receiver and state.
        waits_since: when the oldest notice was made that still waits (UTC seconds); None if none waits.
    """

    ticks: Mapping[int | None, int]
    last: KeptTick | None
    notices: Mapping[tuple[str, DeliveryState], int]
    waits_since: float | None


def operation(store: Store) -> Operation:
    """Return the ticks and notices of now."""
    outbox = store.outbox
    return Operation(store.ticks.counts(), store.ticks.last_ended(), outbox.counts_by_receiver(), outbox.waits_since())


def used_of_bounds(store: Store, now: float) -> Used:
    """Return the use of each bound of the open campaign.

    Empty without one, and where this version cannot read its policy. `now` is in UTC seconds.
    """
    campaign = store.campaigns.open()
    if campaign is None:
        return {}
    try:
        bounds = stored_policy(campaign.policy_text, name=campaign.name).campaign
    except InputError:
        return {}
    if bounds is None:
        return {}
    began_s = day_began_s(datetime.fromtimestamp(now, UTC), ZoneInfo(bounds.time_zone))
    spent = store.due.spent(campaign, began_s)
    return {
        Bound.DAY: (Decimal(spent.sims_today), Decimal(bounds.claims_per_day)),
        Bound.TOTAL: (Decimal(spent.sims), Decimal(bounds.claims_total)),
        Bound.SPEND_DAY: (spent.money_today, bounds.spend_per_day),
        Bound.SPEND_TOTAL: (spent.money, bounds.spend_total),
    }
