"""Meaning of Onomondo's answers that do not bring the wanted result.

There is one pure function per kind of request. Nothing is published about the bodies of refusals.
"""

from http import HTTPStatus

from migrator.carriers.onomondo.wire import is_bulk_answer
from migrator.carriers.replies import Reply, common_trouble, sentence, unreadable
from migrator.errors import LoginRefused, NotAuthorised, Permanent, PlatformError

__all__ = ["sort_bulk", "sort_reply"]

CHECK_BASE_URL = "Check ONOMONDO_BASE_URL: it should be https://api.onomondo.com"
CHECK_KEY = (
    "Check ONOMONDO_API_KEY: it is a key of Onomondo's portal, begins with onok_, and goes out with and without the "
    "word Bearer. A key that was deleted there is refused, too."
)


def sort_reply(reply: Reply, *, is_write: bool) -> PlatformError | None:
    """Return the error that an answer means, or None.

    None means that the content has to be read.
    """
    if reply.is_success:
        is_read = reply.is_json and not reply.is_empty
        return None if is_read else _unreadable(reply, is_write=is_write)
    return _refusal(reply, is_write=is_write)


def sort_bulk(reply: Reply, *, is_write: bool) -> PlatformError | None:
    """Return the error that a bulk update's answer means, or None.

    The answer is text, with an object of JSON for each SIM on a line of its own.
    """
    if reply.is_success:
        return None if is_bulk_answer(reply) else _unreadable(reply, is_write=is_write)
    return _refusal(reply, is_write=is_write)


def _refusal(reply: Reply, *, is_write: bool) -> PlatformError:
    words = reply.words("message", "error")
    common = common_trouble(reply, is_write=is_write, carrier="Onomondo", words=words, base_url_hint=CHECK_BASE_URL)
    if common is not None:
        return common
    status = reply.status
    if status == HTTPStatus.UNAUTHORIZED:
        message = sentence("Onomondo refused the API key", words)
        return LoginRefused(message, carrier_words=words, status=status, hint=CHECK_KEY)
    if status == HTTPStatus.FORBIDDEN:
        message = sentence(f"Onomondo does not let us {reply.request} ({status})", words)
        return NotAuthorised(message, carrier_words=words, status=status, hint=CHECK_KEY)
    message = sentence(f"Onomondo refused {reply.request} ({status})", words)
    return Permanent(message, carrier_words=words, status=status)


def _unreadable(reply: Reply, *, is_write: bool) -> PlatformError:
    return unreadable(reply, is_write=is_write, carrier="Onomondo", base_url_hint=CHECK_BASE_URL)
