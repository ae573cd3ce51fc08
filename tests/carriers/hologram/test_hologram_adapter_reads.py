"""The Hologram adapter reads the simulated Hologram's devices, through the wire."""

from datetime import timedelta
from typing import Any

import anyio
import httpx
import pytest

from migrator.carriers.hologram.adapter import HologramTarget
from migrator.carriers.hologram.simulator import (
    Continues,
    HologramBehaviour,
    HologramSimulator,
    LastId,
    NextLink,
    Operation,
    ReplyEdition,
)
from migrator.carriers.simulation import Fault, FaultPlan
from migrator.core.fleet.identifiers import Iccid
from migrator.core.fleet.sims import LinkState
from migrator.errors import (
    InputError,
    WireMismatch,
)
from migrator.ports import AddTag
from tests.carriers.hologram.hologram_target import (
    SIMS,
    A,
    B,
    C,
    Script,
    Use,
    claim_of,
    claimed_fleet,
    every_device,
    failing,
    ids,
    make_tag,
    simulator,
    with_target,
)


@pytest.mark.parametrize("lastid", LastId)
@pytest.mark.parametrize("continues", Continues)
@pytest.mark.parametrize("next_link", NextLink)
def test_the_device_list_is_read_whole_however_it_tells_of_more(
    continues: Continues, lastid: LastId, next_link: NextLink
) -> None:
    carrier = claimed_fleet(continues=continues, lastid=lastid, next_link=next_link, max_page_size=3)
    links = with_target(carrier, every_device)
    assert sorted(link.iccid.digits for link in links) == SIMS
    assert [link.device_id for link in links] == ids(carrier, *(link.iccid.digits for link in links))


def test_a_full_page_that_says_it_is_the_last_is_followed_by_one_more_request() -> None:
    """What the list does not show counts as unclaimed: a page that speaks for itself alone must not end it."""
    devices = [{"id": 9}, {"id": 7}]
    first = httpx.Response(200, json={"success": True, "continues": False, "limit": 2, "data": devices})
    last = httpx.Response(200, json={"success": True, "continues": False, "limit": 2, "data": []})
    script = Script(first, last)
    script.use(every_device)
    assert [request.url.params.get("startafter") for request in script.requests] == [None, "7"]


def test_a_list_that_comes_again_where_nothing_told_of_more_is_at_its_end() -> None:
    """It does not know `startafter`, and said so: there is no more."""
    devices = [{"id": 9}, {"id": 7}]
    reply = httpx.Response(200, json={"success": True, "continues": False, "limit": 2, "data": devices})
    script = Script(reply, reply)
    script.use(every_device)
    assert len(script.requests) == 2


def test_a_next_on_another_host_is_not_followed() -> None:
    """The key would go with it."""
    next_page = {"next": "https://staging.evil.example/api/1/devices?startafter=9"}
    first = httpx.Response(200, json={"success": True, "continues": True, "data": [{"id": 9}], "links": next_page})
    last = httpx.Response(200, json={"success": True, "data": []})
    script = Script(first, last)
    script.use(every_device)
    assert [request.url.host for request in script.requests] == ["hologram.example"] * 2
    assert [request.url.path for request in script.requests] == ["/api/1/devices"] * 2
    assert script.requests[1].url.params["startafter"] == "9"


def test_a_cursor_cannot_change_which_organization_is_read() -> None:
    carrier = claimed_fleet(other_org_visible=True)
    page = with_target(carrier, lambda target: target.devices(f"startafter=99999999&orgid={carrier.other_org_id}"))
    assert {link.org_id for link in page.links} == {carrier.org_id}


@pytest.mark.parametrize("read", [every_device, lambda target: target.data_plans(), lambda target: target.tags()])
def test_a_list_that_goes_in_a_circle_is_left(read: Use[Any]) -> None:
    answer = httpx.Response(200, json={"data": [{"id": 9}], "links": {"next": "/api/1/x?startafter=9"}})
    script = Script(*[answer] * 9)
    with pytest.raises(WireMismatch):
        script.use(read)
    assert len(script.requests) == 2


def test_a_device_list_that_never_ends_is_left() -> None:
    carrier = claimed_fleet(paging_never_ends=True)
    assert isinstance(failing(carrier, every_device), WireMismatch)


def test_a_longer_circle_is_left_too() -> None:
    def page(cursor: int) -> httpx.Response:
        return httpx.Response(200, json={"data": [], "continues": True, "links": {"next": f"?startafter={cursor}"}})

    with pytest.raises(WireMismatch):
        Script(page(1), page(2), page(1)).use(lambda target: target.data_plans())


@pytest.mark.parametrize("edition", ReplyEdition)
@pytest.mark.parametrize("as_text", [False, True])
def test_a_device_is_the_same_in_every_edition(edition: ReplyEdition, as_text: bool) -> None:  # noqa: FBT001 - a parameter of the test
    carrier = claimed_fleet(devices_edition=edition, numbers_as_strings=as_text)
    link = with_target(carrier, every_device)[-1]
    truth = carrier.sims[link.iccid.digits]
    assert (link.device_id, link.link_id, link.org_id) == (truth.device_id, truth.link_id, carrier.org_id)
    assert (link.state, link.overage_limit_bytes, link.sms_limit) == (LinkState.LIVE, -1, 100)
    assert (link.data_plan_id, link.zone, link.name, link.tags) == (2096, "global", truth.name, frozenset())
    assert (truth.pin in str(link.raw), truth.puk in str(link.raw)) == (False, False)


