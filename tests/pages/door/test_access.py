"""Who may look: names against rebinding, tokens, the login, and the file of the token."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.responses import PlainTextResponse
from starlette.types import Message, Receive, Scope, Send

from migrator.errors import InputError
from migrator.inputs.settings.secrets import Secret
from migrator.pages.door import login
from migrator.pages.door.access import COOKIE, SESSION_S, Access, read_token
from migrator.pages.door.guard import Guard
from migrator.pages.server import ListenAddress, _listening, address_of
from tests.pages.kit import Browser, browsing, fleet
from tests.store.store_kit import NOW

TOKEN = "5f0b6d1f9a1f4c3cae0e7ac5ab3f86d0"
LOCKED = Access("10.0.0.5", Secret(TOKEN))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("access")
    fleet(made)
    return made


@pytest.fixture(scope="module")
def open_pages(folder: Path) -> Iterator[Browser]:
    with browsing(folder) as browser:
        yield browser


@pytest.fixture
def locked(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Browser]:
    monkeypatch.setattr(login, "WRONG_TOKEN_S", 0.0)
    with browsing(folder, access=LOCKED) as browser:
        yield browser


@pytest.mark.parametrize("host", ["127.0.0.1:8787", "localhost:9000", "LOCALHOST", "[::1]:8787", "127.0.0.1"])
def test_our_own_names_are_answered_whatever_the_port(open_pages: Browser, host: str) -> None:
    assert open_pages.ask("/healthz", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    ["evil.test", "evil.test:8787", "127.0.0.1.evil.test", "localhost.evil.test:8787", "", "[::1", "169.254.169.254"],
)
def test_a_strangers_name_for_loopback_is_not_answered(open_pages: Browser, host: str) -> None:
    for path in ("/", "/healthz", "/metrics", "/watch.js"):
        answer = open_pages.ask(path, headers={"host": host})
        assert answer.status_code == 421
        assert "SIM" not in answer.text
        assert "--token-file" in answer.text


PROXIED = ["X-Forwarded-For", "X-Forwarded-Host", "x-forwarded-proto", "Forwarded", "X-Real-IP", "Via"]


@pytest.mark.parametrize("name", PROXIED)
def test_a_proxy_before_pages_without_a_token_is_told_to_ask_for_one(open_pages: Browser, name: str) -> None:
    for path in ("/", "/metrics", "/healthz"):
        answer = open_pages.ask(path, headers={name: "203.0.113.7"})
        assert answer.status_code == 403
        assert "--token-file" in answer.text


@pytest.mark.parametrize(("access", "status"), [(Access(), 403), (LOCKED, 200)])
def test_a_proxy_that_hides_behind_our_name_is_known_by_its_old_http(access: Access, status: int) -> None:
    """As nginx speaks to what is behind it, unless it is told otherwise."""

    async def page(scope: Scope, receive: Receive, send: Send) -> None:
        await PlainTextResponse("12 SIMs")(scope, receive, send)

    headers = [(b"host", b"127.0.0.1:8787"), (b"authorization", f"Bearer {TOKEN}".encode())]
    scope = {"type": "http", "method": "GET", "path": "/", "http_version": "1.0", "headers": headers}
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    asyncio.run(Guard(page, access)(scope, asyncio.Event().wait, send))  # type: ignore[arg-type]  # nobody receives
    assert sent[0]["status"] == status
    assert (b"--token-file" in sent[1]["body"]) is (status == 403)


@pytest.mark.parametrize("path", ["/", "/sims.csv", "/metrics", "/find?q=1"])
def test_a_strangers_page_is_given_nothing_though_it_names_us(open_pages: Browser, path: str) -> None:
    answer = open_pages.ask(path, headers={"sec-fetch-site": "cross-site"})
    assert answer.status_code == 403
    assert "--token-file" in answer.text
    for site in ("same-origin", "same-site", "none"):
        assert open_pages.ask("/healthz", headers={"sec-fetch-site": site}).status_code == 200


def test_without_the_token_nothing_is_told_but_how_to_log_in(locked: Browser) -> None:
    for path in ("/", "/sims", "/sims.csv", "/runs", "/runs/p1", "/find?q=unit+1", "/metrics", "/nothing"):
        answer = locked.ask(path)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith("Bearer")
        assert 'name="token"' in answer.text
        assert "p1<" not in answer.text
    assert "Authorization: Bearer" in locked.ask("/metrics", headers={"accept": "*/*"}).text
    assert locked.ask("/healthz").json() == {"status": "ok"}


def test_the_token_opens_the_pages_under_any_name(locked: Browser) -> None:
    told = {"authorization": f"Bearer {TOKEN}", "host": "sims.example.com", "x-forwarded-for": "203.0.113.7"}
    assert locked.ask("/metrics", headers=told).status_code == 200


@pytest.mark.parametrize(
    "given", ["", "Bearer", "Bearer x", f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}", f"Basic {TOKEN}", TOKEN]
)
def test_nothing_but_the_token_is_the_token(locked: Browser, given: str) -> None:
    assert locked.ask("/metrics", headers={"authorization": given}).status_code == 401


def test_a_token_in_the_address_is_none(locked: Browser) -> None:
    assert locked.ask(f"/?token={TOKEN}").status_code == 401


def test_a_login_gives_a_cookie_that_scripts_and_strangers_do_not_get(locked: Browser) -> None:
    answer = locked.ask("/login", method="POST", data={"token": TOKEN, "to": "/find?q=unit+1"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/find?q=unit+1")
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert TOKEN not in cookie
    session = cookie.partition(";")[0]
    assert session.startswith(f"{COOKIE}=")
    assert locked.ask("/runs", headers={"cookie": session}).status_code == 200
    assert (
        locked.ask(
            "/runs", headers={"cookie": session[:-1] + "0" if session[-1] != "0" else session[:-1] + "1"}
        ).status_code
        == 401
    )


def test_a_login_through_tls_stays_within_tls(locked: Browser) -> None:
    answer = locked.ask("/login", method="POST", data={"token": TOKEN}, headers={"x-forwarded-proto": "https"})
    assert "Secure" in answer.headers["set-cookie"]


def test_a_wrong_token_is_told_and_gives_no_cookie(locked: Browser) -> None:
    answer = locked.ask("/login", method="POST", data={"token": "guess"})
    assert answer.status_code == 401
    assert "set-cookie" not in answer.headers
    assert "not the token" in answer.text
    assert "guess" not in answer.text


@pytest.mark.parametrize("to", ["https://evil.test/", "//evil.test", "/\\evil.test", "javascript:alert(1)", "/a\nb"])
def test_a_login_leads_to_our_own_pages_only(locked: Browser, to: str) -> None:
    assert locked.ask("/login", method="POST", data={"token": TOKEN, "to": to}).headers["location"] == "/"


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_a_strangers_form_logs_nobody_in(locked: Browser, site: str) -> None:
    answer = locked.ask("/login", method="POST", data={"token": TOKEN}, headers={"sec-fetch-site": site})
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("body", [b"token=" + b"x" * 5000, b"&".join([b"a=1"] * 20)])
def test_a_form_that_is_none_is_refused(locked: Browser, body: bytes) -> None:
    assert locked.ask("/login", method="POST", content=body).status_code in {400, 413}


def test_a_session_ends_with_its_time_and_with_its_token() -> None:
    session = LOCKED.session(NOW)
    assert LOCKED.is_session(session, NOW + SESSION_S - 1)
    assert not LOCKED.is_session(session, NOW + SESSION_S + 1)
    assert not Access("10.0.0.5", Secret(TOKEN + "2")).is_session(session, NOW)
    longer = f"{int(NOW) + 10 * SESSION_S}.{session.partition('.')[2]}"
    assert not LOCKED.is_session(longer, NOW)
    assert not LOCKED.is_session("", NOW)
    assert not LOCKED.is_session(".", NOW)


def test_who_guesses_waits(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []

    async def noted(seconds: float) -> None:
        waits.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", noted)
    with browsing(folder, access=LOCKED) as browser:
        browser.ask("/login", method="POST", data={"token": "guess"})
    assert waits == [login.WRONG_TOKEN_S]


# --- the file of the token, and the address ---


def written(folder: Path, text: str, mode: int = 0o600) -> Path:
    path = folder / "token"
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)
    return path


def test_the_token_is_the_first_line_of_its_file(tmp_path: Path) -> None:
    token = read_token(written(tmp_path, f"{TOKEN}\nmade on Monday\n"))
    assert token.reveal() == TOKEN
    assert TOKEN not in repr(Access("x", token))


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o440])
def test_a_token_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    with pytest.raises(InputError) as told:
        read_token(written(tmp_path, TOKEN, mode))
    assert told.value.code == "readable_by_others"
    assert "chmod go-rwx" in told.value.hint
    assert TOKEN not in str(told.value)


@pytest.mark.parametrize("text", ["", "\n", "short\n", "x" * 600, "ä" * 30, "with\x07bell" * 4])
def test_a_file_without_a_token_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(InputError) as told:
        read_token(written(tmp_path, text))
    assert told.value.code == "bad_token"
    assert "openssl rand" in told.value.hint


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("127.0.0.1:8787", "127.0.0.1", 8787),
        ("[::1]:0", "::1", 0),
        ("localhost:80", "localhost", 80),
        ("10.0.0.5:1", "10.0.0.5", 1),
    ],
)
def test_an_address_is_host_and_port(text: str, host: str, port: int) -> None:
    assert address_of(text) == ListenAddress(host, port)


@pytest.mark.parametrize(
    "text", ["", "8787", ":8787", "localhost", "localhost:", "::1:8787", "a:99999", "a:-1", "a:b", "a:٣"]
)
def test_anything_else_is_no_address(text: str) -> None:
    with pytest.raises(InputError, match="HOST:PORT"):
        address_of(text)


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])  # noqa: S104 - refused before anybody can connect
def test_off_loopback_a_token_is_needed(tmp_path: Path, host: str) -> None:
    with pytest.raises(InputError) as told, _listening(ListenAddress(host, 0), None):
        pass
    assert told.value.code == "no_token"
    assert "--token-file" in told.value.hint
    assert "TLS" in told.value.hint
    with _listening(ListenAddress(host, 0), written(tmp_path, TOKEN)) as (_, access, is_loopback):
        assert not access.is_open()
        assert not is_loopback


def test_on_loopback_none_is_needed(tmp_path: Path) -> None:
    for host in ("127.0.0.1", "localhost", "127.9.9.9"):
        with _listening(ListenAddress(host, 0), None) as (_, access, is_loopback):
            assert access.is_open()
            assert is_loopback
    with _listening(ListenAddress("127.0.0.1", 0), written(tmp_path, TOKEN)) as (_, access, _is_loopback):
        assert not access.is_open()


def test_an_address_that_is_taken_is_told() -> None:
    with _listening(ListenAddress("127.0.0.1", 0), None) as (taken, *_):
        port = taken.getsockname()[1]
        for address in (ListenAddress("127.0.0.1", port), ListenAddress("nobody.invalid", 1)):
            with pytest.raises(InputError) as told:
                _listening(address, None).__enter__()
            assert "cannot be listened at" in told.value.message
            assert "--listen" in told.value.hint
