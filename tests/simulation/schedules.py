"""Fault schedules drawn from a seed: what may go wrong in a migration, all at once."""

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import partial
from pathlib import Path

import trio

from migrator.core.journal import Verdict
from migrator.core.results import ApplyResult, ExitCode
from migrator.core.states import StepKind
from migrator.errors import StoreBusy
from migrator.executor.context import ApplyOptions, Hooks
from migrator.platforms.hologram.simulator import ClaimPolicy, Edition, HologramSwitches
from migrator.platforms.hologram.simulator.choices import Operation
from migrator.platforms.simulation import Fault, FaultPlan, RateLimit
from migrator.store import Store
from tests.builders import sim
from tests.simulation.invariants import Lived, Run
from tests.simulation.mishaps import Death, People, Trouble, take_over
from tests.simulation.world import Crash, World, crash_at, new_sims

__all__ = ["POINTS", "live_through"]

POINTS = ("after_intent", "after_effect", "after_outcome")
MOST_QUIET_RUNS = 40
QUIET_AFTER = 6
"""Runs after which everything is calm again, so that every schedule comes to an end."""

FLEETS = (1, 2, 2, 3, 3, 4, 4, 5, 6, 8, 12)
RICH = Decimal(1_000_000)
AFTER_CLAIM = 'zone = "global"\nlimits = "after_claim"'
ONE_WAVE = '[[waves]]\nname = "all"\n'
TWO_WAVES = '[[waves]]\nname = "canary"\ncount = 2\n[[waves]]\nname = "rest"\n'
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
    poor: bool
    met: Counter[str] = field(default_factory=Counter)
    runs: list[Run] = field(default_factory=list)


def live_through(seed: int, folder: Path) -> Lived:
    """Draw a world and its troubles from `seed`, and run `apply` until it has nothing left to do.

    Raises: AssertionError, if it comes to no end, or to one that no carrier and no person can be the cause of.
    """
    _make_repeatable(seed)
    fate = _fate(seed, folder)
    result = _troubled(fate)
    _calm(fate)
    last, writes_at_rest = _settled(fate, result)
    _count_faults(fate)
    return Lived(
        seed=seed,
        world=fate.world,
        people=fate.people,
        policy=fate.world.policy().policy,
        runs=fate.runs,
        met=fate.met,
        never=frozenset(fate.never),
        odd=fate.world.switches.paused_by_system,
        is_open=last.exit_code is not ExitCode.HALTED,
        writes_at_rest=writes_at_rest,
    )


def _make_repeatable(seed: int) -> None:
    """Trio mixes its tasks on purpose, by a chance of its own."""
    trio._core._run._ALLOW_DETERMINISTIC_SCHEDULING = True  # type: ignore[misc, attr-defined] - as trio's own plugin
    trio._core._run._r.seed(seed)  # type: ignore[attr-defined] - as trio's own plugin for Hypothesis does


# --- the world ----------------------------------------------------------------------------------------------------


def _fate(seed: int, folder: Path) -> Fate:
    chance = random.Random(seed)
    sims = chance.choice(FLEETS)
    targets = new_sims(sims)
    share = chance.choice([0, 0, 0, 0.1, 0.3])
    bad = [target for target in targets if chance.random() < share]
    world = World(folder, sims=sims, seed=seed, policy_text=_policy(chance, sims), options=_options(chance))
    foreign, poison, unknown = _dealt(chance, bad)
    world.switches = world.target.switches = _switches(chance, targets, frozenset(poison))
    world.pulled([_sim(chance, number) for number in range(1, sims + 1)])
    world.target.stock([target for target in targets if target not in {*foreign, *unknown}])
    world.target.stock_foreign(foreign)
    people = People(world)
    if chance.random() < 0.2:
        for target in targets:
            if target not in bad and chance.random() < 0.4:
                people.claim(target, **_by_hand(chance))
    world.pair(targets)
    world.plan()
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
        poor=chance.random() < 0.15,
    )
    if fate.poor:
        world.target.balance = Decimal(chance.randint(0, sims))
        fate.met["balance too small"] += 1
    return fate


