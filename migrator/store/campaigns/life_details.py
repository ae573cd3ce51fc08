"""Names, times and plans of some SIMs."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import bindparam, func, select

from migrator.core.run.states import PlanKind, StepKind
from migrator.store.campaigns.life_rows import is_one
from migrator.store.database.database import Database
from migrator.store.database.rows import among, json_list
from migrator.store.database.sql import Query, by_greatest
from migrator.store.inventory.snapshots import in_force
from migrator.store.tables.fleet import pairs, source_sims, unit_facts
from migrator.store.tables.plans import changes, plans, proofs, steps, verifications
from migrator.store.tables.sightings import baselines

__all__ = ["Details", "Times", "details"]

_is_cutover = is_one(plans.c.kind, (PlanKind.CUTOVER, PlanKind.ROLLBACK))

_ABOUT = Query(
    select(
        source_sims.c.key,
        pairs.c.paired_at,
        source_sims.c.iccid,
        pairs.c.target_iccid,
        unit_facts.c.unit,
        unit_facts.c.site,
        unit_facts.c.ticket,
        source_sims.c.label,
        source_sims.c.status,
        source_sims.c.imei,
        baselines.c.status,
        baselines.c.label,
        baselines.c.imei,
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


_since = func.max(steps.c.since)
_MOVED = Query(
    select(
        steps.c.source_key,
        _since.filter(is_one(steps.c.kind, [StepKind.CLAIM]) & ~_is_cutover),
        _since.filter(_is_cutover),
    )
    .join_from(_mine, steps, _of_mine(steps))
    .join(plans, plans.c.plan_no == steps.c.plan_no)
    .group_by(steps.c.source_key)
)
_JUDGED = Query(
    select(_mine.c.source_key, func.max(verifications.c.verified_at))
    .join_from(_mine, verifications, _of_mine(verifications))
    .group_by(_mine.c.source_key)
)
_PROVED = Query(
    select(_mine.c.source_key, func.max(proofs.c.proved_at))
    .join_from(_mine, proofs, _of_mine(proofs))
    .group_by(_mine.c.source_key)
)
_PLANNED = Query(
    select(
        _mine.c.source_key,
        func.max(plans.c.made_no),
        by_greatest(_mine.c.plan_no, plans.c.made_no),
        by_greatest(plans.c.created_at, plans.c.made_no),
    )
    .join_from(_mine, plans, plans.c.plan_no == _mine.c.plan_no)
    .where(plans.c.plan_id.is_not(None), ~_is_cutover)
    .group_by(_mine.c.source_key)
)
_IDS = Query(select(plans.c.plan_no, plans.c.plan_id).where(plans.c.plan_id.is_not(None)))

About = Sequence[Any]
"""Values of one SIM.

They are when it was paired (UTC seconds), then the values of `SimLife` from `source_iccid` to `baseline_imei` that do
not tell where it stands.
"""


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

    def times_of(self, key: str) -> Times:
        """Return the moments of a SIM; they may be set."""
        if key not in self.times:
            self.times[key] = Times()
        return self.times[key]


def details(database: Database, keys: Sequence[str]) -> Details:
    """Return names, times and plans of some SIMs."""
    wanted, found = {"keys": json_list(keys)}, Details()
    found.about = {key: about for key, *about in database.tuples(_ABOUT, **wanted)}
    for key, claimed_s, switched_s in database.tuples(_MOVED, **wanted):
        found.times[key] = Times(claimed_s, switched_s)
    for key, at_s in database.tuples(_JUDGED, **wanted):
        found.times_of(key).judged_s = at_s
    for key, at_s in database.tuples(_PROVED, **wanted):
        found.times_of(key).proved_s = at_s
    for key, _made_no, plan_no, at_s in database.tuples(_PLANNED, **wanted):
        found.newest_plan[key] = plan_no
        found.times_of(key).planned_s = at_s
    found.plan_ids.update(database.tuples(_IDS))
    return found
