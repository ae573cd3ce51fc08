"""Cutover and rollback plans as data: a header and rows.

A plan has one row per source SIM. The header says what the plan was made from.

Both directions share one shape: a cutover switches old SIMs off, a rollback switches old SIMs on again and then pauses
the new SIMs. What is written in `*_document` is what the store keeps and what `--out` writes.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from migrator.core.fleet.identifiers import Iccid
from migrator.core.fleet.imei import Unit
from migrator.core.fleet.sims import ONENCE, SourceStatus
from migrator.core.run.doubts import Doubt, doubt_of
from migrator.core.run.states import StepKind, StepState

__all__ = [
    "ACTING_CUTOVERS",
    "Aside",
    "CutoverAction",
    "CutoverHeader",
    "CutoverItem",
    "CutoverReason",
    "CutoverRow",
    "CutoverStep",
    "Direction",
    "Require",
    "fingerprint_of",
    "header_from",
    "header_line",
    "is_as_found",
    "row_document",
    "row_from",
    "row_line",
]

CUTOVER_PLAN_VERSION = 1


class Direction(StrEnum):
    """Direction in which service moves."""

    CUTOVER = "cutover"  # to the new SIM: the old one is switched off
    ROLLBACK = "rollback"  # back to the old SIM: it is switched on, then the new one is paused

    @property
    def wanted(self) -> SourceStatus:
        """Status that the old SIM shall have."""
        return SourceStatus.DISABLED if self is Direction.CUTOVER else SourceStatus.ENABLED


class Require(StrEnum):
    """Proof required of a new SIM before its old SIM goes off."""

    TRAFFIC = "traffic"  # a data session since it was claimed: it is in the unit and works
    VERIFIED = "verified"  # only its record: the unit may be silent


class CutoverAction(StrEnum):
    """Action of a cutover or rollback for one SIM."""

    SWITCH_OFF = "SWITCH_OFF"  # disable it at 1NCE
    ALREADY_OFF = "ALREADY_OFF"  # it cannot connect now: nothing to do
    LEAVE_ON = "LEAVE_ON"  # not yet, or not at all
    SWITCH_BACK = "SWITCH_BACK"  # enable it at 1NCE, then pause the new SIM
    LEAVE = "LEAVE"  # no cutover of ours switched it off, or nobody asked for it

    @property
    def acts(self) -> bool:
        """True if something will be sent for a SIM with this action."""
        return self in ACTING_CUTOVERS


ACTING_CUTOVERS = (CutoverAction.SWITCH_OFF, CutoverAction.SWITCH_BACK)
"""Actions under which something is sent."""


class CutoverReason(StrEnum):
    """Reason for an action, for people to read.

    No write rests on a reason.
    """

    QUALIFIES = "qualifies"  # the new SIM showed all that was asked for
    NOT_PLANNED = "not_planned"  # the migration's plan does not hold this SIM
    BLOCKED = "blocked"  # the migration's plan blocks it
    SKIPPED = "skipped"  # the migration's plan, or an operator, left it behind
    UNKNOWN_AT_SOURCE = "unknown_at_source"  # the inventory in force does not hold it
    STATUS_UNKNOWN = "status_unknown"  # 1NCE used a word that we do not know
    DISABLED = "disabled"  # somebody switched it off before
    EXPIRED = "expired"  # its lifetime is over
    NOT_VERIFIED = "not_verified"  # a fresh read does not find every planned value
    NOT_LIVE = "not_live"  # the new SIM cannot pass data
    NOT_RESTED = "not_rested"  # claimed or changed too short a time ago
    NO_TRAFFIC = "no_traffic"  # no data session on the new SIM since it was claimed
    NO_DATA = "no_data"  # its data sessions since carried no byte, or a network saw it and it opened none
    NOT_ALIVE_LATELY = "not_alive_lately"  # its last data session is longer ago than the policy bears
    NOT_OBSERVED = "not_observed"  # the policy takes only pairs that were seen in one unit
    OTHER_UNIT = "other_unit"  # the new SIM was seen in other hardware than the old one
    OLD_SIM_IN_USE = "old_sim_in_use"  # the old SIM was used after the new one lived last
    OLD_SIM_UNKNOWN = "old_sim_unknown"  # 1NCE does not tell whether the old SIM is silent
    SWITCHED_BY_US = "switched_by_us"  # our cutover switched it off
    NOT_SWITCHED = "not_switched"  # no cutover of ours switched it off, or it was rolled back
    NOT_LISTED = "not_listed"  # the file does not name it


class Aside(StrEnum):
    """Reason to send no order for a SIM.

    The values are the codes that steps have in a store.
    """

    ALREADY = "already"  # the SIM was found as it is wanted: no trouble
    EXPIRED = "expired"  # its lifetime at the source is over
    GONE_AT_SOURCE = "gone_at_source"  # the source does not know it
    IMEI_LOCK_UNKNOWN = "imei_lock_unknown"  # an order carries the lock, and might lift it
    LABEL_UNREADABLE = "label_unreadable"  # an order carries the label, and would write a damaged one back
    LEFT_BY_OPERATOR = "left_by_operator"  # an operator skipped it: no trouble
    PAIR_CORRECTED = "pair_corrected"  # its new SIM is another unit's by now
    NEW_SIM_NOT_ALIVE = "new_sim_not_alive"  # it cannot take over
    NEW_SIM_NOT_OURS = "new_sim_not_ours"  # it is not on our organization
    NEW_SIM_UNKNOWN_STATE = "new_sim_unknown_state"  # the target tells a state that we do not know
    OLD_SIM_NOT_ON = "old_sim_not_on"  # it was proved on and is not any more
    REFUSED_AT_SOURCE = "refused_at_source"  # the source does not let us read it
    STATUS_UNKNOWN = "status_unknown"  # the source tells a status that we do not know
    UNREADABLE_AT_SOURCE = "unreadable_at_source"  # what the source tells is not its record


@dataclass(frozen=True, slots=True)
class CutoverRow:
    """Planned action for one source SIM.

    `proof` is what showed life on the new SIM, for people. `unit` says if the new SIM sits in the old SIM's unit; None
    where nobody asked.
    """

    source_iccid: Iccid
    target_iccid: Iccid | None
    action: CutoverAction
    reason: CutoverReason
    detail: str = ""
    wave: str | None = None
    proof: str = ""
    unit: Unit | None = None


@dataclass(frozen=True, slots=True)
class CutoverHeader:
    """First line of a cutover or rollback plan.

    `count` is the number of SIMs to switch off or on, which has to be confirmed. `summary` holds JSON values for
    people.
    """

    cutover_id: str
    direction: Direction
    plan_id: str
    lineage: str
    org_id: int
    require: Require | None
    rest_s: float
    count: int
    counts: dict[str, int]
    waves: tuple[str, ...]
    fingerprint: str
    summary: dict[str, Any] = field(default_factory=dict)

    @property
    def is_by_hand(self) -> bool:
        """True if a person switches the old SIMs, by a list.

        An older plan told this by the name of the source alone. A rollback is an order at an API in any case.
        """
        return self.direction is Direction.CUTOVER and bool(
            self.summary.get("by_hand", self.summary.get("source", ONENCE) != ONENCE)
        )

    @property
    def command(self) -> str:
        """Command that carries the plan out, or goes on with it."""
        return f"migrator {self.direction.value} {'export' if self.is_by_hand else 'apply'} {self.cutover_id}"


@dataclass(frozen=True, slots=True)
class CutoverStep:
    """Step of one SIM.

    `before` is the old SIM as it was read before the first order (JSON values). `code` and `message` are words for
    people.
    """

    kind: StepKind
    state: StepState
    attempts: int = 0
    since: float = 0.0
    code: str = ""
    message: str = ""
    before: Mapping[str, Any] = field(default_factory=dict)

    @property
    def doubt(self) -> Doubt | None:
        """Doubt about the step, or None.

        A step that has ended keeps the doubt that it was in.
        """
        return doubt_of(self.code)

    @property
    def is_as_found(self) -> bool:
        """True if the SIM was found as it is wanted."""
        return is_as_found(self.state, self.code)


@dataclass(frozen=True, slots=True, eq=False)
class CutoverItem:
    """SIM of a plan with its steps, compared by identity.

    The steps are as of one reading of the store.
    """

    row: CutoverRow
    steps: Mapping[StepKind, CutoverStep] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """Key of the source ICCID, by which the store knows the SIM."""
        return self.row.source_iccid.key

    @property
    def is_left_by_operator(self) -> bool:
        """True if an operator skipped this SIM."""
        return any(step.code == Aside.LEFT_BY_OPERATOR for step in self.steps.values())

    def state_of(self, kind: StepKind) -> StepState:
        """Return the state of the step of this kind.

        The state is PENDING if nothing was begun.
        """
        step = self.steps.get(kind)
        return StepState.PENDING if step is None else step.state


def is_as_found(state: StepState, code: str) -> bool:
    """True if the SIM of a step was found as wanted."""
    return state is StepState.SKIPPED and code == Aside.ALREADY


# --- as documents -------------------------------------------------------------------------------------------------

_one_spelling = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode


def row_document(row: CutoverRow) -> dict[str, Any]:
    """Return a row as JSON values; `row_from` is its inverse.

    Rows from before there were units keep their spelling.
    """
    told = {} if row.unit is None else {"unit": row.unit.value}
    return {
        "source_iccid": row.source_iccid.digits,
        "target_iccid": None if row.target_iccid is None else row.target_iccid.digits,
        "action": row.action.value,
        "reason": row.reason.value,
        "detail": row.detail,
        "wave": row.wave,
        "proof": row.proof,
        **told,
    }


def row_line(row: CutoverRow) -> str:
    """Return one line of the file.

    Equal rows have equal lines.
    """
    return _one_spelling(row_document(row))


def row_from(values: Mapping[str, Any]) -> CutoverRow:
    """Return the row of a document."""
    target, seen = values["target_iccid"], values.get("unit")
    return CutoverRow(
        source_iccid=Iccid.parse(values["source_iccid"]),
        target_iccid=None if target is None else Iccid.parse(target),
        action=CutoverAction(values["action"]),
        reason=CutoverReason(values["reason"]),
        detail=values["detail"],
        wave=values["wave"],
        proof=values["proof"],
        unit=None if seen is None else Unit(seen),
    )


def header_line(header: CutoverHeader) -> str:
    """Return the first line of the file; `header_from` reads it."""
    return _one_spelling(
        {
            "kind": "migrator-switch-plan",
            "switch_plan_version": CUTOVER_PLAN_VERSION,
            "switch_id": header.cutover_id,
            "direction": header.direction.value,
            "plan_id": header.plan_id,
            "lineage": header.lineage,
            "org_id": header.org_id,
            "require": None if header.require is None else header.require.value,
            "rest_s": header.rest_s,
            "count": header.count,
            "counts": header.counts,
            "waves": list(header.waves),
            "fingerprint": header.fingerprint,
            "summary": header.summary,
        }
    )


def header_from(text: str) -> CutoverHeader:
    """Return the header of a line.

    Raises: KeyError, ValueError and TypeError, if the line is no header.
    """
    values = json.loads(text)
    return CutoverHeader(
        cutover_id=values["switch_id"],
        direction=Direction(values["direction"]),
        plan_id=values["plan_id"],
        lineage=values["lineage"],
        org_id=values["org_id"],
        require=None if values["require"] is None else Require(values["require"]),
        rest_s=values["rest_s"],
        count=values["count"],
        counts=values["counts"],
        waves=tuple(values["waves"]),
        fingerprint=values["fingerprint"],
        summary=values["summary"],
    )


def fingerprint_of(about: Iterable[str], rows: Iterable[CutoverRow]) -> str:
    """Return the SHA-256 of a plan's subject and rows.

    The digest is hexadecimal text. `about` holds what the plan is about.
    """
    digest = hashlib.sha256("\n".join(about).encode())
    for row in rows:
        digest.update(f"\n{row_line(row)}".encode())
    return digest.hexdigest()
