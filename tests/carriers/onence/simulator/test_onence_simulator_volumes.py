"""The simulated 1NCE tells quotas, usage and limits as its reference says, choice by choice.

Numbers in parentheses are lines of the reference's simulator checklist.
"""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest

from migrator.carriers.onence.simulator import (
    NoLimit,
    OnenceBehaviour,
    OnenceSimulator,
    QuotaDates,
    SelectableLimits,
    SimStatus,
    TopUpTotal,
)
from tests.carriers.onence.onence_api import ICCID, fetch, of_one, row_of

USED: dict[str, Any] = {"data_remaining_mb": Decimal("479.949998"), "sms_remaining": Decimal(240)}


def quota(simulator: OnenceSimulator, service: str = "data", version: str = "v1") -> dict[str, Any]:
    body: dict[str, Any] = fetch(simulator, f"{version}/sims/{ICCID}/quota/{service}").json()
    return body


def test_v1_quotas_look_as_they_were_recorded() -> None:
    """The activation and expiry are those of the recorded SIM: 10 years and 3 months (15, 16, 17)."""
    simulator = of_one(activated_at=datetime(2021, 8, 26, 12, 13, 6, tzinfo=UTC), **USED)
    assert quota(simulator) == {
        "volume": 479.949998,
        "total_volume": 500,
        "expiry_date": "2031-11-26 00:00:00",
        "peak_throughput": 128000,
        "last_volume_added": 500,
        "last_status_change_date": "2021-08-26 12:13:22",
        "threshold_percentage": 20,
    }
    assert quota(simulator, "sms")["volume"] == 240
    assert "peak_throughput" not in quota(simulator, "sms")


def test_volumes_can_be_text_and_dates_iso() -> None:
    behaviour = OnenceBehaviour(numbers_as_strings=True, v1_quota_dates=QuotaDates.ISO_Z)
    simulator = of_one(behaviour=behaviour, **USED)
    assert quota(simulator)["volume"] == "479.949998"
    assert quota(simulator)["expiry_date"] == "2031-11-26T00:00:00.000Z"
    assert row_of(simulator)["current_quota"] == "500"


def test_v2_quota_tells_lifetime_totals_and_a_status_in_words() -> None:
    topped_up: dict[str, Any] = {"data_quota_mb": Decimal(1000), "data_since_top_up_mb": Decimal(560)}
    body = quota(of_one(data_remaining_mb=Decimal("435.787951"), **topped_up), version="v2")
    assert body["status"]["description"] == "ACTIVE"
    assert (body["volume"], body["total_volume"], body["accumulated_total_volume"]) == (435.787951, 560, 1000)
    assert (body["last_volume_added"], body["threshold_volume"]) == (500, 112)
    assert body["expiry_date"] == "2031-11-26T00:00:00.000Z"


@pytest.mark.parametrize(
    ("sim", "word"),
    [({"data_remaining_mb": Decimal("-0.5")}, "EXHAUSTED"), ({"status": SimStatus.EXPIRED}, "EXPIRED")],
)
def test_v2_quota_says_when_nothing_is_left_or_time_is_up(sim: dict[str, Any], word: str) -> None:
    assert quota(of_one(**sim), version="v2")["status"]["description"] == word


@pytest.mark.parametrize(
    ("choice", "listed", "total"),
    [(TopUpTotal.LIFETIME, 1000, 1000), (TopUpTotal.SINCE_TOP_UP, 560, 560), (TopUpTotal.FIRST, 500, 1000)],
)
def test_totals_after_a_top_up_are_as_chosen(choice: TopUpTotal, listed: int, total: int) -> None:
    simulator = of_one(
        data_quota_mb=Decimal(1000),
        data_since_top_up_mb=Decimal(560),
        behaviour=OnenceBehaviour(top_up_total=choice),
    )
    assert row_of(simulator)["current_quota"] == listed
    assert quota(simulator)["total_volume"] == total


def test_a_sim_without_a_quota_record_has_no_quota_reply() -> None:
    reply = fetch(of_one(has_quota=False), f"v1/sims/{ICCID}/quota/data")
    assert (reply.status_code, reply.content) == (200, b"")


