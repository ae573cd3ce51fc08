"""(inventory, pairs, policy, observation) -> changes."""

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrator.core.fleet.identifiers import Iccid
from migrator.core.fleet.sims import Candidate, Pair, SourceStatus
from migrator.core.plan.names import repeated_names
from migrator.core.plan.plan import Action, Change, DesiredState, Reason
from migrator.core.plan.planner import Planner
from migrator.core.policy.policy import (
    ClaimPolicy,
    DataLimitPolicy,
    InTestMode,
    NamePolicy,
    OnDuplicate,
    Policy,
    Rule,
    SmsLimitPolicy,
    StatusPolicy,
    StatusRule,
    Wave,
    When,
)
from migrator.core.policy.selection import selector
from tests.builders import ORG, candidate, pair, policy, sim, source_iccid, target, target_iccid


def plan(candidates: Sequence[Candidate], rules: Policy | None = None) -> list[Change]:
    rules = rules or policy()
    planner = Planner(rules, ORG, repeated=repeated_names(candidates, rules))
    if rules.needs_counting:
        planner.count(candidates)
    return list(planner.changes(candidates))


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


@pytest.mark.parametrize(
    ("mode", "values", "expected"),
    [
        (InTestMode.ADOPT_WHEN_LIVE, {}, (Action.ADOPT, Reason.STAGED)),
        (InTestMode.ACTIVATE, {}, (Action.CLAIM, Reason.TEST_TO_LIVE)),
        (InTestMode.ADOPT_WHEN_LIVE, {"data_plan_id": 1}, (Action.BLOCK, Reason.TARGET_ON_OTHER_PLAN)),
        (InTestMode.ACTIVATE, {"data_plan_id": 1}, (Action.BLOCK, Reason.TARGET_ON_OTHER_PLAN)),
        (InTestMode.ADOPT_WHEN_LIVE, {"org_id": 99}, (Action.BLOCK, Reason.TARGET_ELSEWHERE)),
        (InTestMode.ACTIVATE, {"device_id": None}, (Action.BLOCK, Reason.TARGET_IN_TEST_MODE)),
    ],
)
def test_a_target_in_test_mode_waits_or_is_made_live_as_the_policy_says(
    mode: InTestMode, values: dict[str, Any], expected: tuple[Action, Reason]
) -> None:
    """Never one that is somebody else's, or would go live on another data plan."""
    rules = policy()
    rules = replace(rules, claim=replace(rules.claim, test_mode=mode))
    change = only(candidate(target=target(state="TEST-ACTIVATE", **values)), rules)
    assert (change.action, change.reason) == expected
    assert change.is_test_to_live is (expected[1] is Reason.TEST_TO_LIVE)


MB = 1_048_576


@pytest.mark.parametrize(
    ("booked", "planned"),
    [
        ("8589934591.9", 9_007_199_254_636_134),
        ("8589934592", None),  # 2**53 bytes
        ("4398046511104", None),  # 2**62 bytes: limits from there on stand for "no limit" in the order of claims
        ("9000000000000000", None),
    ],
)
def test_a_limit_that_no_number_holds_blocks_its_sim_alone(booked: str, planned: int | None) -> None:
    huge = candidate(1, sim=sim(1, data_quota_mb=Decimal(booked)))
    first, second = plan([huge, candidate(2)])
    expected = (Action.CLAIM, Reason.READY) if planned else (Action.BLOCK, Reason.LIMIT_TOO_LARGE)
    assert (first.action, first.reason, first.overage_limit_bytes) == (*expected, planned)
    assert (f"would be {int(float(booked)) * MB} bytes" in first.detail) is (planned is None)
    assert second.action is Action.CLAIM


def test_a_limit_that_no_number_holds_is_fine_once_it_is_cut() -> None:
    huge = candidate(1, sim=sim(1, data_quota_mb=Decimal(9_000_000_000_000_000)))
    cut = plan([huge], policy(data_limit=DataLimitPolicy(maximum_mb=Decimal(5))))[0]
    assert (cut.action, cut.overage_limit_bytes) == (Action.CLAIM, 5 * MB)
    raised = plan(
        [candidate(1)], policy(data_limit=DataLimitPolicy(minimum_mb=Decimal(10) ** 12, round_up_to_mb=Decimal(1)))
    )
    assert (raised[0].reason, raised[0].detail[:30]) == (Reason.LIMIT_TOO_LARGE, "raised from 500 MB to the mini")


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
    [(OnDuplicate.KEEP, {"same"}), (OnDuplicate.SUFFIX, {"same (000000000001)", "same (000000000002)"})],
)
def test_names_that_repeat_are_kept_or_told_apart(rule: OnDuplicate, expected: set[str]) -> None:
    fleet = [candidate(n, sim=sim(n, label="same")) for n in (1, 2)]
    changes = plan(fleet, policy(name=NamePolicy(on_duplicate=rule)))
    assert {change.name for change in changes} == expected


