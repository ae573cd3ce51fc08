"""Cutovers of a campaign: old SIMs whose new SIM has rested."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from migrator import wiring
from migrator.core.campaign.life import ExceptionCode
from migrator.core.cutover.plan import CutoverHeader, CutoverItem, CutoverReason, Direction, Require
from migrator.core.cutover.rules import Demand, is_open
from migrator.core.policy.policy import CutoverMode, OldSim, OtherUnits, PairProof
from migrator.core.run.control import Selection
from migrator.core.run.doubts import MAY_STILL_COME
from migrator.core.run.results import ExitCode
from migrator.core.run.states import PlanState, StepKind, StepState
from migrator.errors import Interrupted
from migrator.store.campaigns.due import Rested
from migrator.workflows.campaign.tick import Tick
from migrator.workflows.cutover.apply import CutoverBounds, carry_out_cutover
from migrator.workflows.cutover.make import stale_reasons
from migrator.workflows.cutover.plan import plan_cutover

__all__ = ["cut_over"]

ASKED = "cutovers_asked_s"
"""Name of the moment of the last questions, in a tick."""

NOT_RESTED = "its new SIM was in other hardware since, or its pair or scan is newer: it rests anew, and is planned then"


def cut_over(tick: Tick) -> None:
    """Switch off what has rested, or say the command.

    Cutovers that were begun go on first. An old SIM that does not qualify yet is asked about once a day: nothing is
    kept of that but the moment. The SIMs of a file are a person's to switch off, whatever the policy says.
    """
    is_auto, own = tick.bounds.cutover is CutoverMode.AUTO and not _by_hand(tick), _own(tick)
    if is_auto and not _went_on(tick, own.begun):
        return
    asked_s, rested = tick.site.now(), _rested(tick)
    waiting = _begun_keys(tick, own.begun) if is_auto else _offered(tick, own, rested)
    if not tick.is_policy_approved():  # what it demands of a new SIM is nobody's word yet, also for a person
        return
    since_s, new = _last_asked_s(tick), defaultdict[str, set[str]](set)
    for one in rested.values():
        if one.key not in waiting and one.since_s > since_s - _rest_s(tick):
            new[one.plan_id].add(one.key)
    for plan_id, keys in new.items():
        if is_auto and not tick.may_write():
            return
        with tick.alone():
            header = plan_cutover(
                tick.site, tick.site.store.plans.header(plan_id), _demand(tick), listed=keys, is_small=True
            )
            if not header.count:
                continue
            if not is_auto:
                _offer(tick, header)
                continue
            if not tick.may_write():  # the plan took its time: somebody may have paused the campaign meanwhile
                return
            _switch_off(tick, header)
    tick.told[ASKED] = asked_s


def _by_hand(tick: Tick) -> bool:
    """True if a person switches these SIMs: they are a file's."""
    return not wiring.is_asked(tick.site.settings, tick.site.store)


# --- what has rested ----------------------------------------------------------------------------------------------


def _rest_s(tick: Tick) -> float:
    return tick.bounds.cutover_rest_s


def _rested(tick: Tick) -> dict[str, Rested]:
    """Return the rested old SIMs that are on, by key.

    What an operator skipped in a cutover is none of them, nor what a person took back to its old SIM.
    """
    store, now = tick.site.store, tick.site.now()
    found = {one.key: one for one in store.due.rested(tick.campaign, now - _rest_s(tick))}
    off = store.cutovers.switched_off(found).keys() | (store.due.skipped() if found else set())
    back = {key for key, life in store.lives.of(found, now).items() if life.code is ExceptionCode.ROLLED_BACK}
    return {key: one for key, one in found.items() if key not in off | back}


def _last_asked_s(tick: Tick) -> float:
    """Return when a tick of today asked about all that had rested.

    Only what has rested since is new; with a new day all is.
    """
    began_s = tick.day_began_s()
    times = [float(one.told.get(ASKED, 0.0)) for one in tick.earlier() if one.began_s >= began_s]
    return max((asked_s for asked_s in times if asked_s <= tick.site.now()), default=0.0)  # a clock may be set back


# --- cutovers that are there --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Own:
    """Cutovers of the campaign: begun ones, and others that wait.

    The newest comes first.
    """

    begun: list[CutoverHeader] = field(default_factory=list)
    made: list[CutoverHeader] = field(default_factory=list)


