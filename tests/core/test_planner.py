"""(inventory, pairs, policy, observation) -> changes."""

import random
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrator.core.candidates import Candidate
from migrator.core.plan import Action, Change, DesiredState, Reason
from migrator.core.planner import Planner, repeated_names
from migrator.core.policy import ClaimPolicy, NamePolicy, OnDuplicate, Policy, StatusPolicy, StatusRule, Wave
from tests.builders import ORG, candidate, pair, policy, sim, target


def plan(candidates: Sequence[Candidate], rules: Policy | None = None) -> list[Change]:
    rules = rules or policy()
    return list(Planner(rules, ORG, repeated=repeated_names(candidates, rules)).changes(candidates))


def only(one: Candidate, rules: Policy | None = None) -> Change:
    (change,) = plan([one], rules)
    return change


def test_a_paired_sim_that_nobody_claimed_is_to_be_claimed_with_every_value() -> None:
    change = only(candidate(3))
    assert (change.action, change.reason, change.wave) == (Action.CLAIM, Reason.READY, "canary")
    assert (change.name, change.state) == ("unit 3", DesiredState.LIVE)
    assert (change.overage_limit_bytes, change.sms_limit) == (524_288_000, 100)
    assert (change.data_plan_id, change.zone, change.tag) == (2096, "global", "from-1nce")


def test_without_a_pair_there_is_no_claim() -> None:
    change = only(candidate(pair=None))
    assert (change.action, change.reason, change.target_iccid) == (Action.BLOCK, Reason.NO_PAIRING, None)


@pytest.mark.parametrize(
    ("state", "values", "reason"),
    [
        ("LIVE", {"org_id": 99}, Reason.TARGET_ELSEWHERE),
        ("DEAD", {}, Reason.TARGET_RETIRED),
        ("TEST-ACTIVATE", {}, Reason.TARGET_IN_TEST_MODE),
        ("WEIRD", {}, Reason.TARGET_UNKNOWN_STATE),
        ("LIVE", {"data_plan_id": 1}, Reason.TARGET_ON_OTHER_PLAN),
        ("LIVE", {"zone": "us"}, Reason.TARGET_ON_OTHER_PLAN),
    ],
)
def test_a_target_that_must_not_be_touched_blocks(state: str, values: dict[str, Any], reason: Reason) -> None:
    change = only(candidate(target=target(state=state, **values)))
    assert (change.action, change.reason) == (Action.BLOCK, reason)


def test_a_target_that_is_ours_is_adopted_not_claimed() -> None:
    change = only(candidate(target=target(name="Unnamed Device (00001)")))
    assert (change.action, change.reason) == (Action.ADOPT, Reason.ALREADY_OURS)


def test_a_target_that_we_migrated_before_is_updated() -> None:
    change = only(candidate(target=target(name="old"), migrated_before=True))
    assert change.action is Action.UPDATE


def test_a_target_with_every_planned_value_is_left_alone() -> None:
    assert only(candidate(target=target())).action is Action.NO_OP


def test_the_zone_is_compared_without_its_case() -> None:
    """Plan pages write one zone both ways; a difference of case alone must not block a fleet."""
    assert only(candidate(target=target(zone="Global"))).action is Action.NO_OP


def test_inventory_sims_in_our_organization_are_claimed() -> None:
    unclaimed = target(state="INACTIVE", device_id=None)
    assert only(candidate(target=unclaimed)).action is Action.CLAIM


def test_waves_fill_up_in_order_and_leave_out_who_does_nothing() -> None:
    fleet = [candidate(n) if n != 2 else candidate(n, pair=None) for n in range(1, 7)]
    rules = policy(waves=(Wave("first", 2), Wave("second", 2), Wave("rest")))
    assert [change.wave for change in plan(fleet, rules)] == ["first", None, "first", "second", "second", "rest"]


def test_when_every_wave_is_full_the_others_are_skipped() -> None:
    changes = plan([candidate(n) for n in (1, 2)], policy(waves=(Wave("only", 1),)))
    assert [(change.action, change.reason) for change in changes] == [
        (Action.CLAIM, Reason.READY),
        (Action.SKIP, Reason.NO_WAVE),
    ]


