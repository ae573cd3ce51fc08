"""An operator at another terminal, drawn for a schedule: pauses, aborts and rates while runs are at work."""

import random
from dataclasses import dataclass, field
from itertools import pairwise

import anyio

from migrator.carriers.simulation import LedgerEntry
from migrator.core.run.control import Order, OrderKind
from migrator.engine.run.context import LONG_PAUSE_S
from tests.worlds.world import World

__all__ = ["Given", "Operator", "check_obeyed"]

CARRIER = "hologram"
JUST_AFTER_S = 1e-6


@dataclass(slots=True)
class Given:
    """One order while a run was at work: from when to when it held, on the carrier's clock.

    `per_second` is set for an order about the pace; `to_s` is infinite until the order was withdrawn or the run ended.
    """

    word: str
    from_s: float
    to_s: float = float("inf")
    per_second: float | None = None


@dataclass(slots=True)
class Operator:
    """Gives one order in the midst of a run. Has a chance of its own, so that it changes nothing else that is drawn."""

    world: World
    chance: random.Random
    given: list[Given] = field(default_factory=list)

    async def at_work(self) -> None:
        """Beside one run: wait, order, and withdraw a pause after a while."""
        await anyio.sleep(self.chance.choice([0.0, 0.5, 3.0, 20.0, 90.0]) * self.chance.random())
        word = self.chance.choice(["pause", "pause", "abort", "rate"])
        if word == "rate":
            self._pace(self.chance.choice([0.5, 2.0, 20.0]))
            return
        self._order(OrderKind(word))
        if word == "pause":
            await anyio.sleep(self.chance.choice([0.5, 5.0, 70.0, 4000.0]))
            self.go_on()

    def go_on(self) -> None:
        """Withdraw what is in force, as an operator does before the next run."""
        with self.world.store() as store:
            store.steering.withdraw(store.plans.newest() or "", by="ops", now=self.world.now().timestamp())
            if self.given and self.given[-1].per_second is not None:
                store.steering.set_ceiling(CARRIER, None, by="ops", now=self.world.now().timestamp())
        if self.given:
            self.given[-1].to_s = min(self.given[-1].to_s, self._now_s())

    def _order(self, kind: OrderKind) -> None:
        with self.world.store() as store:
            order = Order(kind, "ops", self.world.now().timestamp())
            store.steering.give(store.plans.newest() or "", order)
        self.given.append(Given(kind.value, self._now_s()))

    def _pace(self, per_second: float) -> None:
        with self.world.store() as store:
            store.steering.set_ceiling(CARRIER, per_second, by="ops", now=self.world.now().timestamp())
        self.given.append(Given("rate", self._now_s(), per_second=per_second))

    def _now_s(self) -> float:
        return self.world.target._clock.now_s()


def check_obeyed(given: Given, entries: list[LedgerEntry]) -> None:
    """Raises: AssertionError, if a request was begun under a pause or an abort, or faster than was allowed.

    Args:
        given: an order.
        entries: the requests of the run that was at work, oldest first.
    """
    before = [entry for entry in entries if entry.at_s <= given.from_s]
    in_flight = bool(before) and before[-1].fault in {"hang_before", "hang_after", "slow"}
    under = [entry for entry in entries if given.from_s + JUST_AFTER_S < entry.at_s < given.to_s - JUST_AFTER_S]
    if given.per_second is None:
        assert not under, f"{len(under)} requests were begun after the order to {given.word} at {given.from_s}"
        if not in_flight:  # else it may have been withdrawn before the run could notice it
            _looked_again(given, [entry for entry in entries if entry.at_s >= given.to_s])
        return
    for one, after in pairwise(under):
        gap_s = after.at_s - one.at_s
        assert gap_s >= 1 / given.per_second - JUST_AFTER_S, f"{gap_s} s between two requests at {after.at_s}"


def _looked_again(given: Given, after: list[LedgerEntry]) -> None:
    """After a long pause people may have changed things: the target side is read before anything is claimed."""
    if given.to_s - given.from_s < LONG_PAUSE_S:
        return
    for entry in after:
        if entry.method == "GET" and entry.path.endswith(("/devices", "/links/cellular")):
            return
        assert not entry.path.endswith("bulkclaim"), "a claim right after a long pause, before anything was read"
