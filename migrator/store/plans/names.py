"""Planned names that may be different by now.

SQLite passes over the names that are plainly the same.
"""

from string import Formatter
from typing import Any

from sqlalchemy import ColumnElement, and_, bindparam, func, literal, or_, select

from migrator.chunks import PAGE
from migrator.core.plan.plan import Reason
from migrator.core.policy.policy import NamePolicy
from migrator.store.database.rows import is_later
from migrator.store.database.sql import Query, json_at
from migrator.store.inventory.snapshots import in_force
from migrator.store.tables.fleet import source_sims, unit_facts
from migrator.store.tables.plans import changes
from migrator.store.tables.types import Text

__all__ = ["doubtful_names"]

_NAMELESS = (Reason.NAME_EMPTY, Reason.NAME_DUPLICATE)


def _of_document(path: str) -> ColumnElement[str]:
    return json_at(changes.c.document, path)


_FIELDS: dict[str, ColumnElement[Any]] = {  # what the plan holds is taken from there: whether it changed is told apart
    "label": _of_document("source.label"),
    "source_iccid": _of_document("source_iccid"),
    "target_iccid": _of_document("target_iccid"),
    "imsi": source_sims.c.imsi,
    "msisdn": source_sims.c.msisdn,
    "ip_address": source_sims.c.ip_address,
    "unit": unit_facts.c.unit,
    "site": unit_facts.c.site,
    "ticket": unit_facts.c.ticket,
}


def doubtful_names(names: NamePolicy) -> Query:
    """Return a query for one page of a rule's doubtful names.

    The query finds the changes of the rule that have, or miss, a name which is not simply the filled-in template.
    """
    name = _of_document("name")
    plain = func.coalesce(_filled(names.template), _filled(names.when_missing))
    has_a_say = or_(name.is_not(None), *(changes.c.reason == reason.value for reason in _NAMELESS))
    return Query(
        select(changes.c.source_key, changes.c.source_iccid, changes.c.target_key, changes.c.document)
        .join_from(
            changes,
            source_sims,
            and_(
                source_sims.c.snapshot_id == in_force,
                source_sims.c.key == changes.c.source_key,
                is_later(source_sims.c.key),
            ),
        )
        .outerjoin(
            unit_facts,
            and_(unit_facts.c.source_key == changes.c.source_key, is_later(unit_facts.c.source_key)),
        )
        .where(changes.c.plan_no == bindparam("plan_no"), is_later(changes.c.source_key))
        .where(func.coalesce(_of_document("rule"), "") == bindparam("rule"))
        .where(has_a_say, name.is_distinct_from(plain))
        .order_by(changes.c.source_key)
        .limit(PAGE)
    )


def _filled(template: str) -> ColumnElement[str]:
    """Return SQL for a template with its fields filled in.

    The SQL is NULL if one of the fields is NULL.
    """
    text: ColumnElement[str] = literal("", Text)
    for words, field, _, _ in Formatter().parse(template):
        text = text.concat(literal(words, Text))
        if field:
            text = text.concat(_FIELDS[field])
    return text
