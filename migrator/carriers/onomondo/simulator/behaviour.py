"""Options of the simulator, and the named answers to open questions.

Defaults are what the vendor's pages say, or what is most likely.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from migrator.carriers.simulation import RateLimit

__all__ = [
    "AboveLargestLimit",
    "BulkLine",
    "KeyForm",
    "LastToken",
    "OnomondoBehaviour",
    "OnomondoUsage",
    "TokenPlace",
]


KEY_LIMIT = RateLimit(per_second=10, burst=10)
"""Assumed rate limit: nothing is published."""


class KeyForm(StrEnum):
    """Form of the key that an account takes."""

    BEARER = "bearer"  # after the word Bearer, as the vendor's page has it
    BARE = "bare"  # alone, as older pages and most public programs send it
    EITHER = "either"  # both


class AboveLargestLimit(StrEnum):
    """Effect of a `limit` above the largest."""

    CLAMP = "clamp"  # it counts as the largest
    REFUSE = "refuse"  # 400


class LastToken(StrEnum):
    """Form of `next_page` on the last page."""

    NULL = "null"  # null
    ABSENT = "absent"  # no key
    ITSELF = "itself"  # the token of this very page


class TokenPlace(StrEnum):
    """Place of `next_page` in a reply of the list."""

    TOP = "top"  # beside `sims`
    PAGINATION = "pagination"  # in an object, as in replies of /usage


class BulkLine(StrEnum):
    """Line of a bulk answer for one SIM."""

    FAILED = "failed"  # refused, with words, and nothing is done
    MISSING = "missing"  # done, and no line tells of it
    DROPPED = "dropped"  # no line, and nothing is done
    BOASTFUL = "boastful"  # a success is told, and nothing is done


class OnomondoUsage(StrEnum):
    """Answer to the calls for usage."""

    ANSWERED = "answered"  # rows of the day that is asked for
    FORBIDDEN = "forbidden"  # 403: the key may not
    UNKNOWN = "unknown"  # 404: no such path
    ANY_DAY = "any_day"  # the filter is not understood: rows of other days


@dataclass(frozen=True, slots=True, kw_only=True)
class OnomondoBehaviour:
    """Options of the simulated Onomondo.

    Times are seconds on the clock of the event loop; numbers count requests.
    """

    # The key
    key_form: KeyForm = KeyForm.BEARER  # what an account takes
    echoes_credentials: bool = False  # every object of every reply tells the key that was sent, in all its spellings

    # Pace
    rate_limit: RateLimit | None = KEY_LIMIT  # nothing is published; None: no limit
    too_many_every: int | None = None  # every k-th call gets 429 besides
    too_many_retry_after_s: int | None = 1  # Retry-After of those and of the fault TOO_MANY; None leaves it out
    latency_s: float = 0.0  # before every reply; the effect is there at once
    slow_s: float = 10.0  # what the fault SLOW adds to it
    hang_s: float = 600.0  # silence of the hanging faults before the connection breaks
    gzip: bool = True  # compress for clients that accept it

    # The list
    list_imei: bool = False  # whether listed SIMs have their hardware
    list_imsi: bool = False  # their IMSI and MSISDN
    list_data_limit: bool = False  # their limit
    largest_limit: int = 1000  # most SIMs on a page; one copy of the contract says 5000
    above_largest_limit: AboveLargestLimit = AboveLargestLimit.CLAMP  # what a larger `limit` does
    last_token: LastToken = LastToken.NULL  # next_page on the last page
    token_place: TokenPlace = TokenPlace.TOP  # where the token stands
    totals_told: bool = True  # whether `total` is there
    told_too_many: int = 0  # SIMs that `total` tells of and no page shows
    listed_twice: int = 0  # how many SIMs of the head of the list come once more at its end
    insert_every_pages: int | None = None  # after every k-th page a new SIM appears at the head of the list
    remove_every_pages: int | None = None  # after every k-th page the first SIM of the list is gone
    drift_at_most: int | None = None  # inserts and removals after which the list is quiet; None: never quiet
    said: tuple[tuple[str, str, Any], ...] = ()  # ICCID, field of its record, and what stands there instead

    # One SIM
    single_reads_of_others: frozenset[str] = frozenset()  # SIMs whose own record is answered with another SIM's
    has_pin: bool = False  # records hold PIN and PUK

    # Usage
    usage_call: OnomondoUsage = OnomondoUsage.ANSWERED  # who gets usage at all
    usage_page_rows: int = 100  # rows on a page of usage

    # Updates
    effect_s: float = 0.0  # how long after an update the change shows
    writes_applied: bool = True  # False: accepted, and nothing ever comes of it
    bulk_lines: Mapping[str, BulkLine] = field(default_factory=dict)  # ICCIDs whose line is odd
    bulk_reversed: bool = False  # lines come in another order than the updates
    bulk_refused: bool = False  # one unknown SIM refuses the whole list with 400; else its line tells
