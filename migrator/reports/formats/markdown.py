"""The reconciliation as Markdown, for a ticket.

The text has counts, findings, bulk requests and money, but no list of single SIMs.
"""

from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any, TextIO

from migrator.core.fleet.sims import ONENCE
from migrator.core.fleet.units import grouped
from migrator.core.run.verify import Bucket
from migrator.reports.model import moment
from migrator.reports.remedies import BUCKET_WORDS, PAID_ONCE, READS_WHAT_IS_LEFT, remedy
from migrator.reports.rows_on_disk import Book

__all__ = ["write_md"]

MOST_JOBS = 200
"""Maximum number of jobs in a ticket; the JSON has all."""


def write_md(book: Book, out: TextIO) -> None:
    """Write the report, the summary first."""
    report, tally = book.report, book.tally
    out.write(f"# Reconciliation of plan {report.plan_id}\n\n")
    out.write(f"{report.inventory_total} SIMs in the inventory. {moment(report.generated_at)}, {_md(report.tool)}.\n\n")
    if not book.adds_up:
        out.write(f"**This report does not add up:** {book.shortfall()}. Make a new plan.\n\n")
    out.write("| bucket | SIMs | meaning |\n|---|---:|---|\n")
    out.writelines(
        f"| {name} | {count:,} | {BUCKET_WORDS[Bucket(name)]} |\n" for name, count in tally.by_bucket().items()
    )
    out.write(f"| **sum** | {tally.total:,} | |\n")
    _write_findings(book, out)
    out.write("\n## Proof of life\n\n")
    _write_facts(tally.life() or {"sims_asked": "none; `migrator verify --traffic` asks"}, out)
    _write_people(book, out)
    _write_jobs(book, out)
    out.write("\n## Money\n\n")
    _write_facts(report.money, out)
    if report.double_billing:
        is_1nce = report.plan.get("source", ONENCE) == ONENCE
        words = f"{PAID_ONCE}\n\n" if is_1nce else ""
        out.write(f"\n## What two SIMs a unit cost\n\n{words}")
        _write_facts(report.double_billing, out)
        if is_1nce and None in {report.double_billing.get(f"left_behind_{unit}") for unit in ("mb", "days")}:
            out.write(f"\n{READS_WHAT_IS_LEFT}\n")
    if report.cutovers:
        out.write("\n## Cutover and rollback\n\n")
        names = ("switch_id", "direction", "state", "count", "switched", "failed", "aside", "paused")
        counts = ("SIMs", "switched", "failed", "set aside", "new SIMs paused")
        _write_row(out, ("plan", "direction", "state", *counts, "who ran it"))
        out.write("|---|---|---|---:|---:|---:|---:|---:|---|\n")
        for one in report.cutovers:
            _write_row(out, (*(str(one[name]) for name in names), "; ".join([*one["ran_by"], *one["refs"]])))


def _write_facts(facts: Mapping[str, Any], out: TextIO) -> None:
    out.writelines(
        f"- {key.replace('_', ' ')}: {'unknown' if value is None else grouped(value)}\n" for key, value in facts.items()
    )


def _write_findings(book: Book, out: TextIO) -> None:
    groups = book.tally.findings()
    if groups:
        out.write(
            "\n## What is not verified\n\n| bucket | code | SIMs | what to do | for example |\n|---|---|---:|---|---|\n"
        )
    for group in groups:
        samples = ", ".join(iccid for iccid, _ in group.samples)
        words = _md(remedy(group.bucket, group.code, book.report.goes_on, book.report.plan.get("source", ONENCE)))
        out.write(f"| {group.bucket} | {_md(group.code)} | {group.sims:,} | {words} | {samples} |\n")


def _write_people(book: Book, out: TextIO) -> None:
    out.write("\n## Who\n\n")
    for run in book.report.runs:
        ended = f"{moment(run.ended_at) or 'not ended'}, exit {'none' if run.exit_code is None else run.exit_code}"
        who = f"{_md(run.owner)}{_for(run.ref)}"
        out.write(f"- run {run.run_id}: {who}, {moment(run.started_at)} to {ended}. {_md(run.reason)}\n")
    out.writelines(
        f"- approved by {_md(_who(given))}{_for(given['ref'])}, {given['approved_at']}. {_md(given['note'])}\n"
        for given in book.report.approvals
    )
    if not book.report.approvals:
        out.write("- no approval is on record\n")
    out.write(f"- head of the audit log, to be noted in another place: `{book.report.plan['audit_head']}`\n")


def _who(given: Mapping[str, Any]) -> str:
    user = given.get("database_user")
    return f"{given['approved_by']} (database user {user})" if user else str(given["approved_by"])


def _for(ref: str) -> str:
    return f", for {_md(ref)}" if ref else ""


def _write_jobs(book: Book, out: TextIO) -> None:
    out.write("\n## Bulk requests\n\n")
    _write_row(out, ("request", "kind", "wave", "SIMs", "outcome", "carrier job", "sent", "charged"))
    out.write("|---:|---|---|---:|---|---|---|---:|\n")
    jobs = book.report.jobs()
    for job in islice(jobs, MOST_JOBS):
        keys = ("request_id", "kind", "wave", "sims", "outcome", "job_id", "sent_at", "charged")
        _write_row(out, ("" if job[key] is None else str(job[key]) for key in keys))
    if next(jobs, None) is not None:
        out.write(f"\nThe first {MOST_JOBS}; reconciliation.json has all.\n")


def _write_row(out: TextIO, cells: Iterable[str]) -> None:
    out.write("| " + " | ".join(map(_md, cells)) + " |\n")


def _md(text: str) -> str:
    """Escape text that could break a Markdown table or become a tag."""
    return " ".join(text.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").split())