def _policy(chance: random.Random, sims: int) -> str:
    waves = chance.choice([ONE_WAVE, ONE_WAVE, TWO_WAVES, THREE_WAVES])
    zone = AFTER_CLAIM if chance.random() < 0.3 else 'zone = "global"'
    share = chance.choice(["0.0", "0.5", "1.0"])
    failures = chance.choice([1000, 1000, 1000, 1])
    caps = f"[caps]\nmax_sims = {chance.randint(1, sims)}\n" if chance.random() < 0.04 else ""
    gates = f"[gates]\nverified_share = {share}\nmax_failures = {failures}\nmax_failure_share = 1.0\n"
    return f"policy_version = 1\n[claim]\ndata_plan_id = 2096\n{zone}\n{waves}{gates}{caps}"


def _options(chance: random.Random) -> ApplyOptions:
    return ApplyOptions(
        claim_batch=chance.choice([1, 3, 2500]),
        batch=chance.choice([2, 500]),
        wait_s=chance.choice([0, 60, 300]),
        max_sims=chance.choice([None] * 9 + [2]),
        workers=chance.choice([1, 8]),
    )


def _sim(chance: random.Random, number: int) -> object:
    """A source SIM; many have different volumes, some the same name, a few are off."""
    return sim(
        number,
        status=chance.choice(["Enabled"] * 7 + ["Disabled"] * 2 + ["Expired"]),
        label=chance.choice(["pump", f"unit {number}"]),
        data_quota_mb=Decimal(chance.choice([10, 500, 500, 2000])),
        sms_quota=Decimal(chance.choice([5, 20, 250, 250])),
    )


def _dealt(chance: random.Random, bad: list[str]) -> tuple[list[str], list[str], list[str]]:
    """Bad targets: those of strangers, those that spoil a claim, and those that the carrier does not know."""
    dealt: tuple[list[str], list[str], list[str]] = ([], [], [])
    for target in bad:
        chance.choice([dealt[0], dealt[0], dealt[1], dealt[2]]).append(target)
    return dealt


def _switches(chance: random.Random, targets: list[str], poison: frozenset[str]) -> HologramSwitches:
    pending = chance.choice([(0.0, 0.0), (1.0, 5.0), (10.0, 300.0)])
    rate = chance.choice([None, None, None, RateLimit(1, 2, 3), RateLimit(3, 1, None)])
    few = frozenset(target for target in targets if chance.random() < 0.3)
    return HologramSwitches(
        edition=chance.choice(list(Edition)),
        claim_policy=chance.choice(list(ClaimPolicy)),
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
        latency_s=chance.choice([0.0, 0.15]),
    )


def _rates(chance: random.Random) -> dict[Fault, float]:
    """Some kinds of fault, at some rate; seldom all of them."""
    kinds = [fault for fault in Fault if fault is not Fault.NONE and chance.random() < 0.5]
    share = chance.choice([0.0, 0.02, 0.05, 0.2])
    return {kind: share / max(1, len(kinds)) for kind in kinds}


def _by_hand(chance: random.Random) -> dict[str, object]:
    """How somebody left a SIM that they claimed by hand."""
    return {
        "state": chance.choice(["LIVE", "PAUSED-USER"]),
        "overage_limit": chance.choice([-1, 0, 10 * 1_048_576, 5_000 * 1_048_576]),
        "sms_limit": chance.choice([0, 5, 100]),
    }


# --- the runs -----------------------------------------------------------------------------------------------------


def _troubled(fate: Fate) -> ApplyResult | None:
    """Run after run among troubles, until one ends well or it is time for quiet."""
    result = None
    for number in range(QUIET_AFTER):
        if fate.meddled:
            _meddle(fate, is_first=number == 0)
        result = _one_run(fate, _trouble(fate))
        if result is not None and result.exit_code in {ExitCode.DONE, ExitCode.ATTENTION}:
            return result
        fate.world.target.api_key = "hologram-invented-key"
        fate.world.target.switches = replace(fate.world.target.switches, denied=frozenset(), max_devices=None)
        if fate.chance.random() < 0.7:
            fate.world.target.balance = RICH
        fate.world.wait(fate.chance.choice([0, 1, 30, 300]))
    return result


def _calm(fate: Fate) -> None:
    """Nothing goes wrong any more, and what was stuck is settled."""
    world = fate.world
    world.target.faults = FaultPlan()
    world.target.balance = RICH
    world.target.api_key = "hologram-invented-key"
    world.target.switches = replace(
        world.target.switches, stuck=frozenset(), denied=frozenset(), max_devices=None
    )
    world.wait(1000)
    fate.people.unlock()
    world.wait(60)


