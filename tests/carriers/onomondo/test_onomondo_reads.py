"""Onomondo's adapter as a reader, on the wire to the simulated Onomondo."""

import logging
from base64 import b64encode
from datetime import date, timedelta
from typing import Any

import anyio
import httpx
import pytest

from migrator.carriers.onomondo import wire
from migrator.carriers.onomondo.adapter import MOST_DAYS, OnomondoSource
from migrator.carriers.onomondo.client import OnomondoClient
from migrator.carriers.onomondo.simulator import (
    AboveLargestLimit,
    KeyForm,
    LastToken,
    OnomondoBehaviour,
    OnomondoTag,
    OnomondoUsage,
    TokenPlace,
)
from migrator.carriers.simulation import Fault, FaultPlan, RateLimit
from migrator.carriers.simulation.messages import BROKEN
from migrator.core.fleet.identifiers import Iccid
from migrator.core.fleet.sims import DataLimit, LimitPeriod, QuotaReading, SourceStatus
from migrator.core.fleet.spelling import UNREAD
from migrator.core.fleet.units import Bytes
from migrator.errors import NotAuthorised, Transient, WireMismatch
from tests.carriers.onomondo.onomondo_source import (
    IMEI,
    OTHER,
    SIM,
    answered,
    every_page,
    failing,
    of_one,
    simulator,
    with_source,
)

DAY = date(2026, 11, 19)


async def row_of(source: OnomondoSource) -> Any:
    return (await source.page(1)).rows[0]


def authorizations(carrier: Any) -> list[int | None]:
    return [entry.status for entry in carrier.ledger.entries]


# --- the key ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("form", "expected"), [("bearer", [200, 200]), ("bare", [401, 200, 200]), ("either", [200, 200])]
)
def test_the_form_of_the_key_that_is_taken_is_found_once_and_remembered(form: str, expected: list[int]) -> None:
    carrier = simulator(key_form=KeyForm(form), largest_limit=200)

    async def use(source: OnomondoSource) -> None:
        await source.open()
        await source.page(1)
        await source.page(2)

    with_source(carrier, use)
    assert authorizations(carrier) == expected


def test_the_bare_key_counts_as_taken_where_the_request_itself_is_refused() -> None:
    carrier = simulator(key_form=KeyForm.BARE, largest_limit=5, above_largest_limit=AboveLargestLimit.REFUSE)
    with_source(carrier, lambda source: source.open())
    assert authorizations(carrier) == [401, 400, 200]


def test_the_form_is_found_once_also_where_many_ask_at_the_same_moment() -> None:
    """The reads of a cutover's plan are the first requests of their process, and go out together."""
    carrier = simulator(key_form=KeyForm.BARE, latency_s=0.5)

    async def use(source: OnomondoSource) -> None:
        async with anyio.create_task_group() as tasks:
            for sim in list(carrier.fleet)[:8]:
                tasks.start_soon(source.session, Iccid.parse(sim.iccid))

    with_source(carrier, use)
    assert authorizations(carrier) == [401] + [200] * 8


def test_a_key_that_is_wrong_in_both_forms_is_tried_twice_and_never_again() -> None:
    carrier = simulator()

    async def use(source: OnomondoSource) -> None:
        with pytest.raises(NotAuthorised):
            await source.open()
        await source.open()

    error = failing(carrier, use, key="onok_the-wrong-one")
    assert isinstance(error, NotAuthorised)
    assert error.is_about_login
    assert authorizations(carrier) == [401, 401, 401]
    assert "ONOMONDO_API_KEY" in error.hint


def test_the_key_is_in_no_repr_log_record_or_error(caplog: pytest.LogCaptureFixture) -> None:
    carrier = simulator(echoes_credentials=True, sims=3)
    with caplog.at_level(logging.DEBUG):
        rows = with_source(carrier, lambda source: source.page(1)).rows
        error = failing(carrier, lambda source: source.page(1), key="onok_wrong.key-0123456789")
    for shown in (repr([row.raw for row in rows]), caplog.text, repr(error), str(error)):
        assert carrier.api_key not in shown
        assert "onok_wrong.key-0123456789" not in shown


def test_pin_and_puk_are_dropped_from_every_record() -> None:
    carrier = simulator(has_pin=True, sims=2)
    row, _other = with_source(carrier, lambda source: source.page(1)).rows
    told = with_source(carrier, lambda source: source.reading(Iccid.parse(carrier.fleet[0].iccid)))
    assert told.data is not None
    for raw in (row.raw, told.data.raw):
        assert not {"pin1", "puk1"} & set(raw)


