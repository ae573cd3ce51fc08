"""An old SIM that a cutover of ours switched off is planned by what it was before, not by what we made of it."""

from dataclasses import replace

from migrator.core.fleet.identifiers import Iccid
from migrator.core.fleet.records import record
from migrator.core.fleet.sims import SourceSim, SourceStatus, source_status

__all__ = ["SwitchedOff", "as_before", "planned_status"]

_OFF = frozenset({SourceStatus.DISABLED, SourceStatus.EXPIRED})


@record
class SwitchedOff:
    """What our journal says of an old SIM that a cutover of ours switched off, or may have.

    Args:
        switch_id: that cutover.
        plan_id: the migration's plan that it belongs to.
        target: the new SIM that it was switched off for; None where the cutover does not tell.
        status_before: what 1NCE said right before the first order.
        is_on_again: whether a rollback was seen to switch it on, while the pause of its new SIM is still to come.
    """

    switch_id: str
    plan_id: str
    target: Iccid | None
    status_before: SourceStatus
    is_on_again: bool = False

    @property
    def planned_by(self) -> SourceStatus | None:
        """The status that counts while 1NCE says that the SIM is off; None once a rollback has switched it on."""
        return None if self.is_on_again else self.status_before

    @property
    def words(self) -> str:
        """By which cutover, of which plan."""
        return f"switched off by cutover {self.switch_id} of plan {self.plan_id}"


def as_before(sim: SourceSim, off: SwitchedOff | None) -> SourceSim:
    """The SIM as it is planned: with its status before our cutover, where that is why it is off."""
    before = None if off is None else off.planned_by
    if before is None:
        return sim
    return replace(sim, status=_counting(sim.status, before), status_before=before)


def planned_status(word: str | None, before: SourceStatus | None) -> SourceStatus:
    """The status that a SIM is planned by: 1NCE's word, or what it was before a cutover of ours switched it off."""
    return _counting(source_status(word), before)


def _counting(status: SourceStatus, before: SourceStatus | None) -> SourceStatus:
    """Of a SIM that is off by us the status before; its lifetime may have ended since, which its unit does not feel.

    One that is on, and a word that we do not know, count as 1NCE says them.
    """
    return before if before is not None and status in _OFF else status
