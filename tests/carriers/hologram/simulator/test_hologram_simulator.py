"""The simulated Hologram claims and charges by its own rules, and remembers what must never be called."""

import json
from decimal import Decimal
from typing import Any

import anyio
import httpx
import pytest

from migrator.carriers.hologram.simulator import (
    Duplicates,
    HologramBehaviour,
    HologramSimulator,
    MixedClaims,
    ReplyEdition,
)
from migrator.carriers.simulation import Fault, FaultPlan, InProcessTransport
from tests.carriers.hologram.hologram_api import (
    INSTANT,
    PRICE,
    SIMS,
    UNKNOWN,
    A,
    Api,
    B,
    C,
    D,
    claimed,
    virtual,
    with_claimed,
    with_stock,
)


@virtual
async def test_a_claim_makes_a_device_charges_once_and_turns_live_after_a_while() -> None:
    api = with_stock(claim_pending_s=(30, 30))
    reply = await api.claim(A, B, overage_limit=5_000, smslimit=10)
    assert {row["sim"] for row in reply.json()["data"]} == {A, B}
    assert claimed(api) == {A, B}
    assert api.sim.balance == Decimal(1_000_000) - 2 * PRICE
    link = await api.link(A)
    assert (link["state"], link["overagelimit"], link["smslimit"]) == ("LIVE-PENDING", 5_000, 10)
    await anyio.sleep(30)
    assert (await api.link(A))["state"] == api.sim.sims[A].state == "LIVE"


@pytest.mark.parametrize(
    ("policy", "done", "success", "data"),
    [
        (MixedClaims.ALL_OR_NOTHING, set(), False, {UNKNOWN: "SIM not found"}),
        (MixedClaims.SKIP_BAD, {A, B}, True, {A, B}),
        (MixedClaims.FALSE_BUT_SOME, {A, B}, False, {UNKNOWN: "SIM not found"}),
        (MixedClaims.REFUSE_SILENTLY, set(), False, None),
    ],
)
@virtual
async def test_a_claim_with_a_bad_sim_follows_the_policy(
    *, policy: MixedClaims, done: set[str], success: bool, data: Any
) -> None:
    """The four answers that a client must survive, since the carrier documents none."""
    api = with_stock(claim_policy=policy)
    answer = (await api.claim(A, UNKNOWN, B)).json()
    assert claimed(api) == done
    assert answer["success"] is success
    said = answer.get("data")
    assert ({row["sim"] for row in said} if isinstance(said, list) else said) == data


@pytest.mark.parametrize("policy", list(MixedClaims))
@virtual
async def test_claiming_a_sim_again_charges_nothing(policy: MixedClaims) -> None:
    api = with_stock(claim_policy=policy, claim_failure_status=409)
    await api.claim(A)
    device_id = api.sim.sims[A].device_id
    again = await api.claim(A)
    assert claimed(api) == {A}
    assert api.sim.sims[A].device_id == device_id
    assert A not in str(again.json().get("data")) or again.json()["data"] == {A: "SIM is already activated"}


@pytest.mark.parametrize("status", [200, 400, 409, 422])
@virtual
async def test_a_failed_claim_comes_under_the_status_that_was_chosen(status: int) -> None:
    reply = await with_stock(claim_failure_status=status).claim(UNKNOWN)
    assert (reply.status_code, reply.json()) == (status, {"success": False, "data": {UNKNOWN: "SIM not found"}})


@virtual
async def test_each_kind_of_unclaimable_sim_has_its_reason() -> None:
    sim = HologramSimulator(behaviour=HologramBehaviour(foreign_reason="SIM not found"))
    for stock, iccid in (
        (sim.stock_foreign, A),
        (sim.stock_other_org, B),
        (sim.stock_test_mode, C),
        (sim.stock_dead, D),
    ):
        stock([iccid])
    answer = (await Api(sim).claim(A, B, C, D)).json()
    assert answer["data"] == {
        A: "SIM not found",
        B: "SIM is already activated",
        C: "Preflight SIM",
        D: "SIM is deactivated",
    }
    assert not sim.ledger.charges


@virtual
async def test_a_balance_too_small_for_all_charges_nobody() -> None:
    api = with_stock(insufficient_status=402)
    api.sim.balance = Decimal("1.50")
    reply = await api.claim(A, B)
    assert (reply.status_code, reply.json()["success"]) == (402, False)
    assert claimed(api) == set()
    assert api.sim.balance == Decimal("1.50")


