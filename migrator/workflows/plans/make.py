"""Work of `plan create` and `verify`: store, target and core together."""

import hashlib
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import anyio.lowlevel

from migrator.chunks import chunks
from migrator.core.fleet.identifiers import Iccid
from migrator.core.fleet.sims import ONENCE, AccountLimits, Candidate
from migrator.core.money.calls import USUAL_SIZES, CallSizes
from migrator.core.money.caps import used_of
from migrator.core.money.costs import PlanTally
from migrator.core.plan.names import NameWatch, repeated_names
from migrator.core.plan.plan import Fingerprints, Origin, PlanHeader, Prices, Reason
from migrator.core.plan.planner import Planner
from migrator.core.plan.staged import staged_ends
from migrator.core.policy.policy import ClaimPolicy, OldTags, Policy
from migrator.core.run.gates import Gate, gate
from migrator.core.run.states import IN_DOUBT, PlanKind, StepKind
from migrator.engine.apply.apply import Applying
from migrator.engine.apply.converge import Converger
from migrator.engine.apply.prices import prices_of
from migrator.engine.run.context import ApplyOptions, Context, Stopper
from migrator.engine.run.read_targets import Reader
from migrator.inputs.policy.file import stored_policy
from migrator.inputs.policy.iccids import unmatched
from migrator.ports import Clock, DevicePage, Progress, TargetPlatform
from migrator.wiring.gc import collecting_rarely
from migrator.workflows.plans.choices import must_have_basis, must_have_chosen
from migrator.workflows.plans.old_tags import TagWatch
from migrator.workflows.plans.refusals import must_know_users

if TYPE_CHECKING:
    from decimal import Decimal

    from migrator.inputs.policy.file import LoadedPolicy
    from migrator.inputs.where.language import Where
    from migrator.store import Store

__all__ = ["Fleet", "look", "make_plan", "settle_earlier", "unsettled_plans"]

ID_DIGITS = 10


async def make_plan(
    store: "Store",
    target: TargetPlatform,
    loaded: "LoadedPolicy",
    *,
    max_rps: float,
    clock: Clock,
    stopper: Stopper,
    progress: Progress,
    selection: "Where | None" = None,
    takes_rolled_back: bool = False,
    sizes: CallSizes = USUAL_SIZES,
    fleet: "Fleet | None" = None,
) -> PlanHeader:
    """Read what the target shows of the paired SIMs, then plan.

    `selection` picks the SIMs that the plan acts on; None: all. The other SIMs are in the plan as left out, and so are
    SIMs that a rollback took back, unless `takes_rolled_back`. `sizes` are those of the requests that `apply` is set to
    send. `fleet` is another fleet than the inventory with its pairs.

    Returns: the header of the stored plan.

    Raises: InputError, for an unknown data plan or zone, a choice that the policy leaves open, or users of a database
        where there are none; Halted, for a price that cannot be relied on; PlatformError; Interrupted; and then there
        is no plan.
    """
    must_know_users(store, loaded.policy)
    fleet = fleet or Fleet(store.plans.candidates)
    account = await target.account()
    prices = prices_of(await target.data_plans(), loaded.policy.claim)
    if fleet.kind is PlanKind.MIGRATE:
        inventory = store.inventory
        caps = inventory.account_limits() or AccountLimits()
        must_have_basis(loaded, inventory.source_name(), inventory.told_volumes(), caps)
        must_have_chosen(fleet.candidates(), loaded, prices, selection)
    balance = await target.balance()
    if not fleet.is_read:
        progress("observing", {"sims": store.pairs.count() if fleet.only is None else 1})
        reader = Reader(target, store.journal, clock, stopper, ApplyOptions().workers)
        await reader.read(_targets(fleet, selection), full=True, thorough=True)
    stopper.check()

    async def each_batch(sims: int) -> None:
        progress("planning", {"sims": sims})
        await anyio.lowlevel.checkpoint()  # signals and the lease's heartbeat get their turn
        stopper.check()

    with collecting_rarely():
        return await _stored(
            store,
            loaded,
            account.org_id,
            prices,
            balance=balance,
            max_rps=max_rps,
            now=clock.now().timestamp(),
            selection=selection,
            takes_rolled_back=takes_rolled_back,
            sizes=sizes,
            each_batch=each_batch,
            fleet=fleet,
        )


def _targets(fleet: "Fleet", selection: "Where | None") -> Iterable[Iccid] | None:
    """Return the targets of the plan's SIMs in the inventory.

    None stands for the targets of all SIMs in the inventory in force.
    """
    if selection is None and fleet.only is None:
        return None
    paired = ((one, one.pair) for one in fleet.candidates())
    return (pair.target for one, pair in paired if pair is not None and (selection is None or selection.selects(one)))


