"""Columns of an exported inventory, and the field of each.

A column is known by hand, by its title, or by its content.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from migrator.core.fleet.iccid_text import RefusedIccid, read_iccid
from migrator.core.fleet.secrets import shown_title
from migrator.errors import Problem
from migrator.inputs.files.problems import nearest, refusal, spelled
from migrator.inputs.files.text import SPREADSHEET_REMEDY, rounding_notation, unwrapped
from migrator.inputs.inventory.dialects import OF_ONENCE, Dialect
from migrator.inputs.inventory.titles import (
    CHOICES,
    KNOWN_TITLES,
    STATUS_WORDS,
    field_of_title,
    is_secret_title,
    plain,
)

__all__ = ["Column", "Columns", "iccid_like", "map_columns", "names_iccid", "parse_choices", "places_of"]

BY_HAND = "tell which one: --column {field}=TITLE, or --column {field}=NUMBER; --column {field}= leaves it out"
MOST_TITLES = 200
"""Most columns that messages name by title.

More columns are named by number only: nobody reads a thousand titles.
"""


@dataclass(frozen=True, slots=True)
class Column:
    """Column of one field.

    The column has its place from 0, its title, and the way it was found ("by hand", "by title", "by content").
    """

    field: str
    at: int
    title: str
    how: str


@dataclass(frozen=True, slots=True)
class Columns:
    """Columns of the whole header, used and not used.

    Args:
        used: a column for each field that has one, in the order of the export.
        kept: titles and places of other columns that are known, but hold no field and no secret.
        unused: titles of columns that are not known.
        secret: titles of columns with a PIN, PUK or key; their values are dropped as they are read.
        width: the number of columns.
    """

    used: tuple[Column, ...]
    kept: tuple[tuple[str, int], ...]
    unused: tuple[str, ...]
    secret: tuple[str, ...]
    width: int

    def told(self) -> str:
        """Write the mapping on one line, for a message."""
        return spelled(f"{column.field} = {shown_title(column.title)} ({column.how})" for column in self.used)


def parse_choices(texts: Sequence[str], fields: Sequence[str] = CHOICES) -> dict[str, str]:
    """Read the fields and titles of `--column FIELD=TITLE`.

    Raises: InputError, with every problem.
    """
    chosen: dict[str, str] = {}
    problems = []
    for text in texts:
        name, equals, title = text.partition("=")
        name = name.strip().lower()
        if not equals:
            problems.append(Problem("bad_column", f"--column {text}: expected FIELD=TITLE", "as --column iccid=Karte"))
        elif name not in fields:
            words = f"--column {text}: there is no field {name!r}"
            problems.append(Problem("bad_column", words, f"{nearest(name, fields)}; the fields are {spelled(fields)}"))
        elif name in chosen:
            problems.append(Problem("bad_column", f"--column {name} is given twice", "give it once"))
        else:
            chosen[name] = title.strip()
    if problems:
        raise refusal(problems, what="--column")
    return chosen


def map_columns(
    titles: Sequence[str],
    sample: Sequence[Sequence[str]],
    chosen: Mapping[str, str],
    *,
    place: str,
    dialect: Dialect = OF_ONENCE,
) -> Columns:
    """Choose the column of each field.

    Args:
        titles: of the header; "column 1" and so on for a file without one.
        sample: the first rows.
        chosen: from `parse_choices`; an empty title leaves a field out.
        place: "FILE:LINE" of the header.
        dialect: whose file it is.

    Raises: InputError, where a field may be in several columns, or no column holds ICCIDs.
    """
    mapping = _Mapping(titles, place, dialect)
    for name, title in chosen.items():
        mapping.by_hand(name, title)
    mapping.by_title(chosen)
    mapping.by_content(sample, chosen)
    return mapping.result(chosen)


def places_of(wanted: str, titles: Sequence[str]) -> list[int]:
    """Return the places of a title.

    A title is compared as written, else by its letters, else by its number from 1.
    """
    for fits in (lambda title: title.strip() == wanted, lambda title: plain(title) == plain(wanted) != ""):
        if places := [at for at, title in enumerate(titles) if fits(title)]:
            return places
    is_number = wanted.isdecimal() and 0 < int(wanted) <= len(titles)
    return [int(wanted) - 1] if is_number else []


@dataclass(slots=True)
class _Mapping:
    """Columns found so far."""

    titles: Sequence[str]
    place: str
    dialect: Dialect
    found: dict[str, Column] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    unclear: set[str] = field(default_factory=set)

    def by_hand(self, name: str, wanted: str) -> None:
        """Take the column that the operator chose."""
        if not wanted:
            return
        places = places_of(wanted, self.titles)
        if not places:
            words = f"{self.place}: no column {wanted!r} for {name}; found {self._shown()}"
            known = [shown_title(title, quoted=False) for title in self.titles]
            self._note("no_such_column", words, nearest(wanted, known) if len(known) < MOST_TITLES else "")
        elif len(places) > 1:
            self._ambiguous(name, places, f"is named {wanted!r}")
        elif is_secret_title(self.titles[places[0]]):
            title = shown_title(self.titles[places[0]])
            words = f"{self.place}: column {title} holds a secret of the SIM and is never read"
            self._note("secret_column", words, "choose another column")
        elif places[0] in {column.at for column in self.found.values() if {column.field, name} != _BY_TARIFF}:
            words = f"{self.place}: column {wanted!r} is chosen for two fields"
            self._note("bad_column", words, "one column holds one field")
        else:
            self.found[name] = Column(name, places[0], self.titles[places[0]], "by hand")

    def by_title(self, chosen: Mapping[str, str]) -> None:
        """Find fields by known titles, except fields chosen by hand."""
        places: dict[str, list[int]] = {}
        taken = self._taken()
        for at, title in enumerate(self.titles):
            name = self.dialect.field_of(title)
            if name is not None and name not in chosen and at not in taken and not is_secret_title(title):
                places.setdefault(name, []).append(at)
        for name, held in places.items():
            if len(held) > 1:
                self._ambiguous(name, held, "has such a title")
            else:
                self.found[name] = Column(name, held[0], self.titles[held[0]], "by title")

    def by_content(self, sample: Sequence[Sequence[str]], chosen: Mapping[str, str]) -> None:
        """Find fields whose values cannot mean anything else."""
        for name, fits in _CONTENT.items():
            if name in self.found or name in chosen or name in self.unclear:
                continue
            taken = self._taken()
            places = [at for at in self._nameless() if at not in taken and _all_fit(sample, at, fits)]
            if len(places) > 1:
                self._ambiguous(name, places, "holds nothing but such values")
            elif places:
                self.found[name] = Column(name, places[0], self.titles[places[0]], "by content")

    def _nameless(self) -> list[int]:
        """Return the places of columns with a title that is not known.

        Such a title names no field, no secret, and nothing else that is known.
        """
        return [
            at
            for at, title in enumerate(self.titles)
            if self.dialect.field_of(title) is None and not is_secret_title(title) and plain(title) not in KNOWN_TITLES
        ]

    def result(self, chosen: Mapping[str, str]) -> Columns:
        """Return the columns.

        Raises: InputError.
        """
        self._refuse_two_limits()
        with_luhn = [at for at, title in enumerate(self.titles) if plain(title) in _WITH_LUHN]
        if "iccid" not in self.found and "iccid" not in {*chosen, *self.unclear} and len(with_luhn) == 1:
            self.found["iccid"] = Column("iccid", with_luhn[0], self.titles[with_luhn[0]], "by title")
        if "iccid" not in self.found and not self.problems:
            words = f"{self.place}: no column of ICCIDs; found {self._shown()}"
            hint = f"name it: --column iccid=TITLE. Where digits are lost: {SPREADSHEET_REMEDY}"
            self._note("no_iccid_column", words, hint)
        if self.problems:
            raise refusal(self.problems, what=self.place)
        taken = self._taken()
        others = [(title, at) for at, title in enumerate(self.titles) if at not in taken]
        secret = [title for title, _ in others if is_secret_title(title)]
        kept = [(title, at) for title, at in others if title not in secret and plain(title) in KNOWN_TITLES]
        unused = [title for title, at in others if title.strip() and title not in secret and (title, at) not in kept]
        used = sorted(self.found.values(), key=lambda column: CHOICES.index(column.field))
        return Columns(tuple(used), tuple(kept), _told(unused), _told(secret), len(self.titles))

    def _refuse_two_limits(self) -> None:
        """Note that the limit stands in two columns."""
        both = [self.found[name] for name in LIMITS if name in self.found]
        if len(both) == len(LIMITS):
            named = " and ".join(f"{shown_title(column.title)} (column {column.at + 1})" for column in both)
            words = f"{self.place}: the data limit stands in two columns: {named}"
            self._note("ambiguous_column", words, f"leave one out: --column {both[1].field}=")

    def _taken(self) -> set[int]:
        return {column.at for column in self.found.values()}

    def _ambiguous(self, name: str, places: Sequence[int], why: str) -> None:
        named = spelled(f"{shown_title(self.titles[at])} (column {at + 1})" for at in places[:MOST_TITLES])
        words = f"{self.place}: {name} may be in {len(places)} columns, each {why}: {named}"
        self.unclear.add(name)
        self._note("ambiguous_column", words, BY_HAND.format(field=name))

    def _shown(self) -> str:
        titles = spelled(map(shown_title, self.titles[:20]))
        return f"{titles} and {len(self.titles) - 20} more" if len(self.titles) > 20 else titles  # noqa: PLR2004 - a line

    def _note(self, code: str, words: str, hint: str) -> None:
        self.problems.append(Problem(code, words, hint))


def _told(titles: Sequence[str]) -> tuple[str, ...]:
    return tuple(shown_title(title, quoted=False) for title in titles)


LIMITS = ("data_quota_mb", "data_limit_bytes")
"""Two fields for one fact."""

_BY_TARIFF = {"data_quota_mb", "sms_quota"}
"""Two fields that may share a column.

