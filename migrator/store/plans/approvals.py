"""Approvals of plans, each by a named operator.

Rows are only ever added.
"""

from sqlalchemy import insert, select

from migrator.core.plan.approvals import Approval
from migrator.store.database.database import Database
from migrator.store.log import note
from migrator.store.plans.lookup import plan_row
from migrator.store.tables.plans import approvals

__all__ = ["Approvals"]


class Approvals:
    """Approvals of every plan of the store."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def add(self, plan_id: str, approval: Approval) -> None:
        """Keep an approval, with the user of the database who does it.

        Raises: InputError, if there is no such plan.
        """
        values = {
            "plan_no": plan_row(self._db, plan_id).plan_no,
            "approved_by": approval.approved_by,
            "approved_at": approval.approved_at,
            "changes_sha256": approval.changes_sha256,
            "note": approval.note,
            "ref": approval.ref,
        }
        with self._db.write() as connection:
            user = connection.scalar(insert(approvals).values(values).returning(approvals.c.db_user))
            given = {"by": approval.approved_by, "changes_sha256": approval.changes_sha256, "note": approval.note}
            given |= {"ref": approval.ref} if approval.ref else {}
            given |= {"database_user": user} if user else {}
            note(connection, approval.approved_at, "plan.approved", plan_id, given)

    def of(self, plan_id: str) -> list[Approval]:
        """Return every approval of a plan, oldest first.

        Raises: InputError, if there is no such plan.
        """
        column = approvals.c
        given = (
            select(
                *(column.approved_by, column.approved_at, column.changes_sha256, column.note, column.ref),
                column.db_user,
            )
            .where(column.plan_no == plan_row(self._db, plan_id).plan_no)
            .order_by(column.approval_id)
        )
        return [
            Approval(row.approved_by, row.approved_at, row.changes_sha256, row.note, row.ref, row.db_user)
            for row in self._db.rows(given)
        ]
