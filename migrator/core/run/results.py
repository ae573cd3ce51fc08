"""Results that commands return.

One renderer prints them; nothing else prints.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum

__all__ = ["ApplyResult", "Dropped", "ExitCode", "PullResult"]


class ExitCode(IntEnum):
    """Exit code of a command: its result for a script."""

    DONE = 0  # everything is as it should be
    ERROR = 1  # something unexpected
    INPUT = 2  # usage, configuration or input
    ATTENTION = 3  # done, but some SIMs failed, are blocked or drifted
    REFUSED = 4  # credentials or permission
    STALE = 5  # the plan is stale or already used
    HALTED = 6  # a gate or a cap
    RESUMABLE = 7  # a carrier is down or still working; the same command goes on
    BUSY = 9  # another run holds the store
    INTERRUPTED = 130  # by the operator, with everything on disk


@dataclass(frozen=True, slots=True)
class Dropped:
    """SIMs of the inventory in force that a new inventory lacks.

    `sims` is how many there are, `paired` how many of them have a pair, and `first` the first ICCIDs, as 1NCE listed
    them. `of` is how many SIMs the inventory in force has, 0 where none is gone.
    """

    sims: int = 0
    paired: int = 0
    first: tuple[str, ...] = ()
    of: int = 0

    def __str__(self) -> str:
        named = ", ".join(self.first) + (", ..." if self.sims > len(self.first) else "")
        return f"{self.sims} of its SIMs, {self.paired} of them with a pair ({named})"


@dataclass(frozen=True, slots=True)
class PullResult:
    """Result of `inventory pull`.

    `listed` is the number of SIMs that 1NCE reported; None if 1NCE reported no number. `doubles` counts rows of the
    list that came more than once. `falls_short`: the list was believed, and its total tells of more SIMs.
    """

    sims: int
    listed: int | None
    passes: int
    unreadable: int
    resumed: bool
    settled: bool
    api_version: str
    quotas_read: int = 0
    quotas_failed: int = 0
    warnings: tuple[str, ...] = ()
    dropped: Dropped = field(default_factory=Dropped)
    doubles: int = 0
    falls_short: bool = False


@dataclass(frozen=True, slots=True)
class ApplyResult:
    """Result of one run of `apply`.

    `verdicts` counts acting SIMs by verdict; `failed` counts SIMs by error code. `is_capped`: as many SIMs
    were claimed as the run may claim, and more are to be. `cause` is the reason without the words of a hook or carrier.
    `again_at` (UTC seconds) is when a wave has rested; None if none rests.
    """

    plan_id: str
    run_id: int
    exit_code: ExitCode
    reason: str
    hint: str
    claimed: int
    writes: int
    verdicts: Mapping[str, int]
    failed: Mapping[str, int] = field(default_factory=dict)
    blocked: int = 0
    skipped: int = 0
    is_capped: bool = False
    cause: str = ""
    again_at: float | None = None

    @property
    def is_open(self) -> bool:
        """True if some SIM is pending, staged or was never read."""
        return any(self.verdicts.get(verdict, 0) for verdict in ("pending", "staged", "unread"))
