"""Credentials in the spellings in which a carrier may echo them."""

from base64 import b64encode, urlsafe_b64encode
from urllib.parse import quote, quote_plus

import httpx
import pytest

from migrator.carriers.http import HttpSession, Mask, Reply
from migrator.carriers.onence.refusals import sort_reply
from migrator.carriers.onence.wire import source_row
from migrator.carriers.pacing import Pacer
from migrator.core.fleet.secrets import MASKED
from tests.support import run_virtual

KEY = "key/with+odd=signs <42>"


def received(content: bytes, *, charset: str = "utf-8", secret: str = KEY) -> Reply:
    """What our client makes of a reply with this body."""

    async def main() -> Reply:
        headers = {"Content-Type": f"application/json; charset={charset}"}
        answer = httpx.MockTransport(lambda _request: httpx.Response(200, headers=headers, content=content))
        async with httpx.AsyncClient(transport=answer, base_url="https://onence.test/") as http:
            mask = Mask(secret, user="apikey")
            return await HttpSession(http, pacer=Pacer(8.0), carrier="1NCE", sort=sort_reply, mask=mask).read("/x")

    return run_virtual(main)


@pytest.mark.parametrize(
    "spelled",
    [
        KEY,
        quote(KEY, safe=""),
        "key%2fwith%2bodd%3dsigns%20%3c42%3e",
        quote_plus(KEY),
        b64encode(KEY.encode()).decode(),
        b64encode(f"apikey:{KEY}".encode()).decode(),
        b64encode(f"apikey:{KEY}".encode()).decode().rstrip("="),
        urlsafe_b64encode(KEY.encode()).decode(),
        KEY.replace("<", "&lt;").replace(">", "&gt;"),
    ],
)
def test_a_key_is_struck_out_of_a_reply_in_every_spelling(spelled: str) -> None:
    reply = received(f'{{"a": ["x {spelled} y"], "{spelled}": 1}}'.encode())
    assert spelled.rstrip("=") not in str(reply.body)
    assert MASKED in reply.body["a"][0]
    assert MASKED in reply.text
    assert not reply.is_whole


def test_a_key_is_found_behind_the_escapes_of_json() -> None:
    escaped = "".join(f"\\u{ord(letter):04x}" for letter in KEY)
    assert received(f'{{"a": "{escaped}"}}'.encode()).body == {"a": MASKED}
    assert received(f'{{"a": "{KEY}"}}'.replace("/", "\\/").encode()).body == {"a": MASKED}


def test_a_key_too_short_to_be_one_spoils_no_label() -> None:
    assert received(b'{"label": "test pump"}', secret="test").body == {"label": "test pump"}


def test_a_label_that_holds_our_key_is_not_read_whole() -> None:
    reply = received(f'{{"iccid": "8988228066600000001", "label": "pump {KEY}"}}'.encode())
    row = source_row(reply.body, is_whole=reply.is_whole)
    assert "credentials" in row.label_trouble


@pytest.mark.parametrize(
    ("content", "charset", "label", "is_whole"),
    [
        ("Zähler".encode(), "utf-8", "Zähler", True),
        ("Zähler".encode(), "iso-8859-1", "Zähler", True),  # a header that is wrong, as JSON is UTF-8
        ("Zähler".encode("latin-1"), "iso-8859-1", "Zähler", True),
        ("Zähler".encode("latin-1"), "utf-8", "Z\ufffdhler", False),
        ("Zähler".encode("latin-1"), "no-such-charset", "Z\ufffdhler", False),
        ("Z\ufffdhler".encode(), "utf-8", "Z\ufffdhler", True),
    ],
)
def test_bytes_are_read_as_what_they_are_or_told_as_unread(
    content: bytes, charset: str, label: str, *, is_whole: bool
) -> None:
    reply = received(b'{"label": "' + content + b'"}', charset=charset)
    assert (reply.body, reply.is_whole) == ({"label": label}, is_whole)
