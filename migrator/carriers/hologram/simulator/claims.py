"""Activation of SIMs: `POST /links/cellular/bulkclaim` and its single form.

Money moves here and nowhere else.
"""

import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from migrator.carriers.hologram.simulator.access import require
from migrator.carriers.hologram.simulator.behaviour import NO_LIMITS_AT_CLAIM
from migrator.carriers.hologram.simulator.catalogue import PLANS, SimulatedPlan, zone_of
from migrator.carriers.hologram.simulator.choices import Duplicates, MixedClaims, Operation, ReplyEdition, SmsIncrease
from migrator.carriers.hologram.simulator.model import SimulatedLink
from migrator.carriers.hologram.simulator.replies import NO_PERMISSION, Call, HologramReply, Refusal, refusal
from migrator.carriers.hologram.simulator.stock import default_name
from migrator.carriers.hologram.simulator.world import World

__all__ = ["SMS_MOST", "bulk_claim", "single_claim"]

SMS_MOST = 100
"""SMS limit that no account passes without a contract (reference, section 9.3)."""


@dataclass(frozen=True, slots=True)
class _ClaimOrder:
    """Claim as the simulator read it.

    `plan` and `zone` are None in a preview without them.
    """

    sims: tuple[str, ...]
    plan: SimulatedPlan | None
    zone: str | None
    price_times: Decimal
    org_id: int
    overage_limit: int
    sms_limit: int
    threshold: int
    tag_ids: frozenset[int]

    @property
    def price(self) -> Decimal:
        """Amount that each SIM costs at once."""
        return self.plan.zones[self.zone].amount * self.price_times if self.plan and self.zone else Decimal(0)


def bulk_claim(world: World, call: Call) -> HologramReply:
    """Activate the SIMs of the body, as the options allow.

    Shape: `data` is a list of new devices, or a map of bad ICCIDs to reasons (reference, section 6.3).
    """
    require(world, Operation.CLAIM, "activation")
    if "invalidatePreflightSims" in call.body:
        world.forbid(call.name, "invalidatePreflightSims")
    return _claim(world, call, _order(world, call, _sims(world, call)))


def single_claim(world: World, call: Call) -> HologramReply:
    """Answer `POST /links/cellular/sim_{ICCID}/claim`: a claim of one SIM."""
    require(world, Operation.CLAIM, "activation")
    return _claim(world, call, _order(world, call, (call.params["iccid"],)))


def _claim(world: World, call: Call, order: _ClaimOrder) -> HologramReply:
    behaviour = world.behaviour
    if not behaviour.poison.isdisjoint(order.sims):
        return refusal(behaviour.claim_failure_status, "The request could not be processed")
    bad = _reasons(world, order)
    if bad and behaviour.claim_policy == MixedClaims.REFUSE_SILENTLY:
        return refusal(behaviour.claim_failure_status, "Some SIMs cannot be activated")
    if bad and behaviour.claim_policy == MixedClaims.ALL_OR_NOTHING:
        return _failed(world, bad)
    sims = order.sims if behaviour.duplicates == Duplicates.CHARGE_TWICE else tuple(dict.fromkeys(order.sims))
    good = [iccid for iccid in sims if iccid not in bad]
    if call.is_preview:
        return _previewed(world, order, good)
    _pay(world, order, good)
    claimed = [_activate(world, world.sims[iccid], order) for iccid in dict.fromkeys(good)]
    if bad and behaviour.claim_policy == MixedClaims.FALSE_BUT_SOME:
        return _failed(world, bad)
    return _claimed(world, order, claimed, quantity=len(good))


def _sims(world: World, call: Call) -> tuple[str, ...]:
    """Return the ICCIDs of exactly one selector.

    Raises: Refusal (400).
    """
    selectors = [key for key in ("sims", "simrange", "eidrange") if call.body.get(key)]
    if selectors == ["sims"] and isinstance(call.body["sims"], list):
        sims = tuple(str(iccid) for iccid in call.body["sims"])
    elif selectors == ["simrange"]:
        first, _, last = str(call.body["simrange"]).partition("-")
        sims = tuple(iccid for iccid in sorted(world.sims) if len(iccid) == len(first) and first <= iccid <= last)
    else:
        raise Refusal(refusal(400, "Provide exactly one of simrange, sims, or eidrange"))
    if not 0 < len(sims) <= world.behaviour.max_claim:
        raise Refusal(refusal(400, f"Between 1 and {world.behaviour.max_claim} SIMs can be activated per request"))
    return sims


