"""Names and tags of devices."""

from typing import Any

from migrator.carriers.hologram.simulator.access import require, require_org
from migrator.carriers.hologram.simulator.behaviour import BULK_RENAME
from migrator.carriers.hologram.simulator.choices import Operation, ReplyEdition, TagRepeat
from migrator.carriers.hologram.simulator.commands import chosen_devices
from migrator.carriers.hologram.simulator.model import SimulatedLink, SimulatedTag
from migrator.carriers.hologram.simulator.paging import page_limit
from migrator.carriers.hologram.simulator.reads import unknown_id
from migrator.carriers.hologram.simulator.replies import NO_PERMISSION, Call, HologramReply, Refusal, ok, refusal
from migrator.carriers.hologram.simulator.rows import device_row
from migrator.carriers.hologram.simulator.world import World

__all__ = ["create_tag", "link_tag", "list_tags", "rename_device", "rename_devices", "unlink_tag"]


def rename_device(world: World, call: Call) -> HologramReply:
    """Answer `PUT /devices/{id}`: set the name exactly.

    An `orgid` in the body moves the device away.
    """
    require(world, Operation.RENAME)
    require_org(world, call)
    link = _own_device(world, call.params["device_id"])
    if "orgid" in call.body:
        world.forbid(call.name, "orgid in the body moves the device")
        link.org_id = call.body_number("orgid") or link.org_id
    if "name" in call.body:
        if link.iccid in world.behaviour.names_refused:
            raise Refusal(refusal(400, "This name is not allowed"))
        link.name = _cut(world, str(call.body["name"]))
    return ok(device_row(world, link, link.at(world.clock.now_s())))


def rename_devices(world: World, call: Call) -> HologramReply:
    """Answer `POST /devices/names`: give names by a prefix.

    A name is the prefix and the last five digits of the ICCID, or the prefix alone.
    """
    require(world, Operation.RENAME)
    require_org(world, call)
    if BULK_RENAME not in world.behaviour.features:
        raise Refusal(refusal(403, NO_PERMISSION))
    prefix = call.body.get("prefix")
    if not isinstance(prefix, str) or not prefix:
        raise Refusal(refusal(400, "prefix is required"))
    names = {
        link.iccid: _cut(world, prefix if call.body.get("skipPostfix") else prefix + _suffix(world, link))
        for link in _own_devices(world, call)
    }
    if call.is_preview:
        return ok(list(names.values())[:10])
    for iccid, name in names.items():
        world.sims[iccid].name = name
    return HologramReply(200, {"success": True})


def list_tags(world: World, call: Call) -> HologramReply:
    """Answer `GET /devices/tags`."""
    require(world, Operation.READ)
    org_id, tag_id = require_org(world, call), call.number("id")
    orgs = world.visible_orgs() if org_id is None else {org_id}
    tags = [
        tag for tag in reversed(world.tags.values()) if tag.org_id in orgs and (tag_id is None or tag.tag_id == tag_id)
    ]
    return _tags_reply(world, tags[: page_limit(world.behaviour, call)])


def create_tag(world: World, call: Call) -> HologramReply:
    """Answer `POST /devices/tags?orgid=`: make a tag.

    The new tag is put on the devices of the body if there are any.
    """
    require(world, Operation.TAGS)
    org_id, name = require_org(world, call, required=True), call.body.get("name")
    if org_id is None or not isinstance(name, str) or not name.strip():
        raise Refusal(refusal(400, "name is required"))
    tag = next((tag for tag in world.tags.values() if (tag.org_id, tag.name) == (org_id, name)), None)
    if tag is not None and world.behaviour.tag_repeat == TagRepeat.REFUSE:
        raise Refusal(refusal(400, "A tag with this name already exists"))
    if tag is None or world.behaviour.tag_repeat == TagRepeat.CREATE:
        tag = SimulatedTag(world.next_tag_id, name, org_id)
        world.tags[tag.tag_id] = tag
        world.next_tag_id += 1
    for link in _own_devices(world, call) if call.body.get("deviceids") or call.body.get("allSelected") else []:
        link.tag_ids |= {tag.tag_id}
    return _tags_reply(world, [tag])


def link_tag(world: World, call: Call) -> HologramReply:
    """Answer `POST /devices/tags/{id}/link`: a repetition changes nothing."""
    tag, links = _tagging(world, call)
    for link in links:
        link.tag_ids |= {tag.tag_id}
    return _tags_reply(world, [tag])


def unlink_tag(world: World, call: Call) -> HologramReply:
    """Answer `POST /devices/tags/{id}/unlink`."""
    tag, links = _tagging(world, call)
    for link in links:
        link.tag_ids -= {tag.tag_id}
    return _tags_reply(world, [tag])


def _tagging(world: World, call: Call) -> tuple[SimulatedTag, list[SimulatedLink]]:
    require(world, Operation.TAGS)
    require_org(world, call)
    tag = world.tags.get(call.params["tag_id"])
    if tag is None or tag.org_id not in world.visible_orgs():
        raise unknown_id(world)
    links = _own_devices(world, call)
    if any(link.org_id != tag.org_id for link in links):
        raise Refusal(refusal(400, "Devices and tag must belong to the same organization"))
    return tag, links


def _own_devices(world: World, call: Call) -> list[SimulatedLink]:
    return [_own_device(world, device_id) for device_id in chosen_devices(world, call)]


def _own_device(world: World, device_id: int) -> SimulatedLink:
    """Return the SIM behind a device id.

    Writes see the SIM at once, even where reads lag.

    Raises: Refusal.
    """
    link = world.by_device.get(device_id)
    if link is None or link.org_id not in world.visible_orgs():
        raise unknown_id(world)
    return link


def _suffix(world: World, link: SimulatedLink) -> str:
    return f"{' ' if world.behaviour.suffix_space else ''}({link.iccid[-5:]})"


def _cut(world: World, name: str) -> str:
    return name[: world.behaviour.max_name]


def _tags_reply(world: World, tags: list[SimulatedTag]) -> HologramReply:
    """Return tags in the form of the edition.

    REF-1 has a bare list, the other editions have an object around the list (reference, section 10.3).
    """
    rows: list[dict[str, Any]] = [
        {
            "id": tag.tag_id,
            "name": tag.name,
            "deviceids": [
                device_id for device_id in world.device_ids if tag.tag_id in world.by_device[device_id].tag_ids
            ],
        }
        for tag in tags
    ]
    bare = world.edition(world.behaviour.tags_edition) == ReplyEdition.REF_1
    return ok(rows if bare else {"tags": rows})
