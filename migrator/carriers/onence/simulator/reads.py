"""Reads of one SIM, and of the account's limits."""

from typing import Any

from migrator.carriers.onence.simulator.account import CustomerAccount, unknown_sim
from migrator.carriers.onence.simulator.behaviour import OnenceBehaviour
from migrator.carriers.onence.simulator.choices import ExpiredSims, NoLimit, SelectableLimits, UsageCall
from migrator.carriers.onence.simulator.messages import OnenceCall, refusal
from migrator.carriers.onence.simulator.model import SimulatedSourceSim
from migrator.carriers.onence.simulator.shapes import quota_v1, quota_v2, sim_object
from migrator.carriers.onence.simulator.usage import is_in_a_unit, usage
from migrator.carriers.simulation.messages import Refused, SimulatedReply, json_reply

__all__ = ["EXPIRED_TEXT", "connectivity", "limits", "quota", "selectable_limits", "single", "usage_rows"]

EXPIRED_TEXT = "The following SIMs are expired and cannot be modified via API. Only extensions are permitted."
CHOICES = {
    "data": ((1, 16), (9, 10), (10, 20), (17, 30), (16, 40)),
    "smsmt": ((45, 10), (29, 25), (28, 50), (5, 100)),
    "smsmo": ((35, 10), (31, 25), (30, 50), (7, 100)),
}
"""Id and value of each choice, by service.

Source: one customer's program (reference, section 9.2); the 16 MB are the contract's.
"""


def single(account: CustomerAccount, call: OnenceCall, iccid: str) -> SimulatedReply:
    """Answer GET /sims/{iccid}."""
    sim = _readable(account, call, iccid)
    if iccid in account.behaviour.single_reads_of_others:
        sim = next(other for other in account.fleet if other.iccid != iccid)
    words = account.behaviour.v2_words if call.version == "v2" else account.behaviour.v1_words
    return json_reply(sim_object(sim, account.behaviour, words=words, single=True))


def quota(account: CustomerAccount, call: OnenceCall, iccid: str, service: str) -> SimulatedReply:
    """Answer GET /sims/{iccid}/quota/{service}.

    Nothing is known of a SIM without a quota record: the SIM is answered as if unknown.
    """
    sim = _readable(account, call, iccid)
    if not sim.has_quota:
        return unknown_sim(call, account.behaviour)
    write = quota_v2 if call.version == "v2" else quota_v1
    return json_reply(write(sim, service, account.behaviour))


def usage_rows(account: CustomerAccount, call: OnenceCall, iccid: str) -> SimulatedReply:
    """Answer GET /sims/{iccid}/usage.

    Nothing is known of v2's shape: the shape of v1 is assumed.
    """
    if account.behaviour.usage_call is UsageCall.FORBIDDEN:
        return json_reply({"message": "Forbidden"}, 403)
    if account.behaviour.usage_call is UsageCall.V1_ONLY and call.version == "v2":
        return refusal(call, 404, "Element not found")
    sim = _readable(account, call, iccid)
    today = account.clock.now().date()
    return json_reply(usage(sim, call.query, today=today, with_total=account.behaviour.usage_total_row))


def connectivity(account: CustomerAccount, call: OnenceCall, iccid: str) -> SimulatedReply:
    """Answer GET /sims/{iccid}/status: if the network sees the SIM.

    The answer does not report if the SIM may connect.
    """
    sim = _readable(account, call, iccid)
    is_seen = sim.status == "Enabled" and is_in_a_unit(sim, account.clock.now().date())
    word = "ATTACHED" if is_seen else "OFFLINE"
    status: Any = {"description": word} if call.version == "v2" else word
    location = {"iccid": sim.iccid, "imsi": sim.imsi, "operator": {"id": 90, "name": "Plus"}}
    return json_reply({"status": status, "location": location, "services": ["GPRS"]})


def limits(account: CustomerAccount, _call: OnenceCall) -> SimulatedReply:
    """Answer GET /v1/sims/limits: caps per SIM and calendar month.

    The caps are the same for all SIMs (reference, section 9.1).
    """
    entries = {key: _limit(account.behaviour, key) for key in ("data", "smsMt", "smsMo")}
    hidden = account.behaviour.no_limit is NoLimit.KEY_MISSING
    return json_reply({key: entry for key, entry in entries.items() if entry is not None or not hidden})


def selectable_limits(account: CustomerAccount, call: OnenceCall, service: str) -> SimulatedReply:
    """Answer GET /v1/sims/{service}/limits.

    The case of the service's name does not matter.
    """
    choices = CHOICES.get(service.lower())
    if choices is None:
        return refusal(call, 404, "Element not found")
    shape = account.behaviour.selectable_limits
    if shape is SelectableLimits.CURRENT:
        return limits(account, call)
    unit = "MB" if service == "data" else "SMS"
    if shape is SelectableLimits.LIST:
        return json_reply([{"id": id_, "limit": str(value), "unit": unit} for id_, value in choices])
    entries = [{"id": id_, "description": f"{value} {unit}"} for id_, value in choices]
    return json_reply({"selectableLimits": entries})


def _limit(behaviour: OnenceBehaviour, key: str) -> dict[str, Any] | None:
    unit = "MB" if key == "data" else "SMS"
    value = {"data": behaviour.data_limit_mb, "smsMt": behaviour.sms_mt_limit, "smsMo": behaviour.sms_mo_limit}[key]
    if value is None:
        return {"id": 0, "limit": "No limit", "unit": unit} if behaviour.no_limit is NoLimit.TEXT else None
    ids = {str(choice): id_ for id_, choice in CHOICES[key.lower()]}
    return {"id": ids.get(value, 1), "limit": value, "unit": unit}


def _readable(account: CustomerAccount, call: OnenceCall, iccid: str) -> SimulatedSourceSim:
    sim = account.known(call, iccid)
    if sim.is_expired and account.behaviour.expired is ExpiredSims.UNREADABLE:
        raise Refused(refusal(call, 422, EXPIRED_TEXT))
    return sim
