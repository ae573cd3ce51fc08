"""Plans of a campaign: the begun ones, then those of due SIMs."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from functools import partial

from migrator.core.campaign.budget import DAY_S, Allowance, ahead_of_swaps, allowance, is_budget_spent
from migrator.core.fleet.units import counted
from migrator.core.plan.plan import PlanHeader
from migrator.core.policy.policy import ClaimWhen, Wave
from migrator.core.run.results import ApplyResult, ExitCode
from migrator.errors import Interrupted, StalePlan
from migrator.inputs.policy.file import LoadedPolicy
from migrator.store.campaigns.due import WaitingSim
from migrator.workflows.apply import carry_out_held
from migrator.workflows.campaign.tick import Tick
from migrator.workflows.plans.make import Fleet
from migrator.workflows.plans.plan import plan_held

__all__ = ["claim_due", "go_on"]

SWAPS_OVER_S = 14 * DAY_S
NO_SWAPS_S = 7 * DAY_S
"""Time without any swap after which a person has to look."""
MOST_TRIES = 3
WAVE = "campaign"


def go_on(tick: Tick) -> None:
    """Go on with the plans that were begun.

    A plan that halts holds up no other. A plan that is stale, or made at another price, is given up: its SIMs are due
    again, and what it has claimed already is set up by the next one.
    """
    store = tick.site.store
    for plan_id in store.due.open_plans(tick.campaign):
        if not tick.may_write():
            return
        header = store.plans.header(plan_id)
        with tick.alone():
            if (result := _carried_out(tick, header)) is not None:
                _note(tick, header, result)


def claim_due(tick: Tick) -> None:
    """Plan and claim what is due, within the standing approval."""
    for _ in range(MOST_TRIES):
        keys = _chosen(tick)
        if not keys or not tick.may_write():
            return
        header = _planned(tick, keys)
        if (result := _carried_out(tick, header)) is not None:
            _note(tick, header, result)
            return


def _carried_out(tick: Tick, header: PlanHeader) -> ApplyResult | None:
    """Carry a plan out within the allowance of today.

    Once the error budget is spent nothing more is claimed, also within the run, and what is claimed is set up all the
    same.

    Returns: None for a plan that is stale, which is given up.

    Raises: Halted, for a plan that an order holds.
    """
    most = 0 if _is_spent(tick) else _allowance(tick, _price_of(header)).sims
    bounds = replace(tick.run_bounds(most), is_spent=partial(_is_spent, tick))
    before = tick.site.store.due.spent(tick.campaign, tick.day_began_s()).sims
    try:
        result = carry_out_held(tick.site, header, bounds, tick.me)
    except StalePlan as error:
        _give_up(tick, header, error.message)
        return None
    after = tick.site.store.due.spent(tick.campaign, tick.day_began_s()).sims
    tick.count("claimed", max(0, after - before))
    tick.count("writes", result.writes)
    if result.exit_code is ExitCode.RESUMABLE:
        tick.waited()
    if result.exit_code is ExitCode.STALE:
        _give_up(tick, header, result.reason)
        return None
    if _has_failed(tick, result):
        _give_up(tick, header, result.reason)  # the error budget over all plans holds now, until somebody resumes
    return result


def _has_failed(tick: Tick, result: ApplyResult) -> bool:
    """True if more SIMs failed than the error budget allows."""
    return result.exit_code is ExitCode.HALTED and sum(result.failed.values()) > tick.bounds.most_failures


def _note(tick: Tick, header: PlanHeader, result: ApplyResult) -> None:
    if result.exit_code is ExitCode.DONE:
        return
    if _has_failed(tick, result) and _holds_all(tick):
        return  # the plan is over, so its own words would send a person to it
    if result.is_capped:
        if not _holds_all(tick):
            _hold_back(tick, _allowance(tick, _price_of(header)))
        return
    if result.exit_code is ExitCode.ATTENTION:
        return  # the exceptions are counted at the end, over all plans
    if result.exit_code is ExitCode.INTERRUPTED:
        raise Interrupted(result.reason, result.exit_code)
    named = f"plan {result.plan_id}"
    tick.hold(result.exit_code, f"{named}: {result.reason}", result.hint, f"{named}: {result.cause}")


def _give_up(tick: Tick, header: PlanHeader, why: str) -> None:
    tick.site.store.plans.finish(header.plan_id, tick.site.now())
    tick.count("plans_given_up", 1)
    tick.site.progress("plan_given_up", {"plan_id": header.plan_id, "why": why})


# --- what is due --------------------------------------------------------------------------------------------------


def _chosen(tick: Tick) -> list[str]:
    """Return the SIMs of the next plan.

    Those are the ones that cost nothing, and as many others as may be claimed.
    """
    store, campaign = tick.site.store, tick.campaign
    due = [one for one in store.due.waiting(campaign) if _is_due(tick, one)]
    tick.told["due"] = len(due)
    if not due:
        return []
    paid = store.plans.claimed_before([one.key for one in due])
    new = [one for one in due if one.key not in paid]
    return sorted([one.key for one in due if one.key in paid] + [one.key for one in _within(tick, new)])


def _is_due(tick: Tick, one: WaitingSim) -> bool:
    when = tick.loaded.policy.claim.when
    if when is ClaimWhen.SCANNED:
        return one.is_scanned
    return when is ClaimWhen.PLANNED or one.is_shipped or one.is_scanned


def _within(tick: Tick, new: Sequence[WaitingSim]) -> Sequence[WaitingSim]:
    """Return the SIMs to claim now: cards in their units first."""
    if not new:
        return []
    if _holds_all(tick):
        return []
    may = _allowance(tick, _last_price(tick))
    scanned = [one for one in new if one.is_scanned]
    others = _ahead(tick, [one for one in new if not one.is_scanned])
    wanted = [*scanned, *others]
    if len(wanted) > may.sims and tick.is_approved():  # before, only the approval is missing
        _hold_back(tick, may)
    return wanted[: may.sims]


def _is_spent(tick: Tick) -> bool:
    """True if too many of the newest units failed."""
    newest = tick.site.store.due.outcomes(tick.campaign, tick.bounds.last_units, tick.site.now())
    return is_budget_spent(newest, tick.bounds)


def _holds_all(tick: Tick) -> bool:
    """True if the error budget is spent; then notes it."""
    is_spent = _is_spent(tick)
    if is_spent:
        words = f"of the newest {tick.bounds.last_units} units more than {tick.bounds.most_failures} failed"
        hint = (
            "`migrator campaign status` counts them by code; mend the cause, then `migrator campaign resume --by NAME`"
        )
        tick.hold(ExitCode.HALTED, f"{words}: nothing more is claimed", hint)
    return is_spent


def _ahead(tick: Tick, new: Sequence[WaitingSim]) -> Sequence[WaitingSim]:
    """Return the cards that the observed swaps will need soon.

    Where no swap at all was seen for a week a person has to look: cards that nobody swaps would hold back all others.
    """
    ahead_s = tick.loaded.policy.claim.ahead_s
    if ahead_s is None:
        return new
    store, now = tick.site.store, tick.site.now()
    over_s = min(SWAPS_OVER_S, max(1.0, now - tick.campaign.created_s))
    swaps, unseen = store.due.swaps(tick.campaign, now - over_s), store.due.unseen(tick.campaign)
    silent = sum(life.is_unseen for life in store.lives.those(unseen, now)) + store.due.unseen_and_gone(tick.campaign)
    most = ahead_of_swaps(ahead_s, swaps, over_s, first=tick.bounds.claims_per_day)
    soon = new[: max(0, most - silent)]
    tick.told["held_back_by_ahead"] = len(new) - len(soon)
    if new and not soon and _nobody_swaps(tick, now - NO_SWAPS_S):
        words = f"no swap was seen for {counted(int(NO_SWAPS_S // DAY_S), 'day')}: [claim] ahead holds back what is due"
        hint = (
            f"{counted(silent, 'claimed card')} not yet seen; have units swapped, or put scans into the intake, whose "
            "cards are claimed at once. A longer `ahead`, or none, needs `migrator campaign approve`"
        )
        tick.hold(ExitCode.ATTENTION, words, hint)
    return soon


def _nobody_swaps(tick: Tick, since_s: float) -> bool:
    """True if cards were claimed before, and no swap seen since."""
    spent = tick.site.store.due.spent(tick.campaign, since_s)
    return spent.sims > spent.sims_today and not tick.site.store.due.swaps(tick.campaign, since_s)


def _allowance(tick: Tick, price: str | Decimal | None) -> Allowance:
    spent = tick.site.store.due.spent(tick.campaign, tick.day_began_s())
    return allowance(tick.bounds, spent, None if price is None else Decimal(price))


def _last_price(tick: Tick) -> str | None:
    plans = tick.site.store.due.all_plans(tick.campaign)
    return _price_of(tick.site.store.plans.header(plans[-1])) if plans else None


def _price_of(header: PlanHeader) -> str | None:
    price: str | None = header.summary.get("money", {}).get("price_per_sim")
    return price


def _hold_back(tick: Tick, may: Allowance) -> None:
    words = f"[campaign] {may.bound} holds back what is due"
    if may.needs_a_person:
        hint = "raise it in the policy, then `migrator campaign approve`"
        tick.hold(ExitCode.HALTED, words, hint)
    else:
        tick.hold(ExitCode.RESUMABLE, f"{words} today", "tomorrow's `migrator campaign run` goes on")


def _planned(tick: Tick, keys: Sequence[str]) -> PlanHeader:
    """Make the plan of some SIMs, and note whose it is."""
    site = tick.site
    chosen = partial(site.store.plans.candidates, where_keys=keys)
    fleet = Fleet(chosen, only=f"campaign {tick.campaign.campaign_no}", may_pause_live=False)
    header = plan_held(site, _as_one_wave(tick.loaded), None, tick.me, fleet=fleet)
    site.store.campaigns.own(tick.campaign, header.plan_id, header.org_id, site.now())
    tick.told.setdefault("plans", []).append(header.plan_id)
    return header


def _as_one_wave(loaded: LoadedPolicy) -> LoadedPolicy:
    """Return the policy with one wave.

    A small plan needs no canary of its own.
    """
    return replace(loaded, policy=replace(loaded.policy, waves=(Wave(WAVE),)))
