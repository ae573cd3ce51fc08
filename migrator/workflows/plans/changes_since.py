"""Changes since a plan was made.

Everything that the plan was made from is compared with the present. The changes decide if the plan may still be carried
out.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from migrator.chunks import chunks
from migrator.core.fleet.sims import NO_NEWS, AccountLimits, Candidate, QuotaReading, SourceSim
from migrator.core.plan.basis import Uses, name_change, names_for, uses_of
from migrator.core.plan.diff import header_differences
from migrator.core.plan.plan import Change, Origin, PlanHeader, Reason
from migrator.core.policy.policy import DataBasis, NamePolicy, Policy, SmsBasis
from migrator.errors import InputError
from migrator.inputs.policy.file import read_policy, stored_policy
from migrator.store.plans.staleness import shortened

if TYPE_CHECKING:
    from migrator.store import Store

__all__ = ["Since", "changes_since"]

SHOWN_KEYS = 5
LONGEST_VALUE = 40

_PICKED = tuple(reason for reason in Reason if reason is not Reason.NOT_SELECTED)

_TOLD_BY_THEMSELVES = {"iccid", "status", "label", "paired", "target_iccid"}
"""Fields of `--where` that need no check of their own.

Every change of these fields makes a plan stale anyway.
"""


@dataclass(frozen=True, slots=True)
class Since:
    """Changes since a plan was made, in lines for people.

    Args:
        changed: what the plan used and is different now. Empty: the plan is as good as new.
        warnings: what could not be checked.
    """

    changed: list[str]
    warnings: list[str]


def changes_since(store: "Store", header: PlanHeader) -> Since:
    """Compare everything that a plan used with the present."""
    policy = stored_policy(store.plans.policy_text(header.plan_id), name=f"policy of {header.plan_id}")
    uses = uses_of(policy)
    origin = store.plans.origin(header.plan_id)
    file, was_account = _origin(header, origin)
    warnings = [] if file is None or file.is_file() else [_not_found(file)]
    changed = [
        *store.plans.differences(header.plan_id, uses),
        *shortened(_of_sims(store, header, policy, uses)),
        *_of_account(policy, was_account, store.inventory.account_limits() or AccountLimits()),
        *([] if file is None or warnings else _of_policy(file, store.plans.policy_json(header.plan_id), header)),
    ]
    return Since(changed, warnings)


def _origin(header: PlanHeader, origin: Origin | None) -> tuple[Path | None, AccountLimits]:
    """Return the policy's file, and the account's caps of then.

    For a plan of an older version only the name of the file is kept.
    """
    if origin is not None:
        return Path(origin.policy_file), origin.account
    name = header.summary.get("policy_file")
    return Path(name) if name else None, AccountLimits()


# --- SIM by SIM ---------------------------------------------------------------------------------------------------


def _of_sims(store: "Store", header: PlanHeader, policy: Policy, uses: Uses) -> Iterator[str]:
    """Yield changes in names and `--where` of the plan's SIMs.

    The plan used these but does not hold them, so they are worked out again.
    """
    for rule in sorted(uses.names):
        yield from _renamed(store, header, rule, names_for(policy, rule))
    if where := header.summary.get("where"):
        yield from _left_out(store, header, where)


def _pairs(store: "Store", changes: Iterable[Change]) -> Iterator[tuple[Change, Candidate]]:
    """Yield each change with its SIM as it is now.

    SIMs that are gone are reported elsewhere.
    """
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
    from migrator.inputs.where.language import parse_selection

    try:
        selection = parse_selection(where)
    except InputError as error:  # an earlier version took for an ICCID what this one does not
        yield error.message
        return
    if selection.fields <= _TOLD_BY_THEMSELVES:
        return
    for change, candidate in _pairs(store, store.plans.changes(header.plan_id, reasons=_PICKED)):
        if not selection.selects(candidate._replace(sim=_as_read(change, candidate.sim))):
            yield f"{change.source_iccid}: --where picks it no more"


def _as_read(change: Change, sim: SourceSim) -> SourceSim:
    """Return the SIM with the remaining volumes that the plan knew.

    Only volumes that were not read since are replaced: they are no news.
    """
    data, sms = change.source.get("data_remaining_mb"), change.source.get("sms_remaining")
    if data is not None and sim.data_reading in NO_NEWS:
        sim = replace(sim, data_reading=QuotaReading.READ, data_remaining_mb=Decimal(data))
    if sms is not None and sim.sms_reading in NO_NEWS:
        sim = replace(sim, sms_reading=QuotaReading.READ, sms_remaining=Decimal(sms))
    return sim


# --- of the whole account -----------------------------------------------------------------------------------------


def _of_account(policy: Policy, was: AccountLimits, now: AccountLimits) -> Iterator[str]:
    """Yield changes of 1NCE's monthly caps, where limits came from them.

    A cap that was not known then gave no limit.
    """
    if DataBasis.MONTHLY_LIMIT in {policy.data_limit.basis, *(rule.data_limit.basis for rule in policy.rules)}:
        yield from _other_cap("data", was.data_mb, now.data_mb, "MB")
    if SmsBasis.MONTHLY_LIMIT in {policy.sms_limit.basis, *(rule.sms_limit.basis for rule in policy.rules)}:
        yield from _other_cap("SMS", was.sms_mo, now.sms_mo, "SMS")


def _other_cap(what: str, was: Decimal | None, now: Decimal | None, unit: str) -> Iterator[str]:
    if was is not None and was != now:
        is_now = "not set" if now is None else f"{now.normalize():f} {unit}"
        yield f"the monthly {what} limit of the account was {was.normalize():f} {unit} and is {is_now}"


# --- the policy ---------------------------------------------------------------------------------------------------


def _not_found(file: Path) -> str:
    return (
        f"the policy {file} is not there any more, so that nobody can tell whether it was changed since; "
        "the plan goes by what it said then"
    )


def _of_policy(file: Path, was: Mapping[str, Any], header: PlanHeader) -> Iterator[str]:
    """Yield the changes in the file that the plan was made from.

    The keys that changed are named.
    """
    try:
        loaded = read_policy(file)
    except InputError as error:
        yield f"the policy {file} was changed since: {error.problems[0].message}"
        return
    if header.fingerprints.policy not in {loaded.fingerprint, loaded.fingerprint_among(was)}:
        keys = header_differences(_by_name(was), _by_name(loaded.canonical))
        told = [f"{key} was {_brief(before)} and is {_brief(after)}" for key, (before, after) in keys.items()]
        more = [f"and {len(told) - SHOWN_KEYS} more"] if len(told) > SHOWN_KEYS else []
        words = "; ".join([*told[:SHOWN_KEYS], *more]) or "the order of its waves or rules"
        yield f"the policy {file} was changed since: {words}"


def _by_name(canonical: Mapping[str, Any]) -> dict[str, Any]:
    """Return a policy with its waves and rules by their names.

    So keys of the same wave or rule are compared.
    """
    named = {key: canonical[key] for key in canonical if key not in {"waves", "rules"}}
    waves = {wave["name"]: wave for wave in canonical.get("waves", ())}
    rules = {rule["name"]: {key: rule[key] for key in rule if key != "gives"} for rule in canonical.get("rules", ())}
    return {**named, "waves": waves, "rule": rules}


def _brief(value: Any) -> str:
    text = "not set" if value is None else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= LONGEST_VALUE else f"{text[: LONGEST_VALUE - 1]}…"
