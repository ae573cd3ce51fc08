"""Records of the target, verdicts, and the rows of a report."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeAlias

from sqlalchemy import ColumnElement, Select, bindparam, case, select

from migrator.chunks import PAGE, chunks
from migrator.core.fleet.identifiers import Iccid
from migrator.core.fleet.sims import SourceSim, TargetLink
from migrator.core.run.states import StepKind, StepState
from migrator.core.run.steps import Item, Verdict, Verified
from migrator.store.database.database import insert_many
from migrator.store.database.documents import findings_from, findings_text, raw_text
from migrator.store.database.rows import (
    IN_TEST,
    SIM_COLUMNS,
    TEST_ENDS,
    AnyRow,
    among,
    by_page,
    in_iccid_order,
    is_later,
    json_list,
    link_values,
    sim_from,
    test_ends_at,
)
from migrator.store.database.sql import DriverSql, insert, json_at, json_with
from migrator.store.inventory.searches import SqlSearch
from migrator.store.inventory.snapshots import in_force
from migrator.store.journal.items import items_of, items_query
from migrator.store.journal.requests import Requests
from migrator.store.log import note
from migrator.store.plans.lookup import plan_row
from migrator.store.tables.fleet import source_sims, target_links
from migrator.store.tables.plans import changes, request_items, requests, steps, verifications

__all__ = ["ReportRow", "Verifications", "in_wave", "set_aside"]

ReportRow: TypeAlias = tuple[Item, Verified | None, list[str], float | None, float | None]
"""Data of one SIM for a report.

