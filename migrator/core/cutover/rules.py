"""Rules for switching old SIMs off and on again.

The rules say which old SIMs may be switched off, which may come back, and what a read of one SIM at 1NCE means. The
code is pure.
"""

from collections.abc import Container, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from migrator.core.cutover.old_use import NewLife
from migrator.core.cutover.plan import (
    Aside,
    CutoverAction,
    CutoverItem,
    CutoverReason,
    CutoverRow,
    Direction,
    Require,
)
from migrator.core.fleet.identifiers import Iccid
from migrator.core.fleet.imei import NOBODY, ImeiDoubt, Neighbours, Place, Unit, is_imei, place
from migrator.core.fleet.sims import ONENCE, LinkState, QuotaReading, SourceSim, SourceStatus, TargetLink
from migrator.core.fleet.spelling import UNREAD
from migrator.core.fleet.switched_off import SwitchedOff
from migrator.core.fleet.units import money, span
from migrator.core.plan.plan import Action, Change, Reason
from migrator.core.policy.policy import CutoverPolicy, OldSim
from migrator.core.run.states import CUTOVER_STEPS, UNSETTLED, StepKind, StepState
from migrator.core.run.steps import Item, Verdict, Verified

__all__ = [
    "DAYS_PER_PERIOD",
    "Demand",
    "Judged",
    "Lived",
    "Overlap",
    "Sight",
    "Sighting",
    "Told",
    "alive_at_s",
    "claimed_at_s",
    "cutover_row",
    "echo_of",
    "in_use_words",
    "is_alive",
    "is_before_swap",
    "is_done",
    "is_open",
    "is_settled_as_wanted",
    "label_obstacle",
    "lived",
    "lock_obstacle",
    "moment_s",
    "not_in_its_unit",
    "not_lately_words",
    "obstacle_at_source",
    "rollback_row",
    "switched_off_row",
    "unknown_words",
    "unplanned_row",
    "values_changed",
]

DAYS_PER_PERIOD = 30
"""Days in one of Hologram's billing periods.

Source: reference, section 10.1: `billingperiod` counts 30-day intervals.
"""


# --- moments ------------------------------------------------------------------------------------------------------


def moment_s(text: str | None) -> float | None:
    """Return a carrier's date as UTC seconds; None if invalid.

    A date without a zone is UTC (Hologram reference, section 3.6).
    """
    try:
        moment = datetime.fromisoformat((text or "").strip())
    except ValueError:
        return None
    return (moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment).timestamp()


def claimed_at_s(target: TargetLink, journaled_s: float | None) -> float | None:
    """Return the moment of the new SIM's claim (UTC seconds).

    The SIM's own record counts first, else our journal. None if neither has the moment.
    """
    recorded_s = moment_s(target.claimed_at)
    return journaled_s if recorded_s is None else recorded_s


def alive_at_s(target: TargetLink, claimed_s: float, session_s: float | None) -> float | None:
    """Return a new SIM's last sign of life since its claim.

    The moment is UTC seconds, by record or usage; None if there is no sign.
    """
    moments = (moment_s(target.last_connected_at), session_s)
    return max((at_s for at_s in moments if at_s is not None and at_s >= claimed_s), default=None)


AHEAD_S = 3600.0
"""Seconds that the carrier's clock may be ahead of ours.

A sign of life that is further ahead is of no known time.
"""


def not_lately_words(alive_s: float, *, now_s: float, within_s: float) -> str | None:
    """Return the reason why a sign of life proves nothing today.

    None if the new SIM's last sign of life is recent enough.

    Args:
        alive_s: the last sign of life (UTC seconds).
        now_s: UTC seconds.
        within_s: how long ago the sign of life may be.
    """
    last = f"the new SIM's last sign of life is of {_moment(alive_s)}"
    if alive_s > now_s + AHEAD_S:
        return f"{last}, which is later than now: a clock is wrong"
    if now_s - alive_s > within_s:
        return f"{last}; asked for is one within {span(within_s)}"
    return None


def _moment(at_s: float) -> str:
    return f"{datetime.fromtimestamp(at_s, UTC):%Y-%m-%d %H:%M:%S}"


