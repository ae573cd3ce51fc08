"""Files of a rehearsal's technicians, beside the truth.

Each technician has a file in another language. A share of the rows is wrong in one of the ways that field files are.
"""

import csv
import io
import random
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from migrator.core.fleet.identifiers import luhn_digit
from migrator.errors import InputError
from migrator.files import private_folder, unwritable

__all__ = ["Mistake", "ScanFiles", "Swap"]

TRUTH = "truth.csv"
TRUTH_TITLES = ("source_iccid", "target_iccid", "unit", "at", "noted")
RIGHT, OTHER_UNIT = "right", "another unit's card"
UNITS_A_TICKET = 20


class Mistake(StrEnum):
    """Way in which a technician's row is wrong."""

    ROUNDED = "rounded by Excel"  # digits of the new ICCID are lost
    CHECK_DIGIT = "mistyped check digit"  # of the new ICCID
    TWICE = "card of the row before"  # one card in two rows, and no time that decides
    EXCHANGED = "old and new exchanged"  # each in the other's column


@dataclass(frozen=True, slots=True)
class _Technician:
    """Writer of one file."""

    name: str
    file: str
    separator: str
    titles: tuple[str, str, str, str, str, str, str]


_TECHNICIANS = (
    _Technician(
        "Anna", "anna.csv", ";", ("Techniker", "Gerät", "Auftrag", "Zeitstempel", "IMEI", "alte SIM", "neue SIM")
    ),
    _Technician(
        "Luis",
        "luis.csv",
        ",",
        ("técnico", "equipo", "orden de trabajo", "fecha y hora", "IMEI", "SIM antigua", "SIM nueva"),
    ),
    _Technician(
        "Marie",
        "marie.csv",
        ";",
        ("technicien", "appareil", "ordre de travail", "date et heure", "IMEI", "ancienne SIM", "nouvelle SIM"),
    ),
)


@dataclass(frozen=True, slots=True)
class Swap:
    """Exchange of one unit's card.

    Args:
        number: counts from 1, in order of the swaps.
        at: when.
        old: the old SIM that the technician took for the unit's, and noted.
        card: the new SIM.
        unit: the old SIM that really was in the unit that the card is in now.
        imei: hardware of the unit that was noted; None where it has no name.
    """

    number: int
    at: datetime
    old: str
    card: str
    unit: str
    imei: str | None


@dataclass(slots=True)
class ScanFiles:
    """Files of technicians that grow with each swap.

    Args:
        folder: where; made, or there and empty.
        bad: of 1, how many rows are wrong, in turn of `Mistake`.

    Raises: InputError, if the folder cannot be used.
    """

    folder: Path
    bad: float = 0.0
    seed: int = 0
    _mistakes: int = field(default=0, init=False)
    _before: dict[str, str] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        if self.folder.exists() and (not self.folder.is_dir() or any(self.folder.iterdir())):
            raise InputError(
                f"{self.folder} is not an empty folder", code="folder_in_use", hint="choose another with --scans"
            )

    def begin(self) -> None:
        """Make the files, each with its titles.

        Raises: InputError, if they cannot be written.
        """
        try:
            private_folder(self.folder)
        except OSError as error:
            raise unwritable(self.folder, error.strerror or str(error)) from error
        titles = {one.file: [_line(one.titles, one.separator)] for one in _TECHNICIANS}
        self._add({TRUTH: [_line(TRUTH_TITLES, ",")], **titles})

    def note(self, swaps: Iterable[Swap]) -> None:
        """Write what technicians note of some swaps, and the truth."""
        lines = defaultdict[str, list[str]](list)
        for swap in swaps:
            writer = _TECHNICIANS[swap.number % len(_TECHNICIANS)]
            mistake = self._mistake(swap, writer)
            lines[writer.file].append(_line(self._row(swap, writer, mistake), writer.separator))
            lines[TRUTH].append(_line(_truth(swap, mistake), ","))
            self._before.pop(writer.file, None)
            if mistake is None:
                self._before[writer.file] = swap.card
        self._add(lines)

    def _mistake(self, swap: Swap, writer: _Technician) -> Mistake | None:
        if random.Random(f"{self.seed} scan {swap.card}").random() >= self.bad:
            return None
        kinds = [kind for kind in Mistake if kind is not Mistake.TWICE or writer.file in self._before]
        self._mistakes += 1
        return kinds[(self._mistakes - 1) % len(kinds)]

    def _row(self, swap: Swap, writer: _Technician, mistake: Mistake | None) -> tuple[str, ...]:
        old, new, at = swap.old + luhn_digit(swap.old), swap.card, swap.at.isoformat(timespec="seconds")
        if mistake is Mistake.ROUNDED:
            new = f"{int(new):.5E}"
        elif mistake is Mistake.CHECK_DIGIT:
            new = f"{new[:-1]}{(int(new[-1]) + 1) % 10}"
        elif mistake is Mistake.TWICE:
            new, at = self._before[writer.file], ""
        elif mistake is Mistake.EXCHANGED:
            old, new = new, old
        return writer.name, _unit(swap), f"CHG{swap.number // UNITS_A_TICKET + 1}", at, swap.imei or "", old, new

    def _add(self, lines: dict[str, list[str]]) -> None:
        for name, new in lines.items():
            path = self.folder / name
            try:
                with path.open("a", encoding="utf-8", newline="") as file:
                    file.write("".join(new))
            except OSError as error:
                raise unwritable(path, error.strerror or str(error)) from error


def _unit(swap: Swap) -> str:
    return f"unit {swap.number:05d}"


def _truth(swap: Swap, mistake: Mistake | None) -> tuple[str, ...]:
    noted = OTHER_UNIT if swap.unit != swap.old else RIGHT
    noted = noted if mistake is None else mistake.value
    return (
        swap.unit,
        swap.card,
        _unit(swap) if swap.unit == swap.old else "",
        swap.at.isoformat(timespec="seconds"),
        noted,
    )


def _line(cells: Iterable[str], separator: str) -> str:
    text = io.StringIO()
    csv.writer(text, delimiter=separator, lineterminator="\r\n").writerow(cells)
    return text.getvalue()
