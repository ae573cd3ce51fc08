"""A certificate that is not to be trusted is told as one, at once, before anything is sent."""

import ssl
from pathlib import Path

import anyio
import pytest

from migrator import wiring
from migrator.carriers.http import HttpSession
from migrator.carriers.onence.refusals import sort_reply
from migrator.carriers.pacing import Pacer
from migrator.errors import NotTrusted
from migrator.wiring.proxies import transport_for
from tests.worlds.loopback import untrusted


@pytest.mark.parametrize("is_write", [True, False])
def test_one_try_tells_of_the_certificate(tmp_path: Path, *, is_write: bool) -> None:
    async def main(url: str) -> None:
        async with wiring._http(url) as http:
            session = HttpSession(http, pacer=Pacer(1000.0), carrier="1NCE", sort=sort_reply)
            if is_write:
                await session.write("POST", "/x", body={}, retry_refusals=True)
            await session.read("/x")

    with untrusted(tmp_path) as (url, received):
        with pytest.raises(NotTrusted, match="1NCE shows a certificate that is not to be trusted: self") as raised:
            anyio.run(main, url)
        assert received == [b""]
    assert "SSL_CERT_FILE" in raised.value.hint


@pytest.mark.parametrize(("url", "is_tls"), [("https://carrier.test/api", True), ("http://127.0.0.1:9/api", False)])
def test_authorities_are_believed_where_there_is_tls_and_read_nowhere_else(url: str, *, is_tls: bool) -> None:
    """Where none is spoken nobody is believed: a wrong turn would be refused, never trusted blindly."""
    context = transport_for(url)._pool._ssl_context
    assert context is not None
    assert (context.cert_store_stats()["x509_ca"] > 0) == is_tls
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