@dataclass(frozen=True, slots=True)
class Lived:
    """Life of a new SIM in its unit.

    `alive_s` is its last sign of life (UTC seconds); None for none that counts. `where` is its place. `words` are the
    reason why a sign of life does not count.
    """

    alive_s: float | None
    where: Place
    words: str = ""


def is_before_swap(alive_s: float, swapped_s: float | None, unit: Unit) -> bool:
    """True if a sign of life says nothing of the unit.

    A card that is claimed ahead of its swap may be tested on the bench. Before the swap only a sign from the unit's own
    hardware counts: a swap may be noted long after it happened.

    Args:
        alive_s: the new SIM's last sign of life (UTC seconds).
        swapped_s: when its swap was noted (UTC seconds); None if nobody noted any.
        unit: where that sign of life came from.
    """
    return swapped_s is not None and alive_s < swapped_s and unit is not Unit.MATCHED


def lived(
    source: SourceSim,
    target: TargetLink,
    *,
    claimed_s: float | None,
    swapped_s: float | None,
    session_s: float | None = None,
    session_imei: str | None = None,
    near: Neighbours = NOBODY,
) -> Lived:
    """Return the life of a new SIM, and its place.

    A new SIM sits in the unit of the old SIM, in another unit, or nobody can tell. Hardware that was seen before the
    claim says nothing of the unit, nor does other hardware from before the swap.

    Args:
        source: the old SIM, with the hardware that it was seen in.
        target: the new SIM.
        claimed_s: when the new SIM was claimed (UTC seconds); None if nobody knows.
        swapped_s: when its swap was noted (UTC seconds); None if nobody noted any.
        session_s: when usage showed a data session (UTC seconds).
        session_imei: the hardware of that session, which outranks the hardware in the record.
        near: other SIMs that were seen in either hardware.
    """
    alive_s = None if claimed_s is None else alive_at_s(target, claimed_s, session_s)
    told = session_imei if is_imei(session_imei) else target.imei
    where = place(source.iccid.key, source.imei, None if alive_s is None else told, near, alive_s=alive_s)
    if alive_s is not None and swapped_s is not None and is_before_swap(alive_s, swapped_s, where.unit):
        words = f"no data session since its swap, {_moment(swapped_s)}; the last one, {_moment(alive_s)}, is older"
        return Lived(None, Place(Unit.NEVER_SEEN, doubt=where.doubt), words)
    return Lived(alive_s, where)


# --- cutover ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Demand:
    """Conditions for a new SIM before its old SIM goes off.

    `rest_s`: seconds since the new SIM was claimed, and since we last changed it.
    `verified_share` of all SIMs that the migration's plan acts on must be verified before any old SIM is switched off.
    `accepts_other_units`: whether a new SIM may sit in another unit than the old SIM, by the hardware that was seen.
    `wants_observed`: whether the new SIM must have been seen in hardware in which its old SIM was.
    `old_sim`: what the source must say of the old SIM. `alive_within_s`: how long ago a new SIM's last sign of life may
    be. `source`: the name of the source, for words.
    """

    require: Require
    rest_s: float
    now_s: float
    verified_share: Decimal = Decimal(0)
    accepts_other_units: bool = False
    wants_observed: bool = False
    old_sim: OldSim = CutoverPolicy().old_sim
    alive_within_s: float = CutoverPolicy().alive_within_s
    source: str = ONENCE


NEVER = NewLife(None, None)


@dataclass(frozen=True, slots=True)
class Judged:
    """Row of one SIM, with the new SIM's life.

    The use of the old SIM is compared with `life`. `doubt` is the reason why an IMEI proves nothing.
    """

    row: CutoverRow
    life: NewLife = NEVER
    doubt: ImeiDoubt | None = None


def in_use_words(used_on: date | None) -> str:
    """Return the reason why an old SIM in use stays on."""
    return f"the old SIM was used on {used_on}, and the new one has not lived since the end of that day"


def unknown_words(source: str = ONENCE) -> str:
    """Return the reason why an old SIM's use is not known."""
    return f"{source} does not tell whether the old SIM is silent since the new one lived last"


