"""Plans of migrations: their content, their time and their progress."""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Executable, bindparam, func, select, update

from migrator.chunks import PAGE
from migrator.core.cutover.life import SourceChange
from migrator.core.fleet.identifiers import Iccid
from migrator.core.fleet.sims import AccountLimits, Candidate
from migrator.core.plan.basis import Uses
from migrator.core.plan.diff import PlanLine
from migrator.core.plan.document import header_from
from migrator.core.plan.plan import Action, Change, Origin, PlanHeader, Reason
from migrator.core.policy.policy import NamePolicy
from migrator.core.run.states import PlanKind, PlanState
from migrator.store.database.database import Database
from migrator.store.database.documents import change_of, document_text
from migrator.store.database.rows import AnyRow, by_page, decimal_from, decimal_text, in_iccid_order, is_later
from migrator.store.database.sql import Query, changed_rows, insert, json_at, new_number
from migrator.store.facts import fact, keep_fact
from migrator.store.log import note
from migrator.store.plans.candidates import candidates, claimed_before
from migrator.store.plans.draft import Draft
from migrator.store.plans.lookup import fresh_plan_row, is_migration, plan_row
from migrator.store.plans.names import doubtful_names
from migrator.store.plans.staleness import differences, source_changes
from migrator.store.plans.wholeness import edited_lines, edited_plan
from migrator.store.tables.plans import changes, plans

__all__ = ["Plans"]

ABANDONED_AFTER_S = 3600.0
"""Seconds after which a draft counts as left by a dead process."""

_CHANGES = (
    select(changes.c.source_key, changes.c.source_iccid, changes.c.target_key, changes.c.document)
    .where(changes.c.plan_no == bindparam("plan_no"), is_later(changes.c.source_key))
    .order_by(changes.c.source_key)
    .limit(PAGE)
)

_LINES = Query(
    select(changes.c.source_key, changes.c.source_iccid, changes.c.document)
    .where(changes.c.plan_no == bindparam("plan_no"), is_later(changes.c.source_key))
    .order_by(changes.c.source_key)
    .limit(PAGE)
)


