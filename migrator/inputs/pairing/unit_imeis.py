"""IMEIs of units from the customer's own list: `pair discover --units`."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from migrator.chunks import chunks
from migrator.core.fleet.iccid_text import RefusedIccid, read_iccid
from migrator.core.fleet.identifiers import Iccid, Imei, NotAnIdentifier
from migrator.core.fleet.secrets import shown_title
from migrator.errors import InputError, Problem
from migrator.inputs.files.csv_rows import csv_records, text_lines
from migrator.inputs.files.problems import spelled
from migrator.inputs.files.text import opened_text, unwrapped
from migrator.inputs.pairing.list_columns import PAIR_TITLES, Titles, field_named, find_columns

__all__ = ["read_unit_imeis"]

SOURCE, UNIT, IMEI = "source_iccid", "unit", "imei"
UNIT_TITLES: Titles = {
    SOURCE: (*PAIR_TITLES[SOURCE], "ICCID"),
    UNIT: ("label", "device", "meter", "Ger\u00e4t", "Einheit"),
    IMEI: ("IMEI number", "IMEISV", "IMEI(SV)", "modem"),
}
REMEDY = "make the first line source_iccid,imei; or unit,imei, where a unit is the label of one old SIM"

ByLabel = Callable[[Sequence[str]], Mapping[str, Sequence[str]]]
"""Labels -> the keys of the old SIMs with each."""


def read_unit_imeis(
    path: Path, *, sources: Callable[[Sequence[str]], Mapping[str, Iccid]], by_label: ByLabel
) -> Iterator[tuple[str, str]]:
    """Yield the old SIM and the IMEI of each line.

    Args:
        path: a CSV with `imei`, and `source_iccid` or `unit`.
        sources: returns the old SIMs of the inventory among some keys.
        by_label: returns the old SIMs with some labels.

    Raises: InputError, at the first lines that are wrong, naming file and line.
    """
    with opened_text(path) as stream:
        records = csv_records(text_lines(stream, str(path)), str(path), skips_spaces=True, is_header=_is_header)
        first = next(records, None)
        if first is None:
            raise InputError(f"{path} is empty", code="empty_file", hint=REMEDY)
        line, cells = first
        titles = [unwrapped(cell) for cell in cells]
        columns = find_columns(titles, UNIT_TITLES, {}, place=f"{path}:{line}")
        if IMEI not in columns or not {SOURCE, UNIT} & columns.keys():
            told = spelled(shown_title(title, quoted=False) for title in titles)[:200]
            raise InputError(
                f"{path}:{line}: no column imei and source_iccid; found {told}", code="no_header", hint=REMEDY
            )
        for some in chunks(records):
            yield from _some(path, [(at, _cells(row, columns)) for at, row in some], sources, by_label)


def _is_header(cells: list[str]) -> bool:
    return IMEI in {field_named(unwrapped(cell), UNIT_TITLES) for cell in cells}


def _cells(row: Sequence[str], columns: Mapping[str, int]) -> dict[str, str]:
    return {name: unwrapped(row[at]) if at < len(row) else "" for name, at in columns.items()}


def _some(
    path: Path,
    rows: Sequence[tuple[int, Mapping[str, str]]],
    sources: Callable[[Sequence[str]], Mapping[str, Iccid]],
    by_label: ByLabel,
) -> Iterator[tuple[str, str]]:
    """Yield the lines of a part of the file.

    Raises: InputError, naming each line that is wrong.
    """
    problems, keys = list[Problem](), dict[int, str]()
    labels = by_label([one[UNIT] for _, one in rows if not one.get(SOURCE) and one.get(UNIT)])
    for line, one in rows:
        try:
            Imei.parse(one[IMEI])
            keys[line] = _key(one, labels)
        except (NotAnIdentifier, RefusedIccid) as error:
            code = error.code if isinstance(error, RefusedIccid) else "not_an_imei"
            problems.append(Problem(code, f"{path}:{line}: {error}", "correct it, or remove the line"))
    known = sources(list(keys.values()))
    for line, key in keys.items():
        if key not in known:
            words = f"{path}:{line}: {key} is no old SIM of the inventory"
            problems.append(
                Problem("unknown_source", words, "check the digits, or read the source again: `inventory pull`")
            )
    if problems:
        problems.sort(key=lambda problem: problem.message)
        words = f"{path}: {len(problems)} problems; nothing was changed"
        raise InputError(words, code="units", problems=(*problems, Problem("units", words)))
    yield from ((keys[line], one[IMEI]) for line, one in rows)


def _key(one: Mapping[str, str], labels: Mapping[str, Sequence[str]]) -> str:
    """Return the key of the old SIM that a line names.

    Raises: RefusedIccid.
    """
    if one.get(SOURCE):
        return read_iccid(one[SOURCE]).key
    found = labels.get(one.get(UNIT, ""), ())
    if len(found) != 1:
        what = "no old SIM has" if not found else f"{len(found)} old SIMs have"
        raise RefusedIccid("unit_unknown", f"{what} the label that stands as unit", "give the old ICCID in its place")
    return found[0]
