"""Onomondo's JSON and our records.

No other file knows Onomondo's field names. Replies are read leniently: unknown keys pass, a missing key, null and ""
are alike, numbers may be text, and nothing but a plausible ICCID is required. Pure: no network, no clock.

Source of the section numbers: Onomondo's API pages, and public client code for `/usage`.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from migrator.carriers.lenient import flag_of, label_of, label_trouble, text_of, whole_of
from migrator.carriers.replies import Reply, shortened
from migrator.core.fleet.identifiers import Iccid, NotAnIdentifier
from migrator.core.fleet.secrets import clean_record
from migrator.core.fleet.sims import DataLimit, QuotaReading, SourceSim, SourceStatus, data_limit
from migrator.core.fleet.units import Bytes, decimal_of
from migrator.errors import WireMismatch
from migrator.ports import Reading, Remaining, SourcePage, SourceRow

__all__ = [
    "PAGE_SIZE",
    "Listed",
    "api_iccid",
    "day_of_use",
    "is_bulk_answer",
    "listed",
    "next_page",
    "reading",
    "session_word",
    "sim_id",
    "source_row",
    "told_of_each",
    "update_object",
]

PAGE_SIZE = 1000
"""Most SIMs that one list call returns, by the vendor's page."""

_STATUS = {True: (SourceStatus.ENABLED, "activated"), False: (SourceStatus.DISABLED, "deactivated")}
_SIM_ID = re.compile(r"[0-9]{9}")


# --- the list ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Listed:
    """Page of the list as it came, and the next token.

    No token is the end. `is_whole` is False where the bytes of the reply could not all be read.
    """

    rows: Sequence[Any]
    token: str | None
    total: int | None
    is_whole: bool

    def page(self, number: int, rows: Sequence[SourceRow]) -> SourcePage:
        """Return the page of these rows, which `source_row` has read."""
        return SourcePage(number, rows, total_sims=self.total, is_full=self.token is not None)


def listed(reply: Reply) -> Listed:
    """Read what a page of the list tells beside its SIMs.

    Raises: WireMismatch, where the body is no list of SIMs.
    """
    rows = reply.body.get("sims") if isinstance(reply.body, Mapping) else None
    if not isinstance(rows, list):
        raise WireMismatch(f"Onomondo answered {reply.request} with something that is no list of SIMs")
    return Listed(rows, next_page(reply.body), whole_of(reply.body.get("total")), reply.is_whole)


def next_page(body: Any) -> str | None:
    """Return the token of the next page, or None.

    The place of the token in a reply of `/sims` is unknown: at the top is assumed. `/usage` has it in `pagination`.
    """
    record = body if isinstance(body, Mapping) else {}
    within = record.get("pagination")
    return text_of(record.get("next_page")) or (
        text_of(within.get("next_page")) if isinstance(within, Mapping) else None
    )


def source_row(raw: Any, *, is_whole: bool = True) -> SourceRow:
    """Read one SIM, as listed or by its own record.

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
    trouble = label_trouble(record.get("label"), "Onomondo", is_whole=is_whole)
    problems = [*_problems(record), *([f"label: {trouble}"] if trouble else ())]
    return SourceRow(record, _source_sim(iccid, record), "; ".join(problems), label_trouble=trouble)


def _source_sim(iccid: Iccid, record: Mapping[str, Any]) -> SourceSim:
    status, word = _status(record.get("activated"))
    volumes = QuotaReading.NO_RECORD if _tells_all(record) else QuotaReading.NOT_READ
    return SourceSim(
        iccid=iccid,
        status=status,
        status_word=word,
        label=label_of(record.get("label")),
        imsi=text_of(record.get("imsi")),
        msisdn=text_of(record.get("msisdn")),
        imei=text_of(record.get("imei")),
        imei_lock=None if "imei_lock" not in record else text_of(record["imei_lock"]) is not None,
        ip_address=text_of(record.get("ipv4")),
        data_reading=volumes,
        sms_reading=volumes,
        data_limit=_data_limit(record.get("data_limit")),
        tags=_tags(record.get("tags")),
    )


def _tells_all(record: Mapping[str, Any]) -> bool:
    """True if a row leaves nothing to ask for."""
    return "imei" in record and "data_limit" in record


def _status(value: Any) -> tuple[SourceStatus, str]:
    """Return the status and its word.

    `activated` is the only status. Anything but yes and no is unknown, and never acted on.
    """
    is_activated = flag_of(value)
    if is_activated is None:
        return SourceStatus.UNKNOWN, "" if value is None else shortened(f"activated: {value!r}", 40)
    return _STATUS[is_activated]


def _data_limit(entry: Any) -> DataLimit | None:
    """Return the limit as told, in bytes.

    None where it cannot be read.
    """
    total = whole_of(entry.get("total")) if isinstance(entry, Mapping) else None
    if total is None or total < 0:
        return None
    return data_limit(Bytes(total), shortened(text_of(entry.get("type")) or "", 40))


def _tags(entries: Any) -> tuple[str, ...] | None:
    """Return the names of the tags in order, or None."""
    if not isinstance(entries, list):
        return None
    names = (text_of(entry.get("name")) for entry in entries if isinstance(entry, Mapping))
    return tuple(dict.fromkeys(name for name in names if name is not None))


def _problems(record: Mapping[str, Any]) -> list[str]:
    """Return the problems of a row that can still be used.

    A person should check these problems.
    """
    problems = []
    if flag_of(record.get("activated")) is None:
        problems.append(f"activated {shortened(repr(record.get('activated')), 40)} is neither true nor false")
    limit = record.get("data_limit")
    if limit is not None and _data_limit(limit) is None:
        problems.append("data_limit has no total that is a number of bytes")
    return problems


# --- one SIM -------------------------------------------------------------------------------------------------------


def api_iccid(iccid: Iccid) -> str:
    """Return the ICCID as Onomondo writes it: with its check digit."""
    return iccid.with_check_digit or iccid.digits


def sim_id(record: Any) -> str | None:
    """Return the SIM id, the key of updates, or None.

    The id has nine digits, and leading zeros matter. One that came as a number is not completed: it may be another's.
    """
    told = record.get("id") if isinstance(record, Mapping) else None
    return told if isinstance(told, str) and _SIM_ID.fullmatch(told) else None


def reading(row: SourceRow, iccid: Iccid) -> Reading:
    """Return what the record of a SIM tells beyond the list.

    Onomondo has no volumes that run out, and its limit is no such volume.
    """
    left = Remaining(QuotaReading.NO_RECORD, raw=row.raw)
    return Reading(iccid, left, Remaining(QuotaReading.NO_RECORD), sim=row.sim)


def session_word(record: Any) -> str | None:
    """Return the word for a SIM's session, or None."""
    is_online = flag_of(record.get("online")) if isinstance(record, Mapping) else None
    return None if is_online is None else ("ONLINE" if is_online else "OFFLINE")