def is_alive(target: TargetLink | None, verdict: Verdict | None, org_id: int) -> bool:
    """True if a new SIM is ours, as planned, and live.

    Such a SIM may pass data. Otherwise its old SIM is not switched off.
    """
    is_ours = target is not None and target.is_held_by(org_id)
    return is_ours and target is not None and verdict is Verdict.OK and target.state is LinkState.LIVE


def cutover_row(
    item: Item,
    verified: Verified | None,
    source: SourceSim | None,
    demand: Demand,
    *,
    org_id: int,
    claimed_s: float | None,
    swapped_s: float | None = None,
    session_s: float | None = None,
    session_imei: str | None = None,
    near: Neighbours = NOBODY,
    off: SwitchedOff | None = None,
) -> Judged:
    """Decide the action of cutover for one SIM, and the reason.

    The SIM is one of the migration's plan. Only the new SIM is judged here. `workflows.cutover.make` also leaves a SIM
    on where no data came through, `workflows.cutover.judge_old_sims` judges the old one, and `engine.cutover` looks at
    both again right before the order.

    Args:
        item: the SIM, with what Hologram showed last.
        verified: the result of a fresh read.
        source: the old SIM as the inventory in force has it; None if the inventory does not hold the SIM.
        demand: what the new SIM must have shown.
        org_id: our organization.
        claimed_s: the claim by our journal, for records without a claim (UTC seconds).
        swapped_s: when the swap was noted (UTC seconds); None if nobody noted any.
        session_s: when usage showed a data session (UTC seconds); None if none was looked for, or none was found.
        session_imei: the hardware of that session, where usage shows it.
        near: other SIMs that were seen in the hardware of the two.
        off: the cutover of ours that switched the old SIM off, of any plan; None if there is none.
    """
    change = item.change
    if off is not None:
        return Judged(switched_off_row(change.source_iccid, change.target_iccid, off))
    held_back = _not_to_be_moved(item) or _off_or_unknown(source, demand.source)
    if held_back is not None:
        action, reason, detail = held_back
        return Judged(CutoverRow(change.source_iccid, change.target_iccid, action, reason, detail))
    told = _unproved(item, verified, demand, org_id=org_id, journaled_s=claimed_s, session_s=session_s)
    if not isinstance(told, str):
        reason, detail = told
        return Judged(CutoverRow(change.source_iccid, change.target_iccid, CutoverAction.LEAVE_ON, reason, detail))
    assert source is not None and item.target is not None  # noqa: S101, PT018 - held back or unproved without them
    row = CutoverRow(
        change.source_iccid, change.target_iccid, CutoverAction.SWITCH_OFF, CutoverReason.QUALIFIES, proof=told
    )
    since_s = claimed_at_s(item.target, claimed_s)
    seen = lived(
        source,
        item.target,
        claimed_s=since_s,
        swapped_s=swapped_s,
        session_s=session_s,
        session_imei=session_imei,
        near=near,
    )
    life, where = NewLife(seen.alive_s, since_s), seen.where
    left_on = not_in_its_unit(
        seen,
        wants_life=demand.require is Require.TRAFFIC,
        accepts_other_units=demand.accepts_other_units,
        wants_observed=demand.wants_observed,
    )
    if left_on is not None:
        reason, detail = left_on
        row = replace(row, action=CutoverAction.LEAVE_ON, reason=reason, detail=detail, unit=where.unit)
        return Judged(row, life, where.doubt)
    return Judged(replace(row, wave=change.wave, unit=where.unit), life, where.doubt)


def not_in_its_unit(
    seen: Lived, *, wants_life: bool, accepts_other_units: bool, wants_observed: bool
) -> tuple[CutoverReason, str] | None:
    """Return why a new SIM's place leaves its old SIM on.

    The reason is a code and words; None where nothing speaks against the place.

    Args:
        seen: the life of the new SIM, and its place.
        wants_life: whether a sign of life is asked for.
        accepts_other_units: as for `Demand`.
        wants_observed: as for `Demand`.
    """
    where = seen.where
    if seen.words and wants_life:
        return CutoverReason.NO_TRAFFIC, seen.words
    if where.unit is Unit.MOVED and not accepts_other_units:
        return CutoverReason.OTHER_UNIT, where.words
    if where.unit is not Unit.MATCHED and wants_observed:
        return (
            CutoverReason.NOT_OBSERVED,
            "the new SIM was not seen in hardware in which its old SIM, and no other, was",
        )
    return None


