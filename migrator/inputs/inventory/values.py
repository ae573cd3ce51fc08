"""Single values of an exported inventory.

A parser turns the text of a cell into the value in a SIM's record.
"""

import re
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from functools import lru_cache

from migrator.core.fleet.iccid_text import RefusedIccid, read_iccid
from migrator.core.fleet.identifiers import Iccid
from migrator.core.fleet.secrets import LONGEST_SHOWN, shown
from migrator.core.fleet.sims import QuotaReading
from migrator.errors import Problem
from migrator.inputs.files.text import SPREADSHEET_REMEDY, rounding_notation, unwrapped
from migrator.inputs.inventory.titles import STATUS_WORDS, is_machine_title, plain
from migrator.inputs.inventory.volumes import UnclearVolume, has_unit, title_unit, volume

__all__ = ["BadValue", "Words", "parse_digits", "parse_flag", "parse_iccid", "parse_label", "parse_reading"]
__all__ += ["parse_status", "parse_text", "volume_parser"]

MOST_WORDS = 20
REMEMBERED = 1024
"""Number of parsed texts that a parser keeps.

A fleet has a few statuses and volumes, each a hundred thousand times.
"""
_TARIFF = re.compile(r"(?P<MB>\d+ ?MB), ?(?P<SMS>\d+ ?SMS)")
"""Tariff as the portal shows it ("500 MB, 250 SMS").

Read only where the column was chosen by hand, because a tariff does not include later top-ups.
"""

_NOTHING = frozenset({"", "-", "\u2013", "\u2014", "n/a", "na", "null", "none", "nil"})
_FLAGS = dict.fromkeys(("true", "1", "yes", "on", "ja", "an", "locked", "gesperrt", "aktiviert", "enabled"), True)
_FLAGS |= dict.fromkeys(("false", "0", "no", "off", "nein", "aus", "unlocked", "deaktiviert", "disabled"), False)


class BadValue(ValueError):
    """Cell that cannot be a value of its column."""

    def __init__(self, code: str, words: str, hint: str) -> None:
        super().__init__(words)
        self.code = code
        self.hint = hint

    def at(self, place: str) -> Problem:
        """Return the problem, with its FILE:LINE."""
        return Problem(self.code, f"{place}: {self}", self.hint)


class Words:
    """Unknown words, each with the number of times it was found.

    Only the first few different words are counted, so that a hostile file stays small.

    Args:
        tell: writes a word for messages.
    """

    def __init__(self, tell: Callable[[str], str] = shown) -> None:
        self.times: Counter[str] = Counter()
        self._tell = tell

    def note(self, word: str) -> None:
        """Count a word."""
        told = self._tell(word) if word else "none"
        if told in self.times or len(self.times) < MOST_WORDS:
            self.times[told] += 1


def _is_nothing(text: str) -> bool:
    return text.lower() in _NOTHING


def parse_iccid(cell: str) -> Iccid:
    """Read an ICCID.

    Quotes and equals signs that protect the ICCID from spreadsheets are removed.

    Raises: BadValue.
    """
    text = cell if cell.isdigit() else unwrapped(cell).lstrip("=").strip("\"'")
    if not text:
        raise BadValue("empty_iccid", "no ICCID", "fill it in, or remove the line")
    try:
        return read_iccid(text)
    except RefusedIccid as error:
        raise BadValue(error.code, str(error), error.hint or "correct it, or remove the line") from None


def parse_digits(cell: str) -> str | None:
    """Read an IMSI, MSISDN or IMEI.

    The plus of a phone number and the F of a modem are left out.

    Raises: BadValue.
    """
    if cell.isascii() and cell.isdigit():
        return cell
    text = unwrapped(cell).lstrip("=").strip("\"'+").rstrip("fF")
    if _is_nothing(text):
        return None
    if text.isascii() and text.isdigit():
        return text
    if rounding_notation(text):
        words = f"{shown(text)} is a number that a spreadsheet rounded"
        raise BadValue("rounded_by_spreadsheet", words, SPREADSHEET_REMEDY)
    raise BadValue("not_digits", f"{shown(cell)} should be digits", "correct it, or leave the column out: --column X=")


def parse_text(cell: str) -> str | None:
    """Read text, without the blanks around the text."""
    text = unwrapped(cell)
    return None if _is_nothing(text) else text


def parse_label(cell: str) -> str | None:
    """Read a label, exactly as written.

    Only the apostrophe that guards against formulas is removed.
    """
    return (cell[1:] if cell[:1] == "'" and cell[1:2] and cell[1] in "=+-@\t\r\n" else cell) or None


@lru_cache(maxsize=REMEMBERED)
def parse_status(cell: str) -> str:
    """Return the status word of 1NCE.

    An unknown word stays as written, and plans will not act on such a status.
    """
    text = unwrapped(cell)
    return STATUS_WORDS.get(plain(text), text)


def parse_flag(cell: str) -> bool | None:
    """Read a yes or no; None for anything else."""
    return _FLAGS.get(unwrapped(cell).lower())


def parse_reading(cell: str) -> QuotaReading:
    """Read the state of a quota reading, in our own export's words.

    Raises: BadValue.
    """
    try:
        return QuotaReading(unwrapped(cell))
    except ValueError:
        known = ", ".join(QuotaReading)
        raise BadValue("bad_reading", f"{shown(cell)} tells no reading of a quota", f"expected {known}") from None


def volume_parser(title: str, *, unit: str, by_hand: bool) -> Callable[[str], Decimal | None]:
    """Build the parser for the cells of a column of volumes.

    Args:
        title: the column's.
        unit: "MB" or "SMS".
        by_hand: whether the operator chose the column for this field, and with it the unit.
    """
    is_machine = is_machine_title(title)
    assumed = unit if is_machine or unit == "SMS" else title_unit(title) or (unit if by_hand else "")

    @lru_cache(maxsize=REMEMBERED)
    def parse(cell: str) -> Decimal | None:
        text = unwrapped(cell)
        if _is_nothing(text):
            return None
        tariff = _TARIFF.fullmatch(text) if by_hand else None
        if tariff is not None:
            text = tariff[unit]
        try:
            return volume(text, unit=unit, assumed=assumed, point_is_decimal=is_machine)
        except UnclearVolume as error:
            words = f"{text[:LONGEST_SHOWN]!r} {error}" if has_unit(text) else f"{shown(text)} {error.masked}"
            raise BadValue("unclear_volume", words, error.hint) from None

    return parse
