"""User, organizations, balance and plans of the simulated account."""

from typing import Any

from migrator.carriers.hologram.simulator.access import permissions_of, require, require_org
from migrator.carriers.hologram.simulator.catalogue import PLANS, SimulatedPlan, Tariff
from migrator.carriers.hologram.simulator.choices import Operation, ReplyEdition
from migrator.carriers.hologram.simulator.paging import page
from migrator.carriers.hologram.simulator.reads import unknown_id
from migrator.carriers.hologram.simulator.replies import NO_PERMISSION, Call, HologramReply, Refusal, ok, refusal
from migrator.carriers.hologram.simulator.world import World

__all__ = ["get_balance", "get_me", "get_organization", "get_plan", "list_organizations", "list_plans"]


def get_me(world: World, _call: Call) -> HologramReply:
    """Answer `GET /users/me`: the cheapest check of a key.

    The call is open to every role.
    """
    return ok(
        {
            "id": world.user_id,
            "email": "kim@fleet.example",
            "partnerid": 1,
            "first": "Kim",
            "last": "Example",
            "role": world.behaviour.role.value,
            "registered": "2020-01-02 03:04:05",
            "personal_org": world.org_id,
        }
    )


def list_organizations(world: World, call: Call) -> HologramReply:
    """Answer `GET /organizations`: organizations that the key sees, newest first."""
    require(world, Operation.READ)
    cursor, asked = call.number("startafter"), call.numbers("ids") or call.numbers("id")
    orgs = sorted(world.visible_orgs(), reverse=True)
    found = (org for org in orgs if (asked is None or org in asked) and (cursor is None or org < cursor))
    return page(world.behaviour, call, found, id_of=int, row_of=lambda org_id: _organization(world, org_id))


def get_organization(world: World, call: Call) -> HologramReply:
    """Answer `GET /organizations/{id}`: 403 for an organization unseen by the key."""
    require(world, Operation.READ)
    return ok(_organization(world, _visible_org(world, call)))


def get_balance(world: World, call: Call) -> HologramReply:
    """Answer `GET /organizations/{id}/balance`, for the Admin role only.

    An invoiced organization has no balance.
    """
    require(world, Operation.BALANCE)
    org_id = _visible_org(world, call)
    if world.behaviour.balance_forbidden:
        raise Refusal(refusal(403, NO_PERMISSION))
    if world.balance is None:
        raise Refusal(refusal(world.behaviour.invoiced_status, "Organization uses custom billing"))
    return ok(
        {
            "balance": f"{world.balance:.2f}"
            if world.behaviour.balance_shown is None
            else world.behaviour.balance_shown,
            "minbalance": "0.00",
            "promobalance": "0.00",
            "topoffamount": "0.00",
            "pendingcharges": "0",
            "orgid": org_id,
            "userid": world.user_id,
        }
    )


def list_plans(world: World, call: Call) -> HologramReply:
    """Answer `GET /plans`: data plans of the organization, newest first."""
    require(world, Operation.READ)
    require_org(world, call)
    cursor, asked, part = call.number("startafter"), call.numbers("ids") or call.numbers("id"), call.query.get("name")
    again = world.behaviour.listed_again_at
    found = (
        (plan, amount)
        for plan in sorted(PLANS.values(), key=lambda plan: -plan.plan_id)
        for amount in ((None,) if again is None else (None, again))
        if (asked is None or plan.plan_id in asked)
        and (cursor is None or plan.plan_id < cursor)
        and (part is None or part.lower() in plan.name.lower())
        and (plan.enabled or call.query.get("enabled") != "1")
    )
    edition = world.edition(world.behaviour.plans_edition)
    return page(
        world.behaviour,
        call,
        found,
        id_of=lambda entry: entry[0].plan_id,
        row_of=lambda entry: {**_plan(world, *entry), **_list_extras(world, *entry, edition)},
    )


def get_plan(world: World, call: Call) -> HologramReply:
    """Answer `GET /plans/{id}`."""
    require(world, Operation.READ)
    require_org(world, call)
    plan = PLANS.get(call.params["plan_id"])
    if plan is None:
        raise unknown_id(world)
    return ok(_plan(world, plan))