def _own(tick: Tick) -> _Own:
    """Return the campaign's cutovers that are not over.

    A cutover that a later one has overtaken is none of them.
    """
    store, own, found = tick.site.store, set(tick.site.store.due.all_plans(tick.campaign)), _Own()
    for cutover_id, known in store.cutovers.known(Direction.CUTOVER).items():
        if known not in {PlanState.STARTED, PlanState.CREATED}:
            continue
        header = store.cutovers.header(cutover_id)
        if header.count and header.plan_id in own and store.cutovers.superseded_by(cutover_id) is None:
            (found.begun if known == PlanState.STARTED else found.made).append(header)
    return found


def _went_on(tick: Tick, begun: Sequence[CutoverHeader]) -> bool:
    """Go on with begun cutovers, the oldest first.

    Returns: False if nothing may be sent.
    """
    for header in reversed(begun):
        if not tick.may_write():
            return False
        with tick.alone():
            _leave_out_unrested(tick, header)
            _switch_off(tick, header)
    return True


def _leave_out_unrested(tick: Tick, header: CutoverHeader) -> None:
    """Skip the SIMs whose rest began anew since the cutover was planned.

    A SIM whose order may have been sent is left to the run, which reads what became of it.
    """
    store = tick.site.store
    open_ = [item.key for item in store.cutovers.all_items(header.cutover_id) if _is_unsent(item)]
    unrested = frozenset(store.due.unrested(open_, tick.site.now() - _rest_s(tick)))
    if unrested:
        why = (CutoverReason.NOT_RESTED.value, NOT_RESTED)
        store.cutovers.skip(header.cutover_id, Selection(keys=unrested), now=tick.site.now(), why=why)


def _is_unsent(item: CutoverItem) -> bool:
    step = item.steps.get(StepKind.SOURCE)
    return step is None or (step.state is StepState.PENDING and step.doubt not in MAY_STILL_COME)


def _begun_keys(tick: Tick, begun: Sequence[CutoverHeader]) -> set[str]:
    """Return the SIMs that a begun cutover is not through with."""
    store = tick.site.store
    return {
        item.key
        for header in begun
        if store.cutovers.state(header.cutover_id) == PlanState.STARTED  # it may be over by now
        for item in store.cutovers.all_items(header.cutover_id)
        if is_open(item, Direction.CUTOVER)
    }


def _offered(tick: Tick, own: _Own, rested: Mapping[str, Rested]) -> set[str]:
    """Say the commands of cutovers that wait for a person.

    Returns: the SIMs of these cutovers.
    """
    store, keys = tick.site.store, _begun_keys(tick, own.begun)
    for header in own.begun:
        words = f"cutover {header.cutover_id} was begun, and is not through"
        tick.hold(ExitCode.ATTENTION, words, f"`{header.command}` goes on with it")
    for header in own.made:
        mine = {item.key for item in store.cutovers.all_items(header.cutover_id)}
        if mine - keys and mine <= rested.keys() and not stale_reasons(store, header):
            _offer(tick, header)
            keys |= mine
    return keys


def _offer(tick: Tick, header: CutoverHeader) -> None:
    words = f"old SIMs can be switched off: {header.count}"
    does = "switches them off"
    if header.is_by_hand:
        does = f"lists them for the portal of {tick.site.store.inventory.source_name()}"
    tick.hold(ExitCode.ATTENTION, words, f"`{header.command} --confirm {header.count}` {does}")
    tick.count("can_go_off", header.count)


# --- switching ----------------------------------------------------------------------------------------------------


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


def _switch_off(tick: Tick, header: CutoverHeader) -> None:
    store = tick.site.store
    before = len(store.cutovers.switched_off())
    bounds = CutoverBounds(wait_s=tick.wait_s(), max_duration_s=tick.longest_run_s(), ref=tick.ref())
    result = carry_out_cutover(tick.site, header, bounds)
    tick.count("switched_off", len(store.cutovers.switched_off()) - before)
    tick.count("writes", result.writes)
    if result.exit_code is ExitCode.INTERRUPTED:
        raise Interrupted(result.reason, result.exit_code)
    if result.exit_code is ExitCode.RESUMABLE:
        tick.waited()
    if result.exit_code is not ExitCode.DONE:
        named = f"cutover {header.cutover_id}"
        tick.hold(result.exit_code, f"{named}: {result.reason}", result.hint, f"{named}: {result.cause}")
    if result.exit_code is ExitCode.HALTED and (result.failed or result.aside) and not _is_in_doubt(tick, header):
        store.cutovers.finish(header.cutover_id, tick.site.now())  # it would halt for ever; its SIMs are planned again
        tick.count("plans_given_up", 1)


def _is_in_doubt(tick: Tick, header: CutoverHeader) -> bool:
    items = tick.site.store.cutovers.all_items(header.cutover_id)
    return any(step.state.is_in_doubt for item in items for step in item.steps.values())
