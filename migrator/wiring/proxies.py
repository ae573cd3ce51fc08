"""Proxies that the environment names for requests to a carrier.

httpx obeys these variables only in clients without a transport of their own, and ours have one.

Source: https://www.python-httpx.org/environment_variables, and httpx 0.28, `_utils.get_environment_proxies`.
"""

import ssl
from urllib.parse import urlsplit
from urllib.request import getproxies

import httpx

from migrator.errors import InputError

__all__ = ["proxy_for", "shown_proxy", "transport_for"]

LOOPBACK = {"localhost", "127.0.0.1", "::1"}


def proxy_for(url: str) -> str | None:
    """Return the proxy for requests to an address, or None.

    That is HTTPS_PROXY or HTTP_PROXY by the address, else ALL_PROXY, unless NO_PROXY names the host; in lower case,
    too. On macOS and Windows the system's settings count where the environment has none. This machine itself is never
    asked through a proxy.
    """
    parts, told = urlsplit(url), getproxies()
    host = (parts.hostname or "").lower()
    proxy = told.get(parts.scheme) or told.get("all")
    if not proxy or host in LOOPBACK:
        return None
    port = parts.port or {"https": 443, "http": 80}.get(parts.scheme)
    spared = [name.strip() for name in told.get("no", "").split(",")]
    if any(_is_spared(name, parts.scheme, host, port) for name in spared if name):
        return None
    return proxy if "://" in proxy else f"http://{proxy}"


def _is_spared(name: str, scheme: str, host: str, port: int | None) -> bool:
    """True if an entry of NO_PROXY covers an address.

    `example.com` covers the hosts below it, too; `.example.com` those alone; `https://example.com` that host.
    """
    if name == "*":
        return True
    named_scheme, _, rest = name.rpartition("://")
    try:
        parts = urlsplit(f"//{rest}")
        named, named_port = (parts.hostname or "").lower(), parts.port
    except ValueError:  # no address, so it covers none
        return False
    if named_scheme.lower() not in {"", "all", scheme} or named_port not in {None, port}:
        return False
    if named_scheme:
        return host == named
    return host.endswith(named) if named.startswith(".") else f".{host}".endswith(f".{named}")


def shown_proxy(proxy: str) -> str:
    """Return a proxy's address for people, without user and password."""
    scheme, _, rest = proxy.rpartition("://")
    _, at, place = rest.rpartition("@")
    return f"{scheme}://{'***@' if at else ''}{place.partition('/')[0]}"


def transport_for(base_url: str) -> httpx.AsyncHTTPTransport:
    """Return the way to a carrier, through its proxy if any.

    Raises: InputError, for a proxy that cannot be used.
    """
    proxy = proxy_for(base_url)
    try:
        return httpx.AsyncHTTPTransport(
            verify=_trusted(base_url),
            limits=httpx.Limits(max_connections=20, max_keepalive_connections=20),
            proxy=proxy,
        )
    except (ImportError, ValueError, httpx.InvalidURL):
        words = f"the proxy {shown_proxy(proxy or '')} of the environment cannot be used"
        hint = "HTTPS_PROXY or ALL_PROXY takes http://HOST:PORT; socks5:// needs `pip install 'httpx[socks]'`"
        raise InputError(words, code="proxy", hint=hint) from None


def _trusted(base_url: str) -> ssl.SSLContext:
    """Return whose certificates are believed.

    Where no TLS is spoken, as in a rehearsal, nobody's are: to read those of all authorities takes its time.
    """
    if urlsplit(base_url).scheme == "http":
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    return httpx.create_ssl_context()
