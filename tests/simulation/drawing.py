"""What is drawn from a seed for one schedule: the fleet, the policy, the carrier, and the troubles."""

import random
import re
from collections import Counter
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from migrator.carriers.hologram.simulator import HologramBehaviour, MixedClaims, ReplyEdition
from migrator.carriers.simulation import Fault, RateLimit
from migrator.core.fleet.sims import SourceSim
from migrator.engine.run.context import ApplyOptions
from tests.builders import sim
from tests.simulation.from_onomondo import drawn_world, must_be_planned_truly, pulled_in_the_end, worded
from tests.simulation.invariants import Run
from tests.worlds.mishaps import People
from tests.worlds.moving import Pairs, Prices, claimed_earlier
from tests.worlds.odd_labels import ODD_LABELS
from tests.worlds.onomondo_world import OnomondoWorld
from tests.worlds.steered import Operator
from tests.worlds.world import World, new_sims

__all__ = ["Fate", "by_hand", "fate_of"]

FLEETS = (1, 2, 2, 3, 3, 4, 4, 5, 6, 8, 12)
AFTER_CLAIM = 'zone = "global"\nlimits = "after_claim"'
ONE_WAVE = '[[waves]]\nname = "all"\n'
TWO_WAVES = '[[waves]]\nname = "canary"\ncount = 2\n[[waves]]\nname = "rest"\n'
PLAN_SCOPE = 'scope = "plan"\n'
STATUS = '[status]\ndisabled = "pause"\n'
THREE_WAVES = '[[waves]]\nname = "a"\ncount = 1\n[[waves]]\nname = "b"\ncount = 2\n[[waves]]\nname = "c"\n'


@dataclass(slots=True)
class Fate:
    """What is drawn for one schedule, and what has come of it so far."""

    seed: int
    chance: random.Random
    world: World
    people: People
    targets: list[str]
    never: set[str]
    rates: dict[Fault, float]
    stale: float
    leased: bool
    meddled: bool
    unruly: bool
    decided: bool
    poor: bool
    operator: Operator | None
    late: random.Random | None
    """Draws whether a run's first claim is carried out long after its connection broke; None, if none ever is."""
    by_wave: random.Random | None
    """Draws the one wave of a run; None, if every run is for all of them."""
    persists: bool
    """Whether an operator has all that the carrier refused for good tried again once it is calm."""
    in_mid_run: random.Random | None
    """Draws what somebody claims by hand while a run is at work; None, if nobody does."""
    taken_over: random.Random | None
    """Draws when another run takes the lease of one that is alive; None, if none ever does."""
    sleeps: random.Random | None
    """Draws when the machine sleeps in the midst of a run; None, if it never does. 429s then hold a run for long."""
    prices: Prices | None = None
    """Prices that change while a run is at work; None, if they stay."""
    pairs: Pairs | None = None
    """Pairs that change while a run is at work; None, if they stay."""
    earlier: int = 0
    """SIMs that an earlier plan has claimed, and that count against the caps of this one."""
    met: Counter[str] = field(default_factory=Counter)
    runs: list[Run] = field(default_factory=list)


