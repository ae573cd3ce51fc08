"""Check of an evidence zip without the store.

Each member is compared with its checksum, and with the log in the zip.
"""

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import zip_longest
from pathlib import Path
from typing import Any

from migrator.core.audit.chain import (
    DAMAGE,
    GENESIS,
    AuditEvent,
    chain_problems,
    event_from,
    guarded,
    hash_of_lines,
    plan_digest,
    row_line,
    switch_item_line,
    tally_digest,
    tally_of,
)
from migrator.core.audit.replay import ENDS, Answered, Log, Replayed, course_problem, request_problem, run_problem
from migrator.core.run.states import StepState
from migrator.reports.evidence.file import (
    APPROVALS,
    EVENTS,
    MANIFEST,
    PLAN,
    POLICY,
    POLICY_READ,
    REQUESTS,
    RUNS,
    SIMS,
    SWITCH_REQUESTS,
    SWITCH_SIMS,
    SWITCH_STEPS,
    SWITCHES,
)
from migrator.reports.evidence.zip_file import EvidenceZip, manifest_problems, opened
from migrator.reports.model import moment

__all__ = ["RESTING", "evidence_problems"]

RESTING = ("what Hologram showed last (after and read_at in sims.jsonl)",)
"""Facts that the log does not hold.

Somebody who changes the manifest can change these facts, too. So the manifest should be noted elsewhere.
"""

Row = Mapping[str, Any]
SWITCH_STEP = ("source_key", "kind", "state", "attempts", "since", "code", "message", "before", "request_id")
"""Values of a cutover or rollback step that count for the tally."""


def evidence_problems(
    path: Path, *, head: str | None = None, manifest_sha256: str | None = None
) -> tuple[Mapping[str, Any], list[str]]:
    """Check a zip by itself.

    Args:
        path: the zip.
        head: the head of the log that was noted when the zip was written, or before.
        manifest_sha256: SHA-256 of the manifest that was noted when the zip was written.

    Returns: the manifest with its `sha256` (empty, if the manifest cannot be read), and what does not hold, in words.
    Raises: InputError, if the file is no evidence.
    """
    archive = opened(path)
    if archive is None:
        return {}, ["the zip is damaged: it cannot be opened"]
    with archive:
        evidence = EvidenceZip(archive)
        evidence.look()
        found = list(manifest_problems(evidence.manifest, manifest_sha256)) if evidence.manifest else []
        if EVENTS in evidence.readable:
            found += _Check(evidence, head).problems()
        return evidence.manifest, [*evidence.problems, *found]


