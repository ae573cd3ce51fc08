"""Rows of an exported inventory as SIMs.

A row is a record of a CSV, or a line of our own export.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from migrator.core.fleet.iccid_text import looks_rounded, may_be_rounded
from migrator.core.fleet.identifiers import Iccid
from migrator.core.fleet.secrets import is_secret_key, shown_title
from migrator.core.fleet.sims import DataLimit, QuotaReading, SourceSim, SourceStatus, data_limit, source_status
from migrator.core.fleet.units import Bytes, decimal_of
from migrator.errors import Problem
from migrator.inputs.files.text import unwrapped
from migrator.inputs.inventory.columns import Column, Columns
from migrator.inputs.inventory.dialects import OF_ONENCE, Dialect
from migrator.inputs.inventory.titles import FIELDS, is_machine_title
from migrator.inputs.inventory.values import (
    BadValue,
    Words,
    flag_parser,
    limit_parser,
    parse_bytes,
    parse_digits,
    parse_iccid,
    parse_label,
    parse_reading,
    parse_tags,
    parse_text,
    status_parser,
    volume_parser,
)

__all__ = ["CsvRows", "ImportedRow", "JsonRows"]

_HALF = re.compile("[\ud800-\udfff]")
"""Half of a surrogate pair in UTF-16.

