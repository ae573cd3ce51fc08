"""Work of `cutover plan` and `rollback plan`, and staleness.

The plans are made from store, target and core. The module also says what makes such a plan stale.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import islice
from typing import TYPE_CHECKING, Any

from migrator.chunks import chunks
from migrator.core.cutover.calls import source_calls
from migrator.core.cutover.life import KeptProof
from migrator.core.cutover.old_use import NewLife
from migrator.core.cutover.plan import (
    CutoverAction,
    CutoverHeader,
    CutoverReason,
    CutoverRow,
    Direction,
    Require,
    fingerprint_of,
    header_line,
    row_document,
    row_from,
    row_line,
)
from migrator.core.cutover.rules import (
    Demand,
    Judged,
    Overlap,
    cutover_row,
    is_open,
    rollback_row,
    unplanned_row,
)
from migrator.core.cutover.silence import ADVICE, MEANING, Silence
from migrator.core.fleet.imei import ImeiDoubt, Neighbours, Unit, hardware, is_imei
from migrator.core.fleet.sims import ONENCE, SourceSim, SourceStatus
from migrator.core.fleet.switched_off import SwitchedOff
from migrator.core.plan.plan import Change, PlanHeader
from migrator.core.policy.policy import CutoverPolicy, OldSim, OtherUnits, PairProof
from migrator.core.run.gates import Gate, gate
from migrator.core.run.states import PlanKind
from migrator.core.run.steps import Item, Verdict, Verified
from migrator.engine.cutover.context import in_parallel
from migrator.engine.cutover.data_sessions import imei_in, sessions_since_claim
from migrator.engine.run.context import Stopper
from migrator.errors import Halted, InputError
from migrator.files import LineSpool
from migrator.ports import Clock, FieldNotes, Progress, SourceUsage, TargetPlatform
from migrator.workflows.cutover.judge_old_sims import OldSimJudge
from migrator.workflows.plans.make import look
from migrator.workflows.story.silence import kept_silence

if TYPE_CHECKING:
    from migrator.store import Store

__all__ = ["REMINDERS", "cutover_lines", "make_cutover", "make_rollback", "overlap_of", "stale_reasons"]

ID_DIGITS = 10
WORKERS = 8
REST = "rest"
NO_PLAN = "no plan was kept"

BY_HAND = (
    "{source} has no API here: `migrator cutover export` lists what to switch off in its portal",
    "what is off there is known only from the next file: `migrator inventory import`",
    "proof of life is from Hologram's side alone: nobody can ask {source} whether an old SIM is silent (old_sim)",
    "disabling cuts the old SIM's session at once; some units hang until they are rebooted",
)
"""Reminders where a person switches the old SIMs off."""

REMINDERS = {
    Direction.CUTOVER: ("disabling cuts the old SIM's session at once; some units hang until they are rebooted",),
    Direction.ROLLBACK: (
        "what cannot be undone: claims at Hologram, and what they and every period since have charged",
        "paused SIMs are billed every period at Hologram",
    ),
}
OF_ONENCE = {
    Direction.CUTOVER: (
        "switch auto-top-up off in the 1NCE portal first: it buys volume for SIMs that run low; no call reads it",
        "a SIM at 1NCE is paid once for its lifetime, which goes on lapsing: your contract says what is left of it",
    ),
    Direction.ROLLBACK: ("a SIM whose lifetime at 1NCE is over cannot be switched on: it stays on the new one",),
}
"""Reminders of 1NCE alone, where volumes and lifetimes are bought."""


@dataclass(frozen=True, slots=True)
class _Found:
    """SIM of the migration's plan with all that is known.

    `off`: the cutover of ours that switched the SIM off. `proof`: the proof of life that was kept.
    """

    item: Item
    verified: Verified | None
    claimed_s: float | None
    source: SourceSim | None
    off: SwitchedOff | None = None
    proof: KeptProof | None = None

    @property
    def alive_s(self) -> float | None:
        """Last sign of life by the proof that was kept."""
        return None if self.proof is None else self.proof.alive_s


# --- making -------------------------------------------------------------------------------------------------------


async def make_cutover(
    store: "Store",
    target: TargetPlatform,
    header: PlanHeader,
    demand: Demand,
    *,
    waves: Sequence[int],
    absent_after_s: float,
    clock: Clock,
    stopper: Stopper,
    progress: Progress,
    usage: SourceUsage | None,
    source_rps: float = 1.0,
    listed: Collection[str] | None = None,
    is_small: bool = False,
    by_hand: bool = False,
) -> CutoverHeader:
    """Make a cutover plan, and keep it; send no write.

    Every new SIM is read afresh, and its proof of life is read where the demand wants that. Then, unless the demand
    does without, the source is asked whether the old SIMs to be switched off are silent.

    Args:
        store: where the migration's plan is; the caller holds its lease.
        target: the carrier of the new SIMs.
        header: the migration's plan.
        demand: what a new SIM must have shown.
        waves: how many SIMs in each of the first waves; empty for the waves of the migration's plan.
        absent_after_s: how old the carrier's reads may be.
        clock: the time.
        stopper: checked between requests.
        progress: called with each event.
        usage: answers what old SIMs used, a request each; None where the demand does not ask.
        source_rps: how many requests a second may go to the source, to tell beforehand how long it takes.
        listed: keys of the SIMs that are meant; None for all of them. The others stay on, and are not asked about.
        is_small: whether the plan has the listed SIMs alone, and is kept only if it switches something off: a campaign
            makes many, and none of them tells of the whole fleet.
        by_hand: whether a person switches the old SIMs, as nobody can be asked.

    Raises: Halted, if fewer SIMs of the migration are verified than `demand` asks for; then no plan is kept.
    """
    if store.plans.kind(header.plan_id) is PlanKind.STOCK:
        raise InputError(
            f"plan {header.plan_id} claims cards for the stock: none of them has an old SIM",
            code="stock_plan",
            hint="name the plan of the units: `migrator plan list`",
        )
    await target.account()
    await look(
        store,
        target,
        header,
        absent_after_s=absent_after_s,
        clock=clock,
        stopper=stopper,
        progress=progress,
        only=listed if is_small else None,
    )
    few = _too_few_verified(store, header.plan_id, demand.verified_share)
    if few is not None:
        hint = "`migrator status` and `migrator verify` show the others; --verified-share 0 goes without them"
        raise Halted(few, code="gate_closed", hint=hint)
    overlap, off = Overlap(), store.cutovers.switched_off()
    notes = store.field_notes(header.plan_id)
    old = OldSimJudge(notes, None if demand.old_sim is OldSim.NOT_ASKED else usage, demand)
    with LineSpool(NO_PLAN) as proved, LineSpool(NO_PLAN) as rows:
        for found in chunks(_facts(store, header, off)):
            _add_to(overlap, found, header, demand.now_s)
            if listed is not None:
                left = () if is_small else [one for one in found if one.item.key not in listed]
                rows.add(row_line(_unlisted(one)) for one in left)
                found = [one for one in found if one.item.key in listed]  # noqa: PLW2901 - the same, but fewer
            mute = _without_data(store, found, demand)
            judged = await _judged(target, found, demand, header.org_id, notes, stopper, mute)
            proved.add(map(_judged_line, judged))
            old.expect(judged)
            progress("judged", {"sims": len(found)})
        old.announce(source_rps, progress)
        for chunk in chunks(map(_judged_from, proved)):
            rows.add(map(row_line, await old.judged(chunk, stopper)))
        unplanned = () if is_small else store.journal.unplanned(header.plan_id)
        rows.add(row_line(unplanned_row(sim, off.get(sim.iccid.key))) for sim in unplanned)
        summary = {
            "double_billing": overlap.told(_price(header)),
            "source": demand.source,
            "by_hand": by_hand,
            "reminders": [*_reminders(Direction.CUTOVER, demand.source, by_hand=by_hand), *old.reminders()],
            "verified_share": str(demand.verified_share),
            "pairs": (PairProof.OBSERVED if demand.wants_observed else PairProof.ANY).value,
            "other_units": (OtherUnits.ACCEPT if demand.accepts_other_units else OtherUnits.LEAVE_ON).value,
            **old.told(),
        }
        return _kept(
            store,
            header,
            Direction.CUTOVER,
            _in_waves(_rows_of(rows), waves),
            waves=waves,
            summary=summary,
            now=demand.now_s,
            demand=demand,
            source_rps=source_rps,
            keeps_empty=not is_small,
            by_hand=by_hand,
        )


def _unlisted(found: _Found) -> CutoverRow:
    """Return the row of a SIM that is not meant."""
    change = found.item.change
    return CutoverRow(change.source_iccid, change.target_iccid, CutoverAction.LEAVE_ON, CutoverReason.NOT_LISTED)


def _reminders(direction: Direction, source: str, *, by_hand: bool = False) -> Sequence[str]:
    if by_hand:
        return [words.format(source=source) for words in BY_HAND]
    return (OF_ONENCE[direction] if source == ONENCE else ()) + REMINDERS[direction]


def make_rollback(
    store: "Store",
    header: PlanHeader,
    *,
    listed: Collection[str] | None,
    waves: Sequence[int],
    now: float,
    source_rps: float = 1.0,
) -> CutoverHeader:
    """Plan the way back for SIMs that our cutovers switched off.

    No carrier is asked.

    Args:
        store: where the migration's plan is; the caller holds its lease.
        header: the migration's plan.
        listed: keys of the SIMs that are meant; None for all of them.
        waves: how many SIMs in each of the first waves; empty for the waves of the migration's plan.
        now: UTC seconds.
        source_rps: how many requests a second may go to the source.
    """
    off = store.cutovers.switched_off()

    def rows_of(some: Sequence[Change]) -> Iterator[CutoverRow]:
        taken_away = store.corrections.taken_away([change.source_iccid.key for change in some])
        for change in some:
            key = change.source_iccid.key
            is_listed = listed is None or key in listed
            row = rollback_row(change, off.get(key), is_listed=is_listed, taken_away=taken_away.get(key, ()))
            yield _seated(row, header)

    rows = (row for some in chunks(store.plans.changes(header.plan_id)) for row in rows_of(some))
    source = store.inventory.source_name()
    reminders = [*_reminders(Direction.ROLLBACK, source), *_held_elsewhere(store, header, off)]
    summary = {"double_billing": overlap_of(store, header, now), "source": source, "reminders": reminders}
    return _kept(
        store,
        header,
        Direction.ROLLBACK,
        _in_waves(rows, waves),
        waves=waves,
        summary=summary,
        now=now,
        source_rps=source_rps,
    )


def _seated(row: CutoverRow, header: PlanHeader) -> CutoverRow:
    """Return the row with a wave, if it acts.

    A SIM that this plan leaves alone has no wave, and may have been switched off under another plan: the SIM goes last.
    """
    if not row.action.acts or row.wave is not None:
        return row
    return replace(row, wave=header.waves[-1] if header.waves else REST)


def _held_elsewhere(store: "Store", header: PlanHeader, off: Mapping[str, SwitchedOff]) -> Iterator[str]:
    """Yield a reminder of switched-off SIMs that this plan lacks.

    Cutovers of ours switched these SIMs off.
    """
    if not off:
        return
    left = off.keys() - {change.source_iccid.key for change in store.plans.changes(header.plan_id)}
    for plan_id, sims in sorted(Counter(off[key].plan_id for key in left).items()):
        yield (
            f"SIMs that a cutover of plan {plan_id} switched off, and that plan {header.plan_id} does not hold: "
            f"{sims}; `migrator rollback plan {plan_id}` takes them back"
        )


def overlap_of(store: "Store", header: PlanHeader, now: float) -> dict[str, Any]:
    """Return the present cost of two SIMs a unit.

    The cost is by what the store knows. See `Overlap`.
    """
    overlap, off = Overlap(), store.cutovers.switched_off()
    _add_to(overlap, _facts(store, header, off), header, now)
    return overlap.told(_price(header))


def _add_to(overlap: Overlap, found: Iterable[_Found], header: PlanHeader, now: float) -> None:
    for one in found:
        overlap.add(
            one.source,
            one.item.target,
            org_id=header.org_id,
            now_s=now,
            claimed_s=one.claimed_s,
            proved_alive_s=one.alive_s,
        )


def _facts(store: "Store", header: PlanHeader, off: Mapping[str, SwitchedOff]) -> Iterator[_Found]:
    """Yield the SIMs of a plan, sorted by ICCID.

    SIMs that a cutover switched off count as off, whatever was pulled.
    """
    rows = store.journal.report_rows(header.plan_id)
    for chunk in chunks(rows):
        keys = [item.key for item, *_ in chunk]
        sources = {sim.iccid.key: sim for sim in store.inventory.sims(keys)}
        proofs = store.proofs.among(header.plan_id, keys)
        for item, verified, _, claimed_s, _ in chunk:
            source, ours = sources.get(item.key), off.get(item.key)
            if source is not None and ours is not None and not ours.is_on_again:
                source = replace(source, status=SourceStatus.DISABLED)
            yield _Found(item, verified, claimed_s, source, ours, proofs.get(item.key))


def _without_data(store: "Store", found: Sequence[_Found], demand: Demand) -> dict[str, Silence]:
    """Return SIMs that reach no server, where data is asked for."""
    if demand.require is not Require.TRAFFIC:
        return {}
    lives = [(one, one.item.target) for one in found if one.item.target is not None]
    records = store.target_records.among(target.iccid.key for _, target in lives)
    silent = (
        (one, kept_silence(target, records.get(target.iccid.key, {}), claimed_s=one.claimed_s, proof=one.proof))
        for one, target in lives
    )
    return {one.item.key: told.silence for one, told in silent if told.silence in _NO_DATA}


async def _judged(  # noqa: PLR0917 - handed through as they came
    target: TargetPlatform,
    found: Sequence[_Found],
    demand: Demand,
    org_id: int,
    notes: FieldNotes,
    stopper: Stopper,
    mute: dict[str, Silence],
) -> list[Judged]:
    """Return the rows of some SIMs.

    Usage is asked for only where nothing is missing but a sign of life, or where the unit is unknown.
    """
    imeis = [imei for one in found for imei in _imeis(one)]
    near = notes.neighbours(map(hardware, imeis))
    swaps = notes.swapped([one.item.key for one in found])
    rows = [
        _with_data(_row(one, demand, org_id, near, swaps.get(one.item.key)), mute.get(one.item.key)) for one in found
    ]
    open_ = [at for at, one in enumerate(rows) if one.row.reason in _LACKS_LIFE or _lacks_unit(found[at], one)]

    async def ask(number: int) -> None:
        one = found[number]
        sessions = await sessions_since_claim(target, one.item.target, one.claimed_s)
        is_empty = sessions and not any(session.bytes_used is None or session.bytes_used for session in sessions)
        if is_empty and demand.require is Require.TRAFFIC:
            mute[one.item.key] = Silence.ZERO_BYTES
        if sessions:
            newest_s, imei = max(session.at_s for session in sessions), imei_in(sessions)
            around = notes.neighbours(map(hardware, (*_imeis(one), imei)))
            swapped_s = swaps.get(one.item.key)
            told = _row(one, demand, org_id, around, swapped_s, session_s=newest_s, session_imei=imei)
            rows[number] = _with_data(told, mute.get(one.item.key))
        elif sessions is None and rows[number].row.reason in _LACKS_LIFE:
            row = rows[number].row
            rows[number] = Judged(replace(row, detail=f"{row.detail}; usage is not ours to read"))

    await in_parallel(open_, ask, workers=WORKERS, stopper=stopper)
    return rows


_NO_DATA = {Silence.ZERO_BYTES, Silence.NO_SESSION}


def _with_data(judged: Judged, silence: Silence | None) -> Judged:
    """Leave an old SIM on whose new SIM reaches no server."""
    if judged.row.action is not CutoverAction.SWITCH_OFF or silence is None:
        return judged
    words = f"{MEANING[silence]}: {ADVICE[silence]}"
    row = replace(judged.row, action=CutoverAction.LEAVE_ON, reason=CutoverReason.NO_DATA, detail=words, wave=None)
    return replace(judged, row=row)


_LACKS_LIFE = {CutoverReason.NO_TRAFFIC, CutoverReason.NOT_ALIVE_LATELY}


def _imeis(one: _Found) -> tuple[str | None, str | None]:
    """Return the IMEIs of an old SIM and its new SIM.

    The IMEIs are from the records of the SIMs.
    """
    return None if one.source is None else one.source.imei, None if one.item.target is None else one.item.target.imei


def _lacks_unit(found: _Found, one: Judged) -> bool:
    """True if usage may name the unit of a new SIM.

    The row is one that would be switched off.
    """
    old, new = _imeis(found)
    may_tell = is_imei(old) if one.life.alive_s is None else not is_imei(new)
    return one.row.unit is Unit.NEVER_SEEN and may_tell


def _row(
    one: _Found,
    demand: Demand,
    org_id: int,
    near: Neighbours,
    swapped_s: float | None,
    *,
    session_s: float | None = None,
    session_imei: str | None = None,
) -> Judged:
    return cutover_row(
        one.item,
        one.verified,
        one.source,
        demand,
        org_id=org_id,
        claimed_s=one.claimed_s,
        swapped_s=swapped_s,
        session_s=session_s,
        session_imei=session_imei,
        near=near,
        off=one.off,
    )


def _judged_line(one: Judged) -> str:
    """Return a row as one line of a temporary file.

    In that file, rows wait for the answers about their old SIMs.
    """
    return json.dumps([row_document(one.row), one.life.alive_s, one.life.claimed_s, one.doubt])


def _judged_from(line: str) -> Judged:
    """Return the row from a line of `_judged_line`."""
    document, alive_s, claimed_s, doubt = json.loads(line)
    return Judged(row_from(document), NewLife(alive_s, claimed_s), None if doubt is None else ImeiDoubt(doubt))


def _rows_of(lines: Iterable[str]) -> Iterator[CutoverRow]:
    return map(row_from, map(json.loads, lines))


def _in_waves(rows: Iterable[CutoverRow], counts: Sequence[int]) -> Iterator[CutoverRow]:
    """Yield the rows, in new waves where counts are given.

    The first wave gets as many of the SIMs that act as its count says, and so on; the last wave gets the rest.
    """
    if not counts:
        yield from rows
        return
    names = [f"first-{number}" if at == 1 else f"wave-{at}-of-{number}" for at, number in enumerate(counts, 1)]
    places = iter([name for name, number in zip(names, counts, strict=True) for _ in range(number)])
    for row in rows:
        yield replace(row, wave=next(places, REST)) if row.action.acts else row


def _kept(
    store: "Store",
    header: PlanHeader,
    direction: Direction,
    rows: Iterable[CutoverRow],
    *,
    waves: Sequence[int],
    summary: dict[str, Any],
    now: float,
    source_rps: float,
    demand: Demand | None = None,
    keeps_empty: bool = True,
    by_hand: bool = False,
) -> CutoverHeader:
    counts, reasons, used = Counter[str](), Counter[str](), dict[str, None]()
    units = Counter[tuple[CutoverAction, Unit | None]]()
    asked = () if demand is None else _asked_for(demand)
    with LineSpool(NO_PLAN) as kept:

        def counted() -> Iterator[CutoverRow]:
            for row in rows:
                counts[row.action.value] += 1
                reasons[row.reason.value] += 1
                units[row.action, row.unit] += 1
                if row.action.acts:
                    used[row.wave or ""] = None
                kept.add([row_line(row)])
                yield row

        print_ = fingerprint_of((store.lineage, header.plan_id, direction.value, *asked), counted())
        names = tuple(used) if waves else tuple(name for name in dict.fromkeys((*header.waves, REST)) if name in used)
        count = sum(counts[action.value] for action in CutoverAction if action.acts)
        inventory = store.inventory.summary()
        calls = source_calls(
            0 if by_hand else count,
            source=inventory["source"],
            api_version=inventory["api_version"],
            asks_for_use=demand is not None and demand.old_sim is not OldSim.NOT_ASKED,
            max_rps=source_rps,
        )
        made = CutoverHeader(
            cutover_id=_unused_id(store, direction, print_),
            direction=direction,
            plan_id=header.plan_id,
            lineage=store.lineage,
            org_id=header.org_id,
            require=None if demand is None else demand.require,
            rest_s=0.0 if demand is None else demand.rest_s,
            count=count,
            counts=dict(sorted(counts.items())),
            waves=names,
            fingerprint=print_,
            summary={
                "reasons": dict(sorted(reasons.items())),
                "inventory_taken_at": inventory["taken_at"],
                "calls": calls,
                **summary,
                **({} if demand is None else _of_units(units, summary["reminders"])),
            },
        )
        if count or keeps_empty:
            store.cutovers.add(made, _rows_of(kept), now)
        return made


def _asked_for(demand: Demand) -> tuple[str, ...]:
    """Return the demand on new SIMs that identifies a plan.

    A plan with another demand is another plan.
    """
    accepted = (OtherUnits.ACCEPT.value,) if demand.accepts_other_units else ()
    observed = (PairProof.OBSERVED.value,) if demand.wants_observed else ()
    usual = CutoverPolicy()
    old_sim = () if demand.old_sim is usual.old_sim else (demand.old_sim.value,)
    lately = () if demand.alive_within_s == usual.alive_within_s else (str(demand.alive_within_s),)
    return demand.require.value, str(demand.rest_s), str(demand.verified_share), *accepted, *observed, *old_sim, *lately


def _of_units(units: Counter[tuple[CutoverAction, Unit | None]], reminders: Sequence[str]) -> dict[str, Any]:
    """Return the units of new SIMs, in counts and in words.

    Only new SIMs whose old SIM qualifies by all else are counted.
    """
    told = {one.value: sum(count for (_, unit), count in units.items() if unit is one) for one in Unit}
    unseen, elsewhere = units[CutoverAction.SWITCH_OFF, Unit.NEVER_SEEN], units[CutoverAction.SWITCH_OFF, Unit.MOVED]
    words = []
    if elsewhere:
        words.append(
            f"SIMs to switch off whose new SIM was seen in another unit (by IMEI), which was accepted: {elsewhere}; "
            "units that have their old SIM alone fall silent"
        )
    if unseen:
        words.append(
            f"SIMs to switch off of which one carrier or both saw no IMEI (never_seen): {unseen}; nobody can tell "
            "whether their new SIM is in the unit"
        )
    return {"units": told, "reminders": [*reminders, *words]}


def _unused_id(store: "Store", direction: Direction, fingerprint: str) -> str:
    """Return an id that follows from the content of the plan.

    If the id was used before, a number is added at the end.
    """
    name = direction.value[0] + hashlib.sha256(fingerprint.encode()).hexdigest()[:ID_DIGITS]
    number = 1
    while store.cutovers.exists(name) in {"started", "finished"}:
        number += 1
        name = f"{name.partition('-')[0]}-{number}"
    return name


def _price(header: PlanHeader) -> Decimal | None:
    told = header.summary.get("money", {}).get("price_per_sim")
    return None if told is None else Decimal(told)


# --- using --------------------------------------------------------------------------------------------------------


def stale_reasons(store: "Store", header: CutoverHeader) -> list[str]:
    """Return the changes that forbid the use of a plan.

    Empty: the plan may be used.
    """
    reasons = []
    newer = store.cutovers.superseded_by(header.cutover_id)
    if newer is not None:
        reasons.append(f"plan {newer}, which was started later, switches some of the same SIMs")
    if header.direction is Direction.CUTOVER and store.cutovers.state(header.cutover_id) == "created":
        share = Decimal(header.summary.get("verified_share", "0"))
        reasons += filter(None, [_too_few_verified(store, header.plan_id, share)])
        reasons += islice(_no_longer_verified(store, header), 20)
    if header.direction is Direction.ROLLBACK or store.cutovers.state(header.cutover_id) == "created":
        reasons += islice(_corrected(store, header), 20)  # a begun cutover leaves such a SIM on, and ends
    return reasons


def _corrected(store: "Store", header: CutoverHeader) -> Iterator[str]:
    """Yield SIMs of the plan that have another new SIM now.

    Only SIMs that the plan acts on and is not done with count.
    """
    if not store.corrections.count():
        return
    for chunk in chunks(store.cutovers.all_items(header.cutover_id)):
        open_ = [item for item in chunk if is_open(item, header.direction)]
        taken_away = store.corrections.taken_away([item.key for item in open_])
        for item in open_:
            target = item.row.target_iccid
            if target is not None and target.key in taken_away.get(item.key, ()):
                yield f"{item.row.source_iccid}: its pair was corrected since, and {target} is no longer its new SIM"


def _too_few_verified(store: "Store", plan_id: str, share: Decimal) -> str | None:
    """Return a refusal in words, if too few SIMs are verified.

    `share` is of the SIMs that the migration acts on. None if enough are verified.
    """
    verdicts = store.journal.verdicts(plan_id)
    if gate(verdicts, share) is Gate.OPEN:
        return None
    verified, total = verdicts.get(Verdict.OK, 0), sum(verdicts.values())
    return f"{verified} of {total} SIMs of plan {plan_id} are verified, and [cutover] verified_share asks for {share}"


def _no_longer_verified(store: "Store", header: CutoverHeader) -> Iterator[str]:
    meant = (row for row in store.cutovers.rows(header.cutover_id) if row.action is CutoverAction.SWITCH_OFF)
    for chunk in chunks(meant):
        for item in store.journal.items_by_key(header.plan_id, [row.source_iccid.key for row in chunk]):
            if item.verdict is not Verdict.OK:
                verdict = "unread" if item.verdict is None else item.verdict.value
                yield f"{item.change.source_iccid} was verified, and is {verdict} now"


def cutover_lines(store: "Store", cutover_id: str) -> Iterator[str]:
    """Yield the plan's file, line by line."""
    yield header_line(store.cutovers.header(cutover_id)) + "\n"
    for row in store.cutovers.rows(cutover_id):
        yield row_line(row) + "\n"
