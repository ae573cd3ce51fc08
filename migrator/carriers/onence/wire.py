"""1NCE's JSON and our records.

No other file knows 1NCE's field names and dates. Replies are read leniently (reference, section 16.3): unknown keys
pass, a missing key, null and "" are alike, numbers may be text, and nothing but a plausible ICCID is required. Pure: no
network, no clock.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from migrator.carriers.lenient import flag_of, label_of, label_trouble, text_of, whole_of
from migrator.carriers.replies import Reply, shortened
from migrator.core.fleet.identifiers import Iccid, NotAnIdentifier
from migrator.core.fleet.secrets import clean_record
from migrator.core.fleet.sims import AccountLimits, QuotaReading, SourceSim, source_status
from migrator.core.fleet.units import decimal_of
from migrator.errors import WireMismatch
from migrator.ports import Remaining, SourcePage, SourceRow, SourceSimState

__all__ = [
    "PAGE_SIZE",
    "Grant",
    "account_limits",
    "api_iccid",
    "grant",
    "parse_moment",
    "remaining",
    "session_word",
    "source_page",
    "source_row",
    "update_object",
    "used_days",
]

PAGE_SIZE = 100
"""Most SIMs that one list call returns (reference, section 4.1)."""

UNTOLD_LIFETIME_S = 300.0
"""Assumed lifetime of a token without `expires_in`, in seconds.