def _settled(fate: Fate, before: ApplyResult | None) -> tuple[ApplyResult, int]:
    """Run on in quiet until a run has come to the same end as the one before it, which is one too many.

    Returns: what it came to, and how many writes it sent: there should be none.
    """
    for _ in range(MOST_QUIET_RUNS):
        writes = _writes(fate.world)
        result = _one_run(fate, Trouble(fate.world, rates={}, seed=fate.seed, scripted=[], at={}))
        assert result is not None
        sent = _writes(fate.world) - writes
        goes_on = result.exit_code is ExitCode.HALTED and sent  # what was begun is finished even so
        if before is not None and _end(before) == _end(result) is not None and not goes_on:
            return result, sent
        before = result
        fate.world.wait(120)
    raise AssertionError(f"seed {fate.seed}: no end after {MOST_QUIET_RUNS} quiet runs; the last said {before}")


def _end(result: ApplyResult) -> tuple[object, ...] | None:
    """An end from which no further run can go on; None, if there is something to wait for."""
    if result.exit_code is ExitCode.HALTED:
        return result.exit_code, result.reason
    is_over = result.exit_code in {ExitCode.DONE, ExitCode.ATTENTION} and not result.is_open
    return (result.exit_code, result.reason) if is_over else None


def _one_run(fate: Fate, trouble: Trouble) -> ApplyResult | None:
    """One process. Returns: what it came to; None if it died."""
    world, entries = fate.world, fate.world.target.ledger.entries
    is_calm = not trouble.rates and not trouble._at
    world.target.faults = trouble
    run = Run(
        began_s=world.elapsed_s,
        first=len(entries),
        claimed_before=len(world.target.ledger.charges),
        max_sims=None if is_calm else world.options.max_sims,
    )
    options = replace(world.options, max_sims=run.max_sims, wait_s=900.0 if is_calm else world.options.wait_s)
    hooks, death = (None, None) if is_calm else _deaths(fate, run)
    try:
        run.result = world.apply(
            hooks=hooks, options=options, before=None if death is None else death.watch, leased=fate.leased
        )
    except Crash as crash:
        fate.met[f"crash {crash}"] += not str(crash).startswith("sql") and "dead" not in str(crash)
    except StoreBusy:
        if run.begun_at_take_over is None:
            raise
    finally:
        trouble._maybe_stale("", "")
        run.last, run.claimed_after = len(entries), len(world.target.ledger.charges)
        run.known, run.stale = trouble.known, trouble.stale_reads
        fate.met.update(trouble.met + (death.met if death is not None else Counter()))
    _note_end(fate, run)
    return run.result


def _note_end(fate: Fate, run: Run) -> None:
    fate.runs.append(run)
    if run.begun_at_take_over is not None:
        run.begun = _begun(fate.world)
    if run.result is not None:
        fate.met[f"exit {run.result.exit_code.value}"] += 1
        assert "cannot take the event" not in run.result.reason, run.result.reason


def _trouble(fate: Fate) -> Trouble:
    """What goes wrong with requests in one run."""
    chance, world = fate.chance, fate.world
    at: dict[int, Callable[[], None]] = {}
    if fate.unruly:
        happening = chance.choice([_refuse_key, _deny, _bankrupt, _refuse_changes])
        at[chance.randint(1, 25)] = partial(happening, fate)
    kinds = [fault for fault in Fault if fault is not Fault.NONE]
    scripted = chance.choices(kinds, k=chance.choice([0, 0, 0, 1, 1, 2, 4]))
    return Trouble(world, rates=fate.rates, seed=chance.randrange(10**6), scripted=scripted, at=at, stale=fate.stale)


def _refuse_key(fate: Fate) -> None:
    fate.met["key refused (401)"] += 1
    fate.world.target.api_key = "another key"


def _deny(fate: Fate) -> None:
    fate.met["permission refused (403)"] += 1
    denied = fate.chance.choice([Operation.CLAIM, Operation.STATE, Operation.LIMITS, Operation.RENAME])
    fate.world.target.switches = replace(fate.world.target.switches, denied=frozenset({denied}))


