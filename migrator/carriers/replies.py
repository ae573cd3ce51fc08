"""Answers of a carrier before their content is read: what every HTTP client sees in them, and what may be told.

Whatever a carrier says and we pass on to people goes through `shortened`, and through the account's `Mask`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, Protocol

import httpx

from migrator.core.fleet.secrets import MASKED, SHORTEST_MASKED, forms_of, struck, without_forms
from migrator.errors import OutcomeUnknown, Permanent, PlatformError, RateLimited, Transient, WireMismatch

__all__ = ["Mask", "Reply", "Sorter", "common_trouble", "sentence", "shortened", "unreadable"]

_MARKUP = re.compile(r"(?is)<(style|script)\b.*?</\1\s*>|<[^<>]*>")
_GAVE_UP_WAITING = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY}
NO_JSON = "no_json"
IN_MAINTENANCE = (
    "It may be in maintenance, or something on the way answers in its place: run the same command again later. "
    "If it stays so: {}"
)
_CREDENTIALS = (
    re.compile(r"(?i)\bauthorization\b[\"']?\s*[:=]\s*[\"']?(?:(?:basic|bearer)\s+)?[^\s\"',;&]+"),
    re.compile(r"(?i)\b(?:bearer|basic)\s+[^\s\"',;&]{16,}"),
    re.compile(r"(?i)\bapi[-_ ]?key\b[\"']?\s*[:=]\s*[\"']?[^\s\"',;&]+"),
    re.compile(r"(?i)\b(?:pin|puk)\d?(?:[-_ ]?code)?\b\W{1,4}(?:is\W)?\d{4,10}\b"),
    re.compile(r"[A-Za-z0-9+/_=.-]{48,}"),  # longer than any word or identifier: a token, or part of one
)


def shortened(text: str, limit: int = 200) -> str:
    """`text` on one line of at most `limit` characters, without what looks like a secret: words for people."""
    line = " ".join(text.split())
    for pattern in _CREDENTIALS:
        line = pattern.sub("***", line)
    return line if len(line) <= limit else line[: limit - 1] + "…"


class Mask:
    """The secrets of one carrier's account, known so that they can be struck out of replies. Prints as `***`.

    Args:
        secrets: what is struck out, in every spelling.
        user: the name that is sent with a secret.
    """

    def __init__(self, *secrets: str, user: str = "") -> None:
        self._user = user
        self._words: list[str] = []
        self._forms: list[str] = []
        for secret in secrets:
            self.hide(secret)

    def hide(self, secret: str) -> None:
        """Strike out `secret` from now on."""
        if len(secret) >= SHORTEST_MASKED:
            self._forms = sorted({*self._forms, *forms_of(secret, self._user)}, key=len, reverse=True)
        self._words = sorted({*self._words, *self._forms, *filter(None, [secret])}, key=len, reverse=True)

    def words(self, text: str) -> str:
        """`text` for people: shortened, without secrets."""
        return shortened(struck(text, self._words))

    def reply(self, text: str, body: Any) -> tuple[str, Any]:
        """A reply's text and its JSON without secrets, the very same objects where there are none.

        JSON may spell any letter as an escape, so that the text alone proves nothing where it holds such.
        """
        plain = text.replace("\\/", "/")
        if not any(form in plain for form in self._forms) and "\\u00" not in text:
            return text, body
        clean = without_forms(body, self._forms)
        return (text, body) if clean == body and body is not None else (struck(plain, self._forms), clean)

    def __repr__(self) -> str:
        return MASKED


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer that arrived whole.

    `body` is parsed JSON, None for an empty one; `is_json` is False for other text. `request` is the method and path
    that it answers. Whatever of it is shown to people goes through `mask.words`. `is_whole` is False where not all of
    it is as it was sent: U+FFFD stands for bytes that could not be read, and `***` for credentials.
    """

    status: int
    headers: httpx.Headers
    body: Any = field(repr=False)
    is_json: bool
    text: str = field(repr=False)
    request: str = ""
    mask: Mask = field(default_factory=Mask)
    is_whole: bool = True

    @property
    def is_success(self) -> bool:
        """Whether the status is 2xx; what the body says is another matter."""
        return HTTPStatus.OK <= self.status < HTTPStatus.MULTIPLE_CHOICES

    @property
    def is_redirect(self) -> bool:
        """Whether the status is 3xx."""
        return HTTPStatus.MULTIPLE_CHOICES <= self.status < HTTPStatus.BAD_REQUEST

    @property
    def is_empty(self) -> bool:
        """Whether nothing was sent back."""
        return not self.text.strip()

    def words(self, *keys: str) -> str:
        """What the carrier said: the first of `keys` that the body has as text, else text that is not JSON."""
        if isinstance(self.body, Mapping):
            said = (self.body.get(key) for key in keys)
            return self.mask.words(next((text for text in said if isinstance(text, str) and text.strip()), ""))
        return "" if self.is_json else self.mask.words(_MARKUP.sub(" ", self.text))

    @property
    def retry_after_s(self) -> float | None:
        """The Retry-After header in seconds; None if absent or unreadable. A date is counted from the reply's own."""
        value = self.headers.get("retry-after", "")
        try:
            return max(0.0, float(value))
        except ValueError:
            return _seconds_between(self.headers.get("date", ""), value)


