"""Evidence of one plan, or of a campaign, gathered from the store."""

import json
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from migrator.core.audit.campaign import POLICY_TEXT, CampaignEvents
from migrator.core.audit.chain import event_document
from migrator.core.fleet.spelling import escaped
from migrator.core.plan.document import change_line, header_line
from migrator.reports.evidence.campaign_check import policy_member
from migrator.reports.evidence.file import (
    APPROVALS,
    CAMPAIGN,
    CAMPAIGN_KIND,
    CAMPAIGN_VERSION,
    EVENTS,
    POLICY,
    POLICY_READ,
    REPORT,
    TICKS,
    plan_folder,
    write_evidence,
)
from migrator.reports.formats.json_file import run_values
from migrator.reports.model import life_values, moment
from migrator.version import VERSION
from migrator.workflows.campaign.report import fleet_report
from migrator.workflows.report import with_proofs

if TYPE_CHECKING:
    from migrator.core.campaign.state import Campaign, CampaignApproval
    from migrator.core.cutover.life import KeptProof
    from migrator.core.plan.approvals import Approval
    from migrator.core.run.steps import Item, Verified
    from migrator.store import Store
    from migrator.store.campaigns.ticks import KeptTick

__all__ = ["evidence_of", "gather", "gather_campaign"]

Members = dict[str, Callable[[], Iterable[str]]]
"""Lines of each member of a zip, by name."""

_RUN = ("run_id", "state", "owner", "started_at", "ended_at", "exit_code", "reason", "ref")
_in_order = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode
_kept = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode  # as the store keeps it: it is hashed
_sorted = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode


def _as_sent(values: Any) -> str:
    """Return values as one line, in their order.

    The body of a request keeps its order, as it is hashed.
    """
    return escaped(_in_order(values))


def _line(values: Any) -> str:
    """Return values as one line, sorted by name."""
    return escaped(_sorted(values))


def gather(store: "Store", plan_id: str, path: Path, *, now: float) -> tuple[str, str]:
    """Write plan, policy, approvals, journal, log, and each SIM before and after.

    Returns: SHA-256 of the manifest and the head of the log, both to be noted elsewhere.

    Raises: InputError, if there is no such plan, or the file cannot be written.
    """
    written = _gather(store, plan_id, path, now)
    if store.audit.head() == written[1]:
        return written
    with store.scratch_copy() as still:  # something was done meanwhile: members of two moments contradict each other
        return _gather(still, plan_id, path, now)


def gather_campaign(store: "Store", path: Path, *, now: float, campaign: str | None = None) -> tuple[str, str]:
    """Write the evidence of a campaign.

    Each plan has a folder with what `gather` writes of it. The log, which is that of the whole store, is there once.

    Args:
        store: the store.
        path: the zip.
        now: UTC seconds.
        campaign: its name or number; None for the open one, or the last one.

    Returns: SHA-256 of the manifest and the head of the log, both to be noted elsewhere.

    Raises: InputError, if there is no such campaign, or the file cannot be written.
    """
    written = _gather_campaign(store, path, now, campaign)
    if store.audit.head() == written[1]:
        return written
    with store.scratch_copy() as still:  # as for one plan
        return _gather_campaign(still, path, now, campaign)


def evidence_of(store: "Store", named: str | None) -> "Campaign":
    """Return the campaign whose evidence is asked for.

    Raises: InputError, if there is no such campaign.
    """
    return store.campaigns.last() if named is None else store.campaigns.named(named)


def _gather(store: "Store", plan_id: str, path: Path, now: float) -> tuple[str, str]:
    header, head = store.plans.header(plan_id), store.audit.head()
    facts = {"plan_id": plan_id, **_facts(store, header.org_id, head, now)}
    return write_evidence(path, _of_plan(store, plan_id) | {EVENTS: lambda: _events(store)}, facts), head


