"""Export of units for the systems that hold ICCIDs."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from migrator.core.cutover.handover import Stage
from migrator.core.cutover.handover_cursor import CursorEntry
from migrator.errors import InputError
from migrator.files import placed_text, real_place
from migrator.inputs.files.problems import nearest, spelled
from migrator.inputs.files.text import opened_text
from migrator.reports.handover.formats import FORMATS
from migrator.reports.handover.row import HandoverRow
from migrator.reports.handover.template import RowTemplate
from migrator.store import Store
from migrator.store.database.rows import in_iccid_order
from migrator.wiring.gc import collecting_rarely
from migrator.workflows.handover.cursor import Cursor, changed_since, opened_cursor
from migrator.workflows.handover.rows import HandoverRows
from migrator.workflows.site import Site

__all__ = ["Handover", "handover"]

LONGEST_TEMPLATE = 1_000_000


@dataclass(slots=True)
class Handover:
    """Result of an export.

    Args:
        units: pairs in the store.
        rows: rows that were written.
        statuses: rows that were written, by status.
        cursor: where the cursor is; None if none was written.
    """

    units: int = 0
    rows: int = 0
    statuses: Counter[str] = field(default_factory=Counter)
    cursor: Path | None = None

    @property
    def in_service(self) -> int:
        """Number of written rows whose new SIM was seen in the unit."""
        return self.statuses[Stage.IN_SERVICE.value]


def handover(
    site: Site,
    file: Path | str | Callable[[str], object],
    *,
    format: str = "csv",  # noqa: A002 - the word of the command line
    template: Path | str | None = None,
    since: Path | str | None = None,
    cursor: Path | str | None = None,
) -> Handover:
    """Write a row for each unit, with both of its SIMs.

    The rows are sorted by old ICCID. The file is written whole or not at all, and so is the cursor, after it.

    Args:
        site: the store; nothing is sent, and nothing in it changes.
        file: where the rows go; or a function that takes the text piece by piece.
        format: `csv` or `jsonl`.
        template: a Jinja2 template that is rendered for each row, in place of a format.
        since: the cursor of an earlier export: only what changed since is written.
        cursor: where the cursor of this export goes; None: none is kept.

    Raises: InputError, for a format that is not known, a template or a cursor that cannot be used, and a file that
        cannot be written; StalePlan, for a cursor of another store.
    """
    lines = _lines(format, None if template is None else Path(template))
    _must_differ(file, since, cursor, template)
    result = Handover(cursor=None if cursor is None else Path(cursor))
    with collecting_rarely(), ExitStack() as places:
        keep = _nowhere if cursor is None else places.enter_context(placed_text(Path(cursor)))  # in place last
        out = file if callable(file) else places.enter_context(placed_text(Path(file)))
        for text in lines(_rows(site.store, None if since is None else Path(since), keep, result)):
            out(text)
    return result


def _lines(name: str, template: Path | None) -> Callable[[Iterator[HandoverRow]], Iterator[str]]:
    if template is not None:
        return RowTemplate(_text(template), str(template), nearest).lines
    if name not in FORMATS:
        raise InputError(f"there is no format {name!r}", code="bad_format", hint=f"choose one of {spelled(FORMATS)}")
    return FORMATS[name]


def _text(template: Path) -> str:
    """Return the text of a template.

    Raises: InputError.
    """
    with opened_text(template) as stream:
        text = stream.read(LONGEST_TEMPLATE + 1)
    if len(text) > LONGEST_TEMPLATE:
        words = f"{template} has more than {LONGEST_TEMPLATE:,} characters"
        raise InputError(words, code="bad_template", hint="is this the right file?")
    return text


def _must_differ(file: object, since: object, cursor: object, template: object) -> None:
    """Refuse names that would write one thing over another.

    A new cursor may take the place of the one that it goes on from.

    Raises: InputError.
    """
    named = {"the rows": file, "the cursor": cursor, "the earlier cursor": since, "the template": template}
    places = {what: real_place(Path(path))[0] for what, path in named.items() if isinstance(path, Path | str)}
    for what, other in (
        ("the rows", "the cursor"),
        ("the rows", "the earlier cursor"),
        ("the rows", "the template"),
        ("the cursor", "the template"),
    ):
        if what in places and places[what] == places.get(other):
            words = f"{named[what]} is named for {what} and for {other}"
            raise InputError(words, code="usage", hint="name another file for one of them; nothing was written")


def _rows(store: Store, since: Path | None, keep: Callable[[str], object], result: Handover) -> Iterator[HandoverRow]:
    """Yield the rows to write, sorted by old ICCID, and count them."""
    with ExitStack() as open_:
        before: Iterator[CursorEntry] = iter(())
        if since is not None:
            before = open_.enter_context(opened_cursor(since, store.lineage))
        cursor = Cursor(keep, store.lineage)
        changed = changed_since(_counted(HandoverRows(store).all(), result), before, cursor.keep)
        for _, _, row in in_iccid_order((row.key, row.old["iccid"], row) for row in changed):
            result.rows += 1
            result.statuses[row.status.value] += 1
            yield row
        cursor.end()


def _counted(rows: Iterator[HandoverRow], result: Handover) -> Iterator[HandoverRow]:
    for row in rows:
        result.units += 1
        yield row


def _nowhere(_text: str) -> None:
    pass
