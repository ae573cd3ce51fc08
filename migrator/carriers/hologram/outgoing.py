"""Writes to Hologram, exactly as they leave.

The requests carry documented fields only. A request is refused here where a mistake of ours would cost something.

`orgid` goes in the query of every POST, and in the body of nothing but a claim: in the body of `PUT /devices/{id}` it
moves the device to that organization. Never sent: deactivate, invalidatePreflightSims, allSelected, priority.

Source: reference, sections 5.3 to 10.3 and 12.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from migrator.core.fleet.identifiers import Iccid
from migrator.core.fleet.units import Bytes
from migrator.core.plan.plan import DesiredState
from migrator.errors import InputError
from migrator.ports import Claim, Outgoing

__all__ = [
    "MOST_SIMS_PER_CLAIM",
    "claim_request",
    "limits_request",
    "name_request",
    "names_request",
    "state_request",
    "tag_link_request",
    "tag_request",
]

MOST_SIMS_PER_CLAIM = 2_500
"""Most SIMs in one claim, as documented.

The effect of one SIM more is not documented (reference, section 6.3).
"""

_STATE_WORDS = {DesiredState.LIVE: "live", DesiredState.PAUSE: "pause"}


def claim_request(claim: Claim) -> Outgoing:
    """Build `POST /links/cellular/bulkclaim`, with each SIM once.

    Raises: InputError, for no SIM and for more than 2,500.
    """
    sims = _unique_digits(claim.iccids)
    if not 1 <= len(sims) <= MOST_SIMS_PER_CLAIM:
        raise InputError(f"a claim takes 1 to {MOST_SIMS_PER_CLAIM} SIMs, not {len(sims)}", code="claim_size")
    body = {
        "sims": sims,
        "plan": claim.data_plan_id,
        "zone": claim.zone,
        "orgid": claim.org_id,
        "tagid": claim.tag_id,
        "overage_limit": claim.overage_limit_bytes,
        "smslimit": claim.sms_limit,
    }
    return _post("/links/cellular/bulkclaim", claim.org_id, body)


def state_request(org_id: int, device_ids: Sequence[int], state: DesiredState, *, most: int) -> Outgoing:
    """Build `POST /devices/batch/state`."""
    body = {"state": _STATE_WORDS[state], "deviceids": _device_ids(device_ids, most=most)}
    return _post("/devices/batch/state", org_id, body)


def limits_request(
    org_id: int, device_ids: Sequence[int], *, overage_limit_bytes: Bytes | None, sms_limit: int | None, most: int
) -> Outgoing:
    """Build `POST /devices/batch/usagelimit`.

    A limit of -1 means no limit; None leaves a limit alone.

    Raises: InputError, if both are None.
    """
    if overage_limit_bytes is None and sms_limit is None:
        raise InputError("a change of limits needs a limit", code="no_limit_given")
    body = {
        "deviceids": _device_ids(device_ids, most=most),
        "overagelimit": overage_limit_bytes,
        "smslimit": sms_limit,
    }
    return _post("/devices/batch/usagelimit", org_id, body)


def tag_request(org_id: int, name: str) -> Outgoing:
    """Build `POST /devices/tags`."""
    return _post("/devices/tags", org_id, {"name": name})


def tag_link_request(org_id: int, tag_id: int, device_ids: Sequence[int], *, most: int) -> Outgoing:
    """Build `POST /devices/tags/{tagid}/link`."""
    return _post(f"/devices/tags/{tag_id:d}/link", org_id, {"deviceids": _device_ids(device_ids, most=most)})


def name_request(device_id: int, name: str) -> Outgoing:
    """Build `PUT /devices/{id}`, with `name` and nothing else."""
    return Outgoing("PUT", f"/devices/{device_id:d}", {"name": name})


def names_request(org_id: int, device_ids: Sequence[int], name: str, *, most: int) -> Outgoing:
    """Build `POST /devices/names`: every device gets exactly `name`."""
    body = {"prefix": name, "skipPostfix": True, "deviceids": _device_ids(device_ids, most=most)}
    return _post("/devices/names", org_id, body)


def _post(path: str, org_id: int, body: dict[str, Any]) -> Outgoing:
    told = {key: value for key, value in body.items() if value is not None}
    return Outgoing("POST", f"{path}?orgid={org_id:d}", told)


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
