"""ICCIDs as people and spreadsheets write them.

Every file and option reads ICCIDs, and refuses them, in the same way.

A claim cannot be undone. So digits that were lost, moved or glued together never pass for the ICCID of a card.
"""

import re
import unicodedata
from collections.abc import Callable, Container, Iterator, Sequence
from typing import TypeVar

from migrator.chunks import chunks
from migrator.core.fleet.identifiers import LONGEST_GROUP, Iccid, NotAnIdentifier, TwoNumbers, canonical
from migrator.core.fleet.secrets import shown

__all__ = [
    "SPREADSHEET_REMEDY",
    "ZERO_REMEDY",
    "NoIccid",
    "RefusedIccid",
    "looks_rounded",
    "lost_digits",
    "may_be_rounded",
    "read_iccid",
    "rounding_notation",
    "without_invisible",
]

Place = TypeVar("Place")

SIGNIFICANT_DIGITS = 15
"""Digits of a number that a spreadsheet keeps.

Source: IEEE 754 double precision; Excel's "Specifications".
"""
ONE_IN = 1000
"""Number of ICCIDs for each ICCID that chance may make look rounded.

Of as many ICCIDs, less than one ends in zeros from its 16th digit on by chance (one in ten thousand, of 19 digits).
"""
SUSPECTS_PER_LOOKUP = 100

SPREADSHEET_REMEDY = (
    "digits lost to rounding cannot be brought back: go to where the list came from and export it again with the ICCID "
    "columns as text (Excel: Data > From Text/CSV, column type Text; LibreOffice: column type Text on opening)"
)
ZERO_REMEDY = (
    f"{SPREADSHEET_REMEDY}. If the card shows these zeros, write its ICCID in groups, as 8944 5385 0000 1430 000"
)

_FILLER_IN_FRONT = re.compile(r"^\s*[fF](?=\s*89)")
_TOTALS = re.compile(r"\s*(grand |sub)?(totals?|sum|summe|gesamt|anzahl|count)\b", re.IGNORECASE)
_SWAPPED = re.compile(r"98[0-9fF]{15,20}")


class RefusedIccid(NotAnIdentifier):
    """Text that is not taken for an ICCID.

    The message shows no more of the text than `secrets.shown`.

    Args:
        code: the kind of error, for programs.
        hint: what to do; empty where only the reader can tell.
    """

    def __init__(self, code: str, words: str, hint: str = "") -> None:
        super().__init__(words)
        self.code = code
        self.hint = hint


class NoIccid(RefusedIccid):
    """Text that is not like an ICCID in any way."""

    def __init__(self, words: str) -> None:
        super().__init__("not_an_iccid", words)


def read_iccid(text: str) -> Iccid:
    """Return the ICCID of a cell, line or option.

    Text that people put around an ICCID is left out. Zeros at the end are not judged here. Only the whole list shows
    whether such zeros belong to the ICCID: see `may_be_rounded`.

    Raises: RefusedIccid; NoIccid, for a text that is not like an ICCID.
    """
    if not text.isdigit():
        text = _FILLER_IN_FRONT.sub("", without_invisible(text))
    try:
        iccid = Iccid.parse(text)
    except TwoNumbers as error:
        hint = "one ICCID alone: is a running number beside it? Take it out, or give both columns their titles"
        raise _swapped(text) or RefusedIccid("two_numbers", str(error), hint) from None
    except NotAnIdentifier as error:
        if rounding_notation(text):
            words = f"{shown(text)} is a number that a spreadsheet rounded, not an ICCID"
            raise RefusedIccid("rounded_by_spreadsheet", words, SPREADSHEET_REMEDY) from None
        if _TOTALS.match(text):
            raise RefusedIccid("line_of_totals", "a line of totals, not an ICCID", "remove the line") from None
        raise _swapped(text) or NoIccid(str(error)) from None
    if iccid.digits.startswith("98") and (refused := _swapped(text)) is not None:
        raise refused
    return iccid


def _swapped(text: str) -> RefusedIccid | None:
    """Return the refusal of swapped digits, or None.

    Swapped digits are in the order of a modem's raw file, where 89 44 stands as 98 44.
    """
    groups = text.split()
    is_one = len(groups) == 1 or max(map(len, groups), default=0) <= LONGEST_GROUP
    if not is_one or _SWAPPED.fullmatch("".join(groups)) is None:
        return None
    words = f"{shown(text)} does not begin with 89; are the digits swapped in pairs?"
    return RefusedIccid("swapped_digits", words, "as the card shows it: 98 44 05 is 89 44 50; swap each pair back")


def without_invisible(text: str) -> str:
    """Return a text without its invisible characters.

    Those are marks of direction, joiners and byte order marks.
    """
    if text.isascii():
        return text
    return "".join(letter for letter in text if unicodedata.category(letter) != "Cf")


def rounding_notation(text: str) -> bool:
    """True if a text is a spreadsheet's notation of a rounded number.

    That is scientific notation or a fraction of zeros (8.98E+18, 898...0.0). Other digits behind a comma are another
    column. A number with all of its digits was not rounded.
    """
    mantissa, exponent, power = text.replace(",", ".").lower().partition("e")
    whole, point, decimals = mantissa.partition(".")
    power = power.lstrip("+")
    if not (whole + decimals).isdecimal() or (exponent and not power.isdecimal()):
        return False
    if exponent:
        return len(decimals) < int(power[:4])
    return bool(point and decimals and not decimals.strip("0"))


# --- zeros at the end ----------------------------------------------------------------------------------------------


def looks_rounded(digits: str) -> bool:
    """True if only zeros follow the 15 digits that spreadsheets keep."""
    return digits.endswith("0") and len(digits) > SIGNIFICANT_DIGITS and not digits[SIGNIFICANT_DIGITS:].strip("0")


def may_be_rounded(text: str, iccid: Iccid) -> bool:
    """True if an ICCID ends in zeros as a spreadsheet leaves them.

    An ICCID in groups of digits never was a number.
    """
    return looks_rounded(iccid.digits) and len(text.split()) == 1


def lost_digits(
    suspects: Sequence[tuple[Iccid, Place]], *, total: int, among: Callable[[Sequence[str]], Container[str]]
) -> list[Place]:
    """Return the places of ICCIDs that a spreadsheet rounded.

    A suspect has all of its digits where the list also has its neighbour, as a box of cards does. Chance explains some
    of the other suspects, and none in a short list. The result is empty unless there are more than chance explains.

    Args:
        suspects: ICCIDs that `may_be_rounded`, each with its place.
        total: how many ICCIDs the list has.
        among: some keys -> the keys that the list has, or that are known to be right; called with a few hundred at a
            time.
    """
    lost: list[Place] = []
    for chunk in chunks(suspects, SUSPECTS_PER_LOOKUP):
        beside = [list(_neighbours(iccid)) for iccid, _ in chunk]
        there = among([key for keys in beside for key in keys])
        lost += [place for (_, place), keys in zip(chunk, beside, strict=True) if not any(key in there for key in keys)]
    return lost if len(lost) > total // ONE_IN else []


def _neighbours(iccid: Iccid) -> Iterator[str]:
    """Yield the keys of the ICCIDs right before and after another ICCID.

    The ICCIDs are counted with and without the check digit.
    """
    for step in (-1, 1):
        yield canonical(str(int(iccid.digits) + step).zfill(len(iccid.digits)))
        if iccid.has_right_check_digit:
            yield canonical(str(int(iccid.digits[:-1]) + step).zfill(len(iccid.digits) - 1))
