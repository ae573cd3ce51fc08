"""Delivery of SIMs in every condition that a client may meet."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from migrator.carriers.hologram.simulator.catalogue import PLANS
from migrator.carriers.hologram.simulator.choices import StockKind
from migrator.carriers.hologram.simulator.model import Condition, SimulatedLink
from migrator.carriers.hologram.simulator.world import World

__all__ = ["IN_TEST", "ClaimedAs", "default_name", "end_test_mode", "stock"]

STOCK_PLAN = PLANS[2096]
CLAIMED_BEFORE = timedelta(days=30)
TEST_MODE_FOR = timedelta(days=365)


@dataclass(frozen=True, slots=True)
class ClaimedAs:
    """State of a SIM that was claimed before the simulation began.

    `name` None stands for the carrier's default name. `test_ends_in` counts from the epoch, for SIMs in Test Mode.
    """

    state: str = "LIVE"
    name: str | None = None
    plan_id: int = STOCK_PLAN.plan_id
    overage_limit: int = -1
    sms_limit: int = 100
    test_ends_in: timedelta = TEST_MODE_FOR - CLAIMED_BEFORE


IN_TEST = "TEST-ACTIVATE"
_STATES = {StockKind.TEST_MODE: IN_TEST, StockKind.DEAD: "DEAD"}


def stock(world: World, iccids: Iterable[str], kind: StockKind, claimed_as: ClaimedAs | None = None) -> None:
    """Put SIMs into the stock of the carrier.

    Raises: ValueError, for a SIM that is there already.
    """
    if kind == StockKind.OTHER_ORG:
        world.other_org_visible = True
    orgs = {StockKind.FOREIGN: world.foreign_org_id, StockKind.OTHER_ORG: world.other_org_id}
    org_id = orgs.get(kind, world.org_id)
    for iccid in iccids:
        if kind == StockKind.INVENTORY:
            _shelve(world, world.add(iccid, Condition("INACTIVE", org_id)))
        else:
            state = _STATES.get(kind, "LIVE")
            _claimed(world, world.add(iccid, Condition("INACTIVE", org_id)), claimed_as or ClaimedAs(state))


def end_test_mode(world: World, iccid: str) -> None:
    """End the Test Mode of a SIM, and charge its first period.

    Raises: ValueError, for a SIM that is not in Test Mode.
    """
    link = world.sims[iccid]
    now = link.at(world.clock.now_s())
    if now.state != IN_TEST:
        raise ValueError(f"{iccid} is {now.state}, and not in Test Mode")
    link.change(world.clock.now_s(), state="LIVE", claimed_at=world.clock.now())
    zones = PLANS[now.plan_id or STOCK_PLAN.plan_id].zones
    world.ledger.charge(iccid, next(iter(zones.values())).amount)


def default_name(iccid: str) -> str:
    """Return the name of a device that nobody named (reference, section 5.1)."""
    return f"Unnamed Device ({iccid[-5:]})"


def _shelve(world: World, link: SimulatedLink) -> None:
    if world.behaviour.inventory_in_links:
        _since_ever(link, link_id=world.new_link_id(link))


def _claimed(world: World, link: SimulatedLink, claimed_as: ClaimedAs) -> None:
    world.fit_spare_profile(link)
    _since_ever(
        link,
        state=claimed_as.state,
        device_id=world.new_device_id(link),
        link_id=world.new_link_id(link),
        name=default_name(link.iccid) if claimed_as.name is None else claimed_as.name,
        plan_id=claimed_as.plan_id,
        zone=next(iter(PLANS[claimed_as.plan_id].zones)),
        overage_limit=claimed_as.overage_limit,
        sms_limit=claimed_as.sms_limit,
        claimed_at=world.clock.epoch - CLAIMED_BEFORE,
        test_ends_at=world.clock.epoch + claimed_as.test_ends_in if claimed_as.state == IN_TEST else None,
    )


def _since_ever(link: SimulatedLink, **facts: Any) -> None:
    """Set facts that no lagging read may show as new."""
    link.change(float("-inf"), **facts)
