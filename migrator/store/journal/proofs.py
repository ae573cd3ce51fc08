"""Results of proof of life, SIM by SIM.

The last result of each plan is kept.
"""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import bindparam, case, func, select

from migrator.chunks import chunks
from migrator.core.cutover.life import KeptProof, Life, Proof
from migrator.core.cutover.silence import OldSide, Sessions
from migrator.core.fleet.identifiers import Iccid
from migrator.core.fleet.imei import Unit
from migrator.store.database.database import Database
from migrator.store.database.rows import among, json_list
from migrator.store.database.sql import insert
from migrator.store.plans.lookup import plan_row
from migrator.store.tables.plans import proofs

__all__ = ["Proofs", "life_in"]

_AMONG = select(proofs).where(proofs.c.plan_no == bindparam("plan_no"), among(proofs.c.source_key, bindparam("keys")))
_OF_THE_OLD = ("old", "old_used_on", "old_asked_at")
_MORE = ":"
"""Character between the word of a column and what more was found.

After a life come the sessions, where usage told of them: "alive:empty". After an old side comes its use before the
swap: "silent:idle".
"""
_UNTOLD = {Sessions.NOT_ASKED, Sessions.NOT_OURS, Sessions.UNSIZED}
_IMPLIED = {Life.SILENT: Sessions.NONE, Life.UNKNOWN: Sessions.NOT_OURS}
_BEFORE = {"idle": True, "used": False}
_BEFORE_WORDS = {True: f"{_MORE}idle", False: f"{_MORE}used", None: ""}


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
        values: dict[str, Any] = {
            name: case((new.old.is_(None), proofs.c[name]), else_=new[name]) if name in _OF_THE_OLD else new[name]
            for name in names
        }
        values["first_alive_at"] = func.coalesce(proofs.c.first_alive_at, new.alive_at)
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
                life, _, sessions = row.life.partition(_MORE)
                old, _, before = (row.old or "").partition(_MORE)
                found[row.source_key] = KeptProof(
                    life=Life(life),
                    unit=Unit(row.unit),
                    proved_s=row.proved_at,
                    alive_s=row.alive_at,
                    source_imei=row.source_imei,
                    target_imei=row.target_imei,
                    old=None if row.old is None else OldSide(old),
                    old_used_on=row.old_used_on,
                    old_asked_s=row.old_asked_at,
                    sessions=Sessions(sessions) if sessions else _IMPLIED.get(Life(life), Sessions.NOT_ASKED),
                    was_idle_before=_BEFORE.get(before),
                )
        return found


def _values(plan_no: int, proof: Proof, now: float) -> dict[str, object]:
    return {
        "plan_no": plan_no,
        "source_key": Iccid.parse(proof.source_iccid).key,
        "proved_at": now,
        "life": f"{proof.life.value}{_sessions_word(proof)}",
        "alive_at": proof.since_s,
        "first_alive_at": proof.since_s,
        "unit": proof.unit.value,
        "source_imei": proof.source_imei,
        "target_imei": proof.target_imei,
        "old": None if proof.old is None else f"{proof.old.value}{_BEFORE_WORDS[proof.was_idle_before]}",
        "old_used_on": proof.old_used_on,
        "old_asked_at": None if proof.old is None else now,
    }


def _sessions_word(proof: Proof) -> str:
    """Return what stands behind the life: nothing, where the life alone tells."""
    is_plain = proof.sessions in _UNTOLD or proof.sessions is _IMPLIED.get(proof.life)
    return "" if is_plain else f"{_MORE}{proof.sessions.value}"


def life_in(word: str) -> Life:
    """Return the life in a stored word, without what stands behind it."""
    return Life(word.partition(_MORE)[0])