def test_names_that_repeat_can_block() -> None:
    fleet = [candidate(n, sim=sim(n, label="same")) for n in (1, 2)] + [candidate(3)]
    changes = plan(fleet, policy(name=NamePolicy(on_duplicate=OnDuplicate.BLOCK)))
    assert [change.reason for change in changes] == [Reason.NAME_DUPLICATE, Reason.NAME_DUPLICATE, Reason.READY]


def named(rule: OnDuplicate, *fleet: Candidate, **sections: Any) -> list[str | None]:
    return [change.name for change in plan(fleet, policy(name=NamePolicy(on_duplicate=rule), **sections))]


def twin(iccid: str, label: str = "L3", **values: Any) -> Candidate:
    one = Iccid.parse(iccid)
    return candidate(sim=replace(sim(label=label), iccid=one), pair=Pair(one, target_iccid(1), "p:1"), **values)


def test_names_that_the_last_digits_do_not_tell_apart_get_the_whole_iccid() -> None:
    """Two ranges of ICCIDs may end alike; and somebody may have named a SIM as this tool would."""
    fleet = [
        twin("8988228066602000003"),
        twin("8988280066602000003"),
        twin("8988228066602000012"),
        twin("8988228066602000013", "L3 (066602000012)"),
        twin("8988228066602000014"),
        twin("8988280066602000014", "L4"),
    ]
    assert named(OnDuplicate.SUFFIX, *fleet) == [
        "L3 (8988228066602000003)",
        "L3 (8988280066602000003)",
        "L3 (8988228066602000012)",
        "L3 (066602000012)",
        "L3 (066602000014)",
        "L4",
    ]


def test_a_sim_whose_every_name_is_taken_is_blocked() -> None:
    fleet = [
        twin("8988228066602000001"),
        twin("8988228066602000002"),
        twin("8988228066602000003", "L3 (066602000001)"),
        twin("8988228066602000004", "L3 (8988228066602000001)"),
    ]
    first, *others = plan(fleet, policy(name=NamePolicy(on_duplicate=OnDuplicate.SUFFIX)))
    assert (first.action, first.reason) == (Action.BLOCK, Reason.NAME_DUPLICATE)
    assert "'L3 (8988228066602000001)' already" in first.detail
    assert [change.name for change in others] == ["L3 (066602000002)", "L3 (066602000001)", "L3 (8988228066602000001)"]


labels = st.sampled_from(["L3", "L3 (000000000001)", "L3 (8988228000000000001)", "L3 (000000000001) (000000000002)"])
twins = st.tuples(st.sampled_from(["8988228", "8988280"]), st.integers(1, 4))


@given(st.dictionaries(twins, labels, max_size=8))
def test_with_a_suffix_no_two_sims_that_are_claimed_bear_one_name(fleet: dict[tuple[str, int], str]) -> None:
    sims = [twin(f"{head}{number:012d}", label) for (head, number), label in sorted(fleet.items())]
    rules = policy(name=NamePolicy(on_duplicate=OnDuplicate.SUFFIX))
    names = [change.name for change in plan(sims, rules) if change.action is Action.CLAIM]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("rule", [OnDuplicate.BLOCK, OnDuplicate.SUFFIX])
def test_a_sim_that_stays_behind_takes_no_name_away(rule: OnDuplicate) -> None:
    stays = candidate(2, sim=sim(2, label="same", status="Expired"))
    assert named(rule, candidate(1, sim=sim(1, label="same")), stays) == ["same", None]
    left = Rule("left", When(label="same"), status=StatusPolicy(disabled=StatusRule.SKIP))
    stays = candidate(2, sim=sim(2, label="same", status="Disabled"))
    assert named(rule, candidate(1, sim=sim(1, label="same")), stays, rules=(left,)) == ["same", None]


def test_a_sim_that_stays_behind_and_is_at_hologram_keeps_its_name() -> None:
    stays = candidate(2, sim=sim(2, label="same", status="Expired"), target=target(2))
    assert named(OnDuplicate.SUFFIX, candidate(1, sim=sim(1, label="same")), stays) == ["same (000000000001)", None]


# --- waves --------------------------------------------------------------------------------------------------------


def seated(rules: Policy, *labels: str | None) -> list[str | None]:
    fleet = [candidate(n, sim=sim(n, label=label)) for n, label in enumerate(labels, 1)]
    return [change.wave for change in plan(fleet, rules)]


