"""The 1NCE adapter against the simulated 1NCE: login, token and version, through the wire and on the virtual clock."""

import logging

import anyio
import anyio.lowlevel
import httpx
import pytest

from migrator.carriers.onence.adapter import OnenceSource
from migrator.carriers.onence.simulator import BadBearer, BadLogin, V1Retired
from migrator.carriers.simulation import Fault
from migrator.errors import NotAuthorised, Permanent, Transient
from migrator.ports import SourcePlatform
from tests.carriers.onence.onence_source import Answers, digits, failing, opened, scripted, simulator, with_source

# --- the port ---------------------------------------------------------------------------------------------------------


def test_the_adapter_is_a_source_platform() -> None:
    async def use(source: SourcePlatform) -> str:
        return await source.open()

    assert with_source(simulator(), use) == "v2"


# --- login and token --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("refusal", BadLogin)
def test_a_refused_login_is_told_in_1nces_words_and_not_tried_again(refusal: BadLogin) -> None:
    """Nobody knows when 1NCE locks an account."""
    carrier = simulator(bad_login=refusal)
    error = failing(carrier, opened, client_secret="wrong")
    assert isinstance(error, NotAuthorised)
    assert "ONENCE_CLIENT_SECRET" in error.hint
    assert len(carrier.ledger.entries) == 1
    if refusal is not BadLogin.EMPTY_401:
        assert error.carrier_words == "Incorrect username or password."


@pytest.mark.parametrize(
    "weather", [Fault.LOSE_AFTER, Fault.SERVER_ERROR_AFTER, Fault.HTML, Fault.HTML_OK, Fault.TOO_MANY, Fault.HANG_AFTER]
)
def test_bad_weather_at_the_login_is_waited_out(weather: Fault) -> None:
    """The token request changes nothing, so it may be repeated."""
    carrier = simulator(faults=scripted(weather, path="/oauth/token"))
    with_source(carrier, opened)
    assert len(carrier.ledger.requests("POST", "/oauth/token")) == 2


def test_a_login_that_stays_down_is_a_transient_error() -> None:
    carrier = simulator(faults=scripted(*[Fault.HTML] * 6, path="/oauth/token"))
    assert isinstance(failing(carrier, opened), Transient)


def test_all_concurrent_calls_share_one_token() -> None:
    async def use(source: OnenceSource) -> None:
        async with anyio.create_task_group() as tasks:
            for number in range(1, 7):
                tasks.start_soon(source.page, number)

    carrier = simulator(sims=600, latency_s=0.15)
    with_source(carrier, use)
    assert len(carrier.ledger.requests("POST")) == 1


def test_a_token_is_renewed_before_it_ends() -> None:
    async def use(source: OnenceSource) -> None:
        await source.page(1)
        await anyio.sleep(3541)
        await source.page(2)

    carrier = simulator(token_reissued=False)
    with_source(carrier, use)
    assert [entry.status for entry in carrier.ledger.requests()] == [200] * 4
    assert len(carrier.ledger.requests("POST")) == 2


def test_a_token_handed_out_again_with_little_time_left_is_used_to_its_end() -> None:
    """1NCE caches logins: asking once more brings the same token, and asking for each call would be a storm."""

    async def use(source: OnenceSource) -> None:
        await source.open()
        await anyio.sleep(3545)
        for _ in range(300):  # 30 s at eight a second: the old token's last, and the new one's first
            await source.page(2)
            await anyio.sleep(0.1)

    carrier = simulator(token_reissued=True)
    with_source(carrier, use)
    assert len(carrier.ledger.requests("POST")) == 2
    assert {entry.status for entry in carrier.ledger.entries} == {200}


def test_a_run_goes_on_over_tokens_that_live_for_seconds() -> None:
    """Such a token can end while a call waits for its turn: that costs this call a second try, no more."""

    async def use(source: OnenceSource) -> int:
        return len(digits([await source.page(2) for _ in range(100)]))

    carrier = simulator(token_life_s=5, token_reissued=True)
    assert with_source(carrier, use) == 100 * 100
    assert len(carrier.ledger.requests("POST")) <= 5
    assert sum(entry.status == 401 for entry in carrier.ledger.entries) <= 4