def switched_off_row(source: Iccid, target: Iccid | None, off: SwitchedOff) -> CutoverRow:
    """Return the row of a SIM that our cutover switched off.

    Nothing else that is known of the SIM matters.
    """
    if off.is_on_again:
        words = "a rollback has switched it on again, and goes on to pause its new SIM"
        return CutoverRow(source, target, CutoverAction.LEAVE_ON, CutoverReason.SKIPPED, words)
    return CutoverRow(source, target, CutoverAction.ALREADY_OFF, CutoverReason.SWITCHED_BY_US, off.words)


def unplanned_row(source: SourceSim, off: SwitchedOff | None = None) -> CutoverRow:
    """Return the row of a SIM that the migration's plan lacks."""
    if off is not None:
        return switched_off_row(source.iccid, None, off)
    return CutoverRow(source.iccid, None, CutoverAction.LEAVE_ON, CutoverReason.NOT_PLANNED)


_HeldBack = tuple[CutoverAction, CutoverReason, str]


def _not_to_be_moved(item: Item) -> _HeldBack | None:
    change = item.change
    if change.action is Action.BLOCK:
        detail = "no pair" if change.reason is Reason.NO_PAIRING else change.detail or change.reason.value
        return CutoverAction.LEAVE_ON, CutoverReason.BLOCKED, detail
    was_set_aside = any(step.state is StepState.SKIPPED for step in item.steps.values())
    if change.action is Action.SKIP or was_set_aside:
        aside = item.corrected or "set aside by an operator"
        detail = aside if was_set_aside else change.detail or change.reason.value
        return CutoverAction.LEAVE_ON, CutoverReason.SKIPPED, detail
    return None


def _off_or_unknown(source: SourceSim | None, name: str) -> _HeldBack | None:
    if source is None:
        return CutoverAction.LEAVE_ON, CutoverReason.UNKNOWN_AT_SOURCE, "not in the inventory in force"
    if source.status is SourceStatus.DISABLED:
        return CutoverAction.ALREADY_OFF, CutoverReason.DISABLED, ""
    if source.status is SourceStatus.EXPIRED:
        return CutoverAction.ALREADY_OFF, CutoverReason.EXPIRED, f"its lifetime at {name} is over"
    if source.status is SourceStatus.UNKNOWN:
        return CutoverAction.LEAVE_ON, CutoverReason.STATUS_UNKNOWN, f"{name} says {source.status_word!r}"
    return None


def _unproved(
    item: Item,
    verified: Verified | None,
    demand: Demand,
    *,
    org_id: int,
    journaled_s: float | None,
    session_s: float | None,
) -> tuple[CutoverReason, str] | str:
    """Return why a new SIM does not qualify, or its proof.

    The reason is a code and words. The proof is what showed the new SIM's life.
    """
    target = item.target
    if target is None or verified is None or verified.verdict is not Verdict.OK:
        found = ", ".join(sorted({finding.code.value for finding in verified.findings})) if verified else "never read"
        return CutoverReason.NOT_VERIFIED, found
    if not is_alive(target, verified.verdict, org_id):
        return CutoverReason.NOT_LIVE, f"its state is {target.state_word or 'not told'}"
    claimed_s = claimed_at_s(target, journaled_s)
    rested_s = _rested_s(item, claimed_s, demand.now_s)
    if demand.rest_s and (rested_s is None or rested_s < demand.rest_s):
        words = "since when is not known" if rested_s is None else f"for {rested_s / 3600:.1f} h"
        return CutoverReason.NOT_RESTED, f"{words}; asked for are {span(demand.rest_s)}"
    if demand.require is Require.VERIFIED:
        return "verified"
    return _life(target, claimed_s, session_s, demand)


