"""The reconciliation as JSON, version 1.

`reconciliation.schema.json` beside this module describes the format.
"""

import json
from collections.abc import Iterable, Mapping
from itertools import chain
from pathlib import Path
from typing import Any, TextIO

from migrator.core.fleet.sims import ONENCE
from migrator.core.run.steps import JobRecord
from migrator.reports.model import COLUMNS, moment
from migrator.reports.remedies import remedy
from migrator.reports.rows_on_disk import Book

__all__ = ["REPORT_VERSION", "run_values", "schema_text", "write_json"]

REPORT_VERSION = 1
_encode = json.JSONEncoder(ensure_ascii=False).encode


def schema_text() -> str:
    """Return the JSON Schema of the format, as published."""
    return Path(__file__).with_name("reconciliation.schema.json").read_text(encoding="utf-8")


def write_json(book: Book, out: TextIO) -> None:
    """Write the counts first, then jobs and SIMs.

    Jobs and SIMs are written as they stream by, one on a line.
    """
    text = json.dumps(_head(book), ensure_ascii=False, indent=1)
    out.write(text.removesuffix("\n}"))
    _write_list(out, "jobs", book.report.jobs())
    _write_list(out, "sims", (dict(zip(COLUMNS, row, strict=True)) for row in book.rows()))
    out.write("\n}\n")


def _head(book: Book) -> dict[str, Any]:
    report, tally = book.report, book.tally
    return {
        "report_version": REPORT_VERSION,
        "generated_at": moment(report.generated_at),
        "generated_by": report.tool,
        "plan_id": report.plan_id,
        "plan": report.plan,
        "policy": report.policy_text,
        "approvals": list(report.approvals),
        "inventory_total": report.inventory_total,
        "buckets": tally.by_bucket(),
        "adds_up": book.adds_up,
        "shortfall": book.shortfall(),
        "waves": {wave: dict(counts) for wave, counts in tally.waves.items()},
        "findings": [
            {
                "bucket": group.bucket,
                "code": group.code,
                "sims": group.sims,
                "remedy": remedy(group.bucket, group.code, report.goes_on, report.plan.get("source", ONENCE)),
                "samples": [iccid for iccid, _ in group.samples],
            }
            for group in tally.findings()
        ],
        "proof_of_life": tally.life(),
        "money": report.money,
        "double_billing": report.double_billing,
        "switches": list(report.cutovers),
        "runs": [run_values(run) for run in report.runs],
    }


def run_values(run: JobRecord) -> dict[str, Any]:
    """Return one run of `apply` as JSON values."""
    return {
        "run_id": run.run_id,
        "state": run.state,
        "owner": run.owner,
        "started_at": moment(run.started_at),
        "ended_at": moment(run.ended_at),
        "exit_code": run.exit_code,
        "reason": run.reason,
        "requests": run.requests,
        "ref": run.ref,
    }


def _write_list(out: TextIO, name: str, values: Iterable[Mapping[str, Any]]) -> None:
    out.write(f',\n "{name}": [')
    commas = chain(("",), iter(lambda: ",", None))
    out.writelines(f"{comma}\n  {_encode(value)}" for comma, value in zip(commas, values, strict=False))
    out.write("\n ]")
