"""Operation of a campaign: its ticks and notices."""

from collections.abc import Mapping
from dataclasses import dataclass

from migrator.core.campaign.notices import DeliveryState
from migrator.store import Store
from migrator.store.campaigns.ticks import KeptTick

__all__ = ["OperationNow", "operation"]


@dataclass(frozen=True, slots=True)
class OperationNow:
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


def operation(store: Store) -> OperationNow:
    """Return the ticks and notices of now."""
    outbox = store.outbox
    return OperationNow(
        store.ticks.counts(), store.ticks.last_ended(), outbox.counts_by_receiver(), outbox.waits_since()
    )
