"""The simulated 1NCE hands out tokens and keeps its pace as its reference says, choice by choice."""

from typing import Any

import anyio
import httpx
import pytest

from migrator.carriers.onence.simulator import BadBearer, BadLogin, OnenceBehaviour, OnenceSimulator
from migrator.carriers.simulation import RateLimit
from tests.carriers.onence.onence_api import GRANT, ICCID, as_customer, fetch, log_in, log_in_with, of_one, stranger
from tests.support import run_virtual


def test_login_takes_json_and_form_bodies() -> None:
    for body in ({"json": GRANT}, {"data": GRANT}):
        assert log_in_with(OnenceSimulator(), **body).json()["expires_in"] == 3600


def test_login_can_be_made_to_refuse_forms() -> None:
    reply = log_in_with(OnenceSimulator(behaviour=OnenceBehaviour(json_login_only=True)), data=GRANT)
    assert (reply.status_code, reply.json()["errorCode"]) == (400, "UnsupportedContentTypeError")


@pytest.mark.parametrize(
    ("choice", "status", "code"),
    [
        (BadLogin.COGNITO, 400, "CognitoAuthenticationError"),
        (BadLogin.BAD_CREDENTIALS, 400, "BadCredentials"),
        (BadLogin.EMPTY_401, 401, None),
    ],
)
def test_bad_login_is_refused_in_the_chosen_form(choice: BadLogin, status: int, code: str | None) -> None:
    simulator = OnenceSimulator(behaviour=OnenceBehaviour(bad_login=choice))
    reply = log_in_with(simulator, json=GRANT, auth=(simulator.client_id, "wrong"))
    assert (reply.status_code, reply.json()["errorCode"] if reply.content else None) == (status, code)


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        ({"json": {}}, "BodyValidationError"),
        ({"json": GRANT, "auth": ("somebody", "")}, "AuthValidationError"),
        ({"json": GRANT, "auth": None}, "AuthValidationError"),
        ({"json": GRANT, "auth": None, "headers": {"Authorization": "Basic %%%"}}, "AuthValidationError"),
    ],
)
def test_malformed_login_names_what_is_missing(request_: dict[str, Any], code: str) -> None:
    assert log_in_with(OnenceSimulator(), **request_).json()["errorCode"] == code


async def _two_logins(simulator: OnenceSimulator) -> tuple[dict[str, Any], dict[str, Any]]:
    async with stranger(simulator) as http:
        first = await log_in(http, simulator)
        await anyio.sleep(3000)
        return first, await log_in(http, simulator)


def test_a_second_login_gets_the_same_token_with_less_time_left() -> None:
    """A client that computes the expiry from 3600 uses a dead token (2)."""
    first, second = run_virtual(lambda: _two_logins(OnenceSimulator()))
    assert second["access_token"] == first["access_token"]
    assert (first["expires_in"], second["expires_in"]) == (3600, 600)


def test_each_login_can_get_a_token_of_its_own() -> None:
    behaviour = OnenceBehaviour(token_reissued=False)
    first, second = run_virtual(lambda: _two_logins(OnenceSimulator(behaviour=behaviour)))
    assert second["access_token"] != first["access_token"]
    assert second["expires_in"] == 3600


def test_a_token_is_long_and_can_be_made_short() -> None:
    for length in (3000, 40):
        simulator = OnenceSimulator(behaviour=OnenceBehaviour(token_characters=length))
        assert len(log_in_with(simulator, json=GRANT).json()["access_token"]) == length


def test_a_token_ends_with_its_life_and_a_new_login_helps() -> None:
    simulator = OnenceSimulator(behaviour=OnenceBehaviour(token_life_s=5))

    async def act(http: httpx.AsyncClient) -> list[int]:
        statuses = []
        for wait_s in (4.5, 1.0):
            await anyio.sleep(wait_s)
            statuses.append((await http.get("v1/sims")).status_code)
        await log_in(http, simulator)
        return [*statuses, (await http.get("v1/sims")).status_code]

    assert as_customer(simulator, act) == [200, 401, 200]


