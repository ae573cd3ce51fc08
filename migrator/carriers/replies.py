"""Answers of a carrier before their content is read.

The module holds what every HTTP client sees in an answer, and what may be shown. All words of a carrier that we pass on
to people go through `shortened`, and through the account's `Mask`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, Protocol

import httpx

from migrator.carriers.lenient import shortened
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


class Mask:
    """Secrets of one carrier's account, to strike out of replies.

    A mask prints as `***`.

    Args:
        secrets: what is struck out, in every spelling.
        user: the name that is sent with a secret.
    """

    def __init__(self, *secrets: str, user: str = "") -> None:
        self._user = user
        self._words: list[str] = []
        self._forms: list[str] = []
        self._signs: list[str] = []  # a text without any of these has none of the forms
        for secret in secrets:
            self.hide(secret)

    def hide(self, secret: str) -> None:
        """Strike out `secret` from now on."""
        if len(secret) >= SHORTEST_MASKED:
            self._forms = sorted({*self._forms, *forms_of(secret, self._user)}, key=len, reverse=True)
            self._signs = [form for form in self._forms if not any(o in form for o in self._forms if o != form)]
        self._words = sorted({*self._words, *self._forms, *filter(None, [secret])}, key=len, reverse=True)

    def words(self, text: str) -> str:
        """Return `text` for people: shortened, without secrets."""
        return shortened(struck(text, self._words))

    def reply(self, text: str, body: Any) -> tuple[str, Any]:
        """Return a reply's text and its JSON without secrets.

        The result is the very same objects where there are no secrets. JSON may spell any letter as an escape, so the
        text alone proves nothing where it holds an escape.
        """
        plain = text.replace("\\/", "/")
        if not any(sign in plain for sign in self._signs) and "\\u00" not in text:
            return text, body
        clean = without_forms(body, self._forms)
        return (text, body) if clean == body and body is not None else (struck(plain, self._forms), clean)

    def __repr__(self) -> str:
        return MASKED


@dataclass(frozen=True, slots=True)
class Reply:
    """Answer that arrived whole.

    `body` is parsed JSON, None for an empty body; `is_json` is False for other text. `request` is the method and path
    that the reply answers. Whatever of the reply is shown to people goes through `mask.words`. `is_whole` is False
    where not all of the reply is as it was sent: U+FFFD stands for bytes that could not be read, and `***` for
    credentials.
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
        """True if the status is 2xx.

        The body may still report a failure.
        """
        return HTTPStatus.OK <= self.status < HTTPStatus.MULTIPLE_CHOICES

    @property
    def is_redirect(self) -> bool:
        """True if the status is 3xx."""
        return HTTPStatus.MULTIPLE_CHOICES <= self.status < HTTPStatus.BAD_REQUEST

    @property
    def is_empty(self) -> bool:
        """True if nothing was sent back."""
        return not self.text.strip()

    def words(self, *keys: str) -> str:
        """Return the carrier's words.

        The words are the first of `keys` that the body has as text, else text that is not JSON.
        """
        if isinstance(self.body, Mapping):
            said = (self.body.get(key) for key in keys)
            return self.mask.words(next((text for text in said if isinstance(text, str) and text.strip()), ""))
        return "" if self.is_json else self.mask.words(_MARKUP.sub(" ", self.text))

    @property
    def retry_after_s(self) -> float | None:
        """Seconds of the Retry-After header; None if absent or unreadable.

        A date is counted from the reply's own date.
        """
        value = self.headers.get("retry-after", "")
        try:
            return max(0.0, float(value))
        except ValueError:
            return _seconds_between(self.headers.get("date", ""), value)


class Sorter(Protocol):
    """Carrier's own way to turn a reply into an error.

    The result is None for a reply that means no error.
    """

    def __call__(self, reply: Reply, *, is_write: bool) -> PlatformError | None:
        """Sort `reply`, which answers a write or a read."""
        ...


def common_trouble(
    reply: Reply, *, is_write: bool, carrier: str, words: str, base_url_hint: str
) -> PlatformError | None:
    """Return the error that a 429, 5xx or 3xx means.

    The meaning is the same for every carrier. 408 and 425 count as 5xx. The result is None for other statuses.

    Args:
        carrier: its name for people.
        words: what the carrier said.
        base_url_hint: what to check when the carrier sends us elsewhere.
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
    """Return the error of an answer that says neither yes nor no.

    The answer is not quoted: the answer to a login may hold the token. A page for people is passing trouble, as of a
    carrier in maintenance. Data that we cannot read is lasting trouble.
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
    """Join `what` happened and the carrier's `words`, if there are any."""
    return f"{what}: {words}" if words else what


def _seconds_between(earlier: str, later: str) -> float | None:
    try:
        return max(0.0, (parsedate_to_datetime(later) - parsedate_to_datetime(earlier)).total_seconds())
    except (ValueError, TypeError):  # TypeError: one has a zone and the other none
        return None
