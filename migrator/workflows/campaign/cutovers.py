"""Cutovers of a campaign: old SIMs whose new SIM has rested."""

from collections.abc import Sequence
from itertools import groupby

from migrator.core.cutover.plan import Direction, Require, SwitchHeader
from migrator.core.cutover.rules import Demand
from migrator.core.policy.policy import CutoverMode, OldSim, OtherUnits, PairProof
from migrator.core.run.results import ExitCode
from migrator.errors import Interrupted, StalePlan
from migrator.workflows.campaign.tick import WAIT_S, Tick
from migrator.workflows.cutover.apply import CutoverBounds, carry_out_cutover
from migrator.workflows.cutover.plan import plan_cutover

__all__ = ["cut_over"]


def cut_over(tick: Tick) -> None:
    """Switch off what has rested, or say the command.

    Cutovers that were begun go on first.
    """
    is_auto = tick.bounds.cutover is CutoverMode.AUTO
    if is_auto and not _went_on(tick):
        return
    for plan_id, keys in _rested(tick):
        if is_auto and not tick.may_write():
            return
        header = plan_cutover(tick.site, tick.site.store.plans.header(plan_id), _demand(tick), listed=set(keys))
        if not header.count:
            continue
        if is_auto:
            if not tick.may_write():  # the plan took its time: somebody may have paused the campaign meanwhile
                return
            _switch_off(tick, header)
        else:
            words = f"old SIMs can be switched off: {header.count}"
            command = f"`migrator cutover apply {header.switch_id} --confirm {header.count}` switches them off"
            tick.hold(ExitCode.ATTENTION, words, command)
            tick.count("can_go_off", header.count)


def _went_on(tick: Tick) -> bool:
    """Go on with begun cutovers; False if nothing may be sent."""
    store, own = tick.site.store, set(tick.site.store.due.all_plans(tick.campaign))
    for switch_id, state in reversed(list(store.switches.known(Direction.CUTOVER).items())):
        if state != "started":
            continue
        header = store.switches.header(switch_id)
        if header.plan_id not in own or store.switches.superseded_by(switch_id) is not None:
            continue
        if not tick.may_write():
            return False
        try:
            _switch_off(tick, header)
        except StalePlan as error:
            tick.hold(ExitCode.ATTENTION, error.message, error.hint)
    return True


def _rested(tick: Tick) -> list[tuple[str, Sequence[str]]]:
    """Return the rested old SIMs that are on, by plan."""
    store = tick.site.store
    before_s = tick.site.now() - tick.bounds.cutover_rest_s
    found = list(store.due.rested(tick.campaign, before_s, tick.day_began_s()))
    off = store.switches.switched_off([one.key for one in found])
    left = [one for one in found if one.key not in off]
    return [(plan_id, [one.key for one in some]) for plan_id, some in groupby(left, key=lambda one: one.plan_id)]


def _demand(tick: Tick) -> Demand:
    """Return the demand of the policy."""
    policy = tick.loaded.policy.cutover
    return Demand(
        Require(policy.require.value),
        policy.rest_s,
        tick.site.now(),
        accepts_other_units=policy.other_units is OtherUnits.ACCEPT,
        wants_observed=policy.pairs is PairProof.OBSERVED,
        old_sim=OldSim(policy.old_sim),
        alive_within_s=policy.alive_within_s,
    )


def _switch_off(tick: Tick, header: SwitchHeader) -> None:
    wait_s = min(tick.site.settings.settle_timeout_s, WAIT_S)
    before = len(tick.site.store.switches.switched_off())
    bounds = CutoverBounds(wait_s=wait_s, max_duration_s=tick.longest_run_s(), ref=tick.ref())
    result = carry_out_cutover(tick.site, header, bounds)
    tick.count("switched_off", len(tick.site.store.switches.switched_off()) - before)
    tick.count("writes", result.writes)
    if result.exit_code is ExitCode.INTERRUPTED:
        raise Interrupted(result.reason, result.exit_code)
    if result.exit_code is not ExitCode.DONE:
        named = f"cutover {header.switch_id}"
        tick.hold(result.exit_code, f"{named}: {result.reason}", result.hint, f"{named}: {result.cause}")
