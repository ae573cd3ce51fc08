"""What Hologram answers to writes, in every edition of its reference, and what its refusals mean."""

from typing import Any

import httpx
import pytest

from migrator.carriers.hologram import refusals, wire
from migrator.carriers.replies import Mask, Reply
from migrator.errors import (
    InsufficientBalance,
    LoginRefused,
    NotAuthorised,
    OutcomeUnknown,
    Permanent,
    RateLimited,
    Transient,
    WireMismatch,
)

A, B = "89123400001234567890", "8944500000000000002"


def reply(body: Any = None, *, status: int = 200, text: str = "x") -> Reply:
    return Reply(status, httpx.Headers(), body, body is not None, text, "POST /things", Mask("key-7"))


# --- claims -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        [{"simcardid": 11111, "device": 98765, "link": 54321, "sim": A}],
        [{"Devices": 98765, "link": 54321, "sim": A}],
        [{"simcardid": "11111", "device": "98765", "link": "54321", "sim": A}],
        {"device": 98765, "link": 54321, "sim": A},
    ],
    ids=["REF-2", "REF-1", "REF-3", "object"],
)
@pytest.mark.parametrize("order_data", [{}, {"order_data": {"total_cost": 1}}, {"order_data": [{"total_cost": 1}]}])
def test_a_claim_is_read_in_every_edition(data: Any, order_data: dict[str, Any]) -> None:
    assert wire.claim_reply({"success": True, "data": data, **order_data}).claimed == {A: 98765}


@pytest.mark.parametrize("data", [None, [], {}, "x", [{"device": 5}]])
def test_a_claim_that_names_no_sims_claims_to_have_claimed_none(data: Any) -> None:
    answered = wire.claim_reply({"success": True, "data": data})
    assert (answered.claimed, answered.reasons) == ({}, {})


@pytest.mark.parametrize(
    ("data", "reasons"),
    [
        ({A: "SIM is already activated"}, {A: "SIM is already activated"}),
        ({A: {"error": "Preflight SIM"}}, {A: "Preflight SIM"}),
        ([{"sim": A, "error": "not found"}, {"sim": B, "device": 5}], {A: "not found"}),
        ({"jobid": "3", "message": "words"}, {}),
        (None, {}),
    ],
)
def test_reasons_are_told_by_iccid(data: Any, reasons: dict[str, str]) -> None:
    assert wire.claim_reasons(data) == reasons


# --- changes ----------------------------------------------------------------------------------------------------------


LOCKED = "SIM state is locked (PAUSED-PENDING-USER). Contact support"


def test_success_that_changed_nothing_is_read_as_such() -> None:
    """The vendor's own sample: success, no error, a job, and not one device modified."""
    results = {"warnings": [{"deviceid": 2, "linkid": 3, "message": LOCKED}], "devices_modified": []}
    data = {"jobid": "3", "valid_tasks": [{"error": False, "index": 0, "task_results": results}]}
    answered = wire.change_reply({"success": True, "data": data}, [2])
    assert (answered.job_id, answered.modified, answered.warnings) == ("3", frozenset(), {2: LOCKED})


@pytest.mark.parametrize("data", [{"jobid": 123, "valid_tasks": [{}]}, {"jobid": "123"}])
def test_a_job_without_results_leaves_open_what_changed(data: Any) -> None:
    answered = wire.change_reply({"success": True, "data": data}, [2])
    assert (answered.job_id, answered.modified) == ("123", None)


@pytest.mark.parametrize("body", [{"success": True}, {"success": True, "data": None}, {"success": True, "data": []}])
def test_bare_success_leaves_everything_open(body: Any) -> None:
    answered = wire.change_reply(body, [2])
    assert (answered.job_id, answered.modified, answered.warnings) == (None, None, {})


def test_a_direct_result_is_read_without_a_job() -> None:
    data = {"warnings": [], "devices_modified": [105, "106"], "newoveragelimit": 2000000}
    answered = wire.change_reply({"data": data}, [105, 106])
    assert (answered.job_id, answered.modified) == (None, frozenset({105, 106}))


def test_one_task_without_results_leaves_the_whole_job_open() -> None:
    tasks = [{"task_results": {"devices_modified": [1]}}, {}]
    assert wire.change_reply({"data": {"jobid": "3", "valid_tasks": tasks}}, [1, 2]).modified is None


