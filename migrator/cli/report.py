"""`report`: the reconciliation, in files."""

from pathlib import Path
from typing import Any

import click

from migrator.cli.common import Globals, Outcome, finish, global_options, table
from migrator.core.results import ExitCode
from migrator.errors import InputError, Problem

__all__ = ["report"]

KNOWN = ("json", "csv", "md")


@click.command("report", epilog="Exit codes: 0 written, 1 the buckets do not add up, 2 no plan or unwritable folder.")
@click.argument("plan", required=False)
@click.option("--format", "formats", default="json,csv,md", show_default=True, help="Some of json, csv, md.")
@click.option("--out", type=click.Path(path_type=Path), help="The folder [reports/PLAN].")
@global_options
@click.pass_obj
def report(shared: Globals, /, *, plan: str | None, formats: str, out: Path | None) -> int:
    """Write PLAN's reconciliation: every source SIM in exactly one bucket, from what was read last."""
    return finish("report", shared, lambda: _report(shared, plan, formats, out))


def _report(shared: Globals, plan: str | None, formats: str, out: Path | None) -> Outcome:
    from migrator import bootstrap
    from migrator.bootstrap.reporting import reconciliation
    from migrator.cli.lookups import plan_id_of
    from migrator.reports.writers import write_report

    wanted = _formats(formats)
    with bootstrap.store_of(shared.state, shared.config) as store:
        plan_id = plan_id_of(store, plan)
        model = reconciliation(store, plan_id)
        files = write_report(model, out or Path("reports") / plan_id, wanted)
        buckets = model.buckets()
    return _told(plan_id, buckets, model.inventory_total, files)


def _formats(text: str) -> list[str]:
    """The formats asked for, in order, each once. Raises: InputError, for one that is not known."""
    wanted = list(dict.fromkeys(word.strip().lower() for word in text.split(",") if word.strip()))
    unknown = [word for word in wanted if word not in KNOWN]
    if unknown or not wanted:
        words = "the HTML report is not supported by this version" if unknown == ["html"] else f"--format {text!r}"
        raise InputError(f"{words}: choose some of {', '.join(KNOWN)}", code="bad_format")
    return wanted


def _told(plan_id: str, buckets: dict[str, int], total: int, files: list[Path]) -> Outcome:
    data = {
        "plan_id": plan_id,
        "inventory_total": total,
        "buckets": buckets,
        "files": [str(path) for path in files],
    }
    text: list[Any] = [
        table(f"Plan {plan_id}", ("bucket", "SIMs"), [*buckets.items(), ("sum", sum(buckets.values()))]),
        *(f"wrote {path}" for path in files),
    ]
    if sum(buckets.values()) != total:
        words = f"the buckets hold {sum(buckets.values())} SIMs and the inventory {total}"
        hint = "the inventory changed since the plan was made; make a new plan to account for every SIM"
        return Outcome(data, text, ExitCode.ERROR, (Problem("buckets_do_not_sum", words, hint),))
    return Outcome(data, text)
