"""Bounds of plans, given with the order to begin them.

They hold for every later job on the plan, until another order is given: a job may be cut short at any time, and the
next one goes on within what is left.
"""

import json
from dataclasses import asdict, dataclass

from migrator.store.database.database import Database
from migrator.store.facts import fact, keep_fact

__all__ = ["Given", "GivenBounds"]


@dataclass(frozen=True, slots=True)
class Given:
    """Bounds of an order.

    Args:
        at: when it was given (UTC seconds); tells it from a later one.
        wave: the only wave to work on; None for all.
        max_sims: most claims by this order; None for no such bound.
        claimed_before: claims of the plan that were made before.
    """

    at: float
    wave: str | None
    max_sims: int | None
    claimed_before: int

    def claims_left(self, claimed: int) -> int | None:
        """Return how many more SIMs may be claimed.

        `claimed` counts all claims of the plan. None for no such bound.
        """
        return None if self.max_sims is None else max(0, self.max_sims - (claimed - self.claimed_before))


class GivenBounds:
    """Bounds of plans, one for each."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def of(self, plan_id: str) -> Given | None:
        """Return the bounds of a plan, or None."""
        with self._db.read() as connection:
            text = fact(connection, _name(plan_id))
        return None if text is None else Given(**json.loads(text))

    def keep(self, plan_id: str, given: Given) -> None:
        """Keep the bounds of a plan in place of the former ones."""
        with self._db.write() as connection:
            keep_fact(connection, _name(plan_id), json.dumps(asdict(given)))

    def forget(self, plan_id: str) -> None:
        """Forget the bounds of a plan that a person begins."""
        if self.of(plan_id) is not None:
            with self._db.write() as connection:
                keep_fact(connection, _name(plan_id), None)


def _name(plan_id: str) -> str:
    return f"bounds of {plan_id}"
