"""`apply` under a limit that Hologram does not tell, on a virtual clock: its pace, its refusals, its requests."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from bench.carriers import PENDING_S
from bench.fewest import Planned, kind_of, to_apply
from bench.measures import Measure
from bench.whole_way import compared
from migrator.carriers.hologram.simulator import HologramBehaviour
from migrator.carriers.simulation import Fault, FaultPlan, LedgerEntry, RateLimit
from migrator.core.plan.plan import Action
from migrator.core.run.results import ExitCode
from migrator.engine.run.context import ApplyOptions
from tests.worlds.world import POLICY, World

__all__ = ["applying"]

SIMS = 1000
CEILING_RPS, LATENCY_S = 10.0, 0.15
COLD_SIMS, QUICK_RPS, QUICK_S = 3000, 200.0, 0.05
LOWER_RPS = 6.0
LOST_SIMS, LAG_S = 60, ApplyOptions().absent_after_s
TOO_MANY, REFUSED_SHARE = 429, 0.05


class _PacedWorld(World):
    """A world whose operator left HOLOGRAM_MAX_RPS at its default."""

    ceiling_rps = CEILING_RPS


class _QuickWorld(World):
    """A world whose operator allows 200 requests a second."""

    ceiling_rps = QUICK_RPS


class _WarmWorld(_QuickWorld):
    """The same, where the pacer begins with all of them."""

    start_rps = QUICK_RPS


def applying(folder: Path) -> Iterator[Measure]:
    """1,000 SIMs in one wave, three times over."""
    yield from _pace(folder / "a", CEILING_RPS, "HOLOGRAM_MAX_RPS")
    yield from _pace(folder / "b", LOWER_RPS, "below HOLOGRAM_MAX_RPS")
    world = _world(folder / "c", None)
    world.faults = FaultPlan({Fault.TOO_MANY: REFUSED_SHARE}, seed=7)
    entries, _, planned = _applied(world)
    sent = Counter(kind_of(entry.method, entry.path) for entry in entries)
    what = "`apply`, 1,000 SIMs, 5 % of requests answered 429: requests sent"
    yield next(compared(what, sent, to_apply(planned), most=1.1))
    yield _refusals(entries, most=None)
    yield Measure(
        what="`apply`, 3,000 SIMs, no limit, HOLOGRAM_MAX_RPS 200, 50 ms replies: time from a cold start",
        value=_applied(_world(folder / "d", None, _QuickWorld, COLD_SIMS, QUICK_S))[1],
        unit="s",
        against=_applied(_world(folder / "e", None, _WarmWorld, COLD_SIMS, QUICK_S))[1],
        against_what="with 200/s at once",
        most=1.25,
    )
    yield from _lost_order(folder)


def _lost_order(folder: Path) -> Iterator[Measure]:
    """An order to pause whose answer is lost: when it is sent again, and how long the waves wait for that."""
    quiet, troubled = _paused_world(folder / "f"), _paused_world(folder / "g", Fault.LOSE_BEFORE)
    quick_s, slow_s = _applied(quiet)[1], _applied(troubled)[1]
    orders = troubled.target.ledger.requests("POST", "batch/state")
    lost, again = [order for order in orders if order.body == orders[0].body][:2]
    yield Measure(
        what="`apply`, an order to pause was lost: sent again after",
        value=again.at_s - lost.at_s,
        unit="s",
        against=LAG_S,
        against_what="lag of reads",
        most=2.5,
    )
    yield Measure(
        what="… the gate of its wave, and with it the run, takes longer by",
        value=slow_s - quick_s,
        unit="s",
        against=LAG_S,
        against_what="lag of reads",
        most=2.5,
    )


def _paused_world(folder: Path, *faults: Fault) -> World:
    world = _world(folder, None, _QuickWorld, LOST_SIMS, QUICK_S)
    world.policy_text = POLICY.replace("[status]\n", '[status]\nenabled = "pause"\n').replace(
        "[[waves]]\n", '[[waves]]\nname = "canary"\ncount = 10\n[[waves]]\n'
    )
    world.faults = FaultPlan(scripted=list(faults), scripted_for=lambda _verb, path: path.endswith("batch/state"))
    return world


def _pace(folder: Path, limit_rps: float, how: str) -> Iterator[Measure]:
    """Time and requests under a hidden limit of `limit_rps`, with a burst of as many."""
    world = _world(folder, RateLimit(limit_rps, limit_rps))
    entries, seconds, planned = _applied(world)
    yield Measure(
        what=f"`apply`, 1,000 SIMs, hidden limit {limit_rps:g}/s ({how}), 150 ms replies: time",
        value=seconds,
        unit="s",
        against=len(entries) / limit_rps,
        against_what="requests ÷ limit",
        most=1 / 0.85,
    )
    yield _refusals(entries, most=0.02)
    sent = Counter(kind_of(entry.method, entry.path) for entry in entries)
    yield next(compared("… requests sent", sent, to_apply(planned), most=1.05))


def _world(
    folder: Path,
    limit: RateLimit | None,
    kind: type[World] = _PacedWorld,
    sims: int = SIMS,
    latency_s: float = LATENCY_S,
) -> World:
    folder.mkdir()
    behaviour = HologramBehaviour(
        rate_limit=limit, latency_s=latency_s, claim_pending_s=PENDING_S, state_pending_s=PENDING_S
    )
    return kind(folder, sims=sims, behaviour=behaviour)


def _applied(world: World) -> tuple[list[LedgerEntry], float, list[Planned]]:
    """Prepare and apply. Returns: what `apply` asked of Hologram, the seconds it took, and what was planned."""
    header = world.ready()
    known, began_s = len(world.target.ledger.entries), world.elapsed_s
    result = world.apply()
    if result.exit_code not in {ExitCode.DONE, ExitCode.ATTENTION}:
        raise RuntimeError(f"apply ended with {result.exit_code}: {result.reason}")
    world.check_fulfilled()
    with world.store() as store:
        planned = [
            Planned(
                str(change.wave),
                str(change.name),
                (change.overage_limit_bytes, change.sms_limit),
                change.state == "pause",
            )
            for change in store.plans.changes(header.plan_id)
            if change.action is Action.CLAIM
        ]
    return world.target.ledger.entries[known:], world.elapsed_s - began_s, planned


def _refusals(entries: list[LedgerEntry], *, most: float | None) -> Measure:
    return Measure(
        what="… answers 429",
        value=sum(entry.status == TOO_MANY for entry in entries),
        against=len(entries),
        against_what="requests",
        most=most,
    )