@pytest.mark.parametrize(("same_again", "last"), [(False, 200), (True, 401)])
def test_a_token_can_be_revoked_and_even_handed_out_again(same_again: bool, last: int) -> None:  # noqa: FBT001
    """A client that logs in over and over on 401 would never stop in the second case."""
    simulator = OnenceSimulator(behaviour=OnenceBehaviour(token_revoked_after=2, revoked_token_reissued=same_again))

    async def act(http: httpx.AsyncClient) -> list[int]:
        statuses = [(await http.get("v1/sims")).status_code for _ in range(3)]
        await log_in(http, simulator)
        return [*statuses, (await http.get("v1/sims")).status_code]

    assert as_customer(simulator, act) == [200, 200, 401, last]


@pytest.mark.parametrize(
    ("choice", "body"),
    [
        (BadBearer.SPRING, {"status": 401, "error": "Unauthorized", "path": "/internal-global-api/v1/sims"}),
        (BadBearer.GATEWAY, {"message": "Unauthorized"}),
        (BadBearer.EMPTY, {}),
    ],
)
def test_bad_bearer_is_refused_in_the_chosen_form(choice: BadBearer, body: dict[str, Any]) -> None:
    simulator = OnenceSimulator(behaviour=OnenceBehaviour(bad_bearer=choice))
    reply = fetch(simulator, "v1/sims", headers={"Authorization": "Bearer nonsense"})
    assert reply.status_code == 401
    assert bool(reply.content) == bool(body)
    assert body.items() <= (reply.json() if reply.content else {}).items()


def burst(simulator: OnenceSimulator, *paths: str) -> list[httpx.Response]:
    """The replies to requests that are sent at one moment."""

    async def act(http: httpx.AsyncClient) -> list[httpx.Response]:
        return [await http.get(path) for path in paths]

    return as_customer(simulator, act)


def test_the_eleventh_request_of_one_moment_is_refused_over_all_sims_paths() -> None:
    paths = ["v1/sims", "v2/sims", f"v1/sims/{ICCID}/quota/data", "v1/sims/limits"] * 3
    replies = burst(of_one(), *paths[:11])
    assert [reply.status_code for reply in replies] == [200] * 10 + [429]
    assert replies[-1].headers["Retry-After"] == "1"


def test_ten_a_second_pass_for_as_long_as_one_likes() -> None:
    async def act(http: httpx.AsyncClient) -> set[int]:
        statuses = set()
        for _ in range(100):
            statuses.add((await http.get("v1/sims")).status_code)
            await anyio.sleep(0.1)
        return statuses

    assert as_customer(OnenceSimulator(), act) == {200}


def test_a_refusal_can_come_without_retry_after() -> None:
    behaviour = OnenceBehaviour(rate_limit=RateLimit(per_second=10, burst=1, retry_after_s=None))
    replies = burst(OnenceSimulator(behaviour=behaviour), *["v1/sims"] * 2)
    assert replies[1].status_code == 429
    assert "Retry-After" not in replies[1].headers


def test_the_limit_can_be_switched_off() -> None:
    replies = burst(OnenceSimulator(behaviour=OnenceBehaviour(rate_limit=None)), *["v1/sims"] * 50)
    assert {reply.status_code for reply in replies} == {200}


def test_every_third_request_can_be_refused() -> None:
    replies = burst(OnenceSimulator(behaviour=OnenceBehaviour(too_many_every=3)), *["v1/sims"] * 6)
    assert [reply.status_code for reply in replies] == [200, 200, 429, 200, 200, 429]


def test_logins_have_a_limit_of_their_own() -> None:
    simulator = OnenceSimulator(behaviour=OnenceBehaviour(login_limit=RateLimit(per_second=1, burst=1)))

    async def act(http: httpx.AsyncClient) -> list[int]:
        second = await http.post("oauth/token", json=GRANT, auth=(simulator.client_id, simulator.client_secret))
        return [second.status_code, (await http.get("v1/sims")).status_code]

    assert as_customer(simulator, act) == [429, 200]


def test_a_new_event_loop_begins_with_a_full_bucket_and_the_same_token() -> None:
    """A rehearsed crash and resume runs two virtual clocks from zero, one after the other."""
    simulator = OnenceSimulator()

    async def act(http: httpx.AsyncClient) -> list[int]:
        await anyio.sleep(1000)
        return [(await http.get("v1/sims")).status_code for _ in range(10)]

    assert as_customer(simulator, act) == as_customer(simulator, act) == [200] * 10
    assert log_in_with(simulator, json=GRANT).json()["expires_in"] == 3600 - 2000