def _rested_s(item: Item, claimed_s: float | None, now_s: float) -> float | None:
    """Return seconds since the new SIM's claim and our last change.

    The later of both counts.
    """
    moments = [step.since for step in item.steps.values()] + ([] if claimed_s is None else [claimed_s])
    return now_s - max(moments) if moments else None


def _life(
    target: TargetLink, claimed_s: float | None, session_s: float | None, demand: Demand
) -> tuple[CutoverReason, str] | str:
    """Return the new SIM's proof of life, or why there is none.

    A session from before the claim proves nothing: the SIM may have been tested on another account. A session of long
    ago proves only that the SIM worked then.
    """
    if claimed_s is None:
        return CutoverReason.NO_TRAFFIC, "when it was claimed is not known"
    connected_s, alive_s = moment_s(target.last_connected_at), alive_at_s(target, claimed_s, session_s)
    if alive_s is not None:
        words = not_lately_words(alive_s, now_s=demand.now_s, within_s=demand.alive_within_s)
        if words is not None:
            return CutoverReason.NOT_ALIVE_LATELY, words
        is_recorded = alive_s == connected_s
        return f"connected {target.last_connected_at}" if is_recorded else f"data session {_moment(alive_s)}"
    seen = "" if connected_s is None else f"; the last connection, {target.last_connected_at}, is older"
    return CutoverReason.NO_TRAFFIC, f"no data session since its claim{seen}"


# --- rollback -----------------------------------------------------------------------------------------------------

OTHER_CARD = "its pair was corrected since: `migrator rollback plan` of a plan with its new pair takes it back"


def rollback_row(
    change: Change, off: SwitchedOff | None, *, is_listed: bool, taken_away: Container[str] = frozenset()
) -> CutoverRow:
    """Decide the action of rollback for one SIM.

    A rollback pauses the new SIM of its plan. After a correction that must be the SIM that is in the unit now, and not
    the one that is another unit's.

    Args:
        change: the migration's plan for the SIM.
        off: the cutover of ours, of any plan, that switched the old SIM off, or may have, and that no rollback undid;
            None if there is none.
        is_listed: whether the operator's file names the SIM, or there is no file.
        taken_away: keys of the new SIMs that corrections took from this old SIM, without the one that it has now.
    """
    if off is None:
        return CutoverRow(change.source_iccid, change.target_iccid, CutoverAction.LEAVE, CutoverReason.NOT_SWITCHED)
    action, reason, detail = CutoverAction.SWITCH_BACK, CutoverReason.SWITCHED_BY_US, off.words
    was_for = None if off.target in {None, change.target_iccid} else off.target
    if not is_listed:
        action, reason = CutoverAction.LEAVE, CutoverReason.NOT_LISTED
    elif change.target_iccid is not None and change.target_iccid.key in taken_away:
        action, detail = CutoverAction.LEAVE, f"{detail}; {OTHER_CARD}"
    elif was_for is not None and was_for.key not in taken_away:
        action, detail = CutoverAction.LEAVE, f"{detail}, for another new SIM: `migrator rollback plan {off.plan_id}`"
    wave = change.wave if action.acts else None
    return CutoverRow(change.source_iccid, change.target_iccid, action, reason, detail, wave=wave)


# --- what a look at the source means ------------------------------------------------------------------------------


class Sighting(StrEnum):
    """Answer of the source to a read of one SIM."""

    SEEN = "seen"  # its record came
    GONE = "gone"  # no such SIM: 404, or an empty 200
    EXPIRED = "expired"  # its lifetime is over (422, or the word)
    REFUSED = "refused"  # not ours to read
    UNREADABLE = "unreadable"  # what came is not its record, time after time


@dataclass(frozen=True, slots=True)
class Sight:
    """Result of reading one SIM at the source.

    `sim` is there when the SIM was seen. `words` are the carrier's, or ours where the SIM is unreadable. `code` says
    what made the SIM unreadable. `label_trouble` is the reason why the label was not read whole; empty if the label
    was read whole.
    """

    sighting: Sighting
    sim: SourceSim | None = None
    words: str = ""
    code: str = Aside.UNREADABLE_AT_SOURCE
    label_trouble: str = ""


@dataclass(frozen=True, slots=True)
class Told:
    """Reason why no order goes out for a SIM.

    The reason is a code, mostly of `Aside`, and words.
    """

    code: str
    words: str = ""