async def _stored(
    store: "Store",
    loaded: "LoadedPolicy",
    org_id: int,
    prices: Prices,
    *,
    balance: "Decimal | None",
    max_rps: float,
    now: float,
    selection: "Where | None",
    takes_rolled_back: bool,
    sizes: CallSizes,
    each_batch: Callable[[int], Awaitable[None]],
    fleet: "Fleet",
) -> PlanHeader:
    policy = loaded.policy
    repeated = repeated_names(fleet.candidates(), policy)
    where = None if selection is None else selection.text
    account, source = store.inventory.account_limits() or AccountLimits(), store.inventory.source_name()
    planner = Planner(
        policy,
        org_id,
        account,
        repeated,
        None if selection is None else selection.selects,
        store.cutovers.rolled_back(),
        takes_rolled_back,
        source,
        fleet.may_pause_live,
    )
    if policy.needs_counting:
        planner.count(fleet.candidates())
    tally, names, tags = PlanTally(sizes, source), NameWatch(), TagWatch(policy, store.plans.copied_tags())
    with store.plans.draft(now, policy_text=loaded.text, policy=loaded.canonical, kind=fleet.kind) as draft:
        planned = planner.changes(fleet.candidates())
        if policy.claim.tags is OldTags.COPY:
            planned = tags.watching(planned)
        changes = names.watching(tally.counting(planned))
        await each_batch(0)
        for batch in chunks(changes):
            draft.add(batch)
            await each_batch(len(batch))

        def make_header(changes_sha256: str) -> PlanHeader:
            prints = Fingerprints(
                store.inventory.fingerprint(), store.pairs.fingerprint(), loaded.fingerprint, changes_sha256
            )
            used = used_of(store.journal.claims_made(org_id), policy.caps, None)
            summary = tally.summary(policy, prices, balance=balance, max_rps=max_rps, used=used)
            return PlanHeader(
                plan_id=_unused_id(store, org_id, prints, where, letter=fleet.letter),
                lineage=store.lineage,
                org_id=org_id,
                fingerprints=prints,
                claims=tally.claims,
                counts=dict(sorted(tally.actions.items())),
                waves=tuple(wave.name for wave in policy.waves),
                summary={
                    **summary,
                    "warnings": [
                        *loaded.warnings,
                        *summary["warnings"],
                        *names.warnings(),
                        *_of_1nce(policy, source),
                        *_done_elsewhere(planner.tagged),
                        *_ending_soon(planner.test_ends, now),
                        *_left_back(tally.reasons[Reason.ROLLED_BACK]),
                        *unmatched(loaded.lists, store.inventory.iccids),
                    ],
                    "policy_file": loaded.name,
                    "where": where,
                    "approvals_required": policy.approvals,
                    **({} if fleet.only is None else {"only": fleet.only}),
                    **({"copied_tags": sorted(tags.names)} if tags.names else {}),
                },
            )

        header = draft.finish(make_header)
    store.plans.note_origin(header.plan_id, _origin(loaded, account))
    return header


def _of_1nce(policy: Policy, source: str) -> Iterator[str]:
    """Warn of a policy that marks SIMs of another source as 1NCE's."""
    own = {"[claim] tag": policy.claim.tag or "", "[name] when_missing": policy.name.when_missing}
    keys = [key for key, value in own.items() if ONENCE.lower() in value.lower()]
    if keys and source != ONENCE:
        yield f"{' and '.join(keys)} of the policy speak of {ONENCE}, and these SIMs are {source}'s: set them"


@dataclass(frozen=True, slots=True)
class Fleet:
    """SIMs to plan for.

    Args:
        candidates: yields them, sorted by ICCID; called several times.
        kind: of the plan.
        letter: the first one of the plan's id.
        only: key of the one SIM that the plan is of: the other SIMs are not in the plan at all.
        is_read: whether the new SIMs were read just now.
        may_pause_live: whether a person confirms how many live SIMs the plan pauses; else it pauses none.
    """

    candidates: Callable[[], Iterable[Candidate]]
    kind: PlanKind = PlanKind.MIGRATE
    letter: str = "p"
    only: str | None = None
    is_read: bool = False
    may_pause_live: bool = True


def _origin(loaded: "LoadedPolicy", account: AccountLimits) -> Origin:
    return Origin(str(Path(loaded.name).absolute()), account)


def _ending_soon(ends: Mapping[str, int], now: float) -> Iterator[str]:
    """Yield a warning about SIMs whose Test Mode ends soon."""
    told = staged_ends(ends, now)
    words = None if told is None else told.warning()
    if words is not None:
        yield words


def _left_back(sims: int) -> Iterator[str]:
    """Yield a warning about SIMs that stay rolled back.

    The plan leaves these SIMs on their old SIM.
    """
    if sims:
        yield f"SIMs left on the old SIM that a rollback took them back to: {sims}; --include-rolled-back moves them"


