"""Rows of SIMs in replies, in each edition of the reference.

A row is a device object with its links, or a bare link.
"""

from datetime import datetime, timedelta
from typing import Any

from migrator.carriers.hologram.simulator.catalogue import PLANS
from migrator.carriers.hologram.simulator.choices import ReplyEdition
from migrator.carriers.hologram.simulator.model import Condition, Session, SimulatedLink
from migrator.carriers.hologram.simulator.world import World

__all__ = ["NEVER", "device_row", "link_row", "session_row", "stamp"]

NEVER = "0000-00-00 00:00:00"
BILLING_PERIOD = timedelta(days=30)
DELIVERED_BEFORE = timedelta(days=365)
_LOOSE = frozenset(
    [
        "simcardid",
        "imsi",
        "overagelimit",
        "smslimit",
        "data_threshold",
        "datathreshold",
        "carrierid",
        "carrier",
        "deviceid",
        "orgid",
        "linkid",
        "bytes",
        "cellid",
        "lac",
    ]
)
"""Keys whose numbers are texts in some places (reference, section 3.6)."""


def stamp(at: datetime | None) -> str:
    """Return a date as Hologram writes it.

    The form is UTC without a zone, with all zeros for never.
    """
    return NEVER if at is None else at.strftime("%Y-%m-%d %H:%M:%S")


def device_row(world: World, link: SimulatedLink, now: Condition) -> dict[str, Any]:
    """Return one element of `GET /devices` (reference, section 5.1)."""
    edition = world.edition(world.behaviour.devices_edition)
    last = _latest(link)
    in_test = now.state == "TEST-ACTIVATE"
    row: dict[str, Any] = {
        "id": now.device_id,
        "orgid": now.org_id,
        "name": now.name,
        "type": "Unknown",
        "whencreated": stamp(now.claimed_at),
        "phonenumber": "",
        "phonenumber_cost": "0.0000",
        "tunnelable": 0,
        "imei": last.imei if last and world.behaviour.imei_shown else "",
        "imei_sv": "",
        "hidden": 0,
        "tags": _tags(world, now, edition),
        "preflight_starttime": stamp(now.claimed_at) if in_test else None,
        "preflight_scheduled_endtime": stamp(now.test_ends_at) if in_test else None,
        "is_hyper": link.spare is not None,
        "model": "Unknown",
        "manufacturer": "Unknown",
        "links": {"cellular": _profiles(world, link, now, edition)},
    }
    row |= {} if edition == ReplyEdition.REF_1 else {"simcardid": link.simcard_id}
    row |= {"async_change_requests": []} if edition == ReplyEdition.REF_3 else {}
    if last and world.behaviour.lastsession_shown:
        hidden = {} if world.behaviour.imei_shown else {"imei": ""}
        row["lastsession"] = _loose(world, _last_session(last, now)) | hidden
    return _loose(world, row)


def link_row(world: World, link: SimulatedLink, now: Condition, link_id: int) -> dict[str, Any]:
    """Return one element of `GET /links/cellular` (reference, section 6.1).

    `link_id` may be that of the spare profile.
    """
    spare = link.spare if link.spare and link.spare.link_id == link_id else None
    plan = PLANS.get(now.plan_id or 0)
    row = {
        **_profile_facts(link, now, iccid=spare.iccid if spare else link.iccid, is_spare=spare is not None),
        "id": link_id,
        "deviceid": now.device_id or 0,
        "devicename": now.name,
        "orgid": now.org_id,
        "simcardid": link.simcard_id,
        "tunnelable": 0,
        "sim_attribute": "STANDARD",
        "dataplansubscriptionid": plan.plan_id if plan else 0,
        "zone": now.zone,
        "carrier": 13,
        "datathreshold": now.threshold,
        "whencreated": stamp(world.clock.epoch - DELIVERED_BEFORE),
        "mfa_available": 1,
        "priv_ip_address": "",
        "euicc_state": "DISABLED" if spare else "ENABLED",
    }
    return _loose(world, _without_hidden(world, row))


def session_row(world: World, session: Session, link_id: int | None) -> dict[str, Any]:
    """Return one element of `GET /usage/data` (reference, section 10.5)."""
    row = {
        "linkid": link_id,
        "record_id": session.record_id,
        "session_begin": stamp(session.begin),
        "timestamp": stamp(session.end),
        "bytes": session.bytes_,
        "imei": session.imei,
        "imeisv": "",
        "cellid": 16_956_425,
        "lac": 1042,
        "radio_access_technology": "LTE",
        "network_name": "Invented Mobile",
    }
    return _loose(world, row)


