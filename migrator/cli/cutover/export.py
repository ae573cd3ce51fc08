"""`cutover export`: a list for a portal, where there is no API."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import click

from migrator import wiring
from migrator.cli.app.asking import asking
from migrator.cli.app.common import Globals, Outcome, finish, global_options, table, warned
from migrator.cli.app.files import check_destination, is_stdout, written
from migrator.cli.app.progress import watching
from migrator.cli.app.words import head_line
from migrator.cli.cutover.run import asking_count, finished_before, outcome_rows
from migrator.core.cutover.plan import CutoverItem, Direction
from migrator.core.fleet.sims import SourceSim
from migrator.core.fleet.units import n_sims
from migrator.core.run.results import ExitCode
from migrator.errors import Problem
from migrator.files import as_csv
from migrator.reports.formats.csv_file import spreadsheet_safe
from migrator.workflows.cutover.apply import cutover_have_confirmed, cutover_must_be_ready
from migrator.workflows.cutover.export import OffList, list_cutover, must_be_by_hand
from migrator.workflows.cutover.lookups import cutover_id_of, last_exit_code
from migrator.workflows.lookups.looks import meant_cutover
from migrator.workflows.site import Site

__all__ = ["COLUMNS", "export"]

CODES = (
    "0 the list is written, or all is off, 2 input, 3 some SIMs need attention, 4 refused, 5 stale, 6 a gate or too "
    "many failures, 7 not all new SIMs could be read, 9 another run holds the store, 130 interrupted."
)
COLUMNS = ("iccid", "imsi", "msisdn", "label", "new_iccid", "wave")


@click.command("export", epilog=f"Exit codes: {CODES}")
@click.argument("cutover_id", metavar="[ID]", required=False)
@click.option(
    "--out",
    type=click.Path(path_type=Path, allow_dash=True),
    help="Where the list goes, as CSV; `-` is stdout. Default: switch-off-ID.csv.",
)
@click.option("--confirm", "count", type=int, metavar="COUNT", help="How many SIMs `cutover plan` says to switch off.")
@global_options
@click.pass_obj
def export(shared: Globals, /, *, cutover_id: str | None, out: Path | None, count: int | None) -> int:
    """List the SIMs of a cutover plan to switch off by hand.

    For fleets of a carrier that has no API here (`inventory import --source-name`). Default: the newest plan, if you
    were shown no other since.

    Each new SIM is read first at Hologram, and only SIMs that qualify now are listed, a wave at a time. Switch them off
    in the carrier's portal, import its next file, and run this again: what the file shows as off is proved, what is
    still on is judged and listed again, and the next wave follows. Nothing tells whether an old SIM was silent.
    """
    return finish("cutover export", shared, lambda: _export(shared, cutover_id, out, count))


def _export(shared: Globals, given: str | None, out: Path | None, count: int | None) -> Outcome:
    if out is not None:
        check_destination(shared, out)
    chosen = wiring.settings(shared.config)
    chosen.hologram()
    with wiring.open_store(shared.state or chosen.state) as store:
        name = must_be_by_hand(chosen, store)
        cutover_id = cutover_id_of(store, given, Direction.CUTOVER)
        if given is None:
            cutover_id = meant_cutover(store, Direction.CUTOVER, cutover_id, asking(shared))
        header = store.cutovers.header(cutover_id)
        file = Path(f"switch-off-{cutover_id}.csv") if out is None else out
        check_destination(shared, file)
        if store.cutovers.state(cutover_id) == "finished":
            return finished_before(cutover_id, last_exit_code(store, cutover_id))
        cutover_must_be_ready(store, header)
        if not header.count:
            return Outcome({"switch_id": cutover_id, "count": 0, "listed": 0}, ("There is nothing to switch.",))
        cutover_have_confirmed(store, header, count, asking_count(shared, header))
        with watching(shared) as progress:
            listed = list_cutover(Site(store, chosen, progress, warned), header)
        sims = written(file, as_csv(_rows(listed.sims(store)))) - 1
        data = {"source": name, "count": header.count, "listed": sims, "file": str(file)}
        return _told(listed, data, store.audit.head())


def _rows(sims: Iterable[tuple[CutoverItem, SourceSim]]) -> Iterator[list[str]]:
    yield list(COLUMNS)
    for item, sim in sims:
        row = item.row
        new = "" if row.target_iccid is None else row.target_iccid.digits
        label = spreadsheet_safe(sim.label or "")
        yield [sim.iccid.digits, sim.imsi or "", sim.msisdn or "", label, new, row.wave or ""]


def _told(listed: OffList, told: dict[str, Any], head: str) -> Outcome:
    result, sims, file = listed.result, told["listed"], told["file"]
    data = {
        "switch_id": result.cutover_id,
        "run_id": result.run_id,
        "reason": result.reason,
        **told,
        "proved": result.proved,
        "already": result.already,
        "unproved": result.unproved,
        "aside": dict(result.aside),
        "failed": dict(result.failed),
        "changed": dict(result.changed),
        "not_alive": list(result.not_alive),
        "audit_head": head,
    }
    text: list[Any] = [table("", ("", "SIMs"), [("to switch off now", sims), *outcome_rows(result, Direction.CUTOVER)])]
    text.append(head_line(head))
    again = f"`migrator cutover export {result.cutover_id}`"
    if sims:
        text.insert(0, f"{n_sims(sims)} to switch off in {told['source']}'s portal, written to {file}.")
        text.append(f"Next: switch them off there, `migrator inventory import` its next file, then {again}.")
    else:
        text.insert(0, f"Nothing to switch off now; {file} has no SIM.")
    code, problems = result.exit_code, list[Problem]()
    if code is ExitCode.RESUMABLE and listed.is_with_a_person:
        troubled = result.aside or result.failed or result.changed or result.not_alive
        code = ExitCode.ATTENTION if troubled else ExitCode.DONE
        reason = "some SIMs are not to be switched off, or need a look"
    else:
        reason = result.reason
    if code is not ExitCode.DONE:
        hint = f"`migrator cutover show {result.cutover_id}` lists them" if code is ExitCode.ATTENTION else result.hint
        kind = "attention" if code is ExitCode.ATTENTION else "stopped"
        problems.append(Problem(kind, reason, hint.replace("cutover apply", "cutover export")))
    return Outcome(data, text, code, problems, is_on_stdout=is_stdout(Path(file)))
