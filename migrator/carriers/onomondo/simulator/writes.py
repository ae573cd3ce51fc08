"""Updates of SIMs, which may take effect later."""

import json
from collections.abc import Mapping
from typing import Any

from migrator.carriers.onomondo.simulator.account import OnomondoAccount, OnomondoCall, refusal
from migrator.carriers.onomondo.simulator.behaviour import BulkLine
from migrator.carriers.onomondo.simulator.reads import record
from migrator.carriers.simulation.effects import Effect
from migrator.carriers.simulation.messages import Refused, SimulatedReply, json_reply

__all__ = ["is_forbidden", "update_many", "update_one"]

MOST_IN_BULK = 20
SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}
SETTABLE = {"label", "activated", "imei_lock"}


def is_forbidden(call: OnomondoCall) -> bool:
    """True for a write that the migrator must never send.

    Only updates are allowed that switch SIMs off or on, and do nothing else.
    """
    if call.method in SAFE_METHODS:
        return False
    sims = call.body.get("sims") if isinstance(call.body, dict) else None
    is_bulk = (call.method, call.path) == ("PATCH", "/sims/bulk") and isinstance(sims, list)
    return not is_bulk or any(not isinstance(one, dict) or set(one) != {"id", "activated"} for one in sims or ())


def update_one(account: OnomondoAccount, call: OnomondoCall, name: str) -> SimulatedReply:
    """Answer PATCH /sims/{id} with the SIM's record."""
    sim = account.known(name)
    if not isinstance(call.body, dict):
        return refusal(400, "a JSON object is expected")
    _set(account, sim.sim_id, call.body)
    return json_reply(record(account, sim))


def update_many(account: OnomondoAccount, call: OnomondoCall) -> SimulatedReply:
    """Answer PATCH /sims/bulk.

    The answer is text, with an object for each SIM on a line.
    """
    sims = call.body.get("sims") if isinstance(call.body, dict) else None
    if not isinstance(sims, list) or not all(isinstance(one, dict) for one in sims):
        return refusal(400, "sims must be an array of objects")
    if len(sims) > MOST_IN_BULK:
        return refusal(400, f"at most {MOST_IN_BULK} SIMs")
    if account.behaviour.bulk_refused and any(account.fleet.find(str(one.get("id"))) is None for one in sims):
        return refusal(400, "sim_not_found")
    lines = [line for one in sims if (line := _line(account, one)) is not None]
    if account.behaviour.bulk_reversed:
        lines.reverse()
    text = "".join(f"{json.dumps(line, separators=(',', ':'))}\n" for line in lines)
    return SimulatedReply(200, text.encode(), "text/plain; charset=utf-8")


def _line(account: OnomondoAccount, update: Mapping[str, Any]) -> dict[str, Any] | None:
    """Carry out one update, and return its line; None for no line."""
    known_id = update.get("id")
    sim = account.fleet.find(known_id) if isinstance(known_id, str) else None
    if sim is None or sim.sim_id != known_id:
        return {"id": known_id, "success": False, "error": "sim_not_found"}
    odd = account.behaviour.bulk_lines.get(sim.iccid)
    if odd is BulkLine.FAILED:
        return {"id": known_id, "success": False, "error": "the SIM is locked by your plan"}
    if odd not in {BulkLine.DROPPED, BulkLine.BOASTFUL}:
        try:
            _set(account, known_id, {name: value for name, value in update.items() if name != "id"})
        except Refused:
            return {"id": known_id, "success": False, "error": "invalid"}
    return None if odd in {BulkLine.MISSING, BulkLine.DROPPED} else {"id": known_id, "success": True}


def _set(account: OnomondoAccount, known_id: str, update: Mapping[str, Any]) -> None:
    """Let an update take effect, once its time has come.

    Raises: Refused, with 400 for what is no update, and with 403 for a tag that may not be taken off.
    """
    sim = account.known(known_id)
    if not isinstance(update.get("activated", True), bool):
        raise Refused(refusal(400, "activated must be true or false"))
    values = {name: value for name, value in update.items() if name in SETTABLE}
    if "tags" in update:
        kept = tuple(tag for tag in sim.tags if tag.tag_id in update["tags"])
        if any(not tag.can_write for tag in sim.tags if tag not in kept):
            raise Refused(refusal(403, "tag_forbidden"))
        values["tags"] = kept
    if account.behaviour.writes_applied:
        account.effects.append(Effect(account.clock.now_s() + account.behaviour.effect_s, sim, values))
        account.settle()
