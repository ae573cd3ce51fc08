"""The reconciliation: every source SIM in exactly one bucket.

Each SIM has what was planned, done and observed.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from functools import lru_cache
from operator import attrgetter
from typing import Any

from migrator.core.cutover.life import KeptProof
from migrator.core.cutover.silence import Silent
from migrator.core.fleet.sims import SourceSim
from migrator.core.fleet.unit_facts import UnitFacts
from migrator.core.run.states import StepKind, StepState
from migrator.core.run.steps import PAIR_CORRECTED, Item, JobRecord, Verified
from migrator.core.run.verify import Bucket, beside_a_pause, bucket, is_paused_though_planned_live

__all__ = ["COLUMNS", "Pace", "Reconciliation", "ReportRow", "life_values", "moment", "row_of", "unplanned_row"]


@dataclass(frozen=True, slots=True)
class ReportRow:
    """Row of a report for one source SIM.

    Limits are bytes and counts, -1 for no limit. Times are ISO 8601 in UTC. None is unknown.

    The columns from `new_sim` to `proved_at` are the results of proof of life, and None where nobody asked. The last
    five are what people noted of the unit. (`unit` is the comparison of the units of old and new SIM.)
    """

    source_iccid: str
    target_iccid: str | None
    device_id: int | None
    bucket: str
    code: str
    detail: str
    wave: str | None
    name_planned: str | None
    name_observed: str | None
    state_planned: str | None
    state_observed: str | None
    overage_limit_planned: int | None
    overage_limit_observed: int | None
    sms_limit_planned: int | None
    sms_limit_observed: int | None
    job_ids: str
    claimed_at: str | None
    verified_at: str | None
    new_sim: str | None = None
    alive_at: str | None = None
    unit: str | None = None
    source_imei: str | None = None
    target_imei: str | None = None
    old_sim: str | None = None
    old_used_on: str | None = None
    old_asked_at: str | None = None
    proved_at: str | None = None
    silence: str | None = None
    silence_missing: str | None = None
    silence_advice: str | None = None
    unit_name: str | None = None
    site: str | None = None
    ticket: str | None = None
    scanned_at: str | None = None
    scanned_by: str | None = None

    def values(self) -> tuple[Any, ...]:
        """Return the row as JSON values, in the order of the columns."""
        return _values(self)

    def as_dict(self) -> dict[str, Any]:
        """Return the row as JSON values, by column."""
        return dict(zip(COLUMNS, self.values(), strict=True))


COLUMNS = tuple(column.name for column in fields(ReportRow))
_values: Callable[[ReportRow], tuple[Any, ...]] = attrgetter(*COLUMNS)


@dataclass(frozen=True, slots=True)
class Pace:
    """Requests over time, by kind.

    `sent` has the number of requests of each kind in each of equal stretches of time, from `begin` on.
    """

    begin: float = 0.0
    width_s: float = 1.0
    sent: Mapping[str, Sequence[int]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciliation:
    """Content of a report.

    `rows` and `jobs` stream, and can be walked more than once.

    Args:
        plan_id: the plan.
        inventory_total: SIMs in the inventory in force.
        rows: every SIM of plan and inventory, sorted by source ICCID within each.
        runs: the runs of `apply`, oldest first.
        jobs: the bulk requests, oldest first, as JSON values.
        money: the money that the plan foresaw, beside what the journal shows, as JSON values.
        plan: the facts of the plan and its inventory, as JSON values.
        policy_text: the policy file, letter by letter.
        approvals: who approved the plan and when, as JSON values.
        pace: how fast requests went out.
        generated_at: now, in UTC seconds.
        tool: name and version of this program.
        goes_on: the command that begins the plan, or goes on with it.
        running: who works on the plan now, in words; None if nobody does.
        double_billing: the cost of two SIMs a unit now, as JSON values; empty if not computed.
        cutovers: the cutover and rollback plans with their progress, oldest first, as JSON values.
    """

    plan_id: str
    inventory_total: int
    rows: Callable[[], Iterator[ReportRow]]
    runs: Sequence[JobRecord] = ()
    jobs: Callable[[], Iterator[Mapping[str, Any]]] = lambda: iter(())
    money: Mapping[str, Any] = field(default_factory=dict)
    plan: Mapping[str, Any] = field(default_factory=dict)
    policy_text: str = ""
    approvals: Sequence[Mapping[str, Any]] = ()
    pace: Pace = field(default_factory=Pace)
    generated_at: float = 0.0
    tool: str = "migrator"
    goes_on: str = "migrator apply"
    running: str | None = None
    double_billing: Mapping[str, Any] = field(default_factory=dict)
    cutovers: Sequence[Mapping[str, Any]] = ()


def row_of(
    item: Item,
    verified: Verified | None,
    *,
    job_ids: Sequence[str],
    claimed_at: float | None,
    verified_at: float | None,
    rollback: str | None = None,
    proof: KeptProof | None = None,
    facts: UnitFacts | None = None,
    silent: Silent | None = None,
) -> ReportRow:
    """Return the row of one SIM of the plan.

    `rollback` is the rollback that took the SIM back to its old SIM, if any did.
    """
    change, target = item.change, item.target
    if not is_paused_though_planned_live(change, target):
        rollback = None
    others = () if verified is None else beside_a_pause(verified.findings)
    states = frozenset(step.state for step in item.steps.values())
    place = bucket(change, states, verified, is_taken_back=rollback is not None and not others)
    code, detail = _why(item, verified, place, rollback)
    return ReportRow(
        source_iccid=change.source_iccid.digits,
        target_iccid=None if change.target_iccid is None else change.target_iccid.digits,
        device_id=None if target is None else target.device_id,
        bucket=place.value,
        code=code,
        detail=detail,
        wave=change.wave,
        name_planned=change.name,
        name_observed=None if target is None else target.name,
        state_planned=None if change.state is None else change.state.value,
        state_observed=None if target is None else target.state_word,
        overage_limit_planned=change.overage_limit_bytes,
        overage_limit_observed=None if target is None else target.overage_limit_bytes,
        sms_limit_planned=change.sms_limit,
        sms_limit_observed=None if target is None else target.sms_limit,
        job_ids=" ".join(job_ids),
        claimed_at=moment(claimed_at),
        verified_at=moment(verified_at),
        **({} if proof is None else life_values(proof)),
        **_fact_values(facts),
        **({} if silent is None else silent.as_dict()),
    )


def _fact_values(facts: UnitFacts | None) -> dict[str, str | None]:
    """Return what people noted of the unit, by column."""
    if facts is None:
        return {}
    return {
        "unit_name": facts.unit,
        "site": facts.site,
        "ticket": facts.ticket,
        "scanned_at": moment(facts.scanned_at),
        "scanned_by": facts.scanned_by,
    }


def life_values(proof: KeptProof) -> dict[str, str | None]:
    """Return the results of proof of life, by column."""
    return {
        "new_sim": proof.life.value,
        "alive_at": moment(proof.alive_s),
        "unit": proof.unit.value,
        "source_imei": proof.source_imei,
        "target_imei": proof.target_imei,
        "old_sim": None if proof.old is None else proof.old.value,
        "old_used_on": proof.old_used_on,
        "old_asked_at": moment(proof.old_asked_s),
        "proved_at": moment(proof.proved_s),
    }


def unplanned_row(sim: SourceSim, facts: UnitFacts | None = None) -> ReportRow:
    """Return the row of a SIM that only the inventory holds.

    The plan does not hold the SIM.
    """
    empty: dict[str, Any] = dict.fromkeys(COLUMNS)
    told = {
        "source_iccid": sim.iccid.digits,
        "bucket": Bucket.EXCLUDED.value,
        "code": "not_in_plan",
        "detail": "the inventory holds it, and this plan was made without it",
        "job_ids": "",
    }
    return ReportRow(**(empty | told | _fact_values(facts)))


def _why(  # noqa: PLR0911 - a table of rules, the first that fits wins
    item: Item, verified: Verified | None, place: Bucket, rollback: str | None
) -> tuple[str, str]:
    """Return a code and words for the bucket of a SIM.

    A pause that a rollback ordered needs no repair.
    """
    if place is Bucket.SKIPPED and rollback is not None:
        return "rolled_back", f"rollback {rollback} took it back to its old SIM, and paused the new one"
    if place is Bucket.FAILED:
        step = next(step for step in item.steps.values() if step.state is StepState.FAILED)
        return step.code or f"{step.kind.value}_failed", step.message
    set_aside = [step for step in item.steps.values() if step.state is StepState.SKIPPED]
    if place is Bucket.SKIPPED and item.corrected:
        return PAIR_CORRECTED, item.corrected
    if place is Bucket.SKIPPED and set_aside:
        return set_aside[0].code or "set_aside", set_aside[0].message or "an operator set it aside"
    if place in {Bucket.MISMATCH, Bucket.PENDING} and verified is not None and verified.findings:
        first = (*(beside_a_pause(verified.findings) if rollback else ()), *verified.findings)[0]
        words = "; ".join(f"{f.code.value}: planned {f.planned}, observed {f.observed}" for f in verified.findings)
        return first.code.value, words
    if place is Bucket.PENDING:
        return _pending_why(item)
    if place is Bucket.VERIFIED:
        return "", item.change.detail
    return item.change.reason.value, item.change.detail


def _pending_why(item: Item) -> tuple[str, str]:
    if item.state_of(StepKind.CLAIM) is StepState.UNCERTAIN:
        return "claim_uncertain", "its claim was sent and no answer came: the next `apply` reads it back"
    begun = any(step.state is not StepState.PENDING for step in item.steps.values())
    return ("in_progress", "begun, not verified yet") if begun else ("not_begun", "nothing was sent for it yet")


@lru_cache(maxsize=4096)  # the SIMs of a batch share theirs
@lru_cache(maxsize=4096)  # SIMs were claimed, judged and switched off together
def moment(seconds: float | None) -> str | None:
    """Return UTC seconds as ISO 8601; None stays None."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
