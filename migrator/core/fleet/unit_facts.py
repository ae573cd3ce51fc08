"""Facts about the unit that an old SIM is in."""

from migrator.core.fleet.records import record

__all__ = ["UnitFacts"]


@record
class UnitFacts:
    """Notes of people in the field about one unit.

    The facts belong to the unit, and so to the old SIM that was in it: they stay when its pair is corrected. `None` is
    a fact that nobody noted. `scanned_at` is in UTC seconds. `origin` says where the facts were written, as
    "FILE:LINE". `noted_at` is when the store took them, which the store sets.
    """

    source_key: str
    unit: str | None = None
    imei: str | None = None
    site: str | None = None
    ticket: str | None = None
    scanned_at: float | None = None
    scanned_by: str | None = None
    origin: str = ""
    noted_at: float = 0.0

    @property
    def is_empty(self) -> bool:
        """True if nothing was noted."""
        told = (self.unit, self.imei, self.site, self.ticket, self.scanned_at, self.scanned_by)
        return all(fact is None for fact in told)
