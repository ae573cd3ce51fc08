"""Whether a plan may still be carried out: everything that it was made from, held against what is there now."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING

from migrator.core.candidates import Candidate
from migrator.core.fleet import AccountLimits, QuotaReading, SourceSim
from migrator.core.plan import Change, Origin, PlanHeader, Reason
from migrator.core.policy import DataBasis, NamePolicy, Policy, SmsBasis
from migrator.core.uses import Uses, name_change, names_for, uses_of
from migrator.inputs.policy_file import stored_policy
from migrator.store.rows import chunks
from migrator.store.staleness import shortened

if TYPE_CHECKING:
    from migrator.store import Store

__all__ = ["changes_since"]

_PICKED = tuple(reason for reason in Reason if reason is not Reason.NOT_SELECTED)

_TOLD_BY_THEMSELVES = {"iccid", "status", "label", "paired", "target_iccid"}
"""Fields of `--where` of which every change makes a plan stale, so that nobody need ask it again."""


def changes_since(store: "Store", header: PlanHeader) -> list[str]:
    """What has changed of that which a plan used, in lines for people. Empty: it is as good as new."""
    policy = stored_policy(store.plans.policy_text(header.plan_id), name=f"policy of {header.plan_id}")
    uses = uses_of(policy)
    origin = store.plans.origin(header.plan_id)
    return [
        *store.plans.differences(header.plan_id, uses),
        *shortened(_of_sims(store, header, policy, uses)),
        *([] if origin is None else _of_account(policy, origin, store.inventory.account_limits() or AccountLimits())),
    ]


# --- SIM by SIM ---------------------------------------------------------------------------------------------------


def _of_sims(store: "Store", header: PlanHeader, policy: Policy, uses: Uses) -> Iterator[str]:
    """What the plan used of its SIMs and does not hold, so that it is worked out again: names, and `--where`."""
    for rule in sorted(uses.names):
        yield from _renamed(store, header, rule, names_for(policy, rule))
    if where := header.summary.get("where"):
        yield from _left_out(store, header, where)


def _pairs(store: "Store", changes: Iterable[Change]) -> Iterator[tuple[Change, Candidate]]:
    """Each change with its SIM as it is now; one that is gone is told elsewhere."""
    for chunk in chunks(changes):
        found = store.plans.candidates(where_keys=[change.source_iccid.key for change in chunk])
        by_key = {candidate.sim.iccid.key: candidate for candidate in found}
        for change in chunk:
            if candidate := by_key.get(change.source_iccid.key):
                yield change, candidate


def _renamed(store: "Store", header: PlanHeader, rule: str, names: NamePolicy) -> Iterator[str]:
    for change, candidate in _pairs(store, store.plans.doubtful_names(header.plan_id, rule, names)):
        if words := name_change(change, candidate.sim, names):
            yield f"{change.source_iccid}: {words}"


def _left_out(store: "Store", header: PlanHeader, where: str) -> Iterator[str]:
    from migrator.inputs.selection import parse_selection

    selection = parse_selection(where)
    if selection.fields <= _TOLD_BY_THEMSELVES:
        return
    for change, candidate in _pairs(store, store.plans.changes(header.plan_id, reasons=_PICKED)):
        if not selection.selects(candidate._replace(sim=_as_read(change, candidate.sim))):
            yield f"{change.source_iccid}: --where picks it no more"


def _as_read(change: Change, sim: SourceSim) -> SourceSim:
    """The SIM with what remained when the plan was made, where that was not read since: that is no news."""
    data, sms = change.source.get("data_remaining_mb"), change.source.get("sms_remaining")
    if data is not None and sim.data_reading in _NO_NEWS:
        sim = replace(sim, data_reading=QuotaReading.READ, data_remaining_mb=Decimal(data))
    if sms is not None and sim.sms_reading in _NO_NEWS:
        sim = replace(sim, sms_reading=QuotaReading.READ, sms_remaining=Decimal(sms))
    return sim


_NO_NEWS = {QuotaReading.NOT_READ, QuotaReading.FAILED}


# --- of the whole account -----------------------------------------------------------------------------------------


def _of_account(policy: Policy, origin: Origin, now: AccountLimits) -> Iterator[str]:
    """1NCE's monthly caps, where limits came from them; one that was not known then gave none."""
    was = origin.account
    if DataBasis.MONTHLY_LIMIT in {policy.data_limit.basis, *(rule.data_limit.basis for rule in policy.rules)}:
        yield from _other_cap("data", was.data_mb, now.data_mb, "MB")
    if SmsBasis.MONTHLY_LIMIT in {policy.sms_limit.basis, *(rule.sms_limit.basis for rule in policy.rules)}:
        yield from _other_cap("SMS", was.sms_mo, now.sms_mo, "SMS")


def _other_cap(what: str, was: Decimal | None, now: Decimal | None, unit: str) -> Iterator[str]:
    if was is not None and was != now:
        is_now = "not set" if now is None else f"{now.normalize():f} {unit}"
        yield f"1NCE's monthly {what} limit of the account was {was.normalize():f} {unit} and is {is_now}"
