"""What must hold after every schedule, whatever happened in it: journal, ledger and the carrier's truth compared."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import pairwise
from typing import Any

from migrator.carriers.hologram.simulator import MixedClaims
from migrator.carriers.hologram.simulator.model import Condition, SimulatedLink
from migrator.carriers.simulation import LedgerEntry
from migrator.core.plan.plan import Action, Change
from migrator.core.policy.policy import LimitsTiming, Policy
from migrator.core.run.results import ApplyResult
from migrator.core.run.states import STEP_TRANSITIONS, StepKind, StepState
from migrator.core.run.steps import RequestOutcome
from migrator.core.run.verify import Bucket
from migrator.store import Store
from migrator.workflows.report import reconciliation
from tests.worlds.auditing import check_audit
from tests.worlds.mishaps import People
from tests.worlds.moving import CONFIRMED
from tests.worlds.steered import Given, check_obeyed
from tests.worlds.world import EPOCH, World

__all__ = ["Lived", "Run", "check_all"]

PROMPT_S = 30.0
"""Limits that do not ride on the claim follow it within this, once a read has shown the SIM and nothing hinders."""

OLDEST_LOOK_S = 600.0
"""How old the look at a SIM may be when it is claimed."""

NOT_LIVE = float("-inf")


@dataclass(slots=True)
class Run:
    """One process: when it began, which requests are its own, and how it ended (None: it died).

    `known` is the balance that was read last, and `failed` how many SIMs the journal had as failed, when the claims
    arrived that are these requests of the ledger; `prices` is what a SIM cost by the list of plans that was read last,
    where prices change at all (None: nobody could tell). `strangers` counts requests among its own that the run sent
    from which it took the lease.
    """

    began_s: float
    first: int
    claimed_before: int
    max_sims: int | None = None
    wave: str | None = None
    last: int = 0
    claimed_after: int = 0
    result: ApplyResult | None = None
    known: dict[int, float | None] = field(default_factory=dict)
    failed: dict[int, int] = field(default_factory=dict)
    stale: set[int] = field(default_factory=set)
    prices: dict[int, Decimal | None] = field(default_factory=dict)
    begun_at_take_over: int | None = None
    begun: int = 0
    strangers: int = 0


@dataclass(slots=True)
class Lived:
    """A schedule that was lived through."""

    seed: int
    world: World
    people: People
    policy: Policy
    runs: list[Run]
    met: Counter[str]
    never: frozenset[str]
    """Targets that cannot be claimed, for us."""
    odd: frozenset[str]
    """Targets that may differ from the plan for ever."""
    orders: list[Given]
    """What an operator ordered while runs were at work."""
    earlier: int
    """SIMs that other plans had claimed before, and that count against the caps."""
    unpaired: dict[str, float]
    """Targets that somebody took out of their pair, and when."""
    is_open: bool
    """Whether no gate or cap kept the plan from being carried out as a whole."""
    writes_at_rest: int = 0


def check_all(lived: Lived) -> None:
    """Raises: AssertionError, naming what does not hold."""
    with lived.world.store() as store:
        plan_id = store.plans.newest() or ""
        changes = list(store.plans.changes(plan_id))
        plan = {str(one.target_iccid): one for one in changes if one.action.acts}
        charges(lived, plan)
        claims(lived, plan)
        looks(lived)
        unfinished(lived)
        conflicts(lived)
        given_up(lived, store, plan_id)
        money(lived, plan)
        prices(lived)
        pairs(lived)
        bounds(lived)
        waves(lived, store, plan)
        limits(lived, plan)
        promptness(lived, plan)
        followed_up(lived, plan)
        journal(lived, store, plan_id, plan)
        requests(lived, store, plan_id)
        check_audit(store, plan_id, lived.world.folder)
        moves(lived, store)
        report(store, plan_id, len(changes))
        lives(store, lived.world.now().timestamp())
        ends(lived, plan, _given_up(store, plan_id))
    stopped(lived)
    obeyed(lived)
    assert lived.world.target.ledger.forbidden == []
    assert lived.writes_at_rest == 0, f"{lived.writes_at_rest} writes were sent with nothing left to do"


def charges(lived: Lived, plan: dict[str, Change]) -> None:
    """Each SIM is charged at most once, and once where the plan could be fulfilled."""
    charged = lived.world.target.ledger.charges
    assert all(times == 1 for times in charged.values()), charged
    wanted = {iccid for iccid, change in plan.items() if change.action is Action.CLAIM}
    assert set(charged) <= wanted - lived.never
    if lived.is_open:
        by_hand = {iccid for _, iccid, deed in lived.people.deeds if deed == "claimed"}
        assert wanted - lived.never - by_hand <= set(charged), "a SIM that could be claimed was not"


def looks(lived: Lived) -> None:
    """No claim rests on a look that is old, by the carrier's clock."""
    seen_at: dict[str, float] = {}
    listed_at = float("-inf")
    for entry in lived.world.target.ledger.entries:
        is_answered = entry.method == "GET" and entry.status == 200 and entry.fault in {"none", "slow"}
        if is_answered and entry.path.endswith("/devices") and "ids" not in entry.query:
            listed_at = entry.at_s
        elif is_answered:
            seen_at |= dict.fromkeys(entry.query.get("sims", "").split(","), entry.at_s)
        elif entry.path.endswith("bulkclaim"):
            for iccid in entry.body["sims"]:
                age_s = entry.at_s - max(seen_at.get(iccid, float("-inf")), listed_at)
                assert age_s <= OLDEST_LOOK_S + 1e-6, f"{iccid} was claimed on a look that was {age_s:.0f} s old"