def test_links_are_looked_up_by_iccid_in_one_exchange() -> None:
    carrier = claimed_fleet()
    wanted = [Iccid.parse(iccid) for iccid in (A, C, "8944500000000009999")]
    links = with_target(carrier, lambda target: target.links_by_iccid(wanted))
    assert sorted(link.iccid.digits for link in links) == [A, C]
    assert {link.device_id for link in links} == set(ids(carrier, A, C))
    assert len(carrier.ledger.entries) == 1
    assert carrier.ledger.entries[0].query["sims"] == f"{A},{C},8944500000000009999"


def test_a_sim_of_ours_in_another_organization_is_seen_as_such() -> None:
    """It is no SIM to claim: that is a conflict for a person."""
    carrier = simulator()
    carrier.stock_other_org(["8944500000000008888"])
    links = with_target(carrier, lambda target: target.links_by_iccid([Iccid.parse("8944500000000008888")]))
    assert [link.org_id for link in links] == [carrier.other_org_id]


def test_unclaimed_sims_are_not_links_or_not_claimed() -> None:
    wanted = [Iccid.parse(A)]
    assert with_target(simulator(), lambda target: target.links_by_iccid(wanted)) == []
    shown = HologramSimulator(behaviour=HologramBehaviour(inventory_in_links=True))
    shown.stock(SIMS)
    links = with_target(shown, lambda target: target.links_by_iccid(wanted))
    assert [(link.is_claimed, link.device_id) for link in links] == [(False, None)]


def test_a_filter_that_the_carrier_ignores_brings_no_strangers() -> None:
    everything = httpx.Response(200, json={"success": True, "data": [{"id": 1, "sim": A}, {"id": 2, "sim": B}]})
    links = Script(everything).use(lambda target: target.links_by_iccid([Iccid.parse(A)]))
    assert [link.iccid.digits for link in links] == [A]


def test_devices_are_looked_up_by_id_with_their_tags() -> None:
    async def use(target: HologramTarget) -> Any:
        tag = await make_tag(target, "from-1nce")
        await target.send(AddTag(tag.tag_id, ids(carrier, A, B)))
        return await target.devices_by_id(ids(carrier, A, C))

    carrier = claimed_fleet()
    links = with_target(carrier, use)
    assert {link.iccid.digits: link.tags for link in links} == {A: frozenset({"from-1nce"}), C: frozenset()}


def test_a_look_up_of_more_than_fits_an_address_never_leaves() -> None:
    carrier = claimed_fleet()
    error = failing(carrier, lambda target: target.devices_by_id([1, 2, 3]), max_lookup=2)
    assert isinstance(error, InputError)
    assert carrier.ledger.entries == []


def test_a_card_whose_iccid_changed_over_the_air_is_found_by_its_enabled_profile() -> None:
    carrier = simulator(multi_profile=frozenset({A}))

    async def use(target: HologramTarget) -> Any:
        await target.send(claim_of(carrier, A))
        return await every_device(target), await target.links_by_iccid([Iccid.parse(A)])

    listed, looked_up = with_target(carrier, use)
    assert [link.iccid.digits for link in listed] == [A]
    assert len(listed[0].other_iccids) == 1
    assert [link.iccid.digits for link in looked_up] == [A]


def test_devices_are_counted() -> None:
    assert with_target(claimed_fleet(), lambda target: target.device_count()) == len(SIMS)


def test_a_count_that_is_not_told_is_none() -> None:
    carrier = claimed_fleet(denied=frozenset({Operation.READ}))
    assert with_target(carrier, lambda target: target.device_count()) is None


@pytest.mark.parametrize("weather", [Fault.LOSE_AFTER, Fault.HTML, Fault.HTML_OK, Fault.TOO_MANY_SILENT, Fault.SLOW])
def test_bad_weather_costs_time_and_no_devices(weather: Fault) -> None:
    carrier = claimed_fleet()
    carrier.faults = FaultPlan(scripted=[weather] * 3)
    assert len(with_target(carrier, every_device)) == len(SIMS)


def test_data_sessions_are_those_of_the_link_since_the_moment_that_matters() -> None:
    carrier = claimed_fleet()
    claimed_at = carrier.sims[A].claimed_at
    for iccid, after_s in ((A, -3600), (A, 60), (B, 120)):
        carrier.add_session(iccid, claimed_at + timedelta(seconds=after_s), 1_048_576, "352099001761481")

    async def sessions(target: HologramTarget) -> Any:
        await anyio.sleep(7200)
        return await target.data_sessions(carrier.sims[A].link_id, since_s=claimed_at.timestamp())

    (session,) = with_target(carrier, sessions)
    assert (session.at_s - claimed_at.timestamp(), session.bytes_used) == (60, 1_048_576)


def test_a_usage_filter_that_is_ignored_brings_no_strangers_sessions() -> None:
    body = {"success": True, "data": [{"linkid": 9, "session_begin": "2026-11-20 10:00:00", "bytes": "5"}]}
    found = Script(httpx.Response(200, json=body)).use(lambda target: target.data_sessions(7, since_s=0))
    assert found == []


def test_usage_that_is_not_ours_to_read_is_told_as_such() -> None:
    refused = httpx.Response(403, json={"success": False, "error": "No permissions to perform operation"})
    assert Script(refused).use(lambda target: target.data_sessions(7, since_s=0)) is None