def test_a_sim_joins_the_first_wave_that_selects_it_and_has_room() -> None:
    rules = policy(waves=(Wave("pumps", 1, label="pump*"), Wave("few", 2), Wave("rest")))
    assert seated(rules, "valve", "pump 1", "pump 2", "valve") == ["few", "pumps", "few", "rest"]


def test_a_wave_can_be_a_list_of_sims() -> None:
    listed = frozenset({source_iccid(2).key})
    rules = policy(waves=(Wave("bench", iccids=listed), Wave("rest")))
    assert seated(rules, "a", "b", "c") == ["rest", "bench", "rest"]


@pytest.mark.parametrize(
    ("share", "sims", "places"), [("0.1", 1, 1), ("0.1", 10, 1), ("0.1", 11, 2), ("0.34", 3, 2), ("1", 4, 4)]
)
def test_a_share_is_rounded_up_to_whole_sims(share: str, sims: int, places: int) -> None:
    rules = policy(waves=(Wave("some", share=Decimal(share)), Wave("rest")))
    assert Counter(seated(rules, *"x" * sims)) == Counter({"some": places, "rest": sims - places})


def test_a_share_is_of_the_sims_that_something_is_done_for() -> None:
    """Blocked SIMs and those that are fine already would otherwise make a canary of ten out of one of two."""
    fleet = [candidate(n) for n in (1, 2, 3, 4)]
    fleet += [candidate(n, pair=None) for n in (5, 6)] + [candidate(n, target=target(n)) for n in (7, 8)]
    rules = policy(waves=(Wave("half", share=Decimal("0.5")), Wave("rest")))
    waves = [change.wave for change in plan(fleet, rules)]
    assert waves == ["half", "half", "rest", "rest", None, None, "rest", "rest"]


def test_a_share_needs_the_sims_to_be_counted_first() -> None:
    planner = Planner(policy(waves=(Wave("some", share=Decimal(1)),)), ORG)
    with pytest.raises(ValueError, match="count them first"):
        list(planner.changes([candidate()]))


def test_sims_with_nothing_to_do_never_open_the_gate_of_a_first_wave() -> None:
    """Ninety verified of a hundred would let the next wave through although all ten new ones failed."""
    fleet = [candidate(1, target=target(1)), candidate(2), candidate(3)]
    rules = policy(waves=(Wave("canary", 1), Wave("rest")))
    assert [change.wave for change in plan(fleet, rules)] == ["rest", "canary", "rest"]


def test_sims_that_no_wave_selects_are_left_behind() -> None:
    rules = policy(waves=(Wave("pumps", label="pump*"),))
    fleet = [candidate(1), candidate(2, target=target(2)), candidate(3, sim=sim(3, label="pump"))]
    changes = plan(fleet, rules)
    assert [change.reason for change in changes] == [Reason.NO_WAVE, Reason.NO_WAVE, Reason.READY]
    assert [change.action for change in changes] == [Action.SKIP, Action.SKIP, Action.CLAIM]


@pytest.mark.parametrize(
    ("pattern", "label", "fits"),
    [
        ("pump-*", "pump-", True),
        ("pump-*", "pump-7 north", True),
        ("pump-?", "pump-12", False),
        ("*", "x\ny", True),
        ("*", "", False),
        ("*", None, False),
        ("Pump*", "pump 1", False),
        ("pump", "pump 1", False),
        ("[ab]*", "a", False),
        ("[ab]*", "[ab] 1", True),
        ("a.c", "abc", False),
    ],
)
def test_a_label_pattern_is_over_the_whole_label_in_its_case(pattern: str, label: str | None, *, fits: bool) -> None:
    assert selector(When(label=pattern))(sim(label=label)) is fits


def test_a_pattern_of_many_stars_is_quick_on_a_long_label() -> None:
    """A pattern is the operator's, a label a stranger's: backtracking over both would take years."""
    assert not selector(When(label="*a" * 30 + "b"))(sim(label="a" * 300))


# --- rules --------------------------------------------------------------------------------------------------------

DISABLED = Rule("disabled ones", When(status=SourceStatus.DISABLED), status=StatusPolicy(disabled=StatusRule.SKIP))
BIG = Rule("big", When(data_quota_mb_min=Decimal(1000)), data_limit=DataLimitPolicy(maximum_mb=Decimal(7)))
EXACT = Rule("exact", When(data_quota_mb=Decimal(500)), sms_limit=SmsLimitPolicy(maximum=1))
NAMED = Rule("named", When(label="pump*"), device_name=NamePolicy("p {source_iccid}"))


