"""Single values of an exported inventory.

A parser turns the text of a cell into the value in a SIM's record.
"""

import json
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
from migrator.inputs.inventory.dialects import Dialect, says_on
from migrator.inputs.inventory.titles import STATUS_WORDS, is_machine_title, plain
from migrator.inputs.inventory.volumes import UnclearVolume, has_unit, limit, title_unit, volume

__all__ = ["BadValue", "Words", "flag_parser", "limit_parser", "parse_digits", "parse_iccid", "parse_label"]
__all__ += ["parse_bytes", "parse_reading", "parse_tags", "parse_text", "status_parser", "volume_parser"]

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


_YES_NO = dict.fromkeys(("y", "t", "si", "oui", "sim", "s", "o", "j", "wahr", "vrai", "verdadero", "vero"), True)
_YES_NO |= dict.fromkeys(("n", "f", "non", "nao", "falsch", "faux", "falso"), False)
"""Further words of yes and no, for files of other carriers."""

_IMEI = re.compile(r"\d{14,16}")


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


def status_parser(title: str, dialect: Dialect) -> Callable[[str], str]:
    """Build the parser for the cells of a column of statuses.

    The parser returns the status word of 1NCE. An unknown word of 1NCE stays as written, and plans will not act on such
    a status. An unknown word of another carrier is an error.
    """
    known = {**STATUS_WORDS, **dialect.statuses}
    if dialect.is_other and says_on(title):
        on = {plain(word): "Enabled" if is_yes else "Disabled" for word, is_yes in (*_FLAGS.items(), *_YES_NO.items())}
        known = {**on, **known}

    @lru_cache(maxsize=REMEMBERED)
    def parse(cell: str) -> str:
        text = unwrapped(cell)
        meant = known.get(plain(text))
        if meant is None and dialect.is_other:
            words = f"{shown(text)} is no status that is known of {dialect.name}" if text else "no status"
            word = text if shown(text) == repr(text) else "WORD"
            hint = f'say what it means: --value "status:{word}=disabled", or enabled, expired, unknown'
            raise BadValue("unknown_status", words, hint)
        return text if meant is None else meant

    return parse


def flag_parser(dialect: Dialect) -> Callable[[str], bool | None]:
    """Build the parser for the cells of a column of IMEI locks.

    The parser returns None for nothing. Another carrier may write the IMEI that a SIM is locked to, and text that is
    neither is an error there; in a file of 1NCE it is nothing.
    """
    known = {plain(word): is_yes for word, is_yes in (*_FLAGS.items(), *_YES_NO.items())} | dict(dialect.flags)

    def parse(cell: str) -> bool | None:
        text = unwrapped(cell)
        if not dialect.is_other or _is_nothing(text):
            return dialect.flags.get(plain(text), _FLAGS.get(text.lower()))
        if plain(text) in known:
            return known[plain(text)]
        if _IMEI.fullmatch(text):
            return True
        hint = 'expected yes or no, or an IMEI; or say what it means: --value "imei_lock:WORD=yes"'
        raise BadValue("not_yes_or_no", f"{shown(text)} is neither yes nor no", hint)

    return parse


def parse_reading(cell: str) -> QuotaReading:
    """Read the state of a quota reading, in our own export's words.

    Raises: BadValue.
    """
    try:
        return QuotaReading(unwrapped(cell))
    except ValueError:
        known = ", ".join(QuotaReading)
        raise BadValue("bad_reading", f"{shown(cell)} tells no reading of a quota", f"expected {known}") from None


def parse_bytes(cell: str) -> int | None:
    """Read a whole number of bytes.

    Raises: BadValue.
    """
    text = unwrapped(cell)
    if _is_nothing(text):
        return None
    if not (text.isascii() and text.isdecimal()):
        raise BadValue("bad_volume", f"{shown(cell)} is no whole number of bytes", "expected digits alone")
    return int(text)


def parse_tags(cell: str) -> tuple[str, ...] | None:
    """Read the names of tags.

    They stand in a list as our export has it, or between commas.
    """
    text = parse_text(cell)
    if text is None:
        return None
    try:
        names = json.loads(text) if text[0] == "[" else None
    except ValueError:
        names = None
    told = names if isinstance(names, list) else text.split(",")
    return tuple(dict.fromkeys(name for one in told if (name := str(one).strip())))


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


def limit_parser(title: str, dialect: Dialect, *, by_hand: bool) -> Callable[[str], Decimal | None]:
    """Build the parser for the cells of a column of data limits.

    Args:
        title: the column's; a unit in it is that of numbers without one. A preset names columns in bytes.
        dialect: whose file it is.
        by_hand: whether the operator chose the column for `data_limit_bytes`, and with it bytes.
    """
    is_machine = is_machine_title(title)
    assumed = title_unit(title) or ("BYTES" if by_hand or plain(title) in dialect.titles else "")

    @lru_cache(maxsize=REMEMBERED)
    def parse(cell: str) -> Decimal | None:
        text = unwrapped(cell)
        if _is_nothing(text):
            return None
        try:
            return limit(text, assumed=assumed, bytes_per_mb=dialect.bytes_per_mb, point_is_decimal=is_machine)
        except UnclearVolume as error:
            words = f"{text[:LONGEST_SHOWN]!r} {error}" if has_unit(text) else f"{shown(text)} {error.masked}"
            raise BadValue("unclear_volume", words, error.hint) from None

    return parse