def test_warnings_of_mere_words_stand_under_the_device_they_name_or_under_none() -> None:
    words = ["Device 1234567 is locked", LOCKED, "Device 99 is locked"]
    answered = wire.change_reply({"data": {"warnings": words, "devices_modified": []}}, [1234567])
    assert answered.warnings == {1234567: words[0], wire.NO_DEVICE: f"{LOCKED}; {words[2]}"}


def test_job_ids_are_text_in_the_list_too() -> None:
    tasks = [{"job_id": 123, "status": "complete", "action": "pause"}, {"status": "no id"}]
    jobs = wire.carrier_jobs({"data": {"tasks": tasks}})
    assert [(job.job_id, job.status, job.action) for job in jobs] == [("123", "complete", "pause")]


# --- what answers mean ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "body", "on_read", "on_write"),
    [
        (200, {"success": True}, None, None),
        (200, {"data": {"tags": []}}, None, None),
        (200, {"success": False, "error": "no"}, Permanent, Permanent),
        (200, {"error": "no"}, Permanent, Permanent),
        (200, {"success": False, "error": "Not logged in"}, LoginRefused, LoginRefused),
        (200, {"success": False, "error": "No permissions to perform operation"}, NotAuthorised, NotAuthorised),
        (200, {}, WireMismatch, OutcomeUnknown),
        (200, [], WireMismatch, OutcomeUnknown),
        (200, None, Transient, OutcomeUnknown),
        (302, None, Permanent, Permanent),
        (400, {"success": False, "error": "no"}, Permanent, Permanent),
        (401, None, LoginRefused, LoginRefused),
        (403, {"success": False}, NotAuthorised, NotAuthorised),
        (404, {"success": False, "error": "API method does not exist"}, Permanent, Permanent),
        (408, None, Transient, OutcomeUnknown),
        (422, {"success": True}, Permanent, Permanent),
        (429, {"success": False, "error": "API rate limit exceeded"}, RateLimited, RateLimited),
        (500, {"success": False}, Transient, OutcomeUnknown),
        (502, None, Transient, OutcomeUnknown),
    ],
)
def test_an_answer_is_sorted_by_what_may_have_happened(
    status: int, body: Any, on_read: type | None, on_write: type | None
) -> None:
    for is_write, expected in ((False, on_read), (True, on_write)):
        error = refusals.sort_reply(reply(body, status=status), is_write=is_write)
        assert (None if error is None else type(error)) is expected


@pytest.mark.parametrize("status", [200, 400, 409, 422])
def test_a_refused_claim_names_its_sims_whatever_the_status(status: int) -> None:
    body = {"success": False, "data": {A: "SIM is already activated"}}
    error = refusals.sort_reply(reply(body, status=status), is_write=True)
    assert isinstance(error, Permanent)
    assert error.reasons == {A: "SIM is already activated"}


def test_a_402_is_a_matter_of_money_and_names_its_sims_all_the_same() -> None:
    body = {"success": False, "data": {A: "SIM is already activated"}}
    error = refusals.sort_reply(reply(body, status=402), is_write=True)
    assert isinstance(error, InsufficientBalance)
    assert error.reasons == {A: "SIM is already activated"}


def test_reasons_and_words_are_told_without_the_key() -> None:
    body = {"success": False, "error": "key-7 is bad", "data": {A: "key-7 may not"}}
    error = refusals.sort_reply(reply(body, status=400), is_write=True)
    assert isinstance(error, Permanent)
    assert "key-7" not in f"{error} {error.carrier_words} {error.reasons}"


def test_a_redirect_names_the_setting_to_check() -> None:
    error = refusals.sort_reply(reply(status=301), is_write=False)
    assert error is not None
    assert "HOLOGRAM_BASE_URL" in error.hint


@pytest.mark.parametrize(
    "error",
    [
        Permanent("refused", carrier_words="Unable to complete the purchase: insufficient funds"),
        Permanent("refused", carrier_words="Your BALANCE is too low"),
        Permanent("refused", reasons={A: "Payment failed"}),
        Permanent("refused", status=402),
    ],
)
def test_a_claim_refused_for_money_is_told_as_such(error: Permanent) -> None:
    assert isinstance(refusals.claim_refusal(error), InsufficientBalance)


@pytest.mark.parametrize(
    "error",
    [Permanent("refused", carrier_words="SIM not found"), NotAuthorised("no", carrier_words="billing: balance")],
)
def test_other_refusals_of_claims_stay_what_they_are(error: Permanent) -> None:
    assert refusals.claim_refusal(error) is error
