"""Plans that were begun: by an order, or without one."""

from dataclasses import dataclass

from migrator.core.cutover.plan import Direction
from migrator.store import Store

__all__ = ["Unordered", "begun_by_order", "begun_without_order"]


@dataclass(frozen=True, slots=True)
class Unordered:
    """Plan that was begun, and that nobody ordered.

    Args:
        plan_id: its id.
        count: how many SIMs it claims, or switches.
        command: the command that goes on with it by hand.
    """

    plan_id: str
    count: int
    command: str

    def words(self, account: str | None) -> str:
        """Return what a person reads of it.

        Without an account it goes on by hand.
        """
        go = f"migrator fleet go {account} --plan {self.plan_id} --confirm {self.count}"
        then = f"`{self.command}` goes on" if account is None else f"`{go}` lets a worker go on"
        return f"Nobody ordered plan {self.plan_id}, which is begun: {then}."


def begun_by_order(store: Store) -> list[str]:
    """Return the ids of what is begun and was ordered.

    Plans come first, then rollbacks, then cutovers; the oldest first.
    """
    return [plan_id for plan_id in (*_plans(store), *_cutovers(store)) if store.given.of(plan_id) is not None]


def begun_without_order(store: Store) -> list[Unordered]:
    """Return what is begun and was never ordered.

    A list for a portal is no work of ours, and left out.
    """
    found = [
        Unordered(plan_id, claims, f"migrator apply {plan_id}")
        for plan_id, claims in _plans(store).items()
        if store.given.of(plan_id) is None
    ]
    headers = [store.cutovers.header(cutover_id) for cutover_id in _cutovers(store)]
    return found + [
        Unordered(header.cutover_id, header.count, header.command)
        for header in headers
        if not header.is_by_hand and store.given.of(header.cutover_id) is None
    ]


def _plans(store: Store) -> dict[str, int]:
    """Return the claims of each plan that is begun, the oldest first."""
    return {
        str(plan["plan_id"]): int(plan["claims"]) for plan in reversed(store.plans.list()) if plan["state"] == "started"
    }


def _cutovers(store: Store) -> list[str]:
    """Return the rollbacks that are begun, then the cutovers."""
    found = [
        cutover_id
        for direction in (Direction.CUTOVER, Direction.ROLLBACK)
        for cutover_id, state in store.cutovers.known(direction).items()
        if state == "started"
    ]
    return found[::-1]