def claims(lived: Lived, plan: dict[str, Change]) -> None:
    """No claim was ever sent for a SIM that was somebody's, as far as a run could see when it began.

    One bad read, of a replica that is minutes behind, shows a SIM as free that somebody claimed by hand.
    """
    lag_s = max(lived.world.behaviour.read_lag_s, 0.0)
    sims = lived.world.target.sims
    for run in lived.runs:
        for entry in _claims(lived, run):
            for iccid in entry.body["sims"]:
                assert iccid in plan, f"{iccid} is not to be claimed"
                if (since_s := _held_since(sims.get(iccid), entry.at_s)) is None:
                    continue
                by_hand = any(at_s == since_s and iccid == other for at_s, other, _ in lived.people.deeds)
                unseen = by_hand and (since_s + lag_s >= run.began_s or bool(run.stale))
                elsewhere = sims[iccid].at(entry.at_s).org_id != lived.world.target.org_id  # our own list hides these
                assert unseen or elsewhere, f"{iccid} was claimed at {since_s}, and a claim was sent at {entry.at_s}"


def unfinished(lived: Lived) -> None:
    """No claim is sent for a SIM while the carrier may still be at work on one that it did not answer."""
    claimed = list(_claims(lived))
    for number, late in enumerate(claimed):
        if late.fault == "late":
            due_s = late.at_s + lived.world.behaviour.late_s
            for entry in claimed[number + 1 :]:
                both = set(late.body["sims"]) & set(entry.body["sims"])
                assert not both or entry.at_s > due_s, f"{both} were claimed at {entry.at_s}, with one due at {due_s}"


def conflicts(lived: Lived) -> None:
    """A SIM that the carrier refused by name is not claimed again; for want of balance it refuses none by name."""
    behaviour, unpaid_at_s = lived.world.behaviour, lived.world.target.ledger.unpaid_at_s
    if behaviour.claim_policy not in {MixedClaims.ALL_OR_NOTHING, MixedClaims.FALSE_BUT_SOME}:
        return
    named: Counter[str] = Counter()
    for run in lived.runs:
        for entry in _claims(lived, run):
            is_read = entry.fault in {"none", "slow"} and entry.status not in {401, 403, 429}
            is_readable = is_read and entry.at_s not in unpaid_at_s
            if is_readable and run.result is not None and not behaviour.poison & set(entry.body["sims"]):
                taken = {iccid for at_s, iccid, _ in lived.people.deeds if at_s > entry.at_s}
                named.update(lived.never & set(entry.body["sims"]) - taken)
    assert all(times == 1 for times in named.values()), f"refused by name, and claimed again: {named}"


def given_up(lived: Lived, store: Store, plan_id: str) -> None:
    """No setting is given up for a lock: the simulated carrier does all that it accepts for a SIM that is free."""
    for item in store.journal.items(plan_id):
        if str(item.change.target_iccid) not in lived.odd:
            for step in item.steps.values():
                has_cause = not step.code.endswith(("_ignored", "_not_applied")) or step.code == "claim_ignored"
                assert step.state is not StepState.FAILED or has_cause, f"{item.change.target_iccid}: {step}"


