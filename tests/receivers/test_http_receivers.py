"""Webhooks, Slack and Teams over a real socket: signed, bounded, not led astray, and silent about the address."""

import hashlib
import hmac
import json
import re
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import anyio
import pytest

from migrator.core.policy.outside import NoticeEvent, ReceiverKind
from migrator.receivers.http import check_url, form, post
from migrator.receivers.message import Message, NotDelivered
from migrator.wiring.proxies import transport_for
from tests.worlds.loopback import untrusted
from tests.worlds.receiving import Receiving, receiving

NOW = 1_764_000_000.9
TOLD = {
    "plan_id": "p1",
    "reason": "a cap <!channel> [x](http://y)",
    "counts": {"claimed": 3},
    "next": "`migrator apply`",
}
MESSAGE = Message.of("abc-7", NoticeEvent.STOPPED, NOW, {**TOLD, "sims": ["8988228066614000017"]}, detail=False)


@pytest.fixture
def desk() -> Iterator[Receiving]:
    with receiving() as opened:
        yield opened


def sent(
    url: str, kind: ReceiverKind = ReceiverKind.WEBHOOK, secret: str | None = None, timeout_s: float = 5.0
) -> None:
    async def body() -> None:
        async with transport_for(url) as transport:
            await post(transport, url, *form(kind, MESSAGE, secret=secret, now=NOW), timeout_s=timeout_s)

    anyio.run(body)


def refused(url: str, **options: Any) -> NotDelivered:
    with pytest.raises(NotDelivered) as caught:
        sent(url, **options)
    told = f"{caught.value} {caught.value.words} {caught.value.__cause__} {caught.value.__context__!r}"
    assert "hunter2" not in caught.value.words
    assert "hooks/T0" not in caught.value.words
    assert caught.value.__suppress_context__ or "hunter2" not in told
    return caught.value


def test_a_webhook_can_be_checked_as_the_documentation_says(desk: Receiving) -> None:
    sent(desk.url, secret="s3cret")
    sent(desk.url, secret="s3cret")
    first, again = desk.got
    assert first == again
    stamp = first.headers["migrator-timestamp"]
    wanted = hmac.new(b"s3cret", stamp.encode() + b"." + first.body, hashlib.sha256).hexdigest()
    assert first.headers["migrator-signature"] == f"sha256={wanted}"
    assert stamp == "1764000000"
    assert first.headers["idempotency-key"] == "abc-7"
    document = json.loads(first.body)
    assert (document["schema"], document["notice"], document["event"]) == (1, "abc-7", "stopped")
    assert document["made_at"] == "2025-11-24T16:00:00Z"
    assert document["told"] == TOLD
    assert b"s3cret" not in first.body


def test_without_a_secret_nothing_is_signed(desk: Receiving) -> None:
    sent(desk.url)
    assert "migrator-signature" not in desk.got[0].headers


def test_slack_and_teams_get_plain_text_that_can_mention_nobody(desk: Receiving) -> None:
    sent(desk.url, ReceiverKind.SLACK)
    sent(desk.url, ReceiverKind.TEAMS)
    slack, teams = (json.loads(one.body) for one in desk.got)
    assert {block["text"]["type"] for block in slack["blocks"][:2]} == {"plain_text"}
    assert "a cap <!channel>" in slack["blocks"][1]["text"]["text"]
    assert "<" not in slack["text"]
    (card,) = teams["attachments"]
    assert card["contentType"] == "application/vnd.microsoft.card.adaptive"
    assert {block["type"] for block in card["content"]["body"]} == {"RichTextBlock"}
    runs = [block["inlines"][0]["text"] for block in card["content"]["body"]]
    assert runs[0] == "migrator: Stopped (p1)"
    assert "Next: `migrator apply`" in runs


def test_a_redirect_is_not_followed(desk: Receiving) -> None:
    with receiving() as other:
        desk.status, desk.headers = 307, {"Location": other.url}
        assert refused(desk.url).words == "answered 307"
        assert other.got == []


def test_a_receiver_may_ask_to_be_left_alone(desk: Receiving) -> None:
    desk.status, desk.headers = 429, {"Retry-After": "120"}
    assert refused(desk.url).retry_after_s == 120
    desk.headers = {"Retry-After": "99999999999"}
    assert refused(desk.url).retry_after_s == 86_400
    desk.headers = {"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}
    assert refused(desk.url).retry_after_s is None


def test_of_an_endless_reply_little_is_read(desk: Receiving) -> None:
    desk.is_endless = True
    sent(desk.url)


def test_who_does_not_answer_is_left_in_time(desk: Receiving) -> None:
    desk.waits_s = 0.5
    assert refused(desk.url, timeout_s=0.1).words == "no answer within 0.1 s"


def test_nobody_there_and_a_certificate_of_its_own_are_told_without_the_address(tmp_path: Path) -> None:
    assert refused("http://127.0.0.1:9/hooks/T0/hunter2").words.startswith("not reached: ")
    with untrusted(tmp_path) as (url, received):
        assert refused(f"{url}/hooks/T0/hunter2").words.startswith("not reached: ")
        assert b"".join(received) == b""


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://hooks.example.com/hunter2", "OUR_URL holds an http:// address"),
        ("ftp://hooks.example.com/hunter2", "OUR_URL holds no https:// address"),
        ("hunter2", "OUR_URL holds no https:// address"),
        ("https://[hunter2", "OUR_URL holds no https:// address"),
        ("https://a.example/\nhunter2", "OUR_URL holds no https:// address"),
    ],
)
def test_an_address_that_is_none_is_told_by_its_name(url: str, words: str) -> None:
    with pytest.raises(NotDelivered, match=words) as caught:
        check_url(url, "OUR_URL")
    assert "hunter2" not in caught.value.words
    check_url("https://hooks.example.com/hunter2", "OUR_URL")
    check_url("http://127.0.0.1:80/hunter2", "OUR_URL")


def test_the_check_in_the_documentation_takes_what_is_ours_once_and_nothing_else(desk: Receiving) -> None:
    text = (Path(__file__).parents[2] / "docs" / "notifications.md").read_text(encoding="utf-8")
    (snippet,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    names: dict[str, Any] = {}
    exec(snippet, names)  # noqa: S102 - our own documentation
    names["time"] = SimpleNamespace(time=lambda: NOW + 1)
    sent(desk.url, secret="s3cret")
    (got,) = desk.got
    headers = {name.title(): value for name, value in got.headers.items()}
    is_ours = names["is_ours"]
    assert is_ours(headers, got.body, "s3cret", set())
    assert not is_ours(headers, got.body, "s3cret", {"abc-7"})
    assert not is_ours(headers, got.body, "another", set())
    assert not is_ours(headers, got.body + b" ", "s3cret", set())
    assert not is_ours({**headers, "Migrator-Timestamp": "1764000001"}, got.body, "s3cret", set())
    names["time"] = SimpleNamespace(time=lambda: NOW + 301)
    assert not is_ours(headers, got.body, "s3cret", set())
