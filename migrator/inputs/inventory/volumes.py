"""Volumes as people and spreadsheets write them: read where there is one way to, refused where there are two.

A limit that is a thousand times too large costs money, one that is a thousand times too small silences a unit.
"""

import re
from decimal import Decimal

from migrator.core.fleet.units import decimal_of

__all__ = ["UnclearVolume", "has_unit", "title_unit", "volume"]

PLAIN_HINT = "write it as a plain number with a decimal point and no thousands separator, as 1024.5"
_UNITS = r"bytes?|[kmgt]i?b|sms"
_WITH_UNIT = re.compile(rf"(?P<number>[^a-z]*?)\s*(?P<unit>{_UNITS})?", re.IGNORECASE)
_TITLE_UNIT = re.compile(rf"(?<![a-z])(?P<unit>{_UNITS})(?![a-z])", re.IGNORECASE)
_GROUPED = re.compile(r"[+-]?\d{1,3}(?:[.,]\d{3})+")
_SPACES = re.compile(r"(?<=\d)[ \u00a0\u202f'\u2019](?=\d{3}(?!\d))")  # thousands that no decimal can be taken for


class UnclearVolume(ValueError):
    """A text that is no volume, or one in two ways; the message says why, `hint` what to write.

    `masked` says why without the digits: those of a number without a unit may be a PIN that slid in.
    """

    def __init__(self, words: str, hint: str = PLAIN_HINT, *, masked: str = "") -> None:
        super().__init__(words)
        self.hint = hint
        self.masked = masked or words


def has_unit(text: str) -> bool:
    """Whether a number stands there with a unit behind it, and so no PIN."""
    found = _WITH_UNIT.fullmatch(text.strip())
    return found is not None and bool(found["number"] and found["unit"])


def title_unit(title: str) -> str:
    """The unit in a column's title, in capitals; empty if it names none."""
    found = _TITLE_UNIT.search(title.replace("_", " "))
    return found["unit"].upper() if found else ""


def volume(text: str, *, unit: str, assumed: str, point_is_decimal: bool = False) -> Decimal:
    """The volume that a cell tells, in `unit`.

    Args:
        text: as written.
        unit: "MB" or "SMS": what is wanted. Nothing is converted: whether a GB holds 1000 or 1024 MB, nobody says.
        assumed: the unit of a number without one, as its column's title tells; empty if it does not.
        point_is_decimal: whether a program wrote it, so that 1.024 is a little more than one.

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
    """`digits` with a decimal point or none. Raises: UnclearVolume, where the separator may be of either kind."""
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