def _held_since(link: SimulatedLink | None, at_s: float) -> float | None:
    """When somebody had claimed the SIM by then; None if nobody had."""
    if link is None or link.claimed_at is None:
        return None
    since_s = round((link.claimed_at - EPOCH).total_seconds(), 6)
    exact = next((s for s, now in link._conditions if now.device_id is not None), since_s)
    return exact if exact < at_s else None


def money(lived: Lived, plan: dict[str, Change]) -> None:
    """No claim without the balance for it; never more than the caps of the policy and of the run."""
    claimed = len(lived.world.target.ledger.charges)
    assert not claimed or claimed + lived.earlier <= lived.policy.caps.max_sims, f"{claimed} are claimed, past the cap"
    for run in lived.runs:
        for number, entry in enumerate(lived.world.target.ledger.entries[run.first : run.last], run.first):
            if entry.path.endswith("bulkclaim") and (known := run.known.get(number)) is not None:
                price = float(run.prices.get(number) or CONFIRMED)
                assert known >= price * len(entry.body["sims"]), (
                    f"{len(entry.body['sims'])} SIMs claimed with {known} dollars"
                )
        if run.max_sims is not None:
            assert run.claimed_after - run.claimed_before - _came_late(lived, run) <= run.max_sims
    aside = {iccid for _, iccid, deed in lived.people.deeds if deed in {"set aside", "claimed"}}
    acting = sum(change.action is Action.CLAIM for iccid, change in plan.items() if iccid not in aside)
    are_for_all = all(run.max_sims is None and run.wave is None for run in lived.runs)
    if lived.policy.caps.max_sims < acting + lived.earlier and are_for_all:
        assert not lived.world.target.ledger.charges, "a plan past its cap was begun"


def prices(lived: Lived) -> None:
    """Nothing is claimed on a price that was not read, or read above the plan's; nothing is charged above it."""
    for run in lived.runs:
        for number, price in run.prices.items():
            assert price is not None, f"request {number} was a claim at a price that nobody could rely on"
            assert price <= CONFIRMED, f"request {number} was a claim at {price}, and {CONFIRMED} was confirmed"
    for iccid, amount in lived.world.target.ledger.amounts:
        assert amount <= CONFIRMED, f"{iccid} was charged {amount}, and {CONFIRMED} was confirmed"


def pairs(lived: Lived) -> None:
    """Nothing is claimed for a pair that is not in force."""
    for entry in _claims(lived):
        for iccid in entry.body["sims"]:
            since_s = lived.unpaired.get(iccid)
            assert since_s is None or entry.at_s <= since_s, f"{iccid} was claimed at {entry.at_s}, unpaired {since_s}"


def _came_late(lived: Lived, run: Run) -> int:
    """SIMs that were claimed during a run by a claim of an earlier one, which the carrier was late to carry out."""
    entries = lived.world.target.ledger.entries[: run.first]
    due = {
        (iccid, round(entry.at_s + lived.world.behaviour.late_s, 6))
        for entry in entries
        if entry.fault == "late"
        for iccid in entry.body["sims"]
    }
    return sum(
        at_s >= run.began_s and at_s == round(_claimed_s(lived.world.target.sims[iccid]) or -1.0, 6)
        for iccid, at_s in due
        if iccid in lived.world.target.sims
    )


def bounds(lived: Lived) -> None:
    """Nothing is claimed once more SIMs have failed than may."""
    most = lived.policy.gates.max_failures
    for run in lived.runs:
        for number, failed in run.failed.items():
            assert failed <= most, f"request {number} was a claim, with {failed} SIMs failed, and {most} may"