def _refuse_changes(fate: Fate) -> None:
    """The carrier takes a smaller batch than we send, or none at all."""
    most = fate.chance.choice([0, 1])
    fate.met[f"changes refused of more than {most}"] += 1
    fate.world.target.switches = replace(fate.world.target.switches, max_devices=most)


def _bankrupt(fate: Fate) -> None:
    fate.met["balance gone in mid-run"] += 1
    fate.world.target.balance = Decimal(0)


def _deaths(fate: Fate, run: Run) -> tuple[Hooks | None, Death | None]:
    """How this process dies, or loses the store to another; mostly not at all."""
    chance = fate.chance
    way = chance.choice(["", "", "", "", "", "point", "point", "kind", "sql", "sql"])
    if fate.leased and chance.random() < 0.5:
        return _takeover_at(fate, run, chance.choice(POINTS), chance.randint(1, 6)), None
    if way == "point":
        return crash_at(chance.choice(POINTS), chance.randint(1, 8)), None
    if way == "kind":
        return crash_at(chance.choice(POINTS), chance.randint(1, 2), chance.choice(list(StepKind))), None
    if way == "sql":
        return None, Death(chance.choice(["before", "commit"]), chance.randint(1, 60))
    return None, None


def _takeover_at(fate: Fate, run: Run, point: str, count: int) -> Hooks:
    left = count

    def pass_by(_kind: StepKind) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            with fate.world.store() as store:
                plan_id = store.plans.newest() or ""
            take_over(fate.world, plan_id)
            fate.met[f"lease lost {point}"] += 1
            run.begun_at_take_over = _begun(fate.world)

    return Hooks(**{point: pass_by})


# --- people between two runs --------------------------------------------------------------------------------------


def _meddle(fate: Fate, *, is_first: bool) -> None:
    """Somebody claims SIMs by hand, takes one for another organization, or changes what was verified."""
    chance, people = fate.chance, fate.people
    for target in fate.targets:
        link = fate.world.target.sims.get(target)
        if link is None or target in fate.never or chance.random() > 0.3:
            continue
        if link.device_id is None:
            if chance.random() < 0.25:
                fate.never.add(target)
                people.claim(target, org_id=fate.world.target.other_org_id)
                fate.met["taken by another organization"] += 1
            else:
                people.claim(target, **_by_hand(chance))
                fate.met["claimed by hand " + ("before" if is_first else "between") + " runs"] += 1
        elif _is_verified(fate.world, target):
            people.change(target, **chance.choice([{"state": "PAUSED-USER"}, {"name": "in repair"}, {"sms_limit": 0}]))
            fate.met["changed by hand after it was verified"] += 1


def _is_verified(world: World, target: str) -> bool:
    with world.store() as store:
        items = store.journal.items(store.plans.newest() or "")
        return any(str(item.change.target_iccid) == target and item.verdict is Verdict.OK for item in items)


# --- what was met -------------------------------------------------------------------------------------------------


def _writes(world: World) -> int:
    return sum(entry.method != "GET" for entry in world.target.ledger.entries)


def _begun(world: World) -> int:
    with world.store() as store:
        return _requests_of(store)


def _requests_of(store: Store) -> int:
    return len(store.journal.requests(store.plans.newest() or ""))


def _count_faults(fate: Fate) -> None:
    """Count what was injected, by what the ledger shows."""
    switches, met = fate.world.switches, fate.met
    for entry in fate.world.target.ledger.entries:
        verb = "read" if entry.method == "GET" else "claim" if entry.path.endswith("bulkclaim") else "write"
        if entry.fault != Fault.NONE:
            met[f"fault {entry.fault} on {verb}"] += 1
        elif entry.status == 429:
            after = "silent" if switches.rate_limit and switches.rate_limit.retry_after_s is None else "Retry-After"
            met[f"rate limit, {after}"] += 1
        if verb == "claim" and entry.fault == Fault.NONE and entry.status != 429:
            bad = fate.never & set(entry.body["sims"])
            met[f"claim with bad SIMs, {switches.claim_policy}"] += bool(bad)
            met["claim with poison"] += bool(switches.poison & set(entry.body["sims"]))
    met[f"read lag {switches.read_lag_s:g} s"] += bool(switches.read_lag_s)
    met["limits lag"] += bool(switches.limits_lag_s)
    met["stuck SIMs"] += bool(switches.stuck)
    met["limits locked while pending"] += switches.limits_locked_while_pending