# --- updates -------------------------------------------------------------------------------------------------------


def update_object(known_id: str, *, enabled: bool) -> dict[str, Any]:
    """Return the update that switches one SIM off or on.

    The update changes nothing else.
    """
    return {"id": known_id, "activated": enabled}


def is_bulk_answer(reply: Reply) -> bool:
    """True if a bulk update's answer can be read."""
    return reply.is_json or any(True for _ in _objects(reply))


def told_of_each(reply: Reply, ids: Sequence[str]) -> dict[str, str]:
    """Return what a bulk answer has against single SIMs, by id.

    A line that says "success" proves nothing, and a line that is missing tells nothing: only a read of the SIM decides.
    """
    told = {known: line for line in _objects(reply) if (known := sim_id(line)) is not None}
    troubles = {}
    for known in ids:
        line = told.get(known)
        if line is None:
            troubles[known] = "Onomondo's answer has no line for this SIM"
        elif flag_of(line.get("success")) is not True:
            words = next((text for key in ("error", "message", "reason") if (text := text_of(line.get(key)))), "")
            said = f": {reply.mask.words(words)}" if words else ""
            troubles[known] = f"Onomondo says that this SIM's update failed{said}"
    return troubles


def _objects(reply: Reply) -> Iterable[Mapping[str, Any]]:
    """Return the objects of a bulk answer.

    They stand on lines of their own, or in a list.
    """
    if reply.is_json:
        found = reply.body.get("sims", reply.body) if isinstance(reply.body, Mapping) else reply.body
        lines: Iterable[Any] = found if isinstance(found, list) else [found]
    else:
        lines = map(_parsed, reply.text.splitlines())
    return (line for line in lines if isinstance(line, Mapping))


def _parsed(line: str) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


# --- usage ---------------------------------------------------------------------------------------------------------


def day_of_use(bodies: Sequence[Any], iccid: Iccid, day: date) -> bool | None:
    """Return whether the SIM used anything on a day; None if unknown.

    Each body is one page of `/usage/ICCID` of that day. A day without a row was silent. Rows of another SIM or day show
    that the question was not understood, and a row that cannot be read may be use: neither proves silence.
    """
    is_sure = True
    for body in bodies:
        rows = body.get("usage") if isinstance(body, Mapping) else None
        if not isinstance(rows, list):
            return None
        for row in rows:
            volume = decimal_of(row.get("bytes")) if isinstance(row, Mapping) and _is_of(row, iccid, day) else None
            if volume is not None and volume > 0:
                return True
            is_sure = is_sure and volume is not None
    return False if is_sure else None


def _is_of(row: Mapping[str, Any], iccid: Iccid, day: date) -> bool:
    """True if a row is of this SIM and day."""
    named = text_of(row.get("iccid"))
    try:
        is_same = named is None or Iccid.parse(named) == iccid
    except NotAnIdentifier:
        is_same = False
    return is_same and (text_of(row.get("time")) or "")[:10] == day.isoformat()
