"""Updates of SIMs, which take effect later, and forbidden calls.

The migrator must never make the forbidden calls.
"""

import re
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from migrator.carriers.onence.simulator.account import CustomerAccount, unknown_sim
from migrator.carriers.onence.simulator.choices import OmittedFields
from migrator.carriers.onence.simulator.messages import OnenceCall, refusal
from migrator.carriers.onence.simulator.model import SimStatus, SimulatedSourceSim
from migrator.carriers.onence.simulator.reads import EXPIRED_TEXT
from migrator.carriers.simulation.effects import Effect
from migrator.carriers.simulation.messages import Refused, SimulatedReply

__all__ = ["is_forbidden", "never_called", "update_many", "update_one"]

ALLOWED_WRITES = re.compile(r"POST /oauth/token|PUT /v[12]/sims/\d+|POST /v1/sims")
SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}
TOP_UP_PRICE = Decimal("10.00")
"""Price of a top-up: assumed, as the API names no price.

A test asks whether anything was charged, not how much.
"""
STATUS_WORDS = {"Enabled": SimStatus.ENABLED, "Disabled": SimStatus.DISABLED}


def is_forbidden(call: OnenceCall) -> bool:
    """True for a write that the migrator must never send.

    Logins and updates of SIMs are the only allowed writes.
    """
    return call.method not in SAFE_METHODS and not ALLOWED_WRITES.fullmatch(f"{call.method} {call.path}")


def update_one(account: CustomerAccount, call: OnenceCall, iccid: str) -> SimulatedReply:
    """Answer PUT /sims/{iccid}: 200 without a body.

    The change shows after a while.
    """
    if not isinstance(call.body, dict):
        return refusal(call, 400, "A JSON object is expected")
    sim = account.known(call, iccid)
    if call.body.get("iccid", iccid) != iccid:
        return refusal(call, 400, "The ICCID of the body is not that of the path")
    if sim.is_expired:
        return refusal(call, 422, EXPIRED_TEXT)
    _queue(account, call, sim, call.body, account.behaviour.put_effect_s)
    return SimulatedReply(200)


def update_many(account: CustomerAccount, call: OnenceCall) -> SimulatedReply:
    """Answer POST /v1/sims: 201 without a body once the list is queued.

    The answer has no word on single SIMs (reference, section 10).
    """
    if not isinstance(call.body, list) or not all(isinstance(update, dict) for update in call.body):
        return refusal(call, 400, "A JSON array of objects is expected")
    found = [(update, account.find(call, str(update.get("iccid", "")))) for update in call.body]
    for update, sim in found:
        if sim is not None and not sim.is_expired:
            _values(account, call, update)  # the whole list is checked before any of it is queued
        elif account.behaviour.bulk_all_or_nothing:
            return unknown_sim(call, account.behaviour) if sim is None else refusal(call, 422, EXPIRED_TEXT)
    for update, sim in found:
        if sim is not None and not sim.is_expired:
            _queue(account, call, sim, update, account.behaviour.bulk_effect_s)
    return SimulatedReply(201)


def never_called(account: CustomerAccount, call: OnenceCall, iccid: str = "") -> SimulatedReply:
    """Answer top-ups, extensions, transfers and the like with 201.

    The answer is as if all were well, and the money is gone.
    """
    costs = call.path.endswith(("/topup", "/extension"))
    for charged in _iccids(call, iccid) if costs else ():
        account.ledger.charge(charged, TOP_UP_PRICE)
    location = f"https://api.1nce.com/management-api/v1/orders/{7000 + sum(account.ledger.charges.values())}"
    return SimulatedReply(201, headers=(("Location", location),) if costs else ())


def _iccids(call: OnenceCall, iccid: str) -> Iterable[str]:
    listed = call.body.get("iccids", ()) if isinstance(call.body, dict) else call.body
    return [iccid] if iccid else [str(entry) for entry in listed or ()]


def _queue(
    account: CustomerAccount, call: OnenceCall, sim: SimulatedSourceSim, update: dict[str, Any], delay_s: float
) -> None:
    values = _values(account, call, update)
    if account.behaviour.writes_applied:
        account.effects.append(Effect(account.clock.now_s() + delay_s, sim, values))
        account.settle()


def _values(account: CustomerAccount, call: OnenceCall, update: dict[str, Any]) -> dict[str, Any]:
    """Return the values that an update sets.

    Raises: Refused, with 400, where the update cannot be read or lacks what is required.
    """
    behaviour = account.behaviour
    lacking = [name for name in ("iccid", "status") if name not in update]
    if call.version == "v1" and behaviour.required_fields_enforced and lacking:
        raise Refused(refusal(call, 400, f"Missing attributes: {', '.join(lacking)}"))
    if call.version == "v1" and behaviour.omitted_fields is OmittedFields.DEFAULTED:
        update = {"status": "Enabled", "imei_lock": False} | update
    values: dict[str, Any] = {}
    if "status" in update:
        if update["status"] not in STATUS_WORDS:
            raise Refused(refusal(call, 400, "status must be Enabled or Disabled"))
        values["status"] = STATUS_WORDS[update["status"]]
    if "imei_lock" in update:
        values["imei_lock"] = bool(update["imei_lock"])
    if "label" in update:
        values["label"] = update["label"] or None  # assumed: empty text and null both clear it
    return values