A tariff names both volumes.
"""

_WITH_LUHN = frozenset(map(plain, ("iccid_with_luhn", "ICCID (20 digits)", "ICCID (Luhn)")))


def names_iccid(title: str) -> bool:
    """True if the title is a title of ICCIDs."""
    return field_of_title(title) == "iccid" or plain(title) in _WITH_LUHN


def iccid_like(cell: str) -> bool:
    """True if the cell holds an ICCID, or a rounded ICCID.

    An ICCID has the telecom prefix 89 and the right length. A spreadsheet may have rounded the number.
    """
    text = unwrapped(cell).lstrip("=").strip("\"'")
    try:
        return read_iccid(text).digits.startswith("89")
    except RefusedIccid:
        return (
            rounding_notation(text)
            and re.fullmatch(r"8[.,]9\d*e\+?(1[6-9]|2[01])|89\d{16,20}[.,]0*", text, re.IGNORECASE) is not None
        )


def _ip_like(cell: str) -> bool:
    parts = unwrapped(cell).split(".")
    return len(parts) == 4 and all(part.isdecimal() and int(part) < 256 for part in parts)  # noqa: PLR2004 - IPv4


_CONTENT: Mapping[str, Callable[[str], bool]] = {
    "iccid": iccid_like,
    # 1NCE's own networks (reference, 4.4), so that an IMEI of 15 digits is not taken for one
    "imsi": lambda cell: re.fullmatch(r"(901405|72468)\d{8,10}", unwrapped(cell)) is not None,
    "msisdn": lambda cell: re.fullmatch(r"\+?88228\d{7,10}", unwrapped(cell)) is not None,
    "ip_address": _ip_like,
    "status": lambda cell: plain(cell) in STATUS_WORDS,
}


def _all_fit(sample: Sequence[Sequence[str]], at: int, fits: Callable[[str], bool]) -> bool:
    """True if the column has values, and each value fits."""
    values = [row[at] for row in sample if at < len(row) and row[at].strip()]
    return bool(values) and all(map(fits, values))
