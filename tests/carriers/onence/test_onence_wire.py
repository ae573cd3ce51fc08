"""1NCE's payloads, written out as the reference has them, and what is read from them."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import httpx
import pytest

from migrator.carriers.onence import refusals, wire
from migrator.carriers.replies import Mask, Reply
from migrator.core.fleet.identifiers import Iccid
from migrator.core.fleet.sims import QuotaReading, SourceStatus
from migrator.errors import (
    LoginFailed,
    LoginRefused,
    NotAuthorised,
    OutcomeUnknown,
    Permanent,
    RateLimited,
    Transient,
    WireMismatch,
)

ROW = {
    "iccid": "8988228066600000001",
    "iccid_with_luhn": "89882280666000000012",
    "imsi": "901405100000001",
    "msisdn": "882285100000001",
    "imei": "8600000000000104",
    "imei_lock": False,
    "status": "Enabled",
    "activation_date": "2021-08-26T12:13:06.000+0000",
    "ip_address": "10.210.176.1",
    "current_quota": 500,
    "quota_status": {"id": 0, "description": "More than 20% available"},
    "current_quota_SMS": 250,
    "quota_status_SMS": {"id": 0, "description": "More than 20% available"},
    "label": "Test API",
}


def reply(body: Any = None, *, status: int = 200, headers: dict[str, str] | None = None, text: str = "x") -> Reply:
    return Reply(status, httpx.Headers(headers), body, body is not None, text, "GET /v2/sims", Mask())


def sim_of(**changes: Any) -> Any:
    row = wire.source_row({**ROW, **changes})
    assert row.sim is not None
    return row.sim


def test_a_row_is_read_whole() -> None:
    row = wire.source_row(ROW)
    assert row.problem == ""
    assert row.raw == ROW
    sim = row.sim
    assert sim is not None
    assert (sim.iccid.digits, sim.status, sim.status_word) == ("8988228066600000001", SourceStatus.ENABLED, "Enabled")
    assert (sim.imsi, sim.msisdn, sim.imei, sim.imei_lock) == (
        "901405100000001",
        "882285100000001",
        "8600000000000104",
        False,
    )
    assert (sim.label, sim.ip_address, sim.activated_at) == ("Test API", "10.210.176.1", "2021-08-26T12:13:06.000+0000")
    assert (sim.data_quota_mb, sim.sms_quota, sim.data_reading) == (Decimal(500), Decimal(250), QuotaReading.NOT_READ)


@pytest.mark.parametrize("nothing", ["absent", None, "", "  "])
def test_missing_null_and_blank_are_alike(nothing: str | None) -> None:
    optional = ("imsi", "imei", "activation_date", "ip_address", "current_quota", "status", "imei_lock")
    row = {key: value for key, value in ROW.items() if key not in optional}
    if nothing != "absent":
        row |= dict.fromkeys(optional, nothing)
    read = wire.source_row(row)
    assert read.sim is not None
    told = (read.sim.imsi, read.sim.imei, read.sim.activated_at, read.sim.ip_address, read.sim.imei_lock)
    assert told == (None, None, None, None, None)
    assert (read.sim.data_quota_mb, read.sim.status) == (None, SourceStatus.UNKNOWN)


def test_a_blank_label_is_no_label_but_spaces_within_one_stay() -> None:
    """Labels go out exactly as they came."""
    assert [sim_of(label=label).label for label in ("", None, " Pump 7 ")] == [None, None, " Pump 7 "]


@pytest.mark.parametrize("number", [500.25, "500.25"])
def test_numbers_may_be_text(number: float | str) -> None:
    assert sim_of(current_quota=number, current_quota_SMS=str(number)).data_quota_mb == Decimal("500.25")


@pytest.mark.parametrize("imei", ["8600000000000104f", "8600000000000104F", "8600000000000104"])
def test_an_imei_loses_its_trailing_f(imei: str) -> None:
    assert sim_of(imei=imei).imei == "8600000000000104"


@pytest.mark.parametrize("word", ["Activated", "ENABLED", {"id": 1, "description": "Enabled"}])
def test_status_words_are_read_in_any_spelling(word: Any) -> None:
    assert sim_of(status=word).status is SourceStatus.ENABLED


@pytest.mark.parametrize(
    "row",
    [{**ROW, "iccid": "12"}, {**ROW, "iccid": None}, {"imsi": "901405100000001"}, {**ROW, "iccid": 8.98e18}, "x", None],
)
def test_a_row_without_a_plausible_iccid_is_reported_not_guessed(row: Any) -> None:
    read = wire.source_row(row)
    assert read.sim is None
    assert read.problem


def test_an_iccid_as_a_number_keeps_its_digits() -> None:
    assert sim_of(iccid=8988228066600000001).iccid.digits == "8988228066600000001"


@pytest.mark.parametrize("with_luhn", ["89882280666000000023", "89882280666000000014", "no"])
def test_a_contradicting_printed_iccid_is_told_and_the_sim_kept(with_luhn: str) -> None:
    row = wire.source_row({**ROW, "iccid_with_luhn": with_luhn})
    assert row.sim is not None
    assert "iccid_with_luhn" in row.problem


@pytest.mark.parametrize(
    ("key", "value"), [("current_quota", "much"), ("current_quota_SMS", []), ("activation_date", "soon")]
)
def test_an_unreadable_value_is_told_and_the_sim_kept(key: str, value: Any) -> None:
    row = wire.source_row({**ROW, key: value})
    assert row.sim is not None
    assert key in row.problem


def test_pin_and_puk_leave_a_row_before_it_is_kept() -> None:
    row = wire.source_row({**ROW, "pin": "1234", "PUK": "12345678", "nested": {"pin1": "4321"}})
    assert row.raw == {**ROW, "nested": {}}


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2021-08-26T12:13:06.000+0000", datetime(2021, 8, 26, 12, 13, 6, tzinfo=UTC)),
        ("2029-01-01T00:00:00.000Z", datetime(2029, 1, 1, tzinfo=UTC)),
        ("2024-08-24T13:13:21Z", datetime(2024, 8, 24, 13, 13, 21, tzinfo=UTC)),
        ("2024-08-24T15:13:21+02:00", datetime(2024, 8, 24, 13, 13, 21, tzinfo=UTC)),
        ("2031-11-26 00:00:00", datetime(2031, 11, 26, tzinfo=UTC)),
        ("2021-11-14", datetime(2021, 11, 14, tzinfo=UTC)),
        ("0000-00-00 00:00:00", None),
        ("TOTAL", None),
        ("0001-01-01T00:00:00+05:00", None),
    ],
)
def test_every_form_of_date_is_understood(text: str, moment: datetime | None) -> None:
    assert wire.parse_moment(text) == moment


@pytest.mark.parametrize("wrap", [lambda rows: rows, lambda rows: {"results": rows}])
def test_a_page_is_an_array_or_stands_under_results(wrap: Any) -> None:
    page = wire.source_page(reply(wrap([ROW]), headers={"X-Total-Count": "3", "x-TOTAL-pages": "2"}), 1)
    assert (len(page.rows), page.total_sims, page.total_pages) == (1, 3, 2)


def test_totals_that_are_not_told_are_none() -> None:
    page = wire.source_page(reply([ROW], headers={"X-Total-Count": "many"}), 1)
    assert (page.total_sims, page.total_pages) == (None, None)


@pytest.mark.parametrize("body", [{"message": "hello"}, {"results": {}}, 7, None])
def test_what_is_no_list_of_sims_is_a_mismatch(body: Any) -> None:
    """It must never be taken for an account without SIMs."""
    with pytest.raises(WireMismatch):
        wire.source_page(reply(body), 1)


def test_a_reply_that_is_of_an_earlier_page_is_past_the_end() -> None:
    assert wire.source_page(reply([ROW], headers={"X-Current-Page": "2"}), 3).rows == []


V1_QUOTA = {"volume": 479.949998, "total_volume": 500, "expiry_date": "2031-11-26 00:00:00", "peak_throughput": 128000}
V2_QUOTA = {
    "id": 1,
    "status": {"id": 1, "description": "ACTIVE"},
    "volume": "-0.5",
    "total_volume": 500,
    "expiry_date": "2029-01-01T00:00:00.000Z",
}


@pytest.mark.parametrize(
    ("body", "volume", "expires_at"),
    [(V1_QUOTA, "479.949998", "2031-11-26 00:00:00"), (V2_QUOTA, "-0.5", "2029-01-01T00:00:00.000Z")],
    ids=["v1", "v2"],
)
def test_a_quota_tells_what_remains_and_when_it_ends(body: Any, volume: str, expires_at: str) -> None:
    left = wire.remaining(reply(body))
    assert (left.reading, left.volume, left.expires_at) == (QuotaReading.READ, Decimal(volume), expires_at)
    assert left.raw == body


def test_a_quota_without_a_record_is_not_a_quota_of_zero() -> None:
    left = wire.remaining(reply(None, text=""))
    assert (left.reading, left.volume) == (QuotaReading.NO_RECORD, None)


@pytest.mark.parametrize("body", [{"total_volume": 500}, {"volume": None}, {"volume": "n/a"}, {}, [1], "x"])
def test_a_quota_without_a_volume_is_a_failed_read(body: Any) -> None:
    left = wire.remaining(reply(body))
    assert (left.reading, left.volume) == (QuotaReading.FAILED, None)


@pytest.mark.parametrize(
    ("body", "data_mb", "sms_mo"),
    [
        ({"data": {"limit": "16", "unit": "MB"}, "smsMo": {"limit": "10", "unit": "SMS"}}, Decimal(16), Decimal(10)),
        ({"data": {"limit": 3}, "smsMt": {"limit": "10"}}, Decimal(3), None),
        ({"data": None, "smsMo": {"limit": "No limit", "unit": "SMS"}}, None, None),
        ({"data": {"limit": "1", "unit": "GB"}}, None, None),
        ({}, None, None),
        (None, None, None),
        ([], None, None),
    ],
)
def test_a_monthly_limit_is_a_number_in_its_unit_or_none(
    body: Any, data_mb: Decimal | None, sms_mo: Decimal | None
) -> None:
    limits = wire.account_limits(body)
    assert (limits.data_mb, limits.sms_mo) == (data_mb, sms_mo)


@pytest.mark.parametrize(
    ("given", "sent"),
    [("8988228066600000001", "8988228066600000001"), ("89882280666000000012", "8988228066600000001")],
)
def test_paths_take_the_form_without_check_digit(given: str, sent: str) -> None:
    assert wire.api_iccid(Iccid.parse(given)) == sent


@pytest.mark.parametrize(
    ("body", "lifetime_s"),
    [({"expires_in": 3600}, 3600), ({"expires_in": "58"}, 58), ({"expires_in": 0}, 0), ({}, wire.UNTOLD_LIFETIME_S)],
)
def test_a_token_lives_as_long_as_it_says(body: Any, lifetime_s: float) -> None:
    granted = wire.grant(reply({"access_token": "abc=", **body}))
    assert granted is not None
    assert granted.expires_in_s == lifetime_s
    assert "abc" not in repr(granted)


@pytest.mark.parametrize("token", [None, "", "a b", "a\r\nX-Evil: 1", "tökén", 7.5])
def test_a_token_that_cannot_go_into_a_header_is_none(token: Any) -> None:
    assert wire.grant(reply({"access_token": token})) is None


@pytest.mark.parametrize(
    ("status", "on_read", "on_write"),
    [
        (401, NotAuthorised, NotAuthorised),
        (403, NotAuthorised, NotAuthorised),
        (404, Permanent, Permanent),
        (422, Permanent, Permanent),
        (429, RateLimited, RateLimited),
        (500, Transient, OutcomeUnknown),
        (503, Transient, OutcomeUnknown),
        (302, Permanent, Permanent),
    ],
)
def test_a_status_is_sorted_by_what_may_have_happened(status: int, on_read: type, on_write: type) -> None:
    answer = reply({"message": "words"}, status=status)
    assert type(refusals.sort_reply(answer, is_write=False)) is on_read
    assert type(refusals.sort_reply(answer, is_write=True)) is on_write


def test_a_redirect_names_the_setting_to_check() -> None:
    error = refusals.sort_reply(reply(status=301), is_write=False)
    assert error is not None
    assert "ONENCE_BASE_URL" in error.hint


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (400, {"statusCode": 400, "errorCode": "CognitoAuthenticationError", "message": "no"}, LoginRefused),
        (400, {"statusCode": 400, "errorCode": "BadCredentials", "message": "no"}, LoginRefused),
        (400, {"statusCode": 400, "errorCode": "AuthValidationError", "message": "no"}, LoginRefused),
        (400, None, LoginRefused),
        (401, None, LoginRefused),
        (403, {"message": "no"}, LoginRefused),
        (400, {"errorCode": "BodyValidationError"}, LoginFailed),
        (404, None, LoginFailed),
        (500, None, Transient),
        (429, None, RateLimited),
        (200, {"accessToken": "x"}, WireMismatch),
    ],
)
def test_a_refused_login_is_told_from_trouble_at_the_login(status: int, body: Any, expected: type) -> None:
    assert type(refusals.sort_login(reply(body, status=status), is_write=False)) is expected
