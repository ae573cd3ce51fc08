"""What moves while a run is at work and is money all the same: prices, pairs, and what other plans have claimed."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any
from unittest import mock

from migrator.core.fleet.identifiers import Iccid
from migrator.core.fleet.sims import Pair
from migrator.core.plan.plan import Action, Change, Fingerprints, PlanHeader, Reason
from migrator.core.run.states import StepEvent, StepKind
from migrator.core.run.steps import RequestOutcome
from migrator.errors import InputError
from migrator.ports import Request
from migrator.store import Store
from tests.worlds.world import World

__all__ = ["CONFIRMED", "Pairs", "Prices", "claimed_earlier"]

CONFIRMED = Decimal(1)
"""What a SIM costs when the plan is made."""

_LOOKS = ("/balance", "bulkclaim")
"""A price that changes between the look at it and its claim is one that nobody can see."""

_CHANGES: dict[str, dict[str, Any]] = {
    "rises": {"price_times": Decimal("12.5")},
    "rises a little": {"price_times": Decimal("1.01")},
    "falls": {"price_times": Decimal("0.5")},
    "cannot be read": {"amount_shown": "USD 90.00"},
    "is negative": {"amount_shown": "-1.00"},
    "contradicts itself": {"listed_again_at": "0.10"},
    "is not shown": {"plan_prices_shown": False},
}
SPARE = "8944500777777{:07d}"


@dataclass(slots=True)
class Prices:
    """The carrier changes its prices at one request of a run, and for good. Has a chance of its own."""

    world: World
    chance: random.Random
    due: bool = False
    read: Decimal | None = None  # as the last list of the plans showed it; None: not to be relied on

    def happen(self) -> None:
        """From the next request on that is no look at the balance and no claim, prices are others."""
        self.due = True

    def arrived(self, path: str) -> str | None:
        """Note that a request arrived. Returns: what changed with it, in a word."""
        word = None
        if self.due and not path.endswith(_LOOKS):
            self.due = False
            word = self._change()
        if path.endswith("/plans"):
            behaviour = self.world.target.behaviour
            is_clear = (
                behaviour.amount_shown is None and behaviour.listed_again_at is None and behaviour.plan_prices_shown
            )
            self.read = CONFIRMED * behaviour.price_times if is_clear else None
        return word

    def _change(self) -> str:
        word = self.chance.choice(sorted(_CHANGES))
        self.world.target.behaviour = replace(self.world.target.behaviour, **_CHANGES[word])
        return word

    def calm(self) -> None:
        """All is as it was when the plan was made."""
        self.due = False
        self.world.target.behaviour = replace(
            self.world.target.behaviour,
            price_times=Decimal(1),
            amount_shown=None,
            listed_again_at=None,
            plan_prices_shown=True,
        )


@dataclass(slots=True)
class Pairs:
    """Somebody gives a SIM that a run is about to claim another card. Has a chance of its own."""

    world: World
    chance: random.Random
    changed: dict[str, float] = field(default_factory=dict)  # by target: since when it is in no pair

    def happen(self, note: Callable[[str, str], None], free: Callable[[str], bool]) -> None:
        """Ask for another pair: that is refused. Then, perhaps, change it as a tool does that knows no such rule.

        Args:
            note: told which target has no pair any more, and what was done.
            free: whether nobody has this target.
        """
        with self.world.store() as store:
            waiting = [item.change for item in store.journal.items(store.plans.newest() or "") if item.awaits_claim]
            waiting = [one for one in waiting if free(str(one.target_iccid))]
            if not waiting:
                return
            change = self.chance.choice(waiting)
            target = str(change.target_iccid)
            spare = Iccid.parse(SPARE.format(self.chance.randrange(10**6)))
            new, now = Pair(change.source_iccid, spare, "mended.csv"), self.world.now().timestamp()
            assert _is_refused(store, new, now), f"{change.source_iccid} got another pair, with a claim about to leave"
            if self.chance.random() < 0.7:
                with mock.patch("migrator.store.pairs.pairs.refuse_pairs_in_use"):
                    store.pairs.add([new], replace=True, now=now)
                self.changed[target] = self.world.target._clock.now_s()
                note(target, "another pair")


def _is_refused(store: Store, new: Pair, now: float) -> bool:
    try:
        store.pairs.add([new], replace=True, now=now)
    except InputError as error:
        return error.code == "pair_in_use"
    return False


def claimed_earlier(world: World, sims: int) -> None:
    """An earlier plan of this store has claimed some SIMs of a fleet that is not there any more."""
    with world.store() as store:
        now = world.now().timestamp()
        changes = [
            Change(
                Iccid.parse(f"8988999{number:012d}"),
                Iccid.parse(f"8944999{number:012d}"),
                Action.CLAIM,
                Reason.READY,
                wave="all",
                source={"status": "Enabled"},
            )
            for number in range(1, sims + 1)
        ]
        pairs = [Pair(one.source_iccid, one.target_iccid, "earlier") for one in changes if one.target_iccid is not None]
        store.pairs.add(pairs, replace=False, now=now)
        with store.plans.draft(now) as draft:
            draft.add(changes)
            draft.finish(lambda sha256: _header(world, store, sha256, sims))
        run_id = store.journal.start_run("earlier", "test", now)
        keys = [one.source_iccid.key for one in changes]
        sent = Request("POST", "/links/cellular/bulkclaim", {})
        request_id = store.journal.begin(run_id, StepKind.CLAIM, keys, sent, wave="all", now=now)
        store.journal.answered(request_id, RequestOutcome.ACCEPTED, now=now)
        done = dict.fromkeys(keys, ("", ""))
        store.journal.move("earlier", StepKind.CLAIM, StepEvent.CONFIRMED, done, now=now)


def _header(world: World, store: Store, sha256: str, sims: int) -> PlanHeader:
    prints = Fingerprints(store.inventory.fingerprint(), store.pairs.fingerprint(), "policy", sha256)
    money = {"money": {"price_per_sim": f"{CONFIRMED}.00"}}
    counts = {Action.CLAIM.value: sims}
    return PlanHeader("earlier", store.lineage, world.target.org_id, prints, sims, counts, ("all",), money)