def _done_elsewhere(sims: int) -> Iterator[str]:
    """Yield a warning about SIMs that another copy must have claimed.

    That is another copy of the store.
    """
    if sims:
        yield (
            f"SIMs that are ours already and carry the tag, though this store never claimed them: {sims}; is it the "
            f"newest copy? `apply` takes them over with --adopt-tagged {sims}"
        )


def _unused_id(store: "Store", org_id: int, prints: Fingerprints, where: str | None, *, letter: str) -> str:
    """Return an id that follows from the content of the plan.

    If the id was used before, a number is added at the end.
    """
    text = "\n".join((store.lineage, str(org_id), prints.inventory, prints.pairs, prints.policy, prints.changes))
    text += "" if where is None else f"\n{where}"  # two ways to say the same selection are two plans to review
    name = letter + hashlib.sha256(text.encode()).hexdigest()[:ID_DIGITS]
    number = 1
    while store.plans.exists(name) in {"started", "finished"}:
        number += 1
        name = f"{name.partition('-')[0]}-{number}"
    return name


def unsettled_plans(store: "Store") -> list[str]:
    """Return the plans with claims whose outcome is unknown.

    The claims were sent.
    """
    return [
        plan["plan_id"]
        for plan in store.plans.list()
        if any(store.journal.step_counts(plan["plan_id"]).get((StepKind.CLAIM, state), 0) for state in IN_DOUBT)
    ]


async def settle_earlier(
    store: "Store",
    target: TargetPlatform,
    *,
    absent_after_s: float,
    claim_timeout_s: float,
    clock: Clock,
    stopper: Stopper,
    progress: Progress,
    but: str | None = None,
) -> None:
    """Settle every claim of other plans, by reading.

    No plan must claim such a SIM again.

    Args:
        store: where the plans are; the caller holds its lease.
        target: the carrier.
        absent_after_s: how old the carrier's reads may be.
        claim_timeout_s: how long the carrier may work on an unanswered claim.
        clock: the time.
        stopper: checked between requests.
        progress: called with each event.
        but: a plan that settles its own.
    """
    for plan_id in unsettled_plans(store):
        if plan_id == but:
            continue
        header = store.plans.header(plan_id)
        options = ApplyOptions(absent_after_s=absent_after_s, claim_timeout_s=claim_timeout_s)
        await Applying(_reading(store, target, header, options, clock, stopper, progress)).settle()


async def look(
    store: "Store",
    target: TargetPlatform,
    header: PlanHeader,
    *,
    absent_after_s: float,
    clock: Clock,
    stopper: Stopper,
    progress: Progress,
    listed: Callable[[DevicePage], None] = lambda _page: None,
    only: Collection[str] | None = None,
) -> None:
    """Read every SIM of a plan afresh and keep the verdicts.

    Sends no write.

    Args:
        store: where the plan is.
        target: the carrier.
        header: the plan's.
        absent_after_s: how old the carrier's reads may be. A finished plan's SIMs were seen as planned before, so what
            differs there is drift at once.
        clock: the time.
        stopper: checked between requests.
        progress: called with each event.
        listed: gets every page of the device list that is read for this.
        only: keys of the SIMs that are read; None for all.
    """
    is_finished = store.plans.state(header.plan_id) == "finished"
    options = ApplyOptions(absent_after_s=absent_after_s)
    ctx = _reading(store, target, header, options, clock, stopper, progress)
    reader = Reader(target, store.journal, ctx.clock, stopper, ctx.options.workers, listed)
    converger = Converger(ctx, reader, changer=None, is_finished=is_finished, only=only)
    await converger.converge(None, wait_s=0)
    if not is_finished:
        _note_lost_gates(store, header, ctx.now())


def _note_lost_gates(store: "Store", header: PlanHeader, now: float) -> None:
    """Note the waves that these reads show below their gate.

    Such a wave rests anew once it reaches its gate again.
    """
    share = stored_policy(store.plans.policy_text(header.plan_id), name=header.plan_id).gates.verified_share
    for wave in header.waves:
        if gate(store.journal.verdicts(header.plan_id, wave, changing=True), share) is not Gate.OPEN:
            store.journal.gate_lost(header.plan_id, wave, now)


def _reading(  # noqa: PLR0917 - handed through as they came
    store: "Store",
    target: TargetPlatform,
    header: PlanHeader,
    options: ApplyOptions,
    clock: Clock,
    stopper: Stopper,
    progress: Progress,
) -> Context:
    """Return the context of a run that only reads."""
    return Context(
        header=header,
        policy=Policy(ClaimPolicy(0, "")),  # no rule of a policy is asked
        run_id=0,
        target=target,
        journal=store.journal,
        clock=clock,
        options=options,
        stopper=stopper,
        progress=progress,
    )
