"""Counts for the guards of a run: how many SIMs stand where.

The counts are queries over the state. No counter is kept beside the state.
"""

from collections import Counter
from collections.abc import Mapping, Sequence

from sqlalchemy import ColumnElement, delete, func, select

from migrator.core.campaign.notices import Notice
from migrator.core.money.caps import Claimed
from migrator.core.plan.plan import ACTING, Action
from migrator.core.run.doubts import Doubt
from migrator.core.run.states import StepKind, StepState
from migrator.core.run.steps import UNREAD, Failures, Verdict
from migrator.store.control.whereabouts import note_server, server_changed
from migrator.store.database.rows import test_ends_at
from migrator.store.database.sql import changed_rows, insert
from migrator.store.journal.claims_made import claims_made, claims_may_take
from migrator.store.journal.verifications import Verifications, in_wave, set_aside
from migrator.store.log import note
from migrator.store.notices import add_notices
from migrator.store.plans.lookup import plan_row
from migrator.store.tables.fleet import target_links
from migrator.store.tables.plans import changes, steps, verifications, wave_gates

__all__ = ["Counts"]

_of_change = (steps.c.plan_no == changes.c.plan_no) & (steps.c.source_key == changes.c.source_key)
_verified = (verifications.c.plan_no == changes.c.plan_no) & (verifications.c.source_key == changes.c.source_key)
_is_verified = select(verifications.c.verdict).where(_verified, verifications.c.verdict == Verdict.OK).exists()


class Counts(Verifications):
    """Counts and gates; a part of the journal."""

    def verdicts(self, plan_id: str, wave: str | None = None, *, changing: bool = False) -> Mapping[str, int]:
        """Count the acting SIMs by verdict.

        SIMs that were never verified are counted as "unread". SIMs that an operator skipped are not counted. With
        `changing`, SIMs with nothing to do are not counted either.
        """
        counting = ACTING if not changing else tuple(action for action in ACTING if action != Action.NO_OP)
        plan_no = plan_row(self._db, plan_id).plan_no
        verdict = func.coalesce(verifications.c.verdict, UNREAD).label("verdict")
        counted = (
            select(verdict, func.count().label("sims"))
            .outerjoin_from(changes, verifications, _verified)
            .where(changes.c.plan_no == plan_no, changes.c.action.in_(counting), in_wave(wave))
            .where(changes.c.source_key.not_in(set_aside(plan_no)))
            .group_by(verdict)
        )
        return Counter({row.verdict: row.sims for row in self._db.rows(counted)})

    def test_ends(self, plan_id: str) -> Mapping[str, int]:
        """Count the SIMs of a plan in Test Mode, by its end.

        SIMs whose end nobody told are left out, as are those that an operator skipped.
        """
        plan_no = plan_row(self._db, plan_id).plan_no
        counted = (
            select(test_ends_at.label("ends_at"), func.count().label("sims"))
            .join_from(changes, target_links, target_links.c.key == changes.c.target_key)
            .where(changes.c.plan_no == plan_no, changes.c.action.in_(ACTING), test_ends_at.is_not(None))
            .where(changes.c.source_key.not_in(set_aside(plan_no)))
            .group_by("ends_at")
        )
        return Counter({row.ends_at: row.sims for row in self._db.rows(counted)})

    def failure_codes(self, plan_id: str) -> Mapping[str, int]:
        """Count the FAILED steps, by code."""
        counted = (
            select(steps.c.code, func.count().label("steps"))
            .where(steps.c.plan_no == plan_row(self._db, plan_id).plan_no, steps.c.state == StepState.FAILED)
            .group_by(steps.c.code)
            .order_by(steps.c.code)
        )
        return Counter({row.code: row.steps for row in self._db.rows(counted)})

    def claims_unseen(self, plan_id: str) -> int:
        """Count SIMs that were named as claimed but never seen.

        A reply named these SIMs as claimed, and no read ever showed them. SIMs that an operator skipped count, too.
        """
        over = (StepState.FAILED, StepState.SKIPPED)
        counted = (
            select(func.count())
            .where(steps.c.plan_no == plan_row(self._db, plan_id).plan_no, steps.c.state.in_(over))
            .where(steps.c.kind == StepKind.CLAIM, steps.c.code == Doubt.CLAIMED_UNSEEN)
        )
        with self._db.read() as connection:
            return int(connection.execute(counted).scalar_one())

    def claims_made(self, org_id: int) -> Sequence[Claimed]:
        """Return the claims of an organization's begun plans, oldest first.

        Claims that may have happened count, too.
        """
        return claims_made(self._db, org_id)

    def claims_may_take(self, seconds: float) -> float:
        """Note how long claims may take; return the longest of open ones."""
        return claims_may_take(self._db, seconds)

    def server_changed(self) -> bool:
        """True if the store may lack its last intents."""
        return server_changed(self._db)

    def note_server(self) -> None:
        """Note the server that the store is on."""
        note_server(self._db)

    def failures(self, plan_id: str) -> Failures:
        """Count the failed SIMs, by wave and by error code.

        The SIMs that were begun in each wave are counted, too. A SIM that was verified in the end did not fail,
        whatever one of its steps met on the way.
        """
        failed = (steps.c.state == StepState.FAILED) & ~_is_verified
        return Failures(
            by_wave=self._sims(changes.c.wave, plan_id, failed),
            by_code=self._sims(steps.c.code, plan_id, failed),
            begun=self._sims(changes.c.wave, plan_id, steps.c.state != StepState.SKIPPED),
        )

    def gate_reached(self, plan_id: str, wave: str, now: float, *, told: Sequence[Notice] = ()) -> float:
        """Note that a wave has enough verified SIMs, and tell it.

        Returns: the time since when the wave has had enough verified SIMs without a break.
        """
        plan_no = plan_row(self._db, plan_id).plan_no
        first = insert(wave_gates).values(plan_no=plan_no, wave=wave, reached_at=now).on_conflict_do_nothing()
        reached = select(wave_gates.c.reached_at).where(wave_gates.c.plan_no == plan_no, wave_gates.c.wave == wave)
        with self._db.write() as connection:
            if changed_rows(connection.execute(first)):
                note(connection, now, "wave.reached", plan_id, {"wave": wave})
                add_notices(connection, told, now)
            return float(connection.execute(reached).scalar_one())

    def gate_lost(self, plan_id: str, wave: str, now: float) -> None:
        """Note that a wave no longer has enough verified SIMs.

        The waiting time of the wave begins anew when the wave has enough verified SIMs again.
        """
        plan_no = plan_row(self._db, plan_id).plan_no
        mine = (wave_gates.c.plan_no == plan_no) & (wave_gates.c.wave == wave)
        with self._db.write() as connection:
            if changed_rows(connection.execute(delete(wave_gates).where(mine))):
                note(connection, now, "wave.lost", plan_id, {"wave": wave})

    def _sims(self, column: ColumnElement[str], plan_id: str, which: ColumnElement[bool]) -> Counter[str]:
        """Count the SIMs that have such a step, by `column`."""
        counted = (
            select(column.label("name"), func.count(steps.c.source_key.distinct()).label("sims"))
            .join_from(steps, changes, _of_change)
            .where(steps.c.plan_no == plan_row(self._db, plan_id).plan_no, which)
            .group_by(column)
        )
        return Counter({row.name or "": row.sims for row in self._db.rows(counted)})
