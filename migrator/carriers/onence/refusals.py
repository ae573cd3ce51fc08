"""Meaning of 1NCE's answers that do not bring the wanted result.

There is one pure function per kind of request.

Source: reference, sections 2.5 (login) and 12 (everything else).
"""

from collections.abc import Mapping
from http import HTTPStatus

from migrator.carriers.onence.wire import grant
from migrator.carriers.replies import Reply, common_trouble, sentence, unreadable
from migrator.errors import LoginFailed, LoginRefused, NotAuthorised, Permanent, PlatformError

__all__ = ["CHECK_BASE_URL", "EXPIRED_STATUS", "is_no_such_route", "sort_login", "sort_reply"]

EXPIRED_STATUS = HTTPStatus.UNPROCESSABLE_ENTITY
"""Status of refusals of a SIM whose lifetime is over.

Source: reference, section 12.3.
"""

CHECK_BASE_URL = "Check ONENCE_BASE_URL: it should be https://api.1nce.com/management-api"
CHECK_CREDENTIALS = (
    "Check ONENCE_CLIENT_ID and ONENCE_CLIENT_SECRET. They are the client id and secret of an API user (1NCE portal, "
    "Account, Management API Access); one that was not used for long may need a new secret."
)
CHECK_ROLE = (
    "1NCE lets API users call this API. The portal roles Admin, User and Read Only may not; an Owner may get a token "
    "and still be refused. A token sees one organisation: SIMs of a sub-organisation need that one's own credentials."
)

_REFUSED = {HTTPStatus.BAD_REQUEST, HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}
_OUR_OWN_MISTAKES = {"BodyValidationError", "UnsupportedContentTypeError"}
_NO_SUCH_ROUTE = {
    HTTPStatus.NOT_FOUND,
    HTTPStatus.METHOD_NOT_ALLOWED,
    HTTPStatus.GONE,
    HTTPStatus.NOT_IMPLEMENTED,
}


def sort_reply(reply: Reply, *, is_write: bool) -> PlatformError | None:
    """Return the error that an answer means, or None.

    The answer may be to anything under /v1 or /v2. None means that the content has to be read. An empty 200 is no error
    here: it means "no such record" for one SIM, and trouble for the list.
    """
    if reply.is_success:
        return None if reply.is_json else _unreadable(reply, is_write=is_write)
    common = _common(reply, is_write=is_write)
    if common is not None:
        return common
    status, words = reply.status, _words(reply)
    if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        hint = CHECK_ROLE if status == HTTPStatus.FORBIDDEN else CHECK_CREDENTIALS
        message = sentence(f"1NCE does not let us {reply.request} ({status})", words)
        return NotAuthorised(message, carrier_words=words, status=status, hint=hint)
    code = "expired" if status == EXPIRED_STATUS else ""
    message = sentence(f"1NCE refused {reply.request} ({status})", words)
    return Permanent(message, carrier_words=words, status=status, code=code)


def sort_login(reply: Reply, *, is_write: bool) -> PlatformError | None:
    """Return the error that an answer to the login means, or None.

    None means that the answer holds a token. Refused credentials are a 400 with an errorCode, by hearsay a 401. They
    are never tried again: nobody knows when 1NCE locks an account.
    """
    if reply.is_success:
        return _unreadable(reply, is_write=is_write) if grant(reply) is None else None
    common = _common(reply, is_write=is_write)
    if common is not None:
        return common
    status, words = reply.status, _words(reply)
    error_code = reply.body.get("errorCode") if isinstance(reply.body, Mapping) else None
    if status in _REFUSED and error_code not in _OUR_OWN_MISTAKES:
        message = sentence("1NCE refused the login", words)
        return LoginRefused(message, carrier_words=words, status=status, hint=CHECK_CREDENTIALS)
    message = sentence(f"1NCE did not understand the login ({status})", words)
    return LoginFailed(message, carrier_words=words, status=status, hint=CHECK_BASE_URL)


def is_no_such_route(error: Permanent) -> bool:
    """True if a version of the API is not there.

    Assumed: API Gateway, which 1NCE's replies come from, answers an unknown route 403 "Missing Authentication Token".
    """
    says_gateway = "missing authentication token" in error.carrier_words.lower()
    return error.status in _NO_SUCH_ROUTE or (error.status == HTTPStatus.FORBIDDEN and says_gateway)


def _common(reply: Reply, *, is_write: bool) -> PlatformError | None:
    return common_trouble(reply, is_write=is_write, carrier="1NCE", words=_words(reply), base_url_hint=CHECK_BASE_URL)


def _unreadable(reply: Reply, *, is_write: bool) -> PlatformError:
    return unreadable(reply, is_write=is_write, carrier="1NCE", base_url_hint=CHECK_BASE_URL)


def _words(reply: Reply) -> str:
    return reply.words("message", "error", "errorCode", "error_token")