The values are the SIM, its last verdict, its job ids, when the SIM was claimed, and when the SIM was verified (UTC
seconds).
"""

_LINK_NAMES = tuple(column.name for column in target_links.c)
_LINK_BLANKS = (None,) * (len(_LINK_NAMES) - len(("key", "iccid", "present", "read_at", "imei")))


def _upsert(table_names: Sequence[str]) -> DriverSql:
    statement = insert(target_links).values(dict.fromkeys(table_names))
    values: dict[str, Any] = {name: statement.excluded[name] for name in table_names[1:]}
    new = statement.excluded
    values["raw"] = case(  # a look-up by ICCID tells no end
        (
            (new.state == IN_TEST) & json_at(new.raw, TEST_ENDS).is_(None) & test_ends_at.is_not(None),
            json_with(new.raw, TEST_ENDS, test_ends_at),
        ),
        else_=new.raw,
    )
    is_newer = statement.excluded.read_at >= target_links.c.read_at
    return DriverSql(statement.on_conflict_do_update(index_elements=["key"], set_=values, where=is_newer), table_names)


_UPSERT_LINK = _upsert(_LINK_NAMES)


def _raw(link: TargetLink) -> str:
    return raw_text(link.raw if link.test_ends_at is None else {**link.raw, TEST_ENDS: link.test_ends_at})


_VERIFIED = select(verifications).where(verifications.c.plan_no == bindparam("plan_no"))
_NEXT_VERIFIED = (
    select(verifications.c.source_key, verifications.c.verdict, verifications.c.findings, verifications.c.verified_at)
    .where(verifications.c.plan_no == bindparam("plan_no"), is_later(verifications.c.source_key))
    .order_by(verifications.c.source_key)
    .limit(PAGE)
)
_VERIFIED_AMONG = _VERIFIED.where(among(verifications.c.source_key, bindparam("keys")))
_NEXT_ITEMS = (
    items_query(is_later(verifications.c.source_key))
    .where(is_later(changes.c.source_key))
    .order_by(changes.c.source_key)
    .limit(PAGE)
)
_SENT_AMONG = (
    select(
        request_items.c.source_key,
        requests.c.request_id,
        requests.c.kind,
        requests.c.job_id,
        requests.c.intent_at,
        requests.c.outcome_at,
    )
    .join_from(request_items, requests)
    .where(request_items.c.plan_no == bindparam("plan_no"), among(request_items.c.source_key, bindparam("keys")))
    .order_by(request_items.c.source_key, request_items.c.request_id)
)

_UNPLANNED = (
    select(*SIM_COLUMNS)
    .where(source_sims.c.snapshot_id == in_force, is_later(source_sims.c.key))
    .where(
        ~select(changes.c.plan_no)
        .where(changes.c.plan_no == bindparam("plan_no"), changes.c.source_key == source_sims.c.key)
        .where(is_later(changes.c.source_key))
        .exists()
    )
    .order_by(source_sims.c.key)
    .limit(PAGE)
)


class Verifications(Requests):
    """Observations, verdicts and report rows; a part of the journal."""

    def search(self, iccids: Iterable[Iccid] | None) -> SqlSearch:
        """Begin a search for some target SIMs.

        None means the target SIMs that are paired with the inventory in force. Close the search at the end.
        """
        return SqlSearch(self._db, iccids)

    def observed(self, links: Iterable[TargetLink], absent: Iterable[Iccid], *, now: float) -> None:
        """Keep what the target showed; only the latest read is kept.

        `absent` are SIMs that were searched for and not seen.

        The data can be read again, so this write does not wait for the disk. A step that moves because of the data does
        wait for the disk, and puts the data on the disk, too.
        """
        with self._db.write(durable=False) as connection:
            for seen in chunks(links):
                rows = [(*link_values(link), _raw(link), now, link.imei) for link in seen]
                insert_many(connection, _UPSERT_LINK, rows)
            for unseen in chunks(absent):
                blanks = [(iccid.key, iccid.digits, 0, *_LINK_BLANKS, now, None) for iccid in unseen]
                insert_many(connection, _UPSERT_LINK, blanks)

    def verified(self, plan_id: str, results: Iterable[Verified], *, now: float) -> None:
        """Keep the results of a verification."""
        plan_no = plan_row(self._db, plan_id).plan_no
        statement = insert(verifications)
        new = statement.excluded
        upsert = statement.on_conflict_do_update(
            index_elements=["plan_no", "source_key"],
            set_={"verdict": new.verdict, "findings": new.findings, "verified_at": new.verified_at},
        )
        with self._db.write() as connection:
            for chunk in chunks(results):
                values = [
                    {
                        "plan_no": plan_no,
                        "source_key": result.key,
                        "verdict": result.verdict.value,
                        "findings": findings_text(result.findings),
                        "verified_at": now,
                    }
                    for result in chunk
                ]
                connection.execute(upsert, values)
                note(connection, now, "verdicts.kept", plan_id, {"sims": len(values)})

    def verified_rows(self, plan_id: str) -> Iterator[tuple[Verified, float]]:
        """Yield the last verdict of each SIM, sorted by key.

        Each verdict comes with its time. SIMs without a verdict are left out.
        """
        plan_no = plan_row(self._db, plan_id).plan_no
        for row in by_page(lambda after: self._db.rows(_NEXT_VERIFIED, plan_no=plan_no, after=after)):
            yield _judged(row), row.verified_at

    def report_rows(self, plan_id: str) -> Iterator[ReportRow]:
        """Yield every SIM of the plan, a page at a time.

        All SIMs are included, acting or not, sorted by source ICCID as text.
        """
        plan_no = plan_row(self._db, plan_id).plan_no
        rows = in_iccid_order(by_page(lambda after: self._db.rows(_NEXT_ITEMS, plan_no=plan_no, after=after)))
        for chunk in chunks(rows):
            yield from self._report_page(plan_no, chunk)

    def unplanned(self, plan_id: str) -> Iterator[SourceSim]:
        """Yield SIMs of the inventory in force that a plan lacks.

        The SIMs are sorted by ICCID as text.
        """
        plan_no = plan_row(self._db, plan_id).plan_no
        rows = by_page(lambda after: self._db.rows(_UNPLANNED, plan_no=plan_no, after=after))
        yield from map(sim_from, in_iccid_order(rows))

    def _report_page(self, plan_no: int, rows: Sequence[AnyRow]) -> Iterator[ReportRow]:
        values = {"plan_no": plan_no, "keys": json_list(row.source_key for row in rows)}
        with self._db.read() as connection:
            items = items_of(connection, plan_no, rows)
            judged = {row.source_key: row for row in connection.execute(_VERIFIED_AMONG, values)}
            sent: dict[str, list[Any]] = {}
            for row in connection.execute(_SENT_AMONG, values):
                sent.setdefault(row.source_key, []).append(row)
        for item in items:
            mine, last = sent.get(item.key, []), judged.get(item.key)
            jobs = [row.job_id or f"r{row.request_id}" for row in mine]
            if last is None:
                yield item, None, jobs, _claimed_at(item, mine), None
            else:
                yield item, _judged(last), jobs, _claimed_at(item, mine), last.verified_at


def set_aside(plan_no: int) -> Select[tuple[str]]:
    """Select the keys of SIMs that an operator skipped in a plan."""
    return select(steps.c.source_key).where(steps.c.plan_no == plan_no, steps.c.state == StepState.SKIPPED)


def in_wave(wave: str | None) -> ColumnElement[bool]:
    """Return the condition that a change is in a wave.

    If no wave is given, every change meets the condition.
    """
    return changes.c.plan_no.is_not(None) if wave is None else changes.c.wave == wave


def _judged(row: AnyRow) -> Verified:
    return Verified(row.source_key, Verdict(row.verdict), findings_from(row.findings))


def _claimed_at(item: Item, sent: Sequence[Any]) -> float | None:
    """Return when the last claim of a SIM was answered.

    If no answer came, the time is when the claim was sent. None if the claim of the SIM is not done.
    """
    if item.state_of(StepKind.CLAIM) is not StepState.DONE:
        return None
    claims = [row for row in sent if row.kind == StepKind.CLAIM]
    if not claims:
        return None
    answered_at, sent_at = claims[-1].outcome_at, claims[-1].intent_at
    return float(sent_at if answered_at is None else answered_at)
