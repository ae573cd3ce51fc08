"""Stages of a unit's life for other systems.

Pure.
"""

from dataclasses import dataclass
from enum import StrEnum

from migrator.core.cutover.life import Life
from migrator.core.fleet.imei import Unit
from migrator.core.fleet.sims import LinkState

__all__ = ["Stage", "UnitLife", "has_moved", "was_live"]


class Stage(StrEnum):
    """Stage of a unit on its way to its new SIM."""

    WAITING = "waiting"  # the new SIM is not on our organization yet
    CLAIMED = "claimed"  # it is ours, and nobody knows of any sign of life
    SILENT = "silent"  # asked for, and it showed no sign of life since its claim
    PAUSED = "paused"  # it is paused and showed no sign of life
    ALIVE = "alive"  # it lives, and nobody can tell in which unit
    OTHER_UNIT = "other_unit"  # it lives in another unit than that of the old SIM
    IN_SERVICE = "in_service"  # it was seen in the unit of the old SIM
    OLD_OFF = "old_off"  # a cutover switched the old SIM off, and the new one was not seen in the unit
    ROLLED_BACK = "rolled_back"  # a rollback took the unit back to its old SIM
    RETIRED = "retired"  # the new SIM is deactivated for ever
    REMOVED = "removed"  # there is no such pair any more


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitLife:
    """Facts that decide the stage of a unit.

    Args:
        is_ours: whether the new SIM is claimed for our organization.
        state: its state at Hologram by the last read; None if it was never seen.
        life: its data activity since the claim; None where nobody asked and the record tells nothing.
        unit: whether it sits in the unit of the old SIM.
        is_old_off: whether a cutover proved the old SIM off, and no rollback switched it on again.
        is_taken_back: whether a rollback took the unit back, or is on the way to.
    """

    is_ours: bool
    state: LinkState | None = None
    life: Life | None = None
    unit: Unit = Unit.NEVER_SEEN
    is_old_off: bool = False
    is_taken_back: bool = False

    def stage(self) -> Stage:
        """Return the stage of the unit.

        The unit is in service only where its new SIM was seen in it.
        """
        if self.is_taken_back:
            return Stage.ROLLED_BACK
        if self.state is LinkState.RETIRED:
            return Stage.RETIRED
        if not self.is_ours:
            return Stage.OLD_OFF if self.is_old_off else Stage.WAITING
        return self._stage_of_a_claimed_sim()

    def _stage_of_a_claimed_sim(self) -> Stage:
        is_alive = self.life is Life.ALIVE
        if is_alive and self.unit is not Unit.NEVER_SEEN:
            return Stage.IN_SERVICE if self.unit is Unit.MATCHED else Stage.OTHER_UNIT
        if self.is_old_off:
            return Stage.OLD_OFF
        if is_alive:
            return Stage.ALIVE
        if self.state in _PAUSED:
            return Stage.PAUSED
        return Stage.SILENT if self.life is Life.SILENT else Stage.CLAIMED


def has_moved(stage: Stage) -> bool:
    """True if a record with the old ICCID is out of date.

    The unit works with its new SIM, or its old SIM is off.
    """
    return stage in {Stage.IN_SERVICE, Stage.OLD_OFF}


def was_live(state: LinkState | None, life: Life | None) -> bool:
    """True if a claimed SIM surely was LIVE.

    It is LIVE, in a state that follows on LIVE, or has passed data since its claim.
    """
    return state is LinkState.LIVE or state in _PAUSED or life is Life.ALIVE


_PAUSED = frozenset({LinkState.PAUSED_USER, LinkState.PAUSED_SYSTEM, LinkState.PENDING_PAUSE})