def _profiles(world: World, link: SimulatedLink, now: Condition, edition: ReplyEdition) -> list[dict[str, Any]]:
    """Return the profiles of a device, the disabled profile first.

    So "the first one" is the wrong one.
    """
    profiles = [_device_link(world, link, now, edition, is_spare=False)]
    return [_device_link(world, link, now, edition, is_spare=True), *profiles] if link.spare else profiles


def _device_link(
    world: World, link: SimulatedLink, now: Condition, edition: ReplyEdition, *, is_spare: bool
) -> dict[str, Any]:
    spare, last = (link.spare, None) if is_spare else (None, _latest(link))
    connected = None if is_spare else _connected(link, last)
    row: dict[str, Any] = {
        **_profile_facts(link, now, iccid=spare.iccid if spare else link.iccid, is_spare=is_spare),
        "id": spare.link_id if spare else now.link_id,
        "deviceid": now.device_id,
        "carrier" if edition == ReplyEdition.REF_3 else "carrierid": 13,
        "datathreshold" if edition == ReplyEdition.REF_1 else "data_threshold": now.threshold,
        "plan": _plan(now),
        "last_network_used": "Invented Mobile" if connected else "",
        "last_connect_time": stamp(connected) if connected and world.behaviour.last_connect_shown else "",
        "cur_billing_data_used": sum(session.bytes_ for session in link.sessions) if last else 0,
        "last_billing_data_used": 0,
    }
    row |= {} if edition == ReplyEdition.REF_1 else {"simcardid": link.simcard_id}
    if edition == ReplyEdition.REF_1:
        row["euicc_state"] = row.pop("profile_state")
    if edition == ReplyEdition.REF_3:
        row |= {"orgid": now.org_id, "zone": 1, "async_change_requests": []}
    return _loose(world, _without_hidden(world, row))


def _profile_facts(link: SimulatedLink, now: Condition, *, iccid: str, is_spare: bool) -> dict[str, Any]:
    """Return the facts that devices and bare links show alike.

    PIN and PUK are among the facts: it is the client's duty to drop them.
    """
    return {
        "partnerid": 1,
        "sim": iccid,
        "imsi": link.imsi + (1_000_000 if is_spare else 0),
        "msisdn": f"8829{link.simcard_id:011d}",
        "state": "INACTIVE" if is_spare else now.state,
        "whenclaimed": stamp(now.claimed_at),
        "whenexpires": stamp(now.claimed_at and now.claimed_at + BILLING_PERIOD),
        "overagelimit": -1 if is_spare else now.overage_limit,
        "smslimit": 100 if is_spare else now.sms_limit,
        "pin": link.pin,
        "puk": link.puk,
        "euicc_type": "OPERATIONAL" if link.spare else "UICC",
        "eid": f"89044{link.simcard_id:027d}" if link.spare else None,
        "profile_state": "DISABLED" if is_spare else "ENABLED",
        "apn": "hologram",
    }


def _plan(now: Condition) -> dict[str, Any]:
    plan = PLANS.get(now.plan_id or 0)
    return {"id": plan.plan_id, "zone": now.zone, "name": plan.name, "data": plan.data} if plan else {}


def _tags(world: World, now: Condition, edition: ReplyEdition) -> list[Any]:
    tags = [world.tags[tag_id] for tag_id in sorted(now.tag_ids)]
    if edition == ReplyEdition.REF_3:
        return [tag.name for tag in tags]
    return [{"id": tag.tag_id, "name": tag.name} for tag in tags]


def _latest(link: SimulatedLink) -> Session | None:
    """Return the latest session, of those that have begun."""
    begun = [session for session in link.sessions if session.begin <= link.clock.now()]
    return max(begun, key=lambda session: session.begin, default=None)


def _connected(link: SimulatedLink, last: Session | None) -> datetime | None:
    """Return when a network saw the SIM last, session or not."""
    seen = [at for at in link.attached if at <= link.clock.now()]
    return max([*seen, *([last.begin] if last else [])], default=None)


def _last_session(last: Session, now: Condition) -> dict[str, Any]:
    return {
        "linkid": now.link_id,
        "session_begin": stamp(last.begin),
        "session_end": stamp(last.end),
        "bytes": last.bytes_,
        "imei": last.imei,
        "cellid": 16_956_425,
        "lac": 1042,
        "radio_access_technology": "LTE",
        "tadig": "XXX01",
        "network_name": "Invented Mobile",
        "active": False,
    }


def _without_hidden(world: World, row: dict[str, Any]) -> dict[str, Any]:
    if not world.behaviour.limits_shown:
        del row["overagelimit"], row["smslimit"]
    return row


def _loose(world: World, row: dict[str, Any]) -> dict[str, Any]:
    """Return the row, with numbers as texts where an option says so."""
    if not world.behaviour.numbers_as_strings:
        return row
    return {key: str(value) if key in _LOOSE and value is not None else value for key, value in row.items()}
