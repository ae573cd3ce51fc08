"""Swap of one unit on the bench.

The unit is paired, its new SIM claimed or adopted, set up and read back: `pair import`, `plan create`, `apply` and its
last reading for one SIM, under one lease. The same call goes on after any interruption: a plan that was begun is
carried on, and what an earlier one claimed is adopted.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from migrator import wiring
from migrator.core.fleet.iccid_text import RefusedIccid, read_iccid
from migrator.core.fleet.identifiers import Iccid
from migrator.core.fleet.sims import LinkState
from migrator.core.fleet.unit_facts import UnitFacts
from migrator.core.plan.plan import Action, PlanHeader
from migrator.core.run.results import ApplyResult, ExitCode
from migrator.core.run.states import StepState
from migrator.errors import InputError, MigratorError, NotConfirmed, Problem, StalePlan
from migrator.inputs.policy.file import LoadedPolicy, read_policy
from migrator.store import Owner, Store
from migrator.workflows.apply import Bounds, carry_out_held, must_be_confirmed, must_be_ready
from migrator.workflows.notices.deliver import deliver_after_run
from migrator.workflows.plans.make import Fleet
from migrator.workflows.plans.plan import plan_held, selection_of
from migrator.workflows.site import Site, holding, required_inventory

__all__ = ["ScannedUnit", "Swapped", "UnitNotes", "old_and_new", "scanned_units", "swap"]

ORIGIN = "swap"
UNDO = "undo"


@dataclass(frozen=True, slots=True)
class UnitNotes:
    """Facts of the unit on the bench; None is not known."""

    unit: str | None = None
    site: str | None = None
    ticket: str | None = None


@dataclass(frozen=True, slots=True)
class Swapped:
    """Result of the swap of one unit.

    Args:
        old: the old SIM, as 1NCE lists it.
        new: the new SIM.
        plan_id: the plan of this one SIM.
        exit_code: as of `apply`; also 3 where the new SIM is not live in the end.
        is_live: whether the new SIM was read back as planned, and can pass data.
        words: why it is not live, or how it is.
        claimed: how many SIMs this plan has claimed: 1 or 0.
    """

    old: Iccid
    new: Iccid
    plan_id: str
    exit_code: ExitCode
    is_live: bool
    words: str
    claimed: int
    name: str | None = None
    device_id: int | None = None


def swap(
    site: Site,
    old: str,
    new: str,
    *,
    policy: Path | str,
    confirm: int | None,
    confirm_pauses: int | None = None,
    notes: UnitNotes = UnitNotes(),
    bounds: Bounds | None = None,
) -> Swapped:
    """Pair two SIMs, and set the new one up.

    A claim bills at once and cannot be undone.

    Args:
        site: the store, with an inventory that has the old SIM.
        old: the ICCID of the old SIM.
        new: the ICCID of the new SIM, which nobody may have claimed for another one.
        policy: a policy file (TOML); it gives values and caps.
        confirm: the most SIMs to claim: 1, or 0 for a SIM that is claimed already.
        confirm_pauses: 1, if a live SIM may be paused because the policy says so.
        notes: facts of the unit, kept by the old SIM.
        bounds: where the run ends.

    Returns: the result, whatever its exit code.
    Raises: InputError, for SIMs that cannot be paired, or without `confirm`: then nothing was sent; Halted; StoreBusy.
    """
    store, loaded = site.store, read_policy(Path(policy))
    required_inventory(store)
    if confirm is None:
        words = "a swap may claim one SIM, which bills at once and cannot be undone"
        raise NotConfirmed(words, hint="add --confirm 1; or --confirm 0 for a SIM that is claimed already")
    source, target = old_and_new(store, _read(old, "old"), _read(new, "new"), is_ordered=True)
    with holding(site) as me:
        _pair(store, source, target, notes, site.now())
        header = _plan(site, loaded, source, me)
        if header.claims > confirm:
            words = (
                f"{target} is not claimed yet, and --confirm {confirm} allows no claim; paired, and nothing was sent"
            )
            raise NotConfirmed(words, hint="add --confirm 1, if it may be claimed for this unit")
        must_be_confirmed(store, header, header.claims, confirm_pauses)
        result = carry_out_held(site, header, bounds or Bounds(), me)
    deliver_after_run(site)
    return _swapped(store, header, source, target, result)


def _read(text: str, side: str) -> Iccid:
    try:
        return read_iccid(text)
    except RefusedIccid as error:
        raise InputError(f"the {side} SIM: {error}", code=error.code, hint=error.hint or "scan it again") from None


def old_and_new(store: Store, one: Iccid, other: Iccid, *, is_ordered: bool) -> tuple[Iccid, Iccid]:
    """Return the old SIM, as 1NCE lists it, and the new SIM.

    Args:
        store: with the inventory, which knows the old SIMs.
        one: the first of the two.
        other: the second.
        is_ordered: whether the first must be the old SIM.

    Raises: InputError, if not just one of the two is an old SIM, or if the order is wrong.
    """
    known = store.inventory.iccids([one.key, other.key])
    if one.key in known and other.key in known:
        words = f"{one} and {other} are both old SIMs of the inventory"
        raise InputError(words, code="target_is_source", hint="scan the new card")
    if not known:
        words = f"neither {one} nor {other} is in the inventory"
        raise InputError(
            words, code="unknown_source", hint="check the old SIM, or read the source again: `inventory pull`"
        )
    if one.key in known:
        return known[one.key], other
    if is_ordered:
        words = f"{other}, given as the new SIM, is an old one of the inventory, and {one} is not"
        raise InputError(words, code="swapped", hint="exchange the two ICCIDs: old and new are swapped")
    return known[other.key], one


def _pair(store: Store, source: Iccid, target: Iccid, notes: UnitNotes, now: float) -> None:
    """Pair the two, unless they are paired already.

    Raises: InputError, if one of them belongs to another SIM.
    """
    had = store.pairs.by_source_keys([source.key]).get(source.key)
    holder = store.pairs.by_target_keys([target.key]).get(target.key)
    for pair in (had, holder):
        if pair is None or (pair.source, pair.target) == (source, target):
            continue
        words = f"{pair.source} is paired with {pair.target} already ({pair.origin}); nothing was sent"
        if store.plans.claimed_before([pair.source.key]):
            hint = "a claim stays with its card: `migrator pair correct FILE` corrects a pair after the claim"
            raise InputError(words, code="already_claimed", hint=hint)
        raise InputError(words, code="contradicts_pair", hint="`migrator pair import FILE --replace`, if that is wrong")
    at, by = (now, wiring.operator()) if had is None else (None, None)
    facts = UnitFacts(source.key, notes.unit, None, notes.site, notes.ticket, at, by, ORIGIN)
    values = (source.key, source.digits, target.key, target.digits, ORIGIN, None)
    told = [] if facts.is_empty else [facts]
    store.pairs.add_values([values], replace=False, now=now, facts=told)


def _plan(site: Site, policy: LoadedPolicy, source: Iccid, me: Owner) -> PlanHeader:
    """Return the begun plan of the SIM, or a new one."""
    where = f'iccid == "{source.digits}"'
    for plan in site.store.plans.list():
        if plan["state"] != "started":
            continue
        header = site.store.plans.header(plan["plan_id"])
        if header.summary.get("only") != source.key:
            continue
        try:
            must_be_ready(site.store, header)
        except StalePlan:
            break  # what it claimed is adopted by the next one
        return header
    fleet = Fleet(partial(site.store.plans.candidates, where_keys=[source.key]), only=source.key)
    return plan_held(site, policy, selection_of(where), me, fleet=fleet)


def _swapped(store: Store, header: PlanHeader, source: Iccid, target: Iccid, result: ApplyResult) -> Swapped:
    (item,) = store.journal.items_by_key(header.plan_id, [source.key])
    link, change = item.target, item.change
    is_live = result.verdicts.get("ok", 0) == 1 and link is not None and link.state is LinkState.LIVE
    ended = result.exit_code
    if change.action in {Action.BLOCK, Action.SKIP}:
        words = f"{change.reason.value}: {change.detail}" if change.detail else change.reason.value
        ended = ExitCode.ATTENTION
    elif failed := [step for step in item.steps.values() if step.state is StepState.FAILED]:
        words = f"{failed[0].code}: {failed[0].message}"
    elif is_live:
        words = result.reason
    else:
        shown = "not seen" if link is None else f"in state {link.state_word}"
        words = f"{result.reason}; {shown} at Hologram"
        ended = ExitCode.ATTENTION if ended is ExitCode.DONE else ended
    name, device = (None, None) if link is None else (link.name, link.device_id)
    return Swapped(
        source, target, header.plan_id, ended, is_live and ended is ExitCode.DONE, words, result.claimed, name, device
    )


# --- a scanner ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ScannedUnit:
    """Two scans of one unit, or what was wrong with them."""

    line: int
    old: Iccid | None = None
    new: Iccid | None = None
    problem: Problem | None = None


@dataclass(slots=True)
class _Bench:
    held: Iccid | None = None
    held_line: int = 0
    found: list[ScannedUnit] = field(default_factory=list)


def scanned_units(store: Store, lines: Iterable[str]) -> Iterator[ScannedUnit]:
    """Yield units as they are scanned: two ICCIDs each, in any order.

    A line `undo` drops the first scan of a unit. The same card twice in a row counts once.
    """
    bench = _Bench()
    for number, line in enumerate(lines, start=1):
        text = line.strip()
        if not text:
            continue
        if text.lower() == UNDO:
            bench.held = None
            continue
        yield from _scan(store, bench, number, text)
    if bench.held is not None:
        words = f"{bench.held} was scanned, and no second card"
        yield ScannedUnit(bench.held_line, problem=Problem("half_a_unit", words, "scan both cards of the unit again"))


def _scan(store: Store, bench: _Bench, number: int, text: str) -> Iterator[ScannedUnit]:
    try:
        iccid = _read(text, "scanned")
        if bench.held is None:
            bench.held, bench.held_line = iccid, number
            return
        if bench.held == iccid:
            return
        first, bench.held = bench.held, None
        old, new = old_and_new(store, first, iccid, is_ordered=False)
    except MigratorError as error:
        yield ScannedUnit(number, problem=error.problems[0])
        return
    yield ScannedUnit(number, old, new)
