"""All that the store has about one SIM, over all plans."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import or_, select

from migrator.core.fleet.sims import TargetLink
from migrator.core.run.steps import Verdict, Verified
from migrator.store.database.database import Database
from migrator.store.database.documents import findings_from
from migrator.store.database.rows import LINK_COLUMNS, AnyRow, link_from
from migrator.store.inventory.snapshots import in_force
from migrator.store.plans.lookup import CUTOVERS, MIGRATIONS, cutover_row
from migrator.store.tables.fleet import pairs, snapshots, target_links
from migrator.store.tables.plans import changes, plans, request_items, requests, verifications
from migrator.store.tables.sightings import old_uses, pair_versions

__all__ = ["SimStory"]

_REQUEST = ("request_id", "kind", "method", "path", "sims", "intent_at", "outcome", "outcome_at", "status", "job_id")


class SimStory:
    """Reader of one SIM's past, by short reads."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def inventory(self) -> AnyRow | None:
        """Return time, API version and origin of the inventory in force."""
        wanted = select(snapshots.c.completed_at, snapshots.c.api_version, snapshots.c.origin)
        return next(iter(self._db.rows(wanted.where(snapshots.c.snapshot_id == in_force))), None)

    def paired_at(self, source_key: str) -> float | None:
        """Return when a SIM was paired (UTC seconds), or None."""
        with self._db.read() as connection:
            return connection.scalar(select(pairs.c.paired_at).where(pairs.c.source_key == source_key))

    def versions(self, source_key: str | None, target_key: str | None) -> Sequence[AnyRow]:
        """Return the corrections of the pairs of two SIMs, oldest first."""
        version = pair_versions.c
        fits = [version.source_key == source_key] if source_key is not None else []
        fits += [version.was_target_key == target_key] if target_key is not None else []
        wanted = select(pair_versions).where(or_(*fits)).order_by(version.corrected_at, version.version)
        return self._db.rows(wanted) if fits else ()

    def old_use(self, source_key: str) -> AnyRow | None:
        """Return the last answer about the old SIM's use, or None."""
        return next(iter(self._db.rows(select(old_uses).where(old_uses.c.source_key == source_key))), None)

    def link(self, target_key: str) -> tuple[TargetLink | None, float] | None:
        """Return a new SIM as it was read last, with the time.

        The SIM is None where it was looked for and not seen. None if nobody looked.
        """
        row = next(iter(self._db.rows(select(*LINK_COLUMNS).where(target_links.c.key == target_key))), None)
        return None if row is None else (link_from(row), row.read_at)

    def plans(self, source_key: str) -> list[dict[str, Any]]:
        """Return the plans that hold an old SIM, oldest first.

        Each has id, state, and times in UTC seconds.
        """
        plan = plans.c
        wanted = (
            select(plan.plan_id, plan.state, plan.created_at, plan.started_at, plan.finished_at)
            .join_from(plans, changes, changes.c.plan_no == plan.plan_no)
            .where(changes.c.source_key == source_key, plan.plan_id.is_not(None))
            .where(changes.c.plan_no.in_(MIGRATIONS))
            .order_by(plan.made_no)
        )
        return [row._asdict() for row in self._db.rows(wanted)]

    def verdict(self, plan_id: str, source_key: str) -> tuple[Verified, float] | None:
        """Return a plan's last verdict on a SIM, with its time."""
        row = next(iter(self._db.rows(self._of_plan(verifications, plan_id, source_key))), None)
        if row is None:
            return None
        return Verified(source_key, Verdict(row.verdict), findings_from(row.findings)), row.verified_at

    def requests(self, source_key: str) -> list[dict[str, Any]]:
        """Return every request of `apply` that named a SIM, oldest first."""
        request = requests.c
        wanted = (
            select(*(request[name] for name in _REQUEST), request.job_status, request.message, plans.c.plan_id)
            .join_from(request_items, requests, requests.c.request_id == request_items.c.request_id)
            .join(plans, plans.c.plan_no == request.plan_no)
            .where(request_items.c.source_key == source_key)
            .where(request_items.c.plan_no.in_(MIGRATIONS))
            .order_by(request.request_id)
        )
        return [row._asdict() for row in self._db.rows(wanted)]

    def cutovers(self, source_key: str) -> list[str]:
        """Return the cutovers and rollbacks with a SIM, oldest first."""
        wanted = (
            select(plans.c.plan_id)
            .join_from(plans, changes, changes.c.plan_no == plans.c.plan_no)
            .where(changes.c.source_key == source_key, changes.c.plan_no.in_(CUTOVERS))
            .order_by(plans.c.made_no)
        )
        return [row.plan_id for row in self._db.rows(wanted)]

    def cutover_requests(self, cutover_id: str, source_key: str) -> list[dict[str, Any]]:
        """Return every request of a cutover or rollback that names a SIM.

        The oldest comes first.
        """
        request, plan_no = requests.c, cutover_row(self._db, cutover_id).plan_no
        wanted = (
            select(*(request[name] for name in _REQUEST), request.job_status, request.message)
            .join_from(request_items, requests, requests.c.request_id == request_items.c.request_id)
            .where(request_items.c.plan_no == plan_no, request_items.c.source_key == source_key)
            .order_by(request.request_id)
        )
        return [row._asdict() for row in self._db.rows(wanted)]

    @staticmethod
    def _of_plan(table: Any, plan_id: str, source_key: str) -> Any:
        number = select(plans.c.plan_no).where(plans.c.plan_id == plan_id).scalar_subquery()
        return select(table).where(table.c.plan_no == number, table.c.source_key == source_key)
