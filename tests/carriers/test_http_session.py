"""One exchange: what is sent again and what never is, how long it may take, and what errors may tell."""

import logging
import random
import re
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import anyio
import httpx
import pytest

from migrator.carriers.http import HttpSession, Mask, Reply, shortened
from migrator.carriers.pacing import LONGEST_HOLD_S, Pacer
from migrator.carriers.replies import common_trouble, unreadable
from migrator.errors import OutcomeUnknown, Permanent, PlatformError, RateLimited, Transient
from tests.support import run_virtual

SECRET = "invented-secret-1"
OK = httpx.Response(200, json={"success": True})

Answer = httpx.Response | Exception | float
"""A reply, an error of the connection, or seconds of silence."""


class Carrier:
    """Answers in the order of a script, the last answer for ever, and keeps what it was asked and when."""

    def __init__(self, *script: Answer) -> None:
        self._script = list(script)
        self.requests: list[httpx.Request] = []
        self.asked_at: list[float] = []

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        self.asked_at.append(round(anyio.current_time(), 3))
        answer = self._script.pop(0) if len(self._script) > 1 else self._script[0]
        if isinstance(answer, float):
            await anyio.sleep(answer)
            return OK
        if isinstance(answer, Exception):
            raise answer
        return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)


def sort(reply: Reply, *, is_write: bool) -> PlatformError | None:
    words = reply.words("error")
    common = common_trouble(reply, is_write=is_write, carrier="Acme", words=words, base_url_hint="check the URL")
    if common is not None or reply.is_success:
        told = unreadable(reply, is_write=is_write, carrier="Acme", base_url_hint="check the URL")
        return common or (None if reply.is_json else told)
    return Permanent(f"refused: {words}", carrier_words=words, status=reply.status)


def with_session(
    carrier: Callable[[httpx.Request], Coroutine[None, None, httpx.Response]],
    use: Callable[[HttpSession], Awaitable[Any]],
    chance: random.Random | None = None,
) -> Any:
    """What `use` returns, or the error that it raises."""

    async def main() -> Any:
        transport = httpx.MockTransport(carrier)
        async with httpx.AsyncClient(transport=transport, base_url="https://carrier.example/api/1") as http:
            auth, mask = httpx.BasicAuth("user", SECRET), Mask(SECRET)
            session = HttpSession(
                http, pacer=Pacer(1000.0, chance=chance), carrier="Acme", sort=sort, auth=auth, mask=mask
            )
            try:
                return await use(session)
            except PlatformError as error:
                return error

    return run_virtual(main)


async def read(session: HttpSession) -> Reply:
    return await session.read("/things", {"page": 1})


async def write_once(session: HttpSession) -> Reply:
    return await session.write("POST", "/things?orgid=5", body={"a": 1}, retry_refusals=False, timeout_s=180)


async def write(session: HttpSession) -> Reply:
    return await session.write("POST", "/things", body={"a": 1}, retry_refusals=True)


async def ask(session: HttpSession) -> Reply:
    return await session.ask("/login", {"grant": "x"})


def test_a_request_goes_below_the_base_url_with_its_query_and_credentials() -> None:
    carrier = Carrier(OK)
    with_session(carrier, write_once)
    request = carrier.requests[0]
    assert str(request.url) == "https://carrier.example/api/1/things?orgid=5"
    assert request.headers["authorization"].startswith("Basic ")
    assert request.headers["accept"] == "application/json"


@pytest.mark.parametrize("weather", [httpx.Response(503), httpx.ReadError("cut"), httpx.ConnectError("down"), 61.0])
@pytest.mark.parametrize("send", [read, ask])
def test_a_read_is_repeated_until_the_weather_clears(
    send: Callable[[HttpSession], Awaitable[Reply]], weather: Answer
) -> None:
    carrier = Carrier(weather, weather, OK)
    assert with_session(carrier, send).body == {"success": True}
    assert len(carrier.requests) == 3


def test_a_read_gives_up_after_six_tries_and_half_a_minute() -> None:
    carrier = Carrier(httpx.Response(500))
    assert isinstance(with_session(carrier, read), Transient)
    assert carrier.asked_at == [0, 1, 3, 7, 15, 31]


@pytest.mark.parametrize("send", [read, write])
def test_a_429_uses_up_no_try_while_others_are_served(send: Callable[[HttpSession], Awaitable[Reply]]) -> None:
    """The carrier lets a few requests a second through, and it is always the same one that comes too late."""
    unlucky = Carrier(*[httpx.Response(429, headers={"Retry-After": "1"})] * 12, OK)

    async def carrier(request: httpx.Request) -> httpx.Response:
        return OK if request.url.path.endswith("/others") else await unlucky(request)

    async def others(session: HttpSession) -> None:
        while True:
            await session.read("/others")

    async def beside_others(session: HttpSession) -> Reply:
        async with anyio.create_task_group() as group:
            group.start_soon(others, session)
            reply = await send(session)
            group.cancel_scope.cancel()
        return reply

    assert with_session(carrier, beside_others).body == {"success": True}
    assert len(unlucky.requests) == 13