class _Check:
    """Comparison of the members of one zip with its log.

    A member that is missing or cannot be read is reported before this comparison.
    """

    def __init__(self, evidence: EvidenceZip, head: str | None) -> None:
        self.zip = evidence
        self.manifest = evidence.manifest
        self.head, self.last = head, GENESIS
        self.header: Row = {}
        self.log = Log()
        self.approved: Counter[tuple[Any, ...]] = Counter()
        self.first_at: float | None = None

    def problems(self) -> list[str]:
        """Return what does not hold, in words.

        The log comes first: all other members are compared with the log.
        """
        found = list(guarded(EVENTS, lambda: chain_problems(self._noted(), head=self.head)))
        if self.manifest and self.last != self.manifest.get("head"):
            found.append(f"the head of the log in {EVENTS} is not that in {MANIFEST}")
        for names, check in self._checks():
            if self.zip.lost.isdisjoint(names):
                found += guarded(" or ".join(names), check)
        return found

    def _checks(self) -> Iterator[tuple[tuple[str, ...], Callable[[], Iterable[str]]]]:
        yield (PLAN,), self._plan
        yield (PLAN, POLICY, POLICY_READ), self._policy
        yield (RUNS,), self._runs
        yield (REQUESTS,), partial(self._requests, REQUESTS, self.log.migrations, "audited_after_request")
        yield (SIMS, PLAN), self._sims
        yield (APPROVALS,), self._approvals
        yield (SWITCHES, SWITCH_SIMS, SWITCH_STEPS), self._switches
        switched = partial(self._requests, SWITCH_REQUESTS, self.log.switches, "audited_after_switch_request")
        yield (SWITCH_REQUESTS,), switched

    def _noted(self) -> Iterator[AuditEvent]:
        """Yield every event, and note the events of this plan."""
        for row in self.zip.rows(EVENTS):
            try:
                event = event_from(row)
            except DAMAGE:
                self.zip.note(f"{EVENTS}: {row.get('seq')} is no event")
                continue
            try:
                self._note(event)
            except DAMAGE:
                self.zip.note(f"{EVENTS}: event {event.seq} ({event.kind}) does not tell what such an event tells")
            yield event

    def _note(self, event: AuditEvent) -> None:
        self.last = event.digest
        if self.first_at is None:
            self.first_at = event.at
        if event.plan_id != self.manifest.get("plan_id"):
            return
        self.log.note(event)
        if event.kind == "plan.approved":
            told = event.detail
            self.approved[told["by"], moment(event.at), told["changes_sha256"], told["note"]] += 1

    @property
    def _is_all_in_the_log(self) -> bool:
        """True if the plan was made after the log began.

        Then nothing that was done for the plan may lack its event.
        """
        return self.manifest.get("plan_id") in self.log.migrations.made

    def _is_older(self, at: str | None) -> bool:
        """True if a row is older than the log.

        Such a row may have no event.
        """
        if self._is_all_in_the_log or at is None:
            return False
        return self.first_at is None or at <= str(moment(self.first_at))

    # --- the plan -------------------------------------------------------------------------------------------------

    def _plan(self) -> Iterator[str]:
        header = next(self.zip.rows(PLAN), {})
        for name in ("plan_id", "lineage", "org_id"):
            if header.get(name) != self.manifest.get(name):
                yield f"{PLAN} and {MANIFEST} tell another {name}"
        digest = _digest_after_header(self.zip.lines(PLAN))
        if header["fingerprints"]["changes"] != digest:
            yield "the changes of the plan have another fingerprint than its header says"
        made = self.log.migrations.made.get(str(self.manifest.get("plan_id")))
        if made is not None and (made["changes_sha256"], made["claims"]) != (digest, header["claims"]):
            yield f"{PLAN} is not what the log says was made"

    def _policy(self) -> Iterator[str]:
        made = self.log.migrations.made.get(str(self.manifest.get("plan_id")))
        told = None if made is None else made.get("plan_sha256")
        if told is None:
            return
        header = next(self.zip.lines(PLAN), b"").decode().removesuffix("\n")
        policy = self.zip.whole(POLICY).decode()
        read = self.zip.whole(POLICY_READ).decode().removesuffix("\n")
        texts = (policy.removesuffix("\n"), policy)  # as it was, without an end of its last line or with one
        if told not in {plan_digest(header, text, read) for text in texts}:
            yield f"{POLICY}, {POLICY_READ} or the header in {PLAN} is not what the log says was made"

    # --- the journal ----------------------------------------------------------------------------------------------

    def _runs(self) -> Iterator[str]:
        told, sent = self.log.migrations, Counter[Any]()
        sent.update(one.detail.get("run_id") for one in told.sent.values())
        yield from self._of_runs(RUNS, "run", self.zip.rows(RUNS), told, as_time=moment)
        for row in self.zip.rows(RUNS):
            by_log = sent[row["run_id"]]
            if None not in sent and row["requests"] != by_log and row["run_id"] in told.runs:
                yield f"{RUNS}: run {row['run_id']} sent {row['requests']} requests, and {by_log} by the log"

    def _of_runs(
        self,
        name: str,
        word: str,
        rows: Iterable[Row],
        told: Replayed,
        *,
        plan_id: str | None = None,
        as_time: Any = None,
    ) -> Iterator[str]:
        """Compare runs with the log, in both directions.

        If there are several plans, only the runs of the plan `plan_id` are compared.
        """
        spell = as_time or (lambda at: at)
        missing = {number for number, ran in told.runs.items() if plan_id in {None, ran.plan_id}}
        for row in rows:
            number = row["run_id"]
            ran = told.runs.get(number) if number in missing else None
            missing.discard(number)
            if ran is not None:
                words = run_problem(row, ran, as_time=spell)
                yield from [] if words is None else [f"{name}: {word} {number} {words}"]
            elif not self._is_older(row["started_at"] if as_time else moment(row["started_at"])):
                yield f"{name}: {word} {number} is not in the log"
        yield from (f"{name}: {word} {number} is in the log alone" for number in sorted(missing))

    def _requests(self, name: str, told: Replayed, first: str) -> Iterator[str]:
        """Compare requests with the log, in both directions.

        Up to the request number in the manifest, there was no log yet.
        """
        missing, no_log = dict(told.sent), 0 if self._is_all_in_the_log else self.manifest.get(first, 0)
        for row in self.zip.rows(name):
            number = row["request_id"]
            sent = missing.pop(number, None)
            if sent is not None:
                plan_id = row.get("switch_id", self.manifest.get("plan_id"))
                spelt = {**row, "plan_id": plan_id, "body": json.dumps(row["body"], separators=(",", ":"))}
                words = request_problem(spelt, sent, told.answered.get(number, Answered()))
                yield from [] if words is None else [f"{name}: request {number} {words}"]
            elif number > no_log:
                yield f"{name}: request {number} is not in the log"
        yield from (f"{name}: request {number} is in the log alone" for number in sorted(missing))

    def _sims(self) -> Iterator[str]:
        """Compare each SIM with its line in the plan.

        The steps that ended are compared with the log.
        """
        planned, ended, lies = self.zip.rows(PLAN), Counter[tuple[str, str]](), 0
        next(planned, None)
        names = ("source_iccid", "target_iccid", "action", "source", "before")
        steps = verdicts = 0
        for change, sim in zip_longest(planned, self.zip.rows(SIMS)):
            lies += change is None or sim is None or any(change[name] != sim[name] for name in names)
            if sim is None:
                continue
            lies += not sim["source_iccid"].startswith(sim["source_key"])
            steps, verdicts = tally_of(_step_lines(sim), steps), tally_of(_verdict_lines(sim), verdicts)
            for kind, step in sim["steps"].items():
                lies += step["since"] != moment(step["at"])
                ended[kind, step["state"]] += 1
        if lies:
            yield f"{SIMS}: {lies} SIMs are not as in {PLAN}, or tell two times for one"
        told, plan_id = self.log.migrations, self.manifest.get("plan_id")
        for what, tally, by_log in (("steps", steps, told.steps), ("verdicts", verdicts, told.verdicts)):
            if by_log.get(plan_id) not in {None, tally_digest(tally)}:
                yield f"{SIMS}: the {what} are not what the log tells"
        if self._is_all_in_the_log or not self.manifest.get("audited_after_request"):
            yield from self._ended(SIMS, self.log.migrations, str(self.manifest.get("plan_id")), ended)

    @staticmethod
    def _ended(name: str, told: Replayed, plan_id: str, found: Mapping[tuple[str, str], int]) -> Iterator[str]:
        """Compare the steps that are DONE or SKIPPED with the log.

        No step leaves DONE or SKIPPED, so the log must report each such step.
        """
        by_log = {(kind, state.value): sims for (of, kind, state), sims in told.ended.items() if of == plan_id}
        here = {key: sims for key, sims in found.items() if StepState(key[1]) in ENDS}
        for kind, state in sorted({*by_log, *here}):
            sims, by = here.get((kind, state), 0), by_log.get((kind, state), 0)
            if sims != by:
                yield f"{name}: {sims} steps {kind} of plan {plan_id} are {state}, and {by} in the log"

    def _approvals(self) -> Iterator[str]:
        told = self.approved.copy()
        for row in self.zip.rows(APPROVALS):
            one = (row["approved_by"], row["approved_at"], row["changes_sha256"], row["note"])
            if told[one]:
                told[one] -= 1
            elif not self._is_older(row["approved_at"]):
                yield f"{APPROVALS}: the approval by {row['approved_by']} is not in the log"
        yield from (
            f"{APPROVALS}: an approval by {by} is in the log alone" for (by, *_), times in told.items() if times
        )

    # --- cutovers and rollbacks -----------------------------------------------------------------------------------

    def _switches(self) -> Iterator[str]:
        missing, sims, steps = set(self.log.switches.made), self._switch_sims(), self._switch_steps()
        names = ("audited_after_request", "audited_after_switch_request")
        may_be_older = not self._is_all_in_the_log and any(self.manifest.get(name) for name in names)
        for row in self.zip.rows(SWITCHES):
            switch_id = row["switch_id"]
            if switch_id in missing:
                missing.discard(switch_id)
                check = partial(self._switch, row, sims.pop(switch_id, ""), steps.pop(switch_id, _Steps()))
                yield from guarded(f"{SWITCHES}: plan {switch_id}", check)
            elif not may_be_older:
                yield f"{SWITCHES}: plan {switch_id} is not in the log"
            else:
                sims.pop(switch_id, None), steps.pop(switch_id, None)
        yield from (f"{SWITCHES}: plan {switch_id} is in the log alone" for switch_id in sorted(missing))
        yield from (f"{SWITCH_SIMS}: plan {switch_id} is not in {SWITCHES}" for switch_id in sorted(sims))
        yield from (f"{SWITCH_STEPS}: plan {switch_id} is not in {SWITCHES}" for switch_id in sorted(steps))

    def _switch_sims(self) -> dict[str, str]:
        """Return the digest of the SIMs of each plan."""
        sims: dict[str, Any] = defaultdict(hashlib.sha256)
        for row in self.zip.rows(SWITCH_SIMS):
            steering = [row[name] for name in ("source_key", "position", "action", "wave", "document")]
            sims[row["switch_id"]].update(switch_item_line(steering).encode())
        return {switch_id: digest.hexdigest() for switch_id, digest in sims.items()}

    def _switch_steps(self) -> dict[str, "_Steps"]:
        """Return the counts and the tally of each plan's steps."""
        found: dict[str, _Steps] = defaultdict(_Steps)
        for row in self.zip.rows(SWITCH_STEPS):
            steps = found[row["switch_id"]]
            steps.counts[row["kind"], row["state"], row["code"]] += 1
            steps.tally = tally_of([row_line([row[name] for name in SWITCH_STEP])], steps.tally)
        return found

    def _switch(self, row: Row, sims: str, steps: "_Steps") -> Iterator[str]:
        switch_id, told, name = row["switch_id"], self.log.switches, f"{SWITCHES}: plan {row['switch_id']}"
        made, header = told.made[switch_id], json.loads(row["header"])
        if (hash_of_lines([row["header"]]), sims or hashlib.sha256().hexdigest()) != (made["header"], made["items"]):
            yield f"plan {switch_id} is not what the log says was made"
        if len({made["direction"], header["direction"], row["direction"]}) > 1 or row["count"] != header["count"]:
            yield f"{name} tells another direction or count than its header"
        if (words := course_problem(row, told.courses[switch_id], as_time=moment)) is not None:
            yield f"{name} {words}"
        yield from self._of_runs(SWITCHES, f"plan {switch_id}, run", row["runs"], told, plan_id=switch_id)
        if told.steps.get(switch_id) not in {None, tally_digest(steps.tally)}:
            yield f"{SWITCH_STEPS}: the steps of plan {switch_id} are not what the log tells"
        if {(one["step"], one["state"], one["code"]): one["sims"] for one in row["steps"]} != steps.counts:
            yield f"{name} tells of other steps than {SWITCH_STEPS}"
        ended: Counter[tuple[str, str]] = Counter()
        for (kind, state, _), sims_there in steps.counts.items():
            ended[kind, state] += sims_there
        yield from self._ended(SWITCH_STEPS, told, switch_id, ended)


@dataclass(slots=True)
class _Steps:
    """Counts and tally of the steps of a cutover or rollback.

    The counts are by kind, state and code.
    """

    counts: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    tally: int = 0


def _step_lines(sim: Row) -> Iterator[str]:
    """Yield the steps of a SIM as the tally counts them."""
    for kind, step in sim["steps"].items():
        rest = [step[name] for name in ("state", "attempts", "at", "code", "message")]
        yield row_line([sim["source_key"], kind, *rest])


def _verdict_lines(sim: Row) -> Iterator[str]:
    """Yield the verdict on a SIM as the tally counts it.

    A SIM without a verdict has no line.
    """
    if sim["verdict"] is not None:
        yield row_line([sim["source_key"], sim["verdict"], row_line(sim["findings"]), sim["verdict_at"]])


def _digest_after_header(lines: Iterator[bytes]) -> str:
    """Return SHA-256 of the lines after the header.

    The plan's own fingerprint is made in the same way.
    """
    next(lines, None)
    digest = hashlib.sha256()
    for line in lines:
        digest.update(line)
    return digest.hexdigest()
