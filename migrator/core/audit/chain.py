"""Audit chain: events, each with the hash of the event before.

Events are only ever added. An edit, a removal or an insertion breaks the chain from there on. A person who may rewrite
the whole file can also hash the file anew: so the newest hash (the head) should be noted elsewhere, in a ticket, and
compared with the store later.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = [
    "DAMAGE",
    "GENESIS",
    "AuditEvent",
    "chain_problems",
    "cutover_item_line",
    "digest_of",
    "event_document",
    "event_from",
    "follows",
    "guarded",
    "hash_of_lines",
    "plan_digest",
    "request_digest",
]

GENESIS = "0" * 64
"""Value in the place of a hash before the first event."""

DAMAGE = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
"""Errors from reading a row with missing or wrong values."""

_one_spelling = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode


@dataclass(frozen=True, slots=True)
class AuditEvent:
    """Event of the audit log.

    `at` is UTC seconds; `digest` is SHA-256 over this event and the digest before it.
    """

    seq: int
    at: float
    kind: str
    plan_id: str | None
    detail: Mapping[str, Any]
    digest: str


def digest_of(before: str, event: Mapping[str, Any]) -> str:
    """Return the digest of an event that follows the digest `before`.

    `event` is the document of the event; its own digest does not count.
    """
    told = [before, *(event[name] for name in ("seq", "at", "kind", "plan_id", "detail"))]
    return hashlib.sha256(_one_spelling(told).encode()).hexdigest()


def request_digest(method: str, path: str, body: str) -> str:
    """Return the SHA-256 of a request's method, path and body.

    `body` is JSON in the journal's spelling: no white space, ASCII.
    """
    return hashlib.sha256(f"{method} {path}\n{body}".encode()).hexdigest()


def hash_of_lines(lines: Iterable[str]) -> str:
    """Return the SHA-256 of some texts, in any order."""
    return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()


def plan_digest(header: str, policy_text: str, policy_json: str) -> str:
    """Return the SHA-256 of a plan without its changes.

    The header holds the fingerprint of the changes.
    """
    return hashlib.sha256(_one_spelling([header, policy_text, policy_json]).encode()).hexdigest()


def cutover_item_line(item: Sequence[Any]) -> str:
    """Return one SIM's line for the digest of a cutover or rollback.

    `item` holds key, position, action, wave and document.
    """
    return f"{_one_spelling(list(item))}\n"


def chain_problems(events: Iterable[AuditEvent], *, head: str | None = None) -> Iterator[str]:
    """Yield the problems of a chain, in words.

    A chain that holds has no problems.

    Args:
        events: all events, oldest first.
        head: a digest that was noted before, and that the chain must still hold.
    """
    before, last, found = GENESIS, 0, head in {None, GENESIS}
    for event in events:
        if event.seq != last + 1:
            yield f"events {last + 1} to {event.seq - 1} are missing"
        if not follows(before, event):
            yield f"event {event.seq} ({event.kind}) is not what was written, or does not follow the one before it"
        before, last = event.digest, event.seq
        found = found or event.digest == head
    if not found:
        yield f"no event has the digest {head}: the log is another one, or was cut short"


def follows(before: str, event: AuditEvent) -> bool:
    """True if an event is as written, behind the digest `before`."""
    try:
        return event.digest == digest_of(before, event_document(event))
    except DAMAGE:
        return False


def guarded(what: str, check: Callable[[], Iterable[str]]) -> Iterator[str]:
    """Yield the problems that a check finds.

    A row that is too damaged to be checked is a problem, too.
    """
    try:
        yield from check()
    except DAMAGE as error:
        yield f"{what} is damaged: it cannot be read ({type(error).__name__})"


def event_document(event: AuditEvent) -> dict[str, Any]:
    """Return an event as JSON values; `event_from` is its inverse."""
    return {
        "seq": event.seq,
        "at": event.at,
        "kind": event.kind,
        "plan_id": event.plan_id,
        "detail": dict(event.detail),
        "digest": event.digest,
    }


def event_from(values: Mapping[str, Any]) -> AuditEvent:
    """Return the event of a document.

    Raises: KeyError and TypeError, if the document is no event.
    """
    return AuditEvent(**{name: values[name] for name in ("seq", "at", "kind", "plan_id", "detail", "digest")})
