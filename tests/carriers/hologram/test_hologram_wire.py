"""Hologram's payloads in every edition of its reference, written out, and what is read from them."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from migrator.carriers.hologram import catalogue, wire
from migrator.core.cutover.silence import Recorded
from migrator.core.fleet.identifiers import Iccid
from migrator.core.fleet.sims import LinkState
from migrator.core.plan.plan import Prices
from migrator.errors import (
    WireMismatch,
)
from migrator.ports import Tag

A, B = "89123400001234567890", "8944500000000000002"
PROFILE = {
    "id": 5608542,
    "deviceid": 1234567,
    "sim": A,
    "imsi": 123456789012345,
    "state": "LIVE",
    "whenclaimed": "2025-08-12 17:24:43",
    "overagelimit": -1,
    "smslimit": 100,
    "pin": "6161",
    "puk": "61616161",
    "eid": None,
    "profile_state": "ENABLED",
    "plan": {"id": 2096, "zone": "global", "name": "Global Standard Flat Rate", "data": 0},
    "last_connect_time": "2025-09-17 04:10:28",
}
DEVICE = {
    "id": 1234567,
    "orgid": 98765,
    "name": "Soil Sensor (12345)",
    "tags": [{"id": 4, "name": "from-1nce"}],
    "links": {"cellular": [PROFILE]},
    "lastsession": {"linkid": 5608542, "session_begin": "2025-09-16 22:39:02", "session_end": "2025-09-17 04:10:28"},
}
LINK = {
    "id": 4321,
    "deviceid": 1234,
    "devicename": "My Device",
    "orgid": 123,
    "sim": B,
    "imsi": 123456789876543,
    "dataplansubscriptionid": 75,
    "zone": 1,
    "state": "PAUSED-USER",
    "whenclaimed": "2019-01-05 01:00:00",
    "overagelimit": 20000,
    "smslimit": 0,
    "pin": "7272",
    "profile_state": "ENABLED",
}


def link_of(device: dict[str, Any]) -> Any:
    link = wire.device_link(device)
    assert link is not None
    return link


# --- devices and links ------------------------------------------------------------------------------------------------


def test_a_device_is_read_whole() -> None:
    link = link_of(DEVICE)
    assert (link.iccid.digits, link.org_id, link.device_id, link.link_id) == (A, 98765, 1234567, 5608542)
    assert (link.state, link.state_word, link.name) == (LinkState.LIVE, "LIVE", "Soil Sensor (12345)")
    assert (link.overage_limit_bytes, link.sms_limit, link.data_plan_id, link.zone) == (-1, 100, 2096, "global")
    assert (link.tags, link.claimed_at) == (frozenset({"from-1nce"}), "2025-08-12 17:24:43")
    assert link.last_connected_at == "2025-09-17 04:10:28"


@pytest.mark.parametrize(
    ("told", "state", "end"),
    [
        ("2026-12-24 10:00:00", "TEST-ACTIVATE", "2026-12-24T10:00:00Z"),
        ("2026-12-24T11:00:00+01:00", "TEST-ACTIVATE", "2026-12-24T10:00:00Z"),
        (1798106400, "TEST-ACTIVATE", "2026-12-24T10:00:00Z"),
        ("1798106400", "FACTORY-TEST", "2026-12-24T10:00:00Z"),
        ("soon", "TEST-ACTIVATE", "soon"),
        ("0000-00-00 00:00:00", "TEST-ACTIVATE", None),
        (None, "TEST-ACTIVATE", None),
        ({"at": 3}, "TEST-ACTIVATE", None),
        ("2026-12-24 10:00:00", "LIVE", None),
    ],
)
def test_the_end_of_a_test_mode_is_read_leniently(told: object, state: str, end: str | None) -> None:
    profile = {**PROFILE, "state": state}
    device = {**DEVICE, "links": {"cellular": [profile]}, "preflight_scheduled_endtime": told}
    assert link_of(device).test_ends_at == end


def test_a_bare_link_is_read_whole() -> None:
    link = wire.profile_link(LINK)
    assert link is not None
    assert (link.iccid.digits, link.org_id, link.device_id, link.link_id) == (B, 123, 1234, 4321)
    assert (link.state, link.name, link.data_plan_id) == (LinkState.PAUSED_USER, "My Device", 75)
    assert (link.overage_limit_bytes, link.sms_limit, link.tags) == (20000, 0, None)


def test_the_number_called_zone_beside_a_link_is_not_a_zone_key() -> None:
    """A plan's zone is a text such as "global"; comparing it with this number would find a difference everywhere."""
    link = wire.profile_link(LINK)
    assert link is not None
    assert link.zone is None


