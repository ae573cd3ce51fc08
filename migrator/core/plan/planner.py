"""Planner: makes one change per SIM, pure, streaming and deterministic.

The inputs are the inventory, the pairs, the policy and what the target shows.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any, NamedTuple

from migrator.core.fleet.sims import (
    ONENCE,
    AccountLimits,
    Candidate,
    LinkState,
    Selects,
    SourceSim,
    SourceStatus,
    TargetLink,
)
from migrator.core.fleet.spelling import is_spoiled
from migrator.core.fleet.units import Bytes
from migrator.core.plan.compare import STOCK_TAG, differences, same_zone
from migrator.core.plan.mapping import (
    LARGEST_LIMIT,
    Blocked,
    LimitRule,
    copied_tags,
    data_limit_rule,
    device_name,
    sms_limit_rule,
    state_of,
    state_rules,
    too_large,
)
from migrator.core.plan.names import Repeated
from migrator.core.plan.plan import Action, Change, DesiredState, Reason
from migrator.core.plan.staged import ends_words
from migrator.core.policy.policy import InTestMode, NamePolicy, OnDuplicate, Policy, Rule
from migrator.core.policy.selection import Selector, every_sim, selector
from migrator.core.policy.waves import Rooms

__all__ = ["Planner"]

CLAIMED_UNSEEN = "an earlier plan claimed a SIM for it, or may have, and this target is not seen as ours: ask Hologram"

IN_TEST_MODE = "the target SIM is in Test Mode: end that in the dashboard, or see [claim] test_mode"

PAUSES_LIVE = (
    "the target is live, and a campaign pauses nothing that lives: where its unit may fall silent, `migrator plan "
    "create --where` makes a plan of it, and `apply --confirm-pauses` carries that out; else mend [status]"
)

NOT_SELECTED = Blocked(Reason.NOT_SELECTED, "left out by --where", skip=True)


@dataclass(frozen=True, slots=True)
class _ReadyRule:
    """Rule of the policy, made ready for a whole fleet.

    The policy without its rules is the last way, for all other SIMs.
    """

    rule: str
    fits: Selector
    states: Mapping[SourceStatus, DesiredState | Blocked]
    data: LimitRule
    sms: LimitRule
    names: NamePolicy


class _Wanted(NamedTuple):
    """Every value that a SIM is to have."""

    detail: str
    name: str
    state: DesiredState
    overage_limit_bytes: Bytes | None
    sms_limit: int | None
    tags: tuple[str, ...] = ()


def _ways(policy: Policy, account: AccountLimits, source: str) -> tuple[_ReadyRule, ...]:
    """Return the rules in their order, then the policy without rules."""
    rules = (_way(rule, rule.name, selector(rule.when), rule.device_name, account, source) for rule in policy.rules)
    return (*rules, _way(policy, "", every_sim, policy.name, account, source))


def _way(  # noqa: PLR0917 - handed through as they came
    part: Policy | Rule, rule: str, fits: Selector, names: NamePolicy, account: AccountLimits, source: str
) -> _ReadyRule:
    return _ReadyRule(
        rule=rule,
        fits=fits,
        states=state_rules(part.status),
        data=data_limit_rule(part.data_limit, account, source),
        sms=sms_limit_rule(part.sms_limit, account, source),
        names=names,
    )


@dataclass(slots=True)
class Planner:
    """Planner of SIM after SIM.

    The planner remembers only how full each wave is.

    Args:
        policy: what the operator wants.
        org_id: the target organization.
        account: 1NCE's monthly caps, where the policy needs them.
        repeated: from `names.repeated_names`.
        selects: the SIMs that this plan is about; the plan holds all others as skipped. None: all SIMs.
        rolled_back: by key, the rollbacks that took SIMs back to their old SIM: such a SIM is in the plan as skipped.
        takes_rolled_back: whether such a SIM is moved once more all the same.
        source: the name of the source, for words.
        may_pause_live: whether SIMs that are live at the target may be paused; else such a SIM is blocked.
    """

    policy: Policy
    org_id: int
    account: AccountLimits = field(default_factory=AccountLimits)
    repeated: Repeated = field(default_factory=Repeated)
    selects: Selects | None = None
    rolled_back: Mapping[str, str] = field(default_factory=dict)
    takes_rolled_back: bool = False
    source: str = ONENCE
    may_pause_live: bool = True
    test_ends: Counter[str] = field(default_factory=Counter, init=False)  # SIMs that wait staged, by their end
    _ways: tuple[_ReadyRule, ...] = field(init=False)
    _rooms: Rooms | None = field(default=None, init=False)
    tagged: int = field(
        default=0, init=False
    )  # SIMs to adopt that carry our tag: some other copy of the store did that

    def __post_init__(self) -> None:
        self._ways = _ways(self.policy, self.account, self.source)
        if not self.policy.needs_counting:
            self._rooms = Rooms(self.policy.waves, 0)

    def count(self, candidates: Iterable[Candidate]) -> None:
        """Count the SIMs that will take a place in a wave.

        The count is needed before `changes` where a wave takes a share.
        """
        self._rooms = Rooms(self.policy.waves, sum(map(self._takes_a_place, candidates)))

    def changes(self, candidates: Iterable[Candidate]) -> Iterator[Change]:
        """Yield one change per candidate, in their order.

        Waves fill up in that order, so give the candidates sorted by ICCID.

        Raises: ValueError, if a wave takes a share and the SIMs were not counted.
        """
        if self._rooms is None:
            raise ValueError("a wave takes a share of the SIMs: count them first")
        rooms = self._rooms
        for candidate in candidates:
            yield self._change(candidate, rooms)

    def _takes_a_place(self, candidate: Candidate) -> bool:
        way = self._way(candidate.sim)
        wanted = self._wanted(candidate, way)
        if isinstance(wanted, Blocked):
            return False
        outcome = self._outcome(candidate, way, wanted)
        return not isinstance(outcome, Blocked) and outcome[0] is not Action.NO_OP

    def _way(self, sim: SourceSim) -> _ReadyRule:
        """Return the first rule that fits; the last rule fits all."""
        for way in self._ways:
            if way.fits(sim):
                return way
        raise AssertionError("the policy without its rules fits every SIM")

    def _change(self, candidate: Candidate, rooms: Rooms) -> Change:
        sim = candidate.sim
        way = self._way(sim)
        wanted = self._wanted(candidate, way)
        if isinstance(wanted, Blocked):
            return _left_alone(candidate, way, wanted)
        outcome = self._outcome(candidate, way, wanted)
        if isinstance(outcome, Blocked):
            return replace(self._filled(candidate, way, wanted), reason=outcome.reason, detail=outcome.detail)
        action, reason = outcome
        if action is Action.ADOPT and candidate.target is not None:
            self.tagged += self.policy.claim.tag in (candidate.target.tags or ())
        if reason in {Reason.STAGED, Reason.TEST_TO_LIVE} and candidate.target is not None:
            wanted = self._ending(candidate.target, wanted)
        wave = rooms.along(sim) if action is Action.NO_OP else rooms.seat(sim)
        if wave is None:
            wanted = wanted._replace(detail="no wave of the policy selects it and has room")
            action, reason = Action.SKIP, Reason.NO_WAVE
        return self._filled(candidate, way, wanted, action, reason, wave)

    def _ending(self, target: TargetLink, wanted: _Wanted) -> _Wanted:
        """Note when the Test Mode of a staged SIM ends."""
        if target.test_ends_at is None:
            return wanted
        self.test_ends[target.test_ends_at] += 1
        return wanted._replace(detail="; ".join(filter(None, (wanted.detail, ends_words(target.test_ends_at)))))

    def _wanted(self, candidate: Candidate, way: _ReadyRule) -> _Wanted | Blocked:
        """Return every value of a SIM, or the obstacle."""
        if self.selects is not None and not self.selects(candidate):
            return NOT_SELECTED
        sim, pair = candidate.sim, candidate.pair
        state = state_of(sim, way.states, self.source)
        if isinstance(state, Blocked):
            return state
        if pair is None:
            return Blocked(Reason.NO_PAIRING, "no target ICCID: `pair import` or `pair pool`")
        trouble = None if candidate.target is None else self._target_trouble(candidate.target)
        if trouble is not None:
            return trouble
        rollback = self.rolled_back.get(sim.iccid.key) if self.rolled_back else None
        if rollback is None:
            return self._valued(sim, pair.target.digits, state, way)
        return self._moved_again(rollback, self._valued(sim, pair.target.digits, state, way))

    def _moved_again(self, rollback: str, wanted: _Wanted | Blocked) -> _Wanted | Blocked:
        """Skip a SIM that was rolled back, unless its move is requested."""
        words = f"rollback {rollback} took it back to its old SIM, and paused the new one"
        if not self.takes_rolled_back:
            return Blocked(Reason.ROLLED_BACK, words, skip=True)
        if isinstance(wanted, Blocked):
            return wanted
        return wanted._replace(detail="; ".join(filter(None, (wanted.detail, f"{words}; moved again, as asked"))))

    def _valued(self, sim: SourceSim, target_iccid: str, state: DesiredState, way: _ReadyRule) -> _Wanted | Blocked:
        """Return limits and name of a SIM, or the obstacle.

        The SIM may be claimed.
        """
        data, sms = way.data(sim), way.sms(sim)
        if isinstance(data, Blocked):
            return data
        if isinstance(sms, Blocked):
            return sms
        if data.value is not None and data.value > LARGEST_LIMIT:
            return too_large(data)
        name = self._name(sim, target_iccid, way.names)
        if isinstance(name, Blocked):
            return name
        tags = copied_tags(sim, self.policy.claim)
        if isinstance(tags, Blocked):
            return tags
        return _Wanted(
            f"{data.detail}; {sms.detail}" if data.detail and sms.detail else data.detail or sms.detail,
            name,
            DesiredState.PAUSE if data.pause else state,
            None if data.value is None else Bytes(data.value),
            sms.value,
            tags,
        )

    def _outcome(self, candidate: Candidate, way: _ReadyRule, wanted: _Wanted) -> tuple[Action, Reason] | Blocked:
        """Choose between claim, adopt, update and no action.

        What the target shows decides.
        """
        target = candidate.target
        if target is None or not target.is_claimed:
            if candidate.migrated_before:
                return Blocked(Reason.CLAIMED_UNSEEN, CLAIMED_UNSEEN)
            return Action.CLAIM, Reason.READY
        if wanted.state is DesiredState.PAUSE and target.state is LinkState.LIVE and not self.may_pause_live:
            return Blocked(Reason.PAUSES_LIVE, PAUSES_LIVE)
        if target.state is LinkState.TEST:
            is_claim = self.policy.claim.test_mode is InTestMode.ACTIVATE and not candidate.migrated_before
            return (Action.CLAIM, Reason.TEST_TO_LIVE) if is_claim else (Action.ADOPT, Reason.STAGED)
        if not differences(self._filled(candidate, way, wanted), target, self.org_id):
            return Action.NO_OP, Reason.IN_LINE
        return Action.UPDATE if candidate.migrated_before else Action.ADOPT, Reason.ALREADY_OURS

    def _filled(  # noqa: PLR0917 - positional: a keyword costs a tenth of the call, a million times
        self,
        candidate: Candidate,
        way: _ReadyRule,
        wanted: _Wanted,
        action: Action = Action.BLOCK,
        reason: Reason = Reason.NO_PAIRING,
        wave: str | None = None,
    ) -> Change:
        """Return the change with every value, in the record's field order."""
        claim, pair, target = self.policy.claim, candidate.pair, candidate.target
        return Change(
            candidate.sim.iccid,
            None if pair is None else pair.target,
            action,
            reason,
            wanted.detail,
            wave,
            wanted.name,
            wanted.state,
            wanted.overage_limit_bytes,
            wanted.sms_limit,
            claim.data_plan_id,
            claim.zone,
            claim.tag,
            _source_values(candidate.sim),
            {} if target is None else self._before(candidate, target),
            way.rule,
            wanted.tags,
        )

    def _before(self, candidate: Candidate, target: TargetLink) -> dict[str, Any]:
        """Return what the target showed at planning.

        A card that this store claimed, and that bears the stock's tag, is to lose that tag in its unit.
        """
        values, tag = _target_values(target), self.policy.stock.tag
        if candidate.migrated_before and tag != self.policy.claim.tag and tag in (target.tags or ()):
            values[STOCK_TAG] = tag
        return values

    def _target_trouble(self, target: TargetLink) -> Blocked | None:
        """Return the reason to leave the target SIM alone, or None."""
        if target.org_id not in {None, self.org_id}:
            return Blocked(Reason.TARGET_ELSEWHERE, f"the target is in organization {target.org_id}")
        if target.state is LinkState.RETIRED:
            return Blocked(Reason.TARGET_RETIRED, "the target SIM is deactivated (DEAD), for ever")
        if target.state is LinkState.TEST and (
            self.policy.claim.test_mode is InTestMode.BLOCK or not target.is_claimed
        ):
            return Blocked(
                Reason.TARGET_IN_TEST_MODE, "; ".join(filter(None, (IN_TEST_MODE, ends_words(target.test_ends_at))))
            )
        if target.state is LinkState.UNKNOWN:
            return Blocked(Reason.TARGET_UNKNOWN_STATE, f"Hologram says {target.state_word!r}, a state unknown here")
        return self._plan_trouble(target) if target.is_claimed else None

    def _plan_trouble(self, target: TargetLink) -> Blocked | None:
        claim = self.policy.claim
        other_plan = target.data_plan_id not in {None, claim.data_plan_id}
        if not other_plan and same_zone(target.zone, claim.zone):
            return None
        there = f"data plan {target.data_plan_id}, zone {target.zone!r}"
        return Blocked(
            Reason.TARGET_ON_OTHER_PLAN, f"the target is ours on {there}; a plan change costs money and erases limits"
        )

    def _name(self, sim: SourceSim, target_iccid: str, names: NamePolicy) -> str | Blocked:
        name = device_name(sim, target_iccid, names)
        if name is None:
            return Blocked(Reason.NAME_EMPTY, "neither `template` nor `when_missing` gives a name")
        if is_spoiled(name):
            return Blocked(Reason.LABEL_UNREADABLE, f"its name would be {name!r}, of a label that was not read whole")
        if names.on_duplicate is OnDuplicate.KEEP or name not in self.repeated.names:
            return name
        return self.repeated.settled(name, sim.iccid, names.on_duplicate)


