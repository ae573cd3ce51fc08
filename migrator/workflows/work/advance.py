"""Turn of one account: as far as it goes now."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from migrator import wiring
from migrator.core.accounts.records import EVERY_S, Account, TurnOrder
from migrator.core.run.results import ApplyResult, ExitCode
from migrator.core.run.steps import Verdict
from migrator.engine.apply.guards import claims_spent
from migrator.errors import MigratorError, NoSuchPlan, StalePlan, StoreError
from migrator.store import Store
from migrator.store.control.given import Given
from migrator.wiring.fleet.bound import register_found
from migrator.workflows.apply import Bounds, apply, must_be_confirmed, must_be_ready
from migrator.workflows.campaign.notices import campaign_stopped, note_failed_call
from migrator.workflows.campaign.once import run_once
from migrator.workflows.cutover.apply import (
    CutoverBounds,
    carry_out_cutover,
    cutover_must_be_confirmed,
    cutover_must_be_ready,
)
from migrator.workflows.notices.allowed import may_tell
from migrator.workflows.notices.deliver import deliver
from migrator.workflows.notices.stopped import (
    NOT_TOLD,
    TOLD,
    Standstill,
    plans_stopped,
    standstill_of,
    told_of_turn,
    without_secrets,
)
from migrator.workflows.site import Site
from migrator.workflows.work.begun import Unordered, begun_by_order, begun_without_order

__all__ = ["PENDING_S", "Advanced", "TurnDone", "advance", "registered", "tell_standstill", "tell_turn"]

PENDING_S = 300.0
"""Most seconds for SIMs that are only pending.

