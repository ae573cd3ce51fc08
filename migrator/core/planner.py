"""(inventory, pairs, policy, what the target shows) -> one change per SIM. Pure, streaming, deterministic."""

from collections import Counter
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from migrator.core.candidates import Candidate
from migrator.core.fleet import AccountLimits, LinkState, SourceSim, TargetLink
from migrator.core.mapping import Blocked, Limit, data_limit, desired_state, device_name, sms_limit
from migrator.core.plan import Action, Change, DesiredState, Reason
from migrator.core.policy import OnDuplicate, Policy
from migrator.core.reconcile import differences, same_zone
from migrator.core.units import Bytes

__all__ = ["Planner", "planned_name", "repeated_names"]

SUFFIX_DIGITS = 5
CLAIMED_UNSEEN = "an earlier plan claimed a SIM for it, or may have, and this target is not seen as ours: ask Hologram"


def planned_name(candidate: Candidate, policy: Policy) -> str | None:
    """The name before duplicates are looked at; None where there is none, or no pair."""
    if candidate.pair is None:
        return None
    return device_name(candidate.sim, candidate.pair.target.digits, policy.name)


def repeated_names(candidates: Iterable[Candidate], policy: Policy) -> frozenset[str]:
    """Names that more than one SIM would bear; empty where the policy does not care."""
    if policy.name.on_duplicate is OnDuplicate.KEEP:
        return frozenset()
    names = Counter(name for candidate in candidates if (name := planned_name(candidate, policy)) is not None)
    return frozenset(name for name, times in names.items() if times > 1)


@dataclass(slots=True)
class Planner:
    """Plans SIM after SIM; the only thing it carries along is how full each wave is.

    Args:
        policy: what the operator wants.
        org_id: the target organization.
        account: 1NCE's monthly caps, where the policy needs them.
        repeated: names from `repeated_names`.
    """

    policy: Policy
    org_id: int
    account: AccountLimits = field(default_factory=AccountLimits)
    repeated: Container[str] = frozenset()
    _taken: Counter[str] = field(default_factory=Counter, init=False)

    def changes(self, candidates: Iterable[Candidate]) -> Iterator[Change]:
        """One change per candidate, in their order. Waves fill up in that order, so give them sorted by ICCID."""
        for candidate in candidates:
            change = self._change(candidate)
            yield self._in_a_wave(change) if change.action.acts else change

    def _in_a_wave(self, change: Change) -> Change:
        """A SIM with nothing to do goes along with the others, and takes nobody's place."""
        for wave in self.policy.waves:
            if wave.count is None or self._taken[wave.name] < wave.count:
                self._taken[wave.name] += change.action is not Action.NO_OP
                return replace(change, wave=wave.name)
        return replace(change, action=Action.SKIP, reason=Reason.NO_WAVE, detail="every wave of the policy is full")

    def _change(self, candidate: Candidate) -> Change:
        sim, pair = candidate.sim, candidate.pair
        base = Change(
            source_iccid=sim.iccid,
            target_iccid=pair.target if pair else None,
            action=Action.BLOCK,
            reason=Reason.NO_PAIRING,
            source=_source_values(sim),
            before=_target_values(candidate.target),
        )
        state = desired_state(sim, self.policy.status)
        if isinstance(state, Blocked):
            return _blocked(base, state)
        if pair is None:
            return replace(base, detail="no target ICCID: `pair import` or `pair pool`")
        if (trouble := self._target_trouble(candidate.target)) is not None:
            return _blocked(base, trouble)
        return self._filled(base, candidate, state)

    def _filled(self, base: Change, candidate: Candidate, state: DesiredState) -> Change:
        """The change with every value, or blocked for want of one."""
        data = data_limit(candidate.sim, self.policy.data_limit, self.account)
        sms = sms_limit(candidate.sim, self.policy.sms_limit, self.account)
        name = self._name(candidate)
        for value in (data, sms, name):
            if isinstance(value, Blocked):
                return _blocked(base, value)
        assert isinstance(data, Limit) and isinstance(sms, Limit) and isinstance(name, str)  # noqa: S101, PT018 - for the type checker
        claim = self.policy.claim
        filled = replace(
            base,
            detail="; ".join(filter(None, (data.detail, sms.detail))),
            name=name,
            state=DesiredState.PAUSE if data.pause else state,
            overage_limit_bytes=None if data.value is None else Bytes(data.value),
            sms_limit=sms.value,
            data_plan_id=claim.data_plan_id,
            zone=claim.zone,
            tag=claim.tag,
        )
        return self._with_action(filled, candidate)

    def _with_action(self, change: Change, candidate: Candidate) -> Change:
        """Claim, adopt, update or leave alone: decided by what the target shows."""
        target = candidate.target
        if target is None or not target.is_claimed:
            if candidate.migrated_before:
                return _blocked(change, Blocked(Reason.CLAIMED_UNSEEN, CLAIMED_UNSEEN))
            return replace(change, action=Action.CLAIM, reason=Reason.READY)
        if not differences(change, target, self.org_id):
            return replace(change, action=Action.NO_OP, reason=Reason.IN_LINE)
        action = Action.UPDATE if candidate.migrated_before else Action.ADOPT
        return replace(change, action=action, reason=Reason.ALREADY_OURS)

    def _target_trouble(self, target: TargetLink | None) -> Blocked | None:
        """Why the target SIM must not be touched; None if it may."""
        if target is None:
            return None
        if target.org_id not in {None, self.org_id}:
            return Blocked(Reason.TARGET_ELSEWHERE, f"the target is in organization {target.org_id}")
        if target.state is LinkState.RETIRED:
            return Blocked(Reason.TARGET_RETIRED, "the target SIM is deactivated (DEAD), for ever")
        if target.state is LinkState.TEST:
            return Blocked(
                Reason.TARGET_IN_TEST_MODE, "the target SIM is in Test Mode: end that in the dashboard first"
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

    def _name(self, candidate: Candidate) -> str | Blocked:
        name = planned_name(candidate, self.policy)
        if name is None:
            return Blocked(Reason.NAME_EMPTY, "neither `template` nor `when_missing` gives a name")
        if name not in self.repeated:
            return name
        if self.policy.name.on_duplicate is OnDuplicate.BLOCK:
            return Blocked(Reason.NAME_DUPLICATE, f"several SIMs would be named {name!r}")
        return f"{name} ({candidate.sim.iccid.digits[-SUFFIX_DIGITS:]})"


def _blocked(base: Change, why: Blocked) -> Change:
    return replace(base, action=Action.SKIP if why.skip else Action.BLOCK, reason=why.reason, detail=why.detail)


def _source_values(sim: SourceSim) -> dict[str, Any]:
    """What the plan was made from, for review and for telling what changed since."""
    return {
        "status": sim.status_word,
        "label": sim.label,
        "data_quota_mb": _text(sim.data_quota_mb),
        "data_remaining_mb": _text(sim.data_remaining_mb),
        "sms_quota": _text(sim.sms_quota),
        "sms_remaining": _text(sim.sms_remaining),
    }


def _text(value: Decimal | None) -> str | None:
    return None if value is None else f"{value:f}"


def _target_values(target: TargetLink | None) -> dict[str, Any]:
    """What the target showed when the plan was made; empty for a SIM that nobody claimed."""
    if target is None or not target.is_claimed:
        return {}
    return {
        "device_id": target.device_id,
        "state": target.state_word,
        "name": target.name,
        "overage_limit_bytes": target.overage_limit_bytes,
        "sms_limit": target.sms_limit,
    }
