"""`pair import`: pairs from a file, also as technicians write it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

import click

from migrator.cli.app.common import Globals, Outcome, finish, global_options, table, unused_columns
from migrator.cli.app.files import is_stdout, refuse_unwritable
from migrator.cli.app.problem_log import problem_log
from migrator.core.fleet.units import counted
from migrator.core.run.results import ExitCode
from migrator.errors import InputError, Problem
from migrator.inputs.pairing.field_file import FieldResult
from migrator.inputs.pairing.list_columns import PAIR_TITLES, parse_choices
from migrator.wiring.gc import collecting_rarely
from migrator.workflows.field.import_pairs import ImportedPairs, import_pairs
from migrator.workflows.site import open_site

__all__ = ["import_file"]

NEXT = "Next: `migrator pair check`, then `migrator plan create --policy FILE`."
SHOWN = 10


@click.command(
    "import",
    epilog="Exit codes: 0 done, 2 problems (all listed, nothing changed), 3 with --take-good: some rows were left out, "
    "9 a run uses a pair.",
)
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--column",
    "columns",
    metavar="FIELD=TITLE",
    multiple=True,
    help="Which column holds source_iccid, target_iccid, eid, unit, imei, site, ticket, scanned_at, scanned_by; or, "
    "in place of the old ICCID, label, imsi, msisdn, ip_address.",
)
@click.option("--replace", is_flag=True, help="Let the file contradict pairs that are there already.")
@click.option("--take-good", is_flag=True, help="Take the rows without a problem, and leave the others out.")
@click.option(
    "--exceptions",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Write the rows that were left out to FILE, with the reasons; mended, it is imported again.",
)
@click.option("--problems", metavar="FILE", type=click.Path(path_type=Path), help="Write every problem to FILE.")
@global_options
@click.pass_obj
def import_file(
    shared: Globals,
    /,
    *,
    file: Path,
    columns: Sequence[str],
    replace: bool,
    take_good: bool,
    exceptions: Path | None,
    problems: Path | None,
) -> int:
    """Read pairs from FILE, all or nothing.

    FILE is CSV with source_iccid,target_iccid and, if you like, eid and facts of the unit: unit, imei, site, ticket,
    scanned_at, scanned_by. Titles in other languages are known. Where the old ICCID is missing, a label, IMEI, IMSI,
    MSISDN or IP address may name the old SIM. Of several scans the latest counts.
    """
    ways = (replace, take_good)
    return finish("pair import", shared, lambda: _import(shared, file, columns, ways, exceptions, problems))


def _import(  # noqa: PLR0917 - the options
    shared: Globals,
    file: Path,
    columns: Sequence[str],
    ways: tuple[bool, bool],
    exceptions: Path | None,
    problems: Path | None,
) -> Outcome:
    replace, take_good = ways
    chosen = parse_choices(columns, tuple(PAIR_TITLES))
    if exceptions is not None and not take_good:
        words = "--exceptions needs --take-good: without it a file with a problem changes nothing"
        raise InputError(words, code="usage", hint="add --take-good, or use --problems FILE for the list of problems")
    if exceptions is not None and is_stdout(exceptions):
        raise InputError("--exceptions cannot be stdout", code="usage", hint="name a file")
    for wanted in filter(None, (exceptions, problems)):
        refuse_unwritable(wanted)
    with open_site(shared.state, config=shared.config) as site, collecting_rarely():
        done = import_pairs(site, file, columns=chosen, replace=replace, take_good=take_good, exceptions=exceptions)
        beside = site.store.beside("pairing-problems.txt")
    if done.problems and not take_good:
        _refuse(done.problems, file, problems, beside)
    return _imported(done, file, exceptions, problems)


def _refuse(found: Sequence[Problem], file: Path, wanted: Path | None, default: Path) -> NoReturn:
    """Refuse an import because of its problems.

    Raises: InputError, with every problem. More problems than fit on a screen are in a file, too.
    """
    words = f"{file}: {counted(len(found), 'problem')}; nothing was changed"
    with problem_log(wanted, default) as log:
        for problem in found:
            log.note(problem)
    hint = f"all are in {log.path}" if log.is_written else ""
    raise InputError(words, problems=(Problem("pair_import", words, hint), *found))


def _imported(done: ImportedPairs, file: Path, exceptions: Path | None, wanted: Path | None) -> Outcome:
    """Return the outcome of an import.

    `unchanged` counts rows of the file, `completed` counts pairs that only got an EID.
    """
    result = done.field or done.result
    changes = _changes(done)
    completed = 0 if result is None else len(result.chips)
    repeated = 0 if result is None else result.unchanged
    data = {
        **done.counts,
        "unchanged": done.counts["unchanged"] - completed + repeated,
        "completed": completed,
        "changes": changes,
        "odd_check_digits": 0 if result is None else result.odd_digits,
        "unused_columns": list(done.unused_columns),
        **_of_field(done, exceptions),
    }
    text: list[Any] = [
        f"{counted(done.counts['added'], 'pair')} added, {data['replaced']} replaced, {data['unchanged']} unchanged"
        + (f", {completed} given an EID." if completed else ".")
    ]
    if done.field is not None:
        text += _field_text(done.field)
    if changes:
        rows = [
            (one["source"], one["was"], one["is"] or "none", one["why"] or one["origin"]) for one in changes[:SHOWN]
        ]
        more = f" (the first {SHOWN}; --json lists all)" if len(changes) > SHOWN else ""
        text.append(table(f"Replaced{more}", ("source", "old target", "new target", "from"), rows))
    problems = [*_exceptions(done, file, exceptions, wanted), *_warnings(done)]
    code = ExitCode.ATTENTION if done.problems else ExitCode.DONE
    return Outcome(data, (*text, NEXT), exit_code=code, problems=problems)


def _changes(done: ImportedPairs) -> list[dict[str, Any]]:
    result = done.field or done.result
    if result is None:
        return []
    changes: list[dict[str, Any]] = [
        {"source": str(new.source), "was": str(old.target), "is": str(new.target), "origin": new.origin, "why": ""}
        for old, new in result.replaced
    ]
    if done.field is not None:
        changes += [
            {"source": one.source, "was": one.was, "is": one.now, "origin": one.origin, "why": one.why}
            for one in (*done.field.superseded, *done.field.left)
        ]
    return changes


def _of_field(done: ImportedPairs, exceptions: Path | None) -> dict[str, Any]:
    found = done.field
    if found is None:
        return {}
    imeis = found.imeis
    return {
        "left_out": done.rows_left_out,
        "exceptions": str(exceptions) if exceptions is not None and done.rows_left_out else None,
        "superseded": len(found.superseded),
        "left_without": len(found.left),
        "earlier": found.older,
        "imei": {
            "agree": imeis.agree,
            "old_differs": imeis.old_differs,
            "new_differs": imeis.new_differs,
            "one_digit_off": imeis.one_digit_off,
            "not_seen": imeis.unknown,
            "odd": imeis.odd,
        },
        "empty_columns": list(done.empty),
    }


def _field_text(found: FieldResult) -> list[str]:
    lines = []
    if found.older:
        lines.append(f"{counted(found.older, 'row')} left as the store has it: a later scan is known.")
    imeis = found.imeis
    if imeis.agree or imeis.old_differs or imeis.new_differs or imeis.unknown:
        lines.append(
            f"IMEI: {imeis.agree} as the carriers saw it, {imeis.old_differs} not as the source saw the old SIM, "
            f"{imeis.new_differs} not as Hologram saw the new one, {imeis.unknown} seen by neither."
        )
    return lines


def _exceptions(done: ImportedPairs, file: Path, exceptions: Path | None, wanted: Path | None) -> list[Problem]:
    if not done.problems:
        return []
    words = f"{file}: {counted(done.rows_left_out, 'row')} left out"
    hint = "mend the rows, and import the file again: rows that are there already change nothing"
    if exceptions is None:
        hint = "--exceptions FILE writes these rows into a file to mend"
    else:
        words += f", written to {exceptions}"
    shown = [Problem(one.code, one.message, one.hint) for one in done.problems]
    if wanted is not None:
        with problem_log(wanted, wanted) as log:
            for problem in shown:
                log.note(problem)
    return [Problem("attention", words, hint), *shown]


def _warnings(done: ImportedPairs) -> list[Problem]:
    result = done.field or done.result
    warnings = [] if result is None else [Problem("warning", words) for words in result.warnings[:SHOWN]]
    if result is not None and result.odd_digits:
        words = f"check digits that are not right: {result.odd_digits}; the ICCIDs and EIDs were taken as they stand"
        warnings.append(
            Problem("warning", words, "compare them with the cards: a mistyped target may be somebody else's")
        )
    warnings += unused_columns(done.unused_columns)
    if done.empty:
        warnings.append(Problem("warning", f"columns without any value: {', '.join(done.empty[:SHOWN])}"))
    return warnings
