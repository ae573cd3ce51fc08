"""What the journal remembers: steps per SIM, and every request that was meant to change something."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from migrator.core.fleet.sims import TargetLink
from migrator.core.plan.compare import Finding
from migrator.core.plan.plan import Action, Change
from migrator.core.run.states import StepKind, StepState

__all__ = [
    "CLAIMED_UNSEEN",
    "PROCESS_DIED",
    "RETRIED",
    "UNREAD",
    "Failures",
    "Item",
    "JobRecord",
    "RequestOutcome",
    "RequestRecord",
    "Step",
    "Verdict",
    "Verified",
]


CLAIMED_UNSEEN = "claimed_unseen"
"""The code of a claim that the carrier named as done, and that no read shows."""

PROCESS_DIED = "process_died"
"""The code of a step whose process ended before an answer was on disk."""

RETRIED = "retried"
"""The code of a step that an operator wants tried again: what is known of it begins anew."""


UNREAD = "unread"
"""Where counts of verdicts put SIMs that were never verified."""


class RequestOutcome(StrEnum):
    """What became of one request."""

    SENT = "sent"  # intent on disk, no outcome yet: in flight, or its process died
    ACCEPTED = "accepted"  # a readable answer that claims success (the read-back decides what it is worth)
    REFUSED = "refused"  # a readable answer that says no
    REFUSED_FOR_NOW = "refused_for_now"  # nothing happened: rate limit, no connection
    LOST = "lost"  # no readable answer


@dataclass(frozen=True, slots=True)
class Step:
    """One step of one SIM. `since` is when it last moved (UTC seconds); `not_before` holds a retry back until then."""

    kind: StepKind
    state: StepState
    attempts: int = 0
    since: float = 0.0
    not_before: float = 0.0
    code: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True)
class Item:
    """One SIM of a plan with all that is known of it.

    `target` None: not on our organization at the last read. `verdict` None: never judged.
    """

    change: Change
    steps: dict[StepKind, Step] = field(default_factory=dict)
    target: TargetLink | None = None
    read_at: float | None = None
    verdict: "Verdict | None" = None

    @property
    def key(self) -> str:
        """The source ICCID's key, by which the store knows the SIM."""
        return self.change.source_iccid.key

    @property
    def awaits_claim(self) -> bool:
        """Planned to be claimed, nothing begun or all surely undone, and no device there under anybody's name."""
        nobody_has_it = self.target is None or not self.target.is_claimed
        is_open = self.state_of(StepKind.CLAIM) is StepState.PENDING
        return self.change.action is Action.CLAIM and is_open and nobody_has_it and not self.is_set_aside

    @property
    def is_set_aside(self) -> bool:
        """Whether an operator told us to skip this SIM: nothing more is sent for it under this plan."""
        return any(step.state is StepState.SKIPPED for step in self.steps.values())

    @property
    def is_locked(self) -> bool:
        """Whether, by the last read, the carrier takes no orders for the SIM until a change of its own is through."""
        return self.target is not None and self.target.state.is_pending

    @property
    def takes_orders(self) -> bool:
        """Whether a run may still change this SIM.

        Not one that the plan leaves alone or an operator set aside, and not one that was judged before: what differs
        from then on is drift, and somebody may have meant it. `migrator retry` makes us forget that judgement.
        """
        is_judged = self.verdict in {Verdict.OK, Verdict.MISMATCH}
        return self.change.action is not Action.NO_OP and not is_judged and not self.is_set_aside

    @property
    def begun_at(self) -> float | None:
        """Since when something is being done about this SIM (UTC seconds): its oldest step; None before the first."""
        return min((step.since for step in self.steps.values() if step.attempts), default=None)

    def state_of(self, kind: StepKind) -> StepState:
        """Where the step of this kind stands; PENDING if nothing was begun."""
        step = self.steps.get(kind)
        return StepState.PENDING if step is None else step.state


@dataclass(frozen=True, slots=True)
class RequestRecord:
    """One write in the journal. `body` is what was sent, without secrets; `job_id` the carrier's own word for it.

    `intent_at` and `outcome_at` are UTC seconds. `request_id` counts up from 1 within a store.
    """

    request_id: int
    plan_id: str
    run_id: int
    kind: StepKind
    method: str
    path: str
    body: dict[str, Any]
    sims: int
    intent_at: float
    wave: str | None = None
    outcome: RequestOutcome = RequestOutcome.SENT
    outcome_at: float | None = None
    status: int | None = None
    job_id: str | None = None
    job_status: str | None = None
    message: str = ""


@dataclass(frozen=True, slots=True)
class JobRecord:
    """One run of `apply`. Times are UTC seconds; `ended_at` None while it runs, or when its process died."""

    run_id: int
    plan_id: str
    state: str
    owner: str
    started_at: float
    ended_at: float | None = None
    exit_code: int | None = None
    reason: str = ""
    requests: int = 0


@dataclass(frozen=True, slots=True)
class Failures:
    """How many SIMs failed, by wave and by error code, and how many were begun, by wave."""

    by_wave: Mapping[str, int] = field(default_factory=dict)
    by_code: Mapping[str, int] = field(default_factory=dict)
    begun: Mapping[str, int] = field(default_factory=dict)

    @property
    def total(self) -> int:
        """SIMs that failed, over the whole plan."""
        return sum(self.by_wave.values())


class Verdict(StrEnum):
    """What one verification says of one SIM."""

    OK = "ok"  # every planned value is there
    PENDING = "pending"  # the carrier is still working, or we are
    MISMATCH = "mismatch"  # something differs, and waiting will not mend it
    MISSING = "missing"  # the target is not on our organization


@dataclass(frozen=True, slots=True)
class Verified:
    """The result of reading one SIM back and comparing it with its plan."""

    key: str
    verdict: Verdict
    findings: tuple[Finding, ...] = ()
