"""Lists, filters, pages and lag of the simulated Hologram."""

from datetime import timedelta
from typing import Any

import anyio
import pytest

from migrator.carriers.hologram.simulator import (
    Continues,
    HologramBehaviour,
    HologramSimulator,
    LastId,
    NextLink,
    ReadKind,
    ReplyEdition,
)
from tests.carriers.hologram.hologram_api import SIMS, UNKNOWN, A, Api, B, C, D, virtual, with_claimed, with_stock


async def shows(api: Api, iccid: str) -> dict[ReadKind, bool]:
    """Which reads show the SIM as claimed now."""
    device_id = api.sim.sims[iccid].device_id
    return {
        ReadKind.LIST: len((await api.get("devices"))["data"]) == 1,
        ReadKind.BY_SIM: len((await api.get("devices", sim=iccid))["data"]) == 1,
        ReadKind.SINGLE: (await api.http.get(f"devices/{device_id}")).status_code == 200,
        ReadKind.LINKS: len((await api.get("links/cellular", sims=iccid))["data"]) == 1,
    }


@pytest.mark.parametrize("kind", list(ReadKind))
@virtual
async def test_one_read_may_lag_behind_while_the_others_do_not(kind: ReadKind) -> None:
    api = with_stock(read_lag_s=60, lagging_reads=frozenset({kind}))
    await api.claim(A)
    await anyio.sleep(59)
    assert await shows(api, A) == {other: other is not kind for other in ReadKind}
    await anyio.sleep(1)
    assert all((await shows(api, A)).values())


@virtual
async def test_a_lagging_read_shows_the_past_and_not_a_mixture() -> None:
    api = with_claimed(read_lag_s=60, state_pending_s=(10, 10))
    await api.command("state", A, state="pause")
    states = []
    for _ in range(3):
        states.append((await api.link(A))["state"])
        await anyio.sleep(60)
    assert states == ["LIVE", "PAUSED-PENDING-USER", "PAUSED-USER"]


async def walk(api: Api, path: str, **query: Any) -> list[Any]:
    """Every page by `links.next`, at most ten."""
    rows: list[Any] = []
    page = await api.get(path, **query)
    for _ in range(10):
        rows += page["data"]
        following = page["links"].get("next")
        if following is None:
            break
        page = await api.follow(following)
    return rows


@pytest.mark.parametrize("path", ["devices", "links/cellular"])
@pytest.mark.parametrize("form", [NextLink.RELATIVE, NextLink.OTHER_BASE, NextLink.ABSOLUTE])
@virtual
async def test_following_next_shows_every_sim_once_and_newest_first(path: str, form: NextLink) -> None:
    api = with_claimed(next_link=form)
    ids = [row["id"] for row in await walk(api, path, limit=2, orgid=api.sim.org_id)]
    assert len(ids) == len(SIMS)
    assert ids == sorted(set(ids), reverse=True)


@pytest.mark.parametrize(
    ("form", "told"),
    [
        (Continues.TOLD, [True, False]),
        (Continues.OMITTED_AT_END, [True, None]),
        (Continues.OMITTED, [None, None]),
        (Continues.ALWAYS_FALSE, [False, False]),
    ],
)
@virtual
async def test_continues_is_told_as_was_chosen(form: Continues, told: list[bool | None]) -> None:
    api = with_claimed(continues=form)
    first = await api.get("devices", limit=3)
    last = await api.get("devices", limit=3, startafter=first["lastid"])
    assert [first.get("continues"), last.get("continues")] == told
    assert len(first["data"] + last["data"]) == len(SIMS)


@virtual
async def test_lastid_can_be_the_first_one_and_next_can_be_missing() -> None:
    api = with_claimed(lastid=LastId.FIRST, next_link=NextLink.ABSENT, numbers_as_strings=True)
    page = await api.get("devices", limit=2)
    assert page["lastid"] == str(page["data"][0]["id"])
    assert "next" not in page["links"]


@virtual
async def test_a_page_is_never_longer_than_the_clamp() -> None:
    page = await with_claimed(max_page_size=2).get("devices", limit=1000)
    assert (page["limit"], len(page["data"]), page["continues"]) == (2, 2, True)


@virtual
async def test_a_last_page_that_is_just_full_is_the_last() -> None:
    page = await with_claimed().get("devices", limit=len(SIMS))
    assert (len(page["data"]), page["continues"], "next" in page["links"]) == (len(SIMS), False, False)


