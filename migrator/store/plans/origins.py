"""Origins of plans, kept beside the plans.

A plan itself is the same wherever it is made.
"""

import json

from sqlalchemy import select
from sqlalchemy.dialects.sqlite import insert

from migrator.core.fleet.sims import AccountLimits
from migrator.core.plan.plan import Origin
from migrator.store.database.database import Database
from migrator.store.database.documents import document_text
from migrator.store.database.rows import decimal_from, decimal_text
from migrator.store.tables.fleet import meta

__all__ = ["note_origin", "origin_of"]


def note_origin(database: Database, plan_id: str, origin: Origin) -> None:
    """Keep a plan's origin, in place of an earlier origin."""
    account = origin.account
    values = {
        "policy_file": origin.policy_file,
        "data_mb": decimal_text(account.data_mb),
        "sms_mo": decimal_text(account.sms_mo),
    }
    statement = insert(meta).values(name=_name(plan_id), value=document_text(values))
    replaced = statement.on_conflict_do_update(index_elements=["name"], set_={"value": statement.excluded.value})
    with database.write() as connection:
        connection.execute(replaced)


def origin_of(database: Database, plan_id: str) -> Origin | None:
    """Return a plan's origin; None where no origin was kept."""
    with database.read() as connection:
        text = connection.scalar(select(meta.c.value).where(meta.c.name == _name(plan_id)))
    if text is None:
        return None
    values = json.loads(text)
    account = AccountLimits(decimal_from(values["data_mb"]), decimal_from(values["sms_mo"]))
    return Origin(values["policy_file"], account)


def _name(plan_id: str) -> str:
    return f"origin of {plan_id}"