class Sorter(Protocol):
    """A carrier's own reading of a reply: the error it means, or None."""

    def __call__(self, reply: Reply, *, is_write: bool) -> PlatformError | None:
        """Sort `reply`, which answers a write or a read."""
        ...


def common_trouble(
    reply: Reply, *, is_write: bool, carrier: str, words: str, base_url_hint: str
) -> PlatformError | None:
    """What 429, 5xx and 3xx mean, whoever sends them; None for other statuses.

    Args:
        carrier: its name for people.
        words: what it said.
        base_url_hint: what to check when it sends us elsewhere.
    """
    status = reply.status
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        message = sentence(f"{carrier} limits the rate", words)
        return RateLimited(message, retry_after_s=reply.retry_after_s, carrier_words=words)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in _GAVE_UP_WAITING:
        lost = OutcomeUnknown if is_write else Transient
        message = sentence(f"{carrier} is in trouble: {reply.request} was answered {status}", words)
        return lost(message, carrier_words=words, status=status)
    if reply.is_redirect:
        message = f"{carrier} sends {reply.request} elsewhere ({status}), where we do not go with credentials"
        return Permanent(message, status=status, hint=base_url_hint)
    return None


def unreadable(reply: Reply, *, is_write: bool, carrier: str, base_url_hint: str) -> PlatformError:
    """What an answer means that says neither yes nor no. It is not quoted: the answer to a login may hold the token.

    A page for people is weather, as of a carrier in maintenance; data that we cannot read does not pass.
    """
    if is_write:
        message = f"{carrier} answered {reply.request} with something we cannot read"
        return OutcomeUnknown(message, status=reply.status)
    if not reply.is_json:
        message = f"{carrier} answered {reply.request} with no JSON, but a page for people or half a reply"
        hint = IN_MAINTENANCE.format(base_url_hint)
        return Transient(message, status=reply.status, code=NO_JSON, hint=hint)
    return WireMismatch(f"{carrier} answered {reply.request} with something we cannot read", status=reply.status)


def sentence(what: str, words: str) -> str:
    """`what` happened and, if they said anything, the carrier's `words`."""
    return f"{what}: {words}" if words else what


def _seconds_between(earlier: str, later: str) -> float | None:
    try:
        return max(0.0, (parsedate_to_datetime(later) - parsedate_to_datetime(earlier)).total_seconds())
    except (ValueError, TypeError):  # TypeError: one has a zone and the other none
        return None