def waves(lived: Lived, store: Store, plan: dict[str, Change]) -> None:
    """No wave is claimed before enough of the one before it truly was as planned, and had been for its soak.

    Nor by a run that is for another wave alone.
    """
    soaks = {wave.name: wave.soak_s for wave in lived.policy.waves}
    names = store.plans.header(store.plans.newest() or "").waves
    for run in lived.runs:
        asked = {plan[iccid].wave for entry in _claims(lived, run) for iccid in entry.body["sims"]}
        assert run.wave is None or asked <= {run.wave}, f"claims of waves {asked}, and only {run.wave} was asked for"
    share = lived.policy.gates.verified_share
    for before, wave in pairwise(names):
        mine = [iccid for iccid, change in plan.items() if change.wave == before]
        if any(lived.people.touched(iccid) for iccid in mine) or not mine:
            continue
        firsts = [entry.at_s for entry in _claims(lived) for iccid in entry.body["sims"] if plan[iccid].wave == wave]
        if firsts:
            sims = lived.world.target.sims
            for at_s in (min(firsts), min(firsts) - soaks[before]):
                right = sum(iccid in sims and _is_as_planned(lived, iccid, plan[iccid], at_s) for iccid in mine)
                words = (
                    f"wave {wave} opened at {min(firsts)}; at {at_s} {right} of {len(mine)} of {before} were in line"
                )
                assert right >= share * len(mine), words


def limits(lived: Lived, plan: dict[str, Change]) -> None:
    """At no moment did a write of ours leave a link live with more allowed than planned."""
    for iccid, change in plan.items():
        link = lived.world.target.sims.get(iccid)
        if link is None:
            continue
        deeds = {at_s for at_s, other, _ in lived.people.deeds if other == iccid}
        for name, planned in (("overage_limit", change.overage_limit_bytes), ("sms_limit", change.sms_limit)):
            if planned is not None:
                _limit(lived, link, name, _width(planned), deeds)


def _limit(lived: Lived, link: SimulatedLink, name: str, planned: float, deeds: set[float]) -> None:
    after_claim = lived.policy.claim.limits is LimitsTiming.AFTER_CLAIM
    conditions = link._conditions
    before = _allowed(lived, conditions[0][1], name)
    for (_, was), (since_s, now) in pairwise(conditions):
        allowed = _allowed(lived, now, name)
        just_claimed = was.device_id is None and now.device_id is not None
        excused = since_s in deeds or (after_claim and just_claimed) or since_s == float("-inf")
        assert excused or allowed <= max(planned, before), f"{link.iccid} {name} {allowed} > {planned} at {since_s}"
        before = allowed


def _allowed(lived: Lived, now: Condition, name: str) -> float:
    is_live = now.state in {"LIVE", "LIVE-PENDING", "PAUSED-PENDING-USER"}
    if now.device_id is None or now.org_id != lived.world.target.org_id or not is_live:
        return NOT_LIVE
    return _width(getattr(now, name))


def _width(limit: int) -> float:
    return float("inf") if limit == -1 else float(limit)


def promptness(lived: Lived, plan: dict[str, Change]) -> None:
    """Where limits do not ride on the claim, they are the next thing that happens to a SIM that was seen as ours."""
    if lived.policy.claim.limits is not LimitsTiming.AFTER_CLAIM:
        return
    entries = lived.world.target.ledger.entries
    for run in lived.runs:
        for number, entry in enumerate(entries[run.first : run.last], run.first):
            if entry.path.endswith("bulkclaim"):
                for iccid in entry.body["sims"]:
                    rest = [entry for at, entry in enumerate(entries) if number < at < run.last and at not in run.stale]
                    _prompt(lived, iccid, plan[iccid], number, rest)


def _prompt(lived: Lived, iccid: str, change: Change, number: int, rest: list[LedgerEntry]) -> None:
    link = lived.world.target.sims.get(iccid)
    claimed_s = _claimed_s(link)
    needed = (change.overage_limit_bytes or 0) >= 0 or (change.sms_limit is not None and change.sms_limit < 100)
    at_s = lived.world.target.ledger.entries[number].at_s
    by_hand = any(other == iccid and deed == "claimed" for _, other, deed in lived.people.deeds)  # perhaps just then
    if link is None or claimed_s is None or by_hand or abs(claimed_s - at_s) > 1e-6 or not needed:
        return
    seen_s: float | None = None
    for entry in rest:
        if entry.fault != "none" or entry.status != 200:
            return  # something hinders, and promptness cannot be asked for
        if entry.path.endswith("usagelimit") and link.device_id in entry.body["deviceids"]:
            return
        if any(order.from_s <= entry.at_s and at_s <= order.to_s for order in lived.orders if order.per_second is None):
            return  # an operator stopped everything
        shows = iccid in entry.query.get("sims", "") and entry.at_s - lived.world.behaviour.read_lag_s >= claimed_s
        seen_s = entry.at_s if seen_s is None and shows else seen_s
        if seen_s is not None:
            slept_s = sum(nap_s for at_s, nap_s in lived.world.naps if seen_s <= at_s <= entry.at_s)
            waited_s = entry.at_s - seen_s - slept_s
            assert waited_s <= PROMPT_S, f"{iccid} was ours for {waited_s:.0f} s"


