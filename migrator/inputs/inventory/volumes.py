"""Volumes as people and spreadsheets write them.

A text with a single meaning is read. A text with two meanings is refused. A limit that is a thousand times too large
costs money. A limit that is a thousand times too small silences a unit.
"""

import re
from decimal import Context, Decimal

from migrator.core.fleet.units import BYTES_PER_MB, decimal_of

__all__ = ["UnclearVolume", "has_unit", "limit", "title_unit", "volume", "without_unit"]

PLAIN_HINT = "write it as a plain number with a decimal point and no thousands separator, as 1024.5"
_UNITS = r"bytes?|[kmgt]i?b|sms"
_WITH_UNIT = re.compile(rf"(?P<number>[^a-z]*?)\s*(?P<unit>{_UNITS})?", re.IGNORECASE)
_TITLE_UNIT = re.compile(rf"(?<![a-z])(?P<unit>{_UNITS})(?![a-z])", re.IGNORECASE)
_EXACT = Context(prec=200)
_POWERS = {"K": 1, "M": 2, "G": 3, "T": 4}
_GROUPED = re.compile(r"[+-]?\d{1,3}(?:[.,]\d{3})+")
_SPACES = re.compile(r"(?<=\d)[ \u00a0\u202f'\u2019](?=\d{3}(?!\d))")  # thousands that no decimal can be taken for


class UnclearVolume(ValueError):
    """Text that is no volume, or has two meanings.

    The message gives the reason, and `hint` the text to write instead. `masked` gives the reason without the digits,
    because a number without a unit may be a PIN in the wrong column.
    """

    def __init__(self, words: str, hint: str = PLAIN_HINT, *, masked: str = "") -> None:
        super().__init__(words)
        self.hint = hint
        self.masked = masked or words


def has_unit(text: str) -> bool:
    """True if the text is a number with a unit.

    Such a number is no PIN.
    """
    found = _WITH_UNIT.fullmatch(text.strip())
    return found is not None and bool(found["number"] and found["unit"])


def title_unit(title: str) -> str:
    """Return the unit in a column's title, in capitals.

    Empty if the title names no unit.
    """
    found = _TITLE_UNIT.search(title.replace("_", " "))
    return found["unit"].upper() if found else ""


def without_unit(title: str) -> str:
    """Return a column's title without the unit in it."""
    return _TITLE_UNIT.sub("", title.replace("_", " "))


def limit(text: str, *, assumed: str, bytes_per_mb: int | None, point_is_decimal: bool = False) -> Decimal:
    """Read the data limit in a cell, to the byte.

    The result is in MB of 1,048,576 bytes.

    Args:
        text: as written.
        assumed: the unit of a number without one, from the column's title; empty if the title names no unit.
        bytes_per_mb: bytes that the carrier means by one MB; None where nobody told. KiB, MiB and GiB need no telling.
        point_is_decimal: whether a program wrote the number.

    Raises: UnclearVolume.
    """
    found = _WITH_UNIT.fullmatch(text.strip())
    if found is None or not found["number"]:
        raise UnclearVolume("is no volume")
    told = (found["unit"] or assumed).upper()
    if not told:
        hint = "write MB, GB or bytes behind it; if the whole column is in bytes: --column data_limit_bytes=TITLE"
        raise UnclearVolume("has no unit, and neither has its title", hint)
    if told == "SMS":
        raise UnclearVolume("counts SMS, and is no data limit", "choose another column, or --column data_limit_bytes=")
    number = _number(found["number"], point_is_decimal=point_is_decimal)
    return _EXACT.divide(_EXACT.multiply(number, _bytes_of(told, bytes_per_mb)), Decimal(BYTES_PER_MB))


def _bytes_of(unit: str, bytes_per_mb: int | None) -> Decimal:
    """Return the bytes of one unit.

    Raises: UnclearVolume, for a unit that is one thing here and another thing there.
    """
    if unit.startswith("BYTE"):
        return Decimal(1)
    power = _POWERS[unit[0]]
    if "I" in unit:
        return Decimal(1024**power)
    if bytes_per_mb is None:
        words = f"is in {unit}, and nobody told what a MB of this carrier is"
        hint = "ask the carrier, then say it: --megabyte 1000000 or --megabyte 1048576"
        raise UnclearVolume(words, hint)
    return Decimal((1024 if bytes_per_mb == BYTES_PER_MB else 1000) ** power)


def volume(text: str, *, unit: str, assumed: str, point_is_decimal: bool = False) -> Decimal:
    """Read the volume in a cell, in `unit`.

    Args:
        text: as written.
        unit: "MB" or "SMS", the wanted unit. Nothing is converted: a GB may hold 1000 or 1024 MB.
        assumed: the unit of a number without one, from the column's title; empty if the title names no unit.
        point_is_decimal: whether a program wrote the number, so that 1.024 is a little more than one.

    Raises: UnclearVolume.
    """
    found = _WITH_UNIT.fullmatch(text.strip())
    if found is None or not found["number"]:
        raise UnclearVolume("is no volume")
    told = (found["unit"] or assumed).upper()
    if not told:
        hint = f"write {unit} behind it, or choose the column by hand (--column) if all of it is in {unit}"
        raise UnclearVolume(f"has no unit, and neither has its title; {unit} is what 1NCE counts", hint)
    if told != unit:
        raise UnclearVolume(f"is in {told}, not in {unit}", f"write it in {unit}: only you know how it was converted")
    return _number(found["number"], point_is_decimal=point_is_decimal)


def _number(text: str, *, point_is_decimal: bool) -> Decimal:
    digits = _SPACES.sub("", text.strip())
    number = decimal_of(digits if point_is_decimal and "," not in digits else _with_point(digits))
    if number is None:
        raise UnclearVolume("is no volume")
    return number


def _with_point(digits: str) -> str:
    """Return `digits` with a decimal point, or with no separator.

    Raises: UnclearVolume, where the separator may be of either kind.
    """
    separators = re.sub(r"[^.,]", "", digits)
    if not separators:
        return digits
    last = separators[-1]
    if len(set(separators)) > 1:  # two kinds: the last is the decimal one, and all before it group
        whole, _, decimals = digits.rpartition(last)
        if last in whole or not _GROUPED.fullmatch(whole) or not decimals.isdecimal():
            raise UnclearVolume("is no volume")
        return f"{re.sub('[.,]', '', whole)}.{decimals}"
    if len(separators) > 1:
        if not _GROUPED.fullmatch(digits):
            raise UnclearVolume("is no volume")
        return digits.replace(last, "")
    if _GROUPED.fullmatch(digits) and not re.match(r"[+-]?0", digits):
        words = f"may be {digits.replace(last, '')} or {digits.replace(last, '.')}: the {last!r} can be read both ways"
        raise UnclearVolume(words, masked=f"can be read in two ways: its {last!r} parts thousands or decimals")
    return digits.replace(last, ".")