@pytest.mark.parametrize("wording", BadBearer)
def test_a_token_refused_before_its_time_is_replaced_and_the_call_repeated(wording: BadBearer) -> None:
    async def use(source: OnenceSource) -> list[str]:
        return digits([await source.page(1), await source.page(2), await source.page(3)])

    carrier = simulator(token_revoked_after=2, bad_bearer=wording)
    assert len(with_source(carrier, use)) == 250
    assert [entry.status for entry in carrier.ledger.requests("GET")] == [200, 200, 401, 200]


def test_a_refused_token_that_comes_again_is_tried_once_more_and_then_no_more() -> None:
    carrier = simulator(token_revoked_after=0, revoked_token_reissued=True)
    error = failing(carrier, opened)
    assert isinstance(error, NotAuthorised)
    assert [entry.status for entry in carrier.ledger.entries] == [200, 401, 200, 401]
    assert carrier.ledger.entries[3].at_s - carrier.ledger.entries[2].at_s >= 5


def test_many_callers_with_one_refused_token_fetch_one_new_one() -> None:
    async def use(source: OnenceSource) -> None:
        for _ in range(6):
            await source.page(2)
        async with anyio.create_task_group() as tasks:
            for _ in range(4):
                tasks.start_soon(source.page, 2)

    carrier = simulator(token_revoked_after=7, latency_s=0.5)
    with_source(carrier, use)
    assert [entry.status for entry in carrier.ledger.entries].count(401) == 4
    assert len(carrier.ledger.requests("POST")) == 2


def test_the_secret_is_in_no_repr_error_or_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    words = {"errorCode": "BadCredentials", "message": "no user with password hush-hush-7"}
    answers = Answers({}, login=httpx.Response(400, json=words))
    told: list[str] = []

    async def use(source: OnenceSource) -> None:
        told.append(repr(source))
        told.append(str(vars(source)))
        await source.open()

    with pytest.raises(NotAuthorised) as caught:
        answers.use(use, secret="hush-hush-7")
    told += [str(caught.value), caught.value.carrier_words, repr(caught.value)]
    assert "no user with password ***" in str(caught.value)
    assert "hush-hush-7" not in " ".join(told) + caplog.text


def test_the_token_is_in_no_error() -> None:
    answer = httpx.Response(403, json={"message": "the token invented-token may not do this"})
    with pytest.raises(NotAuthorised) as caught:
        Answers({"/v2/sims": answer}).use(opened)
    assert "invented-token" not in str(caught.value) + caught.value.carrier_words


# --- versions ---------------------------------------------------------------------------------------------------------


def test_auto_speaks_v2_and_has_nothing_to_warn_of() -> None:
    source = with_source(simulator(), opened)
    assert (source.version, source.warning) == ("v2", "")


def test_auto_falls_back_to_v1_and_says_what_that_may_hide() -> None:
    source = with_source(simulator(v2_available=False), opened)
    assert source.version == "v1"
    assert "31 December 2026" in source.warning
    assert "Platform 2.0" in source.warning


@pytest.mark.parametrize("status", [404, 405, 410])
def test_auto_takes_v1_wherever_v2_is_not_there(status: int) -> None:
    answers = Answers({"/v2/sims": httpx.Response(status), "/v1/sims": httpx.Response(200, json=[])})
    assert answers.use(lambda source: source.open()) == "v1"


def test_auto_does_not_take_v1_for_a_v2_that_is_down() -> None:
    """v1 might lack SIMs without any error."""
    carrier = simulator(faults=scripted(*[Fault.HTML] * 6, path="/v2/sims"))
    assert isinstance(failing(carrier, opened), Transient)
    assert carrier.ledger.requests("GET", "/v1/") == []


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_a_version_that_was_set_is_the_only_one_tried(version: str) -> None:
    carrier = simulator(v1_retired=V1Retired.GONE, v2_available=False)
    error = failing(carrier, opened, api_version=version)
    assert isinstance(error, Permanent)
    assert "ONENCE_BASE_URL" in error.hint
    assert {entry.path for entry in carrier.ledger.requests("GET")} == {f"/{version}/sims"}


def test_forbidden_on_the_first_call_explains_the_roles() -> None:
    """An Owner gets a token and may still not read."""
    answers = Answers({"/v2/sims": httpx.Response(403)})
    with pytest.raises(NotAuthorised) as caught:
        answers.use(opened)
    assert "API user" in caught.value.hint
    assert answers.paths == ["/oauth/token", "/v2/sims"]