@pytest.mark.parametrize(
    ("rule", "expected"),
    [(OnDuplicate.KEEP, {"same"}), (OnDuplicate.SUFFIX, {"same (00001)", "same (00002)"})],
)
def test_names_that_repeat_are_kept_or_told_apart(rule: OnDuplicate, expected: set[str]) -> None:
    fleet = [candidate(n, sim=sim(n, label="same")) for n in (1, 2)]
    changes = plan(fleet, policy(name=NamePolicy(on_duplicate=rule)))
    assert {change.name for change in changes} == expected


def test_names_that_repeat_can_block() -> None:
    fleet = [candidate(n, sim=sim(n, label="same")) for n in (1, 2)] + [candidate(3)]
    changes = plan(fleet, policy(name=NamePolicy(on_duplicate=OnDuplicate.BLOCK)))
    assert [change.reason for change in changes] == [Reason.NAME_DUPLICATE, Reason.NAME_DUPLICATE, Reason.READY]


statuses = st.sampled_from(["Enabled", "Activated", "Disabled", "Expired", "?"])
labels = st.sampled_from([None, "", " ", "pump", "pump", "=1+1", "Grüße 🚜", "x" * 300])
quotas = st.none() | st.decimals(min_value=-5, max_value=5000, places=6)


@st.composite
def fleets(draw: st.DrawFn) -> list[Candidate]:
    numbers = draw(st.lists(st.integers(1, 99_999), unique=True, max_size=12))
    return [
        candidate(
            number,
            sim=sim(number, status=draw(statuses), data_quota_mb=draw(quotas), label=draw(labels)),
            pair=draw(st.sampled_from([None, pair(number)])),
            target=draw(st.sampled_from([None, target(number), target(number, state="DEAD")])),
        )
        for number in sorted(numbers)
    ]


@given(fleets())
def test_every_sim_lands_in_exactly_one_change_and_only_paired_ones_act(fleet: list[Candidate]) -> None:
    changes = plan(fleet)
    assert [change.source_iccid for change in changes] == [one.sim.iccid for one in fleet]
    assert all(change.target_iccid is not None and change.wave for change in changes if change.action.acts)


@given(fleets())
def test_a_limit_is_never_zero_and_never_above_what_was_booked(fleet: list[Candidate]) -> None:
    for one, change in zip(fleet, plan(fleet), strict=True):
        if change.action is Action.CLAIM:
            assert one.sim.data_quota_mb is not None
            assert change.overage_limit_bytes is not None
            assert 0 < change.overage_limit_bytes <= one.sim.data_quota_mb * Decimal(1_048_576)


@given(fleets())
def test_planning_is_deterministic(fleet: list[Candidate]) -> None:
    assert plan(fleet) == plan(list(fleet))


@given(fleets(), st.randoms(use_true_random=False))
def test_with_one_wave_the_order_of_the_input_does_not_matter(fleet: list[Candidate], chance: random.Random) -> None:
    rules = policy(waves=(Wave("all"),))
    shuffled = list(fleet)
    chance.shuffle(shuffled)
    by_iccid = {change.source_iccid: change for change in plan(shuffled, rules)}
    assert [by_iccid[change.source_iccid] for change in plan(fleet, rules)] == plan(fleet, rules)


@given(fleets())
def test_planning_again_after_everything_was_applied_gives_only_no_op(fleet: list[Candidate]) -> None:
    """A target that shows each planned value is exactly what a full apply leaves behind."""
    rules = policy(status=StatusPolicy(disabled=StatusRule.PAUSE))
    changes = {change.source_iccid: change for change in plan(fleet, rules)}
    applied = [replace(one, target=_as_applied(changes[one.sim.iccid]), migrated_before=True) for one in fleet]
    for again in plan(applied, rules):
        if changes[again.source_iccid].action.acts:
            assert again.action is Action.NO_OP


def _as_applied(change: Change) -> Any:
    if not change.action.acts:
        return None
    number = int(change.source_iccid.digits[7:])
    state = "LIVE" if change.state is DesiredState.LIVE else "PAUSED-USER"
    return target(
        number,
        state=state,
        name=change.name,
        overage_limit_bytes=change.overage_limit_bytes,
        sms_limit=change.sms_limit,
    )


def test_no_tag_is_planned_where_the_policy_has_none() -> None:
    assert only(candidate(), policy(claim=ClaimPolicy(2096, "global", tag=None))).tag is None
