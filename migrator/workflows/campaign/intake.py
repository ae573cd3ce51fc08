"""Intake: files that people put into the campaign's folder."""

import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from migrator.core.campaign.state import Campaign
from migrator.core.fleet.units import counted
from migrator.core.run.results import ExitCode
from migrator.errors import InputError
from migrator.inputs.pairing.pool import read_pool
from migrator.workflows.campaign.make import INTAKE
from migrator.workflows.campaign.tick import PLACE, Look, Tick, unusable
from migrator.workflows.field.import_pairs import import_pairs
from migrator.workflows.field.stock import import_stock

__all__ = ["files_of", "give_back", "take_files"]

ENDINGS = {".csv", ".txt"}
SHEETS = {".xlsx", ".xlsm", ".xls", ".ods", ".numbers"}
SHIPPED, STOCK = "shipped", "stock"
PROBLEMS, EXCEPTIONS = ".problems.txt", ".exceptions.csv"
TAKEN, REFUSED = "taken", "refused"
MOST_NAMED = 3
"""Most files that are named; of others there is the count."""
LONGEST_NAME, MOST_LETTERS = 180, 40
"""Most bytes of a kept name, and letters of a cut one.

Most file systems take 255 bytes, and the time and an ending come to it.
"""
STAMPED = re.compile(r"^\d{8}-\d{6}-")
"""Time in front of the name of a moved file."""


def files_of(campaign: Campaign) -> dict[Path, Look]:
    """Return the files of the intake as they are now.

    There are none where the folder cannot be read.
    """
    found = {}
    with suppress(OSError):
        for file in _files(Path(campaign.folder) / INTAKE):
            with suppress(OSError):
                found[file] = _look(file)
    return found


def take_files(tick: Tick) -> None:
    """Take files of the intake, in the order of their names.

    Those are the files that were there when the tick began. A file is moved once its rows are kept; one that was taken
    before a kill is taken again, which changes nothing. Rows with a problem stand beside the taken file. Names that
    begin with a dot, or that end in neither `.csv` nor `.txt`, are of files that are still being written; but a
    spreadsheet is refused, as somebody waits for it. A file that changed since the tick began is left to the next one.
    """
    if not tick.has_folder():
        return
    folder = Path(tick.campaign.folder) / INTAKE
    folder.mkdir(exist_ok=True)
    _tell_earlier(tick, folder)
    for file in sorted(_files(folder)):
        try:
            look = _look(file)
            if look != tick.files.get(file, look):
                _is_being_written(tick, file.name)
            elif file in tick.files:
                tick.taken[_take(tick, folder, file)] = (file.name, look)
        except OSError as error:
            tick.hold(ExitCode.ATTENTION, _shown(f"{file.name} cannot be taken: {unusable(error)}"), PLACE)


def _tell_earlier(tick: Tick, folder: Path) -> None:
    """Tell what earlier ticks could not take and still lies there."""
    with suppress(OSError):  # no such folder yet
        refused = [file.name for file in _files(folder / REFUSED) if not file.name.endswith(PROBLEMS)]
        if refused:
            words = f"{folder / REFUSED} has {counted(len(refused), 'file')} that cannot be used: {_some(refused)}"
            hint = f"put them right and into {folder} again, and delete them there; *{PROBLEMS} says what is wrong"
            tick.hold(ExitCode.ATTENTION, words, hint)
    with suppress(OSError):
        taken = [file.name for file in _files(folder / TAKEN)]
        of_lists = {Path(name).stem for name in taken}
        ours = [name for name in taken if name.endswith(EXCEPTIONS)]  # and not one that was put right and taken
        if left := [name for name in ours if name.removesuffix(EXCEPTIONS) in of_lists]:
            words = f"{folder / TAKEN} has {counted(len(left), 'file')} of rows left out: {_some(left)}"
            hint = f"put the rows right and into {folder} again, and delete *{EXCEPTIONS} there"
            tick.hold(ExitCode.ATTENTION, words, hint)


def _some(names: Sequence[str]) -> str:
    """Return some names as people gave them, and how many more."""
    first = ", ".join(_shown(STAMPED.sub("", name)) for name in sorted(names)[:MOST_NAMED])
    return f"{first} and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else first


def give_back(tick: Tick) -> None:
    """Put files that changed since into the intake again.

    A program that writes a file goes on with it wherever the file is moved to.
    """
    folder = Path(tick.campaign.folder) / INTAKE
    for place, (name, look) in tick.taken.items():
        try:
            if _look(place) != look:
                place.rename(folder / name)
                _is_being_written(tick, name)
        except OSError as error:
            words = _shown(f"{name} was written on after it was read: {unusable(error)}")
            tick.hold(ExitCode.ATTENTION, words, f"put {place} into {folder} again")


