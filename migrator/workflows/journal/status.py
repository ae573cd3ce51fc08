"""State of a plan, as `status` shows it."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from migrator import wiring
from migrator.core.campaign.notices import DeliveryState
from migrator.core.plan.plan import PlanHeader
from migrator.core.plan.staged import StagedEnds, staged_ends
from migrator.core.run.control import CEILING_SETTINGS, Order
from migrator.core.run.states import StepKind
from migrator.core.run.steps import JobRecord
from migrator.engine.run.context import Stopper
from migrator.errors import Interrupted
from migrator.store import Store
from migrator.store.journal.waiting import Stuck
from migrator.workflows.cutover.status import cutovers_of, finding_counts
from migrator.workflows.lookups.plans import unfinished_besides
from migrator.workflows.report import caps_used
from migrator.workflows.site import going_on, living_holder

__all__ = ["PlanStatus", "Rate", "plan_status", "watch_status"]


@dataclass(frozen=True, slots=True)
class Rate:
    """Request rate of a carrier.

    The carrier is steered by an operator, or its limit was felt.

    Args:
        carrier: its key.
        ceiling: the most requests a second that an operator allows; None for no order.
        by: who gave that order.
        learned: requests a second that were found out; None for nothing.
    """

    carrier: str
    ceiling: float | None
    by: str | None
    learned: Any


@dataclass(frozen=True, slots=True)
class PlanStatus:
    """State of a plan at one moment.

    Args:
        header: of the plan.
        state: created, started or finished.
        waves: SIMs by wave and verdict.
        steps: SIMs by step and its state.
        failed: steps by code.
        ends: ends of Test Mode that are planned; None for none.
        findings: SIMs that differed at the last verification, by code.
        stuck: SIMs that wait at the target for too long.
        caps: the policy's caps with what is used, as JSON values.
        cutovers: cutovers and rollbacks of the plan, as JSON values.
        unfinished: another plan that was begun and is not finished; None for none.
        unfinished_goes_on: the command that goes on with that one; empty for none.
        order: the order in force; None for none.
        rates: of the carriers.
        holder: the process at work on the store; None for none.
        runs: oldest first.
        notices: deliveries by state.
        goes_on: the command that goes on with the plan.
    """

    header: PlanHeader
    state: str
    waves: Mapping[str, Mapping[str, int]]
    steps: Mapping[tuple[StepKind, str], int]
    failed: Mapping[str, int]
    ends: StagedEnds | None
    findings: Mapping[str, int]
    stuck: Stuck
    caps: Mapping[str, Any]
    cutovers: Sequence[Mapping[str, Any]]
    unfinished: str | None
    unfinished_goes_on: str
    order: Order | None
    rates: Sequence[Rate]
    holder: str | None
    runs: Sequence[JobRecord]
    notices: Mapping[DeliveryState, int]
    goes_on: str

    @property
    def last_run_state(self) -> str:
        """State of the last run; `paused` for one that an order holds."""
        last = self.runs[-1].state
        is_held = self.order is not None and self.order.past == "paused"
        return "paused" if self.holder is not None and last == "running" and is_held else last


def plan_status(store: Store, plan_id: str) -> PlanStatus:
    """Read the state of a plan.

    Raises: InputError, if there is no such plan.
    """
    header, journal = store.plans.header(plan_id), store.journal
    holder, now = living_holder(store), wiring.SystemClock().now().timestamp()
    unfinished = unfinished_besides(store, plan_id)
    return PlanStatus(
        header=header,
        state=str(store.plans.state(plan_id)),
        waves={wave: journal.verdicts(plan_id, wave) for wave in header.waves},
        steps=journal.step_counts(plan_id),
        failed=journal.failure_codes(plan_id),
        ends=staged_ends(journal.test_ends(plan_id), now),
        findings=finding_counts(store, plan_id),
        stuck=store.stuck(plan_id, now),
        caps=caps_used(store, header),
        cutovers=cutovers_of(store, plan_id),
        unfinished=unfinished,
        unfinished_goes_on="" if unfinished is None else going_on(store, unfinished),
        order=store.steering.order(plan_id),
        rates=_rates(store),
        holder=None if holder is None else str(holder),
        runs=journal.runs(plan_id),
        notices=store.outbox.counts(),
        goes_on=going_on(store, plan_id),
    )


def watch_status(store: Store, plan_id: str, every_s: float, tell: Callable[[PlanStatus], None]) -> PlanStatus:
    """Read the state of a plan until no run is alive.

    Ctrl-C ends the watch like any other end. `tell` gets each state.

    Returns: the last state.
    """

    async def body(stopper: Stopper) -> None:
        while True:
            found = plan_status(store, plan_id)
            tell(found)
            if found.holder is None:
                return
            await stopper.sleep(every_s)

    with suppress(Interrupted):  # that is how a person stops watching
        wiring.run_async(body)
    return plan_status(store, plan_id)


def _rates(store: Store) -> list[Rate]:
    found = []
    for carrier in CEILING_SETTINGS:
        ceiling, learned = store.steering.ceiling(carrier), store.steering.learned(carrier)
        if ceiling is not None or learned is not None:
            most, by = (None, None) if ceiling is None else (ceiling.per_second, ceiling.given_by)
            found.append(Rate(carrier, most, by, None if learned is None else learned.values.get("per_second")))
    return found
