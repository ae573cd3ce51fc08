"""Whose turn it is, and what a job's end means for the next one."""

import pytest

from migrator.core.accounts.turns import (
    AGAIN_S,
    BUSY_S,
    LEAST_S,
    AccountState,
    FreeAccount,
    Turn,
    after_job,
    next_turns,
)
from migrator.core.run.results import ExitCode

NOW = 1_000_000.0
READY, DONE, ATTENTION = AccountState.READY, AccountState.DONE, AccountState.ATTENTION


def ready(name: str, at: float = NOW, customer: str = "") -> FreeAccount:
    return FreeAccount(name, ("1nce", customer or name), Turn(READY, at))


def everybody(_name: str) -> bool:
    return True


# --- after a job --------------------------------------------------------------------------------------------------


def test_an_account_whose_job_did_all_has_no_further_turn() -> None:
    assert after_job(ExitCode.DONE, now=NOW, words="plan p7 is done") == Turn(DONE, None, "plan p7 is done")


@pytest.mark.parametrize("code", [ExitCode.DONE, ExitCode.ATTENTION, ExitCode.HALTED, ExitCode.RESUMABLE])
def test_a_campaign_tells_when_it_is_called_again_whatever_some_of_its_units_need(code: ExitCode) -> None:
    assert after_job(code, now=NOW, again_at=NOW + 900.0, words="2 units") == Turn(READY, NOW + 900.0, "2 units")


@pytest.mark.parametrize(
    ("again_at", "at"), [(NOW + 3600.0, NOW + 3600.0), (NOW - 5.0, NOW), (None, NOW + 60.0)], ids=str
)
def test_what_can_go_on_goes_on_at_the_time_that_it_told(again_at: float | None, at: float) -> None:
    assert after_job(ExitCode.RESUMABLE, now=NOW, again_at=again_at, words="later") == Turn(READY, at, "later")


def test_who_found_the_store_held_or_was_killed_tries_again_soon() -> None:
    assert after_job(ExitCode.BUSY, now=NOW) == Turn(READY, NOW + BUSY_S)
    for again_at, at in ((NOW - 5.0, NOW + LEAST_S), (NOW + 42.0, NOW + 42.0), (NOW + 900.0, NOW + AGAIN_S)):
        assert after_job(ExitCode.BUSY, now=NOW, again_at=again_at) == Turn(READY, at)
    for code in (-9, -15):
        assert after_job(code, now=NOW, again_at=NOW) == Turn(READY, NOW + AGAIN_S)


def test_who_was_interrupted_goes_on_at_once() -> None:
    assert after_job(ExitCode.INTERRUPTED, now=NOW, again_at=NOW + 60.0) == Turn(READY, NOW)


@pytest.mark.parametrize("code", [1, 2, 3, 4, 5, 6, 8, 137])
def test_everything_else_waits_for_a_person(code: int) -> None:
    turn = after_job(code, now=NOW, words="the cap is reached")
    assert turn == Turn(ATTENTION, None, "the cap is reached")
    assert not turn.is_due(NOW + 10**9)
    assert after_job(code, now=NOW).words == f"its job ended with exit code {code}"


@pytest.mark.parametrize("code", [1, 2, 4, 5])
def test_trouble_with_tool_settings_login_or_plan_waits_for_a_person_whatever_time_is_told(code: int) -> None:
    assert after_job(code, now=NOW, again_at=NOW, words="no key") == Turn(ATTENTION, None, "no key")


def test_every_exit_code_of_the_tool_has_its_turn() -> None:
    states = {code: after_job(code, now=NOW).state for code in ExitCode}
    assert {code for code, state in states.items() if state is READY} == {7, 9, 130}
    assert {code for code, state in states.items() if state is DONE} == {0}


# --- whose turn ---------------------------------------------------------------------------------------------------


def test_accounts_that_are_due_come_in_the_order_of_their_time() -> None:
    accounts = [ready("b", NOW), ready("c", NOW - 9.0), ready("late", NOW + 0.1), ready("a", NOW)]
    assert [one.name for one in next_turns(accounts, NOW, is_served=everybody)] == ["c", "a", "b"]


@pytest.mark.parametrize("turn", [Turn(DONE), Turn(ATTENTION, None, "words"), Turn(READY, None)])
def test_who_has_no_time_is_not_due(turn: Turn) -> None:
    assert next_turns([FreeAccount("a", ("1nce", "1"), turn)], NOW, is_served=everybody) == []


def test_a_worker_takes_only_accounts_whose_secrets_it_has_and_asks_only_for_those_that_are_due() -> None:
    asked: list[str] = []

    def is_served(name: str) -> bool:
        asked.append(name)
        return name == "b"

    accounts = [ready("a"), ready("b"), ready("c", NOW + 1.0)]
    assert [one.name for one in next_turns(accounts, NOW, is_served=is_served)] == ["b"]
    assert asked == ["a", "b"]


def test_of_the_accounts_of_one_customer_one_has_its_turn() -> None:
    """They share the carrier's rate. One that this worker cannot serve leaves its place to the next."""
    accounts = [ready("a", NOW - 3.0, "81"), ready("b", NOW - 2.0, "81"), ready("c", NOW - 1.0, "82")]
    assert [one.name for one in next_turns(accounts, NOW, is_served=everybody)] == ["a", "c"]
    assert [one.name for one in next_turns(accounts, NOW, is_served=lambda name: name != "a")] == ["b", "c"]


def test_customers_of_two_carriers_with_one_number_are_two() -> None:
    accounts = [
        FreeAccount("a", ("1nce", "81"), Turn(READY, NOW)),
        FreeAccount("b", ("onomondo", "81"), Turn(READY, NOW)),
    ]
    assert len({one.lock for one in accounts}) == 2