def _order(world: World, call: Call, sims: tuple[str, ...]) -> _ClaimOrder:
    """Return the claim, with data plan, organization and limits checked.

    Raises: Refusal.
    """
    org_id = call.body_number("orgid") or call.number("orgid") or world.org_id
    if org_id not in world.visible_orgs():
        raise Refusal(refusal(403, NO_PERMISSION))
    if NO_LIMITS_AT_CLAIM in world.behaviour.features and call.body.get("overage_limit") is not None:
        raise _refused(world, "Data usage limits are not available for this account")
    plan, zone = _tariff(world, call)
    return _ClaimOrder(
        sims=sims,
        plan=plan,
        zone=zone,
        price_times=world.behaviour.price_times,
        org_id=org_id,
        overage_limit=_limit(call, "overage_limit"),
        sms_limit=_sms_limit(world, call),
        threshold=_limit(call, "threshold"),
        tag_ids=_tag_ids(world, call, org_id),
    )


def _tariff(world: World, call: Call) -> tuple[SimulatedPlan | None, str | None]:
    plan_id, zone = call.body_number("plan"), call.body.get("zone")
    if call.is_preview and plan_id is None and zone is None:
        return None, None
    plan = PLANS.get(plan_id or 0)
    if plan is None or not plan.enabled:
        raise _refused(world, "Invalid plan")
    known = zone_of(plan, str(zone or ""), case_matters=world.behaviour.zone_case_matters)
    if known is None:
        raise _refused(world, "Invalid zone for plan")
    return plan, known


def _limit(call: Call, key: str) -> int:
    limit = call.body_number(key)
    if limit is not None and limit < -1:
        raise Refusal(refusal(400, f"{key} must be -1 or more"))
    return -1 if limit is None else limit


def _sms_limit(world: World, call: Call) -> int:
    limit = call.body_number("smslimit")
    if limit is None:
        return SMS_MOST
    if 0 <= limit <= SMS_MOST or world.behaviour.sms_increase == SmsIncrease.ALLOW:
        return limit
    if world.behaviour.sms_increase == SmsIncrease.REFUSE:
        raise _refused(world, f"SMS limit cannot be above {SMS_MOST}")
    return SMS_MOST


def _tag_ids(world: World, call: Call, org_id: int) -> frozenset[int]:
    tag_id = call.body_number("tagid")
    if tag_id is None:
        return frozenset()
    if tag_id not in world.tags or world.tags[tag_id].org_id != org_id:
        raise _refused(world, "Invalid tag")
    return frozenset({tag_id})


def _reasons(world: World, order: _ClaimOrder) -> dict[str, str]:
    """Return the reasons against claiming SIMs, by ICCID as sent.

    The result is empty if all SIMs can be claimed.
    """
    reasons = {iccid: reason for iccid in order.sims if (reason := _reason(world, iccid, order.org_id))}
    if world.behaviour.duplicates == Duplicates.REFUSE:
        reasons |= {iccid: "Duplicate SIM" for iccid, times in Counter(order.sims).items() if times > 1}
    return reasons


def _reason(world: World, iccid: str, org_id: int) -> str | None:
    link = world.sims.get(iccid)
    if link is None:
        return "SIM not found"
    now = link.at(world.clock.now_s())
    if now.org_id not in world.visible_orgs():
        return world.behaviour.foreign_reason
    if now.state == "TEST-ACTIVATE":
        return None if world.behaviour.test_mode_claimable else "Preflight SIM"
    if now.state == "DEAD":
        return "SIM is deactivated"
    if now.device_id is None:
        return None if now.org_id == org_id else "SIM not found"
    return world.behaviour.ours_reason


