"""The Hologram adapter against the simulated Hologram: the key, the account, and what it says it will send."""

import logging
from decimal import Decimal
from typing import Any

import httpx
import pytest

from migrator.carriers.hologram.adapter import HologramTarget
from migrator.carriers.hologram.simulator import ReplyEdition, Role, TagRepeat
from migrator.carriers.simulation import Fault, FaultPlan
from migrator.core.fleet.units import Bytes
from migrator.core.plan.plan import DesiredState
from migrator.errors import (
    InputError,
    NotAuthorised,
    OutcomeUnknown,
    Permanent,
    Transient,
)
from migrator.ports import (
    AddTag,
    MakeTag,
    RemoveTag,
    SetLimits,
    SetName,
    SetNames,
    SetState,
    TargetOrder,
    TargetPlatform,
)
from tests.carriers.hologram.hologram_target import (
    A,
    B,
    Script,
    claim_of,
    claimed_fleet,
    every_device,
    failing,
    ids,
    make_tag,
    simulator,
    with_target,
    writes,
)

# --- the port and the key ---------------------------------------------------------------------------------------------


def test_the_adapter_is_a_target_platform() -> None:
    async def use(target: TargetPlatform) -> int:
        return (await target.account()).org_id

    carrier = simulator()
    assert with_target(carrier, use) == carrier.org_id


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_key_is_told_and_not_tried_again(status: int) -> None:
    carrier = simulator(bad_key_status=status)
    error = failing(carrier, lambda target: target.account(), api_key="wrong")
    assert isinstance(error, NotAuthorised)
    assert "HOLOGRAM_API_KEY" in error.hint
    assert len(carrier.ledger.entries) == 1


@pytest.mark.parametrize("read", ["balance", "jobs", "device_count"])
def test_a_refused_key_is_never_taken_for_a_thing_that_is_not_ours_to_read(read: str) -> None:
    error = failing(simulator(), lambda target: getattr(target, read)(), api_key="wrong")
    assert isinstance(error, NotAuthorised)


def test_the_key_is_in_no_repr_error_or_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    told: list[str] = []

    async def use(target: HologramTarget) -> None:
        told.append(f"{target!r} {vars(target)}")
        await target.account()

    answer = httpx.Response(401, json={"success": False, "error": "who is hush-hush-7?"})
    with pytest.raises(NotAuthorised) as caught:
        Script(answer).use(use)
    told += [str(caught.value), repr(caught.value), caught.value.carrier_words]
    assert "who is ***" in str(caught.value)
    assert "hush-hush-7" not in " ".join(told) + caplog.text


def test_the_key_goes_into_the_header_and_nowhere_else() -> None:
    carrier = simulator()
    with_target(carrier, every_device)
    assert carrier.ledger.forbidden == []
    assert "apikey" not in str(carrier.ledger.entries)


# --- the account ------------------------------------------------------------------------------------------------------


def test_the_account_tells_who_we_are_and_what_we_may_do_in_two_exchanges() -> None:
    carrier = simulator(role=Role.MANAGER)
    account = with_target(carrier, lambda target: target.account())
    assert (account.user_id, account.email, account.org_name) == (1234, "kim@fleet.example", "Invented Fleet")
    assert account.permissions == frozenset({"activation", "changeplan", "billing_visible"})
    assert len(carrier.ledger.entries) == 2


def test_the_only_organization_is_taken_where_none_is_named() -> None:
    async def use(target: HologramTarget) -> int:
        await target.account()
        return target.org_id

    carrier = simulator()
    assert with_target(carrier, use, org_id=None) == carrier.org_id
    assert len(carrier.ledger.entries) == 2


def test_of_several_organizations_none_is_guessed() -> None:
    """The wrong one would be billed."""
    carrier = simulator(other_org_visible=True)
    error = failing(carrier, lambda target: target.account(), org_id=None)
    assert isinstance(error, InputError)
    assert "98765 (Invented Fleet)" in error.message
    assert "98800 (Invented Sister Fleet)" in error.message
    assert "HOLOGRAM_ORG_ID" in error.hint


def test_the_personal_organization_is_taken_where_no_other_is_seen() -> None:
    me = httpx.Response(200, json={"success": True, "data": {"id": 1, "email": "x", "personal_org": 77}})
    none = httpx.Response(200, json={"success": True, "data": []})
    assert Script(me, none).use(lambda target: target.account(), org_id=None).org_id == 77


def test_an_organization_that_the_key_does_not_see_is_refused_with_a_list_of_those_it_sees() -> None:
    error = failing(simulator(), lambda target: target.account(), org_id=5)
    assert isinstance(error, InputError)
    assert "98765 (Invented Fleet)" in error.message


def test_nothing_is_done_for_an_organization_that_nobody_has_named() -> None:
    carrier = claimed_fleet()
    error = failing(carrier, lambda target: target.send(SetState([1], DesiredState.PAUSE)), org_id=None)
    assert isinstance(error, InputError)
    assert carrier.ledger.entries == []