def obstacle_at_source(  # noqa: PLR0911 - a table of rules, the first that fits wins
    sight: Sight, direction: Direction, *, must_order: bool = False, source: str = ONENCE
) -> Told | None:
    """Return the reason to send no order for a SIM, or None.

    The SIM counts as it is now. None means that the order may go out.

    Args:
        sight: what a fresh read showed.
        direction: cutover or rollback.
        must_order: whether an order of another plan may still take effect, so that what is seen may not last.
        source: the name of the source.
    """
    sim = sight.sim
    if sight.sighting is Sighting.GONE:
        return Told(Aside.GONE_AT_SOURCE, f"{source} does not know this SIM")
    if sight.sighting is Sighting.EXPIRED or (sim is not None and sim.status is SourceStatus.EXPIRED):
        if direction is Direction.CUTOVER:
            return Told(Aside.EXPIRED, f"its lifetime at {source} is over: it is off, and cannot be changed")
        return Told(
            Aside.EXPIRED, f"its lifetime at {source} is over: it cannot be switched on, and the new SIM stays on"
        )
    if sight.sighting is Sighting.UNREADABLE:
        return Told(sight.code, sight.words)
    if sim is None:
        return Told(Aside.REFUSED_AT_SOURCE, sight.words or f"{source} does not let us read this SIM")
    if sim.status is SourceStatus.UNKNOWN:
        return Told(Aside.STATUS_UNKNOWN, f"{source} says {sim.status_word!r}")
    if sim.status is direction.wanted and not must_order:
        return Told(Aside.ALREADY)
    return None


def lock_obstacle(sight: Sight) -> Told | None:
    """Return the reason why an order would spoil the lock.

    None means that the order may go out. The order has to carry the lock, and so the lock must have been read.
    """
    sim = sight.sim
    if sim is None:
        return None
    if sim.imei_lock is None:
        return Told(
            Aside.IMEI_LOCK_UNKNOWN,
            "the source does not tell its IMEI lock, and an update without it might lift the lock",
        )
    return None


def label_obstacle(sight: Sight, in_inventory: str | None) -> Told | None:
    """Return the reason why an order would spoil the label, or None.

    An order has to carry the label. None means that the order may go out.

    A label that differs from the inventory's was written since, and goes out as it is. A label that is gone may only be
    missing in the answer, as 1NCE leaves out what a SIM does not have. A damaged label must be what the list reported,
    too.

    Args:
        sight: what a fresh read showed.
        in_inventory: the label that the inventory in force has.
    """
    label = None if sight.sim is None else sight.sim.label
    if sight.label_trouble:
        return Told(Aside.LABEL_UNREADABLE, f"{sight.label_trouble}; an order would write that back")
    if label is None and in_inventory:
        return Told(
            Aside.LABEL_UNREADABLE, f"the source tells no label, and the inventory has {in_inventory!r}: pull it again"
        )
    if label is not None and UNREAD in label and label != in_inventory:
        return Told(
            Aside.LABEL_UNREADABLE,
            f"the source tells {label!r}, and the inventory has {in_inventory!r}: pull it again",
        )
    return None


def echo_of(sim: SourceSim) -> dict[str, Any]:
    """Return the label, IMEI lock and status before an order.

    An order must leave the label and the IMEI lock as they are.
    """
    return {"label": sim.label, "imei_lock": sim.imei_lock, "status": sim.status_word}


def values_changed(before: Mapping[str, Any], now: SourceSim, label_trouble: str = "") -> Told:
    """Compare the values that an order echoes with those before.

    The result names the values that changed; its code is empty if none changed. A label that was not read whole, for
    `label_trouble`, cannot be compared.
    """
    names = ("imei_lock",) if label_trouble else ("label", "imei_lock")
    changed = [name for name in names if before and before.get(name) != getattr(now, name)]
    words = [f"{name} was {before.get(name)!r} and is {getattr(now, name)!r}" for name in changed]
    if label_trouble:
        code = "_and_".join([Aside.LABEL_UNREADABLE, *(f"{name}_changed" for name in changed)])
        return Told(code, "; ".join([f"whether its label is as it was: {label_trouble}", *words]))
    return Told("_and_".join(changed) + "_changed", "; ".join(words)) if changed else Told("")