def _gather_campaign(store: "Store", path: Path, now: float, named: str | None) -> tuple[str, str]:
    from migrator.reports.campaign.writers import FORMATS, write_fleet_report  # templates take time

    campaign, head = evidence_of(store, named), store.audit.head()
    plan_ids = store.campaigns.plans(campaign)
    told = _campaign(campaign)
    facts = {
        "campaign": {name: told[name] for name in ("campaign_no", "name", "created_s")},
        "plans": plan_ids,
        **_facts(store, campaign.org_id, head, now),
    }
    members: Members = {
        CAMPAIGN: lambda: [_line(told)],
        POLICY: lambda: _policy_lines(campaign.policy_text),
        POLICY_READ: lambda: [store.campaigns.policy_json(campaign)],
        TICKS: lambda: (_line(_tick(one)) for one in store.ticks.of(campaign.campaign_no)),
        EVENTS: lambda: _events(store),
        **_former_policies(store, campaign),
    }
    if given := store.campaigns.approvals(campaign):
        members[APPROVALS] = lambda: (_line(_standing(one)) for one in given)
    for plan_id in plan_ids:
        members |= {f"{plan_folder(plan_id)}{name}": lines for name, lines in _of_plan(store, plan_id).items()}
    with TemporaryDirectory(prefix="migrator-") as folder:
        report = write_fleet_report(fleet_report(store, now=now), Path(folder) / "report", tuple(FORMATS))
        members |= {f"{REPORT}{file.name}": partial(_lines_of, file) for file in report}
        return write_evidence(path, members, facts, kind=(CAMPAIGN_KIND, CAMPAIGN_VERSION)), head


def _facts(store: "Store", org_id: int | None, head: str, now: float) -> dict[str, Any]:
    return {
        "lineage": store.lineage,
        "org_id": org_id,
        "head": head,
        "written_at": moment(now),
        "tool_version": VERSION,
    }


def _events(store: "Store") -> Iterator[str]:
    return (_line(event_document(event)) for event in store.audit.events())


def _campaign(campaign: "Campaign") -> dict[str, Any]:
    return {
        "campaign_no": campaign.campaign_no,
        "name": campaign.name,
        "state": campaign.state.value,
        "org_id": campaign.org_id,
        "policy_file": campaign.policy_file,
        "policy_sha256": campaign.policy_sha256,
        "created_by": campaign.created_by,
        "created_s": campaign.created_s,
        "created_at": moment(campaign.created_s),
        "approved_at": moment(campaign.approved_s),
        "ended_at": moment(campaign.ended_s),
    }


def _standing(given: "CampaignApproval") -> dict[str, Any]:
    return {
        "approved_by": given.approved_by,
        "approved_s": given.approved_s,
        "approved_at": moment(given.approved_s),
        "policy_sha256": given.policy_sha256,
        "note": given.note,
        "ref": given.ref,
        **({} if given.db_user is None else {"database_user": given.db_user}),
    }


def _tick(one: "KeptTick") -> dict[str, Any]:
    return {
        "tick": one.tick_no,
        "began_at": moment(one.began_s),
        "ended_at": moment(one.ended_s),
        "exit_code": one.exit_code,
        "reason": one.reason,
        "told": dict(one.told),
    }


def _former_policies(store: "Store", campaign: "Campaign") -> Members:
    """Return every policy that the log tells of a campaign, by name."""
    own = CampaignEvents(campaign.name, campaign.created_s)
    told = [one.detail for one in store.audit.of_campaigns() if own.has(one) and POLICY_TEXT in one.detail]
    return {
        policy_member(number, one["policy_sha256"]): partial(_policy_lines, one[POLICY_TEXT])
        for number, one in enumerate(told, 1)
    }


def _lines_of(file: Path) -> Iterator[str]:
    """Yield the lines of a file, letter by letter."""
    with file.open(encoding="utf-8", newline="\n") as lines:
        yield from (line.removesuffix("\n") for line in lines)


def _of_plan(store: "Store", plan_id: str) -> Members:
    """Return the members of a plan, without the log."""
    members: Members = {
        "plan.jsonl": lambda: _plan(store, plan_id),
        "policy.toml": lambda: _policy_lines(store.plans.policy_text(plan_id)),
        "policy.json": lambda: [_kept(store.plans.policy_json(plan_id))],
        "runs.jsonl": lambda: (_line(run_values(run)) for run in store.journal.runs(plan_id)),
        "requests.jsonl": lambda: map(_as_sent, store.audit.requests(plan_id)),
        "sims.jsonl": lambda: (
            _line(_sim(item, last, at, proof)) for (item, last, _, _, at), proof in with_proofs(store, plan_id)
        ),
    }
    if store.approvals.of(plan_id):
        members["approvals.jsonl"] = lambda: (_line(_approval(one)) for one in store.approvals.of(plan_id))
    cutover_ids = [one["switch_id"] for one in store.cutovers.of_plan(plan_id)]
    if cutover_ids:
        members["switches.jsonl"] = lambda: map(_line, _cutovers(store, plan_id))
        members["switch_sims.jsonl"] = lambda: map(_line, _cutover_sims(store, cutover_ids))
        members["switch_steps.jsonl"] = lambda: map(_line, _cutover_steps(store, cutover_ids))
        members["switch_requests.jsonl"] = lambda: map(_as_sent, _cutover_requests(store, cutover_ids))
    return members


