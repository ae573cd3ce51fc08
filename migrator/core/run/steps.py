"""Records of the journal: steps per SIM, and requests.

The requests are all requests that were meant to change something.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from migrator.core.fleet.sims import LinkState, TargetLink
from migrator.core.plan.compare import Finding
from migrator.core.plan.plan import Action, Change
from migrator.core.run.doubts import Doubt, doubt_of
from migrator.core.run.states import StepKind, StepState

__all__ = [
    "CARD_PAIRED",
    "PAIR_CORRECTED",
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


PAIR_CORRECTED = "pair_corrected"
"""Code of the step of a SIM whose pair was corrected."""

CARD_PAIRED = "card_paired"
"""Code of the step of a stock card in a pair."""

UNREAD = "unread"
"""Key of the SIMs in counts of verdicts that were never verified."""


class RequestOutcome(StrEnum):
    """Outcome of one request."""

    SENT = "sent"  # intent on disk, no outcome yet: in flight, or its process died
    ACCEPTED = "accepted"  # a readable answer that claims success (the read-back decides what it is worth)
    REFUSED = "refused"  # a readable answer that says no
    REFUSED_FOR_NOW = "refused_for_now"  # nothing happened: rate limit, no connection
    LOST = "lost"  # no readable answer


@dataclass(frozen=True, slots=True)
class Step:
    """Step of one SIM.

    `since` is when the step last moved, and `not_before` is when a retry may begin (UTC seconds). `code` and `message`
    are words for people.
    """

    kind: StepKind
    state: StepState
    attempts: int = 0
    since: float = 0.0
    not_before: float = 0.0
    code: str = ""
    message: str = ""

    @property
    def doubt(self) -> Doubt | None:
        """Doubt about the step, or None.

        A step that has ended keeps the doubt that it was in.
        """
        return doubt_of(self.code)


@dataclass(frozen=True, slots=True)
class Item:
    """SIM of a plan with all that is known of it.

    `target` None: not on our organization at the last read. `verdict` None: never judged.
    """

    change: Change
    steps: dict[StepKind, Step] = field(default_factory=dict)
    target: TargetLink | None = None
    read_at: float | None = None
    verdict: "Verdict | None" = None

    @property
    def key(self) -> str:
        """Key of the source ICCID, by which the store knows the SIM."""
        return self.change.source_iccid.key

    @property
    def awaits_claim(self) -> bool:
        """True if the SIM still has to be claimed.

        The plan says to claim the SIM, nothing was begun or all is surely undone, and no device is there under
        anybody's name; or the device is in Test Mode, as when the plan was made, and a claim is to make it live.
        """
        nobody_has_it = self.target is None or not self.target.is_claimed or self.is_still_in_test
        is_open = self.state_of(StepKind.CLAIM) is StepState.PENDING
        return self.change.action is Action.CLAIM and is_open and nobody_has_it and not self.is_set_aside

    @property
    def is_still_in_test(self) -> bool:
        """True while the claim of a tested SIM does not show."""
        is_in_test = self.target is not None and self.target.state is LinkState.TEST
        return is_in_test and self.change.is_test_to_live

    @property
    def is_set_aside(self) -> bool:
        """True if an operator skipped this SIM.

        Nothing more is sent for the SIM under this plan. A SIM whose pair was corrected counts, too.
        """
        return any(step.state is StepState.SKIPPED for step in self.steps.values())

    @property
    def corrected(self) -> str:
        """Words on a correction that gave the SIM another new SIM.

        The new SIM of this plan is then another unit's. Empty if the pair is as planned.
        """
        step = self.steps.get(StepKind.PAIR)
        return "" if step is None else step.message

    @property
    def is_locked(self) -> bool:
        """True while the carrier takes no orders for the SIM.

        By the last read, a change of the carrier's own is still under way.
        """
        return self.target is not None and self.target.state.is_pending

    @property
    def takes_orders(self) -> bool:
        """True if a run may still change this SIM.

        A run leaves alone a SIM that the plan leaves alone, that an operator skipped, or that was judged before. What
        differs after a judgement is drift, and somebody may have meant it. `migrator retry` makes us forget that
        judgement.
        """
        is_judged = self.verdict in {Verdict.OK, Verdict.MISMATCH}
        return self.change.action is not Action.NO_OP and not is_judged and not self.is_set_aside

    @property
    def begun_at(self) -> float | None:
        """Time when work on this SIM began (UTC seconds), or None.

        That is the time of its oldest step; None before the first step.
        """
        return min((step.since for step in self.steps.values() if step.attempts), default=None)

    def state_of(self, kind: StepKind) -> StepState:
        """Return the state of the step of this kind.

        PENDING if nothing was begun.
        """
        step = self.steps.get(kind)
        return StepState.PENDING if step is None else step.state


@dataclass(frozen=True, slots=True)
class RequestRecord:
    """Record of one write in the journal.

    `body` is what was sent, without secrets; `job_id` is the carrier's own word for the write.
    `intent_at` and `outcome_at` are UTC seconds. `request_id` counts up from 1 within a store.
    """

    request_id: int
    plan_id: str
    run_id: int
    kind: StepKind
    method: str
    path: str
    body: Any
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
    """Record of one run of `apply`.

    Times are UTC seconds. `ended_at` is None while the run goes on, or when its process died. `ref` is the change or
    ticket that the run was for.
    """

    run_id: int
    plan_id: str
    state: str
    owner: str
    started_at: float
    ended_at: float | None = None
    exit_code: int | None = None
    reason: str = ""
    requests: int = 0
    ref: str = ""


@dataclass(frozen=True, slots=True)
class Failures:
    """Numbers of failed SIMs and of begun SIMs.

    Failed SIMs are counted by wave and by error code, begun SIMs by wave.
    """

    by_wave: Mapping[str, int] = field(default_factory=dict)
    by_code: Mapping[str, int] = field(default_factory=dict)
    begun: Mapping[str, int] = field(default_factory=dict)

    @property
    def total(self) -> int:
        """SIMs that failed, over the whole plan."""
        return sum(self.by_wave.values())


class Verdict(StrEnum):
    """Verdict of one verification on one SIM."""

    OK = "ok"  # every planned value is there
    PENDING = "pending"  # the carrier is still working, or we are
    MISMATCH = "mismatch"  # something differs, and waiting will not mend it
    MISSING = "missing"  # the target is not on our organization
    STAGED = "staged"  # it is in Test Mode, and is set up once it is live


@dataclass(frozen=True, slots=True)
class Verified:
    """Result of reading one SIM and comparing it with its plan."""

    key: str
    verdict: Verdict
    findings: tuple[Finding, ...] = ()
