"""The 1NCE adapter reads the simulated 1NCE: the list, what remains, the account's limits."""

from decimal import Decimal
from typing import Any

import anyio
import anyio.lowlevel
import httpx
import pytest

from migrator.carriers.onence.adapter import OnenceSource
from migrator.carriers.onence.simulator import (
    BeyondEnd,
    ExpiredSims,
    Missing,
    NoLimit,
    OnenceBehaviour,
    TotalsHeaders,
    UnknownSim,
)
from migrator.carriers.simulation import Fault, RateLimit
from migrator.core.fleet.identifiers import Iccid
from migrator.core.fleet.sims import AccountLimits, QuotaReading
from migrator.errors import NotAuthorised, Permanent, Transient, WireMismatch
from migrator.ports import SourcePage
from tests.carriers.onence.onence_source import (
    SIM,
    UNKNOWN_SIM,
    Answers,
    digits,
    every_page,
    failing,
    of_one,
    opened,
    rows,
    scripted,
    simulator,
    with_source,
)

# --- the list ---------------------------------------------------------------------------------------------------------


def test_the_list_is_read_in_pages_of_one_hundred_in_the_carriers_own_order() -> None:
    carrier = simulator()
    pages = with_source(carrier, every_page)
    assert [len(page.rows) for page in pages] == [100, 100, 50, 0]
    assert digits(pages) == [sim.iccid for sim in carrier.fleet]
    assert [(page.total_sims, page.total_pages) for page in pages[:3]] == [(250, 3)] * 3
    assert carrier.ledger.requests("GET")[1].query == {"page": "2", "pageSize": "100"}


def test_opening_costs_no_call_beyond_the_pages() -> None:
    carrier = simulator()
    with_source(carrier, every_page)
    assert [entry.query["page"] for entry in carrier.ledger.requests("GET")] == ["1", "2", "3", "4"]


def test_a_second_pass_reads_the_first_page_anew() -> None:
    """What `open` read is handed out once; a second pass is there to see what has changed."""

    async def use(source: OnenceSource) -> None:
        await source.open()
        await source.page(1)
        await source.page(1)

    carrier = simulator()
    with_source(carrier, use)
    assert len(carrier.ledger.requests("GET")) == 2


def test_a_sort_that_was_set_is_asked_for() -> None:
    carrier = simulator()
    with_source(carrier, opened, sort="ip_address")
    assert carrier.ledger.requests("GET")[0].query["sort"] == "ip_address"


@pytest.mark.parametrize("beyond", BeyondEnd)
@pytest.mark.parametrize("version", ["v1", "v2"])
def test_a_page_past_the_end_is_empty(version: str, beyond: BeyondEnd) -> None:
    assert with_source(simulator(beyond_end=beyond), lambda s: s.page(4), api_version=version).rows in ([], ())


@pytest.mark.parametrize("missing", Missing)
@pytest.mark.parametrize(
    "form",
    [
        {"totals_headers": TotalsHeaders.LOWER_CASE},
        {"totals_headers": TotalsHeaders.ABSENT},
        {"results_wrapped": True},
        {"numbers_as_strings": True},
        {"gzip": False, "noise_headers": False},
    ],
    ids=str,
)
def test_every_form_of_the_list_brings_the_same_sims(form: dict[str, Any], missing: Missing) -> None:
    plain, other = simulator(), simulator(missing=missing, **form)
    read, again = with_source(plain, every_page), with_source(other, every_page)
    assert [row.sim for page in again for row in page.rows] == [row.sim for page in read for row in page.rows]
    assert [row.problem for page in again for row in page.rows if row.problem] == []


@pytest.mark.parametrize("number", [1, 2])
def test_an_empty_answer_is_asked_once_more_and_is_never_an_empty_account(number: int) -> None:
    async def use(source: OnenceSource) -> SourcePage:
        return await source.page(number)

    answers = Answers({"/v2/sims": httpx.Response(200)})
    with pytest.raises(WireMismatch):
        answers.use(use)
    assert answers.paths == ["/oauth/token", "/v2/sims", "/v2/sims"]


def test_an_account_without_sims_has_an_empty_first_page() -> None:
    assert with_source(simulator(sims=0), lambda source: source.page(1)).rows == []


def test_a_list_that_is_not_there_is_no_empty_account() -> None:
    answers = Answers({})
    with pytest.raises(Permanent):
        answers.use(lambda source: source.page(1))


@pytest.mark.parametrize(
    "weather", [Fault.LOSE_AFTER, Fault.HANG_BEFORE, Fault.HTML, Fault.HTML_OK, Fault.SERVER_ERROR_BEFORE, Fault.SLOW]
)
def test_bad_weather_costs_time_and_no_sims(weather: Fault) -> None:
    carrier = simulator(faults=scripted(weather, weather))
    assert len(digits(with_source(carrier, every_page))) == 250


def test_a_429_is_waited_out() -> None:
    carrier = simulator(too_many_every=2)
    assert len(digits(with_source(carrier, every_page))) == 250


def test_eight_a_second_meets_no_refusal_under_the_documented_limit() -> None:
    carrier = simulator(sims=3_000, latency_s=0.15, rate_limit=RateLimit(10, 10))
    with_source(carrier, every_page)
    assert {entry.status for entry in carrier.ledger.entries} == {200}