UTF-16 writes a character past U+FFFF with two halves. JSON can hold a single half, but no text can.
"""

EXPORT_HINT = "a line of `inventory export` is one JSON object; export it again rather than mending it by hand"


@dataclass(frozen=True, slots=True)
class ImportedRow:
    """Row with its SIM and its record, or with its problems.

    The record has no PIN and no PUK. `may_be_rounded` helps to judge the ICCID once all rows are known. It is always
    False for our own export, which no spreadsheet has changed.
    """

    line: int
    sim: SourceSim | None
    raw: Mapping[str, Any]
    problems: Sequence[Problem] = ()
    may_be_rounded: bool = False


class CsvRows:
    """Reader that turns the cells of a record into a SIM.

    Args:
        name: the file's, for messages.
        columns: the header.
        statuses: collects the words for a status that are not known.
        dialect: whose file it is.
    """

    def __init__(self, name: str, columns: Columns, statuses: Words, dialect: Dialect = OF_ONENCE) -> None:
        self._name = name
        self._columns = columns
        self._statuses = statuses
        self._parsers = [(column.field, column.at, _parser(column, dialect)) for column in columns.used]
        self._kept = [(column.title or f"column {column.at + 1}", column.at) for column in columns.used]
        self._kept += columns.kept
        self._at = next(column.at for column in columns.used if column.field == "iccid")

    def row(self, line: int, cells: Sequence[str]) -> ImportedRow:
        """Return the SIM of one record."""
        place = f"{self._name}:{line}"
        if len(cells) > self._columns.width and any(cell.strip() for cell in cells[self._columns.width :]):
            words = f"{place}: {len(cells)} values under {self._columns.width} titles"
            hint = "a delimiter within a value needs quotation marks around the value"
            return ImportedRow(line, None, {}, (Problem("too_many_values", words, hint),))
        values: dict[str, Any] = {}
        problems = []
        for field, at, parse in self._parsers:
            try:
                values[field] = parse(cells[at] if at < len(cells) else "")
            except BadValue as error:
                problems.append(error.at(f"{place} ({field})"))
        if problems:
            return ImportedRow(line, None, {}, problems)
        record = {title: cells[at] for title, at in self._kept if at < len(cells) and cells[at]}
        is_doubtful = looks_rounded(values["iccid"].digits) and may_be_rounded(
            unwrapped(cells[self._at]), values["iccid"]
        )
        return ImportedRow(line, self._sim(values), {"line": line, "record": record}, may_be_rounded=is_doubtful)

    def _sim(self, values: dict[str, Any]) -> SourceSim:
        """Build the SIM from parsed values.

        Our own export has a status column, and a second column with the status word of 1NCE.
        """
        word = values.pop("status", None) or ""
        told = values.pop("status_word", None)
        status = source_status(word)
        if status is SourceStatus.UNKNOWN:
            self._statuses.note(word)
        if "data_limit_bytes" in values:
            values["data_quota_mb"] = values.pop("data_limit_bytes")
        values["data_limit"] = _limit_of(values.pop("period_limit_bytes", None), values.pop("limit_period", None))
        for volume, reading in (("data_remaining_mb", "data_reading"), ("sms_remaining", "sms_reading")):
            if values.get(reading) is None:
                values[reading] = QuotaReading.NOT_READ if values.get(volume) is None else QuotaReading.READ
        return SourceSim(status=status, status_word=word if told is None else told, **values)


def _parser(column: Column, dialect: Dialect) -> Callable[[str], Any]:
    is_by_hand = column.how == "by hand"
    if column.field == "status":
        return status_parser(column.title, dialect)
    if column.field == "imei_lock":
        return flag_parser(dialect)
    if column.field == "data_limit_bytes":
        return limit_parser(column.title, dialect, by_hand=is_by_hand)
    if column.field == "data_quota_mb" and dialect.is_other and not is_machine_title(column.title):
        return limit_parser(f"{column.title} MB", dialect, by_hand=False)  # chosen by hand: it is in MB, of some size
    unit = _UNITS.get(column.field)
    if unit is not None:
        return volume_parser(column.title, unit=unit, by_hand=is_by_hand)
    return _PARSERS.get(column.field, parse_text)


def _limit_of(volume: int | None, word: str | None) -> DataLimit | None:
    """Return a limit of a period, or None."""
    return None if volume is None else data_limit(Bytes(volume), word or "")


_UNITS = {"data_quota_mb": "MB", "data_remaining_mb": "MB", "sms_quota": "SMS", "sms_remaining": "SMS"}
_PARSERS: Mapping[str, Callable[[str], Any]] = {
    "iccid": parse_iccid,
    "label": parse_label,
    "imsi": parse_digits,
    "msisdn": parse_digits,
    "imei": parse_digits,
    "data_reading": parse_reading,
    "sms_reading": parse_reading,
    "period_limit_bytes": parse_bytes,
    "tags": parse_tags,
}


class JsonRows:
    """Reader that turns a line of our own export into its SIM."""

    def __init__(self, name: str, statuses: Words) -> None:
        self._name = name
        self._statuses = statuses
        self.unused = Words(shown_title)
        self.secret = Words(shown_title)

    def row(self, line: int, text: str) -> ImportedRow:
        """Return the SIM of one line."""
        place = f"{self._name}:{line}"
        try:
            values = json.loads(text)
        except (ValueError, RecursionError):
            return self._refused(line, Problem("bad_json", f"{place}: no JSON object", EXPORT_HINT))
        if not isinstance(values, dict):
            return self._refused(line, Problem("bad_json", f"{place}: JSON, but no object", EXPORT_HINT))
        for key in values.keys() - set(FIELDS):
            (self.secret if is_secret_key(key) else self.unused).note(key)
        record = {name: values[name] for name in FIELDS if name in values}
        try:
            sim = _sim_of(record)
        except BadValue as error:
            return self._refused(line, error.at(place))
        if sim.status is SourceStatus.UNKNOWN:
            self._statuses.note(sim.status_word)
        return ImportedRow(line, sim, {"line": line, "record": record})

    @staticmethod
    def _refused(line: int, problem: Problem) -> ImportedRow:
        return ImportedRow(line, None, {}, (problem,))


def _sim_of(record: Mapping[str, Any]) -> SourceSim:
    lock = record.get("imei_lock")
    if lock is not None and not isinstance(lock, bool):
        raise _wrong("imei_lock", "true, false or null")
    return SourceSim(
        iccid=_iccid(record.get("iccid")),
        status=_one_of(SourceStatus, record, "status"),
        status_word=_text(record, "status_word") or "",
        label=_text(record, "label"),
        imsi=_text(record, "imsi"),
        msisdn=_text(record, "msisdn"),
        imei=_text(record, "imei"),
        imei_lock=lock,
        ip_address=_text(record, "ip_address"),
        activated_at=_text(record, "activated_at"),
        data_quota_mb=_volume(record, "data_quota_mb"),
        sms_quota=_volume(record, "sms_quota"),
        data_reading=_one_of(QuotaReading, record, "data_reading"),
        data_remaining_mb=_volume(record, "data_remaining_mb"),
        sms_reading=_one_of(QuotaReading, record, "sms_reading"),
        sms_remaining=_volume(record, "sms_remaining"),
        expires_at=_text(record, "expires_at"),
        data_limit=_limit_of(_whole(record, "period_limit_bytes"), _text(record, "limit_period")),
        tags=_texts(record, "tags"),
    )


def _iccid(value: object) -> Iccid:
    if isinstance(value, int | float):
        raise BadValue("not_an_iccid", "iccid is a number, expected text: a program may have rounded it", EXPORT_HINT)
    if not isinstance(value, str):
        raise _wrong("iccid", "text")
    return parse_iccid(value)


def _text(record: Mapping[str, Any], name: str) -> str | None:
    value = record.get(name)
    if value is not None and not isinstance(value, str):
        raise _wrong(name, "text or null")
    if value is not None and not value.isascii() and _HALF.search(value):
        raise BadValue("bad_value", f"{name} holds half a character, which nobody can keep as it is", EXPORT_HINT)
    return value


def _volume(record: Mapping[str, Any], name: str) -> Decimal | None:
    text = _text(record, name)
    number = decimal_of(text)
    if text is not None and number is None:
        raise _wrong(name, "a number as text, or null")
    return number


def _whole(record: Mapping[str, Any], name: str) -> int | None:
    value = record.get(name)
    if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 0):
        raise _wrong(name, "a whole number from 0 on, or null")
    return value


def _texts(record: Mapping[str, Any], name: str) -> tuple[str, ...] | None:
    values = record.get(name)
    if values is None:
        return None
    if not isinstance(values, list):
        raise _wrong(name, "a list of texts, or null")
    texts = tuple(_text({name: value}, name) for value in values)
    if None in texts:
        raise _wrong(name, "a list of texts, or null")
    return tuple(filter(None, texts))


def _one_of(words: Any, record: Mapping[str, Any], name: str) -> Any:
    try:
        return words(record.get(name))
    except ValueError:
        raise _wrong(name, "one of " + ", ".join(words)) from None


def _wrong(name: str, expected: str) -> BadValue:
    return BadValue("bad_value", f"{name} is not as our export writes it: expected {expected}", EXPORT_HINT)
