"""Message to a receiver: one notice in the receiver's form."""

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from migrator.core.campaign.notices import masked, subject, words
from migrator.core.policy.outside import NoticeEvent

__all__ = ["BODY_VERSION", "Message", "NotDelivered", "signature"]

BODY_VERSION = 1
MOST_LETTERS = 3000
"""Most letters of a text for people: Slack cuts a section there."""


class NotDelivered(Exception):
    """Failure of one try.

    The words hold no address and no secret. `retry_after_s` is how long the receiver asks to be left alone.
    """

    def __init__(self, words: str, retry_after_s: float | None = None) -> None:
        super().__init__(words)
        self.words = words
        self.retry_after_s = retry_after_s


@dataclass(frozen=True, slots=True)
class Message:
    """Notice on its way to one receiver.

    Args:
        notice_id: the store's lineage and the notice's number: a receiver drops what it has under this id.
        event: what happened.
        made_at: when, in UTC seconds.
        told: JSON values, as this receiver may see them.
    """

    notice_id: str
    event: NoticeEvent
    made_at: float
    told: Mapping[str, Any]

    @classmethod
    def of(
        cls, notice_id: str, event: NoticeEvent, made_at: float, told: Mapping[str, Any], *, detail: bool
    ) -> "Message":
        """Make a message that names no SIM unless `detail` is set."""
        return cls(notice_id, event, made_at, told if detail else masked(told))

    @property
    def subject(self) -> str:
        """Headline for people, on one line."""
        return _one_line(subject(self.event, self.told))

    @property
    def text(self) -> str:
        """Text for people."""
        lines = "\n".join(map(_one_line, words(self.told)))
        return lines if len(lines) <= MOST_LETTERS else f"{lines[: MOST_LETTERS - 3]}..."

    @property
    def body(self) -> bytes:
        """Body for programs: the same bytes at each try."""
        document = {
            "schema": BODY_VERSION,
            "notice": self.notice_id,
            "event": self.event.value,
            "made_at": datetime.fromtimestamp(self.made_at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "subject": self.subject,
            "told": self.told,
        }
        return json.dumps(document, sort_keys=True, separators=(",", ":")).encode("ascii")


def signature(secret: str, timestamp: int, body: bytes) -> str:
    """Return the HMAC-SHA256 of a time and a body's bytes."""
    signed = f"{timestamp}.".encode("ascii") + body
    return hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()


def _one_line(text: str) -> str:
    """Return a text without anything that could steer a terminal."""
    return "".join(char if char.isprintable() else " " for char in text)
