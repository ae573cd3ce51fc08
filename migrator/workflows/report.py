"""Reconciliation of a plan, read from the store."""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from migrator import wiring
from migrator.chunks import chunks
from migrator.core.campaign.idle import idle_money
from migrator.core.fleet.units import money
from migrator.core.money.caps import caps_from, used_of, used_values
from migrator.core.plan.plan import PlanHeader
from migrator.core.run.states import IN_DOUBT, StepKind, StepState
from migrator.reports.model import Pace, Reconciliation, ReportRow, moment, row_of, unplanned_row
from migrator.version import VERSION
from migrator.wiring import process_is_gone
from migrator.wiring.gc import collecting_rarely
from migrator.workflows.cutover.make import overlap_of
from migrator.workflows.cutover.status import cutovers_of
from migrator.workflows.site import Site, going_on
from migrator.workflows.story.silence import silences

if TYPE_CHECKING:
    from migrator.core.cutover.life import KeptProof
    from migrator.reports.writers import Written
    from migrator.store import Store
    from migrator.store.journal.verifications import ReportRow as StoredRow

__all__ = ["caps_used", "reconciliation", "report", "with_proofs"]

PACE_BINS = 60


def reconciliation(store: "Store", plan_id: str, *, now: float) -> Reconciliation:
    """Return the model of a report.

    `now` is in UTC seconds. The rows and jobs are read from the store when they are iterated.
    """
    header, inventory = store.plans.header(plan_id), store.inventory.summary()

    def rows() -> Iterator[ReportRow]:
        back = store.cutovers.rolled_back(plan_id)
        for page in chunks(store.journal.report_rows(plan_id)):
            keys = [item.key for item, *_ in page]
            proofs, facts = store.proofs.among(plan_id, keys), store.unit_facts.by_source_keys(keys)
            silent = silences(store, page, proofs)
            for item, verified, job_ids, claimed_at, verified_at in page:
                yield row_of(
                    item,
                    verified,
                    job_ids=job_ids,
                    claimed_at=claimed_at,
                    verified_at=verified_at,
                    rollback=back.get(item.key),
                    proof=proofs.get(item.key),
                    silent=silent.get(item.key),
                    facts=facts.get(item.key),
                )
        for sims in chunks(store.journal.unplanned(plan_id)):
            facts = store.unit_facts.by_source_keys(sim.iccid.key for sim in sims)
            yield from (unplanned_row(sim, facts.get(sim.iccid.key)) for sim in sims)

    return Reconciliation(
        plan_id=plan_id,
        goes_on=going_on(store, plan_id),
        inventory_total=int(inventory["count"]),
        rows=rows,
        runs=store.journal.runs(plan_id),
        jobs=lambda: _jobs(store, header),
        money=_money(store, header, now),
        plan=_plan(store, header, inventory),
        policy_text=store.plans.policy_text(plan_id),
        approvals=_approvals(store, header),
        pace=_pace(store, plan_id),
        generated_at=now,
        tool=f"migrator {VERSION}",
        running=_running(store),
        double_billing=overlap_of(store, header, now),
        cutovers=cutovers_of(store, plan_id),
    )


def report(site: Site, plan_id: str, folder: Path | str, *, formats: Sequence[str] | None = None) -> "Written":
    """Write the reconciliation of a plan.

    Every source SIM is in exactly one bucket.

    Args:
        site: the store of the plan.
        plan_id: the plan.
        folder: where `reconciliation.html`, `.json`, `.csv` and `.md` go.
        formats: some of these; None: all.

    Raises: InputError, if there is no such plan, or a file cannot be written.
    """
    from migrator.reports.writers import FORMATS, write_report  # templates take time that `status` need not spend

    with collecting_rarely():
        model = reconciliation(site.store, plan_id, now=wiring.SystemClock().now().timestamp())
        return write_report(model, Path(folder), tuple(FORMATS) if formats is None else formats)


def with_proofs(store: "Store", plan_id: str) -> "Iterator[tuple[StoredRow, KeptProof | None]]":
    """Yield every SIM of a plan with its proof of life.

    Each SIM is as the store has it.
    """
    for page in chunks(store.journal.report_rows(plan_id)):
        found = store.proofs.among(plan_id, [item.key for item, *_ in page])
        yield from ((row, found.get(row[0].key)) for row in page)


