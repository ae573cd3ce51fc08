"""Proxies of the environment are obeyed as httpx obeys them, and are told without their passwords."""

from base64 import b64encode
from collections.abc import Mapping

import anyio
import httpx
import pytest

from migrator import wiring
from migrator.errors import InputError
from migrator.wiring.proxies import proxy_for, shown_proxy
from tests.worlds.loopback import refusing_proxy

NAMES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
PROXY = "http://proxy.test:3128"


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


def set_all(monkeypatch: pytest.MonkeyPatch, told: Mapping[str, str]) -> None:
    for name, value in told.items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize("url", ["https://api.1nce.com/management-api", "https://dashboard.hologram.io/api/1"])
@pytest.mark.parametrize(
    "told",
    [
        {},
        {"HTTPS_PROXY": PROXY},
        {"https_proxy": PROXY},
        {"HTTPS_PROXY": "proxy.test:3128"},
        {"HTTP_PROXY": PROXY},
        {"ALL_PROXY": PROXY},
        {"ALL_PROXY": PROXY, "HTTPS_PROXY": "http://other.test:1"},
        *(
            {"HTTPS_PROXY": PROXY, "NO_PROXY": spared}
            for spared in (
                "*",
                "api.1nce.com",
                "1nce.com",
                ".1nce.com",
                "1nce.com".removeprefix("1"),
                "API.1NCE.COM",
                "hologram.io, dashboard.hologram.io",
                "https://api.1nce.com",
                "http://api.1nce.com",
                "localhost,127.0.0.1,::1",
                "example.com",
                " , ",
            )
        ),
    ],
)
def test_the_way_is_the_one_that_httpx_takes(monkeypatch: pytest.MonkeyPatch, told: dict[str, str], url: str) -> None:
    set_all(monkeypatch, told)
    proxy = proxy_for(url)
    taken = httpx.AsyncClient()._transport_for_url(httpx.URL(url))
    pool = taken._pool if isinstance(taken, httpx.AsyncHTTPTransport) else None
    address = getattr(pool, "_proxy_url", None)
    expected = None if address is None else f"http://{address.host.decode()}:{address.port}"
    assert proxy == expected


@pytest.mark.parametrize("host", ["127.0.0.1:8701", "localhost:8701", "[::1]:8701"])
def test_this_machine_is_never_asked_through_a_proxy(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    set_all(monkeypatch, {"HTTP_PROXY": PROXY, "ALL_PROXY": PROXY})
    assert proxy_for(f"http://{host}/onence") is None


@pytest.mark.parametrize("read_only", [True, False])
@pytest.mark.parametrize("name", ["HTTPS_PROXY", "ALL_PROXY"])
def test_requests_go_through_the_proxy(monkeypatch: pytest.MonkeyPatch, name: str, *, read_only: bool) -> None:
    async def main() -> None:
        async with wiring._http("https://carrier.invalid/api", read_only=read_only) as http:
            await http.get("x")

    with refusing_proxy() as (address, asked):
        monkeypatch.setenv(name, address)
        with pytest.raises(httpx.ProxyError):
            anyio.run(main)
    assert asked[0].startswith("CONNECT carrier.invalid:443 ")
    assert b64encode(b"me:s3cret-word").decode() in asked[0]


def test_a_proxy_that_cannot_be_used_is_told_without_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    for proxy in ("socks5://me:s3cret-word@proxy.test:1080", "gopher://me:s3cret-word@proxy.test"):
        monkeypatch.setenv("HTTPS_PROXY", proxy)
        with pytest.raises(InputError, match="proxy") as refused:
            wiring._http("https://api.1nce.com/management-api")
        assert "s3cret" not in refused.value.message + refused.value.hint


@pytest.mark.parametrize(
    ("proxy", "shown"),
    [
        (PROXY, PROXY),
        ("http://me:pass@proxy.test:1/x", "http://***@proxy.test:1"),
        ("http://me:p@ss@proxy.test:1", "http://***@proxy.test:1"),
        ("socks5://me@proxy.test", "socks5://***@proxy.test"),
    ],
)
def test_passwords_of_proxies_are_masked(proxy: str, shown: str) -> None:
    assert shown_proxy(proxy) == shown
