"""What may stop a run before more happens: money, caps, and too many failures."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from migrator.core.journal import Verdict
from migrator.core.states import StepKind, StepState
from migrator.core.units import money
from migrator.errors import Halted, InputError, InsufficientBalance
from migrator.executor.context import Context
from migrator.ports import DataPlan

__all__ = ["FAILURE_SAMPLE", "Money", "check_failures", "check_gate", "price_of"]

FAILURE_SAMPLE = 50
"""A share of failures says nothing over fewer SIMs than this; the absolute bound holds from the first one."""


def price_of(plans: Mapping[int, DataPlan], data_plan_id: int, zone: str) -> Decimal | None:
    """What one SIM costs when it is claimed; None where the carrier shows no price.

    Raises: InputError, if there is no such plan or zone; the message lists what there is.
    """
    plan = plans.get(data_plan_id)
    if plan is None:
        known = ", ".join(f"{known.data_plan_id} ({known.name})" for known in plans.values()) or "none"
        raise InputError(
            f"the organization has no data plan {data_plan_id}",
            code="unknown_data_plan",
            hint=f"set [claim] data_plan_id to one of: {known}",
        )
    if not plan.enabled:
        raise InputError(
            f"data plan {data_plan_id} ({plan.name}) is closed for new subscriptions",
            code="closed_data_plan",
            hint="set [claim] data_plan_id to one that is open",
        )
    if zone not in plan.zones:
        raise InputError(
            f"data plan {data_plan_id} ({plan.name}) has no zone {zone!r}",
            code="unknown_zone",
            hint=f"set [claim] zone to one of these, letter for letter: {', '.join(map(repr, plan.zones)) or 'none'}",
        )
    return plan.zones[zone].per_period


@dataclass(slots=True)
class Money:
    """Checks caps and balance before each claim.

    Args:
        price: per SIM at the claim; None where it is unknown.
        told: whether the operator was told that there is no balance to read.
    """

    ctx: Context
    price: Decimal | None
    told: bool = False

    def claimed(self) -> int:
        """SIMs that this plan has claimed, or may have claimed, over all its runs."""
        counts = self.ctx.journal.step_counts(self.ctx.plan_id)
        spent = (StepState.DONE, StepState.UNCERTAIN, StepState.IN_FLIGHT)
        return sum(counts.get((StepKind.CLAIM, state), 0) for state in spent)

    async def check(self, sims: int) -> None:
        """Raises: Halted or InsufficientBalance, if `sims` more may not be claimed; then nothing was sent."""
        self.check_caps(sims)
        if self.price is None:
            return
        balance = await self.ctx.target.balance()
        need = self.price * sims
        if balance is None and not self.told:
            self.told = True
            self.ctx.progress("no_balance", {})
        if balance is not None and balance < need:
            raise InsufficientBalance(
                f"the balance is {money(balance)} and the next {sims} SIMs cost {money(need)}; nothing was sent",
                hint="add funds at Hologram, then run the same command again",
            )

    def check_caps(self, sims: int) -> None:
        """Raises: Halted, if the policy's caps do not allow `sims` more."""
        caps, total = self.ctx.policy.caps, self.claimed() + sims
        if total > caps.max_sims:
            raise Halted(
                f"claiming {sims} more would make {total} SIMs, past [caps] max_sims = {caps.max_sims}",
                code="cap_sims",
                hint="raise the cap in the policy and make a new plan",
            )
        if self.price is not None and self.price * total > caps.max_spend_now:
            raise Halted(
                f"claiming {sims} more would cost {money(self.price * total)} in all, past [caps] max_spend_now = "
                f"{money(caps.max_spend_now)}",
                code="cap_spend",
                hint="raise the cap in the policy and make a new plan",
            )


def check_failures(ctx: Context) -> None:
    """Raises: Halted, if more SIMs failed than the policy bears. Counted from the journal, never kept beside it."""
    counts = ctx.journal.step_counts(ctx.plan_id)
    failed = sum(count for (_, state), count in counts.items() if state == StepState.FAILED)
    begun = sum(count for (kind, _), count in counts.items() if kind is StepKind.CLAIM)
    gates = ctx.policy.gates
    too_many = failed > gates.max_failures
    too_large_a_share = begun >= FAILURE_SAMPLE and failed > gates.max_failure_share * begun
    if too_many or too_large_a_share:
        bound = f"max_failures = {gates.max_failures}" if too_many else f"max_failure_share = {gates.max_failure_share}"
        raise Halted(
            f"{failed} steps failed, past [gates] {bound}",
            code="too_many_failures",
            hint="`migrator status` lists them by code; mend the cause, then make a new plan",
        )


def check_gate(ctx: Context, wave: str) -> bool:
    """Whether the wave after `wave` may open: enough of its SIMs are verified."""
    verdicts = ctx.journal.verdicts(ctx.plan_id, wave)
    total = sum(verdicts.values())
    return total == 0 or Decimal(verdicts.get(Verdict.OK, 0)) / total >= ctx.policy.gates.verified_share
