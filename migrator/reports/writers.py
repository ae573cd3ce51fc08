"""The reconciliation as JSON, CSV and Markdown. Each file is written beside its place and then moved into it."""

import csv
import json
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from migrator.core.reconcile import Bucket
from migrator.errors import InputError
from migrator.reports.model import COLUMNS, Reconciliation, moment

__all__ = ["FORMATS", "beside", "spreadsheet_safe", "write_report"]

REPORT_VERSION = 1
SAMPLES = 5
_BUCKET_WORDS = {
    Bucket.VERIFIED: "every planned value is on Hologram's record",
    Bucket.PENDING: "not finished yet",
    Bucket.MISMATCH: "the record differs from the plan",
    Bucket.FAILED: "refused for good, or in conflict",
    Bucket.BLOCKED: "a person must decide",
    Bucket.SKIPPED: "left behind by policy",
    Bucket.EXCLUDED: "not part of this plan",
    Bucket.UNPAIRED: "no target ICCID is known",
}


def write_report(report: Reconciliation, folder: Path, formats: list[str]) -> list[Path]:
    """Write `reconciliation.FORMAT` for each of `formats` into `folder`. Returns: the files.

    Raises: InputError, if the folder or a file in it cannot be written; then no file is half written.
    """
    written = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in formats:
            path = folder / f"reconciliation.{name}"
            with beside(path) as out:
                FORMATS[name](report, out)
            written.append(path)
    except FileExistsError as error:
        hint = "choose another folder with --out"
        raise InputError(f"{folder} is a file, expected a folder", code="report_unwritable", hint=hint) from error
    except OSError as error:
        raise InputError(
            f"the report cannot be written to {folder}: {error.strerror or error}",
            code="report_unwritable",
            hint="choose another folder with --out, or make room",
        ) from error
    return written


@contextmanager
def beside(path: Path, *, mode: int = 0o600) -> Iterator[TextIO]:
    """A file of this mode that takes the place of `path` only when it is whole."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as out:
            yield out
            out.flush()
            os.fsync(out.fileno())
        Path(name).chmod(mode)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _write_json(report: Reconciliation, out: TextIO) -> None:
    head = {
        "report_version": REPORT_VERSION,
        "plan_id": report.plan_id,
        "inventory_total": report.inventory_total,
        "buckets": report.buckets(),
        "money": report.money,
        "runs": [_run(run) for run in report.runs],
        "jobs": list(report.jobs),
    }
    text = json.dumps(head, ensure_ascii=False, indent=1)
    out.write(text.removesuffix("\n}") + ',\n "sims": [')
    out.writelines(
        ("," if number else "") + "\n  " + json.dumps(row.as_dict(), ensure_ascii=False)
        for number, row in enumerate(report.rows())
    )
    out.write("\n ]\n}\n")


def _run(run: Any) -> dict[str, Any]:
    return {
        "run_id": run.run_id,
        "state": run.state,
        "started_at": moment(run.started_at),
        "ended_at": moment(run.ended_at),
        "exit_code": run.exit_code,
        "reason": run.reason,
    }


def _write_csv(report: Reconciliation, out: TextIO) -> None:
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for row in report.rows():
        writer.writerow([spreadsheet_safe(value) for value in row.as_dict().values()])


def spreadsheet_safe(value: object) -> str:
    """A value as text that no spreadsheet takes for a formula: an apostrophe goes before = + - @ and control marks."""
    if value is None:
        return ""
    text = str(value)
    is_number = isinstance(value, int)
    return f"'{text}" if text[:1] in "=+-@\t\r\n" and text and not is_number else text


def _write_md(report: Reconciliation, out: TextIO) -> None:
    buckets = report.buckets()
    out.write(f"# Reconciliation of plan {report.plan_id}\n\n{report.inventory_total} SIMs in the inventory.\n\n")
    out.write("| bucket | SIMs | meaning |\n|---|---:|---|\n")
    out.writelines(f"| {name} | {count} | {_BUCKET_WORDS[Bucket(name)]} |\n" for name, count in buckets.items())
    out.write(f"| **sum** | {sum(buckets.values())} | |\n")
    _write_md_findings(report, out)
    _write_md_jobs(report, out)
    out.write("\n## Money\n\n")
    out.writelines(
        f"- {key.replace('_', ' ')}: {'unknown' if value is None else value}\n" for key, value in report.money.items()
    )


def _write_md_findings(report: Reconciliation, out: TextIO) -> None:
    findings = report.findings()
    if not findings:
        return
    samples: dict[tuple[str, str], list[str]] = {}
    for row in report.rows():
        if (row.bucket, row.code) in findings:
            held = samples.setdefault((row.bucket, row.code), [])
            if len(held) < SAMPLES:
                held.append(row.source_iccid)
    out.write("\n## What needs attention\n\n| bucket | code | SIMs | for example |\n|---|---|---:|---|\n")
    out.writelines(
        f"| {place} | {_md(code)} | {count} | {', '.join(samples[place, code])} |\n"
        for (place, code), count in sorted(findings.items())
    )


def _write_md_jobs(report: Reconciliation, out: TextIO) -> None:
    out.write(
        "\n## Bulk requests\n\n| request | kind | SIMs | outcome | carrier job | sent |\n|---:|---|---:|---|---|---|\n"
    )
    for job in report.jobs:
        cells = (job["request_id"], job["kind"], job["sims"], job["outcome"], job["job_id"] or "", job["sent_at"])
        out.write("| " + " | ".join(_md(str(cell)) for cell in cells) + " |\n")


def _md(text: str) -> str:
    """Text that cannot break a Markdown table."""
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")


FORMATS: Mapping[str, Callable[[Reconciliation, TextIO], None]] = {
    "json": _write_json,
    "csv": _write_csv,
    "md": _write_md,
}