@virtual
async def test_an_invoiced_organization_has_no_balance_and_claims_all_the_same() -> None:
    api = with_stock()
    api.sim.balance = None
    assert (await api.http.get(f"organizations/{api.sim.org_id}/balance")).status_code == 400
    await api.claim(A)
    assert claimed(api) == {A}


@virtual
async def test_a_preview_tells_the_price_and_changes_nothing() -> None:
    api = with_stock()
    answer = (await api.claim(A, B, preview=True)).json()
    assert answer["order_data"][0]["total_cost"] == 2.0
    assert claimed(api) == set()


@virtual
async def test_a_poisoned_sim_gets_the_whole_claim_refused_without_a_word_on_which() -> None:
    api = with_stock(poison=frozenset({B}), claim_policy=MixedClaims.SKIP_BAD)
    answer = (await api.claim(A, B)).json()
    assert (answer["success"], "data" in answer) == (False, False)
    assert claimed(api) == set()


@pytest.mark.parametrize(
    ("duplicates", "times"), [(Duplicates.REFUSE, 0), (Duplicates.IGNORE, 1), (Duplicates.CHARGE_TWICE, 2)]
)
@virtual
async def test_a_sim_named_twice_is_charged_as_was_chosen(duplicates: Duplicates, times: int) -> None:
    api = with_stock(duplicates=duplicates)
    answer = (await api.claim(A, A)).json()
    assert api.sim.ledger.charges[A] == times
    assert len(answer["data"]) == 1


@pytest.mark.parametrize(
    "body",
    [{"zone": "Global"}, {"zone": None}, {"plan": 1850}, {"plan": 1}, {"tagid": 77}, {"sims": ["8" * 19] * 2501}],
    ids=["zone in another case", "no zone", "plan not on sale", "no such plan", "no such tag", "too many"],
)
@virtual
async def test_a_claim_that_makes_no_sense_is_refused(body: dict[str, Any]) -> None:
    api = with_stock(claim_failure_status=400)
    assert (await api.claim(A, **body)).status_code == 400
    assert claimed(api) == set()


@virtual
async def test_an_account_without_limits_at_claim_refuses_only_claims_that_have_one() -> None:
    api = with_stock(features=frozenset({"bmp_feature_lite_data_usage_limits"}))
    assert (await api.claim(A, overage_limit=1_000)).json()["success"] is False
    assert (await api.claim(A)).json()["success"] is True


@virtual
async def test_the_claim_reply_speaks_every_edition() -> None:
    seen = {}
    for edition, iccid in zip(ReplyEdition, SIMS, strict=False):
        api = with_stock(edition=edition)
        answer = (await api.claim(iccid)).json()
        row = answer["data"][0]
        device = next(key for key in row if key.lower().startswith("device"))
        seen[edition] = (device, type(row.get("simcardid")), type(answer.get("order_data")))
    assert seen == {
        ReplyEdition.REF_1: ("Devices", type(None), dict),
        ReplyEdition.REF_2: ("device", int, list),
        ReplyEdition.REF_3: ("device", str, type(None)),
    }


@virtual
async def test_dangerous_calls_are_carried_out_and_remembered() -> None:
    api = with_claimed(state_pending_s=(0, 0))
    sim, device_id = api.sim, api.sim.sims[A].device_id
    sim.stock([UNKNOWN])
    await api.command("state", A, state="deactivate")
    assert sim.sims[A].state == "DEAD"
    await api.claim(UNKNOWN, invalidatePreflightSims=False)
    await api.http.post("devices/names", json={"prefix": "all", "allSelected": True})
    assert sim.sims[D].name == f"all ({D[-5:]})"
    await api.http.put(f"devices/{device_id}", json={"name": "x", "orgid": sim.other_org_id})
    assert sim.sims[A].org_id == sim.other_org_id
    await api.http.post(f"organizations/{sim.org_id}/balance", json={"addamount": 5})
    assert sim.balance == Decimal(1_000_000) - PRICE + 5
    await api.http.post("devices/transfer", json={"deviceids": [sim.sims[B].device_id], "orgid": 5})
    changed = {"deviceids": [sim.sims[C].device_id], "planid": 1402, "zone": "global", "orgid": sim.org_id}
    await api.http.post("devices/changeplan", json=changed)
    await api.http.delete(f"devices/{sim.sims[D].device_id}")
    reasons = [entry.partition(": ")[0] for entry in sim.ledger.forbidden]
    assert reasons == [
        "POST /api/1/devices/batch/state",
        "POST /api/1/links/cellular/bulkclaim",
        "POST /api/1/devices/names",
        f"PUT /api/1/devices/{device_id}",
        f"POST /api/1/organizations/{sim.org_id}/balance",
        "POST /api/1/devices/transfer",
        "POST /api/1/devices/changeplan",
        f"DELETE /api/1/devices/{sim.sims[D].device_id}",
    ]