class Plans:
    """Plans of migrations.

    A plan never changes; only its state moves on.
    """

    def __init__(self, database: Database) -> None:
        self._db = database

    # --- making ---------------------------------------------------------------------------------------------------

    def candidates(self, *, where_keys: Iterable[str] | None = None) -> Iterator[Candidate]:
        """Yield the SIMs for the planner: see `store.plans.candidates`."""
        return candidates(self._db, where_keys)

    def claimed_before(self, keys: Iterable[str]) -> set[str]:
        """Return the SIMs of `keys` for which a plan claimed a SIM.

        A claim that may have taken effect counts, too. Only source SIMs of the inventory are returned.
        """
        return claimed_before(self._db, keys)

    @contextmanager
    def draft(
        self,
        now: float,
        *,
        policy_text: str = "",
        policy: Mapping[str, Any] | None = None,
        kind: PlanKind = PlanKind.MIGRATE,
    ) -> Iterator[Draft]:
        """Begin a plan, and drop the plan unless `finish` was called.

        Args:
            now: UTC seconds.
            policy_text: the policy file as it was read.
            policy: its content as JSON values.
            kind: of the plan.
        """
        self._drop_abandoned(now)
        with self._db.write() as connection:
            last = connection.scalar(select(func.max(plans.c.made_no))) or 0
            made = connection.execute(
                insert(plans).values(
                    made_no=last + 1,
                    kind=kind,
                    state=PlanState.DRAFT,
                    header="",
                    policy_text=policy_text,
                    policy_json=document_text(policy or {}),
                    created_at=now,
                )
            )
            plan_no = new_number(made)
        draft = Draft(self._db, plan_no, now, is_whole_fleet=kind is PlanKind.MIGRATE)
        try:
            yield draft
        finally:
            draft.discard()

    def _drop_abandoned(self, now: float) -> None:
        old = select(plans.c.plan_no).where(
            plans.c.state == PlanState.DRAFT, plans.c.created_at < now - ABANDONED_AFTER_S
        )
        with self._db.read() as connection:
            abandoned = connection.execute(old).scalars().all()
        for plan_no in abandoned:
            Draft(self._db, plan_no, now).discard()

    # --- reading --------------------------------------------------------------------------------------------------

    def exists(self, plan_id: str) -> PlanState | None:
        """Return the state of a plan, or None for an unknown id."""
        with self._db.read() as connection:
            state = connection.scalar(select(plans.c.state).where(plans.c.plan_id == plan_id, is_migration))
        return None if state is None else PlanState(state)

    def state(self, plan_id: str) -> PlanState:
        """Return the state of a plan.

        Raises: InputError, if there is no plan of this id.
        """
        return PlanState(fresh_plan_row(self._db, plan_id).state)

    def header(self, plan_id: str) -> PlanHeader:
        """Return a plan's header.

        Raises: InputError, if there is no such plan.
        """
        return header_from(json.loads(plan_row(self._db, plan_id).header))

    def kind(self, plan_id: str) -> PlanKind:
        """Return the kind of a plan that claims SIMs.

        Raises: InputError, if there is no such plan.
        """
        return PlanKind(plan_row(self._db, plan_id).kind)

    def policy_text(self, plan_id: str) -> str:
        """Return the policy file of a plan, letter by letter."""
        return str(plan_row(self._db, plan_id).policy_text)

    def policy_json(self, plan_id: str) -> dict[str, Any]:
        """Return the content of a plan's policy file, as JSON values."""
        return dict(json.loads(plan_row(self._db, plan_id).policy_json))

    def newest(self) -> str | None:
        """Return the id of the migration that was made last, or None."""
        made = select(plans.c.plan_id).where(plans.c.plan_id.is_not(None), plans.c.kind == PlanKind.MIGRATE)
        with self._db.read() as connection:
            return connection.scalar(made.order_by(plans.c.made_no.desc()).limit(1))

    def changes(
        self,
        plan_id: str,
        *,
        actions: Collection[Action] | None = None,
        wave: str | None = None,
        reasons: Collection[Reason] | None = None,
    ) -> Iterator[Change]:
        """Yield the changes of a plan, sorted by source ICCID as text.

        Only the changes of the given actions, wave and reasons.
        """
        wanted = _CHANGES
        if actions is not None:
            wanted = wanted.where(changes.c.action.in_([action.value for action in actions]))
        if wave is not None:
            wanted = wanted.where(changes.c.wave == wave)
        if reasons is not None:
            wanted = wanted.where(changes.c.reason.in_([reason.value for reason in reasons]))
        for row in in_iccid_order(self._pages(wanted, plan_row(self._db, plan_id).plan_no)):
            yield change_of(row.document, row.source_key, row.target_key)

    def lines(self, plan_id: str) -> Iterator[PlanLine]:
        """Return the lines of a plan's file, letter by letter.

        The fingerprint of the plan is over these lines.

        Raises: InputError, as `header`.
        """
        plan_no = plan_row(self._db, plan_id).plan_no
        rows = by_page(lambda after: self._db.tuples(_LINES, plan_no=plan_no, after=after))
        return (PlanLine(digits, document) for _, digits, document in in_iccid_order(rows))

    def change(self, plan_id: str, iccid: Iccid) -> Change | None:
        """Return the change of one source SIM, or None.

        None if the plan does not hold the SIM.
        """
        plan_no = plan_row(self._db, plan_id).plan_no
        wanted = select(changes).where(changes.c.plan_no == plan_no, changes.c.source_key == iccid.key)
        with self._db.read() as connection:
            row = connection.execute(wanted).one_or_none()
        return None if row is None else change_of(row.document, row.source_key, row.target_key)

    def differences(self, plan_id: str, uses: Uses | None = None) -> list[str]:
        """Return the changes of the SIMs since a plan was made.

        See `store.plans.staleness`.

        Args:
            plan_id: the plan.
            uses: what its policy used beyond what every policy does; None for nothing.
        """
        row = plan_row(self._db, plan_id)
        return differences(self._db, row.plan_no, self.header(plan_id), uses or Uses())

    def doubtful_names(self, plan_id: str, rule: str, names: NamePolicy) -> Iterator[Change]:
        """Yield the changes of a rule whose planned name is doubtful.

        The planned name is not simply what the template of the rule gives now, perhaps for good reason.

        Args:
            plan_id: the plan.
            rule: "" for the SIMs that no rule fits.
            names: how the rule names its SIMs.
        """
        query, plan_no = doubtful_names(names), plan_row(self._db, plan_id).plan_no
        for key, _, target_key, document in by_page(
            lambda after: self._db.tuples(query, plan_no=plan_no, rule=rule, after=after)
        ):
            yield change_of(document, key, target_key)

    def note_origin(self, plan_id: str, origin: Origin) -> None:
        """Keep the origin of a plan.

        The origin stands beside the plan, which is the same wherever it is made. A plan that is made again has its last
        origin.
        """
        account = origin.account
        values = {
            "policy_file": origin.policy_file,
            "data_mb": decimal_text(account.data_mb),
            "sms_mo": decimal_text(account.sms_mo),
        }
        with self._db.write() as connection:
            keep_fact(connection, _origin_name(plan_id), document_text(values))

    def origin(self, plan_id: str) -> Origin | None:
        """Return the origin of a plan.

        None for a plan of an older version.
        """
        with self._db.read() as connection:
            text = fact(connection, _origin_name(plan_id))
        if text is None:
            return None
        values = json.loads(text)
        account = AccountLimits(decimal_from(values["data_mb"]), decimal_from(values["sms_mo"]))
        return Origin(values["policy_file"], account)

    def source_changes(self, plan_id: str) -> Iterator[SourceChange]:
        """Yield the source SIMs that are not as a plan used them.

        The plan is compared with the inventory in force: see `store.plans.staleness`.
        """
        return source_changes(self._db, plan_row(self._db, plan_id).plan_no, self.header(plan_id))

    def edited(self, plan_id: str, *, lines: bool) -> str | None:
        """Return what was changed in a plan since it was made.

        The answer is in words; None if nothing was changed. See `store.plans.wholeness`.

        Args:
            plan_id: the plan.
            lines: whether to read every line, too, which takes seconds for a million.
        """
        return edited_plan(self._db, plan_id) or (edited_lines(self._db, plan_id) if lines else None)

    def _pages(self, statement: Executable, plan_no: int) -> Iterator[AnyRow]:
        return by_page(lambda after: self._db.rows(statement, plan_no=plan_no, after=after))

    # --- moving on ------------------------------------------------------------------------------------------------

    def finish(self, plan_id: str, now: float) -> None:
        """Note that a plan is used up.

        Raises: InputError, if there is no such plan.
        """
        row = plan_row(self._db, plan_id)
        moved = update(plans).where(plans.c.plan_no == row.plan_no, plans.c.state != PlanState.FINISHED)
        with self._db.write() as connection:
            if changed_rows(connection.execute(moved.values(state=PlanState.FINISHED, finished_at=now))):
                note(connection, now, "plan.finished", plan_id, {})

    def copied_tags(self) -> frozenset[str]:
        """Return the tags of old SIMs that begun plans copy."""
        told = json_at(plans.c.header, "summary.copied_tags")
        wanted = select(told).where(plans.c.started_at.is_not(None), told.is_not(None))
        with self._db.read() as connection:
            return frozenset(name for text in connection.scalars(wanted) for name in json.loads(text))

    def list(self) -> list[dict[str, Any]]:
        """Return every plan, newest first.

        Each plan has id, state, times (UTC seconds or None), claims and counts by action.
        """
        made = select(plans).where(plans.c.plan_id.is_not(None), is_migration).order_by(plans.c.made_no.desc())
        with self._db.read() as connection:
            rows = connection.execute(made).all()
        return [_listed(row) for row in rows]


def _origin_name(plan_id: str) -> str:
    return f"origin of {plan_id}"


def _listed(row: AnyRow) -> dict[str, Any]:
    header = header_from(json.loads(row.header))
    return {
        "plan_id": row.plan_id,
        "kind": row.kind,
        "state": row.state,
        "created_at": row.created_at,
        "started_at": row.started_at,
        "finished_at": row.finished_at,
        "claims": header.claims,
        "counts": header.counts,
    }
