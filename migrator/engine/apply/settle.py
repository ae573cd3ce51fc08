"""Settling uncertain steps by reading.

Only what reads prove absent may be sent again: see `settle_claims` and `_move_absent`.
"""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence

from migrator.core.plan.compare import differences
from migrator.core.run.doubts import SETTLING, Doubt, Patience
from migrator.core.run.states import StepEvent, StepKind, StepState
from migrator.core.run.steps import Item, Step
from migrator.core.run.verify import shows
from migrator.engine.run.context import Context
from migrator.engine.run.read_targets import Reader, items_now, targets_of

__all__ = ["settle_claims", "settle_settings", "settles_at"]

FIRST_PAUSE_S, LONGEST_PAUSE_S = 2.0, 60.0
"""Pauses between reads, in seconds.

Two agreeing reads are never closer than the first pause.
"""

NAMED_FACTOR = 10
"""Factor on the wait for SIMs that the carrier named as claimed."""

STATE_LAG_S = 600.0
"""Seconds in which an accepted state normally shows: ten minutes.

A state rarely takes a day (reference, 7.5).
"""

LONGEST_LAG_S = 300.0
"""Longest wait before a limit, tag or name is ordered again.

The number of orders so far does not make the wait longer.
"""

_SETTINGS = (StepKind.LIMITS, StepKind.STATE, StepKind.TAG, StepKind.UNTAG, StepKind.NAME)

Secure = Callable[[Sequence[Item]], Awaitable[None]]


async def settle_claims(ctx: Context, reader: Reader, keys: Sequence[str], secure: Secure | None = None) -> None:
    """Read uncertain SIMs of `keys` until each claim's outcome is known.

    SIMs that turn out to be claimed are given to `secure` at once, while the other SIMs are waited for.

    A SIM is absent after two agreeing reads, both asked for at least `absent_after_s` after the request ended. An
    earlier read may only show the lag. A claim that was not answered may go on at the carrier for as long as we would
    have waited for its answer (`claim_timeout_s`): a connection that broke, a gateway that gave up, a process that died
    ended nothing there.

    The end of a request of an earlier process is known by the host's clock alone, and that clock may have been set
    since. Our side of the request surely had ended when this function began to read, so the wait counts from there. A
    SIM that the carrier named as claimed is read for ten times as long and then shown to a person, never sent again.

    Raises: Transient, if the carrier cannot be read; Interrupted. What is uncertain then stays so, on disk.
    """
    began_at = ctx.now()
    absent_before: frozenset[str] = frozenset()
    pause_s = FIRST_PAUSE_S
    while True:
        items = _uncertain(ctx, keys)
        if not items:
            return
        await reader.read(targets_of(items), full=False, thorough=True)  # what our list lacks may be ours
        found = _uncertain(ctx, keys)
        absent = _move_present(ctx, found)
        if secure is not None:
            await secure([item for item in found if item.target is not None and item.target.is_claimed])
        ripe = [item for item in absent if item.key in absent_before and _rested(ctx, item, began_at)]
        _move_absent(ctx, ripe)
        absent_before = frozenset(item.key for item in absent if _rested(ctx, item, began_at))
        waiting = [item for item in absent if item not in ripe]
        if not waiting:
            return
        ctx.progress("settling", {"sims": len(waiting)})
        next_ripe_s = min(_ripe_at(ctx, item, began_at) for item in waiting) - ctx.now()
        await ctx.stopper.sleep(max(FIRST_PAUSE_S, min(pause_s, next_ripe_s)))
        pause_s = min(pause_s * 2, LONGEST_PAUSE_S)


def _uncertain(ctx: Context, keys: Sequence[str]) -> list[Item]:
    return [item for item in items_now(ctx, keys) if item.state_of(StepKind.CLAIM) is StepState.UNCERTAIN]


def _move_present(ctx: Context, items: Sequence[Item]) -> list[Item]:
    """Settle the claims of SIMs that a read shows.

    Claims of SIMs on our organization are done; SIMs on another organization are a conflict.

    Returns: the SIMs that no read shows.
    """
    ours: dict[str, tuple[str, str]] = {}
    elsewhere: dict[str, tuple[str, str]] = {}
    absent = []
    for item in items:
        link = item.target
        if link is None or not link.is_claimed or item.is_still_in_test:
            absent.append(item)
        elif link.is_held_by(ctx.header.org_id):
            ours[item.key] = ("", "")
        else:
            elsewhere[item.key] = (Doubt.CLAIMED_ELSEWHERE, f"the target is in organization {link.org_id}")
    _move(ctx, StepEvent.PROBED_PRESENT, ours)
    _move(ctx, StepEvent.PROBED_CONFLICT, elsewhere)
    return absent


