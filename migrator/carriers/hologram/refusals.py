"""Meaning of Hologram's answers that do not bring the wanted result.

The body decides, whatever the status: the vendor's SDK expects a refused claim under HTTP 200 with `success: false`,
other public code expects a 4xx with the same body (reference, sections 3.4 and 12).
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from migrator.carriers.hologram.wire import claim_reasons
from migrator.carriers.lenient import flag_of
from migrator.carriers.replies import Reply, common_trouble, sentence, unreadable
from migrator.errors import InsufficientBalance, LoginRefused, NotAuthorised, Permanent, PlatformError

__all__ = ["claim_refusal", "sort_reply"]

CHECK_BASE_URL = "Check HOLOGRAM_BASE_URL: it should be https://dashboard.hologram.io/api/1"
CHECK_KEY = "Check HOLOGRAM_API_KEY: Hologram does not know it, or no longer."
ADD_FUNDS = "Add funds at Hologram; the same command then goes on."
CHECK_ROLE = (
    "The owner of the API key needs the Admin or Manager role in the organization, with the `activation` permission "
    "for claims. Renaming many devices at once also needs the feature `bulk_rename`."
)

_NOT_LOGGED_IN = "not logged in"  # the error example of the 2016 reference
_NOT_PERMITTED = "no permissions to perform operation"  # the troubleshooting guide's wording
_SOUNDS_LIKE_MONEY = ("balance", "insufficient", "funds", "payment")


def sort_reply(reply: Reply, *, is_write: bool) -> PlatformError | None:
    """Return the error that an answer means, or None for success.

    An answer of success does not prove that all went well.
    """
    words = reply.words("error", "message")
    common = common_trouble(reply, is_write=is_write, carrier="Hologram", words=words, base_url_hint=CHECK_BASE_URL)
    if common is not None:
        return common
    went_well = _claims_success(reply.body) if reply.is_success else False
    if went_well is None:
        return unreadable(reply, is_write=is_write, carrier="Hologram", base_url_hint=CHECK_BASE_URL)
    return None if went_well else _refusal(reply, words)


def claim_refusal(error: Permanent) -> Permanent:
    """Return InsufficientBalance if a refused claim sounds like a lack of money.

    Any other refusal comes back as the same `error`. The words are only a hint, as nobody has published them. The
    balance gives the certain answer (reference, section 6.3).
    """
    heard = " ".join([error.carrier_words, *error.reasons.values()]).lower()
    sounds_like_money = any(word in heard for word in _SOUNDS_LIKE_MONEY)
    if isinstance(error, NotAuthorised) or not (sounds_like_money or error.status == HTTPStatus.PAYMENT_REQUIRED):
        return error
    return InsufficientBalance(
        error.message,
        reasons=error.reasons,
        carrier_words=error.carrier_words,
        status=error.status,
        hint=ADD_FUNDS,
    )


def _claims_success(body: Any) -> bool | None:
    """Read the success of the envelope; None without an envelope.

    A reply with data and no word about success has an envelope, too.
    """
    if not isinstance(body, Mapping):
        return None
    told = flag_of(body.get("success"))
    if told is not None:
        return told
    return False if "error" in body else ("data" in body or None)


def _refusal(reply: Reply, words: str) -> Permanent:
    status, heard = reply.status, words.lower()
    message = sentence(f"Hologram refused {reply.request} ({status})", words)
    if status == HTTPStatus.UNAUTHORIZED or _NOT_LOGGED_IN in heard:
        return LoginRefused(message, carrier_words=words, status=status, code="key_refused", hint=CHECK_KEY)
    if status == HTTPStatus.FORBIDDEN or _NOT_PERMITTED in heard:
        return NotAuthorised(message, carrier_words=words, status=status, hint=CHECK_ROLE)
    data = reply.body.get("data") if isinstance(reply.body, Mapping) else None
    reasons = {iccid: reply.mask.words(reason) for iccid, reason in claim_reasons(data).items()}
    if status == HTTPStatus.PAYMENT_REQUIRED:
        return InsufficientBalance(message, reasons=reasons, carrier_words=words, status=status, hint=ADD_FUNDS)
    return Permanent(message, reasons=reasons, carrier_words=words, status=status)
