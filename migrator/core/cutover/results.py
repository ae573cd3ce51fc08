"""Result of a cutover or rollback run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from migrator.core.run.results import ExitCode

__all__ = ["CutoverResult"]


@dataclass(frozen=True, slots=True)
class CutoverResult:
    """Result of one run of a cutover or rollback.

    Counts are SIMs, over all runs of the plan.

    `proved`: ordered, and a read showed it; `already`: found as wanted; `paused`: new SIMs that a rollback paused;
    `aside` (not sent), `failed` (refused, or in conflict) and `changed` (label or IMEI lock is not as it was) are by
    code; `not_alive` are ICCIDs of old SIMs that are off while the new SIM cannot pass data. `unproved` counts the SIMs
    that are still open, in all waves. `cause` is the reason without the words of a hook or carrier.
    """

    cutover_id: str
    run_id: int
    exit_code: ExitCode
    reason: str
    hint: str
    writes: int
    proved: int
    already: int
    paused: int
    unproved: int
    aside: Mapping[str, int]
    failed: Mapping[str, int]
    changed: Mapping[str, int]
    not_alive: Sequence[str] = ()
    cause: str = ""

    @property
    def is_over(self) -> bool:
        """True if nothing is left to send or prove in any wave."""
        return self.exit_code in {ExitCode.DONE, ExitCode.ATTENTION} and not self.unproved
