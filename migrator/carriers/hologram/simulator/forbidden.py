"""Calls that this project's tool must never make.

The simulator carries out such a call, and notes it in the ledger.
"""

from decimal import Decimal, InvalidOperation

from migrator.carriers.hologram.simulator.access import require
from migrator.carriers.hologram.simulator.catalogue import PLANS
from migrator.carriers.hologram.simulator.choices import Operation
from migrator.carriers.hologram.simulator.replies import Call, HologramReply, Refusal, ok, refusal
from migrator.carriers.hologram.simulator.world import World

__all__ = ["add_funds", "change_plan", "delete_device", "delete_tag", "transfer"]


def add_funds(world: World, call: Call) -> HologramReply:
    """Answer `POST /organizations/{id}/balance`: charge the card of the account."""
    world.forbid(call.name, "adds funds from the card")
    require(world, Operation.BALANCE)
    try:
        world.balance = (world.balance or Decimal(0)) + Decimal(str(call.body.get("addamount")))
    except InvalidOperation:
        raise Refusal(refusal(400, "addamount is required")) from None
    return ok({"balance": f"{world.balance:.2f}"})


def transfer(world: World, call: Call) -> HologramReply:
    """Answer `POST /devices/transfer`: move devices to another organization."""
    world.forbid(call.name, "transfers devices")
    require(world, Operation.CLAIM)
    device_ids, org_id = call.body_numbers("deviceids"), call.body_number("orgid")
    if org_id is None:
        raise Refusal(refusal(400, "orgid is required"))
    moved = [device_id for device_id in device_ids if device_id in world.by_device]
    for device_id in moved:
        world.by_device[device_id].org_id = org_id
    return ok({"destination_orgid": org_id, "transferred_deviceids": moved, "warnings": []})


def change_plan(world: World, call: Call) -> HologramReply:
    """Answer `POST /devices/changeplan`: change the data plan of devices.

    The limits are gone afterwards (reference, section 6.5).
    """
    world.forbid(call.name, "changes the plan")
    require(world, Operation.CLAIM, "changeplan")
    device_ids, plan_id = call.body_numbers("deviceids"), call.body_number("planid")
    if plan_id not in PLANS:
        raise Refusal(refusal(400, "Invalid plan"))
    changed = [world.by_device[device_id] for device_id in device_ids if device_id in world.by_device]
    for link in changed:
        link.change(world.clock.now_s(), plan_id=plan_id, zone=call.body.get("zone"), overage_limit=-1, threshold=-1)
    modified = [link.device_id for link in changed]
    profiles = [link.link_id for link in changed]
    return ok({"warnings": [], "devices_modified": modified, "profiles_modified": profiles, "newplanid": plan_id})


def delete_tag(world: World, call: Call) -> HologramReply:
    """Answer `DELETE /devices/tags/{id}`: take the tag off every device."""
    world.forbid(call.name, "deletes a tag")
    require(world, Operation.TAGS)
    tag_id = call.params["tag_id"]
    for link in world.sims.values():
        if tag_id in link.tag_ids:
            link.tag_ids -= {tag_id}
    return HologramReply(200, {"success": True})


def delete_device(world: World, call: Call) -> HologramReply:
    """Answer `DELETE /devices/{id}` as done, and do nothing.

    The call is in no documentation.
    """
    world.forbid(call.name, "deletes a device")
    return HologramReply(200, {"success": True})
