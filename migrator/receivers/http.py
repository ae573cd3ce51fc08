"""Receivers that take a POST: webhooks, Slack and Teams.

A request goes to the transport itself: so no redirect is followed, no cookie kept, and no address logged, which for
Slack and Teams is the secret.
"""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import anyio
import httpx

from migrator.core.policy.outside import ReceiverKind
from migrator.receivers.message import Message, NotDelivered, signature

__all__ = ["check_url", "form", "post"]

TIMEOUT_S = 10.0
MOST_OF_A_REPLY = 4096
"""Bytes that are read of a reply, which is not used."""

LONGEST_REST_S = 86_400.0
LOOPBACK = {"localhost", "127.0.0.1", "::1"}
TOO_MANY = 429


def check_url(url: str, name: str) -> None:
    """Refuse an address that a notice must not go to.

    Raises: NotDelivered, naming where the address came from, never the address.
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host, parts = None, urlsplit("")
    if not host or parts.scheme not in {"https", "http"} or not url.isprintable():
        raise NotDelivered(f"{name} holds no https:// address")
    if parts.scheme == "http" and host not in LOOPBACK:
        raise NotDelivered(f"{name} holds an http:// address, which anybody on the way can read: use https://")


def form(kind: ReceiverKind, message: Message, *, secret: str | None, now: float) -> tuple[bytes, dict[str, str]]:
    """Return the body and the headers of a message."""
    if kind is ReceiverKind.SLACK:
        return _json(_slack(message)), {}
    if kind is ReceiverKind.TEAMS:
        return _json(_teams(message)), {}
    headers = {"Idempotency-Key": message.notice_id, "Migrator-Timestamp": str(int(now))}
    if secret is not None:
        headers["Migrator-Signature"] = f"sha256={signature(secret, int(now), message.body)}"
    return message.body, headers


async def post(
    transport: httpx.AsyncBaseTransport,
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    *,
    timeout_s: float = TIMEOUT_S,
) -> None:
    """Send one POST, and believe its status alone.

    Raises: NotDelivered, without any word of the address or of the reply.
    """
    request = httpx.Request(
        "POST",
        url,
        content=body,
        headers={"Content-Type": "application/json", "User-Agent": "migrator", **headers},
        extensions={"timeout": httpx.Timeout(timeout_s).as_dict()},
    )
    try:
        with anyio.fail_after(timeout_s):
            response = await transport.handle_async_request(request)
            try:
                await _some_of(response)
            finally:
                await response.aclose()
    except TimeoutError:
        raise NotDelivered(f"no answer within {timeout_s:g} s") from None
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        raise NotDelivered(f"not reached: {type(error).__name__}") from None
    if not response.is_success:
        rest_s = _rest_s(response) if response.status_code == TOO_MANY or response.is_server_error else None
        raise NotDelivered(f"answered {response.status_code}", rest_s)


async def _some_of(response: httpx.Response) -> None:
    read = 0
    async for chunk in response.stream:  # type: ignore[union-attr]  # the transport is asynchronous, and so its stream
        read += len(chunk)
        if read >= MOST_OF_A_REPLY:
            return


def _rest_s(response: httpx.Response) -> float | None:
    told = response.headers.get("retry-after", "")
    return min(float(told), LONGEST_REST_S) if told.isascii() and told.isdigit() else None


def _json(value: Any) -> bytes:
    return json.dumps(value).encode("ascii")


def _slack(message: Message) -> dict[str, Any]:
    """Return a message for an incoming webhook of Slack.

    `mrkdwn` off and plain text: nothing in it becomes a link, a mention or a channel.
    """
    blocks = [
        {"type": "header", "text": {"type": "plain_text", "text": message.subject[:150], "emoji": False}},
        {"type": "section", "text": {"type": "plain_text", "text": message.text or "-", "emoji": False}},
        {"type": "context", "elements": [{"type": "plain_text", "text": f"notice {message.notice_id}"}]},
    ]
    return {"text": _for_slack(message.subject), "blocks": blocks}


def _for_slack(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _teams(message: Message) -> dict[str, Any]:
    """Return a message for a workflow of Teams: one adaptive card.

    A RichTextBlock has no markdown.
    """

    def block(text: str, **more: Any) -> dict[str, Any]:
        return {"type": "RichTextBlock", "inlines": [{"type": "TextRun", "text": text, **more}]}

    lines = [*message.text.splitlines(), f"notice {message.notice_id}"]
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": [block(message.subject, weight="Bolder"), *map(block, lines)],
    }
    content = {"contentType": "application/vnd.microsoft.card.adaptive", "content": card}
    return {"type": "message", "attachments": [content]}
