"""Old SIMs that a cutover of ours switched off.

Such a SIM is planned by its status before the cutover, not by the status that we gave it.
"""

from dataclasses import replace

from migrator.core.fleet.identifiers import Iccid
from migrator.core.fleet.records import record
from migrator.core.fleet.sims import SourceSim, SourceStatus, source_status

__all__ = ["SwitchedOff", "as_before", "planned_status"]

_OFF = frozenset({SourceStatus.DISABLED, SourceStatus.EXPIRED})


@record
class SwitchedOff:
    """Old SIM that a cutover of ours switched off, or may have.

    The record holds what our journal says of the SIM.

    Args:
        cutover_id: that cutover.
        plan_id: the migration's plan that the cutover belongs to.
        target: the new SIM that the old SIM was switched off for; None where the cutover does not name it.
        status_before: the status at 1NCE right before the first order.
        is_on_again: whether a rollback was seen to switch the SIM on, while the pause of its new SIM is still to come.
    """

    cutover_id: str
    plan_id: str
    target: Iccid | None
    status_before: SourceStatus
    is_on_again: bool = False

    @property
    def planned_by(self) -> SourceStatus | None:
        """Status that counts while 1NCE reports the SIM off, or None.

        None means that a rollback has switched the SIM on.
        """
        return None if self.is_on_again else self.status_before

    @property
    def words(self) -> str:
        """Words that name the cutover and its plan."""
        return f"switched off by cutover {self.cutover_id} of plan {self.plan_id}"


def as_before(sim: SourceSim, off: SwitchedOff | None) -> SourceSim:
    """Return the SIM as it is planned.

    The SIM has its status before our cutover, where that cutover is the reason why the SIM is off.
    """
    before = None if off is None else off.planned_by
    if before is None:
        return sim
    return replace(sim, status=_counting(sim.status, before), status_before=before)


def planned_status(word: str | None, before: SourceStatus | None) -> SourceStatus:
    """Return the status that a SIM is planned by.

    That is 1NCE's word, or the status before a cutover of ours switched the SIM off.
    """
    return _counting(source_status(word), before)


def _counting(status: SourceStatus, before: SourceStatus | None) -> SourceStatus:
    """Return the status that counts for a SIM.

    For a SIM that is off by our order, the status before counts. Its lifetime may have ended since, but its unit does
    not feel that. For a SIM that is on, and for a word that we do not know, 1NCE's status counts.
    """
    return before if before is not None and status in _OFF else status
