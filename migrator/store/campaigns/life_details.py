"""Names, times and plans of some SIMs."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import bindparam, func, select

from migrator.core.run.states import PlanKind, StepKind
from migrator.store.database.database import Database
from migrator.store.database.rows import among, json_list
from migrator.store.inventory.snapshots import in_force
from migrator.store.tables.fleet import pairs, source_sims, unit_facts
from migrator.store.tables.plans import changes, plans, proofs, steps, verifications
from migrator.store.tables.sightings import baselines

__all__ = ["About", "Details", "Times", "details"]

_SWITCHING = frozenset({PlanKind.CUTOVER.value, PlanKind.ROLLBACK.value})

_ABOUT = (
    select(
        source_sims.c.key,
        source_sims.c.iccid.label("source_iccid"),
        pairs.c.target_iccid,
        unit_facts.c.unit,
        unit_facts.c.site,
        unit_facts.c.ticket,
        source_sims.c.label,
        source_sims.c.status,
        source_sims.c.imei,
        baselines.c.status.label("baseline_status"),
        baselines.c.label.label("baseline_label"),
        baselines.c.imei.label("baseline_imei"),
        pairs.c.paired_at,
    )
    .select_from(source_sims)
    .outerjoin(pairs, pairs.c.source_key == source_sims.c.key)
    .outerjoin(unit_facts, unit_facts.c.source_key == source_sims.c.key)
    .outerjoin(baselines, baselines.c.source_key == source_sims.c.key)
    .where(source_sims.c.snapshot_id == in_force, among(source_sims.c.key, bindparam("keys")))
)
_mine = (
    select(changes.c.plan_no, changes.c.source_key)
    .where(among(changes.c.source_key, bindparam("keys")))
    .cte("mine")
    .prefix_with("MATERIALIZED")
)


def _of_mine(table: Any) -> Any:
    return (table.c.plan_no == _mine.c.plan_no) & (table.c.source_key == _mine.c.source_key)


_STEPS = select(steps.c.source_key, steps.c.plan_no, steps.c.kind, steps.c.since).join_from(
    _mine, steps, _of_mine(steps)
)
_JUDGED = (
    select(_mine.c.source_key, func.max(verifications.c.verified_at).label("at"))
    .join_from(_mine, verifications, _of_mine(verifications))
    .group_by(_mine.c.source_key)
)
_PROVED = (
    select(_mine.c.source_key, func.max(proofs.c.proved_at).label("at"))
    .join_from(_mine, proofs, _of_mine(proofs))
    .group_by(_mine.c.source_key)
)
_PLANS = select(plans.c.plan_no, plans.c.plan_id, plans.c.kind, plans.c.made_no, plans.c.created_at).where(
    plans.c.plan_id.is_not(None)
)


@dataclass(frozen=True, slots=True)
class About:
    """Values of one SIM, by the names of `SimLife`.

    `paired_s` is when it was paired (UTC seconds).
    """

    values: dict[str, Any]
    paired_s: float | None


@dataclass(slots=True)
class Times:
    """Moments of one SIM's journal (UTC seconds).

    They tell when its steps moved last, and when it was judged, proved and planned last.
    """

    claimed_s: float | None = None
    switched_s: float | None = None
    judged_s: float | None = None
    proved_s: float | None = None
    planned_s: float | None = None


@dataclass(slots=True)
class Details:
    """Details of some SIMs, by the key of the old SIM.

    Plans are by their number.
    """

    about: dict[str, About] = field(default_factory=dict)
    times: dict[str, Times] = field(default_factory=dict)
    newest_plan: dict[str, int] = field(default_factory=dict)
    plan_ids: dict[int | None, str] = field(default_factory=dict)


def details(database: Database, keys: Sequence[str]) -> Details:
    """Return names, times and plans of some SIMs."""
    wanted = {"keys": json_list(keys)}
    found = Details()
    with database.read() as connection:
        for row in connection.execute(_ABOUT, wanted):
            key, *_ = row
            values = row._asdict()
            del values["key"]
            found.about[key] = About(values, values.pop("paired_at"))
        known = {row.plan_no: row for row in connection.execute(_PLANS)}
        found.plan_ids = {number: row.plan_id for number, row in known.items()}
        _note_plans(found, known, connection.execute(select(_mine), wanted).all())
        for key, plan_no, kind, since in connection.execute(_STEPS, wanted):
            _note_step(found, key, since, kind, is_switch=known[plan_no].kind in _SWITCHING)
        for key, at_s in connection.execute(_JUDGED, wanted):
            found.times.setdefault(key, Times()).judged_s = at_s
        for key, at_s in connection.execute(_PROVED, wanted):
            found.times.setdefault(key, Times()).proved_s = at_s
    return found


def _note_plans(found: Details, known: dict[int, Any], mine: Sequence[Any]) -> None:
    """Note the newest migration of each SIM."""
    for plan_no, key in mine:
        plan = known.get(plan_no)
        if plan is None or plan.kind in _SWITCHING:
            continue
        other = known.get(found.newest_plan.get(key, -1))
        if other is None or other.made_no < plan.made_no:
            found.newest_plan[key] = plan_no
            found.times.setdefault(key, Times()).planned_s = plan.created_at


def _note_step(found: Details, key: str, since: float, kind: str, *, is_switch: bool) -> None:
    times = found.times.setdefault(key, Times())
    if is_switch:
        times.switched_s = max(since, times.switched_s or 0.0)
    elif kind == StepKind.CLAIM:
        times.claimed_s = max(since, times.claimed_s or 0.0)
