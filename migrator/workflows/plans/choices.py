"""Choices that a policy must make before it is planned with."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from migrator.core.fleet.candidates import Candidate
from migrator.core.fleet.units import money
from migrator.core.plan.mapping import undecided
from migrator.core.plan.plan import Prices
from migrator.errors import InputError

if TYPE_CHECKING:
    from migrator.inputs.policy.file import LoadedPolicy
    from migrator.inputs.where.language import Where

__all__ = ["must_have_chosen"]


def must_have_chosen(
    candidates: Iterable[Candidate], loaded: "LoadedPolicy", prices: Prices, selection: "Where | None"
) -> None:
    """Refuse a policy that is silent about disabled SIMs of a plan.

    A disabled SIM that is claimed and paused is used by nobody, and billed every period until it is deactivated. Plans
    that are there keep what their policy meant when they were made.

    Raises: InputError, with the number of these SIMs and what a pause of them costs.
    """
    if loaded.says_disabled:
        return
    is_open = undecided(loaded.policy)
    sims = sum(is_open(one.sim) for one in candidates if selection is None or selection.selects(one))
    if not sims:
        return
    cost = "Hologram shows no price of that"
    if prices.per_period is not None:
        cost = f"{money(prices.per_period * sims)} a month at Hologram, {money(prices.per_period)} each"
    raise InputError(
        f"{loaded.name}: [status] disabled is missing, and the inventory has disabled SIMs for this plan: {sims}",
        code="disabled_undecided",
        hint=(
            'write one of these under [status]: disabled = "skip" (they stay behind, at no cost), "pause" (each gets '
            f'a new SIM that nobody uses, billed until it is deactivated: {cost}), "live" (the same, and switched on), '
            '"block" (you decide later)'
        ),
    )