def _left_alone(candidate: Candidate, way: _ReadyRule, why: Blocked) -> Change:
    """Return the change of a SIM that is skipped or blocked."""
    return Change(
        source_iccid=candidate.sim.iccid,
        target_iccid=None if candidate.pair is None else candidate.pair.target,
        action=Action.SKIP if why.skip else Action.BLOCK,
        reason=why.reason,
        detail=why.detail,
        source=_source_values(candidate.sim),
        before={} if candidate.target is None else _target_values(candidate.target),
        rule=way.rule,
    )


def _source_values(sim: SourceSim) -> dict[str, Any]:
    """Return the source values of a plan, sorted by name.

    The values serve reviews, and show what changed since.
    """
    data, data_left, sms, sms_left = sim.data_quota_mb, sim.data_remaining_mb, sim.sms_quota, sim.sms_remaining
    values: dict[str, Any] = {
        "data_quota_mb": None if data is None else _text(data),
        "data_remaining_mb": None if data_left is None else _text(data_left),
        "label": sim.label,
        "sms_quota": None if sms is None else _text(sms),
        "sms_remaining": None if sms_left is None else _text(sms_left),
        "status": sim.status_word,
    }
    if sim.status_before is not None:
        values["status_before"] = sim.status_before._value_
    if sim.tags is not None:
        values["tags"] = list(sim.tags)
    limit = sim.data_limit
    if limit is None:
        return values
    return {"data_limit_bytes": str(limit.volume), "data_limit_period": limit.word, **values}


def _text(value: Decimal) -> str:
    text = str(value)  # three times as quick as a format, and the same where there is no exponent
    return f"{value:f}" if "E" in text else text


def _target_values(target: TargetLink) -> dict[str, Any]:
    """Return the target's values at planning, sorted by name.

    The result is empty for a SIM that nobody claimed.
    """
    if not target.is_claimed:
        return {}
    return {
        "device_id": target.device_id,
        "name": target.name,
        "overage_limit_bytes": target.overage_limit_bytes,
        "sms_limit": target.sms_limit,
        "state": target.state_word,
    }
