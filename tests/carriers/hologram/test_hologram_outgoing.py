"""What is sent to Hologram, and what never leaves."""

from typing import Any

import pytest

from migrator.carriers.hologram.outgoing import request_of
from migrator.core.fleet.identifiers import Iccid
from migrator.core.fleet.units import Bytes
from migrator.core.plan.plan import DesiredState
from migrator.errors import (
    InputError,
)
from migrator.ports import AddTag, Claim, SetLimits, SetName, SetNames, SetState, TargetOrder

A, B = "89123400001234567890", "8944500000000000002"


def claim_of(*iccids: str, **values: Any) -> Claim:
    return Claim([Iccid.parse(iccid) for iccid in iccids], org_id=5, data_plan_id=2096, zone="global", **values)


def request(order: TargetOrder, *, most: int = 500) -> Any:
    return request_of(order, 5, most=most)


def test_a_claim_sends_documented_fields_only() -> None:
    order = request(claim_of(A, B, tag_id=4, overage_limit_bytes=Bytes(0), sms_limit=10))
    assert (order.method, order.path) == ("POST", "/links/cellular/bulkclaim?orgid=5")
    assert order.body == {
        "sims": [A, B],
        "plan": 2096,
        "zone": "global",
        "orgid": 5,
        "tagid": 4,
        "overage_limit": 0,
        "smslimit": 10,
    }


def test_limits_that_are_left_out_are_not_sent_and_none_is_minus_one() -> None:
    assert "overage_limit" not in request(claim_of(A)).body
    assert request(claim_of(A, overage_limit_bytes=Bytes(-1))).body["overage_limit"] == -1


def test_a_sim_is_named_once_in_a_claim_in_the_form_that_came_first() -> None:
    """Some carriers might charge per mention; a SIM with and without its check digit is one SIM."""
    with_check_digit = "89445000000000000027"
    assert Iccid.parse(with_check_digit) == Iccid.parse(B)
    assert request(claim_of(A, B, with_check_digit, A)).body["sims"] == [A, B]


@pytest.mark.parametrize("count", [0, 2501])
def test_a_claim_of_a_wrong_size_never_leaves(count: int) -> None:
    with pytest.raises(InputError):
        request(claim_of(*(f"8944500000001{number:06d}" for number in range(count))))


def test_a_claim_of_2500_leaves() -> None:
    order = request(claim_of(*(f"8944500000001{number:06d}" for number in range(2500))))
    assert len(order.body["sims"]) == 2500


def test_a_rename_sends_the_name_and_nothing_beside_it() -> None:
    """`orgid` in this body moves the device to that organization."""
    order = request(SetName(7, " Pump \U0001f4a7 "))
    assert (order.method, order.path, order.body) == ("PUT", "/devices/7", {"name": " Pump \U0001f4a7 "})


@pytest.mark.parametrize(("state", "word"), [(DesiredState.LIVE, "live"), (DesiredState.PAUSE, "pause")])
def test_a_state_change_has_a_flat_body(state: DesiredState, word: str) -> None:
    order = request(SetState([1, 2, 1], state))
    assert (order.path, order.body) == ("/devices/batch/state?orgid=5", {"state": word, "deviceids": [1, 2]})


def test_one_limit_is_sent_without_the_other() -> None:
    order = request(SetLimits([1], Bytes(-1), None))
    assert order.body == {"deviceids": [1], "overagelimit": -1}
    order = request(SetLimits([1], None, 0))
    assert (order.path, order.body) == ("/devices/batch/usagelimit?orgid=5", {"deviceids": [1], "smslimit": 0})


def test_a_change_of_no_limit_never_leaves() -> None:
    with pytest.raises(InputError):
        request(SetLimits([1], None, None))


def test_one_name_for_several_devices_is_sent_without_a_suffix() -> None:
    order = request(SetNames([1, 2], "Pump"))
    assert order.body == {"prefix": "Pump", "skipPostfix": True, "deviceids": [1, 2]}
    assert order.path == "/devices/names?orgid=5"


@pytest.mark.parametrize("device_ids", [[], [1, 2, 3]])
def test_a_bulk_change_of_none_or_of_too_many_devices_never_leaves(device_ids: list[int]) -> None:
    """An empty list might be taken for the whole organization."""
    with pytest.raises(InputError):
        request(SetState(device_ids, DesiredState.PAUSE), most=2)
    with pytest.raises(InputError):
        request(SetNames(device_ids, "Pump"), most=2)
    with pytest.raises(InputError):
        request(AddTag(4, device_ids), most=2)
    with pytest.raises(InputError):
        request(SetLimits(device_ids, None, 1), most=2)
