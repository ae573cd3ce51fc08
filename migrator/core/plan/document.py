"""Plan as a file of JSON Lines that people review.

The file has a header, then one line per SIM, sorted by source ICCID.
"""

import json
from typing import Any

from migrator.core.fleet.identifiers import Iccid
from migrator.core.fleet.units import Bytes
from migrator.core.plan.plan import Action, Change, DesiredState, Fingerprints, PlanHeader, Reason

__all__ = [
    "KIND",
    "PLAN_VERSION",
    "change_document",
    "change_from",
    "change_line",
    "fingerprints_document",
    "header_document",
    "header_from",
    "header_line",
]

KIND = "migrator-plan"
PLAN_VERSION = 1

_one_spelling = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode


def change_document(change: Change) -> dict[str, Any]:
    """Return a change as JSON values; `change_from` is its inverse.

    The values are sorted by name, as in the change's line.
    """
    document = {
        "action": change.action._value_,  # `value` costs a call, a million times
        "before": _in_order(change.before),
        "data_plan_id": change.data_plan_id,
        "detail": change.detail,
        "name": change.name,
        "overage_limit_bytes": change.overage_limit_bytes,
        "reason": change.reason._value_,
        "rule": change.rule,
        "sms_limit": change.sms_limit,
        "source": _in_order(change.source),
        "source_iccid": change.source_iccid.digits,
        "state": None if change.state is None else change.state._value_,
        "tag": change.tag,
        "target_iccid": None if change.target_iccid is None else change.target_iccid.digits,
        "wave": change.wave,
        "zone": change.zone,
    }
    if not change.tags:
        return document
    return dict(sorted({**document, "tags": list(change.tags)}.items()))


def _in_order(values: dict[str, Any]) -> dict[str, Any]:
    """Return `values` sorted by name."""
    if not values:
        return values
    names = list(values)
    return values if names == sorted(names) else dict(sorted(values.items()))


def change_from(values: dict[str, Any], source: Iccid, target: Iccid | None) -> Change:
    """Return the change of a document; its ICCIDs are given parsed."""
    overage = values["overage_limit_bytes"]
    return Change(
        source_iccid=source,
        target_iccid=target,
        action=Action(values["action"]),
        reason=Reason(values["reason"]),
        detail=values["detail"],
        wave=values["wave"],
        name=values["name"],
        state=None if values["state"] is None else DesiredState(values["state"]),
        overage_limit_bytes=None if overage is None else Bytes(overage),
        sms_limit=values["sms_limit"],
        data_plan_id=values["data_plan_id"],
        zone=values["zone"],
        tag=values["tag"],
        source=values["source"],
        before=values["before"],
        rule=values.get("rule", ""),
        tags=tuple(values.get("tags", ())),
    )


def change_line(change: Change) -> str:
    """Return one line of the file: sorted keys, no white space.

    Equal changes have equal lines.
    """
    return _one_spelling(change_document(change))


def header_document(header: PlanHeader) -> dict[str, Any]:
    """Return the header as JSON values; `header_from` is its inverse."""
    return {
        "kind": KIND,
        "plan_version": PLAN_VERSION,
        "plan_id": header.plan_id,
        "lineage": header.lineage,
        "org_id": header.org_id,
        "fingerprints": fingerprints_document(header.fingerprints),
        "claims": header.claims,
        "counts": header.counts,
        "waves": list(header.waves),
        "summary": header.summary,
    }


def fingerprints_document(prints: Fingerprints) -> dict[str, str]:
    """Return the fingerprints of a plan as JSON values."""
    return {
        "inventory": prints.inventory,
        "pairs": prints.pairs,
        "policy": prints.policy,
        "changes": prints.changes,
    }


def header_line(header: PlanHeader) -> str:
    """Return the first line of the file."""
    return _one_spelling(header_document(header))


def header_from(values: dict[str, Any]) -> PlanHeader:
    """Return the header of a document.

    Raises: KeyError and TypeError, if the document is no header.
    """
    return PlanHeader(
        plan_id=values["plan_id"],
        lineage=values["lineage"],
        org_id=values["org_id"],
        fingerprints=Fingerprints(**values["fingerprints"]),
        claims=values["claims"],
        counts=values["counts"],
        waves=tuple(values["waves"]),
        summary=values["summary"],
    )
