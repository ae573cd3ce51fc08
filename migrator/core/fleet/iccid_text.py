"""ICCIDs as people and spreadsheets write them: one way to read them, and to refuse them, for every file and option.

A claim cannot be undone. So digits that were lost, moved or glued together never pass for the ICCID of a card.
"""

import re
import unicodedata
from collections.abc import Callable, Container, Iterator, Sequence
from itertools import islice
from typing import TypeVar

from migrator.core.fleet.identifiers import LONGEST_GROUP, Iccid, NotAnIdentifier, TwoNumbers, canonical
from migrator.core.fleet.secrets import shown

__all__ = [
    "SPREADSHEET_REMEDY",
    "ZERO_REMEDY",
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
"""How many digits of a number a spreadsheet keeps. Source: IEEE 754 double precision; Excel's "Specifications"."""
ONE_IN = 1000
"""Of as many ICCIDs, less than one ends in zeros from its 16th digit on by chance (one in ten thousand, of 19)."""
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
    """A text that is not taken for an ICCID; the message shows no more of it than `redaction.shown`.

    Args:
        code: what is wrong, for programs.
        hint: what to do; empty where only the reader can tell.
    """

    def __init__(self, code: str, words: str, hint: str = "") -> None:
        super().__init__(words)
        self.code = code
        self.hint = hint


def read_iccid(text: str) -> Iccid:
    """The ICCID that a cell, line or option holds, without what people put around it.

    Whether zeros at its end are its own is for the whole list to tell: `may_be_rounded`.

    Raises: RefusedIccid.
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
        raise _swapped(text) or RefusedIccid("not_an_iccid", str(error)) from None
    if iccid.digits.startswith("98") and (refused := _swapped(text)) is not None:
        raise refused
    return iccid


def _swapped(text: str) -> RefusedIccid | None:
    """The refusal of digits in the order of a modem's raw file, where 89 44 stands as 98 44; None for others."""
    groups = text.split()
    is_one = len(groups) == 1 or max(map(len, groups), default=0) <= LONGEST_GROUP
    if not is_one or _SWAPPED.fullmatch("".join(groups)) is None:
        return None
    words = f"{shown(text)} does not begin with 89; are the digits swapped in pairs?"
    return RefusedIccid("swapped_digits", words, "as the card shows it: 98 44 05 is 89 44 50; swap each pair back")


def without_invisible(text: str) -> str:
    """A text without characters that show nothing: marks of direction, joiners, byte order marks."""
    if text.isascii():
        return text
    return "".join(letter for letter in text if unicodedata.category(letter) != "Cf")


def rounding_notation(text: str) -> bool:
    """Whether this is a number in scientific notation or with a fraction of nothing (8.98E+18, 898...0.0), not digits.

    What stands behind a comma otherwise is another column, and with all of its digits there nothing was rounded.
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
    """Whether nothing but zeros follows the 15 digits that a spreadsheet keeps of a number."""
    return digits.endswith("0") and len(digits) > SIGNIFICANT_DIGITS and not digits[SIGNIFICANT_DIGITS:].strip("0")


def may_be_rounded(text: str, iccid: Iccid) -> bool:
    """Whether an ICCID ends in zeros as a spreadsheet leaves them. One in groups of digits never was a number."""
    return looks_rounded(iccid.digits) and len(text.split()) == 1


def lost_digits(
    suspects: Sequence[tuple[Iccid, Place]], *, total: int, among: Callable[[Sequence[str]], Container[str]]
) -> list[Place]:
    """Where a list has ICCIDs that a spreadsheet rounded, of those that may be.

    The digits of one are all there where the list has its neighbour, too, as a box of cards does. Of the others there
    may be as many as chance explains; a short list may have none.

    Args:
        suspects: those that `may_be_rounded`, each with its place.
        total: how many ICCIDs the list has.
        among: some keys -> those that the list has, or that are known to be right; asked for a few hundred at a time.
    """
    lost: list[Place] = []
    remaining = iter(suspects)
    while chunk := list(islice(remaining, SUSPECTS_PER_LOOKUP)):
        beside = [list(_neighbours(iccid)) for iccid, _ in chunk]
        there = among([key for keys in beside for key in keys])
        lost += [place for (_, place), keys in zip(chunk, beside, strict=True) if not any(key in there for key in keys)]
    return lost if len(lost) > total // ONE_IN else []


def _neighbours(iccid: Iccid) -> Iterator[str]:
    """The keys of the ICCIDs right before and after one, counted with and without its check digit."""
    for step in (-1, 1):
        yield canonical(str(int(iccid.digits) + step).zfill(len(iccid.digits)))
        if iccid.has_right_check_digit:
            yield canonical(str(int(iccid.digits[:-1]) + step).zfill(len(iccid.digits) - 1))