def test_the_balance_is_read() -> None:
    assert with_target(simulator(balance=Decimal("96.05")), lambda target: target.balance()) == Decimal("96.05")


@pytest.mark.parametrize("carrier", [{"balance": None, "invoiced_status": 400}, {"balance_forbidden": True}], ids=str)
def test_a_balance_that_does_not_apply_is_none(carrier: dict[str, Any]) -> None:
    assert with_target(simulator(**carrier), lambda target: target.balance()) is None


def test_a_balance_that_cannot_be_read_is_no_absence_of_one() -> None:
    carrier = simulator(faults=FaultPlan(scripted=[Fault.HTML] * 6))
    assert isinstance(failing(carrier, lambda target: target.balance()), Transient)


@pytest.mark.parametrize("edition", ReplyEdition)
@pytest.mark.parametrize("page_size", [1, 5000])
def test_data_plans_are_read_over_all_pages(page_size: int, edition: ReplyEdition) -> None:
    carrier = simulator(max_page_size=page_size, plans_edition=edition)
    plans = {plan.data_plan_id: plan for plan in with_target(carrier, lambda target: target.data_plans())}
    assert set(plans) == {2096, 2041, 1850, 1402}
    assert set(plans[2041].zones) == {"US", "EU", "Global"}
    assert (plans[1850].enabled, plans[1402].included_bytes) == (False, 1_000_000)
    assert plans[2096].zones["global"].per_mb == Decimal("0.030000")


@pytest.mark.parametrize("edition", ReplyEdition)
def test_a_tag_is_made_and_found_in_every_edition(edition: ReplyEdition) -> None:
    async def use(target: HologramTarget) -> tuple[Any, Any]:
        return await make_tag(target, "from-1nce"), await target.tags()

    made, listed = with_target(simulator(tags_edition=edition), use)
    assert made.name == "from-1nce"
    assert list(listed) == [made]


def test_a_tag_of_a_name_that_exists_is_refused() -> None:
    async def use(target: HologramTarget) -> None:
        await target.send(MakeTag("from-1nce"))
        await target.send(MakeTag("from-1nce"))

    assert isinstance(failing(simulator(tag_repeat=TagRepeat.REFUSE), use), Permanent)


def test_a_tag_that_the_answer_does_not_show_may_have_been_made() -> None:
    answer = httpx.Response(200, json={"success": True, "data": {"tags": [{"id": 1, "name": "another"}]}})
    with pytest.raises(OutcomeUnknown):
        Script(answer).use(lambda target: target.send(MakeTag("from-1nce")))


# --- what is said to be sent is what is sent --------------------------------------------------------------------------


def test_every_order_leaves_as_its_request_says() -> None:
    """The journal and the dry run show the request; the carrier gets the order."""

    async def use(target: HologramTarget) -> list[Any]:
        tag = await make_tag(target, "t")
        claim = claim_of(carrier, A, B, tag_id=tag.tag_id, sms_limit=3)
        requests = [target.request(claim)]
        await target.send(claim)
        two = ids(carrier, A, B)
        orders: list[TargetOrder] = [
            SetLimits(two, Bytes(9), None),
            SetState(two, DesiredState.PAUSE),
            AddTag(tag.tag_id, two),
            RemoveTag(tag.tag_id, two),
            SetName(two[0], "Pump"),
            SetNames(two, "Pump"),
        ]
        for order in orders:
            requests.append(target.request(order))
            await target.send(order)
        return [target.request(MakeTag("t")), *requests]

    carrier = simulator()
    told = [(order.method, order.path, order.body) for order in with_target(carrier, use)]
    sent = [(entry.method, _address(entry), entry.body) for entry in writes(carrier)]
    assert sent == told


def _address(entry: Any) -> str:
    query = "&".join(f"{key}={value}" for key, value in entry.query.items())
    path = str(entry.path).removeprefix("/api/1")
    return f"{path}?{query}" if query else path


def test_every_post_names_the_organization_in_its_query() -> None:
    async def use(target: HologramTarget) -> None:
        tag = await make_tag(target, "t")
        await target.send(claim_of(carrier, A, tag_id=tag.tag_id))
        one = ids(carrier, A)
        await target.send(SetLimits(one, None, 3))
        await target.send(SetState(one, DesiredState.PAUSE))
        await target.send(AddTag(tag.tag_id, one))
        await target.send(RemoveTag(tag.tag_id, one))
        await target.send(SetNames(one, "Pump"))

    carrier = simulator()
    with_target(carrier, use)
    posts = carrier.ledger.requests("POST")
    assert {entry.query.get("orgid") for entry in posts} == {str(carrier.org_id)}
    assert [entry.path for entry in posts if "orgid" in entry.body] == ["/api/1/links/cellular/bulkclaim"]
    assert carrier.ledger.forbidden == []