def test_the_first_rule_that_fits_a_sim_is_its_only_one() -> None:
    rules = policy(rules=(EXACT, NAMED, BIG))
    one = only(candidate(1, sim=sim(1, label="pump 1")), rules)
    assert (one.rule, one.sms_limit, one.name) == ("exact", 1, "pump 1")
    two = only(candidate(1, sim=sim(1, label="pump 1", data_quota_mb=Decimal(1000))), rules)
    assert (two.rule, two.name, two.overage_limit_bytes) == ("named", "p 8988228000000000001", 1000 * 1_048_576)


def test_a_rule_changes_what_becomes_of_a_status() -> None:
    change = only(candidate(sim=sim(status="Disabled")), policy(rules=(DISABLED,)))
    assert (change.action, change.reason, change.rule) == (Action.SKIP, Reason.STATUS_SKIPPED, "disabled ones")


def test_a_sim_that_no_rule_fits_has_what_the_policy_says() -> None:
    change = only(candidate(), policy(rules=(DISABLED, BIG, NAMED)))
    assert (change.rule, change.name, change.sms_limit) == ("", "unit 1", 100)


@pytest.mark.parametrize(
    ("selection", "booked", "fits"),
    [
        (When(data_quota_mb=Decimal("500.0")), "500", True),
        (When(data_quota_mb=Decimal(500)), "500.000001", False),
        (When(data_quota_mb_min=Decimal(500), data_quota_mb_max=Decimal(600)), "600", True),
        (When(data_quota_mb_min=Decimal(500), data_quota_mb_max=Decimal(600)), "499.999999", False),
        (When(data_quota_mb_max=Decimal(600)), None, False),
    ],
)
def test_a_selection_by_volume_has_its_bounds_in_it(selection: When, booked: str | None, *, fits: bool) -> None:
    assert selector(selection)(sim(data_quota_mb=None if booked is None else Decimal(booked))) is fits


def test_all_conditions_of_a_rule_must_hold() -> None:
    both = selector(When(status=SourceStatus.ENABLED, label="unit*"))
    assert both(sim())
    assert not both(sim(status="Disabled"))
    assert not both(sim(label="pump"))


def test_names_that_repeat_are_told_apart_only_where_a_rule_says_so() -> None:
    suffixed = Rule("pumps", When(label="pump"), device_name=NamePolicy(on_duplicate=OnDuplicate.SUFFIX))
    fleet = [candidate(n, sim=sim(n, label=label)) for n, label in enumerate(("pump", "pump", "valve", "valve"), 1)]
    digits = [one.sim.iccid.digits[-12:] for one in fleet]
    names = [change.name for change in plan(fleet, policy(rules=(suffixed,)))]
    assert names == [f"pump ({digits[0]})", f"pump ({digits[1]})", "valve", "valve"]


# --- properties ---------------------------------------------------------------------------------------------------

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


some_waves = st.sampled_from(
    [
        (Wave("canary", 2), Wave("rest")),
        (Wave("some", share=Decimal("0.3")), Wave("pumps", 1, label="pump"), Wave("rest")),
        (Wave("listed", iccids=frozenset({source_iccid(1).key, source_iccid(2).key})), Wave("rest")),
    ]
)
some_rules = st.lists(st.sampled_from([DISABLED, BIG, EXACT, NAMED]), unique=True, max_size=4).map(tuple)
policies = st.builds(lambda waves, rules: policy(waves=waves, rules=rules), some_waves, some_rules)


@given(fleets(), policies)
def test_every_sim_lands_in_exactly_one_change_and_only_paired_ones_act(fleet: list[Candidate], rules: Policy) -> None:
    changes = plan(fleet, rules)
    assert [change.source_iccid for change in changes] == [one.sim.iccid for one in fleet]
    assert all(change.target_iccid is not None and change.wave for change in changes if change.action.acts)


@given(fleets())
def test_a_limit_is_never_zero_and_never_above_what_was_booked(fleet: list[Candidate]) -> None:
    for one, change in zip(fleet, plan(fleet), strict=True):
        if change.action is Action.CLAIM:
            assert one.sim.data_quota_mb is not None
            assert change.overage_limit_bytes is not None
            assert 0 < change.overage_limit_bytes <= one.sim.data_quota_mb * Decimal(1_048_576)


@given(fleets(), policies)
def test_planning_is_deterministic(fleet: list[Candidate], rules: Policy) -> None:
    assert plan(fleet, rules) == plan(list(fleet), rules)