# --- where a SIM stands -------------------------------------------------------------------------------------------


def is_settled_as_wanted(item: CutoverItem, kind: StepKind) -> bool:
    """True if a step was proved, or found nothing to do."""
    step = item.steps.get(kind)
    return step is not None and (step.state is StepState.DONE or step.is_as_found)


def is_open(item: CutoverItem, direction: Direction) -> bool:
    """True if something must still be sent or proved for a SIM."""
    if item.state_of(StepKind.SOURCE) in UNSETTLED:
        return True
    if direction is Direction.CUTOVER or not is_settled_as_wanted(item, StepKind.SOURCE):
        return False
    return item.state_of(StepKind.PAUSE) in UNSETTLED


def is_done(item: CutoverItem, direction: Direction) -> bool:
    """True if a SIM has reached the state that the plan wants."""
    kinds = (StepKind.SOURCE,) if direction is Direction.CUTOVER else CUTOVER_STEPS
    return all(is_settled_as_wanted(item, kind) for kind in kinds)


# --- what two SIMs a unit cost ------------------------------------------------------------------------------------


@dataclass(slots=True)
class Overlap:
    """Cost of having two SIMs a unit, added SIM by SIM.

    A SIM at 1NCE is paid once for its lifetime: one that stays on costs nothing more but top-ups, auto-top-up and
    extensions, and volume and lifetime are left behind, where these were read. What costs each period is the new SIM.
    `on_both` counts SIMs that are claimed at Hologram and not switched off at 1NCE, `unseen` those that are claimed
    and showed no sign of life since.
    """

    on_both: int = 0
    claimed: int = 0
    unseen: int = 0
    volume_read: int = 0
    volume_left_mb: Decimal = Decimal(0)
    lifetime_read: int = 0
    days_left: int = 0

    def add(
        self,
        source: SourceSim | None,
        target: TargetLink | None,
        *,
        org_id: int,
        now_s: float,
        claimed_s: float | None,
        proved_alive_s: float | None = None,
    ) -> None:
        """Count one SIM of the plan.

        `claimed_s` is when our journal says that it was claimed, `proved_alive_s` when a proof of life saw it alive;
        both are in UTC seconds.
        """
        if target is None or not target.is_held_by(org_id) or target.state is LinkState.RETIRED:
            return
        self.claimed += 1
        since_s = claimed_at_s(target, claimed_s)
        self.unseen += alive_at_s(target, since_s or 0.0, proved_alive_s) is None
        if source is None:
            return
        self.on_both += source.status is SourceStatus.ENABLED
        if source.data_reading is QuotaReading.READ and source.data_remaining_mb is not None:
            self.volume_read += 1
            self.volume_left_mb += max(source.data_remaining_mb, Decimal(0))
        expires_s = moment_s(source.expires_at)
        if expires_s is not None:
            self.lifetime_read += 1
            self.days_left += max(0, int((expires_s - now_s) // 86_400))

    def told(self, price_per_period: Decimal | None) -> dict[str, Any]:
        """Return the costs as JSON values.

        What is charged per day is None where Hologram shows no price.
        """

        def per_day(sims: int) -> str | None:
            if price_per_period is None:
                return None
            return money((price_per_period * sims / DAYS_PER_PERIOD).quantize(Decimal("0.01")))

        return {
            "on_both_sides": self.on_both,
            "claimed": self.claimed,
            "hologram_price_per_sim_and_period": None if price_per_period is None else money(price_per_period),
            "hologram_per_day": per_day(self.on_both),
            "not_seen_in_a_unit": self.unseen,
            "not_seen_in_a_unit_per_day": per_day(self.unseen),
            "left_behind_mb": None if not self.volume_read else f"{self.volume_left_mb.normalize():f}",
            "left_behind_mb_read_of_sims": self.volume_read,
            "left_behind_days": None if not self.lifetime_read else self.days_left,
            "left_behind_days_read_of_sims": self.lifetime_read,
        }