def test_nothing_but_logins_and_reads_ever_leaves() -> None:
    async def use(source: OnenceSource) -> None:
        for page in await every_page(source):
            for row in list(page.rows)[:3]:
                assert row.sim is not None
                await source.data_remaining(row.sim.iccid)
                await source.sms_remaining(row.sim.iccid)
        await source.account_limits()

    carrier = simulator()
    with_source(carrier, use)
    assert carrier.writes == []


# --- what remains -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_what_remains_is_read_from_either_version(version: str) -> None:
    carrier = of_one(data_remaining_mb=Decimal("-1.5"), sms_remaining=Decimal(240))
    data = with_source(carrier, lambda s: s.data_remaining(SIM), api_version=version)
    sms = with_source(carrier, lambda s: s.sms_remaining(SIM), api_version=version)
    assert (data.reading, data.volume, sms.volume) == (QuotaReading.READ, Decimal("-1.5"), Decimal(240))
    assert data.expires_at is not None


@pytest.mark.parametrize("said", UnknownSim)
@pytest.mark.parametrize("version", ["v1", "v2"])
def test_a_sim_without_a_record_is_told_as_such(version: str, said: UnknownSim) -> None:
    carrier = of_one(behaviour=OnenceBehaviour(unknown_sim=said))
    left = with_source(carrier, lambda s: s.data_remaining(UNKNOWN_SIM), api_version=version)
    assert (left.reading, left.volume) == (QuotaReading.NO_RECORD, None)


def test_an_expired_sim_that_may_not_be_read_has_no_record() -> None:
    carrier = of_one(status="Expired", behaviour=OnenceBehaviour(expired=ExpiredSims.UNREADABLE))
    assert with_source(carrier, lambda s: s.data_remaining(SIM)).reading is QuotaReading.NO_RECORD


@pytest.mark.parametrize("weather", [Fault.HTML, Fault.HTML_OK, Fault.LOSE_AFTER, Fault.TOO_MANY_SILENT])
def test_a_quota_that_stays_unread_is_failed_and_never_zero(weather: Fault) -> None:
    """A tool that showed throttled reads as 0 MB is why this is said so often."""
    carrier = of_one(faults=scripted(*[weather] * 6, path="/quota/"))
    left = with_source(carrier, lambda s: s.data_remaining(SIM))
    assert (left.reading, left.volume) == (QuotaReading.FAILED, None)


@pytest.mark.parametrize("status", [400, 403, 409])
def test_one_sims_refusal_is_that_sims_alone(status: int) -> None:
    answers = Answers(
        {
            "/v2/sims": httpx.Response(200, json=rows(1)),
            f"/v2/sims/{SIM}/quota/data": httpx.Response(status, json={"message": "not yours"}),
        }
    )
    assert answers.use(lambda source: source.data_remaining(SIM)).reading is QuotaReading.FAILED


def test_a_token_refused_for_good_while_reading_quotas_stops_everything() -> None:
    async def use(source: OnenceSource) -> None:
        await source.open()
        carrier.behaviour = OnenceBehaviour(token_revoked_after=0, revoked_token_reissued=True)
        await source.data_remaining(SIM)

    carrier = of_one()
    assert isinstance(failing(carrier, use), NotAuthorised)


def test_a_login_that_is_down_is_not_blamed_on_the_sim() -> None:
    """Ten thousand SIMs marked as failed because the login was down for a minute would be read all over again."""

    async def use(source: OnenceSource) -> None:
        await source.open()
        await anyio.sleep(3600)
        carrier.faults = scripted(*[Fault.HTML] * 6, path="/oauth/token")
        await source.data_remaining(SIM)

    carrier = of_one()
    assert isinstance(failing(carrier, use), Transient)


def test_a_printed_iccid_is_asked_for_without_its_check_digit() -> None:
    carrier = of_one()
    printed = Iccid.parse("89882280666000000012")
    assert with_source(carrier, lambda s: s.data_remaining(printed)).reading is QuotaReading.READ


# --- the account's limits ---------------------------------------------------------------------------------------------


def test_monthly_limits_are_read_from_v1_whatever_the_version() -> None:
    carrier = simulator(data_limit_mb="16", sms_mo_limit="25", sms_mt_limit="10")
    assert with_source(carrier, lambda s: s.account_limits()) == AccountLimits(Decimal(16), Decimal(25))
    assert len(carrier.ledger.requests("GET", "/v1/sims/limits")) == 1


@pytest.mark.parametrize("told", NoLimit)
def test_no_limit_is_none_however_it_is_told(told: NoLimit) -> None:
    carrier = simulator(data_limit_mb=None, sms_mo_limit=None, no_limit=told)
    assert with_source(carrier, lambda s: s.account_limits()) == AccountLimits()


@pytest.mark.parametrize("status", [403, 404, 410])
def test_limits_that_are_not_there_are_no_limits(status: int) -> None:
    answers = Answers({"/v1/sims/limits": httpx.Response(status)})
    assert answers.use(lambda source: source.account_limits()) == AccountLimits()


def test_limits_that_cannot_be_read_are_no_absence_of_limits() -> None:
    carrier = simulator(faults=scripted(*[Fault.HTML] * 6, path="/limits"))
    assert isinstance(failing(carrier, lambda source: source.account_limits()), Transient)
