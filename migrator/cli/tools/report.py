"""`report`: the reconciliation, in files."""

from pathlib import Path
from typing import Any

import click

from migrator import wiring
from migrator.cli.app.common import Globals, Outcome, finish, global_options, table
from migrator.cli.app.files import refuse_unwritable, with_evidence
from migrator.core.run.results import ExitCode
from migrator.errors import InputError, Problem
from migrator.reports.formats.json_file import schema_text
from migrator.reports.model import Reconciliation
from migrator.reports.writers import FORMATS, Written, write_report
from migrator.wiring.gc import collecting_rarely
from migrator.workflows.evidence import gather
from migrator.workflows.lookups.plans import plan_or_file
from migrator.workflows.report import reconciliation

__all__ = ["report"]

CODES = "0 written, 1 the buckets do not add up, 2 no plan or unwritable place, 5 a plan file of another store."


@click.command("report", epilog=f"Exit codes: {CODES}")
@click.argument("plan", required=False)
@click.option("--format", "formats", default=",".join(FORMATS), show_default=True, help="Some of html, json, csv, md.")
@click.option("--out", type=click.Path(path_type=Path), help="The folder [reports/PLAN].")
@click.option(
    "--evidence",
    metavar="FILE.zip",
    type=click.Path(path_type=Path),
    help="Also write plan, journal and log into one zip that `audit verify` checks without the store.",
)
@click.option("--schema", is_flag=True, help="Print the JSON Schema of reconciliation.json, and do nothing else.")
@global_options
@click.pass_obj
def report(shared: Globals, /, *, schema: bool, **asked: Any) -> int:
    """Write PLAN's reconciliation: every source SIM in exactly one bucket.

    The report uses what was read last. PLAN is an id or a plan file; default the newest. The HTML page is one file that
    needs no network.
    """
    return finish("report", shared, _schema if schema else lambda: _report(shared, **asked))


def _schema() -> Outcome:

    click.echo(schema_text(), nl=False)
    return Outcome({}, is_on_stdout=True)


def _report(shared: Globals, *, plan: str | None, formats: str, out: Path | None, evidence: Path | None) -> Outcome:

    wanted = _formats(formats)
    if evidence is not None:
        refuse_unwritable(evidence)
    with wiring.store_of(shared.state, shared.config) as store, collecting_rarely():
        plan_id = plan_or_file(store, plan)
        model = reconciliation(store, plan_id, now=wiring.SystemClock().now().timestamp())
        outcome = _told(model, write_report(model, out or Path("reports") / plan_id, wanted))
        if evidence is None:
            return outcome
        digest, head = gather(store, plan_id, evidence, now=wiring.SystemClock().now().timestamp())
    return with_evidence(outcome, evidence, manifest_sha256=digest, head=head)


def _formats(text: str) -> list[str]:
    """Return the formats asked for, in order, each once.

    Raises: InputError, for a format that is not known.
    """
    wanted = list(dict.fromkeys(word.strip().lower() for word in text.split(",") if word.strip()))
    if not wanted or set(wanted) - set(FORMATS):
        raise InputError(f"--format {text!r}: choose some of {', '.join(FORMATS)}", code="bad_format")
    return wanted


def _told(model: Reconciliation, written: Written) -> Outcome:
    buckets = written.tally.by_bucket()
    data = {
        "plan_id": model.plan_id,
        "inventory_total": model.inventory_total,
        "buckets": buckets,
        "files": [str(path) for path in written.files],
    }
    rows = [*buckets.items(), ("sum", written.tally.total)]
    text: list[Any] = [
        table(f"Plan {model.plan_id}", ("bucket", "SIMs"), rows),
        *(f"wrote {path}" for path in written.files),
    ]
    if written.shortfall:
        hint = "the inventory changed since the plan was made; make a new plan to account for every SIM"
        return Outcome(data, text, ExitCode.ERROR, (Problem("buckets_do_not_sum", written.shortfall, hint),))
    return Outcome(data, text)