def _move_absent(ctx: Context, items: Sequence[Item]) -> None:
    """Settle the claims of SIMs that surely are not claimed.

    These SIMs may be sent again, unless that would be one time too many.
    """
    again: dict[str, tuple[str, str]] = {}
    odd: dict[str, tuple[str, str]] = {}
    for item in items:
        step = item.steps[StepKind.CLAIM]
        settling = SETTLING[step.doubt]
        if settling.is_over(step.kind, step.attempts):
            odd[item.key] = settling.ending(step.kind, step.attempts, step.code, step.message)
        else:
            again[item.key] = ("", "")
    _move(ctx, StepEvent.PROBED_ABSENT, again)
    _move(ctx, StepEvent.PROBED_CONFLICT, odd)


def _ripe_at(ctx: Context, item: Item, began_at: float) -> float:
    """Return the time from which on a read counts.

    `began_at` is the time at which this process began to read.
    """
    step = item.steps[StepKind.CLAIM]
    ended_at = min(step.since, began_at)  # "in the future" means that the clock was set back since
    patience = SETTLING[step.doubt].patience
    factor = NAMED_FACTOR if patience is Patience.NAMED else 1
    at_work_s = _at_work_s(ctx) if patience is Patience.AT_WORK else 0.0
    lag_s = ctx.options.absent_after_s
    return at_work_s + max(ended_at + factor * lag_s, began_at + lag_s)


def _at_work_s(ctx: Context) -> float:
    """Return the seconds that an unanswered claim may go on."""
    return ctx.options.claim_timeout_s


def _rested(ctx: Context, item: Item, began_at: float) -> bool:
    """True if the last read was asked for late enough.

    The time of the answer says nothing.
    """
    return item.read_at is not None and item.read_at >= _ripe_at(ctx, item, began_at)


def _move(ctx: Context, event: StepEvent, keys: Mapping[str, tuple[str, str]]) -> None:
    if keys:
        ctx.journal.move(ctx.plan_id, StepKind.CLAIM, event, keys, now=ctx.now())


def settle_settings(ctx: Context, items: Sequence[Item]) -> Sequence[Item]:
    """Settle settings of unknown outcome by the last read.

    Makes one commit for each kind and event.

    Returns: the items as they then are.
    """
    moves: defaultdict[tuple[StepKind, StepEvent], dict[str, tuple[str, str]]] = defaultdict(dict)
    for item in items:
        settings = (item.steps[kind] for kind in _SETTINGS if kind in item.steps)
        uncertain = [step for step in settings if step.state is StepState.UNCERTAIN]
        if item.target is None or not item.target.is_claimed or not uncertain:
            continue
        findings = differences(item.change, item.target, ctx.header.org_id)
        for step in uncertain:
            event, told = _outcome(ctx, item, step, is_shown=shows(step.kind, findings))
            if event is not None:
                moves[step.kind, event][item.key] = told
    for (kind, event), keys in moves.items():
        ctx.journal.move(ctx.plan_id, kind, event, keys, now=ctx.now())
    moved = {key for keys in moves.values() for key in keys}
    if not moved:
        return items
    anew = {item.key: item for item in items_now(ctx, sorted(moved))}
    return [anew.get(item.key, item) for item in items]


def _outcome(ctx: Context, item: Item, step: Step, *, is_shown: bool) -> tuple[StepEvent | None, tuple[str, str]]:
    """Return the event of a setting of unknown outcome, by the read.

    The event comes with a code and words. The event is None while the read decides nothing yet. A state that does not
    show is ordered again, and never given up.
    """
    if step.kind in {StepKind.TAG, StepKind.UNTAG} and item.target is not None and item.target.tags is None:
        return None, ("", "")  # a look-up by ICCID names no tags, so that it shows none as missing
    if is_shown:
        return StepEvent.PROBED_PRESENT, ("", "")
    if _may_still_come(ctx, item, step):
        return None, ("", "")
    settling = SETTLING[step.doubt]
    if settling.is_over(step.kind, step.attempts):
        return StepEvent.PROBED_CONFLICT, settling.ending(step.kind, step.attempts, step.code, step.message)
    return StepEvent.PROBED_ABSENT, ("", "")


def _may_still_come(ctx: Context, item: Item, step: Step) -> bool:
    """True if the order may still take effect.

    Either the carrier is still moving the SIM, or its lag has not passed. False if the step moved later than now: the
    clock was set back since, so nobody knows how old the step is. Ordering the same again does no harm.
    """
    if step.kind is StepKind.STATE and item.is_locked:
        return True
    return step.since <= ctx.now() and (item.read_at or 0.0) < settles_at(ctx, step)


def settles_at(ctx: Context, step: Step) -> float:
    """Return the time from which on a missing effect proves a failure.

    The time is in UTC seconds. A read from that time on that does not show the order of this setting says that the
    order had no effect. Each further order gets more time, so that a carrier slower than expected is not sent orders
    for ever.

    A state that the carrier accepted waits in its queue. One whose answer was lost may never have arrived, and ordering
    it again does no harm.
    """
    lag_s = ctx.options.absent_after_s
    if step.kind is StepKind.STATE and SETTLING[step.doubt].patience is not Patience.AT_WORK:
        return step.since + max(lag_s, STATE_LAG_S) * step.attempts
    return step.since + max(lag_s, min(lag_s * step.attempts, LONGEST_LAG_S))