@virtual
async def test_paging_that_never_ends_repeats_its_cursor() -> None:
    api = with_claimed(paging_never_ends=True)
    last = await api.get("devices", limit=10)
    again = await api.follow(last["links"]["next"])
    assert again["data"] == last["data"]
    assert again["links"]["next"] == last["links"]["next"]


@virtual
async def test_filters_find_what_they_name_and_nothing_else() -> None:
    api = with_claimed()
    sim = api.sim
    sim.sims[B].state = "PAUSED-USER"
    tag = (await api.http.post("devices/tags", params={"orgid": sim.org_id}, json={"name": "field"})).json()
    tag_id = tag["data"]["tags"][0]["id"]
    await api.http.post(f"devices/tags/{tag_id}/link", json={"deviceids": [sim.sims[C].device_id]})
    ids = f"{sim.sims[A].device_id},{sim.sims[B].device_id}"
    queries: list[tuple[dict[str, Any], set[str]]] = [
        ({"sim": A}, {A}),
        ({"sim": UNKNOWN}, set()),
        ({"ids": ids}, {A, B}),
        ({"id": sim.sims[D].device_id}, {D}),
        ({"states": "PAUSED-USER,DEAD"}, {B}),
        ({"tagid": tag_id}, {C}),
        ({"tagname": "field"}, {C}),
        ({"imsi": sim.sims[D].imsi}, {D}),
    ]
    for query, expected in queries:
        found = (await api.get("devices", **query))["data"]
        assert {device["links"]["cellular"][0]["sim"] for device in found} == expected, query
    assert (await api.get("devices/count", tagname="field"))["data"] == 1
    assert {row["sim"] for row in (await api.get("links/cellular", sims=f"{A},{B},{UNKNOWN}"))["data"]} == {A, B}


@virtual
async def test_sims_elsewhere_show_only_where_the_key_or_the_behaviour_lets_them() -> None:
    sim = HologramSimulator()
    sim.stock_foreign([A])
    sim.stock([B])
    api = Api(sim)
    assert (await api.get("links/cellular", sims=f"{A},{B}"))["data"] == []
    sim.stock_other_org([C])
    device = await api.device(C)
    assert device["orgid"] == sim.other_org_id
    assert (await api.get("devices", orgid=sim.org_id))["data"] == []
    shown = HologramSimulator(behaviour=HologramBehaviour(foreign_in_links=True, inventory_in_links=True))
    shown.stock_foreign([A])
    shown.stock([B])
    rows = {row["sim"]: row for row in (await Api(shown).get("links/cellular", sims=f"{A},{B}"))["data"]}
    assert rows[A]["orgid"] not in {shown.org_id, shown.other_org_id}
    assert (rows[B]["deviceid"], rows[B]["state"], rows[B]["whenclaimed"]) == (0, "INACTIVE", "0000-00-00 00:00:00")
    shown.behaviour = HologramBehaviour()
    assert (await Api(shown).get("links/cellular", sims=f"{A},{B}"))["data"] == []


@virtual
async def test_a_device_with_several_profiles_lists_the_disabled_one_first() -> None:
    api = with_stock(multi_profile=frozenset({A}))
    await api.claim(A)
    spare, link = (await api.device(A))["links"]["cellular"]
    assert (spare["profile_state"], link["profile_state"], link["sim"]) == ("DISABLED", "ENABLED", A)
    assert spare["sim"] != A
    rows = (await api.get("links/cellular", deviceid=api.sim.sims[A].device_id))["data"]
    assert {row["sim"] for row in rows} == {A, spare["sim"]}


@virtual
async def test_device_records_differ_by_edition_and_gaps() -> None:
    shapes = {}
    for edition in ReplyEdition:
        api = with_claimed(edition=edition, limits_shown=False)
        await api.http.post(
            "devices/tags",
            params={"orgid": api.sim.org_id},
            json={"name": "x", "deviceids": [api.sim.sims[A].device_id]},
        )
        device = await api.device(A)
        link = device["links"]["cellular"][0]
        assert not {"overagelimit", "smslimit"} & link.keys()
        shapes[edition] = ("simcardid" in device, "carrier" in link, type(device["tags"][0]))
    assert shapes == {
        ReplyEdition.REF_1: (False, False, dict),
        ReplyEdition.REF_2: (True, False, dict),
        ReplyEdition.REF_3: (True, True, str),
    }