@pytest.mark.parametrize("secret", ["6161", "61616161", "7272"])
def test_pin_and_puk_leave_the_record(secret: str) -> None:
    link = wire.profile_link(LINK)
    assert link is not None
    for kept in (link_of(DEVICE).raw, link.raw):
        assert secret not in [str(value) for value in _leaves(kept)]


def _leaves(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [leaf for inner in value.values() for leaf in _leaves(inner)]
    return [leaf for inner in value for leaf in _leaves(inner)] if isinstance(value, list) else [value]


def test_numbers_may_be_text() -> None:
    texts = {"id": "5608542", "overagelimit": "52428800", "smslimit": "50", "plan": {"id": "2096", "zone": "global"}}
    link = link_of({**DEVICE, "id": "1234567", "orgid": "98765", "links": {"cellular": [{**PROFILE, **texts}]}})
    assert (link.device_id, link.org_id, link.link_id, link.data_plan_id) == (1234567, 98765, 5608542, 2096)
    assert (link.overage_limit_bytes, link.sms_limit) == (52428800, 50)


@pytest.mark.parametrize(("tags", "names"), [(["a", "b"], {"a", "b"}), ([{"id": 1, "name": "a"}], {"a"}), ([], set())])
def test_tags_are_objects_or_words(tags: list[Any], names: set[str]) -> None:
    assert link_of({**DEVICE, "tags": tags}).tags == names


def test_tags_that_are_not_told_are_none() -> None:
    assert link_of({key: value for key, value in DEVICE.items() if key != "tags"}).tags is None


@pytest.mark.parametrize("key", ["profile_state", "euicc_state"])
def test_a_device_with_several_profiles_is_its_enabled_one(key: str) -> None:
    bare = {name: value for name, value in PROFILE.items() if name != "profile_state"}
    disabled = {**bare, "sim": B, "state": "INACTIVE", key: "DISABLED"}
    link = link_of({**DEVICE, "links": {"cellular": [disabled, {**bare, key: "ENABLED"}]}})
    assert (link.iccid.digits, link.state) == (A, LinkState.LIVE)
    assert link.other_iccids == (Iccid.parse(B),)


def test_a_profile_without_a_state_of_its_own_counts_as_enabled() -> None:
    bare = {name: value for name, value in PROFILE.items() if name != "profile_state"}
    link = link_of({**DEVICE, "links": {"cellular": [{**PROFILE, "sim": B, "profile_state": "DISABLED"}, bare]}})
    assert link.iccid.digits == A


@pytest.mark.parametrize("links", [{"cellular": []}, {}, [], None, {"cellular": [{"sim": None}]}])
def test_a_device_without_an_iccid_is_passed_over(links: Any) -> None:
    assert wire.device_link({**DEVICE, "links": links}) is None


def test_zeros_are_no_date_and_no_device() -> None:
    link = wire.profile_link({**LINK, "deviceid": 0, "devicename": None, "whenclaimed": "0000-00-00 00:00:00"})
    assert link is not None
    assert (link.device_id, link.name, link.claimed_at, link.is_claimed) == (None, None, None, False)


@pytest.mark.parametrize(
    ("session", "seen_at"),
    [
        ({"session_begin": "2025-09-16 22:39:02", "session_end": "0000-00-00 00:00:00"}, "2025-09-16 22:39:02"),
        ({"session_begin": "2025-09-16 22:39:02", "session_end": "2025-09-17 04:10:28"}, "2025-09-17 04:10:28"),
        ({"linkid": "7", "session_begin": "2025-09-16 22:39:02", "session_end": ""}, None),
        (None, None),
    ],
)
def test_the_last_session_tells_where_the_link_does_not(session: Any, seen_at: str | None) -> None:
    """Of another profile of the device it would be no sign of this one."""
    silent = {**PROFILE, "last_connect_time": ""}
    link = link_of({**DEVICE, "links": {"cellular": [silent]}, "lastsession": session})
    assert link.last_connected_at == seen_at


def test_limits_that_are_not_told_are_none_and_not_unlimited() -> None:
    bare = {key: value for key, value in PROFILE.items() if key not in {"overagelimit", "smslimit"}}
    link = link_of({**DEVICE, "links": {"cellular": [bare]}})
    assert (link.overage_limit_bytes, link.sms_limit) == (None, None)


# --- pages ------------------------------------------------------------------------------------------------------------


OWN = {"orgid", "limit"}
NEXT = {"next": "/api/1/devices?orgid=98765&limit=3&startafter=1678"}


@pytest.mark.parametrize(
    ("frame", "cursor"),
    [
        ({"continues": True, "lastid": 1133, "links": NEXT}, "startafter=1678"),
        ({"links": NEXT}, "startafter=1678"),
        ({"continues": False, "links": NEXT}, "startafter=1678"),
        ({"continues": True, "lastid": 9}, "startafter=5"),
        ({"continues": "true", "lastid": "9", "links": {"path": "/api/1/devices"}}, "startafter=5"),
        ({"continues": False, "lastid": 5}, None),
        ({"lastid": 5}, None),
        ({"lastid": 5, "limit": 2}, "startafter=5"),
        ({"lastid": 5, "limit": "3"}, None),
        ({}, None),
    ],
)
def test_the_next_page_is_named_by_next_then_by_the_last_element(frame: dict[str, Any], cursor: str | None) -> None:
    """Two samples of the vendor have a `lastid` that leads astray."""
    assert wire.next_cursor({"success": True, "data": [{"id": 7}, {"id": 5}], **frame}, own=OWN) == cursor


def test_of_next_only_the_query_is_taken_and_of_that_not_what_we_send_ourselves() -> None:
    """Its host may be anybody's."""
    frame = {"data": [{"id": 5}], "links": {"next": "https://evil.example/x?startafter=1678&orgid=6&limit=9"}}
    assert wire.next_cursor(frame, own=OWN) == "startafter=1678"


def test_lastid_is_the_last_resort() -> None:
    body = {"data": [{"name": "no id"}], "continues": True, "lastid": "9876543"}
    assert wire.next_cursor(body, own=OWN) == "startafter=9876543"


def test_an_empty_page_ends_the_list_whatever_next_says() -> None:
    assert wire.next_cursor({"data": [], "links": NEXT}, own=OWN) is None


def test_a_list_that_goes_on_nowhere_is_a_mismatch_and_no_end() -> None:
    with pytest.raises(WireMismatch):
        wire.next_cursor({"data": [], "continues": True}, own=OWN)


# --- the account ------------------------------------------------------------------------------------------------------


def plan_of(**changes: Any) -> Any:
    zones = {"global": {"amount": "1.000000", "sms": "0.190000", "overage": "0.030000"}}
    record = {"id": 2096, "name": "Flat", "data": 0, "enabled": 1, "tiers": {"BASE": {"zones": zones}}}
    return catalogue.data_plan({**record, **changes})


def test_a_plan_keeps_its_zone_keys_and_prices_to_the_letter() -> None:
    plan = plan_of(tiers={"BASE": {"zones": {"Global": {"amount": "1.50", "overage": "0.09"}, "1": {}}}})
    assert plan.zones == {"Global": Prices(Decimal("1.50"), Decimal("0.09"), None), "1": Prices()}


def test_a_plan_shows_the_zones_of_the_organizations_own_tier() -> None:
    tiers = {"BASE": {"zones": {"global": {"amount": "1"}}}, "GOLD": {"zones": {"global": {"amount": "0.5"}}}}
    assert plan_of(tiers=tiers, current_tier="GOLD").zones["global"].per_period == Decimal("0.5")
    assert plan_of(tiers=tiers).zones["global"].per_period == Decimal(1)


TWO_TIERS = {"BASE": {"zones": {"global": {"amount": "1.50"}}}, "GOLD": {"zones": {"global": {"amount": "0.90"}}}}


@pytest.mark.parametrize(
    "beside",
    [
        {"amountGlobal": "1.50"},
        {"zones": {"global": {"amount": "1.50"}}},
        {"zones": {"global": {"amount": "1.50"}}, "amountglobal": "1.500000"},
    ],
)
@pytest.mark.parametrize("tiers", [TWO_TIERS, {"BASE": {"zones": {"global": {"amount": "0.90"}}}}])
def test_a_price_beside_the_tiers_may_be_of_another_tier_and_the_dearer_one_counts(
    tiers: Any, beside: dict[str, Any]
) -> None:
    """Nobody says of which tier it is (reference, section 10.1)."""
    prices = plan_of(tiers=tiers, current_tier="GOLD", **beside).zones["global"]
    assert (prices.per_period, prices.problem) == (Decimal("1.50"), "")
    assert "amount is both '0.90' and '1.50'" in prices.doubt


def test_a_cheaper_price_beside_the_tiers_makes_no_sim_cheaper() -> None:
    prices = plan_of(tiers=TWO_TIERS, current_tier="BASE", amountGlobal="0.90").zones["global"]
    assert (prices.per_period, prices.problem) == (Decimal("1.50"), "")


def test_prices_of_several_tiers_that_agree_leave_no_doubt() -> None:
    prices = plan_of(tiers=TWO_TIERS, current_tier="GOLD", amountGlobal="0.9").zones["global"]
    assert prices == Prices(Decimal("0.90"))


@pytest.mark.parametrize("own", [{}, {"current_tier": "BASE"}])
def test_the_prices_of_a_plan_with_one_tier_must_agree(own: dict[str, Any]) -> None:
    prices = plan_of(tiers={"BASE": TWO_TIERS["BASE"]}, amountGlobal="0.90", **own).zones["global"]
    assert prices.problem == "amount is both '1.50' and '0.90'"


def test_a_price_that_cannot_be_read_is_a_problem_with_several_tiers_too() -> None:
    prices = plan_of(tiers=TWO_TIERS, current_tier="GOLD", amountGlobal="USD 90").zones["global"]
    assert "USD 90" in prices.problem


@pytest.mark.parametrize("tiers", [[], None, {"BASE": {"zones": []}}])
def test_zones_beside_the_tiers_count_where_the_tiers_have_none(tiers: Any) -> None:
    assert set(plan_of(tiers=tiers, zones={"US": {}}).zones) == {"US"}


@pytest.mark.parametrize(("enabled", "expected"), [(1, True), (0, False), (False, False), ("0", False), (None, True)])
def test_a_plan_is_open_unless_it_says_otherwise(enabled: Any, expected: bool) -> None:  # noqa: FBT001 - a parameter of the test
    assert plan_of(enabled=enabled).enabled is expected


@pytest.mark.parametrize(
    "data",
    [[{"id": 4, "name": "x"}], {"tags": [{"id": "4", "name": "x", "deviceids": []}]}, {"id": 4, "name": "x"}],
)
def test_tags_come_as_a_list_under_tags_or_alone(data: Any) -> None:
    assert catalogue.tags({"data": data}) == [Tag(4, "x")]


def test_permissions_are_those_of_the_keys_owner() -> None:
    users = [{"id": 1, "permissions": ["billing"]}, {"id": "2", "permissions": ["activation"]}]
    record = {"id": 5, "name": "Fleet", "users": users}
    account = catalogue.account(catalogue.User(2, "kim@fleet.example", None), record)
    assert account.permissions == frozenset({"activation"})
    assert catalogue.account(catalogue.User(None, "", None), record).permissions is None


# --- numbers for other systems --------------------------------------------------------------------------------------


def test_numbers_of_a_sim_are_those_of_its_own_profile_in_any_edition() -> None:
    spare = {**PROFILE, "sim": B, "imsi": 1, "msisdn": "1", "eid": "2", "simcardid": 9}
    device = {
        **DEVICE,
        "simcardid": "4860808",
        "links": {"cellular": [spare, {**PROFILE, "msisdn": " 8829 ", "eid": ""}]},
    }
    assert wire.sim_numbers(device, Iccid.parse(A)) == {
        "simcard_id": "4860808",
        "imsi": "123456789012345",
        "msisdn": "8829",
        "ip": None,
        "eid": None,
    }
    assert wire.sim_numbers(device, Iccid.parse(B))["simcard_id"] == "9"


def test_numbers_of_a_bare_link_and_of_a_record_that_tells_none() -> None:
    link = {**LINK, "priv_ip_address": "10.1.2.3", "simcardid": 7}
    told = wire.sim_numbers(link, Iccid.parse(B))
    assert (told["imsi"], told["ip"], told["simcard_id"]) == ("123456789876543", "10.1.2.3", "7")
    assert set(wire.sim_numbers({"links": None, "imsi": [], "eid": {}}, Iccid.parse(B)).values()) == {None}


# --- traffic ------------------------------------------------------------------------------------------------------


def test_a_record_tells_its_last_session_and_what_was_billed() -> None:
    session = {"session_begin": "2026-11-20 10:00:00", "session_end": "2026-11-20 10:01:00", "bytes": "0"}
    profile = {"cur_billing_data_used": "12", "last_billing_data_used": 30}
    record = {"lastsession": session, "links": {"cellular": [profile]}}
    ended_s = datetime(2026, 11, 20, 10, 1, tzinfo=UTC).timestamp()
    assert wire.recorded_traffic(record) == Recorded(ended_s, 0, 42)


@pytest.mark.parametrize("record", [{}, {"lastsession": None, "links": None}, {"lastsession": [], "links": []}])
def test_a_record_without_traffic_tells_nothing(record: dict[str, Any]) -> None:
    assert wire.recorded_traffic(record) == Recorded()
