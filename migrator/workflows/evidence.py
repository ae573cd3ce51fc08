"""Evidence of one plan, gathered from the store."""

import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from migrator.core.audit.chain import event_document
from migrator.core.fleet.spelling import escaped
from migrator.core.plan.document import change_line, header_line
from migrator.reports.evidence.file import write_evidence
from migrator.reports.model import life_values, moment
from migrator.version import VERSION
from migrator.workflows.report import with_proofs

if TYPE_CHECKING:
    from migrator.core.cutover.life import KeptProof
    from migrator.core.plan.approvals import Approval
    from migrator.core.run.steps import Item, Verified
    from migrator.store import Store

__all__ = ["gather"]

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


def _gather(store: "Store", plan_id: str, path: Path, now: float) -> tuple[str, str]:
    header, head = store.plans.header(plan_id), store.audit.head()
    facts = {
        "plan_id": plan_id,
        "lineage": store.lineage,
        "org_id": header.org_id,
        "head": head,
        "written_at": moment(now),
        "tool_version": VERSION,
    }
    members: dict[str, Callable[[], Iterable[str]]] = {
        "plan.jsonl": lambda: _plan(store, plan_id),
        "policy.toml": lambda: _policy_lines(store.plans.policy_text(plan_id)),
        "policy.json": lambda: [_kept(store.plans.policy_json(plan_id))],
        "runs.jsonl": lambda: (_line(_run(run)) for run in store.journal.runs(plan_id)),
        "requests.jsonl": lambda: map(_as_sent, store.audit.requests(plan_id)),
        "events.jsonl": lambda: (_line(event_document(event)) for event in store.audit.events()),
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
    return write_evidence(path, members, facts), head


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


def _run(run: Any) -> dict[str, Any]:
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
