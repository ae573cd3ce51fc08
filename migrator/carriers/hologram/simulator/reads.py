"""Reads of SIMs: devices, links, their history, their traffic.

Nothing here changes anything.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeAlias

from migrator.carriers.hologram.simulator.access import require, require_org
from migrator.carriers.hologram.simulator.choices import Operation, ReadKind
from migrator.carriers.hologram.simulator.model import Condition, Session, SimulatedLink
from migrator.carriers.hologram.simulator.paging import page
from migrator.carriers.hologram.simulator.replies import Call, HologramReply, Refusal, ok, refusal
from migrator.carriers.hologram.simulator.rows import device_row, link_row, session_row, stamp
from migrator.carriers.hologram.simulator.world import World, ids_below

__all__ = [
    "count_devices",
    "get_device",
    "get_link",
    "link_history",
    "list_devices",
    "list_links",
    "list_sessions",
    "unknown_id",
    "visible_device",
]

Seen: TypeAlias = tuple[int, SimulatedLink, Condition]
"""Id, SIM, and the condition that a read shows.

The id orders the list: a device id or a link id.
"""
Test: TypeAlias = Callable[[SimulatedLink, Condition], bool]


def list_devices(world: World, call: Call) -> HologramReply:
    """Answer `GET /devices`: newest first; every filter narrows the list."""
    kind = ReadKind.BY_SIM if "sim" in call.query else ReadKind.LIST
    found = _devices(world, call, kind)
    return page(
        world.behaviour,
        call,
        found,
        id_of=lambda seen: seen[0],
        row_of=lambda seen: device_row(world, seen[1], seen[2]),
    )


def count_devices(world: World, call: Call) -> HologramReply:
    """Answer `GET /devices/count`: a bare number."""
    return ok(sum(1 for _ in _devices(world, call, ReadKind.LIST)))


def get_device(world: World, call: Call) -> HologramReply:
    """Answer `GET /devices/{id}`."""
    require(world, Operation.READ)
    require_org(world, call)
    link, now = visible_device(world, call.params["device_id"], ReadKind.SINGLE)
    return ok(device_row(world, link, now))


def visible_device(world: World, device_id: int, kind: ReadKind) -> tuple[SimulatedLink, Condition]:
    """Return a device of ours as this kind of read shows it.

    Raises: Refusal (404 or 403).
    """
    link = world.by_device.get(device_id)
    now = link.at(world.read_at_s(kind)) if link else None
    if link is None or now is None or now.device_id is None or now.org_id not in world.visible_orgs():
        raise unknown_id(world)
    return link, now


def unknown_id(world: World) -> Refusal:
    """Return the refusal for an id that is unknown or not ours."""
    return Refusal(refusal(world.behaviour.unknown_id_status, "No such object, or no permissions to see it"))


def list_links(world: World, call: Call) -> HologramReply:
    """Answer `GET /links/cellular`: by ICCIDs and other filters, newest first."""
    require(world, Operation.READ)
    at_s, orgs = world.read_at_s(ReadKind.LINKS), _orgs(world, call)
    tests = _tests(world, call)
    found = (
        (link_id, link, now)
        for link_id in _link_ids(world, call, at_s)
        if _shows_link(world, now := (link := world.by_link[link_id]).at(at_s), orgs)
        and all(test(link, now) for test in tests)
    )
    return page(
        world.behaviour,
        call,
        found,
        id_of=lambda seen: seen[0],
        row_of=lambda seen: link_row(world, seen[1], seen[2], seen[0]),
    )


def get_link(world: World, call: Call) -> HologramReply:
    """Answer `GET /links/cellular/{id}`."""
    link, now = _visible_link(world, call)
    return ok(link_row(world, link, now, call.params["link_id"]))


def link_history(world: World, call: Call) -> HologramReply:
    """Answer `GET /links/cellular/{id}/history`: changes of state, newest first."""
    link, _ = _visible_link(world, call)
    at_s = world.read_at_s(ReadKind.LINKS)
    rows = [
        {
            "id": entry.entry_id,
            "timestamp": stamp(world.clock.date(entry.at_s)),
            "linkid": call.params["link_id"],
            "oldstate": entry.old,
            "newstate": entry.new,
            "reason": entry.reason,
        }
        for entry in reversed(link.history)
        if entry.at_s <= at_s
    ]
    return ok(rows)


def list_sessions(world: World, call: Call) -> HologramReply:
    """Answer `GET /usage/data`: sessions, newest first.

    A filter by device id is ignored, as nobody documents such a filter.
    """
    require(world, Operation.READ)
    orgs, asked = _orgs(world, call), _asked_numbers(call, "linkid", "linkids")
    cursor, since, until = call.number("startafter"), call.number("timestart"), call.number("timeend")

    def fits(session: Session) -> bool:
        link, begun_s = world.sims[session.iccid], session.begin.timestamp()
        return (
            link.org_id in orgs
            and session.begin <= world.clock.now()
            and (asked is None or link.link_id in asked)
            and (cursor is None or session.record_id < cursor)
            and (since is None or begun_s >= since)
            and (until is None or begun_s <= until)
        )

    def row(session: Session) -> dict[str, Any]:
        return session_row(world, session, world.sims[session.iccid].link_id)

    found = (session for session in _sessions(world, asked) if fits(session))
    return page(world.behaviour, call, found, id_of=lambda session: session.record_id, row_of=row)


def _sessions(world: World, link_ids: list[int] | None) -> Iterable[Session]:
    """Return all sessions, or the sessions of some links, newest first."""
    if link_ids is None:
        return reversed(world.sessions)
    owners = {link.iccid: link for link_id in link_ids if (link := world.by_link.get(link_id))}
    sessions = (session for owner in owners.values() for session in owner.sessions)
    return sorted(sessions, key=lambda session: -session.record_id)


def _devices(world: World, call: Call, kind: ReadKind) -> Iterator[Seen]:
    require(world, Operation.READ)
    at_s, orgs, tests = world.read_at_s(kind), _orgs(world, call), _tests(world, call)
    return (
        (device_id, link, now)
        for device_id in _device_ids(world, call)
        if (now := (link := world.by_device[device_id]).at(at_s)).device_id is not None
        and now.org_id in orgs
        and all(test(link, now) for test in tests)
    )


def _device_ids(world: World, call: Call) -> Iterator[int]:
    """Return the ids of the devices to search, newest first.

    ICCIDs and ids are found directly; for any other filter all devices are searched.
    """
    asked = _asked_numbers(call, "id", "ids")
    if "sim" in call.query:
        link = world.sims.get(call.query["sim"])
        asked = [link.device_id] if link and link.device_id is not None else []
    elif "linkid" in call.query:
        link = world.by_link.get(call.number("linkid") or 0)
        asked = [link.device_id] if link and link.device_id is not None else []
    return _known_below(world.device_ids, asked, world.by_device, call.number("startafter"))


def _link_ids(world: World, call: Call, at_s: float) -> Iterator[int]:
    asked = _asked_numbers(call, "id", "ids")
    devices = _asked_numbers(call, "deviceid", "deviceids")
    iccids = call.words("sims") if "sims" in call.query else call.words("sim")
    if iccids is not None:
        links = (world.sims[iccid].at(at_s) for iccid in iccids if iccid in world.sims)
        asked = [now.link_id for now in links if now.link_id is not None]
    elif devices is not None:
        owners = [world.by_device[device_id] for device_id in devices if device_id in world.by_device]
        spares = [owner.spare.link_id for owner in owners if owner.spare]
        asked = spares + [owner.link_id for owner in owners if owner.link_id is not None]
    return _known_below(world.link_ids, asked, world.by_link, call.number("startafter"))


def _known_below(
    everything: Sequence[int], asked: list[int] | None, known: dict[int, SimulatedLink], cursor: int | None
) -> Iterator[int]:
    if asked is None:
        return ids_below(everything, cursor)
    return ids_below(sorted({number for number in asked if number in known}), cursor)


def _shows_link(world: World, now: Condition, orgs: frozenset[int]) -> bool:
    if now.link_id is None or (now.device_id is None and not world.behaviour.inventory_in_links):
        return False
    return now.org_id in orgs or (now.org_id == world.foreign_org_id and world.behaviour.foreign_in_links)


def _visible_link(world: World, call: Call) -> tuple[SimulatedLink, Condition]:
    require(world, Operation.READ)
    link = world.by_link.get(call.params["link_id"])
    now = link.at(world.read_at_s(ReadKind.LINKS)) if link else None
    if link is None or now is None or not _shows_link(world, now, world.visible_orgs()):
        raise unknown_id(world)
    return link, now


def _orgs(world: World, call: Call) -> frozenset[int]:
    org_id = require_org(world, call)
    return world.visible_orgs() if org_id is None else frozenset({org_id})


def _asked_numbers(call: Call, one: str, many: str) -> list[int] | None:
    """Return the ids of either form of a filter, or None.

    None means that neither form is there.
    """
    number = call.number(one)
    return call.numbers(many) if number is None else [number]


def _tests(world: World, call: Call) -> list[Test]:
    """Return the tests that a SIM must pass, beyond ids and ICCIDs.

    Raises: Refusal, for a filter that cannot be read.
    """
    query = call.query
    tests: list[Test] = [] if world.behaviour.dead_listed else [lambda _, now: now.state != "DEAD"]
    if (states := call.words("states")) is not None:
        tests.append(lambda _, now: now.state in states)
    if (tag_ids := _asked_numbers(call, "tagid", "tagids")) is not None:
        tests.append(lambda _, now: not now.tag_ids.isdisjoint(tag_ids))
    if "tagname" in query:
        tests.append(lambda _, now: any(world.tags[tag_id].name == query["tagname"] for tag_id in now.tag_ids))
    if (imsis := _asked_numbers(call, "imsi", "imsis")) is not None:
        tests.append(lambda link, _: link.imsi in imsis)
    if "imei" in query:
        tests.append(lambda link, _: any(session.imei == query["imei"] for session in link.sessions))
    if "name" in query:
        tests.append(lambda _, now: now.name == query["name"])
    return tests + _more_tests(call)


def _more_tests(call: Call) -> list[Test]:
    tests: list[Test] = []
    if (ends := call.query.get("simrange")) is not None:
        first, _, last = ends.partition("-")
        tests.append(lambda link, _: len(link.iccid) == len(first) and first <= link.iccid <= last)
    if (after := call.number("claimedafter")) is not None:
        tests.append(lambda _, now: now.claimed_at is not None and now.claimed_at.timestamp() > after)
    if (before := call.number("claimedbefore")) is not None:
        tests.append(lambda _, now: now.claimed_at is not None and now.claimed_at.timestamp() < before)
    return tests