Then the job is over, and as many seconds later there is another one.
"""

_GRAVITY = (
    ExitCode.INTERRUPTED,
    ExitCode.ERROR,
    ExitCode.REFUSED,
    ExitCode.INPUT,
    ExitCode.STALE,
    ExitCode.HALTED,
    ExitCode.ATTENTION,
    ExitCode.RESUMABLE,
    ExitCode.DONE,
)
"""Exit codes of what was done, the gravest first."""

_ENDS_ALL = (ExitCode.INTERRUPTED, ExitCode.ERROR, ExitCode.REFUSED)
"""Exit codes after which nothing else of the account is tried now."""


@dataclass(frozen=True, slots=True)
class TurnDone:
    """Result of a plan, or of a call of the campaign.

    Args:
        what: the plan, or the tick of the campaign.
        exit_code: its result.
        words: the reason why it ended.
        hint: what to do about it; empty for nothing.
        again_at: when there is something to do again (UTC seconds); None where nobody knows, or nothing is.
    """

    what: str
    exit_code: ExitCode
    words: str
    hint: str = ""
    again_at: float | None = None


@dataclass(frozen=True, slots=True)
class Advanced:
    """Result of one turn.

    Args:
        did: all that was done, in order.
        is_order_done: whether the order is over: carried out, or never to be.
        left: plans that were begun without an order, and so are left alone.
        untold: what stopped plans before a run of them began, so that no run told anybody, by the plan's id.
    """

    did: Sequence[TurnDone] = field(default_factory=tuple)
    is_order_done: bool = False
    left: Sequence[Unordered] = field(default_factory=tuple)
    untold: Mapping[str, Standstill] = field(default_factory=dict)

    @property
    def again_at(self) -> float | None:
        """Earliest time at which there is something to do again."""
        return min((one.again_at for one in self.did if one.again_at is not None), default=None)

    @property
    def exit_code(self) -> ExitCode:
        """Gravest of the results.

        A plan that is stale only needs a person while another one goes on.
        """
        gravest = self._gravest.exit_code
        return ExitCode.ATTENTION if gravest is ExitCode.STALE and self.again_at is not None else gravest

    @property
    def words(self) -> str:
        """Reason of the gravest result, or why nothing was done."""
        if self.left and not self.did:
            ids = ", ".join(one.plan_id for one in self.left)
            return f"nobody ordered what is begun: plan {ids}"
        return f"{self._gravest.what}: {self._gravest.words}" if self.did else self._gravest.words

    @property
    def hint(self) -> str:
        """Remedy of the gravest result."""
        return self._gravest.hint

    @property
    def _gravest(self) -> TurnDone:
        nothing = TurnDone("", ExitCode.DONE, "nothing is due")
        return min(self.did, key=lambda one: _GRAVITY.index(one.exit_code), default=nothing)


def advance(site: Site, order: TurnOrder | None = None, *, every_s: float = EVERY_S) -> Advanced:
    """Bring an account as far as it goes now.

    That is a call of its campaign, if there is one; else the plan that an order names, else all plans, cutovers and
    rollbacks that some order was given for, that were begun and are not done. What a person began by hand is left
    alone, as nobody said how far it may go. Killed anywhere, the next call goes on. What stops a plan before a run of
    it begins is told to its receivers, as runs tell how they end.

    Args:
        site: the account's store.
        order: what a person asked to begin; None for nothing.
        every_s: seconds between two calls of the campaign.

    Raises: StoreBusy, while another run holds the store; StoreError; InputError and others, for an order that cannot be
        carried out.
    """
    if site.store.campaigns.open() is not None:
        return Advanced([_tick(site, order, every_s)])
    try:
        result = _advanced(site, order)
    except NOT_TOLD:
        raise
    except Exception as error:
        with suppress(Exception):
            tell_turn(site, order, standstill_of(error))
            deliver(site)
        raise
    with suppress(Exception):
        for plan_id, stop in result.untold.items():
            tell_turn(site, order, stop, plan_id, _after(site, result))
        site.progress(TOLD, {})
        if result.untold:
            deliver(site)
    return result


def _advanced(site: Site, order: TurnOrder | None) -> Advanced:
    """Carry the order out, or go on with what was ordered before."""
    if order is not None:
        return _ordered(site, order)
    did: list[TurnDone] = []
    untold: dict[str, Standstill] = {}
    for plan_id in begun_by_order(site.store):
        with _noting(plan_id, did, untold):
            did.append(_carried_out(site, plan_id, None))
        if did[-1].exit_code in _ENDS_ALL:
            break
    return Advanced(did, left=begun_without_order(site.store), untold=untold)


def tell_turn(
    site: Site, order: TurnOrder | None, stop: Standstill, plan_id: str = "", about: Mapping[str, Any] | None = None
) -> None:
    """Tell that a turn came to nothing; the caller delivers.

    A campaign's receivers are told, if one is open; else those of the plan, or of all that the turn was for.

    Args:
        site: the account's store.
        order: what a person asked to begin; None for nothing.
        stop: the reason.
        plan_id: the plan that it is about; "" for whatever the turn was for.
        about: what is told of the account after the turn; None for what follows from the reason alone.

    Raises: StoreError, InputError.
    """
    if not note_failed_call(site, stop):
        _tell_plans(site, order, stop, plan_id, about)
    site.progress(TOLD, {})


def tell_standstill(site: Site, order: TurnOrder | None, stop: Standstill) -> None:
    """Tell why an account stands, where its turn could not.

    The caller delivers. Those are told whom `tell_turn` tells. It is no call of a campaign, and none is noted.

    Args:
        site: the account's store.
        order: what a person asked to begin; None for nothing.
        stop: the reason.

    Raises: StoreError, InputError.
    """
    campaign = site.store.campaigns.open()
    if campaign is None:
        _tell_plans(site, order, stop)
    else:
        site.store.outbox.tell(campaign_stopped(site, campaign, without_secrets(site, stop)), site.now())
    site.progress(TOLD, {})


def _tell_plans(
    site: Site, order: TurnOrder | None, stop: Standstill, plan_id: str = "", about: Mapping[str, Any] | None = None
) -> None:
    named = [plan_id] if plan_id and may_tell(site.store, plan_id) else _plans_of_turn(site.store, order)
    about = told_of_turn(site, stop.exit_code) if about is None else about
    site.store.outbox.tell(plans_stopped(site, named, stop, about), site.now())


def _plans_of_turn(store: Store, order: TurnOrder | None) -> list[str]:
    """Return the ids of the plans that a turn is for.

    Where the plan of an order is not there, or may not tell, the newest one that may tells it in its place.
    """
    if order is None:
        return begun_by_order(store)
    listed = () if may_tell(store, order.plan) else (str(plan["plan_id"]) for plan in store.plans.list())
    newest = next((plan_id for plan_id in listed if may_tell(store, plan_id)), None)
    return [order.plan, *filter(None, [newest])]


def _after(site: Site, result: Advanced) -> dict[str, Any]:
    return told_of_turn(site, result.exit_code, result.again_at)


def registered(url: str) -> Account | None:
    """Return the account that was chosen, as the register has it.

    None for a file, and where there is no register.

    Raises: InputError, if the register does not know it; StoreError.
    """
    name = wiring.account()
    if name is None:
        return None
    with register_found(url) as register:
        return None if register is None else register.account(name)


def _tick(site: Site, order: TurnOrder | None, every_s: float) -> TurnDone:
    ticked = run_once(site)
    hint = next((one.hint for one in ticked.held if one.exit_code is ticked.exit_code), "")
    waits = "" if order is None else f"; the order to begin plan {order.plan} waits until the campaign is ended"
    return TurnDone(f"tick {ticked.tick_no}", ticked.exit_code, f"{ticked.reason}{waits}", hint, site.now() + every_s)


def _ordered(site: Site, order: TurnOrder) -> Advanced:
    """Carry an order out.

    One that can never be carried out is over, with the reason: it would bar all else.
    """
    try:
        done = _carried_out(site, order.plan, order)
    except (StalePlan, NoSuchPlan) as error:
        first, last = error.problems[0], error.problems[-1]
        words = error.message if first is last else f"{error.message}: {first.message}"
        failed = TurnDone(f"plan {order.plan}", ExitCode(error.exit_code), words, error.hint or last.hint)
        return Advanced([failed], is_order_done=True, untold={order.plan: standstill_of(error)})
    is_over = done.exit_code is ExitCode.STALE or _state(site.store, order.plan) == "finished"
    return Advanced([done], is_order_done=is_over)


@contextmanager
def _noting(plan_id: str, did: list[TurnDone], untold: dict[str, Standstill]) -> Iterator[None]:
    """Note trouble of one plan; the next one goes on."""
    try:
        yield
    except StoreError:
        raise
    except MigratorError as error:
        did.append(TurnDone(f"plan {plan_id}", ExitCode(error.exit_code), error.message, error.hint))
        if error.exit_code != ExitCode.RESUMABLE:
            untold[plan_id] = standstill_of(error)


def _state(store: Store, plan_id: str) -> str:
    return store.plans.state(plan_id) if store.cutovers.exists(plan_id) is None else store.cutovers.state(plan_id)


def _carried_out(site: Site, plan_id: str, order: TurnOrder | None) -> TurnDone:
    """Carry out a plan of either kind, or go on with it.

    A process that was replaced may have finished it, also after it was looked at here.
    """
    if _state(site.store, plan_id) != "finished":
        try:
            if site.store.cutovers.exists(plan_id) is None:
                return _applied(site, plan_id, order)
            return _switched(site, plan_id, order)
        except StalePlan:
            if _state(site.store, plan_id) != "finished":
                raise
    return TurnDone(f"plan {plan_id}", ExitCode.DONE, "was carried out before")


def _applied(site: Site, plan_id: str, order: TurnOrder | None) -> TurnDone:
    store = site.store
    if order is not None:
        header = store.plans.header(plan_id)
        must_be_ready(store, header)  # its bounds are kept only if it may begin: a later run by hand is not ordered
        must_be_confirmed(store, header, order.confirm, order.confirm_pauses)
    given = _given(store, plan_id, order, claims_spent(store.journal, plan_id))
    result = apply(
        site,
        plan_id,
        confirm=None if order is None else order.confirm,
        confirm_pauses=None if order is None else order.confirm_pauses,
        bounds=Bounds(
            max_sims=None if given is None else given.claims_left(claims_spent(store.journal, plan_id)),
            wave=None if given is None else given.wave,
            wait_s=_wait_s(site),
            ref="" if order is None else order.ref,
            is_ordered=True,
        ),
    )
    if result.is_capped and given is not None:
        return _at_its_bound(site, result, given)
    again_at = _again_at(site, result.exit_code, result.again_at)
    return TurnDone(f"plan {plan_id}", result.exit_code, result.reason, result.hint, again_at)


def _at_its_bound(site: Site, result: ApplyResult, given: Given) -> TurnDone:
    """Return the result of a run that claimed all it may."""
    words = f"{given.max_sims} SIMs were claimed, as many as its order allows"
    hint = "`migrator fleet go` with the plan gives another order, with --max-sims or without"
    if result.verdicts.get(Verdict.PENDING, 0):
        again_at = site.now() + PENDING_S
        return TurnDone(f"plan {result.plan_id}", ExitCode.RESUMABLE, f"{words}; some are pending", hint, again_at)
    return TurnDone(f"plan {result.plan_id}", ExitCode.HALTED, words, hint)


def _switched(site: Site, cutover_id: str, order: TurnOrder | None) -> TurnDone:
    store, header = site.store, site.store.cutovers.header(cutover_id)
    cutover_must_be_ready(store, header)
    cutover_must_be_confirmed(store, header, None if order is None else order.confirm)
    given = _given(store, cutover_id, order, 0)
    bounds = CutoverBounds(
        wave=None if given is None else given.wave,
        wait_s=_wait_s(site),
        ref="" if order is None else order.ref,
        is_ordered=True,
    )
    result = carry_out_cutover(site, header, bounds)
    again_at = _again_at(site, result.exit_code, None)
    return TurnDone(f"plan {cutover_id}", result.exit_code, result.reason, result.hint, again_at)


def _given(store: Store, plan_id: str, order: TurnOrder | None, claimed: int) -> Given | None:
    """Return the bounds of a plan.

    They are those of a new order, else the kept ones.
    """
    kept = store.given.of(plan_id)
    if order is None or (kept is not None and kept.at == order.at):
        return kept
    given = Given(order.at, order.wave, order.max_sims, claimed)
    store.given.keep(plan_id, given)
    return given


def _wait_s(site: Site) -> float:
    return min(PENDING_S, site.settings.settle_timeout_s)


def _again_at(site: Site, exit_code: ExitCode, told: float | None) -> float | None:
    if exit_code is not ExitCode.RESUMABLE:
        return None
    return site.now() + PENDING_S if told is None else told
