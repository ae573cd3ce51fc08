"""The simulated 1NCE shows one SIM as its reference says, choice by choice.

Numbers in parentheses are lines of the reference's simulator checklist.
"""

from datetime import UTC, datetime

import pytest

from migrator.carriers.onence.simulator import (
    ExpiredSims,
    Missing,
    OnenceBehaviour,
    OnenceSimulator,
    OptionalIdentifiers,
    SimStatus,
    StatusWords,
    UnknownSim,
)
from migrator.core.fleet.identifiers import luhn_digit
from tests.carriers.onence.onence_api import ICCID, OTHER_ICCID, fetch, of_one, row_of


@pytest.mark.parametrize(
    ("choice", "expected"), [(Missing.OMITTED, "no key"), (Missing.NULL, None), (Missing.EMPTY_TEXT, "")]
)
def test_a_value_that_a_sim_lacks_is_written_as_chosen(choice: Missing, expected: str | None) -> None:
    row = row_of(of_one(behaviour=OnenceBehaviour(missing=choice)))
    for key in ("imei", "label", "imsi_2", "iccid_with_luhn"):
        assert row.get(key, "no key") == expected


def test_an_empty_label_is_not_a_missing_one() -> None:
    assert row_of(of_one(label=""))["label"] == ""


@pytest.mark.parametrize(
    ("choice", "listed", "single", "off"),
    [
        (StatusWords.MIXED, "Enabled", "Activated", "Disabled"),
        (StatusWords.ENABLED, "Enabled", "Enabled", "Disabled"),
        (StatusWords.ACTIVATED, "Activated", "Activated", "Deactivated"),
    ],
)
def test_list_and_single_call_use_the_chosen_words(choice: StatusWords, listed: str, single: str, off: str) -> None:
    """Line 12; in v1 and v2 alike, each with its own choice."""
    simulator = of_one(behaviour=OnenceBehaviour(v1_words=choice, v2_words=choice))
    for version in ("v1", "v2"):
        assert row_of(simulator, version)["status"] == listed
        assert fetch(simulator, f"{version}/sims/{ICCID}").json()["status"] == single
    simulator.fleet[0].status = SimStatus.DISABLED
    assert row_of(simulator)["status"] == off
    assert fetch(simulator, f"v1/sims/{ICCID}").json()["status"] == off


def test_the_single_call_dates_the_activation_4_seconds_earlier() -> None:
    simulator = of_one(activated_at=datetime(2021, 8, 26, 12, 13, 6, tzinfo=UTC))
    assert row_of(simulator)["activation_date"] == "2021-08-26T12:13:06.000+0000"
    assert fetch(simulator, f"v1/sims/{ICCID}").json()["activation_date"] == "2021-08-26T12:13:02.000+0000"


def test_list_and_single_call_agree_on_the_activation_where_they_agree_on_words() -> None:
    simulator = of_one(behaviour=OnenceBehaviour(v1_words=StatusWords.ENABLED))
    assert fetch(simulator, f"v1/sims/{ICCID}").json()["activation_date"] == row_of(simulator)["activation_date"]


def test_optional_identifiers_are_shown_as_chosen() -> None:
    keys = {"iccid_with_luhn", "imsi_2", "current_imsi"}
    shown = {
        choice: [
            len(keys & row.keys())
            for row in fetch(
                OnenceSimulator(behaviour=OnenceBehaviour(optional_identifiers=choice)),
                "v1/sims",
                params={"pageSize": 100},
            ).json()
        ]
        for choice in OptionalIdentifiers
    }
    assert set(shown[OptionalIdentifiers.NEVER]) == {0}
    assert set(shown[OptionalIdentifiers.ALWAYS]) == {3}
    assert set(shown[OptionalIdentifiers.SOME]) == {0, 1, 3}


def test_the_long_iccid_ends_in_its_luhn_digit() -> None:
    row = row_of(of_one(shows_check_digit=True))
    assert row["iccid_with_luhn"] == ICCID + luhn_digit(ICCID)


@pytest.mark.parametrize(
    ("choice", "status", "is_empty"),
    [(UnknownSim.EMPTY_200, 200, True), (UnknownSim.EMPTY_404, 404, True), (UnknownSim.HTML_404, 404, False)],
)
def test_v1_answers_an_unknown_iccid_as_chosen(choice: UnknownSim, status: int, is_empty: bool) -> None:  # noqa: FBT001
    simulator = of_one(behaviour=OnenceBehaviour(unknown_sim=choice))
    for path in (f"v1/sims/{OTHER_ICCID}", f"v1/sims/{OTHER_ICCID}/quota/data", "v1/sims/not-an-iccid"):
        reply = fetch(simulator, path)
        assert (reply.status_code, not reply.content) == (status, is_empty)


def test_v2_answers_an_unknown_iccid_with_an_error_body() -> None:
    reply = fetch(of_one(), f"v2/sims/{OTHER_ICCID}")
    assert reply.status_code == 404
    assert reply.json() == {"error_code": 1000, "error_token": "NotFound", "message": "Element not found"}


def test_the_20_digit_form_finds_a_sim_only_where_it_is_accepted() -> None:
    long_form = ICCID + luhn_digit(ICCID)
    assert not fetch(of_one(), f"v1/sims/{long_form}").content
    accepting = of_one(behaviour=OnenceBehaviour(check_digit_accepted=True))
    assert fetch(accepting, f"v1/sims/{long_form}").json()["iccid"] == ICCID
    wrong_digit = ICCID + str((int(luhn_digit(ICCID)) + 1) % 10)
    assert not fetch(accepting, f"v1/sims/{wrong_digit}").content


@pytest.mark.parametrize(
    ("choice", "listed", "status"),
    [(ExpiredSims.READABLE, 1, 200), (ExpiredSims.UNREADABLE, 1, 422), (ExpiredSims.UNLISTED, 0, 200)],
)
def test_an_expired_sim_is_shown_as_chosen(choice: ExpiredSims, listed: int, status: int) -> None:
    simulator = of_one(status=SimStatus.EXPIRED, behaviour=OnenceBehaviour(expired=choice))
    assert len(fetch(simulator, "v1/sims").json()) == listed
    for path in (f"v1/sims/{ICCID}", f"v1/sims/{ICCID}/quota/data", f"v1/sims/{ICCID}/usage"):
        assert fetch(simulator, path).status_code == status


def test_the_word_for_an_expired_sim_can_be_chosen() -> None:
    """The contract knows only Enabled and Disabled; then the quota's date alone tells (14)."""
    for word in ("Expired", "Disabled"):
        simulator = of_one(status=SimStatus.EXPIRED, behaviour=OnenceBehaviour(expired_word=word))
        assert row_of(simulator)["status"] == word


def test_its_behaviour_may_change_while_it_runs() -> None:
    simulator = of_one()
    simulator.behaviour = OnenceBehaviour(missing=Missing.NULL)
    assert row_of(simulator)["label"] is None
