"""`handover`: the result for the systems that hold ICCIDs."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from migrator.cli.app.common import Globals, Outcome, finish, global_options, table
from migrator.cli.app.files import check_destination, is_stdout, refuse_unwritable
from migrator.core.cutover.handover import Stage
from migrator.core.fleet.units import counted
from migrator.core.run.results import ExitCode
from migrator.errors import InputError, Problem
from migrator.files import real_place
from migrator.inputs.pairing.list_columns import parse_choices
from migrator.reports.handover.formats import FORMATS
from migrator.reports.handover.row import schema_text
from migrator.workflows.handover import Handover, handover
from migrator.workflows.handover.check import HandoverCheck, Holds, check_handover
from migrator.workflows.site import open_site

__all__ = ["check", "export"]

STDOUT = Path("-")
SHOWN = 10


@click.command(
    "export",
    epilog="Exit codes: 0 done, 2 a bad template or cursor, or an unwritable file, 5 a cursor of another store.",
)
@click.option("--format", "name", type=click.Choice(list(FORMATS)), help="How rows are written [csv].")
@click.option(
    "--since",
    metavar="CURSOR",
    type=click.Path(path_type=Path),
    help="Write only what changed since the export that wrote CURSOR.",
)
@click.option(
    "--template",
    metavar="FILE.j2",
    type=click.Path(path_type=Path),
    help="Render this Jinja2 template for each row, in place of a format.",
)
@click.option("--out", metavar="FILE", type=click.Path(path_type=Path, allow_dash=True), help="Where rows go [stdout].")
@click.option(
    "--cursor", metavar="FILE", type=click.Path(path_type=Path), help="Where the cursor goes [--out, and .cursor]."
)
@click.option("--schema", is_flag=True, help="Print the JSON Schema of a row of jsonl, and do nothing else.")
@global_options
@click.pass_obj
def export(shared: Globals, /, *, schema: bool, **asked: Any) -> int:
    """Write a row for each unit, with both of its SIMs.

    The rows are sorted by old ICCID. A unit is `in_service` only once its new SIM was seen in it. Reads the store only:
    `verify --traffic` is what looks for signs of life.
    """
    return finish("handover export", shared, _schema if schema else lambda: _export(shared, **asked))


def _export(
    shared: Globals,
    *,
    name: str | None,
    since: Path | None,
    template: Path | None,
    out: Path | None,
    cursor: Path | None,
) -> Outcome:
    if name is not None and template is not None:
        raise InputError("--format and --template: give one of them", code="usage", hint="the template is the format")
    place = STDOUT if out is None else out
    check_destination(shared, place)
    is_piped = is_stdout(place)
    if cursor is None and not is_piped and _is_replaced(place):
        cursor = place.with_name(f"{place.name}.cursor")
    if cursor is not None:
        refuse_unwritable(cursor)
    with open_site(shared.state, config=shared.config) as site:
        done = handover(
            site,
            _piped if is_piped else place,
            format=name or "csv",
            template=template,
            since=since,
            cursor=cursor,
        )
    return _exported(done, place, since, is_piped=is_piped)


def _is_replaced(place: Path) -> bool:
    """True if a file takes this place, and no device or pipe."""
    there = real_place(place)[1]
    return there is None or place.is_file()


def _piped(text: str) -> None:
    click.echo(text, nl=False)


def _exported(done: Handover, place: Path, since: Path | None, *, is_piped: bool) -> Outcome:
    statuses = {stage.value: done.statuses[stage.value] for stage in Stage if done.statuses[stage.value]}
    data = {
        "file": str(place),
        "units": done.units,
        "rows": done.rows,
        "in_service": done.in_service,
        "statuses": statuses,
        "since": None if since is None else str(since),
        "cursor": None if done.cursor is None else str(done.cursor),
    }
    told = [table("Rows by status", ("status", "rows"), list(statuses.items()))] if statuses else []
    what = "changed" if since is not None else "written"
    text: list[Any] = [*told, f"{counted(done.rows, 'row')} of {counted(done.units, 'unit')} {what}, in {place}."]
    if done.cursor is not None:
        text.append(f"Cursor: {done.cursor}; `--since {done.cursor}` writes what changes from now on.")
    problems = []
    if done.cursor is None:
        problems = [Problem("warning", "no cursor was kept", "--cursor FILE keeps one for the next --since")]
    return Outcome(data, text, problems=problems, is_on_stdout=is_piped)


@click.command("check", epilog="Exit codes: 0 done, 2 an unreadable file, 3 records to change.")
@click.option(
    "--against", required=True, metavar="FILE", type=click.Path(path_type=Path), help="Your records: CSV or JSON lines."
)
@click.option(
    "--column",
    "columns",
    metavar="iccid=TITLE",
    multiple=True,
    help="Column or field that holds ICCIDs [those with known titles]; may be given again.",
)
@click.option("--out", metavar="FILE", type=click.Path(path_type=Path), help="Write all findings as JSON lines.")
@global_options
@click.pass_obj
def check(shared: Globals, /, *, against: Path, columns: Sequence[str], out: Path | None) -> int:
    """Find your records that still hold the ICCID of an old SIM.

    A record counts once. It is out of date if its unit is in service with the new SIM, or if the old SIM is off, and
    the new ICCID does not stand beside the old one.
    """
    return finish("handover check", shared, lambda: _check(shared, against, columns, out))


def _check(shared: Globals, against: Path, columns: Sequence[str], out: Path | None) -> Outcome:
    titles = [parse_choices([text], ("iccid",))["iccid"] for text in columns]
    if not all(titles):
        raise InputError("--column iccid= names no column", code="bad_column", hint="as --column iccid=SIM")
    if out is not None:
        refuse_unwritable(out)
    with open_site(shared.state, config=shared.config) as site:
        found = check_handover(site, against, columns=titles, out=out)
    return _checked(found, against, out)


WORDS = {
    Holds.UNREADABLE: "cannot be read",
    Holds.STILL_OLD: "still hold the old ICCID of a unit that has moved",
    Holds.BACK_TO_OLD: "hold the new ICCID of a unit that a rollback took back",
    Holds.NEW: "hold the new ICCID",
    Holds.NOT_YET: "hold the old ICCID of a unit that has not moved yet",
    Holds.UNKNOWN: "hold ICCIDs that no pair of ours names",
    Holds.WITHOUT: "hold no ICCID",
}


def _checked(found: HandoverCheck, against: Path, out: Path | None) -> Outcome:
    counts = {holds.value: found.counts[holds.value] for holds in Holds}
    data = {
        "records": found.records,
        **counts,
        "to_change": found.to_change,
        "units_in_no_record": found.units_missing,
        "findings": found.findings,
        "missing": found.missing,
        "file": None if out is None else str(out),
    }
    rows = [(WORDS[holds], found.counts[holds.value]) for holds in Holds if found.counts[holds.value]]
    text: list[Any] = [table(f"{counted(found.records, 'record')} of {against}", ("records that", ""), rows)]
    if found.units_missing:
        first = ", ".join(found.missing[:3]) + (", ..." if found.units_missing > 3 else "")  # noqa: PLR2004 - a line
        text.append(f"{counted(found.units_missing, 'unit')} of ours in no record: {first}")
    if out is not None:
        text.append(f"All findings are in {out}.")
    problems = [_problem(finding, against) for finding in found.findings[:SHOWN]]
    if found.to_change > SHOWN:
        hint = "" if out is not None else "--out FILE writes all of them"
        problems.append(Problem("attention", f"... and {found.to_change - SHOWN:,} more records", hint))
    return Outcome(data, text, ExitCode.ATTENTION if found.to_change else ExitCode.DONE, problems)


def _problem(finding: dict[str, Any], against: Path) -> Problem:
    place = f"{against}:{finding['line']}"
    holds = Holds(finding["holds"])
    if holds is Holds.UNREADABLE:
        return Problem("attention", f"{place}: {finding['words']}", "mend the record at its source")
    new = f"{finding['new_iccid']} (with check digit {finding['new_iccid_with_luhn']}, device {finding['device_id']})"
    if holds is Holds.STILL_OLD:
        return Problem("attention", f"{place}: holds {finding['old_iccid']}; the unit's SIM is {new} now")
    return Problem("attention", f"{place}: holds {new}; a rollback took the unit back to {finding['old_iccid']}")


def _schema() -> Outcome:
    click.echo(schema_text(), nl=False)
    return Outcome({}, is_on_stdout=True)
