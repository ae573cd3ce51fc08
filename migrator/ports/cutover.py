"""Ports of the store for cutovers and rollbacks."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from typing import Any, Protocol

from migrator.core.cutover.plan import SwitchItem, SwitchKind
from migrator.core.fleet.imei import Neighbours
from migrator.core.run.states import RunEvent, StepEvent, StepState
from migrator.ports.journal import Answers
from migrator.ports.orders import Request

__all__ = [
    "FieldNotes",
    "SwitchJournal",
]


class FieldNotes(Protocol):
    """Notes on the units in the field that a plan concerns."""

    def last_uses(self, keys: Iterable[str]) -> Mapping[str, date]:
        """Return the last noted day of use of old SIMs, by key."""
        ...

    def neighbours(self, bodies: Iterable[str | None]) -> Neighbours:
        """Return the SIMs that were seen in some hardware."""
        ...


class SwitchJournal(Answers, Protocol):
    """Store operations that cutover and rollback ask for.

    Each call is one committed transaction; no call waits.
    """

    def items(self, switch_id: str, wave: str | None) -> Iterator[SwitchItem]:
        """Yield the SIMs of one wave that are to be switched.

        Each SIM has its steps. The order is that of the plan.
        """
        ...

    def items_by_key(self, switch_id: str, keys: Sequence[str]) -> Sequence[SwitchItem]:
        """Return the items of some SIMs, in the order of `keys`."""
        ...

    def begin(
        self,
        run_id: int,
        kind: SwitchKind,
        before: Mapping[str, Mapping[str, Any]],
        request: Request,
        *,
        now: float,
    ) -> int:
        """Commit the intent of a request.

        Steps move PENDING -> IN_FLIGHT, and the request is stored beside them.

        Args:
            before: by SIM key, what was read of the SIM; kept from the first order on.

        Returns: the request's id.

        Raises: IllegalTransition, if one of the steps is not PENDING; then nothing is written.
        """
        ...

    def move(
        self, switch_id: str, kind: SwitchKind, event: StepEvent, keys: Mapping[str, tuple[str, str]], *, now: float
    ) -> None:
        """Move steps by one event, each with a code and words.

        SQL guards the move.

        Raises: IllegalTransition.
        """
        ...

    def reclaim_in_flight(self, switch_id: str, now: float) -> int:
        """Settle what a dead process left.

        Its IN_FLIGHT steps become UNCERTAIN.

        Returns: how many.
        """
        ...

    def labels_in_force(self, keys: Sequence[str]) -> Mapping[str, str | None]:
        """Return the labels of some SIMs, by key.

        The labels are those of the inventory in force. SIMs that the inventory does not hold are left out.
        """
        ...

    def unsettled_elsewhere(self, switch_id: str, keys: Sequence[str]) -> frozenset[str]:
        """Return SIMs with an order of another plan whose outcome is unknown.

        Such an order may still take effect.
        """
        ...

    def step_counts(self, switch_id: str, wave: str | None = None) -> Mapping[tuple[SwitchKind, StepState, str], int]:
        """Count the steps in each state, by kind and code."""
        ...

    def requests_of(self, run_id: int) -> int:
        """Count the writes that a run sent."""
        ...

    def end_run(self, run_id: int, event: RunEvent, *, exit_code: int, reason: str, now: float) -> None:
        """Note the end of a run."""
        ...