def test_the_pauses_between_tries_are_spread() -> None:
    carrier = Carrier(httpx.Response(500), OK)
    with_session(carrier, read, random.Random(3))
    assert 1.0 < carrier.asked_at[1] <= 1.25


def test_a_page_for_people_that_stays_is_weather_with_a_word_on_the_url() -> None:
    """A carrier in maintenance answers so for hours, and so does what stands between us and it."""
    carrier = Carrier(httpx.Response(200, text="<html>Please sign in</html>"))
    error = with_session(carrier, read)
    assert isinstance(error, Transient)
    assert (error.exit_code, error.code) == (7, "no_json")
    assert "maintenance" in error.hint
    assert error.hint.endswith("check the URL")
    assert len(carrier.requests) == 6


@pytest.mark.parametrize("send", [write, write_once])
@pytest.mark.parametrize(
    "trouble",
    [
        httpx.ReadError("cut"),
        httpx.RemoteProtocolError("gone"),
        httpx.WriteError("cut"),
        httpx.ReadTimeout("slow"),
        httpx.Response(500),
        httpx.Response(502, text="<html></html>"),
        httpx.Response(408),
        httpx.Response(200, text="<html></html>"),
        1000.0,
    ],
    ids=repr,
)
def test_a_write_without_a_readable_answer_is_never_sent_again(
    send: Callable[[HttpSession], Awaitable[Reply]], trouble: Answer
) -> None:
    """It may have happened: a claim sent twice could be paid twice."""
    carrier = Carrier(trouble, OK)
    assert isinstance(with_session(carrier, send), OutcomeUnknown)
    assert len(carrier.requests) == 1


@pytest.mark.parametrize("refusal", [httpx.Response(429), httpx.ConnectError("down"), httpx.ConnectTimeout("down")])
def test_a_write_that_surely_did_nothing_is_repeated_only_where_allowed(refusal: Answer) -> None:
    allowed, forbidden = Carrier(refusal, OK), Carrier(refusal, OK)
    assert with_session(allowed, write).status == 200
    assert isinstance(with_session(forbidden, write_once), Transient)
    assert (len(allowed.requests), len(forbidden.requests)) == (2, 1)


def test_a_refusal_for_good_is_not_repeated() -> None:
    carrier = Carrier(httpx.Response(400, json={"error": "no"}), OK)
    assert with_session(carrier, write).carrier_words == "no"
    assert len(carrier.requests) == 1


@pytest.mark.parametrize(
    ("headers", "waited_s"),
    [
        ({"Retry-After": "7"}, 7),
        ({"Retry-After": "Fri, 20 Nov 2026 10:00:09 GMT", "Date": "Fri, 20 Nov 2026 10:00:00 GMT"}, 9),
        ({"Retry-After": "soon"}, 1),
        ({}, 1),
    ],
)
def test_after_429_the_next_try_waits_as_long_as_was_asked(headers: dict[str, str], waited_s: float) -> None:
    carrier = Carrier(httpx.Response(429, headers=headers), OK)
    with_session(carrier, read)
    assert carrier.asked_at == [0, waited_s]


@pytest.mark.parametrize(
    ("asked", "over_at", "told"),
    [
        ("29", 1.0, 0),
        ("30", 1.0, 1),
        ("600", 1.0, 1),
        ("7200", 1700.0, 2),
        ("Fri, 20 Nov 2026 12:00:00 GMT", 1700.0, 2),
        ("9" * 400, 1700.0, 2),
        ("nan", 1.0, 0),
    ],
)
def test_a_long_wait_is_told_once_and_at_once(
    asked: str, over_at: float, told: int, caplog: pytest.LogCaptureFixture
) -> None:
    """Four readers are refused together; a wait of hours is asked for anew every quarter of an hour."""
    headers = {"Retry-After": asked, "Date": "Fri, 20 Nov 2026 10:00:00 GMT"}

    async def carrier(_request: httpx.Request) -> httpx.Response:
        return OK if anyio.current_time() >= over_at else httpx.Response(429, headers=headers)

    async def readers(session: HttpSession) -> None:
        async with anyio.create_task_group() as tasks:
            for _ in range(4):
                tasks.start_soon(read, session)

    with caplog.at_level("WARNING", logger="migrator.waits"):
        with_session(carrier, readers)
    waits = [record for record in caplog.records if record.name == "migrator.waits"]
    assert len(waits) == told
    assert all(re.fullmatch(r"Acme asks to wait until (\d{4}-\d\d-\d\d )?\d\d:\d\d", one.getMessage()) for one in waits)


