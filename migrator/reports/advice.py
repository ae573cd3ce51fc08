"""Beginning of a report: the status, and the next steps.

Code words stand in backticks.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from migrator.core.fleet.sims import ONENCE
from migrator.core.run.verify import Bucket
from migrator.reports.remedies import CAMPAIGN_GOES_ON
from migrator.reports.rows_on_disk import Book

__all__ = ["Headline", "next_steps", "verdict"]


@dataclass(frozen=True, slots=True)
class Headline:
    """Headline of a report.

    `tone` is `good`, `open` (work is left) or `bad` (a person is needed).
    """

    tone: str
    words: str
    detail: str


def verdict(book: Book) -> Headline:
    """Return the headline of a report: the first that fits."""
    tally, total = book.tally, book.tally.total
    verified, pending = tally.buckets[Bucket.VERIFIED], tally.buckets[Bucket.PENDING]
    share = f"{verified:,} of {total:,} SIMs are verified"
    if not book.adds_up:
        return Headline("bad", "This report does not add up", f"{book.shortfall()}. {share}.")
    if tally.attention():
        return Headline("bad", f"{tally.attention():,} SIMs need a person", f"{share}, {pending:,} are pending.")
    if pending and book.report.plan.get("state") == "created":
        return Headline("open", "The plan was not applied yet", f"{pending:,} SIMs wait for it.")
    if pending:
        return Headline("open", "The plan is half applied", f"{share}, {pending:,} are still pending.")
    return Headline("good", "Nothing is left to do for this plan", f"{share}; the others were left out on purpose.")


def next_steps(book: Book) -> list[str]:
    """Return what to do, the most pressing first; never empty."""
    source = book.report.plan.get("source", ONENCE)
    keep = (
        f"Keep this report. The old SIMs are still on, and on the bill, at {source} until they are switched off there."
    )
    return list(_steps(book)) or [keep]


def _steps(book: Book) -> Iterator[str]:
    report, tally = book.report, book.tally
    source = report.plan.get("source", ONENCE)
    if report.running:
        yield f"Somebody is at it ({report.running}): report again when it is done."
    if not book.adds_up:
        yield "Make a new plan (`migrator plan create`): it accounts for every SIM that the inventory holds now."
    if report.money.get("sims_uncertain"):
        yield (
            f"{report.money['sims_uncertain']:,} claims were sent without an answer: `"
            f"{report.goes_on}` reads them back and never sends them blindly again."
        )
    if tally.buckets[Bucket.PENDING]:
        yield _go_on(book)
    if tally.attention():
        yield f"Go through the findings below: {tally.attention():,} SIMs, each group with its remedy."
    if report.plan.get("inventory_unreadable"):
        yield (
            f"{source} listed {report.plan['inventory_unreadable']:,} rows that cannot be read as SIMs; they are in no "
            "bucket: `migrator inventory show` names them."
        )


def _go_on(book: Book) -> str:
    plan_id, goes_on, pending = book.report.plan_id, book.report.goes_on, book.tally.buckets[Bucket.PENDING]
    if book.report.plan.get("state") == "created":
        if goes_on == CAMPAIGN_GOES_ON:
            return f"{pending:,} SIMs are pending: `{goes_on}` begins with them."
        claims = book.report.money.get("sims_planned_to_claim", 0)
        return f"Look with `migrator apply {plan_id} --dry-run`, then `migrator apply {plan_id} --confirm {claims}`."
    return f"{pending:,} SIMs are pending: `{goes_on}` goes on, `migrator verify {plan_id}` reads again."