def test_the_reader_of_onomondo_has_no_way_to_write() -> None:
    for reader in (OnomondoSource, OnomondoClient):
        assert not {"send", "switch", "patch", "post"} & set(dir(reader))


# --- the list -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("last", list(LastToken))
@pytest.mark.parametrize("place", list(TokenPlace))
@pytest.mark.parametrize("sims", [1, 100, 101, 250])
def test_the_list_ends_however_its_last_page_says_so(last: LastToken, place: TokenPlace, sims: int) -> None:
    carrier = simulator(sims=sims, largest_limit=100, last_token=last, token_place=place)
    pages = with_source(carrier, every_page)
    listed = [row.sim.iccid.digits for page in pages for row in page.rows if row.sim is not None]
    assert dict.fromkeys(listed) == dict.fromkeys(sim.iccid for sim in carrier.fleet)
    assert len(carrier.ledger.entries) <= -(-sims // 100) + 1
    assert {page.total_sims for page in pages if page.rows} == {sims}


def test_the_page_that_opens_the_list_is_not_asked_for_twice() -> None:
    carrier = simulator(sims=150, largest_limit=100)

    async def use(source: OnomondoSource) -> None:
        await source.open()
        await every_page(source)

    with_source(carrier, use)
    assert len(carrier.ledger.entries) == 2


def test_the_token_goes_back_exactly_as_it_came() -> None:
    carrier = simulator(sims=150, largest_limit=100)
    with_source(carrier, every_page)
    first, second = carrier.ledger.entries
    assert first.query == {"limit": "1000"}
    assert second.query == {"limit": "1000", "next_page": b64encode(carrier.fleet[99].sim_id.encode()).decode()}


def test_a_page_in_the_middle_costs_the_pages_before_it_once() -> None:
    carrier = simulator(sims=450, largest_limit=100)

    async def use(source: OnomondoSource) -> list[int]:
        await source.open()
        return [len((await source.page(number)).rows) for number in (4, 5, 6, 4)]

    assert with_source(carrier, use) == [100, 50, 0, 100]
    assert len(carrier.ledger.entries) == 6


def test_where_a_page_of_a_thousand_is_refused_the_carriers_own_size_is_taken() -> None:
    carrier = simulator(sims=120, largest_limit=50, above_largest_limit=AboveLargestLimit.REFUSE)
    pages = with_source(carrier, every_page)
    assert [len(page.rows) for page in pages] == [50, 50, 20, 0]
    assert authorizations(carrier) == [400, 200, 200, 200]


def test_sims_that_come_and_go_shift_no_page() -> None:
    carrier = simulator(sims=250, largest_limit=100, insert_every_pages=1, remove_every_pages=2)
    there = {sim.iccid for sim in carrier.fleet}
    pages = with_source(carrier, every_page)
    listed = [row.sim.iccid.digits for page in pages for row in page.rows if row.sim is not None]
    assert len(listed) == len(set(listed))
    assert there == set(listed)


@pytest.mark.parametrize("body", [b"[]", b'{"sims": {}}', b'{"message": "ok"}'])
def test_what_is_no_list_is_never_taken_for_an_empty_fleet(body: bytes) -> None:
    with pytest.raises(WireMismatch):
        answered(lambda control: control.open(), httpx.Response(200, content=body))


# --- one row ------------------------------------------------------------------------------------------------------


def test_a_row_brings_status_label_tags_lock_and_limit_as_they_are() -> None:
    tags = (OnomondoTag("Supplier", can_write=False), OnomondoTag("Nordics"))
    carrier = of_one(
        activated=False,
        label="  Zähler ",
        tags=tags,
        imei=IMEI,
        imei_lock=IMEI,
        limit_bytes=50_000_001,
        behaviour=OnomondoBehaviour(list_imei=True, list_imsi=True, list_data_limit=True),
    )
    row = with_source(carrier, row_of)
    sim = row.sim
    assert (sim.status, sim.label, sim.tags) == (SourceStatus.DISABLED, "  Zähler ", ("Supplier", "Nordics"))
    assert (sim.imei, sim.imei_lock, sim.imsi) == (IMEI, True, "234500000002273")
    assert sim.data_limit == DataLimit(Bytes(50_000_001), LimitPeriod.MONTHLY, "monthly")
    assert (sim.data_quota_mb, sim.data_remaining_mb, sim.sms_quota) == (None, None, None)
    assert sim.data_reading is QuotaReading.NO_RECORD, "nothing is left to ask of this SIM"
    assert not row.problem


@pytest.mark.parametrize("behaviour", [{}, {"list_imei": True}, {"list_data_limit": True}])
def test_a_list_that_lacks_hardware_or_limit_leaves_the_sim_to_be_read(behaviour: dict[str, Any]) -> None:
    carrier = of_one(imei=IMEI, limit_bytes=1_000_000, limit_type="hourly", behaviour=OnomondoBehaviour(**behaviour))
    assert with_source(carrier, row_of).sim.data_reading is QuotaReading.NOT_READ
    told = with_source(carrier, lambda source: source.reading(SIM))
    assert told.sim is not None
    assert told.sim.imei == IMEI
    assert told.sim.data_limit == DataLimit(Bytes(1_000_000), LimitPeriod.HOURLY, "hourly")
    assert [entry.path for entry in carrier.ledger.entries][-1] == f"/sims/{SIM.digits}"


@pytest.mark.parametrize(
    ("limit", "expected"),
    [
        ({"total": 5, "type": "daily"}, DataLimit(Bytes(5), LimitPeriod.DAILY, "daily")),
        ({"total": "7", "type": "Monthly"}, DataLimit(Bytes(7), LimitPeriod.MONTHLY, "monthly")),
        ({"total": 5, "type": "yearly"}, DataLimit(Bytes(5), LimitPeriod.OTHER, "yearly")),
        ({"total": 5}, DataLimit(Bytes(5), LimitPeriod.OTHER, "")),
        ({"total": 0.5, "type": "monthly"}, None),
        ({"total": -1, "type": "monthly"}, None),
        ({"total": "1 GB", "type": "monthly"}, None),
        ({"type": "monthly"}, None),
        ("10 GB", None),
        (None, None),
    ],
)
def test_a_limit_is_bytes_of_a_known_period_or_is_told_as_something_else(limit: Any, expected: Any) -> None:
    row = wire.source_row({"iccid": SIM.digits, "activated": True, "data_limit": limit})
    assert row.sim is not None
    assert row.sim.data_limit == expected
    assert bool(row.problem) == (expected is None and limit is not None)


@pytest.mark.parametrize(
    ("told", "status"),
    [
        (True, SourceStatus.ENABLED),
        ("false", SourceStatus.DISABLED),
        (None, SourceStatus.UNKNOWN),
        ("suspended", SourceStatus.UNKNOWN),
        ([], SourceStatus.UNKNOWN),
    ],
)
def test_a_status_that_is_neither_yes_nor_no_is_unknown_and_a_problem(told: Any, status: SourceStatus) -> None:
    row = wire.source_row({"iccid": SIM.digits, "activated": told})
    assert row.sim is not None
    assert row.sim.status is status
    assert bool(row.problem) == (status is SourceStatus.UNKNOWN)


@pytest.mark.parametrize("told", [7, {"text": "pump"}, f"Z{BROKEN}hler"])
def test_a_label_that_was_not_read_whole_is_told_as_such(told: Any) -> None:
    carrier = of_one(behaviour=OnomondoBehaviour(said=((SIM.digits, "label", told),)))
    row = with_source(carrier, row_of)
    assert UNREAD in row.sim.label
    assert row.label_trouble
    assert row.label_trouble in row.problem


def test_a_row_without_an_iccid_is_told_as_one_that_cannot_be_read() -> None:
    carrier = of_one(behaviour=OnomondoBehaviour(said=((SIM.digits, "iccid", None),)))
    row = with_source(carrier, row_of)
    assert row.sim is None
    assert row.problem
    assert row.raw["id"] == "000002273"


def test_an_iccid_without_its_check_digit_asks_for_the_sim_that_has_it() -> None:
    carrier = of_one(imei=IMEI)
    told = with_source(carrier, lambda source: source.reading(Iccid.parse(SIM.digits[:-1])))
    assert told.sim is not None
    assert told.sim.imei == IMEI


def test_a_record_of_another_sim_is_no_reading() -> None:
    carrier = of_one(behaviour=OnomondoBehaviour(single_reads_of_others=frozenset({SIM.digits})))
    told = with_source(carrier, lambda source: source.reading(SIM))
    assert told.data is not None
    assert (told.sim, told.data.reading) == (None, QuotaReading.FAILED)


# --- trouble ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", [fault for fault in Fault if fault not in {Fault.NONE, Fault.LATE}], ids=str)
def test_a_list_is_read_whole_through_any_fault_that_passes(fault: Fault) -> None:
    carrier = simulator(sims=250, largest_limit=100, faults=FaultPlan(scripted=[Fault.NONE, fault, fault]))
    pages = with_source(carrier, every_page)
    assert sum(len(page.rows) for page in pages) == 250


def test_a_list_whose_trouble_does_not_pass_is_no_shorter_list() -> None:
    carrier = simulator(sims=250, largest_limit=100)

    async def use(source: OnomondoSource) -> None:
        await source.page(1)
        carrier.faults = FaultPlan({Fault.SERVER_ERROR_BEFORE: 1.0})
        await source.page(2)

    assert isinstance(failing(carrier, use), Transient)


@pytest.mark.parametrize("told_s", [1, None])
def test_a_limit_of_the_rate_slows_and_loses_nothing(told_s: int | None) -> None:
    carrier = simulator(sims=900, largest_limit=100, rate_limit=RateLimit(2, 1, told_s))
    pages = with_source(carrier, every_page)
    assert sum(len(page.rows) for page in pages) == 900
    assert 429 in authorizations(carrier)


# --- usage --------------------------------------------------------------------------------------------------------


def used(carrier: Any, first: date = DAY, last: date = DAY) -> Any:
    return with_source(carrier, lambda source: source.used_days(SIM, first, last))


def test_each_day_is_asked_for_and_read_to_its_last_page() -> None:
    carrier = of_one(imei=IMEI, used_on=(DAY,), silent_from=DAY, behaviour=OnomondoBehaviour(usage_page_rows=1))
    assert used(carrier) == {DAY: True}
    assert [entry.query.get("filter") for entry in carrier.ledger.entries] == ["time:2026-11-19"] * 3


def test_only_the_last_days_of_a_long_time_are_asked_for() -> None:
    carrier = of_one()
    days = used(carrier, DAY - timedelta(days=400), DAY)
    assert len(days) == len(carrier.ledger.entries) == MOST_DAYS
    assert max(days) == DAY


@pytest.mark.parametrize("call", [OnomondoUsage.FORBIDDEN, OnomondoUsage.UNKNOWN, OnomondoUsage.ANY_DAY])
def test_usage_that_is_not_told_is_unknown_and_not_silence(call: OnomondoUsage) -> None:
    carrier = of_one(imei=IMEI, used_on=(DAY,), behaviour=OnomondoBehaviour(usage_call=call))
    assert used(carrier) is None


@pytest.mark.parametrize(
    ("bodies", "expected"),
    [
        ([{"usage": []}], False),
        ([{"usage": [{"iccid": SIM.digits, "time": "2026-11-19 00:30:00", "bytes": 0}]}], False),
        ([{"usage": [{"iccid": SIM.digits, "time": "2026-11-19 00:30:00", "bytes": 7}]}], True),
        ([{"usage": [{"time": "2026-11-19T00:30:00.000Z", "bytes": "7"}]}], True),
        ([{"usage": [{"iccid": SIM.digits, "time": "2026-11-18 23:30:00", "bytes": 7}]}], None),
        ([{"usage": [{"iccid": OTHER.digits, "time": "2026-11-19 00:30:00", "bytes": 7}]}], None),
        ([{"usage": [{"iccid": SIM.digits, "time": "2026-11-19 00:30:00", "bytes": "?"}]}], None),
        ([{"usage": [None]}], None),
        ([{"usage": []}, {"usage": None}], None),
        ([None], None),
    ],
)
def test_a_day_is_silent_only_where_every_row_says_so(bodies: list[Any], *, expected: bool | None) -> None:
    assert wire.day_of_use(bodies, SIM, DAY) is expected


def test_a_day_with_more_pages_than_anybody_reads_is_unknown_and_not_silent() -> None:
    pages = [httpx.Response(200, json={"pagination": {"next_page": f"t{n}"}, "usage": []}) for n in range(30)]
    assert answered(lambda control: control.used_days(SIM, DAY, DAY), *pages) is None


def test_the_word_for_a_session_is_told() -> None:
    def word(**values: Any) -> Any:
        return with_source(of_one(**values), lambda source: source.session(SIM))

    assert (word(imei=IMEI), word()) == ("ONLINE", "OFFLINE")
    unknown = with_source(of_one(), lambda source: source.session(Iccid.parse("89457387309999999990")))
    assert unknown is None


def test_a_refusal_of_one_sim_is_no_refusal_of_the_key() -> None:
    refused = httpx.Response(403, json={"message": "sim_forbidden"})
    listed = httpx.Response(200, json={"sims": [], "total": 0})

    async def use(control: Any) -> Any:
        await control.open()
        return await control._source.reading(SIM), await control._source.used_days(SIM, DAY, DAY)

    told, days = answered(use, listed, refused)
    assert (told.data.reading, days) == (QuotaReading.FAILED, None)