@virtual
async def test_an_honest_migration_leaves_no_forbidden_call() -> None:
    api = with_stock(**INSTANT)
    await api.claim(A)
    await api.command("usagelimit", A, overagelimit=1_000)
    await api.command("state", A, state="pause")
    await api.http.put(f"devices/{api.sim.sims[A].device_id}", json={"name": "x"})
    assert api.sim.ledger.forbidden == []


@virtual
async def test_an_unknown_method_is_answered_as_the_real_service_does() -> None:
    reply = await with_stock().http.get("devices/not-a-number")
    assert (reply.status_code, reply.json()) == (404, {"error": "API method does not exist", "success": False})


@virtual
async def test_a_key_in_the_query_works_is_noted_and_never_kept() -> None:
    sim = HologramSimulator()
    http = httpx.AsyncClient(transport=InProcessTransport(sim), base_url="http://hologram.test")
    assert (await http.get("/users/me", params={"apikey": sim.api_key})).status_code == 200
    assert len(sim.ledger.forbidden) == 1
    assert sim.api_key not in repr(sim.ledger)


@virtual
async def test_the_control_endpoints_stand_outside_faults_pace_and_ledger() -> None:
    faults = FaultPlan(rates={Fault.LOSE_BEFORE: 1.0})
    sim = HologramSimulator(faults=faults, behaviour=HologramBehaviour(refuse_every=1))
    http = httpx.AsyncClient(transport=InProcessTransport(sim), base_url="http://hologram.test")
    assert (await http.post("/_simulator/stock", json={"iccids": [A], "kind": "claimed"})).status_code == 200
    assert (await http.post("/_simulator/stock", json={"iccids": [A]})).status_code == 400
    truth = (await http.get("/_simulator/truth")).json()
    assert truth[A]["state"] == "LIVE"
    assert sim.sims[A].puk not in json.dumps(truth)
    assert (await http.get("/_simulator/ledger")).json()["requests"] == 0


@virtual
async def test_a_range_and_a_single_claim_charge_what_they_name() -> None:
    api = with_stock()
    single = await api.http.post(f"links/cellular/sim_{A}/claim", json={"plan": 2096, "zone": "global"})
    assert [row["sim"] for row in single.json()["data"]] == [A]
    order = {"simrange": f"{B}-{C}", "plan": 2096, "zone": "global"}
    await api.http.post("links/cellular/bulkclaim", json=order)
    assert claimed(api) == {A, B, C}


@pytest.mark.parametrize("body", [{}, {"sims": []}, {"sims": [A], "simrange": f"{A}-{B}"}, {"eidrange": "1-2"}])
@virtual
async def test_a_claim_needs_exactly_one_selector(body: dict[str, Any]) -> None:
    api = with_stock()
    reply = await api.http.post("links/cellular/bulkclaim", json={"plan": 2096, "zone": "global", **body})
    assert reply.status_code == 400
    assert claimed(api) == set()


@virtual
async def test_a_test_mode_sim_keeps_its_device_where_it_can_be_claimed() -> None:
    sim = HologramSimulator(behaviour=HologramBehaviour(test_mode_claimable=True, **INSTANT))
    sim.stock_test_mode([A])
    api, device_id = Api(sim), sim.sims[A].device_id
    assert (await api.device(A))["preflight_starttime"] is not None
    await api.claim(A)
    assert (sim.sims[A].state, sim.sims[A].device_id) == ("LIVE", device_id)


@virtual
async def test_a_claim_into_an_organization_that_the_key_does_not_see_is_forbidden() -> None:
    api = with_stock()
    assert (await api.claim(A, orgid=api.sim.other_org_id)).status_code == 403
    assert claimed(api) == set()