def fate_of(seed: int, folder: Path, source: str = "1nce") -> Fate:
    chance = random.Random(seed)
    sims = chance.choice(FLEETS)
    targets = new_sims(sims)
    share = chance.choice([0, 0, 0, 0.1, 0.3])
    bad = [target for target in targets if chance.random() < share]
    apart = random.Random(f"{seed}, steered")  # a chance of its own, so that older seeds draw what they always drew
    policy = _soaking(apart, _policy(chance, sims))
    others = random.Random(f"{seed}, other plans")
    earlier = others.randint(1, 5) if others.random() < 0.12 else 0
    if earlier:
        policy = _capped(others, policy, earlier, sims)
    options = _options(chance)
    foreign, poison, unknown = _dealt(chance, bad)
    behaviour = _locking(f"{seed}, locks", _behaviour(chance, targets, frozenset(poison)))
    fleet = _oddly_labelled(_seldom(f"{seed}, labels"), [_sim(chance, number) for number in range(1, sims + 1)])
    world = _world(folder, seed, policy, options, fleet, source=source)
    world.behaviour = world.target.behaviour = behaviour
    met = _pulled(world, fleet, seed)
    world.target.stock([target for target in targets if target not in {*foreign, *unknown}])
    world.target.stock_foreign(foreign)
    people = People(world)
    if chance.random() < 0.2:
        for target in targets:
            if target not in bad and chance.random() < 0.4:
                people.claim(target, **by_hand(chance))
    if earlier:
        claimed_earlier(world, earlier)
    world.pair(targets)
    world.plan()
    must_be_planned_truly(world)
    fate = Fate(
        seed=seed,
        chance=chance,
        world=world,
        people=people,
        targets=targets,
        never=set(bad),
        rates=_rates(chance),
        stale=chance.choice([0.0, 0.0, 0.0, 0.2, 0.5]),
        leased=chance.random() < 0.15,
        meddled=chance.random() < 0.25,
        unruly=chance.random() < 0.2,
        decided=chance.random() < 0.15,
        poor=chance.random() < 0.15,
        operator=Operator(world, apart) if apart.random() < 0.2 else None,
        by_wave=random.Random(f"{seed}, by wave") if apart.random() < 0.15 else None,
        persists=apart.random() < 0.3,
        late=random.Random(f"{seed}, late") if apart.random() < 0.15 else None,
        in_mid_run=_seldom(f"{seed}, in mid-run"),
        taken_over=_seldom(f"{seed}, taken over"),
        earlier=0 if PLAN_SCOPE in policy else earlier,
        sleeps=_seldom(f"{seed}, sleeps"),
        met=met,
    )
    if fate.sleeps is not None:
        hold_s = fate.sleeps.choice([60, 900])
        world.behaviour = world.target.behaviour = replace(world.behaviour, retry_after_s=hold_s)
    if (moves := _seldom(f"{seed}, prices")) is not None and fate.late is None:  # late ones cost what they cost then
        fate.prices = Prices(world, moves)
    if (moves := _seldom(f"{seed}, pairs")) is not None:
        fate.pairs = Pairs(world, moves)
    if fate.poor:
        world.target.balance = Decimal(chance.randint(0, sims))
        fate.met["balance too small"] += 1
    return fate


def _world(
    folder: Path, seed: int, policy: str, options: ApplyOptions, fleet: list[SourceSim], *, source: str
) -> World:
    """A world whose old SIMs are those of one source."""
    if source == "1nce":
        return World(folder, sims=len(fleet), seed=seed, policy_text=policy, options=options)
    chance = random.Random(f"{seed}, onomondo")
    world = drawn_world(chance, folder, fleet, seed, worded(chance, policy))
    world.options = options
    return world


def _pulled(world: World, fleet: list[SourceSim], seed: int) -> Counter[str]:
    """Get the fleet into the inventory. Returns: what was met on the way."""
    if isinstance(world, OnomondoWorld):
        return pulled_in_the_end(world, random.Random(f"{seed}, pulls"))
    world.pulled(fleet)
    return Counter()


def _seldom(seed: str) -> random.Random | None:
    """A chance of its own for what happens in one schedule of eight."""
    chance = random.Random(seed)
    return chance if chance.random() < 0.12 else None


def _policy(chance: random.Random, sims: int) -> str:
    waves = chance.choice([ONE_WAVE, ONE_WAVE, TWO_WAVES, THREE_WAVES])
    zone = AFTER_CLAIM if chance.random() < 0.3 else 'zone = "global"'
    share = chance.choice(["0.0", "0.5", "1.0"])
    failures = chance.choice([1000, 1000, 1000, 1])
    caps = f"[caps]\nmax_sims = {chance.randint(1, sims)}\n" if chance.random() < 0.08 else ""
    gates = f"[gates]\nverified_share = {share}\nmax_failures = {failures}\nmax_failure_share = 1.0\n"
    return f"policy_version = 1\n[claim]\ndata_plan_id = 2096\n{zone}\n{STATUS}{waves}{gates}{caps}"


def _capped(chance: random.Random, policy: str, earlier: int, sims: int) -> str:
    """The policy with a cap on SIMs, where an earlier plan has used some of it up."""
    policy = policy.partition("[caps]")[0]
    scope = PLAN_SCOPE if chance.random() < 0.25 else ""
    return f"{policy}[caps]\nmax_sims = {earlier + chance.randint(-1, sims)}\n{scope}"


def _soaking(chance: random.Random, policy: str) -> str:
    """The policy, whose first waves perhaps rest before the next one opens."""
    if chance.random() < 0.6:
        return policy
    soak = chance.choice(["20s", "5m", "20m"])
    return re.sub(r"^count = \d+$", rf'\g<0>\nsoak = "{soak}"', policy, flags=re.MULTILINE)


