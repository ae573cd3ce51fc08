"""Fault schedules drawn from a seed: what may go wrong in a migration, all at once."""

import random
from dataclasses import dataclass
from pathlib import Path

from migrator.core.results import ApplyResult, ExitCode
from migrator.executor.context import ApplyOptions, Hooks
from migrator.platforms.hologram.simulator import ClaimPolicy, Edition, HologramSwitches
from migrator.platforms.simulation import Fault, FaultPlan, RateLimit
from tests.simulation.world import Crash, World, crash_at, new_sims

__all__ = ["Outcome", "live_through"]

POINTS = ("after_intent", "after_effect", "after_outcome")
MOST_RUNS = 60
QUIET_AFTER = 25
"""Runs after which the network is calm again, so that every schedule comes to an end."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one schedule."""

    world: World
    result: ApplyResult
    crashes: int
    bad: frozenset[str]


def live_through(seed: int, folder: Path) -> Outcome:
    """Draw a world and its troubles from `seed`, and run `apply` until it has nothing left to do."""
    chance = random.Random(seed)
    world, bad = _world(chance, seed, folder)
    crashes = 0
    result = None
    for run in range(MOST_RUNS):
        if run == QUIET_AFTER:
            world.target.faults = FaultPlan()
        try:
            result = world.apply(hooks=_hooks(chance, calm=run >= QUIET_AFTER))
        except Crash:
            crashes += 1
            continue
        if result.exit_code in {ExitCode.DONE, ExitCode.ATTENTION}:
            return Outcome(world, result, crashes, bad)
        world.elapsed_s += chance.choice([1, 30, 300])
    raise AssertionError(f"seed {seed}: no end after {MOST_RUNS} runs; the last said {result}")


def _world(chance: random.Random, seed: int, folder: Path) -> tuple[World, frozenset[str]]:
    sims = chance.randint(1, 14)
    targets = new_sims(sims)
    bad = frozenset(target for target in targets if chance.random() < chance.choice([0, 0, 0.1, 0.3]))
    poison = frozenset(target for target in bad if chance.random() < 0.3)
    world = World(
        folder,
        sims=sims,
        seed=seed,
        switches=_switches(chance, poison),
        options=ApplyOptions(claim_batch=chance.choice([1, 3, 2500]), batch=chance.choice([2, 500]), wait_s=1800),
    )
    world.pull()
    world.target.stock([target for target in targets if target not in bad or target in poison])
    world.target.stock_foreign([target for target in targets if target in bad and target not in poison])
    world.pair(targets)
    world.plan()
    world.target.faults = FaultPlan(_rates(chance), seed=seed)
    return world, bad


def _switches(chance: random.Random, poison: frozenset[str]) -> HologramSwitches:
    pending = chance.choice([(0.0, 0.0), (1.0, 5.0), (10.0, 900.0)])
    rate = chance.choice([None, None, RateLimit(5, 5), RateLimit(3, 1, None)])
    return HologramSwitches(
        edition=chance.choice(list(Edition)),
        claim_policy=chance.choice(list(ClaimPolicy)),
        claim_failure_status=chance.choice([200, 400, 422]),
        poison=poison,
        claim_pending_s=pending,
        state_pending_s=pending,
        limits_lag_s=chance.choice([0.0, 0.0, 10.0]),  # with the reads' lag still within `absent_after_s`
        limits_locked_while_pending=chance.random() < 0.3,
        read_lag_s=chance.choice([0.0, 0.0, 5.0, 45.0]),
        jobs_forbidden=chance.random() < 0.5,
        rate_limit=rate,
        features=frozenset({"bulk_rename"}) if chance.random() < 0.7 else frozenset(),
        features_listed=chance.random() < 0.5,
        latency_s=chance.choice([0.0, 0.15]),
    )


def _rates(chance: random.Random) -> dict[Fault, float]:
    """Some kinds of fault, at some rate; seldom all of them."""
    kinds = [fault for fault in Fault if fault is not Fault.NONE and chance.random() < 0.5]
    share = chance.choice([0.0, 0.05, 0.2])
    return {kind: share / max(1, len(kinds)) for kind in kinds}


def _hooks(chance: random.Random, *, calm: bool) -> Hooks | None:
    if chance.random() < 0.5 or calm:
        return None
    return crash_at(chance.choice(POINTS), chance.randint(1, 8))
