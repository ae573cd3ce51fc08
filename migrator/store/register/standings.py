"""Standings of all accounts, by short reads in one session."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, func, select, text

from migrator.core.accounts.records import AccountStanding, Phase
from migrator.core.run.states import PlanKind, PlanState, StepKind, StepState
from migrator.core.run.steps import Verdict
from migrator.errors import MigratorError, StoreLost
from migrator.store.campaigns.outbox import is_open
from migrator.store.control.lease import EXPIRY_S, Owner
from migrator.store.database.database import Database
from migrator.store.database.postgresql.address import schema_of
from migrator.store.database.schema import migrations_folder, revision, revisions
from migrator.store.database.sql import by_greatest
from migrator.store.inventory.snapshots import in_force
from migrator.store.moved import must_be_here
from migrator.store.register.stores import reading_store
from migrator.store.tables.campaigns import campaigns
from migrator.store.tables.fleet import source_sims
from migrator.store.tables.outbox import deliveries
from migrator.store.tables.plans import lease, plans, steps, verifications

__all__ = ["read_standings"]

_SCHEMAS = text("SELECT nspname, has_schema_privilege(oid, 'USAGE') FROM pg_namespace WHERE nspname = ANY(:names)")


def _newest(value: ColumnElement[Any], table: Any, *which: ColumnElement[bool]) -> Select[Any]:
    """Select the value of each SIM's newest plan."""
    newest = select(
        table.c.source_key,
        by_greatest(value, plans.c.plan_no).label("value"),
        func.max(plans.c.plan_no).label("plan_no"),
    )
    return newest.join(plans, plans.c.plan_no == table.c.plan_no).where(*which).group_by(table.c.source_key)


_verdicts = _newest(verifications.c.verdict, verifications, plans.c.kind == PlanKind.MIGRATE).subquery()
_switched = _newest(
    plans.c.kind,
    steps,
    and_(plans.c.kind.in_((PlanKind.CUTOVER, PlanKind.ROLLBACK)), steps.c.kind == StepKind.SOURCE),
    steps.c.state == StepState.DONE,
).subquery()
_plans = select(plans.c.plan_id, plans.c.state).where(plans.c.kind == PlanKind.MIGRATE, plans.c.plan_id.is_not(None))
_newest_plan = _plans.order_by(plans.c.made_no.desc()).limit(1).subquery()

_TOLD = select(
    in_force.label("inventory"),
    select(func.count()).select_from(source_sims).where(source_sims.c.snapshot_id == in_force).scalar_subquery(),
    select(func.count()).select_from(_verdicts).where(_verdicts.c.value == Verdict.OK).scalar_subquery(),
    select(func.count()).select_from(_switched).where(_switched.c.value == PlanKind.CUTOVER).scalar_subquery(),
    select(campaigns.c.state).where(campaigns.c.ended_at.is_(None)).limit(1).scalar_subquery(),
    select(_newest_plan.c.plan_id).scalar_subquery(),
    select(_newest_plan.c.state).scalar_subquery(),
    select(func.count()).select_from(plans).where(plans.c.state == PlanState.STARTED).scalar_subquery(),
    select(func.count()).select_from(deliveries).where(is_open).scalar_subquery(),
)
_HELD = select(lease)


def read_standings(database: Database, names: Iterable[str]) -> dict[str, AccountStanding]:
    """Return how each account stands.

    An account that cannot be read has its trouble in words; the others are read all the same.

    Raises: StoreLost.
    """
    wanted = {name: schema_of(name) for name in names}
    allowed = dict(map(tuple, database.rows(_SCHEMAS, names=list(wanted.values()))))
    found = {}
    for name, schema in wanted.items():
        if schema not in allowed:
            found[name] = AccountStanding(Phase.NO_STORE)
        elif not allowed[schema]:
            found[name] = AccountStanding(Phase.UNKNOWN, trouble="this user has no right to read it")
        else:
            found[name] = _one(database, schema)
    return found


def _one(database: Database, schema: str) -> AccountStanding:
    try:
        with reading_store(database, schema) as connection:
            trouble = _schema_trouble(connection)
            if trouble is not None:
                return trouble
            must_be_here(connection)
            return _standing(database, connection)
    except StoreLost:
        raise  # no other account can be read either
    except MigratorError as error:
        return AccountStanding(Phase.UNKNOWN, trouble=error.message)


def _schema_trouble(connection: Connection) -> AccountStanding | None:
    found, known = revision(connection), revisions(migrations_folder())
    if found is None:
        return AccountStanding(Phase.NO_STORE)
    if found == known[-1]:
        return None
    words = "newer than this tool" if found not in known else "older: run `migrator state upgrade`"
    return AccountStanding(Phase.UNKNOWN, trouble=f"its schema {found} is {words}")


def _standing(database: Database, connection: Connection) -> AccountStanding:
    inventory, sims, verified, cut_over, campaign, plan, state, begun, waiting = connection.execute(_TOLD).one()
    held = connection.execute(_HELD).first()
    holder = None
    if held is not None and held.heartbeat_at > database.time(connection, 0.0) - EXPIRY_S:
        holder = str(Owner(held.host, held.pid, held.process_started_at))
    if inventory is None:
        return AccountStanding(Phase.NO_INVENTORY, campaign=campaign, holder=holder, notices=waiting)
    phase = _phase(state, verified=verified, cut_over=cut_over, is_busy=bool(begun or campaign))
    return AccountStanding(phase, sims, verified, cut_over, campaign, plan, holder, notices=waiting)


def _phase(newest: str | None, *, verified: int, cut_over: int, is_busy: bool) -> Phase:
    if cut_over:
        return Phase.DONE if cut_over >= verified and not is_busy else Phase.CUTOVER
    if newest is None:
        return Phase.INVENTORY
    if verified or newest == PlanState.STARTED:
        return Phase.MIGRATED if newest == PlanState.FINISHED and not is_busy else Phase.MIGRATING
    return Phase.MIGRATED if newest == PlanState.FINISHED else Phase.PLANNED