def _options(chance: random.Random) -> ApplyOptions:
    return ApplyOptions(
        claim_batch=chance.choice([1, 3, 2500]),
        batch=chance.choice([2, 500]),
        wait_s=chance.choice([0, 60, 300]),
        max_sims=chance.choice([None] * 9 + [2]),
        workers=chance.choice([1, 8]),
    )


def _sim(chance: random.Random, number: int) -> SourceSim:
    """A source SIM; many have different volumes, some the same name, a few are off."""
    return sim(
        number,
        status=chance.choice(["Enabled"] * 7 + ["Disabled"] * 2 + ["Expired"]),
        label=chance.choice(["pump", f"unit {number}"]),
        data_quota_mb=Decimal(chance.choice([10, 500, 500, 2000])),
        sms_quota=Decimal(chance.choice([5, 20, 250, 250])),
    )


def _oddly_labelled(chance: random.Random | None, fleet: list[SourceSim]) -> list[SourceSim]:
    """In some schedules SIMs have labels as no one would write them; those that are spoiled name nothing."""
    if chance is None:
        return fleet
    return [replace(one, label=chance.choice([one.label, *ODD_LABELS])) for one in fleet]


def _dealt(chance: random.Random, bad: list[str]) -> tuple[list[str], list[str], list[str]]:
    """Bad targets: those of strangers, those that spoil a claim, and those that the carrier does not know."""
    dealt: tuple[list[str], list[str], list[str]] = ([], [], [])
    for target in bad:
        chance.choice([dealt[0], dealt[0], dealt[1], dealt[2]]).append(target)
    return dealt


def _behaviour(chance: random.Random, targets: list[str], poison: frozenset[str]) -> HologramBehaviour:
    pending = chance.choice([(0.0, 0.0), (1.0, 5.0), (10.0, 300.0)])
    rate = chance.choice([None, None, None, RateLimit(1, 2, 3), RateLimit(3, 1, None)])
    few = frozenset(target for target in targets if chance.random() < 0.3)
    return HologramBehaviour(
        edition=chance.choice(list(ReplyEdition)),
        claim_policy=chance.choice(list(MixedClaims)),
        claim_failure_status=chance.choice([200, 400, 422]),
        insufficient_status=chance.choice([200, 402]),
        poison=poison,
        claim_pending_s=pending,
        state_pending_s=pending,
        stuck=few if chance.random() < 0.08 else frozenset(),
        paused_by_system=few if chance.random() < 0.04 else frozenset(),
        limits_lag_s=chance.choice([0.0, 0.0, 0.0, 10.0]),  # with the reads' lag still within `absent_after_s`
        limits_locked_while_pending=chance.random() < 0.3,
        read_lag_s=chance.choice([0.0, 0.0, 5.0, 45.0]),
        jobs_forbidden=chance.random() < 0.5,
        rate_limit=rate,
        features=frozenset({"bulk_rename"}) if chance.random() < 0.7 else frozenset(),
        features_listed=chance.random() < 0.5,
        late_s=20.0 + 0.55 * len(targets) ** 2,  # up to 100 s
        latency_s=chance.choice([0.0, 0.15]),
    )


def _locking(seed: str, behaviour: HologramBehaviour) -> HologramBehaviour:
    """In some schedules a claim locks the SIM for long, and its limits do not take until it is free."""
    chance = _seldom(seed)
    if chance is None:
        return behaviour
    return replace(
        behaviour, claim_pending_s=chance.choice([(60.0, 1800.0), (1800.0, 7200.0)]), limits_locked_while_pending=True
    )


def _rates(chance: random.Random) -> dict[Fault, float]:
    """Some kinds of fault, at some rate; seldom all of them."""
    kinds = [fault for fault in Fault if fault not in {Fault.NONE, Fault.LATE} and chance.random() < 0.5]
    share = chance.choice([0.0, 0.02, 0.05, 0.2])
    return {kind: share / max(1, len(kinds)) for kind in kinds}


def by_hand(chance: random.Random) -> dict[str, Any]:
    """How somebody left a SIM that they claimed by hand."""
    return {
        "state": chance.choice(["LIVE", "PAUSED-USER"]),
        "overage_limit": chance.choice([-1, 0, 10 * 1_048_576, 5_000 * 1_048_576]),
        "sms_limit": chance.choice([0, 5, 100]),
    }
