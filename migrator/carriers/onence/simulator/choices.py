"""Named answers to the questions that the carrier's reference leaves open.

There is one enumeration per open question.
"""

from enum import StrEnum

__all__ = [
    "AboveLargestPage",
    "BadBearer",
    "BadLogin",
    "BeyondEnd",
    "ExpiredSims",
    "LabelForm",
    "ListOrder",
    "Missing",
    "NoLimit",
    "OmittedFields",
    "OptionalIdentifiers",
    "QuotaDates",
    "SelectableLimits",
    "StatusWords",
    "TopUpTotal",
    "TotalsHeaders",
    "TotalsScope",
    "UnknownSim",
    "UsageCall",
    "V1Retired",
]


class BadLogin(StrEnum):
    """Refusal of a wrong client id or secret (reference, section 2.5)."""

    COGNITO = "cognito"  # 400 CognitoAuthenticationError, as recorded in 2021
    BAD_CREDENTIALS = "bad_credentials"  # 400 BadCredentials, as the contract has it
    EMPTY_401 = "empty_401"  # 401 without a body


class BadBearer(StrEnum):
    """Refusal of a wrong, expired or revoked token (reference, section 12.1)."""

    SPRING = "spring"  # 401 with timestamp, error, message and path, as recorded
    GATEWAY = "gateway"  # 401 {"message": "Unauthorized"}, as the front end would say it
    EMPTY = "empty"  # 401 without a body, as the contract has it


class ListOrder(StrEnum):
    """Order of the list when no sort is honoured."""

    FIXED = "fixed"  # arbitrary, and the same in every call, as recorded on an idle account
    RESHUFFLED = "reshuffled"  # another order in every call: pages repeat and miss SIMs


class TotalsHeaders(StrEnum):
    """Form of X-Total-Count and its three companions."""

    MIXED_CASE = "mixed_case"  # as recorded
    LOWER_CASE = "lower_case"  # as HTTP/2 and some proxies make them
    ABSENT = "absent"  # not at all


class TotalsScope(StrEnum):
    """Scope of X-Total-Count and X-Total-Pages."""

    LIST = "list"  # the whole list, as recorded
    ONE_PAGE = "one_page"  # this page alone: its rows, and one page
    NO_PAGES = "no_pages"  # the whole list, in 0 pages


class BeyondEnd(StrEnum):
    """Content of a page past the last page."""

    EMPTY = "empty"  # 200 []
    NOT_FOUND = "not_found"  # 404, which the contract lists
    LAST_AGAIN = "last_again"  # the last page once more
    LAST_SHUFFLED = "last_shuffled"  # the last page once more, in another order each time


class AboveLargestPage(StrEnum):
    """Effect of a `pageSize` above 100, below 1 or not a number."""

    CLAMP = "clamp"  # above 100 counts as 100, nonsense as the default of 10
    REFUSE = "refuse"  # 400


class Missing(StrEnum):
    """Form of a value that a SIM does not have."""

    OMITTED = "omitted"  # no key, as recorded
    NULL = "null"  # null
    EMPTY_TEXT = "empty_text"  # ""


class StatusWords(StrEnum):
    """Words for on and off."""

    MIXED = "mixed"  # the list says Enabled and the single call Activated, 4 s earlier, as recorded of one SIM
    ENABLED = "enabled"  # Enabled and Disabled everywhere, as the contract has it
    ACTIVATED = "activated"  # Activated and Deactivated everywhere, as the portal has it


class UnknownSim(StrEnum):
    """Answer of v1 about an ICCID that v1 does not know."""

    EMPTY_200 = "empty_200"  # 200 without a body, as recorded
    EMPTY_404 = "empty_404"  # 404 without a body, as the contract has it
    HTML_404 = "html_404"  # 404 with a page of HTML


class ExpiredSims(StrEnum):
    """Reads of a SIM whose lifetime is over.

    Writes to such a SIM are always refused with 422.
    """

    READABLE = "readable"  # listed, and its quota tells an expiry in the past
    UNREADABLE = "unreadable"  # listed, but every call about that SIM answers 422
    UNLISTED = "unlisted"  # not in the list, yet known by its ICCID


class LabelForm(StrEnum):
    """Odd forms of a SIM's label in a record.

    Nobody has seen these forms in replies of the true 1NCE.
    """

    OMITTED = "omitted"  # no key, as of a SIM that has no label
    OBJECT = "object"  # {"text": ...}, as v2 wraps other values
    NUMBER = "number"  # a number
    BROKEN = "broken"  # with bytes that are not UTF-8
    REPLACED = "replaced"  # with U+FFFD in good UTF-8: 1NCE itself has lost something


class QuotaDates(StrEnum):
    """Form of the dates in quotas."""

    SPACED = "spaced"  # YYYY-MM-DD HH:MM:SS without a zone, as recorded
    ISO_Z = "iso_z"  # YYYY-MM-DDTHH:MM:SS.000Z, as in the contract's examples


class OptionalIdentifiers(StrEnum):
    """SIMs that show iccid_with_luhn, imsi_2 and current_imsi."""

    SOME = "some"  # those that have them, as in listings of 2025
    NEVER = "never"  # none, as in 2021
    ALWAYS = "always"  # every one; what a SIM lacks is made up from its IMSI


class TopUpTotal(StrEnum):
    """Meaning of the totals of a SIM after a top-up.

    The totals are `current_quota` and v1's `total_volume`.
    """

    LIFETIME = "lifetime"  # everything ever booked, as the texts of v1 suggest
    SINCE_TOP_UP = "since_top_up"  # the rest at that moment plus the top-up, as v2 says of total_volume
    FIRST = "first"  # the first booking only: top-ups do not show


class NoLimit(StrEnum):
    """Form of a monthly limit that is not set."""

    KEY_MISSING = "key_missing"  # no key
    NULL = "null"  # null
    TEXT = "text"  # an entry whose `limit` is "No limit"


class SelectableLimits(StrEnum):
    """Shape of the choices for one service (reference, section 9.2)."""

    LIST = "list"  # an array of {id, limit, unit}, as the text says
    CURRENT = "current"  # the same object as the current limits, as the schema says
    SELECTABLE = "selectable"  # an object with `selectableLimits`, as one client has it


class OmittedFields(StrEnum):
    """Effect of a v1 update without `status` or `imei_lock`."""

    KEPT = "kept"  # they stay: clients have long sent partial updates
    DEFAULTED = "defaulted"  # the contract's defaults: the SIM is enabled and unlocked


class UsageCall(StrEnum):
    """Answer to the call for usage.

    The path of v2 is not documented (reference, section 14).
    """

    ANSWERED = "answered"  # both versions have it
    V1_ONLY = "v1_only"  # v2 has no such path: 404
    FORBIDDEN = "forbidden"  # 403 in both: the API user may not


class V1Retired(StrEnum):
    """Answer of v1 after its end (announced for the end of 2026)."""

    NO = "no"  # it still works
    GONE = "gone"  # 410
    NOT_FOUND = "not_found"  # 404
