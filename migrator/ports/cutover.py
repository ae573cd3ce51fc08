"""Ports of the store for what is a cutover's or rollback's own."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from typing import Protocol

from migrator.core.cutover.plan import CutoverItem
from migrator.core.fleet.imei import Neighbours

__all__ = [
    "CutoverPlans",
    "FieldNotes",
]


class FieldNotes(Protocol):
    """Notes on the units in the field that a plan concerns."""

    def last_uses(self, keys: Iterable[str]) -> Mapping[str, date]:
        """Return the last noted day of use of old SIMs, by key."""
        ...

    def swapped(self, keys: Iterable[str]) -> Mapping[str, float]:
        """Return when the swap of old SIMs' units was noted, by key.

        The moments are UTC seconds. Units without such a note are left out.
        """
        ...

    def neighbours(self, bodies: Iterable[str | None]) -> Neighbours:
        """Return the SIMs that were seen in some hardware."""
        ...


class CutoverPlans(Protocol):
    """Plans of cutovers and rollbacks; their journal is that of every plan."""

    def items(self, cutover_id: str, wave: str | None) -> Iterator[CutoverItem]:
        """Yield the SIMs of one wave that are to be switched.

        Each SIM has its steps. The order is that of the plan.
        """
        ...

    def items_by_key(self, cutover_id: str, keys: Sequence[str]) -> Sequence[CutoverItem]:
        """Return the items of some SIMs, in the order of `keys`."""
        ...

    def labels_in_force(self, keys: Sequence[str]) -> Mapping[str, str | None]:
        """Return the labels of some SIMs, by key.

        The labels are those of the inventory in force. SIMs that the inventory does not hold are left out.
        """
        ...

    def may_lack_orders(self, cutover_id: str, now: float) -> bool:
        """True if orders of a plan may be unknown here.

        So it is if the plan was made before the store came to its server, or soon after. `now` is UTC seconds.
        """
        ...

    def unsettled_elsewhere(self, cutover_id: str, keys: Sequence[str]) -> frozenset[str]:
        """Return SIMs with an order of another plan whose outcome is unknown.

        Such an order may still take effect.
        """
        ...