def followed_up(lived: Lived, plan: dict[str, Change]) -> None:
    """Where limits follow the claim, nothing is claimed or named while one is missing because its order was lost."""
    if lived.policy.claim.limits is not LimitsTiming.AFTER_CLAIM:
        return
    targets = {link.device_id: iccid for iccid, link in lived.world.target.sims.items() if iccid in plan}
    for run in lived.runs:
        lost: set[str] = set()
        for number, entry in enumerate(lived.world.target.ledger.entries[run.first : run.last], run.first):
            if entry.path.endswith("usagelimit"):
                asked = {targets[device_id] for device_id in entry.body["deviceids"] if device_id in targets}
                lost = lost | asked if entry.fault not in {"none", "slow"} else lost - asked
            elif entry.path.endswith("bulkclaim") or entry.method == "PUT":
                seen = any(number > stale for stale in run.stale)  # a bad read may have hidden it
                free = [iccid for iccid in lost if _is_free(lived, iccid, plan[iccid], entry.at_s)]
                assert seen or not free, f"{free} had no limit, and {entry.path} was sent at {entry.at_s}"


def _is_free(lived: Lived, iccid: str, change: Change, at_s: float) -> bool:
    """Whether a SIM of ours was live, with nobody's hand on it, and without the limit that was planned."""
    now = lived.world.target.sims[iccid].at(at_s)
    is_live = now.state == "LIVE" and now.org_id == lived.world.target.org_id
    is_wider = now.overage_limit == -1 and change.overage_limit_bytes not in {None, -1}
    return is_live and is_wider and not lived.people.touched(iccid)


def _claimed_s(link: SimulatedLink | None) -> float | None:
    return None if link is None else next((s for s, now in link._conditions if now.device_id is not None), None)


def journal(lived: Lived, store: Store, plan_id: str, plan: dict[str, Change]) -> None:
    """What the journal calls done is so, and what was charged is done."""
    charged, ours = lived.world.target.ledger.charges, lived.world.ours()
    for item in store.journal.items(plan_id):
        iccid, state = str(item.change.target_iccid), item.state_of(StepKind.CLAIM)
        assert state is not StepState.IN_FLIGHT
        if state is StepState.DONE:
            assert iccid in ours or lived.people.touched(iccid), f"{iccid} is not ours, and its claim is done"
        if iccid in charged:
            assert state in {StepState.DONE, StepState.UNCERTAIN}, f"{iccid} was charged, and its claim is {state}"
        assert plan[iccid].action is Action.CLAIM or state is StepState.PENDING


def requests(lived: Lived, store: Store, plan_id: str) -> None:
    """Each write that arrived is one request of the journal; a request that never arrived has no answer either."""
    arrived: Counter[str] = Counter()
    for entry in lived.world.target.ledger.entries:
        if entry.method != "GET" and entry.status != 429:
            arrived[_shape(entry.method, entry.path.removeprefix("/api/1"), entry.body)] += 1
    sure: Counter[str] = Counter()
    told: Counter[str] = Counter()
    for record in store.journal.requests(plan_id):
        shape = _shape(record.method, record.path.partition("?")[0], record.body)
        told[shape] += 1
        sure[shape] += record.outcome in {RequestOutcome.ACCEPTED, RequestOutcome.REFUSED}
    assert not arrived - told, f"sent without a word in the journal: {arrived - told}"
    assert not sure - arrived, f"answered, as the journal says, and never sent: {sure - arrived}"


def _shape(method: str, path: str, body: Any) -> str:
    return f"{method} {path} {json.dumps(body, sort_keys=True)}"


def moves(lived: Lived, store: Store) -> None:
    """SQLite's own list of moves has only what the table allows: nothing that is done was ever begun again."""
    if store.file is None:  # the list is made by a trigger of SQLite
        return
    known = {(was.value, to.value): (was, event) for (was, event), to in STEP_TRANSITIONS.items()}
    with store._db.read() as connection:
        rows = connection.exec_driver_sql("SELECT source_key, kind, was, became FROM moves").all()
    for key, kind, was, became in rows:
        assert (was, became) in known, f"step {kind} of {key} went from {was} to {became}"
        lived.met[f"move {was} --{known[was, became][1]}"] += 1