def _visible_org(world: World, call: Call) -> int:
    org_id: int = call.params["org_id"]
    if org_id not in world.visible_orgs():
        raise Refusal(refusal(403, NO_PERMISSION))
    return org_id


def _organization(world: World, org_id: int) -> dict[str, Any]:
    user = {"id": world.user_id, "first": "Kim", "last": "Example", "email": "kim@fleet.example"}
    colleague = {"id": 4_711, "first": "Lee", "last": "Sample", "email": "lee@fleet.example"}
    organization = {
        "id": org_id,
        "name": "Invented Fleet" if org_id == world.org_id else "Invented Sister Fleet",
        "is_personal": 0,
        "ownerid": world.user_id,
        "users": [
            {**colleague, "permissions": ["billing_visible"]},
            {**user, "permissions": sorted(permissions_of(world))},
        ],
        "pending": [],
        "ccemails": "",
        "proplan": 0,
        "invoice_text": "",
        "preflight_timeout_in_days": 365,
    }
    features = {"features": sorted(world.behaviour.features)} if world.behaviour.features_listed else {}
    return {**organization, **features}


def _plan(world: World, plan: SimulatedPlan, amount: str | None = None) -> dict[str, Any]:
    return {
        "id": plan.plan_id,
        "partnerid": 1,
        "name": plan.name,
        "description": plan.name,
        "data": plan.data,
        "recurring": 1,
        "enabled": int(plan.enabled),
        "billingperiod": 1,
        "groupid": 1199,
        "developerplan": 0,
        "display_category": "standard",
        "use_variable_rates": False,
        "is_dynamic_pool": False,
        "tiers": {"BASE": {"devicecount": 0, "zones": _zones(world, plan, amount)}},
        "profiles": [{"offerId": 136, "carrierId": 13, "name": "Global-3"}],
    }


def _zones(world: World, plan: SimulatedPlan, amount: str | None) -> dict[str, Any]:
    carriers = {"carriers": {"13": {"apn": "hologram"}}}
    if not world.behaviour.plan_prices_shown:
        return dict.fromkeys(plan.zones, carriers)
    return {zone: {**_priced(world, tariff, amount), **carriers} for zone, tariff in plan.zones.items()}


def _priced(world: World, tariff: Tariff, amount: str | None) -> dict[str, Any]:
    """Return the prices of a zone as replies show them.

    `amount` stands in the place of the first price.
    """
    shown = world.behaviour.amount_shown
    charged = str(tariff.amount * world.behaviour.price_times)
    return {
        "amount": amount if amount is not None else charged if shown is None else shown,
        "sms": str(tariff.sms),
        "overage": str(tariff.overage * world.behaviour.overage_times),
    }


def _list_extras(world: World, plan: SimulatedPlan, amount: str | None, edition: ReplyEdition) -> dict[str, Any]:
    """Return the keys that only list entries of plans have.

    Source: reference, section 10.1.
    """
    if edition == ReplyEdition.REF_1:
        return {}
    zone, tariff = next(iter(plan.zones.items()))
    label = zone.capitalize() if edition == ReplyEdition.REF_2 else zone.lower()
    prices = _priced(world, tariff, world.behaviour.flat_amount or amount)
    flat = {f"{name}{label}": price for name, price in prices.items()} if world.behaviour.plan_prices_shown else {}
    return {**_tiers(world, plan, amount), "zones": _zones(world, plan, amount), **flat}


def _tiers(world: World, plan: SimulatedPlan, amount: str | None) -> dict[str, Any]:
    own = world.behaviour.own_tier_amount
    if own is None:
        return {"current_tier": "BASE"}
    amounts = {"BASE": amount, "GOLD": own}
    tiers = {tier: {"devicecount": 0, "zones": _zones(world, plan, told)} for tier, told in amounts.items()}
    return {"current_tier": "GOLD", "tiers": tiers}