def _plan(store: "Store", plan_id: str) -> Iterator[str]:
    yield header_line(store.plans.header(plan_id))
    yield from map(change_line, store.plans.changes(plan_id))


def _policy_lines(text: str) -> list[str]:
    """Return the lines of the policy, letter by letter.

    Only a missing end of the last line is lost.
    """
    return text.removesuffix("\n").split("\n")


def _approval(given: "Approval") -> dict[str, Any]:
    return {
        "approved_by": given.approved_by,
        "approved_at": moment(given.approved_at),
        "changes_sha256": given.changes_sha256,
        "note": given.note,
        "ref": given.ref,
        **({} if given.db_user is None else {"database_user": given.db_user}),
    }


def _cutovers(store: "Store", plan_id: str) -> Iterator[dict[str, Any]]:
    """Yield each cutover and rollback plan, its progress and its runs.

    `header` is the plan's own header, letter by letter.
    """
    for one in store.cutovers.of_plan(plan_id):
        times = {name: moment(one[name]) for name in ("created_at", "started_at", "finished_at")}
        header, _ = store.cutovers.stored(one["switch_id"])
        steps = [
            {"step": kind.value, "state": state.value, "code": code, "sims": sims}
            for (kind, state, code), sims in sorted(store.journal.step_codes(one["switch_id"]).items())
        ]
        runs = [{name: getattr(run, name) for name in _RUN} for run in store.journal.runs(one["switch_id"])]
        yield {**one, **times, "header": header, "steps": steps, "runs": runs}


def _cutover_sims(store: "Store", cutover_ids: Iterable[str]) -> Iterator[dict[str, Any]]:
    for cutover_id in cutover_ids:
        yield from ({"switch_id": cutover_id, **item} for item in store.cutovers.stored(cutover_id)[1])


def _cutover_steps(store: "Store", cutover_ids: Iterable[str]) -> Iterator[dict[str, Any]]:
    """Yield every step as the store keeps it.

    `before` is what was read ahead of the step's first order, as JSON text.
    """
    for cutover_id in cutover_ids:
        yield from ({"switch_id": cutover_id, **step} for step in store.cutovers.stored_steps(cutover_id))


def _cutover_requests(store: "Store", cutover_ids: Iterable[str]) -> Iterator[dict[str, Any]]:
    for cutover_id in cutover_ids:
        yield from ({"switch_id": cutover_id, **request} for request in store.audit.requests(cutover_id))


def _sim(item: "Item", last: "Verified | None", judged_at: float | None, proof: "KeptProof | None") -> dict[str, Any]:
    """Return one SIM: what it was, what was done, what it is.

    Values as the carrier wrote them are left out.
    """
    change, link = item.change, item.target
    return {
        "source_key": item.key,
        "source_iccid": change.source_iccid.digits,
        "target_iccid": None if change.target_iccid is None else change.target_iccid.digits,
        "action": change.action.value,
        "source": change.source,
        "before": change.before,
        "steps": {
            step.kind.value: {
                "state": step.state.value,
                "attempts": step.attempts,
                "since": moment(step.since),
                "code": step.code,
                "message": step.message,
            }
            for step in item.steps.values()
        },
        "after": None
        if link is None
        else {
            "device_id": link.device_id,
            "state": link.state_word,
            "name": link.name,
            "overage_limit_bytes": link.overage_limit_bytes,
            "sms_limit": link.sms_limit,
            "data_plan_id": link.data_plan_id,
            "zone": link.zone,
        },
        "read_at": moment(item.read_at),
        "verdict": None if last is None else last.verdict.value,
        "verdict_at": judged_at,
        "findings": [] if last is None else [[one.code.value, one.planned, one.observed] for one in last.findings],
        "life": None if proof is None else life_values(proof),
    }
