"""Fault schedules drawn from a seed: what may go wrong in a migration, all at once."""

import importlib
from collections import Counter
from dataclasses import replace
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from migrator.carriers.simulation import Fault, FaultPlan
from migrator.core.run.results import ApplyResult, ExitCode
from migrator.core.run.states import MIGRATION_STEPS, StepKind
from migrator.engine.run.context import Hooks
from migrator.errors import IllegalTransition, StoreBusy, StoreLost
from migrator.store import Store
from tests.simulation.drawing import Fate, fate_of
from tests.simulation.happenings import HAPPENINGS, change_pair, claim_by_hand, decide, fall_asleep, meddle, persist
from tests.simulation.invariants import Lived, Run
from tests.worlds.mishaps import Death, Trouble, take_over
from tests.worlds.second_run import SecondRun
from tests.worlds.world import Crash, World, crash_at

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["POINTS", "live_through"]

POINTS = ("after_intent", "after_effect", "after_outcome")
MOST_QUIET_RUNS = 40
QUIET_AFTER = 6
"""Runs after which everything is calm again, so that every schedule comes to an end."""

RICH = Decimal(1_000_000)


def live_through(seed: int, folder: Path, source: str = "1nce") -> Lived:
    """Draw a world and its troubles from `seed`, and run `apply` until it has nothing left to do.

    `source` is that of the old SIMs: "1nce" or "onomondo".

    Raises: AssertionError, if it comes to no end, or to one that no carrier and no person can be the cause of.
    """
    _make_repeatable(seed)
    fate = fate_of(seed, folder, source)
    result = _troubled(fate)
    _calm(fate)
    if fate.persists:
        persist(fate)
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
        odd=fate.world.behaviour.paused_by_system,
        earlier=fate.earlier,
        unpaired={} if fate.pairs is None else fate.pairs.changed,
        orders=[] if fate.operator is None else fate.operator.given,
        is_open=last.exit_code is not ExitCode.HALTED,
        writes_at_rest=writes_at_rest,
    )


def _make_repeatable(seed: int) -> None:
    """Trio mixes its tasks on purpose, by a chance of its own."""
    loop = importlib.import_module("trio._core._run")
    setattr(loop, "_ALLOW_DETERMINISTIC_SCHEDULING", True)  # noqa: B010 - as trio's own plugin for Hypothesis does
    loop._r.seed(seed)


# --- the runs -----------------------------------------------------------------------------------------------------


def _troubled(fate: Fate) -> ApplyResult | None:
    """Run after run among troubles, until one ends well or it is time for quiet."""
    result = None
    for number in range(QUIET_AFTER):
        if fate.meddled:
            meddle(fate, is_first=number == 0)
        if fate.decided and number:
            decide(fate)
        result = _one_run(fate, _trouble(fate))
        if fate.operator is not None:
            fate.operator.go_on()
        is_whole = fate.runs[-1].wave is None
        if is_whole and result is not None and result.exit_code in {ExitCode.DONE, ExitCode.ATTENTION}:
            return result
        fate.world.target.api_key = "hologram-invented-key"
        if fate.prices is not None:
            fate.prices.calm()
        fate.world.target.behaviour = replace(fate.world.target.behaviour, denied=frozenset(), max_devices=None)
        if fate.chance.random() < 0.7:
            fate.world.target.balance = RICH
        fate.world.wait(fate.chance.choice([0, 1, 30, 300]))
    return result


def _calm(fate: Fate) -> None:
    """Nothing goes wrong any more, and what was stuck is settled."""
    world = fate.world
    if fate.prices is not None:
        fate.prices.calm()
    world.target.faults = FaultPlan()
    world.target.balance = RICH
    world.target.api_key = "hologram-invented-key"
    world.target.behaviour = replace(world.target.behaviour, stuck=frozenset(), denied=frozenset(), max_devices=None)
    world.wait(1000)
    fate.people.unlock()
    world.wait(60)


def _settled(fate: Fate, before: ApplyResult | None) -> tuple[ApplyResult, int]:
    """Run on in quiet until a run has come to the same end as the one before it, which is one too many.

    The first quiet one may have something to do even so: among troubles, the end before it may rest on an old read.

    Returns: what it came to, and how many writes it sent: there should be none.
    """
    for number in range(MOST_QUIET_RUNS):
        writes = _writes(fate.world)
        result = _one_run(fate, Trouble(fate.world, rates={}, seed=fate.seed, scripted=[], at={}))
        assert result is not None
        sent = _writes(fate.world) - writes
        goes_on = sent and (number == 0 or result.exit_code is ExitCode.HALTED)  # what was begun is finished even so
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
        wave=None if is_calm else _one_wave(fate),
    )
    wait_s = 900.0 if is_calm else world.options.wait_s
    options = replace(world.options, max_sims=run.max_sims, wave=run.wave, wait_s=wait_s)
    hooks, death = (None, None) if is_calm else _deaths(fate, run)
    second = None if is_calm else _second_run(fate)
    beside = None if is_calm else (second or fate.operator)
    try:
        run.result = world.apply(
            hooks=hooks,
            options=options,
            before=None if death is None else death.watch,
            beside=None if beside is None else beside.at_work,
            leased=fate.leased or second is not None,
        )
    except Crash as crash:
        fate.met[f"crash {crash}"] += not str(crash).startswith("sql") and "dead" not in str(crash)
    except StoreLost:  # a death in the midst of a statement ends the session at the server, too
        if death is None or not death.is_dead:
            raise
    except (StoreBusy, IllegalTransition):
        if run.begun_at_take_over is None and (second is None or second.run is None):
            raise
    finally:
        trouble._maybe_stale("", "")
        run.last, run.claimed_after = len(entries), len(world.target.ledger.charges)
        run.known, run.failed, run.stale = trouble.known, trouble.failed, trouble.stale_reads
        run.prices = trouble.price_at
        fate.met.update(trouble.met + (death.met if death is not None else Counter()))
    _note_end(fate, run)
    return run.result if second is None else _note_second(fate, second)


