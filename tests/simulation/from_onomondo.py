"""Migrations away from Onomondo: what a schedule draws of its SIMs, and how the inventory gets to know them."""

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from migrator.carriers.onomondo.simulator import OnomondoTag
from migrator.carriers.simulation import Fault, FaultPlan
from migrator.core.fleet.sims import SourceSim, SourceStatus
from migrator.errors import PlatformError
from tests.worlds.onomondo_world import OWN_WORDS, OnomondoWorld, drawn_behaviour
from tests.worlds.world import World

__all__ = ["drawn_world", "must_be_planned_truly", "pulled_in_the_end", "worded"]

PERIODS = {"monthly": 1, "daily": 30, "hourly": 720}
TAGS = (*((),) * 3, ("north",), ("north", "south"), ("east", "north", "west"), ("from-onomondo",))
MOST_PULLS, CALM_AFTER = 20, 6


def worded(chance: random.Random, policy: str) -> str:
    """The policy, with limits by what Onomondo has, and perhaps with the old tags."""
    periods = chance.choice(["", 'other_periods = "thirty_days"\n'])
    basis = chance.choice(["", 'basis = "data_limit"\n'])
    sms = chance.choice(['basis = "keep"\n', 'basis = "fixed"\nfixed = 10\n'])
    copied = chance.choice(["", 'tags = "copy"\n'])
    policy = policy.replace("data_plan_id = 2096\n", f"data_plan_id = 2096\n{copied}")
    return policy.replace("[status]", f"{OWN_WORDS}[data_limit]\n{periods}{basis}[sms_limit]\n{sms}[status]", 1)


def drawn_world(
    chance: random.Random, folder: Path, fleet: Sequence[SourceSim], seed: int, policy: str
) -> OnomondoWorld:
    """A world whose SIMs have the status and label of `fleet`, and limits and tags of their own."""
    world = OnomondoWorld(folder, sims=len(fleet), seed=seed, policy_text=policy, reads_each=True)
    for one, sim in zip(fleet, world.source.fleet, strict=True):
        sim.activated, sim.label = one.status is SourceStatus.ENABLED, one.label
        sim.limit_type = chance.choice(["monthly"] * 4 + ["daily", "hourly"])
        sim.limit_bytes = chance.choice([1, 500_000, 50_000_001, 50_000_001, 10_000_000_000])
        sim.tags = tuple(OnomondoTag(tag, can_write=chance.random() < 0.5) for tag in chance.choice(TAGS))
    return world


def pulled_in_the_end(world: OnomondoWorld, chance: random.Random) -> Counter[str]:
    """Pull among faults until the inventory is whole, and see that it tells the truth of every SIM."""
    met: Counter[str] = Counter()
    world.source.behaviour = drawn_behaviour(chance)
    kinds = [fault for fault in Fault if fault not in {Fault.NONE, Fault.LATE} and chance.random() < 0.5]
    share = chance.choice([0.0, 0.05, 0.2])
    for number in range(MOST_PULLS):
        is_calm = number >= CALM_AFTER
        rates: dict[Fault, float] = {} if is_calm else {kind: share / max(1, len(kinds)) for kind in kinds}
        world.source.faults = FaultPlan(rates, seed=chance.randint(0, 10**6))
        if is_calm:
            world.source.behaviour = replace(world.source.behaviour, too_many_every=None)
        try:
            result = world.pull()
        except PlatformError:
            met["pull that stopped"] += 1
            continue
        if result.settled and not result.quotas_failed:
            world.source.faults = FaultPlan()
            _must_be_true(world)
            return met
        met["pull without some records"] += 1
    raise AssertionError(f"no inventory after {MOST_PULLS} pulls")


def _must_be_true(world: OnomondoWorld) -> None:
    with world.store() as store:
        told = {
            sim.iccid.digits: (sim.status is SourceStatus.ENABLED, sim.imei, sim.data_limit and sim.data_limit.volume)
            for sim in store.inventory.sims()
        }
        tags = {sim.iccid.digits: sim.tags for sim in store.inventory.sims()}
    assert told == {sim.iccid: (sim.activated, sim.imei, sim.limit_bytes) for sim in world.source.fleet}
    assert tags == {sim.iccid: tuple(tag.name for tag in sim.tags) for sim in world.source.fleet}


def must_be_planned_truly(world: World) -> None:
    """Each limit of the plan is the SIM's own to the byte, or a product that was asked for, and no tag is lost."""
    if not isinstance(world, OnomondoWorld):
        return
    policy = world.policy().policy
    truth = {sim.iccid: sim for sim in world.source.fleet}
    with world.store() as store:
        for change in store.plans.changes(store.plans.newest() or ""):
            sim = truth[change.source_iccid.digits]
            times = PERIODS[sim.limit_type]
            if change.action.acts:
                assert times == 1 or policy.data_limit.other_periods == "thirty_days", change
                assert change.overage_limit_bytes == sim.limit_bytes * times, change
                tags = {tag.name for tag in sim.tags} if policy.claim.tags == "copy" else set()
                assert set(change.all_tags) == tags | {"from-onomondo"}, change
            elif change.reason == "limit_period":
                assert times > 1, change
