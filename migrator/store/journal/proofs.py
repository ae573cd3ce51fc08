"""Results of proof of life, SIM by SIM.

The last result of each plan is kept.
"""

from collections.abc import Iterable

from sqlalchemy import bindparam, case, select
from sqlalchemy.dialects.sqlite import insert

from migrator.chunks import chunks
from migrator.core.cutover.life import KeptProof, Life, OldSide, Proof
from migrator.core.fleet.identifiers import Iccid
from migrator.core.fleet.imei import Unit
from migrator.store.database.database import Database
from migrator.store.database.rows import among, json_list
from migrator.store.plans.lookup import plan_row
from migrator.store.tables.plans import proofs

__all__ = ["Proofs"]

_AMONG = select(proofs).where(proofs.c.plan_no == bindparam("plan_no"), among(proofs.c.source_key, bindparam("keys")))
_OF_THE_OLD = ("old", "old_used_on", "old_asked_at")


class Proofs:
    """The last proof of life of each SIM of a plan."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def keep(self, plan_id: str, found: Iterable[Proof], now: float) -> None:
        """Keep the results of a proof of life.

        Where nobody asked for the old SIM, the earlier result for the old SIM stays, with its time.
        """
        plan_no = plan_row(self._db, plan_id).plan_no
        statement = insert(proofs)
        new = statement.excluded
        names = [column.name for column in proofs.c if not column.primary_key]
        values = {
            name: case((new.old.is_(None), proofs.c[name]), else_=new[name]) if name in _OF_THE_OLD else new[name]
            for name in names
        }
        upsert = statement.on_conflict_do_update(index_elements=["plan_no", "source_key"], set_=values)
        with self._db.write() as connection:
            for chunk in chunks(found):
                connection.execute(upsert, [_values(plan_no, proof, now) for proof in chunk])

    def among(self, plan_id: str, keys: Iterable[str]) -> dict[str, KeptProof]:
        """Return the kept results of some SIMs, by key.

        SIMs that were never asked for are left out.
        """
        plan_no, found = plan_row(self._db, plan_id).plan_no, dict[str, KeptProof]()
        for chunk in chunks(keys):
            for row in self._db.rows(_AMONG, plan_no=plan_no, keys=json_list(chunk)):
                found[row.source_key] = KeptProof(
                    life=Life(row.life),
                    unit=Unit(row.unit),
                    proved_s=row.proved_at,
                    alive_s=row.alive_at,
                    source_imei=row.source_imei,
                    target_imei=row.target_imei,
                    old=None if row.old is None else OldSide(row.old),
                    old_used_on=row.old_used_on,
                    old_asked_s=row.old_asked_at,
                )
        return found


def _values(plan_no: int, proof: Proof, now: float) -> dict[str, object]:
    return {
        "plan_no": plan_no,
        "source_key": Iccid.parse(proof.source_iccid).key,
        "proved_at": now,
        "life": proof.life.value,
        "alive_at": proof.since_s,
        "unit": proof.unit.value,
        "source_imei": proof.source_imei,
        "target_imei": proof.target_imei,
        "old": None if proof.old is None else proof.old.value,
        "old_used_on": proof.old_used_on,
        "old_asked_at": None if proof.old is None else now,
    }