def _pay(world: World, order: _ClaimOrder, good: list[str]) -> None:
    """Charge every mention in `good`, or charge nothing.

    Raises: Refusal, if the balance does not cover all mentions.
    """
    total = order.price * len(good)
    if world.balance is not None:
        if world.balance < total:
            world.ledger.unpaid_at_s.append(world.clock.now_s())
            raise Refusal(refusal(world.behaviour.insufficient_status, world.behaviour.insufficient_text))
        world.balance -= total
    for iccid in good:
        world.ledger.charge(iccid, order.price)


def _activate(world: World, link: SimulatedLink, order: _ClaimOrder) -> SimulatedLink:
    world.fit_spare_profile(link)
    was_in_test = link.state == "TEST-ACTIVATE"
    kept_plan = world.behaviour.test_mode_keeps_plan if was_in_test else None
    link.change(
        world.clock.now_s(),
        org_id=order.org_id,
        device_id=link.device_id or world.new_device_id(link),
        link_id=link.link_id or world.new_link_id(link),
        name=link.name or default_name(link.iccid),
        overage_limit=order.overage_limit,
        sms_limit=order.sms_limit,
        threshold=order.threshold,
        plan_id=kept_plan or (order.plan.plan_id if order.plan else None),
        zone=order.zone,
        tag_ids=link.tag_ids | order.tag_ids,
        claimed_at=world.clock.now(),
    )
    after_s = world.pending_s(link, "claim", world.behaviour.claim_pending_s)
    world.move(link, pending="LIVE-PENDING", settled=world.live_state(link), after_s=after_s)
    return link


def _failed(world: World, reasons: Mapping[str, str]) -> HologramReply:
    """Answer `success` false without `error`, with the reasons in `data`.

    The vendor's own SDK reads this form.
    """
    return HologramReply(world.behaviour.claim_failure_status, {"success": False, "data": dict(reasons)})


def _refused(world: World, error: str) -> Refusal:
    return Refusal(refusal(world.behaviour.claim_failure_status, error))


def _claimed(world: World, order: _ClaimOrder, claimed: list[SimulatedLink], *, quantity: int) -> HologramReply:
    edition = world.edition(world.behaviour.claim_edition)
    rows = [_claimed_row(world, link, edition) for link in claimed]
    if world.behaviour.claim_reply_shuffled:
        random.Random(f"{world.seed}/order/{len(world.device_ids)}").shuffle(rows)
    return HologramReply(200, {"success": True, "data": rows, **_order_data(order, edition, quantity, preview=False)})


def _claimed_row(world: World, link: SimulatedLink, edition: ReplyEdition) -> dict[str, Any]:
    shown = str if world.behaviour.numbers_as_strings else int
    row: dict[str, Any] = {"link": shown(link.link_id or 0), "sim": link.iccid}
    row["Devices" if edition == ReplyEdition.REF_1 else "device"] = shown(link.device_id or 0)
    if edition == ReplyEdition.REF_2:
        row["simcardid"] = shown(link.simcard_id)
    if edition == ReplyEdition.REF_3:
        row["simcardid"] = str(link.simcard_id)
    return row


def _previewed(world: World, order: _ClaimOrder, good: list[str]) -> HologramReply:
    rows = [{"sim": iccid, "simcardid": world.sims[iccid].simcard_id} for iccid in good]
    edition = world.edition(world.behaviour.claim_edition)
    return HologramReply(200, {"success": True, "data": rows, **_order_data(order, edition, len(good), preview=True)})


def _order_data(order: _ClaimOrder, edition: ReplyEdition, quantity: int, *, preview: bool) -> dict[str, Any]:
    purchase = {
        "preview": preview,
        "sku": "PLAN",
        "unit_cost": float(order.price),
        "total_cost": float(order.price * quantity),
        "quantity": quantity,
        "sales_tax": 0,
        "shipping_cost": 0,
        "needs_shipping": False,
    }
    forms: dict[ReplyEdition, dict[str, Any]] = {
        ReplyEdition.REF_1: {"order_data": purchase},
        ReplyEdition.REF_2: {"order_data": [purchase]},
        ReplyEdition.REF_3: {},
    }
    return forms[edition]