@given(fleets(), policies)
def test_no_wave_holds_more_than_it_has_room_for(fleet: list[Candidate], rules: Policy) -> None:
    changes = plan(fleet, rules)
    placed = Counter(change.wave for change in changes if change.action.acts and change.action is not Action.NO_OP)
    for wave in rules.waves:
        if wave.count is not None:
            assert placed[wave.name] <= wave.count
        if wave.share is not None:
            assert placed[wave.name] < wave.share * placed.total() + 1


@given(fleets(), policies, st.data())
def test_how_a_volume_is_written_does_not_matter(fleet: list[Candidate], rules: Policy, data: st.DataObject) -> None:
    """500 and 500.000 are one volume: a plan must not depend on which of them was seen first."""
    again = [
        one._replace(sim=replace(one.sim, data_quota_mb=_with_zeros(one.sim.data_quota_mb, data.draw(st.booleans()))))
        for one in fleet
    ]
    assert [replace(one, source={}) for one in plan(again, rules)] == [
        replace(one, source={}) for one in plan(fleet, rules)
    ]


def _with_zeros(volume: Decimal | None, more: bool) -> Decimal | None:  # noqa: FBT001 - drawn beside the volume
    return (
        Decimal(f"{volume:f}000" if "." in f"{volume:f}" else f"{volume:f}.0")
        if volume is not None and more
        else volume
    )


@given(fleets(), st.randoms(use_true_random=False))
def test_with_one_wave_the_order_of_the_input_does_not_matter(fleet: list[Candidate], chance: random.Random) -> None:
    rules = policy(waves=(Wave("all"),))
    shuffled = list(fleet)
    chance.shuffle(shuffled)
    by_iccid = {change.source_iccid: change for change in plan(shuffled, rules)}
    assert [by_iccid[change.source_iccid] for change in plan(fleet, rules)] == plan(fleet, rules)


@given(fleets(), policies)
def test_planning_again_after_everything_was_applied_gives_only_no_op(fleet: list[Candidate], rules: Policy) -> None:
    """A target that shows each planned value is exactly what a full apply leaves behind."""
    changes = {change.source_iccid: change for change in plan(fleet, rules)}
    applied = [one._replace(target=_as_applied(changes[one.sim.iccid]), migrated_before=True) for one in fleet]
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


def test_a_suffix_tells_apart_even_sims_whose_numbers_end_alike() -> None:
    names = NamePolicy(on_duplicate=OnDuplicate.SUFFIX)
    twins = [candidate(number, sim=sim(number, label="same")) for number in (7, 100_007, 200_007)]
    assert len({change.name for change in plan(twins, policy(name=names))}) == len(twins)


def test_a_sim_that_is_not_selected_is_skipped_whatever_else_holds_and_takes_nobodys_place() -> None:
    fleet = [candidate(1), candidate(2, pair=None), candidate(3), candidate(4)]
    rules = policy(waves=(Wave("first", 1), Wave("rest")))
    chosen = {3, 4}
    planner = Planner(rules, ORG, selects=lambda one: int(one.sim.iccid.digits[-3:]) in chosen)
    changes = list(planner.changes(fleet))
    assert [change.reason for change in changes] == [Reason.NOT_SELECTED] * 2 + [Reason.READY] * 2
    assert [change.action for change in changes[:2]] == [Action.SKIP] * 2
    assert [change.wave for change in changes] == [None, None, "first", "rest"]


@pytest.mark.parametrize("state", ["PAUSED-USER", "LIVE"])
def test_a_sim_that_a_rollback_took_back_is_left_where_it_is_unless_it_is_asked_for(state: str) -> None:
    fleet = [candidate(number, target=target(number, state=state), migrated_before=True) for number in (1, 2)]
    back = {fleet[0].sim.iccid.key: "r0123"}
    left, other = Planner(policy(), ORG, rolled_back=back).changes(fleet)
    assert (left.action, left.reason, left.state, left.wave) == (Action.SKIP, Reason.ROLLED_BACK, None, None)
    assert "r0123" in left.detail
    asked, same = Planner(policy(), ORG, rolled_back=back, takes_rolled_back=True).changes(fleet)
    assert (asked.action, asked.state) == (same.action, DesiredState.LIVE)
    assert "rollback r0123 took it back" in asked.detail
    assert other == same


def test_a_target_that_a_person_must_look_at_blocks_also_after_a_rollback() -> None:
    dead = candidate(target=target(state="DEAD"), migrated_before=True)
    (change,) = Planner(policy(), ORG, rolled_back={dead.sim.iccid.key: "r0123"}).changes([dead])
    assert (change.action, change.reason) == (Action.BLOCK, Reason.TARGET_RETIRED)