@pytest.mark.parametrize(
    ("asked", "again_at"), [("300", 300.0), ("0", 1.0), ("nonsense", 1.0), ("1e9", LONGEST_HOLD_S)]
)
def test_a_service_that_is_down_is_asked_again_when_it_wished(asked: str, again_at: float) -> None:
    """RFC 9110 names 503 first among the replies that carry Retry-After."""
    carrier = Carrier(httpx.Response(503, headers={"Retry-After": asked}), OK)
    with_session(carrier, read)
    assert carrier.asked_at == [0, again_at]


def test_a_write_that_a_service_in_trouble_may_have_done_holds_the_next_one() -> None:
    carrier = Carrier(httpx.Response(503, headers={"Retry-After": "120"}), OK)

    async def two_writes(session: HttpSession) -> Reply:
        with pytest.raises(OutcomeUnknown):
            await write(session)
        return await write(session)

    assert with_session(carrier, two_writes).status == 200
    assert carrier.asked_at == [0, 120]


def test_a_long_maintenance_is_told(caplog: pytest.LogCaptureFixture) -> None:
    carrier = Carrier(httpx.Response(503, headers={"Retry-After": "600"}), OK)
    with caplog.at_level("WARNING", logger="migrator.waits"):
        with_session(carrier, read)
    assert [record.name for record in caplog.records] == ["migrator.waits"]


def test_429_stops_everybody_who_talks_to_this_carrier() -> None:
    carrier = Carrier(httpx.Response(429, headers={"Retry-After": "30"}), OK)

    async def two_readers(session: HttpSession) -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(read, session)
            await anyio.sleep(0.5)
            tasks.start_soon(read, session)

    with_session(carrier, two_readers)
    assert min(carrier.asked_at[1:]) == 30


def test_a_redirect_is_not_followed() -> None:
    """Whoever sends us elsewhere would get the key."""
    carrier = Carrier(httpx.Response(302, headers={"Location": "https://elsewhere.example/"}), OK)
    error = with_session(carrier, read)
    assert isinstance(error, Permanent)
    assert error.hint == "check the URL"
    assert len(carrier.requests) == 1


def test_an_exchange_ends_in_time_whatever_the_client_says() -> None:
    """Httpx's own five seconds would cut off a claim that takes a minute, and turn it into a lost one."""
    carrier = Carrier(100.0)
    assert with_session(carrier, write_once).status == 200
    assert carrier.requests[0].extensions["timeout"]["read"] == 180
    error = with_session(Carrier(181.0), write_once)
    assert isinstance(error, OutcomeUnknown)
    assert "180 s" in error.message


@pytest.mark.parametrize(
    "trouble",
    [
        httpx.Response(400, json={"error": f"bad key {SECRET}"}),
        httpx.Response(400, text=f"<p>apikey: {SECRET}</p>"),
        httpx.Response(500, json={"error": f"cannot use {SECRET}"}),
        httpx.Response(429, json={"error": f"too many for {SECRET}"}),
        httpx.ReadError(f"cut while sending Authorization: Basic {SECRET}"),
        httpx.LocalProtocolError(f"Illegal header value b'{SECRET}'"),
    ],
    ids=repr,
)
def test_no_secret_is_in_errors_or_logs(trouble: Answer, caplog: pytest.LogCaptureFixture) -> None:
    """An error ends up in the journal, in reports and in bug reports."""
    caplog.set_level(logging.DEBUG)
    error = with_session(Carrier(trouble), write_once)
    told = [str(error), repr(error), error.carrier_words, repr(error.args), *(p.message for p in error.problems)]
    assert isinstance(error, PlatformError)
    assert SECRET not in " ".join(told) + caplog.text


def test_a_limit_tells_how_long_to_stay_away() -> None:
    error = with_session(Carrier(httpx.Response(429, headers={"Retry-After": "12"})), write_once)
    assert isinstance(error, RateLimited)
    assert error.retry_after_s == 12


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("SIM is  already\nactivated", "SIM is already activated"),
        ('{"pin": "1234", "puk":"12345678"}', '{"***", "***"}'),
        ("Authorization: Basic abc was refused", "*** was refused"),
        ("the bearer abcdefghijklmnopqrstuvwxyz is bad", "the *** is bad"),
        ("a Basic plan is required", "a Basic plan is required"),
        ("token " + "x" * 60, "token ***"),
        ("SIM 89882280666000000015 is unknown", "SIM 89882280666000000015 is unknown"),
        ("word " * 100, "word " * 39 + "word…"),
    ],
)
def test_a_carriers_words_are_told_in_one_line_without_what_looks_like_a_secret(said: str, shown: str) -> None:
    assert shortened(said) == shown


def test_html_is_told_as_its_text() -> None:
    page = httpx.Response(404, text="<html><style>p {color: red}</style><body><h1>Not Found</h1></body></html>")
    assert with_session(Carrier(page), read).carrier_words == "Not Found"
