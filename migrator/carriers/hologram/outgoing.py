"""Writes to Hologram, exactly as they leave.

The requests carry documented fields only. A request is refused here where a mistake of ours would cost something.

`orgid` goes in the query of every POST, and in the body of nothing but a claim: in the body of `PUT /devices/{id}` it
moves the device to that organization. Never sent: deactivate, invalidatePreflightSims, allSelected, priority.

Source: reference, sections 5.3 to 10.3 and 12.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from migrator.core.fleet.identifiers import Iccid
from migrator.core.plan.plan import DesiredState
from migrator.errors import InputError
from migrator.ports import (
    AddTag,
    Claim,
    MakeTag,
    RemoveTag,
    Request,
    SetLimits,
    SetName,
    SetNames,
    SetState,
    TargetOrder,
)

__all__ = ["MOST_SIMS_PER_CLAIM", "request_of"]

MOST_SIMS_PER_CLAIM = 2_500
"""Most SIMs in one claim, as documented.

The effect of one SIM more is not documented (reference, section 6.3).
"""

_STATE_WORDS = {DesiredState.LIVE: "live", DesiredState.PAUSE: "pause"}


def request_of(order: TargetOrder, org_id: int, *, most: int) -> Request:  # noqa: PLR0911 - one for each order
    """Build the request of an order.

    Args:
        order: the order; each SIM and device that it names goes out once.
        org_id: the organization; the claim's own for a claim.
        most: the most devices in one change.

    Raises: InputError, for no SIM or device and for too many of them, and for a change of no limit.
    """
    match order:
        case Claim():
            return _post("/links/cellular/bulkclaim", org_id, _claim_body(order))
        case SetState():
            body = {"state": _STATE_WORDS[order.state], "deviceids": _device_ids(order.device_ids, most=most)}
            return _post("/devices/batch/state", org_id, body)
        case SetLimits():
            return _post("/devices/batch/usagelimit", org_id, _limits_body(order, most=most))
        case MakeTag():
            return _post("/devices/tags", org_id, {"name": order.name})
        case AddTag() | RemoveTag():
            body = {"deviceids": _device_ids(order.device_ids, most=most)}
            verb = "link" if isinstance(order, AddTag) else "unlink"
            return _post(f"/devices/tags/{order.tag_id:d}/{verb}", org_id, body)
        case SetName():  # `name` and nothing else
            return Request("PUT", f"/devices/{order.device_id:d}", {"name": order.name})
        case SetNames():  # every device gets exactly this name
            device_ids = _device_ids(order.device_ids, most=most)
            return _post("/devices/names", org_id, {"prefix": order.name, "skipPostfix": True, "deviceids": device_ids})


def _claim_body(claim: Claim) -> dict[str, Any]:
    sims = _unique_digits(claim.iccids)
    if not 1 <= len(sims) <= MOST_SIMS_PER_CLAIM:
        raise InputError(f"a claim takes 1 to {MOST_SIMS_PER_CLAIM} SIMs, not {len(sims)}", code="claim_size")
    return {
        "sims": sims,
        "plan": claim.data_plan_id,
        "zone": claim.zone,
        "orgid": claim.org_id,
        "tagid": claim.tag_id,
        "overage_limit": claim.overage_limit_bytes,
        "smslimit": claim.sms_limit,
    }


def _limits_body(order: SetLimits, *, most: int) -> dict[str, Any]:
    if order.overage_limit_bytes is None and order.sms_limit is None:
        raise InputError("a change of limits needs a limit", code="no_limit_given")
    return {
        "deviceids": _device_ids(order.device_ids, most=most),
        "overagelimit": order.overage_limit_bytes,
        "smslimit": order.sms_limit,
    }


def _post(path: str, org_id: int, body: Mapping[str, Any]) -> Request:
    """Build a POST; what is None is left out of its body."""
    told = {key: value for key, value in body.items() if value is not None}
    return Request("POST", f"{path}?orgid={org_id:d}", told)


def _device_ids(device_ids: Sequence[int], *, most: int) -> list[int]:
    """Return each device id once.

    An empty list is never sent: some endpoints might take it for the whole organization.
    """
    unique = list(dict.fromkeys(device_ids))
    if not 1 <= len(unique) <= most:
        raise InputError(f"a bulk change takes 1 to {most} devices, not {len(unique)}", code="batch_size")
    return unique


def _unique_digits(iccids: Iterable[Iccid]) -> list[str]:
    """Return each SIM once, in the form that came first.

    The forms with and without check digit are one SIM.
    """
    unique: dict[str, str] = {}
    for iccid in iccids:
        unique.setdefault(iccid.key, iccid.digits)
    return list(unique.values())
