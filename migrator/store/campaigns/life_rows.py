"""Facts of lives, of all SIMs or of some."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import CTE, ColumnElement, Select, bindparam, case, func, literal_column, or_, select

from migrator.core.cutover.plan import Aside
from migrator.core.plan.plan import Action
from migrator.core.run.doubts import MAY_STILL_COME, Doubt
from migrator.core.run.states import PlanKind, StepKind, StepState
from migrator.core.run.steps import Verdict
from migrator.store.database.database import Database
from migrator.store.database.rows import among, is_later, json_list
from migrator.store.database.sql import Query, by_greatest, json_at, json_number_at
from migrator.store.inventory.snapshots import in_force
from migrator.store.pairs.paid_pairs import STOCK_PLANS
from migrator.store.tables.fleet import pairs, source_sims, target_links, unit_facts
from migrator.store.tables.plans import changes, plans, proofs, steps, verifications
from migrator.store.tables.sightings import pair_versions

__all__ = ["COLUMNS", "LifeRow", "Sides", "is_one", "keys_after", "named", "rows_of_all", "rows_of_some", "sides"]

LifeRow = tuple[Any, ...]
"""Values of one old SIM, in the order of `COLUMNS`."""

COLUMNS = (
    "key",
    "status",
    "target_key",
    "present",
    "org_id",
    "device_id",
    "state",
    "claimed_at",
    "connected_at",
    "claim_plan",
    "stock_plan",
    "claim_noted_s",
    "proof_life",
    "proof_alive_s",
    "first_alive_s",
    "proof_unit",
    "proof_old",
    "old_used_on",
    "off_at",
    "back_at",
    "is_overtaken",
    "scanned_at",
)


def _text(value: str) -> ColumnElement[str]:
    """Return a known word as SQL, for queries without `IN`."""
    return literal_column(f"'{value}'")


def _of_newest(column: Any, by: ColumnElement[Any]) -> ColumnElement[Any]:
    """Return a column of the row with the maximum, under its name."""
    return by_greatest(column, by).label(column.name)


def is_one(column: ColumnElement[str], values: Iterable[str]) -> ColumnElement[bool]:
    """Return SQL for one of some known words, without `IN`."""
    return or_(*(column == _text(value) for value in values))


_CLAIMING = (PlanKind.MIGRATE.value, PlanKind.STOCK.value)
_CUTOVER_KINDS = (PlanKind.CUTOVER.value, PlanKind.ROLLBACK.value)


@dataclass(frozen=True, slots=True)
class _Scope:
    """Part of the journal that a query looks at.

    `mine` are the changes of some SIMs; None for all.
    """

    mine: CTE | None = None

    def of(self, table: Any, *columns: Any) -> Select[Any]:
        """Select from a table of the journal."""
        if self.mine is None:
            return select(*columns).select_from(table)
        both = (table.c.plan_no == self.mine.c.plan_no) & (table.c.source_key == self.mine.c.source_key)
        return select(*columns).join_from(self.mine, table, both)


_asked = select(changes.c.plan_no, changes.c.source_key).where(among(changes.c.source_key, bindparam("keys")))
_ALL = _Scope()
_SOME = _Scope(_asked.cte("mine").prefix_with("MATERIALIZED"))


def _still_counts(plan_no: Any, source_key: Any) -> ColumnElement[bool]:
    """Return the condition of evidence that is about the card of now.

    Only a correction gives a claimed SIM another card. Where none was made, nothing more is looked up.
    """
    was = pair_versions.alias()
    planned = select(changes.c.target_key).where(changes.c.plan_no == plan_no, changes.c.source_key == source_key)
    now = select(pairs.c.target_key).where(pairs.c.source_key == source_key)
    corrected = select(was.c.version).where(was.c.source_key == source_key).exists()
    return or_(~corrected, planned.scalar_subquery() == now.scalar_subquery())


def _of_claim(column: Any) -> ColumnElement[Any]:
    """Return a value of the newest claim that still counts."""
    done = (steps.c.kind == _text(StepKind.CLAIM)) & (steps.c.state == _text(StepState.DONE))
    wanted = select(func.max(column)).where(steps.c.source_key == source_sims.c.key, done)
    wanted = wanted.where(_still_counts(steps.c.plan_no, steps.c.source_key))
    return wanted.correlate(source_sims).scalar_subquery()


def _of_stock_claim(column: Any) -> ColumnElement[Any]:
    """Return a value of a card's newest claim for the stock.

    A card stands in the place of an old SIM there. Fleets without a stock look nothing up.
    """
    done = (steps.c.kind == _text(StepKind.CLAIM)) & (steps.c.state == _text(StepState.DONE))
    wanted = select(column).where(steps.c.source_key == pairs.c.target_key, done, steps.c.plan_no.in_(STOCK_PLANS))
    newest = wanted.order_by(steps.c.plan_no.desc()).limit(literal_column("1"))
    return case((STOCK_PLANS.exists(), newest.correlate(pairs).scalar_subquery()))


_OF_PROOF = ("life", "alive_at", "first_alive_at", "unit", "old", "old_used_on")


def _last_proofs(scope: _Scope) -> CTE:
    """Return the newest proof of each SIM."""
    proof = proofs.c
    newest = scope.of(
        proofs,
        proof.source_key,
        func.max(proof.proved_at).label("proved_at"),
        *(_of_newest(proof[name], proof.proved_at) for name in _OF_PROOF),
    )
    newest = newest.where(_still_counts(proof.plan_no, proof.source_key)).group_by(proof.source_key)
    return newest.cte("last_proofs").prefix_with("MATERIALIZED")


def _turns(scope: _Scope) -> CTE:
    """Return when each SIM was switched off and on last.

    The time is when the plan was begun: a later plan overtakes an earlier one.
    """
    begun = func.max(plans.c.started_at)
    is_cutover = plans.c.kind == _text(PlanKind.CUTOVER)
    is_rollback = plans.c.kind == _text(PlanKind.ROLLBACK)
    is_overtaken = is_rollback & or_(_was_set_again(), _is_of_another_card())
    is_source = steps.c.kind == _text(StepKind.SOURCE)
    is_settled = (steps.c.state == _text(StepState.DONE)) | (steps.c.code == _text(Aside.ALREADY))
    wanted = (
        scope.of(
            steps,
            steps.c.source_key,
            begun.filter(is_cutover).label("off_at"),
            begun.filter(is_rollback).label("back_at"),
            func.max(case((is_overtaken, 1), else_=0)).label("is_overtaken"),
        )
        .join(plans, plans.c.plan_no == steps.c.plan_no)
        .where(is_source | (is_rollback & (steps.c.kind == _text(StepKind.PAUSE))), is_settled)
        .where(steps.c.plan_no.in_(select(plans.c.plan_no).where(is_one(plans.c.kind, _CUTOVER_KINDS))))
        .group_by(steps.c.source_key)
    )
    return wanted.cte("turns").prefix_with("MATERIALIZED")


def _was_set_again() -> ColumnElement[bool]:
    """Return the condition of a rollback that a plan undid."""
    later, of = steps.alias(), plans.alias()
    return (
        select(later.c.source_key)
        .join_from(later, of, of.c.plan_no == later.c.plan_no)
        .where(later.c.plan_no.in_(select(plans.c.plan_no)), later.c.source_key == steps.c.source_key)
        .where(later.c.kind == _text(StepKind.STATE), later.c.state == _text(StepState.DONE))
        .where(later.c.since > steps.c.since, of.c.kind == _text(PlanKind.MIGRATE))
        .exists()
    )


def _is_of_another_card() -> ColumnElement[bool]:
    """Return the condition of a rollback for another card."""
    was = pair_versions.alias()
    target = json_at(changes.c.document, "target_iccid")
    this = (changes.c.plan_no == steps.c.plan_no) & (changes.c.source_key == steps.c.source_key)
    told = select(target).where(this).scalar_subquery()
    now = select(pairs.c.target_iccid).where(pairs.c.source_key == steps.c.source_key).scalar_subquery()
    corrected = select(was.c.version).where(was.c.source_key == steps.c.source_key).exists()
    return corrected & told.is_distinct_from(now)


def _main(scope: _Scope) -> Select[Any]:
    last, turns = _last_proofs(scope), _turns(scope)
    sim, link = source_sims.c, target_links.c
    claim = _of_claim(steps.c.plan_no)
    if scope.mine is None:  # of whole fleets, the journal is asked only where the record does not tell
        is_told = (link.present == literal_column("1")) & link.device_id.is_not(None)
        claim = case((is_told, None), else_=claim)
    noted = func.coalesce(_of_claim(steps.c.since), _of_stock_claim(steps.c.since))
    return (
        select(
            sim.key,
            sim.status,
            pairs.c.target_key,
            link.present,
            link.org_id,
            link.device_id,
            link.state,
            link.claimed_at,
            link.last_connected_at,
            claim.label("claim_plan"),
            _of_stock_claim(steps.c.plan_no).label("stock_plan"),
            case((link.claimed_at.is_(None), noted)).label("claim_noted_s"),
            last.c.life,
            last.c.alive_at,
            last.c.first_alive_at,
            last.c.unit,
            last.c.old,
            last.c.old_used_on,
            turns.c.off_at,
            turns.c.back_at,
            turns.c.is_overtaken,
            unit_facts.c.scanned_at,
        )
        .select_from(source_sims)
        .outerjoin(pairs, pairs.c.source_key == sim.key)
        .outerjoin(target_links, link.key == pairs.c.target_key)
        .outerjoin(last, last.c.source_key == sim.key)
        .outerjoin(turns, turns.c.source_key == sim.key)
        .outerjoin(unit_facts, unit_facts.c.source_key == sim.key)
        .where(sim.snapshot_id == in_force)
        .order_by(sim.key)
    )


_MAIN_OF_ALL = Query(_main(_ALL))
_MAIN_OF_SOME = Query(_main(_SOME).where(among(source_sims.c.key, bindparam("keys"))))


def rows_of_all(database: Database) -> Iterator[LifeRow]:
    """Yield the row of every old SIM, sorted by key; see `Database.each`."""
    return database.each(_MAIN_OF_ALL)


def rows_of_some(database: Database, keys: Iterable[str]) -> list[LifeRow]:
    """Return the rows of some old SIMs, sorted by key.

    SIMs that the inventory does not hold are left out.
    """
    return database.tuples(_MAIN_OF_SOME, keys=json_list(keys))


_KEYS = Query(
    select(source_sims.c.key)
    .where(source_sims.c.snapshot_id == in_force, is_later(source_sims.c.key))
    .order_by(source_sims.c.key)
    .limit(bindparam("most"))
)


def keys_after(database: Database, after: str, most: int) -> list[str]:
    """Return the next keys of the inventory."""
    return [key for (key,) in database.tuples(_KEYS, after=after, most=most)]


def named(row: LifeRow) -> dict[str, Any]:
    """Return the values of a row by the names of `COLUMNS`."""
    return dict(zip(COLUMNS, row, strict=True))


# --- what few SIMs have -------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Sides:
    """Facts that few SIMs have, by the key of the old SIM.

    Attributes:
        claim_doubts: SIMs whose claim has an unknown outcome.
        cutover_doubts: when the cutover was begun whose order has an unknown outcome (UTC seconds).
        refused: SIMs whose claim was refused for good.
        differing: SIMs whose newest verdict is a difference, or with a setting that was refused.
        left: action and reason of the newest plan, where it does not act.
        planned: keys with an action of the newest plan that acts.
        aside: SIMs that an operator set aside in the newest plan.
        org_id: our organization by the newest plan; None without a plan.
    """

    claim_doubts: set[str] = field(default_factory=set)
    cutover_doubts: dict[str, float] = field(default_factory=dict)
    refused: set[str] = field(default_factory=set)
    differing: set[str] = field(default_factory=set)
    left: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    aside: set[str] = field(default_factory=set)
    org_id: int | None = None


def _open_steps(scope: _Scope) -> Select[Any]:
    """Select every step that is in doubt, refused or set aside."""
    is_open = is_one(steps.c.state, [state for state in StepState if state is not StepState.DONE])
    may_come = or_(steps.c.state != _text(StepState.PENDING), is_one(steps.c.code, map(str, MAY_STILL_COME)))
    return (
        scope.of(steps, steps.c.source_key, steps.c.plan_no, steps.c.kind, steps.c.state, steps.c.code)
        .add_columns(plans.c.kind.label("plan_kind"), plans.c.started_at)
        .join(plans, plans.c.plan_no == steps.c.plan_no)
        .where(steps.c.plan_no.in_(select(plans.c.plan_no)), is_open, may_come)
        .where(or_(is_one(plans.c.kind, _CUTOVER_KINDS), _planned_card(steps) == _card_now(steps)))
        .where(or_(steps.c.kind == _text(StepKind.CLAIM), steps.c.state != _text(StepState.FAILED), ~_was_mended()))
        .order_by(steps.c.source_key, plans.c.made_no)
    )


def _planned_card(of: Any) -> Any:
    """Return the card that a step or verdict is about.

    A card that was refused may be replaced without a correction.
    """
    this = (changes.c.plan_no == of.c.plan_no) & (changes.c.source_key == of.c.source_key)
    return select(changes.c.target_key).where(this).scalar_subquery()


def _card_now(of: Any) -> Any:
    return select(pairs.c.target_key).where(pairs.c.source_key == of.c.source_key).scalar_subquery()


def _was_mended() -> ColumnElement[bool]:
    """Return the condition of a refused setting that is mended."""
    verdict = verifications.c
    return (
        select(verdict.source_key)
        .where(verdict.plan_no.in_(select(plans.c.plan_no)), verdict.source_key == steps.c.source_key)
        .where(verdict.verdict == _text(Verdict.OK), verdict.verified_at >= steps.c.since)
        .exists()
    )


def _newest_changes(scope: _Scope) -> Select[Any]:
    """Select action and reason of plans that do not act.

    The newest migration of each SIM counts.
    """
    newest = (
        scope.of(
            changes,
            changes.c.source_key,
            func.max(plans.c.made_no).label("made_no"),
            *(_of_newest(column, plans.c.made_no) for column in (changes.c.action, changes.c.reason)),
        )
        .join(plans, plans.c.plan_no == changes.c.plan_no)
        .where(is_one(plans.c.kind, _CLAIMING), plans.c.plan_id.is_not(None))
        .group_by(changes.c.source_key)
        .cte("newest")
        .prefix_with("MATERIALIZED")
    )
    return select(newest.c.source_key, newest.c.action, newest.c.reason).where(
        is_one(newest.c.action, (Action.SKIP, Action.BLOCK))
    )


def _bad_verdicts(scope: _Scope) -> Select[Any]:
    """Select SIMs whose newest verdict is a difference that stays.

    A verdict on a card that was replaced, as one that was refused, is none on the card of now. Only differences are
    looked up: there are few.
    """
    verdict = verifications.c
    now, is_bad = _card_now(verifications), is_one(verdict.verdict, (Verdict.MISMATCH, Verdict.MISSING))
    columns = (func.max(verdict.verified_at).label("verified_at"), _of_newest(verdict.verdict, verdict.verified_at))
    newest = (
        scope.of(verifications, verdict.source_key, *columns)
        .where(_still_counts(verdict.plan_no, verdict.source_key))
        .where(or_(~is_bad, now.is_(None), now == _planned_card(verifications)))  # a card of the stock has no pair
        .group_by(verdict.source_key)
        .cte("newest_verdicts")
        .prefix_with("MATERIALIZED")
    )
    return select(newest.c.source_key).where(is_one(newest.c.verdict, (Verdict.MISMATCH, Verdict.MISSING)))


_OF_ALL = tuple(map(Query, (_open_steps(_ALL), _newest_changes(_ALL), _bad_verdicts(_ALL))))
_OF_SOME = tuple(map(Query, (_open_steps(_SOME), _newest_changes(_SOME), _bad_verdicts(_SOME))))
_ORG = Query(
    select(json_number_at(plans.c.header, "org_id"))
    .where(is_one(plans.c.kind, _CLAIMING), plans.c.plan_id.is_not(None))
    .order_by(plans.c.made_no.desc())
    .limit(literal_column("1"))
)
_NO_ORDER = frozenset({StepKind.PAIR.value, StepKind.CARD.value})
_LEFT = {StepState.SKIPPED.value}


def sides(database: Database, keys: Iterable[str] | None = None) -> Sides:
    """Return what few SIMs have, of all SIMs or of some."""
    open_steps, newest, verdicts = _OF_ALL if keys is None else _OF_SOME
    values = {} if keys is None else {"keys": json_list(keys)}
    found = Sides()
    for row in database.tuples(open_steps, **values):
        _note_step(found, row)
    found.left = {key: (action, reason) for key, action, reason in database.tuples(newest, **values)}
    found.differing |= {row[0] for row in database.tuples(verdicts, **values)}
    for (org_id,) in database.tuples(_ORG):
        found.org_id = org_id
    return found


def _note_step(found: Sides, row: tuple[Any, ...]) -> None:
    """Note one step that is open, refused or set aside."""
    key, _plan_no, kind, state, code, plan_kind, started_at = row
    is_refused, is_aside = state == StepState.FAILED, state in _LEFT
    if plan_kind in _CUTOVER_KINDS:
        if not is_refused and not is_aside and code != Aside.ALREADY:
            found.cutover_doubts[key] = started_at or 0.0
        return
    if is_aside:
        if kind not in _NO_ORDER:
            found.aside.add(key)
    elif kind != StepKind.CLAIM:
        if is_refused:
            found.differing.add(key)
    elif code == Doubt.CLAIMED_UNSEEN or not is_refused:
        found.claim_doubts.add(key)
    else:
        found.refused.add(key)