A 401 shows if the lifetime is shorter.
"""


# --- the token -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Grant:
    """Token, and the number of seconds that it has left.

    The same token comes again with fewer seconds (section 2.3).
    """

    token: str = field(repr=False)
    expires_in_s: float


def grant(reply: Reply) -> Grant | None:
    """Return the token in a login's answer, or None.

    None means that there is no token that could go into a header.
    """
    body = reply.body if isinstance(reply.body, Mapping) else {}
    token = text_of(body.get("access_token")) or ""
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        return None
    expires_in_s = decimal_of(body.get("expires_in"))
    return Grant(token, UNTOLD_LIFETIME_S if expires_in_s is None else float(expires_in_s))


# --- the list ------------------------------------------------------------------------------------------------------


def source_page(reply: Reply, number: int) -> SourcePage:
    """Read one page of the list.

    Some services send an earlier page again past the end. So a reply that names an earlier page is an empty page.

    Raises: WireMismatch, where the body is no list of SIMs.
    """
    rows = _list_of(reply.body)
    if rows is None:
        raise WireMismatch(f"1NCE answered {reply.request} with something that is no list of SIMs")
    if (whole_of(reply.headers.get("x-current-page")) or number) < number:
        rows = ()
    return SourcePage(
        number=number,
        rows=[source_row(row, is_whole=reply.is_whole) for row in rows],
        total_sims=whole_of(reply.headers.get("x-total-count")),
        total_pages=whole_of(reply.headers.get("x-total-pages")),
        is_full=len(rows) >= _full_page(reply),
    )


def _full_page(reply: Reply) -> int:
    """Return the number of rows of a full page.

    The number is what we asked for, or what the service gives where that is fewer.
    """
    told = whole_of(reply.headers.get("x-count-per-page"))
    return min(told, PAGE_SIZE) if told and told > 0 else PAGE_SIZE


def _list_of(body: Any) -> Sequence[Any] | None:
    """Return the rows of the list, or None without a list.

    The body is an array; the vendor's own sample code reads `results` (section 4.2).
    """
    rows = body.get("results") if isinstance(body, Mapping) else body
    return rows if isinstance(rows, list) else None


def source_row(raw: Any, *, is_whole: bool = True) -> SourceRow:
    """Read one SIM as listed.

    A row without a plausible ICCID is reported, not guessed. `is_whole` is False for a row of a reply whose bytes could
    not all be read.
    """
    if not isinstance(raw, Mapping):
        return SourceRow(raw={}, sim=None, problem="the row is not an object")
    record = clean_record(raw)
    try:
        iccid = Iccid.parse(text_of(record.get("iccid")) or "")
    except NotAnIdentifier as error:
        return SourceRow(raw=record, sim=None, problem=str(error))
    trouble = label_trouble(record.get("label"), "1NCE", is_whole=is_whole)
    problems = [*_problems(iccid, record), *([f"label: {trouble}"] if trouble else ())]
    return SourceRow(record, _source_sim(iccid, record), "; ".join(problems), label_trouble=trouble)


def _source_sim(iccid: Iccid, record: Mapping[str, Any]) -> SourceSim:
    status_word = _word(record.get("status")) or ""
    return SourceSim(
        iccid=iccid,
        status=source_status(status_word),
        status_word=status_word,
        label=label_of(record.get("label")),
        imsi=text_of(record.get("imsi")),
        msisdn=text_of(record.get("msisdn")),
        imei=_imei(record.get("imei")),
        imei_lock=flag_of(record.get("imei_lock")),
        ip_address=text_of(record.get("ip_address")),
        activated_at=text_of(record.get("activation_date")),
        data_quota_mb=decimal_of(record.get("current_quota")),
        sms_quota=decimal_of(record.get("current_quota_SMS")),
    )


def _problems(iccid: Iccid, record: Mapping[str, Any]) -> list[str]:
    """Return the problems of a row that can still be used.

    A person should check these problems.
    """
    problems = []
    with_check_digit = text_of(record.get("iccid_with_luhn"))
    if with_check_digit is not None and not _is_same_sim(iccid, with_check_digit):
        problems.append(f"iccid_with_luhn {shortened(with_check_digit, 40)} is another SIM than iccid {iccid}")
    for key in ("current_quota", "current_quota_SMS"):
        value = record.get(key)
        if value is not None and value != "" and decimal_of(value) is None:
            problems.append(f"{key} {shortened(repr(value), 40)} is not a number")
    activated_at = text_of(record.get("activation_date"))
    if activated_at is not None and parse_moment(activated_at) is None:
        problems.append(f"activation_date {shortened(repr(activated_at), 40)} is not a date")
    return problems


def _is_same_sim(iccid: Iccid, text: str) -> bool:
    try:
        return Iccid.parse(text) == iccid
    except NotAnIdentifier:
        return False


def api_iccid(iccid: Iccid) -> str:
    """Return the ICCID as 1NCE's paths take it: 19 digits.

    The check digit is left out. The effect of 20 digits is unknown (section 5).
    """
    is_printed_form = len(iccid.digits) == 20 and iccid.has_right_check_digit  # noqa: PLR2004 - digits of an ICCID
    return iccid.digits[:-1] if is_printed_form else iccid.digits


# --- updates -------------------------------------------------------------------------------------------------------


def update_object(order: SourceSimState) -> dict[str, Any]:
    """Return the update that switches one SIM off or on.

    The update always has all four fields (section 10.1). The effect of a missing field is unknown, and the contract's
    defaults would re-enable a SIM and lift its IMEI lock. A SIM without a label goes out with an empty label, which the
    list shows as no label.
    """
    return {
        "iccid": api_iccid(order.iccid),
        "status": "Enabled" if order.enabled else "Disabled",
        "label": order.label or "",
        "imei_lock": order.imei_lock,
    }


# --- quota and limits ----------------------------------------------------------------------------------------------


def remaining(reply: Reply) -> Remaining:
    """Read the rest of one service's volume (sections 6 and 14).

    The rest may be negative; an absent volume is never zero.
    """
    if reply.body is None:
        return Remaining(QuotaReading.NO_RECORD)
    if not isinstance(reply.body, Mapping):
        return Remaining(QuotaReading.FAILED)
    record = clean_record(reply.body)
    volume = decimal_of(record.get("volume"))
    reading = QuotaReading.FAILED if volume is None else QuotaReading.READ
    return Remaining(reading, volume=volume, expires_at=text_of(record.get("expiry_date")), raw=record)


def used_days(body: Any) -> dict[date, bool] | None:
    """Return for each day if anything was used, data or messages.

    The result is None where the body is no usage (section 7). The last row of the body is a sum, dated TOTAL. A day
    whose volumes cannot be read is left out: it proves nothing.
    """
    stats = body.get("stats") if isinstance(body, Mapping) else None
    if not isinstance(stats, list):
        return None
    days = {}
    for row in stats:
        if not isinstance(row, Mapping):
            continue
        day, volumes = _day(row.get("date")), [_volume(row.get(service)) for service in ("data", "sms")]
        told = [volume for volume in volumes if volume is not None]
        if day is not None and (any(told) or len(told) == len(volumes)):
            days[day] = any(told)
    return days


def _volume(entry: Any) -> Decimal | None:
    return decimal_of(entry.get("volume")) if isinstance(entry, Mapping) else None


def _day(value: Any) -> date | None:
    """Read a day, also from a full timestamp.

    The contract's own example of a day is a full timestamp.
    """
    try:
        return date.fromisoformat((text_of(value) or "")[:10])
    except ValueError:
        return None


def account_limits(body: Any) -> AccountLimits:
    """Read the monthly caps (section 9.1).

    The form of "no limit" is unknown: whatever is no number is None.
    """
    record = body if isinstance(body, Mapping) else {}
    return AccountLimits(data_mb=_limit(record.get("data"), "MB"), sms_mo=_limit(record.get("smsMo"), "SMS"))


def _limit(entry: Any, unit: str) -> Decimal | None:
    if not isinstance(entry, Mapping):
        return None
    told = text_of(entry.get("unit")) or unit
    return decimal_of(entry.get("limit")) if told.upper() == unit else None


# --- single values -------------------------------------------------------------------------------------------------


def parse_moment(text: str) -> datetime | None:
    """Read a date as 1NCE writes it, as UTC, or return None.

    Every form of 1NCE's dates is read. A date without a zone is taken for UTC (section 16.3, unverified). Zeros stand
    for "never".
    """
    try:
        moment = datetime.fromisoformat(text.strip())
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def session_word(body: Any) -> str | None:
    """Return the word for a SIM's session in a reply of `status`."""
    word = _word(body.get("status")) if isinstance(body, Mapping) else None
    return None if word is None else word.upper()


def _word(value: Any) -> str | None:
    """Return a word of 1NCE's.

    The word is plain in v1; v2 wraps some words in an object with a description.
    """
    return text_of(value.get("description")) if isinstance(value, Mapping) else text_of(value)


def _imei(value: Any) -> str | None:
    """Return the IMEI without the f that some operators append.

    Source: reference, section 4.4.
    """
    return (text_of(value) or "").rstrip("fF") or None
