"""What the planner is given for one SIM."""

from dataclasses import dataclass

from migrator.core.fleet import Pair, SourceSim, TargetLink

__all__ = ["Candidate"]


@dataclass(frozen=True, slots=True)
class Candidate:
    """One source SIM with its pair, and what the target showed for that pair's ICCID.

    `target` None with `target_read` True: looked for and not on our organization. `migrated_before`: an earlier plan
    of this store claimed a SIM for it, or sent a claim whose outcome is not known.
    """

    sim: SourceSim
    pair: Pair | None = None
    target: TargetLink | None = None
    target_read: bool = False
    migrated_before: bool = False
