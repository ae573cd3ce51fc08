"""The reconciliation: every source SIM in exactly one bucket, with what was planned, done and observed."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from typing import Any

from migrator.core.fleet import SourceSim
from migrator.core.journal import Item, JobRecord, Verified
from migrator.core.reconcile import Bucket, bucket
from migrator.core.states import StepKind, StepState

__all__ = ["COLUMNS", "Reconciliation", "ReportRow", "moment", "row_of", "unplanned_row"]


@dataclass(frozen=True, slots=True)
class ReportRow:
    """One source SIM. Limits are bytes and counts, -1 for none; times are ISO 8601 in UTC; None is unknown."""

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

    def as_dict(self) -> dict[str, Any]:
        """The row as JSON values, in the order of the columns."""
        return asdict(self)


COLUMNS = tuple(column.name for column in fields(ReportRow))


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """All that a report tells. `rows` can be walked more than once; it streams.

    `money` holds what the plan foresaw beside what the journal shows, as JSON values.
    """

    plan_id: str
    inventory_total: int
    rows: Callable[[], Iterator[ReportRow]]
    runs: Sequence[JobRecord]
    jobs: Sequence[Mapping[str, Any]]
    money: Mapping[str, Any]

    def buckets(self) -> dict[str, int]:
        """How many SIMs are in each bucket; empty buckets are named, too."""
        counts = Counter(row.bucket for row in self.rows())
        return {name.value: counts[name.value] for name in Bucket}

    def findings(self) -> Counter[tuple[str, str]]:
        """How many SIMs need attention, by bucket and code."""
        at_ease = {Bucket.VERIFIED, Bucket.SKIPPED, Bucket.EXCLUDED}
        return Counter((row.bucket, row.code) for row in self.rows() if row.bucket not in at_ease)


def row_of(
    item: Item,
    verified: Verified | None,
    *,
    job_ids: Sequence[str],
    claimed_at: float | None,
    verified_at: float | None,
) -> ReportRow:
    """The row of one SIM of the plan."""
    change, target = item.change, item.target
    place = bucket(change, frozenset(step.state for step in item.steps.values()), verified)
    code, detail = _why(item, verified, place)
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
    )


def unplanned_row(sim: SourceSim) -> ReportRow:
    """The row of a SIM that the inventory holds and the plan does not."""
    empty: dict[str, Any] = dict.fromkeys(COLUMNS)
    detail = "the inventory holds it, and this plan was made without it"
    return ReportRow(
        **(
            empty
            | {
                "source_iccid": sim.iccid.digits,
                "bucket": Bucket.EXCLUDED.value,
                "code": "not_in_plan",
                "detail": detail,
                "job_ids": "",
            }
        )
    )


def _why(item: Item, verified: Verified | None, place: Bucket) -> tuple[str, str]:
    """A code and words for the bucket that a SIM is in."""
    if place is Bucket.FAILED:
        step = next(step for step in item.steps.values() if step.state is StepState.FAILED)
        return step.code or f"{step.kind.value}_failed", step.message
    if place in {Bucket.MISMATCH, Bucket.PENDING} and verified is not None and verified.findings:
        first = verified.findings[0]
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


def moment(seconds: float | None) -> str | None:
    """UTC seconds as ISO 8601; None stays None."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