@virtual
async def test_sessions_are_listed_by_link_once_they_have_begun() -> None:
    api = with_claimed()
    soon = api.sim.now + timedelta(minutes=5)
    api.sim.add_session(A, soon, 2_048, "350000000000006")
    query = {"linkid": api.sim.sims[A].link_id, "limit": 1}
    assert (await api.get("usage/data/", **query))["data"] == []
    await anyio.sleep(300)
    session = (await api.get("usage/data/", **query))["data"][0]
    assert (session["bytes"], session["imei"]) == (2_048, "350000000000006")
    assert session["session_begin"] == soon.strftime("%Y-%m-%d %H:%M:%S")
    assert (await api.get("usage/data/", linkid=api.sim.sims[B].link_id))["data"] == []
    assert (await api.device(A))["lastsession"]["bytes"] == 2_048


@virtual
async def test_plans_carry_their_zones_and_prices() -> None:
    api = with_stock()
    plan = (await api.get("plans/2096"))["data"]
    tariff = plan["tiers"]["BASE"]["zones"]["global"]
    assert (tariff["amount"], tariff["sms"], tariff["overage"]) == ("1.000000", "0.190000", "0.030000")
    plans = (await api.get("plans", orgid=api.sim.org_id))["data"]
    assert any(len(plan["tiers"]["BASE"]["zones"]) > 1 for plan in plans)
    assert any(plan["enabled"] == 0 for plan in plans)
    assert any(plan["data"] > 0 for plan in plans)


@virtual
async def test_link_filters_find_what_they_name() -> None:
    api = with_claimed()
    sim, epoch_s = api.sim, int(api.sim.now.timestamp())
    queries: list[tuple[dict[str, Any], set[str]]] = [
        ({"sim": A}, {A}),
        ({"simrange": f"{B}-{D}"}, {B, C, D}),
        ({"deviceids": f"{sim.sims[A].device_id},1"}, {A}),
        ({"id": sim.sims[B].link_id}, {B}),
        ({"claimedafter": epoch_s}, set()),
        ({"claimedbefore": epoch_s}, set(SIMS)),
    ]
    for query, expected in queries:
        assert {row["sim"] for row in (await api.get("links/cellular", **query))["data"]} == expected, query


@virtual
async def test_numbers_can_arrive_as_texts() -> None:
    api = with_stock(numbers_as_strings=True)
    row = (await api.claim(A, overage_limit=5)).json()["data"][0]
    assert row["device"] == str(api.sim.sims[A].device_id)
    link = await api.link(A)
    assert (link["overagelimit"], link["smslimit"]) == ("5", "100")


@virtual
async def test_deactivated_sims_can_be_left_out_of_lists() -> None:
    for listed in (True, False):
        sim = HologramSimulator(behaviour=HologramBehaviour(dead_listed=listed))
        sim.stock_dead([A])
        assert len((await Api(sim).get("devices"))["data"]) == listed


@pytest.mark.parametrize("status", [403, 404])
@virtual
async def test_an_id_that_is_not_ours_is_answered_as_was_chosen(status: int) -> None:
    sim = HologramSimulator(behaviour=HologramBehaviour(unknown_id_status=status))
    sim.stock_foreign([A])
    http = Api(sim).http
    for path in (f"devices/{sim.sims[A].device_id}", f"links/cellular/{sim.sims[A].link_id}", "plans/1"):
        assert (await http.get(path)).status_code == status


@virtual
async def test_plan_and_organization_lists_can_be_narrowed() -> None:
    api = with_stock(other_org_visible=True, plan_prices_shown=False)
    assert [plan["id"] for plan in (await api.get("plans", name="1 mb"))["data"]] == [1402]
    assert 1850 not in {plan["id"] for plan in (await api.get("plans", enabled=1))["data"]}
    zones = (await api.get("plans", ids="2096"))["data"][0]["tiers"]["BASE"]["zones"]
    assert list(zones) == ["global"]
    assert "amount" not in zones["global"]
    organizations = (await api.get("organizations"))["data"]
    assert {organization["id"] for organization in organizations} == {api.sim.org_id, api.sim.other_org_id}
