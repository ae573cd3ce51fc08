"""What may stop a run before more happens: money, caps, and too many failures."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from migrator.core.gates import Gate, broken_bound, gate
from migrator.core.policy import WithoutPrice
from migrator.core.states import StepKind, StepState
from migrator.core.units import money
from migrator.errors import Halted, InputError, InsufficientBalance
from migrator.executor.context import Context
from migrator.ports import DataPlan

__all__ = ["Money", "check_failures", "gate_after", "price_of"]


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
        told: whether the operator was told that there is no balance to read, or no price.
    """

    ctx: Context
    price: Decimal | None
    told: bool = False

    def claimed(self) -> int:
        """SIMs that this plan has claimed, or may have claimed, over all its runs."""
        counts = self.ctx.journal.step_counts(self.ctx.plan_id)
        spent = (StepState.DONE, StepState.UNCERTAIN, StepState.IN_FLIGHT)
        unseen = self.ctx.journal.claims_unseen(self.ctx.plan_id)  # the carrier says it charged
        return unseen + sum(counts.get((StepKind.CLAIM, state), 0) for state in spent)

    async def check(self, sims: int) -> None:
        """Raises: Halted or InsufficientBalance, if `sims` more may not be claimed; then nothing was sent."""
        self.check_caps(sims)
        if self.price is None:
            self._check_unpriced()
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

    def _check_unpriced(self) -> None:
        """Raises: Halted, if the policy wants nothing claimed where its cap on money cannot be checked."""
        if self.ctx.policy.caps.without_price is WithoutPrice.STOP:
            raise Halted(
                "Hologram shows no price for this plan: [caps] max_spend_now cannot be checked, and nothing was sent",
                code="cap_unknown_price",
                hint='if that is right for this account, set [caps] without_price = "go_on" in the policy and make a '
                "new plan: max_sims then is the bound",
            )
        if not self.told:
            self.told = True
            self.ctx.progress("no_price", {})

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


def too_many_failures(ctx: Context) -> str | None:
    """The first bound on failures that was passed, in words; None while all hold."""
    return broken_bound(ctx.journal.failures(ctx.plan_id), ctx.policy.gates)


def check_failures(ctx: Context) -> None:
    """Raises: Halted, if more SIMs failed than the policy bears. Counted from the journal, never kept beside it."""
    broken = too_many_failures(ctx)
    if broken is not None:
        raise Halted(
            broken,
            code="too_many_failures",
            hint="`migrator status` lists them by code; mend the cause, then `migrator retry` or `migrator skip` them "
            "and run the same command again",
        )


def gate_after(ctx: Context, wave: str) -> Gate:
    """Whether the wave after `wave` may open: enough of its SIMs are verified."""
    return gate(ctx.journal.verdicts(ctx.plan_id, wave, changing=True), ctx.policy.gates.verified_share)