def _take(tick: Tick, folder: Path, file: Path) -> Path:
    """Take one file, and return where it is now."""
    place, way = _place(folder / TAKEN, file, tick), _way(file)
    try:
        _check_name(file)
        way.take(tick, file, place)
    except InputError as error:
        place = _place(folder / REFUSED, file, tick)
        lines = [_shown(f"{one.message}  {way.remedy(one.hint, place)}".rstrip()) for one in error.problems]
        place.with_name(f"{place.name}{PROBLEMS}").write_text("\n".join(lines) + "\n", encoding="utf-8")
        hint = f"{place}{PROBLEMS} says why; put it right, and into {folder} again"
        tick.hold(ExitCode.ATTENTION, _shown(f"{file.name} cannot be used: {error.message}"), hint)
        tick.count("files_refused", 1)
    else:
        tick.count("files_taken", 1)
    file.rename(place)
    return place


def _is_being_written(tick: Tick, name: str) -> None:
    tick.hold(
        ExitCode.RESUMABLE,
        f"{_shown(name)} is still being written",
        "the next `migrator campaign run` takes all that it has",
    )


def _look(file: Path) -> Look:
    found = file.stat()
    return found.st_size, found.st_mtime_ns


def _files(folder: Path) -> Iterator[Path]:
    for file in folder.iterdir():
        if file.is_file() and file.suffix.lower() in ENDINGS | SHEETS and not file.name.startswith((".", "~")):
            yield file


def _place(folder: Path, file: Path, tick: Tick) -> Path:
    """Return a free name, with the time in it.

    No other file has it up to its first point: each has its own list of what was left out.
    """
    folder.mkdir(exist_ok=True)
    stamp = datetime.fromtimestamp(tick.site.now(), UTC).strftime("%Y%m%d-%H%M%S")
    used = {_first(one.name) for one in folder.iterdir()}
    name = "".join(char if char.isprintable() else "_" for char in file.name)
    if len(os.fsencode(name)) > LONGEST_NAME:
        name = f"{Path(name).stem[:MOST_LETTERS]}{file.suffix}"
    number, place = 1, f"{stamp}-{name}"
    while _first(place) in used:
        number += 1
        place = f"{stamp}-{number}-{name}"
    return folder / place


def _check_name(file: Path) -> None:
    """Refuse a name that no store can keep.

    Raises: InputError.
    """
    try:
        file.name.encode()
    except UnicodeEncodeError:
        raise InputError(
            "its name is not in UTF-8", code="name_not_utf8", hint="give it a name in plain letters"
        ) from None


def _shown(text: str) -> str:
    """Return words with a name of a file, escaped, in one line."""
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape", "backslashreplace").decode() for char in text
    )


def _first(name: str) -> str:
    return name.partition(".")[0].casefold()


def _sheet(_tick: Tick, file: Path, _place: Path) -> None:
    raise InputError(
        f"{file.name} is a spreadsheet, and only lists as text are read",
        code="spreadsheet",
        hint="save it as CSV, with the columns of ICCIDs as text",
    )


def _pairs(tick: Tick, file: Path, place: Path) -> None:
    rest = place.with_name(f"{place.stem}{EXCEPTIONS}")
    done = import_pairs(tick.site, file, take_good=True, exceptions=rest)
    tick.count("pairs_added", done.counts["added"])
    tick.count("pairs_replaced", done.counts["replaced"])
    tick.count("rows_left_out", done.rows_left_out)
    if done.rows_left_out:
        tick.hold(
            ExitCode.ATTENTION, f"{_shown(file.name)}: rows left out: {done.rows_left_out}", f"{rest} has each with why"
        )


def _shipped(tick: Tick, file: Path, _place: Path) -> None:
    cards = [(one.iccid.key, one.iccid.digits, one.origin) for one in read_pool(file, range_mode=None)]
    tick.count("cards_shipped", tick.site.store.due.note_shipped(cards, tick.site.now()))


def _stock(tick: Tick, file: Path, _place: Path) -> None:
    tick.count("cards_added", import_stock(tick.site, file).added)


# --- kinds of files -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Way:
    """Way to take a kind of file, and the command by hand."""

    take: Callable[[Tick, Path, Path], None]
    columns: str
    command: str = ""

    def remedy(self, hint: str, place: Path) -> str:
        """Return a hint for people who give a tick no options."""
        if "--" not in hint:
            return hint
        words = f"name its columns in the first line: {self.columns}"
        return f"{words}; or take it by hand, with options: `{self.command} {place}`" if self.command else words


_PAIRS = _Way(_pairs, "source_iccid, target_iccid, unit, imei, site, ticket, scanned_at", "migrator pair import")
_SHIPPED = _Way(_shipped, "iccid, with a line for each card")
_STOCK = _Way(_stock, "iccid, with a line for each card", "migrator stock import")
_SHEET = _Way(_sheet, "")


def _way(file: Path) -> _Way:
    name = file.name.lower()
    if file.suffix.lower() in SHEETS:
        return _SHEET
    if name.startswith(SHIPPED):
        return _SHIPPED
    return _STOCK if name.startswith(STOCK) else _PAIRS