@pytest.mark.parametrize(
    ("remaining", "level", "dates"),
    [
        ("100.000001", 0, set()),
        ("100", 1, {"threshold_reached_date"}),
        ("0.000001", 1, {"threshold_reached_date"}),
        ("0", 2, {"threshold_reached_date", "quota_exceeded_date"}),
        ("-3", 2, {"threshold_reached_date", "quota_exceeded_date"}),
    ],
)
def test_quota_status_follows_what_is_left_of_500_mb(remaining: str, level: int, dates: set[str]) -> None:
    status = row_of(of_one(data_remaining_mb=Decimal(remaining)))["quota_status"]
    assert status["id"] == level
    assert status.keys() - {"id", "description"} == dates


def usage(simulator: OnenceSimulator, **query: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = fetch(simulator, f"v1/sims/{ICCID}/usage", params=query).json()["stats"]
    return rows


def test_usage_is_14_days_newest_first_and_a_total_in_text() -> None:
    rows = usage(of_one(imei="8600000000000104"))
    days = [datetime.fromisoformat(row["date"]) for row in rows[:-1]]
    assert len(days) == 14
    assert all(newer - older == timedelta(days=1) for newer, older in pairwise(days))
    assert rows[-1]["date"] == "TOTAL"
    total = sum(float(row["data"]["volume"]) for row in rows[:-1])
    assert total > 0
    assert float(rows[-1]["data"]["volume"]) == pytest.approx(total)


def test_idle_days_of_usage_are_bare() -> None:
    for row in usage(of_one(imei="8600000000000104"), start_dt="2026-09-01")[:-1]:
        has_used = row["data"]["volume"] != "0"
        assert ("cost" in row["data"]) == has_used
        assert ("traffic_type" in row["data"]) == has_used


def test_senseless_usage_dates_give_only_a_total_of_zero() -> None:
    zero = {"volume": "0", "volume_tx": "0", "volume_rx": "0"}
    assert usage(of_one(), start_dt="2000", end_dt="1998") == [{"date": "TOTAL", "data": zero, "sms": zero}]


def test_usage_reaches_back_six_months_and_no_further() -> None:
    rows = usage(of_one(), start_dt="2021-01-01", end_dt="2026-11-20")
    assert rows[0]["date"] == "2026-11-20"
    assert rows[-2]["date"] == "2026-05-21"


def test_usage_can_come_without_a_total() -> None:
    rows = usage(of_one(behaviour=OnenceBehaviour(usage_total_row=False)))
    assert "TOTAL" not in {row["date"] for row in rows}


def test_limits_are_text_with_a_unit() -> None:
    body = fetch(of_one(), "v1/sims/limits").json()
    assert {key: (entry["limit"], entry["unit"]) for key, entry in body.items()} == {
        "data": ("16", "MB"),
        "smsMt": ("10", "SMS"),
        "smsMo": ("10", "SMS"),
    }


@pytest.mark.parametrize(
    ("choice", "told"),
    [
        (NoLimit.KEY_MISSING, "no key"),
        (NoLimit.NULL, None),
        (NoLimit.TEXT, {"id": 0, "limit": "No limit", "unit": "MB"}),
    ],
)
def test_no_limit_is_told_as_chosen(choice: NoLimit, told: object) -> None:
    body = fetch(of_one(behaviour=OnenceBehaviour(data_limit_mb=None, no_limit=choice)), "v1/sims/limits").json()
    assert body.get("data", "no key") == told
    assert body["smsMo"]["limit"] == "10"


def test_selectable_limits_have_the_chosen_shape() -> None:
    bodies = {
        choice: fetch(of_one(behaviour=OnenceBehaviour(selectable_limits=choice)), "v1/sims/smsMO/limits").json()
        for choice in SelectableLimits
    }
    assert bodies[SelectableLimits.LIST][0] == {"id": 35, "limit": "10", "unit": "SMS"}
    assert bodies[SelectableLimits.CURRENT]["smsMo"]["limit"] == "10"
    assert bodies[SelectableLimits.SELECTABLE]["selectableLimits"][0] == {"id": 35, "description": "10 SMS"}


def test_limits_of_an_unknown_service_are_not_found() -> None:
    assert fetch(of_one(), "v1/sims/sms/limits").status_code == 404


@pytest.mark.parametrize(("imei", "word"), [("8600000000000104", "ATTACHED"), (None, "OFFLINE")])
def test_status_is_connectivity_a_word_in_v1_and_an_object_in_v2(imei: str | None, word: str) -> None:
    """A SIM that may connect and never did is enabled and offline."""
    simulator = of_one(imei=imei)
    assert fetch(simulator, f"v1/sims/{ICCID}/status").json()["status"] == word
    assert fetch(simulator, f"v2/sims/{ICCID}/status").json()["status"] == {"description": word}