def _second_run(fate: Fate) -> SecondRun | None:
    """Another run that takes over from this one; mostly none does."""
    chance = fate.taken_over
    if chance is None or fate.leased or fate.operator is not None or chance.random() < 0.4:
        return None
    return SecondRun(fate.world, chance)


def _note_second(fate: Fate, second: SecondRun) -> ApplyResult | None:
    """From the moment on that the second run came, all that was sent is its own."""
    first, run = fate.runs[-1], second.run
    if second.error is not None:
        raise second.error
    if run is None:  # the first one had ended by then
        return first.result
    fate.met["taken over by a run that went on"] += 1
    run.known, run.stale, run.prices = first.known, first.stale, first.prices
    first.last, first.claimed_after = run.first, run.claimed_before
    _note_end(fate, run)
    return run.result


def _one_wave(fate: Fate) -> str | None:
    """The wave of a run that is for one wave alone."""
    if fate.by_wave is None or fate.by_wave.random() < 0.4:
        return None
    fate.met["--wave"] += 1
    return fate.by_wave.choice(fate.world.policy().policy.waves).name


def _note_end(fate: Fate, run: Run) -> None:
    fate.runs.append(run)
    if run.begun_at_take_over is not None:
        run.begun = _begun(fate.world)
    if run.result is not None:
        fate.met[f"exit {run.result.exit_code.value}"] += 1
        has_cause = run.begun_at_take_over is not None or fate.met["set aside in mid-run"]
        assert has_cause or "cannot take the event" not in run.result.reason, run.result.reason


def _trouble(fate: Fate) -> Trouble:
    """What goes wrong with requests in one run."""
    chance, world = fate.chance, fate.world
    happens = partial(chance.choice(HAPPENINGS), fate)
    at: dict[int, Callable[[], None]] = {chance.randint(1, 25): happens} if fate.unruly else {}
    if fate.in_mid_run is not None:
        at.setdefault(fate.in_mid_run.randint(1, 25), partial(claim_by_hand, fate, fate.in_mid_run))
    if fate.prices is not None:
        at.setdefault(fate.prices.chance.randint(1, 25), fate.prices.happen)
    if fate.pairs is not None:
        at.setdefault(fate.pairs.chance.randint(1, 25), partial(change_pair, fate, fate.pairs))
    if fate.sleeps is not None:
        for _ in range(fate.sleeps.choice([1, 2, 3])):
            at.setdefault(fate.sleeps.randint(1, 25), partial(fall_asleep, fate, fate.sleeps))
    kinds: list[Fault] = [fault for fault in Fault if fault not in {Fault.NONE, Fault.LATE}]
    scripted = chance.choices(kinds, k=chance.choice([0, 0, 0, 1, 1, 2, 4]))
    late = 0 if fate.late is None else fate.late.choice([0, 1, 1, 2])
    seed = chance.randrange(10**6)
    return Trouble(
        world,
        rates=fate.rates,
        seed=seed,
        scripted=scripted,
        at=at,
        stale=fate.stale,
        late=late,
        prices=fate.prices,
    )


def _deaths(fate: Fate, run: Run) -> tuple[Hooks | None, Death | None]:
    """How this process dies, or loses the store to another; mostly not at all."""
    chance = fate.chance
    way = chance.choice(["", "", "", "", "", "point", "point", "kind", "sql", "sql"])
    if fate.leased and chance.random() < 0.5:
        return _takeover_at(fate, run, chance.choice(POINTS), chance.randint(1, 6)), None
    if way == "point":
        return crash_at(chance.choice(POINTS), chance.randint(1, 8)), None
    if way == "kind":
        return crash_at(chance.choice(POINTS), chance.randint(1, 2), chance.choice(MIGRATION_STEPS)), None
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
            take_over(fate.world, plan_id, reclaims=fate.seed % 2 == 0)
            fate.met[f"lease lost {point}"] += 1
            run.begun_at_take_over = _begun(fate.world)

    return Hooks(**{point: pass_by})


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
    behaviour, met = fate.world.behaviour, fate.met
    for entry in fate.world.target.ledger.entries:
        verb = "read" if entry.method == "GET" else "claim" if entry.path.endswith("bulkclaim") else "write"
        if entry.fault != Fault.NONE:
            met[f"fault {entry.fault} on {verb}"] += 1
        elif entry.status == 429:
            after = "silent" if behaviour.rate_limit and behaviour.rate_limit.retry_after_s is None else "Retry-After"
            met[f"rate limit, {after}"] += 1
        if verb == "claim" and entry.fault == Fault.NONE and entry.status != 429:
            bad = fate.never & set(entry.body["sims"])
            met[f"claim with bad SIMs, {behaviour.claim_policy}"] += bool(bad)
            met["claim with poison"] += bool(behaviour.poison & set(entry.body["sims"]))
    met[f"read lag {behaviour.read_lag_s:g} s"] += bool(behaviour.read_lag_s)
    met["limits lag"] += bool(behaviour.limits_lag_s)
    for given in fate.operator.given if fate.operator is not None else ():
        met[f"operator: {given.word}"] += 1
    met["waves that soak"] += any(wave.soak_s for wave in fate.world.policy().policy.waves)
    met["stuck SIMs"] += bool(behaviour.stuck)
    met["limits locked while pending"] += behaviour.limits_locked_while_pending