def report(store: Store, plan_id: str, planned: int) -> None:
    """Every SIM is in one bucket, and the buckets sum to the inventory."""
    model = reconciliation(store, plan_id, now=0.0)
    rows = Counter(row.source_iccid for row in model.rows())
    assert set(rows.values()) <= {1}
    assert {row.bucket for row in model.rows()} <= {one.value for one in Bucket}
    assert model.inventory_total == len(rows) == planned


def lives(store: Store, now: float) -> None:
    """Every SIM has just one life, whatever happened; counted, paged and asked for by key they are the same."""
    counts = store.lives.counts(now)
    paged = dict(store.lives.page(now, limit=counts.total + 1))
    assert counts.total == len(paged) == store.inventory.summary()["count"]
    assert Counter(life.stage for life in paged.values()) == Counter(counts.stages)
    assert Counter(life.code for life in paged.values() if life.code is not None) == Counter(counts.codes)
    assert sum(counts.stages.values()) == counts.total


def _given_up(store: Store, plan_id: str) -> set[str]:
    """Targets of which the carrier refused a setting for good, as the journal says."""
    return {
        str(item.change.target_iccid)
        for item in store.journal.items(plan_id)
        if any(step.state is StepState.FAILED for kind, step in item.steps.items() if kind is not StepKind.CLAIM)
    }


def ends(lived: Lived, plan: dict[str, Change], given_up: set[str]) -> None:
    """What nobody else touched is as planned; what a person changed after it was verified stays as they left it."""
    if not lived.is_open:
        return
    by_hand = {iccid for _, iccid, deed in lived.people.deeds if deed in {"claimed", "changed"}}
    for iccid, change in plan.items():
        if iccid not in lived.never | lived.odd | by_hand | given_up:
            now = lived.world.target.sims[iccid].at(lived.world.elapsed_s)
            assert _is_as_planned(lived, iccid, change, lived.world.elapsed_s), f"{iccid}: {now} is not {change}"
    for iccid, facts in lived.people.meant.items():
        link = lived.world.target.sims[iccid]
        changed_s = min(at_s for at_s, other, deed in lived.people.deeds if (other, deed) == (iccid, "changed"))
        if any(run.stale and run.began_s >= changed_s for run in lived.runs):
            continue  # a replica that is minutes behind showed it as absent, and the judgement began anew
        assert {name: getattr(link, name) for name in facts} == facts, f"{iccid} was changed back from {facts}"


def _is_as_planned(lived: Lived, iccid: str, change: Change, at_s: float) -> bool:
    now = lived.world.target.sims[iccid].at(at_s)
    wanted = (
        lived.world.target.org_id,
        change.name,
        change.state.reached_as.name.replace("_", "-") if change.state is not None else now.state,
        now.overage_limit if change.overage_limit_bytes is None else change.overage_limit_bytes,
        now.sms_limit if change.sms_limit is None else change.sms_limit,
        change.data_plan_id,
        change.zone,
    )
    found = (now.org_id, now.name, now.state, now.overage_limit, now.sms_limit, now.plan_id, now.zone)
    tags = {lived.world.target._world.tags[tag_id].name for tag_id in now.tag_ids}
    return now.device_id is not None and found == wanted and set(change.all_tags) <= tags


def _claims(lived: Lived, run: Run | None = None) -> Iterator[LedgerEntry]:
    entries: Iterable[LedgerEntry] = lived.world.target.ledger.entries
    if run is not None:
        entries = lived.world.target.ledger.entries[run.first : run.last]
    return (entry for entry in entries if entry.path.endswith("bulkclaim"))


def obeyed(lived: Lived) -> None:
    """An operator's order holds from the next request on, in the run that was at work."""
    entries = lived.world.target.ledger.entries
    for given in lived.orders:
        run = next(run for run in reversed(lived.runs) if run.began_s <= given.from_s)
        check_obeyed(given, entries[run.first : run.last])


def stopped(lived: Lived) -> None:
    """A run that lost the store begins no further request."""
    for run in lived.runs:
        if run.begun_at_take_over is not None:
            assert run.begun == run.begun_at_take_over, "a run that lost the store went on sending"
        assert run.strangers == 0, f"a run that lost the store sent {run.strangers} requests"
