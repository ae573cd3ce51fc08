"""Guards that stop a run: money, caps, and too many failures."""

from dataclasses import dataclass
from decimal import Decimal

from migrator.core.fleet.units import money
from migrator.core.money.caps import past_caps, used_of
from migrator.core.money.prices import confirmed_prices, price_rises
from migrator.core.policy.policy import WithoutPrice
from migrator.core.run.gates import Gate, broken_bound, gate
from migrator.core.run.states import StepKind, StepState
from migrator.engine.apply.prices import prices_of
from migrator.engine.run.context import Context
from migrator.errors import Halted, InsufficientBalance, StalePlan
from migrator.ports import MigrationJournal

__all__ = ["Money", "check_failures", "claims_spent", "gate_after"]


def claims_spent(journal: MigrationJournal, plan_id: str) -> int:
    """Count SIMs that a plan has claimed or may have claimed.

    The count covers all runs of the plan.
    """
    counts = journal.step_counts(plan_id)
    spent = (StepState.DONE, StepState.UNCERTAIN, StepState.IN_FLIGHT)
    unseen = journal.claims_unseen(plan_id)  # the carrier says it charged
    return unseen + sum(counts.get((StepKind.CLAIM, state), 0) for state in spent)


@dataclass(slots=True)
class Money:
    """Check price, caps and balance before each claim.

    Args:
        price: per SIM at the claim, as it was read last; None where it is unknown.
        told: whether a missing balance, or a missing price, was reported to the operator.
        fell_to: the price below the confirmed price that was reported to the operator last.
    """

    ctx: Context
    price: Decimal | None = None
    told: bool = False
    fell_to: Decimal | None = None

    async def look(self) -> None:
        """Read the current price of a SIM.

        The plan was confirmed at a price, and nothing is claimed above that price.

        Raises: StalePlan, if a price rose since; Halted, if the price cannot be relied on; InputError, if the data plan
            no longer exists.
        """
        now = prices_of(await self.ctx.target.data_plans(), self.ctx.policy.claim)
        confirmed = confirmed_prices(self.ctx.header.summary)
        if rises := list(price_rises(confirmed, now)):
            raise StalePlan(
                f"the price is not the one that plan {self.ctx.plan_id} was confirmed at, and no SIM is claimed: "
                f"{'; '.join(rises)}",
                code="price_rose",
                hint="make a new plan: it shows what each SIM costs now, claims none again, and names and verifies "
                "those that are claimed already",
            )
        self.price = now.per_period
        was = confirmed.per_period
        if was is not None and self.price is not None and self.price < was and self.price != self.fell_to:
            self.fell_to = self.price
            self.ctx.progress("price_fell", {"was": money(was), "now": money(self.price)})

    def claimed(self) -> int:
        """Count SIMs that this plan has claimed or may have claimed.

        The count covers all runs of the plan.
        """
        return claims_spent(self.ctx.journal, self.ctx.plan_id)

    async def check(self, sims: int) -> None:
        """Refuse a claim of `sims` more SIMs that caps or balance forbid.

        Raises: Halted or InsufficientBalance; then nothing was sent.
        """
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
        """Refuse a claim without a price, where the policy wants that.

        Without a price the policy's cap on money cannot be checked.

        Raises: Halted.
        """
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
        """Refuse a claim of `sims` more SIMs that the caps forbid.

        The claims so far are counted over everything that the scope of the caps covers.

        Raises: Halted.
        """
        header, caps = self.ctx.header, self.ctx.policy.caps
        used = used_of(self.ctx.journal.claims_made(header.org_id), caps, self.ctx.plan_id, self.price)
        if (past := past_caps(caps, used, sims, self.price)) is not None:
            code, words = past
            alone = ', or set [caps] scope = "plan" to hold it against each plan alone,' if used.others else ""
            raise Halted(words, code=code, hint=f"raise the cap in the policy{alone} and make a new plan")


def too_many_failures(ctx: Context) -> str | None:
    """Return the first passed bound on failures, in words.

    None while all bounds hold.
    """
    return broken_bound(ctx.journal.failures(ctx.plan_id), ctx.policy.gates)


def check_failures(ctx: Context) -> None:
    """Halt the run if more SIMs failed than the policy allows.

    The failures are counted from the journal, and no second count exists.

    Raises: Halted.
    """
    broken = too_many_failures(ctx)
    if broken is not None:
        raise Halted(
            broken,
            code="too_many_failures",
            hint="`migrator status` lists them by code; mend the cause, then `migrator retry` or `migrator skip` them "
            "and run the same command again",
        )


def gate_after(ctx: Context, wave: str) -> Gate:
    """Return the gate of the wave after `wave`.

    The gate opens when enough SIMs of `wave` are verified.
    """
    return gate(ctx.journal.verdicts(ctx.plan_id, wave, changing=True), ctx.policy.gates.verified_share)