def _plan(store: "Store", header: PlanHeader, inventory: Mapping[str, Any]) -> dict[str, Any]:
    times = store.reporting.times(header.plan_id)
    return {
        "state": str(store.plans.state(header.plan_id)),
        "lineage": header.lineage,
        "org_id": header.org_id,
        "claims": header.claims,
        "counts": header.counts,
        "waves": list(header.waves),
        "policy_file": header.summary.get("policy_file"),
        "changes_sha256": header.fingerprints.changes,
        "audit_head": store.audit.head(),
        **{name: moment(at) for name, at in times.items()},
        "inventory_taken_at": moment(inventory["taken_at"]),
        "inventory_api_version": inventory["api_version"],
        "inventory_unreadable": inventory["unreadable"],
        "source": inventory["source"],
    }


def _approvals(store: "Store", header: PlanHeader) -> list[dict[str, Any]]:
    return [
        {
            "approved_by": row.approved_by,
            "approved_at": moment(row.approved_at),
            "note": row.note,
            "ref": row.ref,
            "database_user": row.db_user,
            "changes_sha256": row.changes_sha256,
            "is_of_this_plan": row.changes_sha256 == header.fingerprints.changes,
        }
        for row in store.reporting.approvals(header.plan_id)
    ]


def _jobs(store: "Store", header: PlanHeader) -> Iterator[dict[str, Any]]:
    """Yield each bulk request with its expected and its real charge.

    Only claims have charges. The real charge is for SIMs that the request claimed, by the plan's price.
    """
    price = _price(header)
    for row in store.reporting.bulk_requests(header.plan_id):
        is_claim = row.kind == StepKind.CLAIM
        yield {
            "request_id": row.request_id,
            "run_id": row.run_id,
            "wave": row.wave,
            "kind": row.kind,
            "sims": row.sims,
            "outcome": row.outcome,
            "status": row.status,
            "job_id": row.job_id,
            "job_status": row.job_status,
            "sent_at": moment(row.intent_at),
            "answered_at": moment(row.outcome_at),
            "sims_claimed": row.claimed if is_claim else None,
            "charge_expected": _charge(price, row.sims) if is_claim else None,
            "charged": _charge(price, row.claimed) if is_claim else None,
        }


def _money(store: "Store", header: PlanHeader, now: float) -> dict[str, Any]:
    """Return the money that the plan expected and the journal shows.

    The journal shows SIMs, and their charges by the plan's price. Idle are the plan's cards that were never seen.
    """
    counts, price = store.journal.step_counts(header.plan_id), _price(header)
    claimed = counts.get((StepKind.CLAIM, StepState.DONE), 0)
    uncertain = sum(counts.get((StepKind.CLAIM, state), 0) for state in IN_DOUBT)
    uncertain += store.journal.claims_unseen(header.plan_id)  # the carrier said that it charged
    mine = (card.idle() for card in store.cards.never_seen() if card.plan_id == header.plan_id)
    idle = idle_money(mine, now).all
    return {
        **{f"planned_{key}": value for key, value in header.summary.get("money", {}).items()},
        "sims_planned_to_claim": header.claims,
        "sims_claimed": claimed,
        "sims_uncertain": uncertain,
        "charged_so_far": _charge(price, claimed),
        "charged_perhaps": _charge(price, uncertain),
        "idle_cards": idle.cards,
        "idle_so_far": None if price is None else money(idle.so_far),
        "idle_in_30_days": None if price is None else money(idle.in_a_month),
        **{f"caps_{name}": str(value) for name, value in caps_used(store, header).items() if name != "by_plan"},
    }


def caps_used(store: "Store", header: PlanHeader) -> dict[str, Any]:
    """Return caps, what is used, and what is left, as JSON values.

    The journal shows what is used.
    """
    caps = caps_from(store.plans.policy_json(header.plan_id))
    return used_values(caps, used_of(store.journal.claims_made(header.org_id), caps, header.plan_id))


def _price(header: PlanHeader) -> Decimal | None:
    """Return the price of one claim by the plan, or None.

    None where Hologram shows no price.
    """
    told = header.summary.get("money", {}).get("price_per_sim")
    return None if told is None else Decimal(told)


def _charge(price: Decimal | None, sims: int) -> str | None:
    return None if price is None else money(price * sims)


def _pace(store: "Store", plan_id: str) -> Pace:
    span = store.reporting.span(plan_id)
    if span is None:
        return Pace()
    begin, end = span
    width_s = max((end - begin) / PACE_BINS, 1.0)
    bins = min(int((end - begin) / width_s) + 1, PACE_BINS)
    return Pace(begin, width_s, store.reporting.pace(plan_id, begin=begin, width_s=width_s, bins=bins))


def _running(store: "Store") -> str | None:
    holder = store.lease.holder()
    return None if holder is None or process_is_gone(holder[0]) else str(holder[0])
